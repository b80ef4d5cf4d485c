"""Annotated texts for what relates mentions: one example a pair, its mentions marked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

from rinsho.text.relations import NO_RELATION, candidate_pairs, mark_pair
from rinsho.text.spans import Relation, Span
from rinsho.training.examples import Example

RELATION_TASK = "relation"


def pair_examples(examples: Iterable[Example]) -> Iterator[Example]:
    """Yield an example for each pair of mentions that may be related, in the split of its text.

    Its class is the kind of the relation, or "none". A text whose relations nobody marked is
    passed on without an answer, so that it is counted as one.
    """
    for example in examples:
        tasks = [task for task, kind in example.answers if kind == "relations"]
        if not tasks:
            yield Example(example.id, example.text, None, example.split)
        for task in tasks:
            related = cast(tuple[Relation, ...], example.answers[task, "relations"])
            spans = cast(tuple[Span, ...], example.answers[task, "spans"])
            kinds = {(one.head, one.tail): one.kind for one in related}
            for number, pair in enumerate(candidate_pairs(spans)):
                answer = kinds.get(pair, NO_RELATION)
                marked = mark_pair(example.text, pair)
                yield Example(
                    f"{example.id}/{number}",
                    marked,
                    None,
                    example.split,
                    {(RELATION_TASK, "label"): answer},
                )
