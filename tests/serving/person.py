"""A person at the page: corrects what is marked until it is what they mean, by mouse and keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from rinsho.text.spans import Span
from tests.browsing import watched

# Select code points [start, end) of the text that is read, as a mouse does.
_SELECT = """([start, end]) => {
    const reading = document.querySelector("#reading");
    const walker = document.createTreeWalker(reading, NodeFilter.SHOW_TEXT);
    const range = document.createRange();
    let at = 0;
    while (walker.nextNode()) {
        const points = [...walker.currentNode.data];
        const inside = (place) => points.slice(0, place - at).join("").length;
        if (at <= start && start < at + points.length)
            range.setStart(walker.currentNode, inside(start));
        if (at < end && end <= at + points.length) range.setEnd(walker.currentNode, inside(end));
        at += points.length;
    }
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    reading.dispatchEvent(new MouseEvent("mouseup", { bubbles: true }));
}"""
_IS_READ = """(text) => document.querySelector("#found").ariaBusy === "false"
    && document.querySelector("#reading").textContent === text
    && document.querySelector("#status").textContent !== "" """
_MARKED = """() => [...document.querySelectorAll("#rows tr")].map((row) => [
    ...row.querySelector(".number").textContent.split("–").map(Number),
    row.querySelector(".chip").dataset.label,
    row.querySelector(".key")?.dataset.certainty ?? "present",
])"""


def opened(browser: Browser, url: str) -> Iterator[Page]:
    """Open the page; fail on an error, on a refused script, and on a request to anywhere else."""
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    problems = watched(page, lambda address: address.startswith((url, "blob:")))
    page.goto(url)
    expect(page.locator("#engine")).not_to_be_empty()
    yield page
    context.close()
    assert problems == []


def extract(page: Page, note: str) -> None:
    """Put a note in and press the button."""
    page.locator("#note").fill(note)
    page.locator("#extract").click()
    expect(page.locator("#found")).to_have_attribute("aria-busy", "false")
    expect(page.locator("#status")).not_to_be_empty()


def open_job(page: Page, job: str) -> None:
    """Choose a screen."""
    page.locator(f"#tab-{job}").click()
    expect(page.locator(f"#panel-{job}")).to_be_visible()


def marked(page: Page) -> list[Span]:
    """Return what the page shows, in the order of its table."""
    return [Span(*row) for row in page.evaluate(_MARKED)]


def correct(page: Page, gold: Iterable[Span]) -> int:
    """Make the page's mentions those of `gold`; return how many corrections that took."""
    wanted = set(gold)
    n_corrections = 0
    while wrong := [(n, one) for n, one in enumerate(marked(page)) if one not in wanted]:
        place, span = wrong[0]
        mark = page.locator(f'mark[data-index="{place}"]')
        same = [one for one in wanted if (one.start, one.end) == (span.start, span.end)]
        if same and same[0] not in marked(page):
            mark.focus()
            page.keyboard.press("Enter")
            _decide(page, same[0])
        else:
            mark.focus()
            page.keyboard.press("Delete")
        n_corrections += 1
    for span in sorted(wanted - set(marked(page))):
        page.evaluate(_SELECT, [span.start, span.end])
        _decide(page, span)
        n_corrections += 1
    assert set(marked(page)) == wanted
    return n_corrections


def _decide(page: Page, span: Span) -> None:
    expect(page.locator("#correct")).to_be_visible()
    page.locator("#correct-label").select_option(span.label)
    page.locator("#correct-certainty").select_option(span.certainty)
    page.locator("#correct-set").click()
    expect(page.locator("#correct")).to_be_hidden()


def check_notes(page: Page, file: Path, gold: Sequence[tuple[str, Sequence[Span]]]) -> int:
    """Open a file of notes, correct each to its text's `gold`, and press the button; count."""
    page.locator("#queue-files").set_input_files(file)
    n_corrections = 0
    for place, (text, spans) in enumerate(gold, start=1):
        expect(page.locator("#queue-place")).to_contain_text(f" {place} 件目")
        page.wait_for_function(_IS_READ, arg=text)
        n_corrections += correct(page, spans)
        page.locator("#corrected-keep").click()
    expect(page.locator("#corrected-count")).to_have_text(f"確認済み {len(gold)} 件")
    return n_corrections


def save_corrections(page: Page, out: Path) -> None:
    """Press the button that hands the corrections over."""
    with page.expect_download() as download:
        page.locator("#corrected-save").click()
    download.value.save_as(out)
