"""The review page in a real Chromium: marks, corrections, hostile text, and what is measured."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from rinsho.clinical.deidentify import Replacing, deidentify
from rinsho.clinical.deidentify_measure import measure_corrections, wilson_interval
from rinsho.clinical.deidentify_review import write_review
from rinsho.clinical.notes import Note
from tests.browsing import watched

TEXT = (
    "😀𠮷田花子様\r\n電話：０３－１２３４－５６７８ 葛󠄀粉 </script>"
    "<img src=x onerror=alert(1)>。九月は花子が付き添う。"
)


def written(path: Path) -> Path:
    note = Note("a", TEXT)
    write_review(path, [(note, deidentify(note, Replacing(form="spans", rules_only=True)))])
    return path


def test_the_page_is_private_and_its_text_is_data(tmp_path: Path) -> None:
    path = written(tmp_path / "review.html")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    page = path.read_text(encoding="utf-8")
    assert "<img" not in page
    assert "default-src 'none'" in page
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    page = browser.new_page()
    problems = watched(page, lambda url: not url.startswith("http"))
    page.goto(written(tmp_path / "review.html").as_uri())
    yield page
    page.close()
    assert problems == []


def select(page: Page, word: str) -> None:
    page.evaluate(
        """word => {
          const walker = document.createTreeWalker(document.querySelector('.text'), 4);
          for (let node; (node = walker.nextNode());) {
            const at = node.data.lastIndexOf(word);
            if (at < 0) continue;
            document.getSelection().setBaseAndExtent(node, at, node, at + word.length);
          }
        }""",
        word,
    )


@pytest.mark.browser
def test_marks_hold_what_was_found_and_the_language_switches(page: Page) -> None:
    assert page.locator("mark").all_text_contents() == ["𠮷田花子", "０３－１２３４－５６７８"]
    expect(page.locator("h1")).to_have_text("識別情報の確認")
    page.locator("#language").click()
    expect(page.locator("h1")).to_have_text("Review of identifiers")
    expect(page.locator("mark").first).to_have_attribute("data-tag", "name")


@pytest.mark.browser
def test_corrections_are_code_points_of_the_original_and_are_measured(
    page: Page, tmp_path: Path
) -> None:
    page.locator("mark", has_text="０３").click()
    select(page, "花子")
    page.locator("#kind").select_option("name")
    page.locator("#add").click()
    expect(page.locator("mark.added")).to_have_text("花子")
    page.locator("input[type=checkbox]").check()
    with page.expect_download() as download:
        page.locator("#export").click()
    path = tmp_path / "corrections.json"
    download.value.save_as(path)
    assert "花子" not in path.read_text(encoding="utf-8")
    (note,) = json.loads(path.read_text(encoding="utf-8"))["notes"]
    corrected = [TEXT[span["start"] : span["end"]] for span in note["corrected"]]
    assert corrected == ["𠮷田花子", "花子"]
    measures = {one.kind: one.to_json() for one in measure_corrections([path])}
    assert measures["name"]["recall"] == 0.5
    assert measures["name"]["precision"] == 1.0
    assert measures["phone"]["precision"] == 0.0
    assert measures["all"]["n"] == 2


@pytest.mark.parametrize(
    ("n_yes", "n", "expected"),
    [(81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0, 0.1611))],
)
def test_intervals_are_those_of_the_literature(
    n_yes: int, n: int, expected: tuple[float, float]
) -> None:
    # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3.
    assert wilson_interval(n_yes, n) == pytest.approx(expected, abs=5e-5)
