"""Span F1 on spans counted by hand."""

import pytest

from rinsho.evaluation.span_metrics import SpanRow, span_metrics
from rinsho.text.spans import Span

GOLD = (
    Span(0, 2, "symptom"),
    Span(3, 5, "symptom", "negated"),
    Span(6, 9, "drug"),
    Span(10, 12, "disease", "suspected"),
)


def values(rows):
    return {metric.name: metric.value for metric in span_metrics(rows)}


def test_gold_against_itself_is_one():
    found = values([SpanRow(GOLD, GOLD)])
    assert found["f1"] == found["f1_with_certainty"] == found["f1_drug"] == 1.0


def test_spans_count_only_with_equal_borders_and_label():
    prediction = (
        Span(0, 2, "symptom"),  # right
        Span(3, 5, "symptom", "present"),  # right but for its certainty
        Span(6, 8, "drug"),  # a border too far left
        Span(10, 12, "symptom", "suspected"),  # another label
        Span(20, 22, "test"),
    )
    found = values([SpanRow(GOLD, prediction)])
    assert found["precision"] == pytest.approx(2 / 5)
    assert found["recall"] == pytest.approx(2 / 4)
    assert found["f1"] == pytest.approx(2 * 2 / (5 + 4))
    assert found["f1_with_certainty"] == pytest.approx(2 * 1 / (5 + 4))
    assert found["f1_symptom"] == pytest.approx(2 * 2 / (3 + 2))
    assert found["f1_disease"] == 0


def test_figures_add_spans_up_over_texts():
    rows = [SpanRow(GOLD[:1], GOLD[:1]), SpanRow(GOLD, ())]
    assert values(rows)["f1"] == pytest.approx(2 * 1 / (1 + 5))


def test_span_f1_ignores_the_order_of_spans():
    assert values([SpanRow(GOLD, GOLD[::-1])])["f1"] == 1.0
