"""Consistency over orders: what a letter-lover loses, and what a content-lover keeps."""

from __future__ import annotations

import random

import pytest

from rinsho.evaluation.answer_record import Answer
from rinsho.evaluation.benchmark import Item, hash_items
from rinsho.evaluation.catalogue import LoadedBenchmark, describe_benchmark
from rinsho.evaluation.orders import fold_orders, summarize_orders
from rinsho.evaluation.scoring import ScoredEntry, score_entry
from rinsho.evaluation.variants import SHUFFLES, shuffle

ORGANS = ("食道閉鎖", "心室中隔欠損", "腎低形成", "鎖肛", "胎児水腫")
N_ITEMS = 60


def items_of(n_items: int = N_ITEMS) -> tuple[Item, ...]:
    return tuple(
        Item(f"x/{n}", "choice", f"症例{n}。どれか。", ORGANS, ("ABCDE"[n % 5],), document=f"d{n}")
        for n in range(n_items)
    )


def entries_of(says, n_items: int = N_ITEMS, left_out: str = "") -> list[ScoredEntry]:
    """One entry for each order; `says` makes an output of an item as it is shown."""
    entries = list[ScoredEntry]()
    for number, variant in enumerate(("", *SHUFFLES)):
        name = "jmmlu/medical" + (f"@{variant}" if variant else "")
        items = tuple(shuffle(item, number) for item in items_of(n_items))
        shown = tuple(item for item in items if not number or item.id != left_out)
        loaded = LoadedBenchmark(describe_benchmark(name), shown, hash_items(shown), False)
        pairs = [(one, Answer(name, one.id, "generation", "", says(one))) for one in shown]
        entries.append(score_entry("x", loaded, "generation", pairs))
    return entries


def figures(entries: list[ScoredEntry]) -> dict[str, float]:
    (entry,) = fold_orders(entries)
    return {metric.name: metric.value for metric in entry.corrected}


def test_who_knows_the_content_is_consistent_and_right_in_every_order():
    found = figures(entries_of(lambda item: item.gold[0]))
    assert found["shuffle_consistency"] == found["accuracy_over_orders"] == 1.0


def test_who_always_says_one_letter_is_not():
    (entry,) = fold_orders(entries_of(lambda item: "A"))
    found = {metric.name: metric.value for metric in entry.corrected}
    assert found["accuracy"] == 0.2
    assert found["shuffle_consistency"] < 0.05
    orders = summarize_orders(entry, seed=0, n_draws=50)
    assert orders is not None
    assert [one.order for one in orders.orders] == [0, 1, 2, 3, 4]
    assert all(one.chosen == {"A": N_ITEMS} for one in orders.orders)
    mean = sum(one.accuracy.value for one in orders.orders) / 5
    assert found["accuracy_over_orders"] == pytest.approx(mean)
    assert orders.lowest_accuracy <= mean <= orders.highest_accuracy


def test_a_wrong_but_steady_choice_is_consistent():
    found = figures(entries_of(lambda item: item.letters[item.choices.index("鎖肛")]))
    assert found["shuffle_consistency"] == 1.0
    assert found["accuracy_over_orders"] == 0.2


def test_an_answer_that_cannot_be_read_is_never_consistent():
    assert figures(entries_of(lambda item: "わかりません"))["shuffle_consistency"] == 0.0


def test_items_that_one_order_lacks_are_left_out():
    entries = entries_of(lambda item: item.gold[0], left_out="x/3")
    (entry,) = fold_orders(entries)
    orders = summarize_orders(entry, seed=0, n_draws=50)
    assert orders is not None
    assert orders.n_items == N_ITEMS - 1
    assert len(entry.rows) == N_ITEMS


def test_orders_without_that_of_the_file_stay_entries_of_their_own():
    draw = random.Random(0)
    entries = entries_of(lambda item: draw.choice(item.letters))
    assert [one.loaded.name for one in fold_orders(entries[1:])] == [
        f"jmmlu/medical@{variant}" for variant in SHUFFLES
    ]
    assert summarize_orders(entries[0], seed=0, n_draws=10) is None
