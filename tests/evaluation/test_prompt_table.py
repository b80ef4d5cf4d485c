"""The prompt table: one row a template, the spread between them, files that people can open."""

from __future__ import annotations

import csv
import io

import pytest

from rinsho.evaluation.answer_record import Answer
from rinsho.evaluation.benchmark import Item, hash_items
from rinsho.evaluation.catalogue import LoadedBenchmark, describe_benchmark
from rinsho.evaluation.prompt_table import prompt_tables, to_csv, to_markdown
from rinsho.evaluation.scoring import ScoredEntry, score_entry

ORGANS = ("食道閉鎖", "心室中隔欠損", "腎低形成", "鎖肛", "胎児水腫")
ITEMS = tuple(
    Item(f"x/{n}", "choice", "どれか。", ORGANS, ("ABCDE"[n % 5],), document=f"d{n}")
    for n in range(50)
)


def entry_of(name: str, n_right: int, system: str = "小さなモデル") -> ScoredEntry:
    """An entry that is right by gestalt in its first items and exactly right in half of those."""
    loaded = LoadedBenchmark(describe_benchmark(name), ITEMS, hash_items(ITEMS), False)

    def says(number: int, item: Item) -> str:
        gold = item.choices[item.letters.index(item.gold[0])]
        wrong = item.choices[(item.letters.index(item.gold[0]) + 1) % 5]
        if number >= n_right:
            return wrong
        return gold if number % 2 else f"答えは{gold}"

    pairs = [
        (item, Answer(name, item.id, "official", "", says(number, item)))
        for number, item in enumerate(ITEMS)
    ]
    return score_entry(system, loaded, "official", pairs)


def test_the_spread_is_the_best_template_less_the_worst():
    entries = [
        entry_of("legacy-igakuqa-ja/alpaca", 10),
        entry_of("legacy-igakuqa-ja/alpaca_ja", 30),
        entry_of("legacy-igakuqa-ja/medpalm_five_choice_cot_ja", 20),
        entry_of("legacy-igakuqa-en/alpaca", 5),
    ]
    japanese, english = prompt_tables(entries, seed=0, n_draws=500)
    assert (japanese.questions, japanese.language, japanese.n_items) == ("igakuqa", "ja", 50)
    assert [cell.accuracy.value for cell in japanese.cells] == pytest.approx([0.2, 0.6, 0.4])
    assert [cell.exact_match.value for cell in japanese.cells] == pytest.approx([0.1, 0.3, 0.2])
    assert (japanese.best, japanese.worst) == ("alpaca_ja", "alpaca")
    assert japanese.spread.value == pytest.approx(0.4)
    assert japanese.mean.value == pytest.approx(0.4)
    assert 0.2 < japanese.spread.low < 0.4 < japanese.spread.high
    assert english.spread.value == 0


def test_other_systems_sets_orders_and_methods_do_not_share_a_table():
    entries = [
        entry_of("legacy-igakuqa-ja/alpaca", 10),
        entry_of("legacy-igakuqa-ja/alpaca", 10, system="別のモデル"),
        entry_of("legacy-mmlu-en/alpaca", 10),
        entry_of("legacy-igakuqa-ja/alpaca@shuffle-1", 10),
    ]
    places = [(t.system, t.questions) for t in prompt_tables(entries, seed=0, n_draws=20)]
    assert places == [
        ("小さなモデル", "igakuqa"),
        ("別のモデル", "igakuqa"),
        ("小さなモデル", "mmlu"),
        ("小さなモデル", "igakuqa@shuffle-1"),
    ]
    loaded = LoadedBenchmark(describe_benchmark("jmmlu/medical"), ITEMS, hash_items(ITEMS), False)
    pairs = [(one, Answer("jmmlu/medical", one.id, "generation", "", "A")) for one in ITEMS]
    assert prompt_tables([score_entry("x", loaded, "generation", pairs)], seed=0, n_draws=9) == ()


def test_a_table_is_csv_and_markdown_whatever_its_label():
    tables = prompt_tables(
        [entry_of("legacy-igakuqa-ja/alpaca", 10, system='=1+1 | "x"\ny')], seed=0, n_draws=50
    )
    (row,) = csv.DictReader(io.StringIO(to_csv(tables)))
    assert row["system"] == '\'=1+1 | "x"\ny'
    assert float(row["gestalt_accuracy"]) == pytest.approx(0.2)
    assert float(row["low"]) <= 0.2 <= float(row["high"])
    lines = to_markdown(tables).splitlines()
    assert lines[0].startswith('=1+1 \\| "x" y, igakuqa, ja, n = 50')
    assert sum(line.startswith("|") for line in lines) == 5


def test_what_did_not_fit_is_wrong_though_silence_scores_there():
    name = "legacy-igakuqa-ja/alpaca"
    loaded = LoadedBenchmark(describe_benchmark(name), ITEMS, hash_items(ITEMS), False)
    silent = [(one, Answer(name, one.id, "official", "")) for one in ITEMS]
    unasked = [(one, Answer(name, one.id, "official", "", is_too_long=True)) for one in ITEMS]
    tables = [
        prompt_tables([score_entry("x", loaded, "official", pairs)], seed=0, n_draws=9)[0]
        for pairs in (silent, unasked)
    ]
    assert [table.cells[0].accuracy.value for table in tables] == [0.2, 0.0]
    assert [table.cells[0].n_too_long for table in tables] == [0, 50]
