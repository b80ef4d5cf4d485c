"""Predictions in the terms of a gold set that knows fewer labels and certainties."""

from __future__ import annotations

from rinsho.evaluation.span_metrics import SpanRow, as_annotated, span_metrics
from rinsho.text.spans import Span

FIRST = (Span(0, 2, "disease"), Span(5, 7, "symptom", "negated"))
FOUND = (Span(0, 2, "disease", "family"), Span(3, 5, "time"), Span(5, 7, "symptom", "negated"))


def test_gold_of_the_first_guideline_counts_no_times_and_calls_family_present() -> None:
    assert as_annotated(FOUND, FIRST) == FIRST


def test_gold_that_marks_them_counts_them() -> None:
    gold = (Span(0, 2, "disease", "family"), Span(3, 5, "time"))
    assert as_annotated(FOUND, gold) == FOUND


def test_labels_that_no_gold_has_get_no_figure_of_their_own() -> None:
    names = [metric.name for metric in span_metrics([SpanRow(FIRST, FIRST)])]
    assert "f1_disease" in names
    assert "f1_body_part" in names
    assert not {"f1_time", "f1_procedure"} & set(names)
    with_time = [metric.name for metric in span_metrics([SpanRow(FOUND, FOUND)])]
    assert "f1_time" in with_time
