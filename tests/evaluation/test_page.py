"""`report.html` in a real Chromium: nothing fetched, nothing injected, filters, both languages."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from rinsho.evaluation.answer_record import Answer
from rinsho.evaluation.benchmark import Item
from rinsho.evaluation.catalogue import LoadedBenchmark, describe_benchmark
from rinsho.evaluation.page import render_page
from rinsho.evaluation.parse import format_spans
from rinsho.evaluation.scoring import ScoredEntry, score_entry
from rinsho.evaluation.summary import Report, summarize_entry
from rinsho.text.spans import Span
from tests.browsing import watched

pytestmark = pytest.mark.browser
HOSTILE = "</script><script>document.title='hacked'</script><img src=x onerror=alert(1)>"
N_ITEMS = 120
NOTE = "😀𠮷田氏。発熱あり、咳嗽なし。<b>肺炎</b>疑い。"


UNNAMED = """[...document.querySelectorAll('button, select, input, a, summary, [tabindex="0"]')]
  .filter((one) => !one.hidden && !(one.labels && one.labels.length)
    && !one.getAttribute('aria-label')
    && !one.textContent.trim()).map((one) => one.outerHTML)"""


def entry(name: str, items: tuple[Item, ...], outputs: list[str], system: str) -> ScoredEntry:
    loaded = LoadedBenchmark(describe_benchmark(name), items, "0" * 64, is_text_withheld=False)
    method = "extraction" if items[0].form == "spans" else "generation"
    pairs = [
        (item, Answer(name, item.id, method, "", output=output))
        for item, output in zip(items, outputs, strict=True)
    ]
    return score_entry(system, loaded, method, pairs)


@pytest.fixture(scope="module")
def report_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = NOTE.index("発熱")
    gold = (Span(at, at + 2, "symptom"), Span(at + 5, at + 7, "symptom", "negated"))
    note = Item("notes/1", "spans", NOTE, gold_spans=gold, document="1")
    choices = tuple(
        Item(f"q/{n}", "choice", HOSTILE if n == 0 else f"第{n}問", ("有", "無"), ("A",),
             prohibited=("B",) if n == 1 else (), tag=HOSTILE if n == 2 else "")
        for n in range(N_ITEMS)
    )  # fmt: skip
    entries = [
        entry(
            "demo-questions",
            choices,
            [HOSTILE, "Ｂ", "わからない", *["A"] * (N_ITEMS - 3)],
            HOSTILE,
        ),
        entry("demo-questions", choices, ["A"] * N_ITEMS, "always A"),
        entry("demo-notes", (note,), [format_spans(gold[:1])], "tagger"),
    ]
    summaries = tuple(summarize_entry(one, "model", 0, 50) for one in entries)
    report = Report(
        entries=summaries,
        comparisons=(),
        free=(),
        sources=(),
        removals=("notes  kept  <b>6</b>",),
        losses=(),
        chain=(),
        seed=0,
        n_draws=50,
    )
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render_page(HOSTILE, report, entries, {}), encoding="utf-8")
    return path


@pytest.fixture(params=[(1280, 900), (360, 740)], ids=["desktop", "phone"])
def page(browser: Browser, report_file: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Open the report; fail on an error, a dialog, and any request but that for the file."""
    width, height = request.param
    context = browser.new_context(viewport={"width": width, "height": height}, locale="ja-JP")
    page = context.new_page()
    address = report_file.as_uri()
    problems = watched(page, lambda url: url == address)
    page.goto(address)
    yield page
    assert problems == []
    context.close()


def test_what_a_model_said_stays_text(page: Page) -> None:
    expect(page.locator("h1")).to_have_text(HOSTILE)
    page.locator(".item summary").first.click()
    expect(page.locator(".said").first).to_have_text(HOSTILE)
    expect(page.locator(".prompt").first).to_contain_text(HOSTILE)
    assert page.locator("img").count() == 0
    assert "hacked" not in page.title() or page.title() == HOSTILE


def test_the_page_is_no_wider_than_the_screen(page: Page) -> None:
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"]


def test_filters_leave_what_they_name(page: Page) -> None:
    expect(page.locator("#item-count")).to_contain_text("121 / 121")
    page.select_option("#filter-benchmark", label=f"demo-questions ({N_ITEMS})")
    page.select_option("#filter-state", "wrong")
    expect(page.locator(".item")).to_have_count(3)
    page.select_option("#filter-system", label="always A · generation")
    expect(page.locator(".item")).to_have_count(0)
    page.select_option("#filter-system", "")
    for state, n_items in (("invalid", 2), ("prohibited", 1), ("differ", 3)):
        page.select_option("#filter-state", state)
        expect(page.locator(".item")).to_have_count(n_items)
    page.select_option("#filter-state", "all")
    page.fill("#filter-words", "第４４問")
    expect(page.locator(".item")).to_have_count(1)


def test_pages_turn(page: Page) -> None:
    expect(page.locator(".item")).to_have_count(50)
    page.click("#page-next")
    page.click("#page-next")
    expect(page.locator(".item")).to_have_count(21)
    expect(page.locator("#page-next")).to_be_disabled()
    page.fill("#page-number", "1")
    page.press("#page-number", "Enter")
    expect(page.locator("#page-back")).to_be_disabled()


def test_a_cell_of_the_confusion_table_opens_its_items(page: Page) -> None:
    page.locator("#task-demo-questions details summary").first.click()
    page.locator(
        "#task-demo-questions .confusion button.none, .confusion .miss-0 button"
    ).first.click()
    expect(page.locator("#filter-pair")).to_contain_text("A → 読み取り B")
    expect(page.locator(".item code")).to_have_text(["q/1"])
    page.click("#filter-pair")
    expect(page.locator("#item-count")).to_contain_text("120 / 120")


def test_keys_alone_open_an_item_and_turn_a_page(page: Page) -> None:
    page.locator(".item summary").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".item-body")).to_have_count(1)
    page.locator("#page-next").focus()
    page.keyboard.press("Space")
    expect(page.locator("#page-number")).to_have_value("2")


def test_every_control_and_table_has_a_name(page: Page) -> None:
    unnamed = page.evaluate(UNNAMED)
    assert unnamed == []
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_spans_lie_on_their_words_behind_characters_of_two_units(page: Page) -> None:
    page.select_option("#filter-benchmark", label="demo-notes (1)")
    gold, found = page.locator(".note").all()
    assert gold.locator("mark").all_inner_texts() == ["発熱", "咳嗽"]
    assert found.locator("mark").all_inner_texts() == ["発熱"]
    assert gold.inner_text() == NOTE
    expect(gold.locator("mark.off")).to_have_text("咳嗽")  # the one that was missed


def test_the_language_switches(page: Page) -> None:
    expect(page.locator("h2#scores")).to_have_text("課題別の得点", use_inner_text=True)
    page.click("[data-language=en]")
    expect(page.locator("h2#scores")).to_have_text("Scores by task", use_inner_text=True)
    expect(page.locator("#item-count")).to_contain_text("of 121 items")


FRAGMENTS = [
    "</script>", "<script>document.title='hacked'</script>", "<img src=x onerror=alert(1)>",
    "<!--", "<svg onload=alert(1)>", "]]>", "{{data}}", "&lt;b&gt;", '"onclick="alert(1)', "\u2028",
    "\ud800", "𠮷😀", "javascript:alert(1)", "\x00", "\\", "A", "['肺炎']", "<think>",
]  # fmt: skip


def test_ten_thousand_hostile_outputs_stay_text(browser: Browser, tmp_path: Path) -> None:
    draw = random.Random(0)
    outputs = ["".join(draw.choices(FRAGMENTS, k=draw.randint(0, 6))) for _ in range(10_000)]
    items = tuple(
        Item(f"q/{n}", "choice", draw.choice(FRAGMENTS), ("有", "無"), ("A",))
        for n in range(10_000)
    )
    entries = [entry("demo-questions", items, outputs, HOSTILE)]
    summaries = tuple(summarize_entry(one, "model", 0, 2) for one in entries)
    report = Report(summaries, (), (), (), (), (), (), 0, 2)
    path = tmp_path / "report.html"
    path.write_text(render_page("", report, entries, {}), encoding="utf-8")
    page = browser.new_page(locale="ja-JP")
    problems = watched(page, lambda url: url == path.as_uri())
    page.goto(path.as_uri())
    for number in (1, 77, 200):
        page.fill("#page-number", str(number))
        page.press("#page-number", "Enter")
        page.click("#open-all")
        expect(page.locator(".item-body")).to_have_count(50)
    said = page.evaluate("data.benchmarks[0].items.map((item) => item.answers[0].output || '')")
    assert said == outputs
    assert page.locator("script").count() == 2
    assert page.locator("img, iframe, object, embed, #item-view svg").count() == 0
    assert problems == []
    page.close()
