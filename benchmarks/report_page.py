"""A report of many items in a real browser: how large it is, how soon it answers.

CHROMIUM=/usr/bin/chromium python benchmarks/report_page.py [N_ITEMS] [FOLDER]

Items and answers are generated: three systems, each by generation and by log-likelihood. Prints one
row a screen (desktop, phone), then everything as one JSON line. Times are medians of five, in the
page's own clock, from the input to the next painted frame.
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from rinsho.evaluation.answer_record import Answer, Method
from rinsho.evaluation.benchmark import Item
from rinsho.evaluation.catalogue import BENCHMARKS, LoadedBenchmark
from rinsho.evaluation.page import render_page
from rinsho.evaluation.scoring import ScoredEntry, score_entry
from rinsho.evaluation.summary import Report, compare_entries, summarize_entry

SCREENS = {"desktop": (1280, 900), "phone": (390, 844)}
SYSTEMS = {"tuned": 0.8, "base": 0.35, "rules": 0.5}
N_DRAWS = 20
COMPLAINTS = ("発熱と咳嗽", "腹痛", "息切れ", "貧血の指摘", "頭痛と嘔気")
CHOICES = ("肺炎", "急性虫垂炎", "心不全", "鉄欠乏性貧血", "くも膜下出血")
HISTORY = "既往に高血圧症と2型糖尿病があり、内服は3種類である。飲酒は機会飲酒で喫煙歴はない。"
# Each changes one control and resolves once the next frame is painted.
STEPS = {
    "turn": "find('page-next').click()",
    "open_50": "find('open-all').click()",
    "filter": "set('filter-state', STATES[(turn % 2) + 1][0])",
    "system": "set('filter-system', find('filter-system').options[(turn % 2) + 1].value)",
    "search": "set('filter-words', ['虫垂炎', '息切れ', '120mmHg', '糖尿病', '健診'][turn])",
}
TIMED = """async ([turn, action]) => {
  const set = (id, value) => { find(id).value = value; refresh(); };
  const start = performance.now();
  new Function('set', 'turn', action)(set, turn);
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - start;
}"""


def items(n_items: int) -> tuple[Item, ...]:
    """Return invented choice questions of the length of an examination's."""
    return tuple(
        Item(
            f"own/generated/{n}",
            "choice",
            f"{20 + n % 70}歳の{'男性' if n % 2 else '女性'}。{COMPLAINTS[n % 5]}で来院した。"
            f"血圧{100 + n % 60}mmHg。{HISTORY * (1 + n % 3)}最も考えられるのはどれか。",
            CHOICES,
            ("ABCDE"[n % 5],),
            document=f"case-{n // 2}",
            tag=f"領域{n % 12}",
        )
        for n in range(n_items)
    )


def answers(name: str, asked: tuple[Item, ...], method: Method, skill: float) -> list[Answer]:
    """Return invented answers, right as often as the skill says."""
    draw = random.Random(f"{method} {skill}")
    found: list[Answer] = []
    for item in asked:
        letter = item.gold[0] if draw.random() < skill else draw.choice(item.letters)
        likelihoods = tuple(round(draw.gauss(-4, 1) + 2 * (x == letter), 3) for x in item.letters)
        if method == "generation":
            said = draw.choice((letter, f"答えは{letter}です。", f"{letter}. {CHOICES[0]}", "不明"))
            found.append(Answer(name, item.id, method, "", output=said))
        else:
            found.append(Answer(name, item.id, method, "", log_likelihoods=likelihoods))
    return found


def entries(n_items: int) -> list[ScoredEntry]:
    """Return six scored entries over the same items."""
    benchmark = dataclasses.replace(BENCHMARKS["jmmlu/medical"], name="own/generated", files=())
    loaded = LoadedBenchmark(benchmark, items(n_items), "0" * 64, is_text_withheld=False)
    methods: tuple[Method, ...] = ("generation", "log-likelihood")
    return [
        score_entry(
            system,
            loaded,
            method,
            list(zip(loaded.items, answers("x", loaded.items, method, skill), strict=True)),
        )
        for system, skill in SYSTEMS.items()
        for method in methods
    ]


def write_page(path: Path, n_items: int) -> dict[str, float]:
    """Write the page; return the CPU seconds of its parts and its size."""
    scored = entries(n_items)
    start = time.process_time()
    summaries = tuple(summarize_entry(one, "model", 0, N_DRAWS) for one in scored)
    comparisons = compare_entries(scored, 0, N_DRAWS)
    report = Report(summaries, comparisons, (), (), (), (), (), 0, N_DRAWS)
    middle = time.process_time()
    page = render_page("", report, scored, {}).encode()
    path.write_bytes(page)
    return {
        "summary_cpu_s": middle - start,
        "page_cpu_s": time.process_time() - middle,
        "megabytes": len(page) / 1e6,
    }


def measure(page: Page, address: str) -> dict[str, float]:
    """Return milliseconds of the load and of every step, and the elements in the document."""
    page.goto(address)
    load = page.evaluate("performance.getEntriesByType('navigation')[0].domComplete")
    found: dict[str, float] = {"load_ms": load}
    for name, action in STEPS.items():
        times = [page.evaluate(TIMED, [turn, action]) for turn in range(5)]
        found[f"{name}_ms"] = statistics.median(times)
        found[f"{name}_worst_ms"] = max(times)
    found["n_elements"] = page.evaluate("document.querySelectorAll('*').length")
    found["heap_mb"] = page.evaluate("performance.memory.usedJSHeapSize / 1e6")
    found["width_px"] = page.evaluate("document.documentElement.scrollWidth")
    return found


def main() -> None:
    """Write the page, open it on both screens, print what was measured."""
    n_items = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "report.html"
    found: dict[str, object] = {"n_items": n_items, **write_page(path, n_items)}
    flags = ["--no-sandbox", "--disable-gpu", "--enable-precise-memory-info"]
    chromium = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        for name, (width, height) in SCREENS.items():
            page = browser.new_page(
                viewport={"width": width, "height": height}, locale="ja-JP", bypass_csp=True
            )
            found[name] = measure(page, path.as_uri())
            print(name, {key: round(value, 1) for key, value in found[name].items()})
            page.close()
        browser.close()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
