"""Annotated texts for what marks spans: by split, by task, and span F1 on held-out ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast

from rinsho.console import say
from rinsho.corpus.sample import sample_key
from rinsho.text.spans import Span
from rinsho.training.examples import Example


@dataclass(slots=True)
class Notes:
    """The annotated texts of the two splits that training uses."""

    train: list[Example] = field(default_factory=list[Example])
    validation: list[Example] = field(default_factory=list[Example])
    n_skipped: Counter[str] = field(default_factory=Counter[str])  # by reason


def sort_notes(examples: Iterable[Example], max_documents: int | None = None) -> Notes:
    """Sort examples by split; those without an answer and the test split are skipped, counted.

    Args:
        examples: Of every split.
        max_documents: Of the training split, chosen by a hash of their ids.
    """
    notes = Notes()
    for example in examples:
        if not example.answers:
            notes.n_skipped["not annotated"] += 1
        elif example.split == "test":
            notes.n_skipped["test split"] += 1
        else:
            (notes.train if example.split == "train" else notes.validation).append(example)
    if max_documents is not None and len(notes.train) > max_documents:
        notes.n_skipped["max_documents"] = len(notes.train) - max_documents
        notes.train = sorted(notes.train, key=sample_key)[:max_documents]
    return notes


def count_unused(notes: Notes, *, is_tagging: bool) -> dict[str, int]:
    """Count and tell the answers of a kind that the head does not learn; {} without any."""
    kinds = [kind for example in notes.train for _, kind in example.answers]
    n_unused = sum((kind == "spans") != is_tagging for kind in kinds)
    if not n_unused:
        return {}
    form = "tagging" if is_tagging else "pooled, pair"
    say(
        f"学習用の回答 {n_unused} 件は、この形式（{form}）では学習しません",
        f"{n_unused} training answers are of a kind that this form ({form}) does not learn",
    )
    return {"n_unused_answers": n_unused}


def spans_of(example: Example) -> dict[str, tuple[Span, ...]]:
    """Return the gold spans of an example by task; a task that did not look at it is not there."""
    return {
        task: cast(tuple[Span, ...], answer)
        for (task, kind), answer in example.answers.items()
        if kind == "spans"
    }


def span_f1(gold: Sequence[Iterable[Span]], found: Sequence[Iterable[Span]]) -> float:
    """Return micro F1 over documents: a span is right if borders, label and certainty are.

    >>> span_f1([[Span(0, 2, "drug"), Span(3, 4, "dose")]], [[Span(0, 2, "drug")]])
    0.6666666666666666
    """
    n_right = sum(len(set(a) & set(b)) for a, b in zip(gold, found, strict=True))
    n_both = sum(len(set(spans)) for spans in (*gold, *found))
    return 2 * n_right / n_both if n_both else 1.0
