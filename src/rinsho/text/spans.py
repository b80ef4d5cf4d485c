"""Spans: labelled parts of a text, half-open, in Unicode code points."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

Label = Literal[
    "disease", "symptom", "drug", "dose", "test", "value", "body_part", "procedure", "time"
]
Certainty = Literal["present", "negated", "suspected", "family", "past"]

LABELS: tuple[Label, ...] = get_args(Label)
CERTAINTIES: tuple[Certainty, ...] = get_args(Certainty)
# What the first annotation guideline knew: gold and taggers of it have no procedures and times, and
# say "present" of what a relative has or the patient had.
FIRST_LABELS = LABELS[:7]
STATED: tuple[Certainty, ...] = ("present", "family", "past")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A mention: `text[start:end]`, what it is, and who has it: the patient now, or not."""

    start: int
    end: int
    label: str
    certainty: str = "present"


def sort_spans(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return spans in reading order, each once."""
    return tuple(sorted(set(spans)))
