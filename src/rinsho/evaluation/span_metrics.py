"""Metrics of spans: exact F1 over label and borders, with and without certainty, by label."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from rinsho.evaluation.bootstrap import Floats, Metric, ratio
from rinsho.text.spans import FIRST_LABELS, LABELS, STATED, Span, sort_spans


@dataclass(frozen=True, slots=True)
class SpanRow:
    """One text: its gold spans and the predicted ones."""

    gold: tuple[Span, ...]
    prediction: tuple[Span, ...]


def span_metrics(rows: Sequence[SpanRow]) -> tuple[Metric, ...]:
    """Return micro F1 (borders and label; with certainty), precision, recall, and F1 by label.

    A span counts where start, end and label are equal; `f1_with_certainty` asks for the same
    certainty too.
    """
    without = _count(rows, _without_certainty)
    with_certainty = _count(rows, lambda span: span)
    marked = {*FIRST_LABELS, *(span.label for row in rows for span in row.gold)}
    labels = [label for label in LABELS if label in marked]
    by_label = tuple(_f1(f"f1_{label}", _count(rows, _only(label))) for label in labels)
    return (
        _f1("f1", without),
        _f1("f1_with_certainty", with_certainty),
        Metric("precision", without, lambda s_DK: ratio(s_DK[:, 0], s_DK[:, 1])),
        Metric("recall", without, lambda s_DK: ratio(s_DK[:, 0], s_DK[:, 2])),
        *by_label,
    )


def as_annotated(spans: Iterable[Span], gold: Iterable[Span]) -> tuple[Span, ...]:
    """Return predictions in the terms of a gold set, which may be of the first guideline.

    Gold without procedures or times says nothing about them: they are not counted. Gold without
    "family" and "past" calls both present.

    Args:
        spans: Predictions about one text.
        gold: The spans of the whole set.
    """
    known = list(gold)
    labels = {*FIRST_LABELS, *(span.label for span in known)}
    certainties = {span.certainty for span in known}
    found = (span for span in spans if span.label in labels)
    if certainties.isdisjoint(STATED[1:]):
        found = (_stated(span) for span in found)
    return sort_spans(found)


def _stated(span: Span) -> Span:
    return dataclasses.replace(span, certainty="present") if span.certainty in STATED else span


def _without_certainty(span: Span) -> tuple[int, int, str]:
    return (span.start, span.end, span.label)


def _only(label: str) -> Callable[[Span], Hashable | None]:
    return lambda span: _without_certainty(span) if span.label == label else None


def _count(rows: Sequence[SpanRow], key: Callable[[Span], Hashable | None]) -> Floats:
    """Return right, predicted and gold spans of each row; a key of None is not counted."""
    counts: list[tuple[int, int, int]] = []
    for row in rows:
        gold = {key(span) for span in row.gold} - {None}
        predicted = {key(span) for span in row.prediction} - {None}
        counts.append((len(gold & predicted), len(predicted), len(gold)))
    return np.array(counts, dtype=np.float64).reshape(-1, 3)


def _f1(name: str, counts_RK: Floats) -> Metric:
    return Metric(name, counts_RK, lambda s_DK: ratio(2 * s_DK[:, 0], s_DK[:, 1] + s_DK[:, 2]))
