"""Relations are matched one to one, by the borders of their mentions or by touching."""

from __future__ import annotations

from rinsho.evaluation.relation_metrics import RelationRow, relation_metrics
from rinsho.text.spans import Relation, Span

A, B = Span(0, 4, "drug"), Span(6, 8, "drug")
X, Y = Span(10, 14, "symptom"), Span(16, 18, "disease")


def figures(gold: list[Relation], said: list[Relation], *, is_exact: bool) -> list[float]:
    rows = [RelationRow(tuple(gold), tuple(said)), RelationRow((), ())]
    return [round(metric.value, 3) for metric in relation_metrics(rows, is_exact=is_exact)]


def test_counts_are_those_of_a_worked_example() -> None:
    gold = [Relation("caused", A, X), Relation("caused", A, Y), Relation("caused", B, Y)]
    said = [Relation("caused", A, X), Relation("caused", B, X)]
    assert figures(gold, said, is_exact=True) == [0.4, 0.5, 0.333]


def test_the_kind_counts_and_the_labels_of_mentions_do_not() -> None:
    gold = [Relation("caused", A, X)]
    relabelled = Span(X.start, X.end, "disorder")
    assert figures(gold, [Relation("caused", A, relabelled)], is_exact=True) == [1, 1, 1]
    assert figures(gold, [Relation("treats", A, X)], is_exact=True) == [0, 0, 0]


def test_a_touching_prediction_stands_for_one_gold_relation_alone() -> None:
    parts = [Span(10, 12, "symptom"), Span(12, 14, "symptom")]
    gold = [Relation("caused", A, part) for part in parts]
    said = [Relation("caused", A, X)]
    assert figures(gold, said, is_exact=True) == [0, 0, 0]
    assert figures(gold, said, is_exact=False) == [0.667, 1, 0.5]
