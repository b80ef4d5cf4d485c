"""The page in a real Chromium: marks, table, CSV, both languages, questions, and hostile text."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from importlib import resources
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, expect, sync_playwright

from rinsho.clinical.annotations import read_annotations
from rinsho.clinical.extract import Extractor
from rinsho.serving.app import create_app
from rinsho.training.examples import read_examples

pytestmark = pytest.mark.browser
NOTE = "😀𠮷田氏\n葛󠄀西にて発熱あり、咳嗽なし。👨‍👩‍👧 肺炎疑い。糖尿病、CRP 3.2mg/dL。"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync",
    "--disable-component-update", "--no-first-run", "--disable-default-apps",
]  # fmt: skip
RunServer = Callable[[FastAPI], AbstractContextManager[str]]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    yield from opened(browser, url)


def opened(browser: Browser, url: str) -> Iterator[Page]:
    """Open the page; fail on an error, on a refused script, and on a request to anywhere else."""
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    page.on(
        "request",
        lambda r: None if r.url.startswith((url, "blob:")) else problems.append(r.url),
    )
    page.goto(url)
    expect(page.locator("#engine")).not_to_be_empty()
    yield page
    context.close()
    assert problems == []


def extract(page: Page, note: str) -> None:
    page.locator("#note").fill(note)
    page.locator("#extract").click()
    expect(page.locator("#found")).to_have_attribute("aria-busy", "false")
    expect(page.locator("#status")).not_to_be_empty()


def open_job(page: Page, job: str) -> None:
    page.locator(f"#tab-{job}").click()
    expect(page.locator(f"#panel-{job}")).to_be_visible()


def rows(page: Page) -> list[list[str]]:
    lines = page.locator("#rows tr").all()
    return [[cell.inner_text() for cell in line.locator("td").all()] for line in lines]


def test_marks_and_table_hold_the_words_of_the_note(page: Page, dictionary: Extractor) -> None:
    extract(page, NOTE)
    spans = dictionary.spans(NOTE)
    words = [NOTE[span.start : span.end] for span in spans]
    assert {"発熱", "咳嗽", "糖尿病"} <= set(words)
    assert page.locator("mark").all_text_contents() == words
    assert page.locator("#reading").text_content() == NOTE
    places = [f"{span.start}–{span.end}" for span in spans]
    assert [(row[0], row[3]) for row in rows(page)] == list(zip(words, places, strict=True))


def test_label_and_certainty_are_said_in_words_and_lines_too(page: Page) -> None:
    extract(page, NOTE)
    mark = page.locator("mark", has_text="咳嗽")
    expect(mark).to_have_attribute("data-tag", "症状・なし")
    assert mark.evaluate("m => getComputedStyle(m).borderTopStyle") == "dashed"
    assert "症状・なし" in mark.evaluate("m => getComputedStyle(m, '::after').content")
    assert ["咳嗽", "症状", "なし"] in [row[:3] for row in rows(page)]


def test_the_csv_has_offsets_into_the_note(page: Page, tmp_path: Path) -> None:
    extract(page, NOTE)
    page.locator("#copy").click()
    expect(page.locator("#copy")).to_have_text("コピーしました")
    copied = page.evaluate("navigator.clipboard.readText()")
    records = list(csv.DictReader(io.StringIO(copied, newline="")))
    assert len(records) == page.locator("mark").count() > 3
    assert all(NOTE[int(r["start"]) : int(r["end"])] == r["text"] for r in records)
    assert {"発熱": "present", "咳嗽": "negated"}.items() <= {
        r["text"]: r["certainty"] for r in records
    }.items()
    with page.expect_download() as download:
        page.locator("#save").click()
    download.value.save_as(tmp_path / "spans.csv")
    raw = (tmp_path / "spans.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    assert raw.decode("utf-8-sig").splitlines() == copied.splitlines()


def test_the_answers_of_a_head_stand_above_the_note_as_text(
    browser: Browser, run_server: RunServer, judging: Extractor
) -> None:
    with run_server(create_app(None, judging)) as address:
        for page in opened(browser, address):
            extract(page, NOTE)
            expect(page.locator("#status")).to_contain_text("3 項目")
            said = page.locator("#answers dd").all_inner_texts()
            assert said == ["yes (50%)", "3", "該当なし"]
            assert page.locator("#answers dt").all_inner_texts()[2].startswith("<img")
            assert page.locator("mark").count() == 0
            page.locator("#note").fill(" ")
            page.locator("#extract").click()
            expect(page.locator("#answers")).to_be_hidden()


def test_a_cell_that_looks_like_a_formula_is_disarmed(page: Page) -> None:
    script = """async () => (await import('/spans.js')).toCsv(
        ['=1+1', '@x', '-2+3', '-2.5', 'a"b', 'a\\n=b'].map(
            (text) => ({start: 0, end: 1, label: 'value', certainty: 'present', text})))"""
    texts = [row["text"] for row in csv.DictReader(io.StringIO(page.evaluate(script), newline=""))]
    assert texts == ["'=1+1", "'@x", "'-2+3", "-2.5", 'a"b', "a\n=b"]


def test_mark_and_row_light_up_together(page: Page) -> None:
    extract(page, NOTE)
    page.locator("mark").nth(1).hover()
    expect(page.locator("#rows tr.is-linked")).to_have_count(1)
    expect(page.locator("#rows tr").nth(1)).to_have_class("is-linked")
    page.locator("#rows tr").nth(2).hover()
    expect(page.locator("mark.is-linked")).to_have_count(1)
    expect(page.locator("mark").nth(2)).to_have_class("is-linked")


def test_the_keyboard_is_enough(page: Page) -> None:
    page.locator("#note").focus()
    page.keyboard.insert_text(NOTE)
    page.keyboard.press("Control+Enter")
    expect(page.locator("mark").first).to_be_visible()
    for _ in range(20):  # by Tab from the note to the first mark
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "MARK":
            break
    page.keyboard.press("ArrowRight")
    expect(page.locator("mark").nth(1)).to_be_focused()
    expect(page.locator("#rows tr").nth(1)).to_have_class("is-linked")


def test_markup_in_a_note_is_inert(page: Page) -> None:
    hostile = (
        "<script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">"
        "<b>発熱</b></mark></textarea>"
    )
    extract(page, hostile)
    assert page.locator("#reading").text_content() == hostile
    assert page.locator("#reading :not(mark)").count() == 0
    assert page.title() == "rinsho 臨床"


def test_markup_in_an_answer_is_inert(page: Page) -> None:
    open_job(page, "document")
    page.locator("#question").fill("マークアップの例を示してください。")
    page.locator("#send").click()
    expect(page.locator("#answer")).to_contain_text("</script>")
    expect(page.locator("#stop")).to_be_hidden()
    assert page.locator("#answer").text_content().startswith("<img src=x onerror=")
    assert page.locator("#answer *").count() == 0
    assert page.title() == "rinsho 臨床"


def test_an_answer_is_streamed_whole(page: Page) -> None:
    open_job(page, "document")
    page.locator("#question").fill("文字の例を示してください。")
    page.keyboard.press("Control+Enter")
    page.locator("#send").click()
    expect(page.locator("#answer")).to_have_text("𠮷野家の😀と葛󠄀、髙と①です。")


def test_the_english_switch_changes_every_word_and_is_kept(page: Page) -> None:
    extract(page, NOTE)
    page.locator("[data-language=en]").click()
    assert page.locator("html").get_attribute("lang") == "en"
    expect(page.locator("#extract")).to_have_text("Extract")
    expect(page.locator("#engine")).to_have_text("By dictionary and rules (no model)")
    expect(page.locator("mark", has_text="咳嗽")).to_have_attribute("data-tag", "symptom・negated")
    page.reload()
    expect(page.locator("#extract")).to_have_text("Extract")


def test_both_languages_have_every_text(page: Page) -> None:
    keys = page.evaluate(
        """async () => {
            const { TEXTS } = await import('/texts.js');
            return Object.values(TEXTS).map((texts) => Object.keys(texts));
        }"""
    )
    used = page.evaluate("[...document.querySelectorAll('[data-text]')].map((e) => e.dataset.text)")
    assert keys[0] == keys[1]
    assert set(used) <= set(keys[0])


def test_the_sample_note_has_mentions_and_a_changed_note_is_called_stale(page: Page) -> None:
    page.locator("#sample").click()
    page.locator("#extract").click()
    expect(
        page.locator("mark", has_text="細菌性肺炎").or_(page.locator("mark", has_text="肺炎")).first
    ).to_be_visible()
    page.locator("#note").press_sequentially("あ")
    expect(page.locator("#status")).to_contain_text("もう一度")
    page.locator("#clear").click()
    expect(page.locator("mark")).to_have_count(0)


def test_without_a_chat_model_the_page_says_why_questions_are_off(
    browser: Browser, run_server: RunServer, dictionary: Extractor
) -> None:
    with run_server(create_app(None, dictionary)) as address:
        for page in opened(browser, address):
            open_job(page, "document")
            expect(page.locator("#send")).to_be_disabled()
            expect(page.locator("#ask-explanation")).to_contain_text("rinsho serve")
            open_job(page, "extract")
            expect(page.locator("#engine")).to_have_text("辞書と規則による抽出（モデルなし）")


def test_nothing_is_wider_than_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    extract(page, NOTE + "\n" + "長" * 500 + " " + "W" * 300)
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_the_server_is_missed_with_a_next_step(
    browser: Browser, run_server: RunServer, dictionary: Extractor
) -> None:
    context = browser.new_context()
    page = context.new_page()
    with run_server(create_app(None, dictionary)) as address:
        page.goto(address)
        expect(page.locator("#engine")).not_to_be_empty()
    page.locator("#note").fill("発熱")
    page.locator("#extract").click()
    expect(page.locator("#status")).to_contain_text("rinsho serve")
    context.close()


# ------------------------------------------------------------------------------- every job

CLINICAL = (
    "患者：山田太郎\n主訴：発熱、😀咳嗽。\n11/3に発熱し受診。CRP 12.3mg/dL。\n"
    "肺炎疑い。11/12に退院。"
)


def test_a_person_corrects_adds_and_removes_mentions_and_takes_them_along(
    page: Page, tmp_path: Path
) -> None:
    extract(page, CLINICAL)
    page.locator("mark", has_text="肺炎").click()
    page.locator("#correct-certainty").select_option("negated")
    page.locator("#correct-set").click()
    expect(page.locator("mark", has_text="肺炎")).to_have_attribute("data-tag", "病名・なし")
    page.locator("mark", has_text="CRP").first.focus()
    page.keyboard.press("Delete")
    expect(page.locator("mark", has_text="CRP")).to_have_count(0)
    page.evaluate(
        """() => {
            const walker = document.createTreeWalker(document.querySelector("#reading"), 4);
            while (!walker.nextNode().data.includes("山田太郎"));
            const at = walker.currentNode.data.indexOf("山田太郎");
            const range = document.createRange();
            range.setStart(walker.currentNode, at);
            range.setEnd(walker.currentNode, at + 4);
            getSelection().removeAllRanges();
            getSelection().addRange(range);
            document.querySelector("#reading").dispatchEvent(new MouseEvent("mouseup"));
        }"""
    )
    expect(page.locator("#correct-words")).to_have_text("「山田太郎」")
    page.locator("#correct-label").select_option("symptom")
    page.locator("#correct-certainty").select_option("present")
    page.locator("#correct-set").click()
    with page.expect_download() as download:
        page.locator("#corrected-save").click()
    download.value.save_as(tmp_path / "corrections.jsonl")
    (one,) = read_annotations([tmp_path / "corrections.jsonl"])
    assert one.note.text == CLINICAL
    words = {CLINICAL[s.start : s.end]: (s.label, s.certainty) for s in one.spans}
    assert words["山田太郎"] == ("symptom", "present")
    assert words["肺炎"] == ("disease", "negated")
    assert "CRP" not in words
    assert read_examples([tmp_path / "corrections.jsonl"])  # finetune learns from it


def test_a_mention_in_a_mention_is_a_mark_in_a_mark(page: Page) -> None:
    shown = page.evaluate(
        """async () => {
            const { showNote } = await import('/spans.js');
            const { TEXTS } = await import('/texts.js');
            const box = document.createElement('div');
            const span = (start, end, label) => ({ start, end, label, certainty: 'present' });
            showNote(box, '😀右下肺野の肺炎', [span(1, 8, 'disease'), span(1, 5, 'body_part'),
                span(4, 7, 'test')], TEXTS.ja);
            return [box.textContent, box.querySelectorAll('mark').length,
                box.querySelector('mark mark').textContent];
        }"""
    )
    assert shown == ["😀右下肺野の肺炎", 2, "右下肺野"]


def test_identifiers_are_replaced_and_what_was_there_is_not_shown(page: Page) -> None:
    page.locator("#note").fill(CLINICAL)
    open_job(page, "deidentify")
    page.locator("#deidentify").click()
    # The rules are compiled when they are first asked.
    expect(page.locator("#hidden-text mark").first).to_have_text("[氏名]", timeout=60_000)
    assert "山田" not in page.locator("#panel-deidentify").inner_text()
    page.locator("#hidden-copy").click()
    assert "主訴：発熱、😀咳嗽。" in page.evaluate("navigator.clipboard.readText()")
    page.locator("#note").fill(CLINICAL + "追記")
    page.locator("[data-language=en]").click()
    expect(page.locator("#hidden-status")).to_contain_text("has changed")


def test_a_question_is_answered_by_quotes_that_select_their_place(page: Page) -> None:
    page.locator("#note").fill(CLINICAL)
    open_job(page, "document")
    page.locator("#document-question").fill("主訴は何ですか")
    page.keyboard.press("Enter")
    quote = page.locator("#document-quotes button", has_text="主訴：発熱、😀咳嗽。")
    quote.click()
    chosen = page.evaluate(
        "(() => { const n = document.querySelector('#note');"
        " return n.value.slice(n.selectionStart, n.selectionEnd); })()"
    )
    assert chosen == "主訴：発熱、😀咳嗽。"
    page.locator("#document-question").fill("診断は何だと考えられますか")
    page.locator("#document-send").click()
    expect(page.locator("#document-status")).to_contain_text("診断はできません")
    expect(page.locator("#document-quotes li")).to_have_count(0)


def test_a_model_answers_from_its_quotes(page: Page) -> None:
    page.locator("#note").fill("咳嗽あり。")
    open_job(page, "document")
    page.locator("#document-use-model").check()
    page.locator("#document-question").fill("何が書かれていますか")
    page.locator("#document-send").click()
    expect(page.locator("#document-card")).to_have_attribute("aria-busy", "false")
    expect(page.locator("#document-status")).not_to_be_empty()
    for quote in page.locator("#document-quotes button").all_inner_texts():
        assert quote.split("」")[0].removeprefix("「") in "咳嗽あり。"


def test_a_draft_cites_lines_that_can_be_followed(page: Page) -> None:
    open_job(page, "draft")
    page.locator("#draft-notes").fill(f"{CLINICAL}\n---\nCRP 0.3mg/dL。😀\nアムロジピン5mg内服。")
    page.locator("#draft-make").click()
    expect(page.locator("#draft-sections")).to_contain_text("CRP 12.3mg/dL → 0.3mg/dL")
    line = page.locator("#draft-sections li", has_text="アムロジピン5mg内服。").first
    line.locator("button").click()
    chosen = page.evaluate(
        "(() => { const n = document.querySelector('#draft-notes');"
        " return n.value.slice(n.selectionStart, n.selectionEnd); })()"
    )
    assert chosen == "アムロジピン5mg内服。"
    expect(line.locator("button")).to_have_text("[2:2]")


def test_files_are_done_as_a_batch_and_fetched(page: Page, tmp_path: Path) -> None:
    open_job(page, "batch")
    line = json.dumps({"id": "x", "text": "肺炎"}) + "\n"
    files = [("a.txt", CLINICAL.encode()), ("b.jsonl", line.encode())]
    sent = [{"name": name, "mimeType": "text/plain", "buffer": raw} for name, raw in files]
    page.locator("#batch-files").set_input_files(sent)
    page.locator("#batch-start").click()
    expect(page.locator("#batch-save")).to_be_visible()
    with page.expect_download() as download:
        page.locator("#batch-save").click()
    download.value.save_as(tmp_path / "results.jsonl")
    lines = [
        json.loads(line) for line in (tmp_path / "results.jsonl").read_text("utf-8").splitlines()
    ]
    assert len(lines) == 2
    assert "肺炎" in json.dumps(lines[1], ensure_ascii=False)


def test_the_keyboard_goes_from_job_to_job(page: Page) -> None:
    page.locator("#tab-extract").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tab-deidentify")).to_be_focused()
    expect(page.locator("#panel-deidentify")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#panel-batch")).to_be_visible()
    expect(page.locator("#note-card")).to_be_hidden()


def test_no_job_is_wider_than_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for job in ("deidentify", "document", "draft", "batch"):
        open_job(page, job)
        assert page.evaluate("document.documentElement.scrollWidth") == 390, job


def test_the_model_card_is_one_click_away(
    browser: Browser, run_server: RunServer, dictionary: Extractor
) -> None:
    with run_server(create_app(None, dictionary, card="# card\n<b>scores</b>")) as address:
        for page in opened(browser, address):
            page.locator("#card-open").click()
            expect(page.locator("#card")).to_be_visible()
            assert page.locator("#card-text").text_content() == "# card\n<b>scores</b>"
            page.keyboard.press("Escape")
            expect(page.locator("#card")).to_be_hidden()


def test_no_wcag_rule_is_broken_on_any_screen(browser: Browser, url: str) -> None:
    context = browser.new_context(bypass_csp=True)  # the checker is a script from outside
    page = context.new_page()
    page.goto(url)
    expect(page.locator("#engine")).not_to_be_empty()
    extract(page, CLINICAL)
    page.locator("mark").first.click()
    axe = resources.files("axe_playwright_python") / "axe.min.js"
    page.evaluate(axe.read_text(encoding="utf-8"))
    tags = "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']"
    for job in ("extract", "deidentify", "document", "draft", "batch"):
        open_job(page, job)
        if job == "draft":
            page.locator("#draft-notes").fill(CLINICAL)
            page.locator("#draft-make").click()
            expect(page.locator("#draft-sections li").first).to_be_visible()
        found = page.evaluate(f"axe.run({{runOnly: {tags}}}).then((r) => r.violations)")
        assert [one["id"] for one in found] == [], job
    context.close()
