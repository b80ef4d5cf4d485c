"""Metrics of entity lists: the official ones of JMED-LLM, and a partial F1 that means it."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rinsho.evaluation.bootstrap import Floats, Metric, mean, ratio


@dataclass(frozen=True, slots=True)
class EntityRow:
    """One row: the text, the gold entities, the predicted ones."""

    document: str
    gold: tuple[str, ...]
    prediction: tuple[str, ...]


def f1(n_right: float, n_predicted: float, n_gold: float) -> float:
    """Return 2 * right / (predicted + gold); 0 where both are empty."""
    total = n_predicted + n_gold
    return 2 * n_right / total if total else 0.0


def official_exact_f1(gold: Sequence[str], prediction: Sequence[str]) -> float:
    """Return the F1 of two sets of strings.

    >>> round(official_exact_f1(["発熱", "咳嗽"], ["発熱", "発熱"]), 6)
    0.666667
    """
    gold_set, predicted = set(gold), set(prediction)
    return f1(len(gold_set & predicted), len(predicted), len(gold_set))


def official_partial_f1(gold: Sequence[str], prediction: Sequence[str]) -> float:
    """Return the board's "partial F1": set membership, above 1 where the list is short.

    For each gold entity the published code adds 1 as soon as it is predicted or *any* predicted
    entity is in gold: 0 where nothing is shared, else 2 * gold / (gold + predicted).

    >>> round(official_partial_f1(["胃癌", "走行異常"], ["胃癌"]), 6)
    1.333333
    """
    gold_set, predicted = set(gold), set(prediction)
    n_counted = sum(
        any(item in predicted or other in gold_set for other in predicted) for item in gold_set
    )
    return f1(n_counted, len(predicted), len(gold_set))


def normalize_entities(entities: Sequence[str]) -> tuple[str, ...]:
    """Return entities as NFKC, stripped, without empty ones and repetitions."""
    folded = (unicodedata.normalize("NFKC", entity).strip() for entity in entities)
    return tuple(dict.fromkeys(entity for entity in folded if entity))


def occurrences(text: str, part: str) -> list[tuple[int, int]]:
    """Return where a part stands in a text, overlapping places too.

    >>> occurrences("あああ", "ああ")
    [(0, 2), (1, 3)]
    """
    found, start = list[tuple[int, int]](), text.find(part)
    while start >= 0:
        found.append((start, start + len(part)))
        start = text.find(part, start + 1)
    return found


def count_matches(document: str, gold: Sequence[str], prediction: Sequence[str]) -> int:
    """Return the size of a maximum one-to-one matching of entities that share a character.

    All three normalized. An entity that does not stand in the document matches nothing.

    Source:
        Augmenting paths: Kuhn 1955, Naval Research Logistics Quarterly 2(1-2).
    """
    places = [occurrences(document, entity) for entity in prediction]
    edges = [
        [
            column
            for column, theirs in enumerate(places)
            if any(max(s, t) < min(e, f) for s, e in ours for t, f in theirs)
        ]
        for ours in (occurrences(document, entity) for entity in gold)
    ]
    return max_matching(edges)


def max_matching(edges: Sequence[Sequence[int]]) -> int:
    """Return the size of a maximum matching; `edges[row]` lists the columns a row may take."""
    row_of: dict[int, int] = {}

    def find_place(row: int, tried: set[int]) -> bool:
        for column in edges[row]:
            if column in tried:
                continue
            tried.add(column)
            if column not in row_of or find_place(row_of[column], tried):
                row_of[column] = row
                return True
        return False

    return sum(find_place(row, set()) for row in range(len(edges)))


def official_metrics(rows: Sequence[EntityRow]) -> tuple[Metric, ...]:
    """Return the board's two figures, means over rows; the first one stands outside brackets."""
    return tuple(
        mean(name, [score(row.gold, row.prediction) for row in rows])
        for name, score in (("partial_f1", official_partial_f1), ("exact_f1", official_exact_f1))
    )


@dataclass(frozen=True, slots=True)
class _Counts:
    n_partial: int
    n_exact: int
    n_predicted: int
    n_gold: int
    n_not_in_text: int


def _count(row: EntityRow) -> _Counts:
    document = unicodedata.normalize("NFKC", row.document).strip()
    gold, prediction = normalize_entities(row.gold), normalize_entities(row.prediction)
    return _Counts(
        n_partial=count_matches(document, gold, prediction),
        n_exact=len({*gold} & {*prediction}),
        n_predicted=len(prediction),
        n_gold=len(gold),
        n_not_in_text=sum(entity not in document for entity in prediction),
    )


def corrected_metrics(rows: Sequence[EntityRow]) -> tuple[Metric, ...]:
    """Return partial and exact F1, means over rows, then micro figures and what is not in the text.

    Partial: 2M / (predicted + gold), M a maximum matching of entities that overlap in the text.
    """
    counts = [_count(row) for row in rows]

    def per_row(name: str, n_right: Callable[[_Counts], int]) -> Metric:
        return mean(name, [f1(n_right(c), c.n_predicted, c.n_gold) for c in counts])

    table_RK = np.array(
        [[c.n_partial, c.n_exact, c.n_predicted, c.n_gold, c.n_not_in_text] for c in counts],
        dtype=np.float64,
    ).reshape(-1, 5)

    def micro(name: str, right: int, over: tuple[int, ...], times: int = 1) -> Metric:
        def statistic(sums_DK: Floats) -> Floats:
            return ratio(times * sums_DK[:, right], sums_DK[:, over].sum(axis=1))

        return Metric(name, table_RK, statistic, is_higher_better=name != "not_in_text")

    return (
        per_row("partial_f1", lambda c: c.n_partial),
        per_row("exact_f1", lambda c: c.n_exact),
        micro("micro_partial_f1", 0, (2, 3), times=2),
        micro("micro_exact_f1", 1, (2, 3), times=2),
        micro("micro_precision", 0, (2,)),
        micro("micro_recall", 0, (3,)),
        micro("not_in_text", 4, (2,)),
    )
