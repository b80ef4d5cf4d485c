"""Metrics of relations: precision, recall and F1 of pairs of mentions, matched one to one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rinsho.evaluation.bootstrap import Metric, ratio
from rinsho.evaluation.entity_metrics import max_matching
from rinsho.text.spans import Relation, Span


@dataclass(frozen=True, slots=True)
class RelationRow:
    """One text: its gold relations and the predicted ones."""

    gold: tuple[Relation, ...]
    prediction: tuple[Relation, ...]


def relation_metrics(rows: Sequence[RelationRow], *, is_exact: bool) -> tuple[Metric, ...]:
    """Return F1, precision and recall over all texts; a prediction stands for one gold relation.

    Args:
        rows: Texts.
        is_exact: Whether both mentions need the borders of the gold ones, or only touch them;
            either way the kind has to be the same, and the labels of the mentions do not count.
    """
    counts = [(_n_right(row, is_exact), len(row.prediction), len(row.gold)) for row in rows]
    table_RK = np.array(counts, dtype=np.float64).reshape(-1, 3)
    return (
        Metric("f1", table_RK, lambda s_DK: ratio(2 * s_DK[:, 0], s_DK[:, 1] + s_DK[:, 2])),
        Metric("precision", table_RK, lambda s_DK: ratio(s_DK[:, 0], s_DK[:, 1])),
        Metric("recall", table_RK, lambda s_DK: ratio(s_DK[:, 0], s_DK[:, 2])),
    )


def _n_right(row: RelationRow, is_exact: bool) -> int:
    agrees = _is_same if is_exact else _touches
    return max_matching(
        [
            [
                place
                for place, said in enumerate(row.prediction)
                if said.kind == gold.kind
                and agrees(said.head, gold.head)
                and agrees(said.tail, gold.tail)
            ]
            for gold in row.gold
        ]
    )


def _is_same(first: Span, second: Span) -> bool:
    return (first.start, first.end) == (second.start, second.end)


def _touches(first: Span, second: Span) -> bool:
    return first.start < second.end and second.start < first.end
