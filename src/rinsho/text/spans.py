"""Spans: labelled parts of a text, half-open, in Unicode code points; and relations between two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

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


@dataclass(frozen=True, slots=True, order=True)
class Relation:
    """What a text says about two of its mentions: the head `caused` the tail."""

    kind: str
    head: Span
    tail: Span


def sort_spans(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return spans in reading order, each once."""
    return tuple(sorted(set(spans)))


def relations_to_json(
    relations: Iterable[Relation], spans: Sequence[Span]
) -> list[dict[str, str | int]]:
    """Return the JSON form of relations: head and tail by their places among the spans."""
    place = {span: number for number, span in enumerate(spans)}
    return [{"kind": r.kind, "head": place[r.head], "tail": place[r.tail]} for r in relations]


def relations_from_json(
    rows: Iterable[Mapping[str, Any]], spans: Sequence[Span]
) -> tuple[Relation, ...]:
    """Return relations of their JSON form, each once.

    Raises:
        KeyError, TypeError, ValueError: Another form, or a place that no span has.
    """
    found: set[Relation] = set()
    for row in rows:
        head, tail = int(row["head"]), int(row["tail"])
        if not (0 <= head < len(spans) and 0 <= tail < len(spans)):
            raise ValueError("a place that no span has")
        found.add(Relation(str(row["kind"]), spans[head], spans[tail]))
    return tuple(sorted(found))
