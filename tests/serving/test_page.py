"""The page in a real Chromium: marks, table, CSV, both languages, questions, and hostile text."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, expect

from rinsho.clinical.extract import Extractor
from rinsho.serving.app import create_app
from tests.serving.person import extract, open_job, opened

pytestmark = pytest.mark.browser
NOTE = "😀𠮷田氏\n葛󠄀西にて発熱あり、咳嗽なし。👨‍👩‍👧 肺炎疑い。糖尿病、CRP 3.2mg/dL。"
RunServer = Callable[[FastAPI], AbstractContextManager[str]]


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
    expect(page.locator("#ask-stop")).to_be_hidden()
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
