"""What another order of the options changes: the same choice in every order, accuracy in each.

An entry of `NAME` takes in those of `NAME@shuffle-1` and so on, of the same system and method. Its
own scores stay those of the order in the file; items that cannot be shuffled, or that the
examiners took out, are left out of what stands here.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rinsho.evaluation.bootstrap import Estimate, Floats, Metric, estimate, mean, ratio
from rinsho.evaluation.marking import ScoredRow
from rinsho.evaluation.scoring import ScoredEntry
from rinsho.evaluation.variants import letters_in_file, split_name


@dataclass(frozen=True, slots=True)
class OrderSummary:
    """The answers in one order."""

    order: int  # 0: the order of the file
    accuracy: Estimate
    n_invalid: int
    chosen: Mapping[str, int]  # how often each letter was chosen, as it was shown
    gold: Mapping[str, int]  # and how often it was right


@dataclass(frozen=True, slots=True)
class Orders:
    """A benchmark asked in several orders."""

    n_items: int
    lowest_accuracy: float
    highest_accuracy: float
    orders: tuple[OrderSummary, ...]


def fold_orders(entries: Sequence[ScoredEntry]) -> list[ScoredEntry]:
    """Return entries of which those in other orders stand within the entry of the file's order.

    Answers to a published prompt stay entries of their own: their publishers report them so.
    """
    shuffled: dict[tuple[str, str, str], list[ScoredEntry]] = collections.defaultdict(list)
    for entry in entries:
        base, variant = split_name(entry.loaded.name)
        if variant.startswith("shuffle-") and entry.method != "official":
            shuffled[entry.system, base, entry.method].append(entry)
    asked = {(entry.system, entry.loaded.name, entry.method) for entry in entries}
    within = {id(one) for key, ones in shuffled.items() if key in asked for one in ones}
    return [
        _with_orders(entry, shuffled.get((entry.system, entry.loaded.name, entry.method), []))
        for entry in entries
        if id(entry) not in within
    ]


def _with_orders(entry: ScoredEntry, shuffled: Sequence[ScoredEntry]) -> ScoredEntry:
    if not shuffled:
        return entry
    in_order = tuple(sorted(shuffled, key=lambda one: one.loaded.name))
    taken = dataclasses.replace(entry, orders=in_order)
    if not _common_items(taken):
        return taken
    return dataclasses.replace(taken, corrected=(*entry.corrected, *_metrics(taken)))


def _common_items(entry: ScoredEntry) -> set[str]:
    """Return the items that were asked in every order and count."""
    asked = [{row.item.id for row in one.rows} for one in (entry, *entry.orders)]
    counted = {row.item.id for row in entry.rows if not row.item.excluded}
    return counted.intersection(*asked)


def number_of(entry: ScoredEntry) -> int:
    """Return the number of an entry's order; 0 is the file's."""
    _, variant = split_name(entry.loaded.name)
    return int(variant.removeprefix("shuffle-")) if variant.startswith("shuffle-") else 0


def _metrics(entry: ScoredEntry) -> tuple[Metric, ...]:
    """Return the share of items with one choice in every order, and the mean accuracy."""
    common = _common_items(entry)
    by_order = [
        (number_of(one), {row.item.id: row for row in one.rows}) for one in (entry, *entry.orders)
    ]
    counts_RK = np.zeros((len(entry.rows), 3))
    for place, row in enumerate(entry.rows):
        if row.item.id in common:
            shown = [(number, rows[row.item.id]) for number, rows in by_order]
            chosen = {_content(row, number, one) for number, one in shown}
            share = np.mean([bool(one.is_right) for _, one in shown])
            counts_RK[place] = (1, len(chosen) == 1 and None not in chosen, share)

    def over(name: str, column: int) -> Metric:
        def statistic(sums_DK: Floats) -> Floats:
            return ratio(sums_DK[:, column], sums_DK[:, 0])

        return Metric(name, counts_RK, statistic)

    return over("shuffle_consistency", 1), over("accuracy_over_orders", 2)


def _content(row: ScoredRow, number: int, shown: ScoredRow) -> tuple[str, ...] | None:
    """Return what was chosen, as letters of the file's order; None for an invalid answer."""
    if not shown.prediction:
        return None
    return letters_in_file(row.item, number, shown.prediction)


def summarize_orders(entry: ScoredEntry, *, seed: int, n_draws: int) -> Orders | None:
    """Return the figures of each order on the items that all of them hold; None without orders."""
    common = _common_items(entry) if entry.orders else set[str]()
    if not common:
        return None
    orders = [
        _summarize(
            number_of(one), [row for row in one.rows if row.item.id in common], seed, n_draws
        )
        for one in (entry, *entry.orders)
    ]
    accuracies = [one.accuracy.value for one in orders]
    return Orders(len(common), min(accuracies), max(accuracies), tuple(orders))


def _summarize(number: int, rows: Sequence[ScoredRow], seed: int, n_draws: int) -> OrderSummary:
    accuracy = mean("accuracy", [bool(row.is_right) for row in rows])
    documents = [row.item.document for row in rows]
    chosen = collections.Counter(letter for row in rows for letter in row.prediction)
    gold = collections.Counter(letter for row in rows for letter in row.item.gold)
    return OrderSummary(
        order=number,
        accuracy=estimate(accuracy, documents, seed=seed, n_draws=n_draws),
        n_invalid=sum(not row.prediction for row in rows),
        chosen=dict(sorted(chosen.items())),
        gold=dict(sorted(gold.items())),
    )
