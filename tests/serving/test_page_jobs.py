"""Screens of the page in a real Chromium: corrections, identifiers, questions, drafts, batches."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import resources
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, expect

from rinsho.clinical.annotations import read_annotations
from rinsho.clinical.extract import Extractor
from rinsho.serving.app import Protection, create_app
from rinsho.serving.limits import Origins
from rinsho.training.examples import read_examples
from tests.serving.person import extract, open_job, opened

pytestmark = pytest.mark.browser
RunServer = Callable[[FastAPI], AbstractContextManager[str]]
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


def test_an_edited_note_is_called_changed_on_every_screen(page: Page) -> None:
    page.locator("#note").fill(CLINICAL)
    open_job(page, "deidentify")
    page.locator("#deidentify").click()
    expect(page.locator("#hidden-text mark").first).to_be_visible(timeout=60_000)
    open_job(page, "document")
    page.locator("#document-question").fill("主訴は何ですか")
    page.locator("#document-send").click()
    expect(page.locator("#document-quotes li").first).to_be_visible()
    page.locator("#note").press_sequentially("追")
    expect(page.locator("#document-status")).to_contain_text("記録が変わりました")
    open_job(page, "deidentify")
    expect(page.locator("#hidden-status")).to_contain_text("記録が変わりました")
    open_job(page, "draft")
    page.locator("#draft-notes").fill(CLINICAL)
    page.locator("#draft-make").click()
    expect(page.locator("#draft-sections li").first).to_be_visible()
    page.locator("#draft-form").select_option("referral-letter")
    expect(page.locator("#draft-status")).to_contain_text("変わりました")


def test_a_draft_stays_when_the_server_is_gone(
    browser: Browser, run_server: RunServer, dictionary: Extractor
) -> None:
    context = browser.new_context()
    page = context.new_page()
    with run_server(create_app(None, dictionary)) as address:
        page.goto(address)
        open_job(page, "draft")
        page.locator("#draft-notes").fill(CLINICAL)
        page.locator("#draft-make").click()
        expect(page.locator("#draft-sections li").first).to_be_visible()
    page.locator("#draft-make").click()
    expect(page.locator("#draft-status")).to_contain_text("rinsho serve")
    expect(page.locator("#draft-sections")).to_contain_text("主訴：発熱、😀咳嗽。")
    context.close()


def test_files_of_older_systems_are_read_and_others_are_named(page: Page) -> None:
    def send(*files: tuple[str, bytes]) -> None:
        sent = [{"name": name, "mimeType": "", "buffer": raw} for name, raw in files]
        page.locator("#batch-files").set_input_files(sent)
        page.locator("#batch-start").click()

    open_job(page, "batch")
    send()
    expect(page.locator("#batch-status")).to_contain_text("選んでください")
    send(("old.TXT", "①発熱、髙橋".encode("cp932")))
    expect(page.locator("#batch-save")).to_be_visible()
    with page.expect_download() as download:
        page.locator("#batch-save").click()
    assert "発熱" in download.value.path().read_text("utf-8")
    for name, raw, place in (
        ("scan.txt", b"\x89PNG\r\n\xff\xfe\0", "scan.txt"),
        ("b.jsonl", b'{"text": "a"}\n{"text', "b.jsonl:2"),
        ("c.jsonl", b'\n{"note": "a"}', "c.jsonl:2"),
        ("d.jsonl", b"\n", "ひとつもありません"),
    ):
        send((name, raw))
        expect(page.locator("#batch-status")).to_contain_text(place)
        expect(page.locator("#batch-save")).to_be_visible()  # what was done before stays


def test_buttons_for_files_are_in_the_language_of_the_page(page: Page) -> None:
    open_job(page, "batch")
    button = page.locator("#batch-card .file")
    expect(button).to_have_text("ファイルを選ぶ")
    page.locator("[data-language=en]").click()
    expect(button).to_have_text("Choose files")
    sent = [{"name": name, "mimeType": "", "buffer": b"x"} for name in ("a.txt", "b.txt")]
    with page.expect_file_chooser() as chooser:
        button.click()
    chooser.value.set_files(sent)
    expect(page.locator("#batch-names")).to_have_text("a.txt and 1 more")


def test_a_batch_that_is_stopped_hands_over_what_is_done(page: Page) -> None:
    lines = "".join(json.dumps({"text": f"肺炎疑い。{n}"}) + "\n" for n in range(5_000))
    open_job(page, "batch")
    page.locator("#batch-files").set_input_files(
        {"name": "many.jsonl", "mimeType": "", "buffer": lines.encode()}
    )
    page.locator("#batch-start").click()
    expect(page.locator("#batch-status")).to_contain_text("件中")
    page.locator("#batch-stop").click()
    expect(page.locator("#batch-status")).to_contain_text("止めました")
    with page.expect_download() as download:
        page.locator("#batch-save").click()
    n_done = len(download.value.path().read_text("utf-8").splitlines())
    assert 0 < n_done < 5_000
    expect(page.locator("#batch-start")).to_be_enabled()


def test_what_cannot_be_copied_says_so(page: Page) -> None:
    extract(page, CLINICAL)
    page.evaluate("delete Navigator.prototype.clipboard")
    page.locator("#copy").click()
    expect(page.locator("#copy")).to_have_text("コピーできません。保存してください")


def test_a_server_elsewhere_is_not_called_this_computer(
    browser: Browser, run_server: RunServer, dictionary: Extractor
) -> None:
    name = "rinsho.localhost"  # a browser finds it on this machine, as any name below localhost
    app = create_app(None, dictionary, protection=Protection(origins=Origins(frozenset({name}))))
    with run_server(app) as address:
        for page in opened(browser, address):
            expect(page.locator("#local")).to_have_text("この PC の中だけで動いています")
        for page in opened(browser, address.replace("127.0.0.1", name)):
            expect(page.locator("#local")).to_contain_text(name)


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


_LINES_OF_DASHES = """() => {
    const words = document.querySelector("label[for=draft-notes]").firstChild;
    const range = document.createRange();
    range.setStart(words, words.data.indexOf("-"));
    range.setEnd(words, words.data.lastIndexOf("-") + 1);
    return new Set([...range.getClientRects()].map((one) => one.top)).size;
}"""
_IS_BESIDE_ITS_BOX = """(id) => {
    const label = document.getElementById(id);
    const box = label.querySelector("input").getBoundingClientRect();
    return [...label.querySelector("span").getClientRects()].every((one) => one.left >= box.right);
}"""


@pytest.mark.parametrize("language", ["ja", "en"])
def test_labels_stay_whole_on_a_phone(page: Page, language: str) -> None:
    page.locator(f"[data-language={language}]").click()
    for width in range(320, 440, 12):
        page.set_viewport_size({"width": width, "height": 844})
        open_job(page, "document")
        assert page.evaluate(_IS_BESIDE_ITS_BOX, "document-model"), width
        open_job(page, "draft")
        assert page.evaluate(_IS_BESIDE_ITS_BOX, "draft-model"), width
        assert page.evaluate(_LINES_OF_DASHES) == 1, width


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
