"""A head over texts or pairs as an engine: it judges, and is rendered as the letter of a choice."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rinsho.errors import ModelCannot
from rinsho.evaluation.answer_record import Answer, Method
from rinsho.evaluation.benchmark import Item
from rinsho.evaluation.jmed_llm import document_text
from rinsho.evaluation.prompts import hash_prompt
from rinsho.text.normalize import normalize

if TYPE_CHECKING:
    from rinsho.model.heads import Judgement, Text, TextHeads

_PAIR = re.compile(r"\nS1: (.*)\nS2: (.*)\Z", re.DOTALL)
N_TEXTS_REMEMBERED = 1_024  # a document has several questions, often far from each other
_UNLIKELY = 1e-9  # probability of a choice that the head does not know


class HeadEngine:
    """Answers choices with a trained head; nothing is generated, and no text is read twice."""

    def __init__(self, heads: TextHeads) -> None:
        self._heads = heads
        self._judge = functools.lru_cache(N_TEXTS_REMEMBERED)(self._read)

    def answer(self, benchmark: str, item: Item, method: Method) -> Answer:
        """Answer with the letter of a choice; with none where no choice is a label of the head.

        Raises:
            ModelCannot: No task of the head fits the item, or a pair head is given one text.
        """
        text = text_of(item)
        if text[1] is None and self._heads.form == "pair":
            found = f"a head of form {self._heads.form}"
            raise ModelCannot(where=item.id, found=found, expected="texts of its form")
        place = self._place(benchmark, item)
        judgement = self._judge(text)[place]
        shares = choice_shares(item, judgement)
        best = max(range(len(shares)), key=shares.__getitem__) if any(shares) else None
        return Answer(
            benchmark,
            item.id,
            "head",
            hash_prompt(item),
            output="" if best is None else item.letters[best],
            log_likelihoods=tuple(math.log(max(share, _UNLIKELY)) for share in shares),
            n_prompt_tokens=sum(len(row) for part in self._heads.rows(text) for row in part),
        )

    def _read(self, text: Text) -> list[Judgement]:
        return self._heads.judge([text])[0]

    def _place(self, benchmark: str, item: Item) -> int:
        """Return the task called like the item's tag or the benchmark, or the only one."""
        names = [task.name for task in self._heads.tasks]
        for wanted in (item.tag, benchmark, benchmark.rpartition("/")[2]):
            if wanted in names:
                return names.index(wanted)
        for place, task in enumerate(self._heads.tasks):
            if item.tag and task.kind == "labels" and item.tag in task.labels:
                return place
        if len(names) == 1:
            return 0
        found = f"tasks {', '.join(names)[:80]}"
        raise ModelCannot(where=item.id, found=found, expected=f"a task {item.tag or benchmark}")


def text_of(item: Item) -> Text:
    """Return what a head reads of an item: two sentences, the document, or the whole question.

    A question that names something of its document in 「」 is read whole.
    """
    if pair := _PAIR.search(item.question):
        return normalize(pair.group(1)), normalize(pair.group(2))
    document = document_text(item.question)
    asks_about_a_word = "「" in item.question.partition("\n")[0]
    return normalize(item.question if asks_about_a_word or not document else document), None


def choice_shares(item: Item, judgement: Judgement) -> list[float]:
    """Return how likely each choice is; 0 for one that the head has no label for.

    A label is a choice by its text or its letter. Where the item's tag is itself a label (one of
    several that a text may have), the first choice says that it holds and the second that it does
    not. A number is the nearest of n - 1, ..., 0, the most similar choice first.
    """
    n_choices = len(item.choices)
    if judgement.value is not None:
        nearest = min(max(round(judgement.value), 0), n_choices - 1)
        return [float(place == n_choices - 1 - nearest) for place in range(n_choices)]
    shares = dict(judgement.probabilities)
    if judgement.kind == "labels" and item.tag in shares and n_choices == 2:
        return [shares[item.tag], 1 - shares[item.tag]]
    return [_share(shares, choice, item.letters[n]) for n, choice in enumerate(item.choices)]


def _share(shares: dict[str, float], choice: str, letter: str) -> float:
    names: Sequence[str] = (choice, choice.strip(), normalize(choice).strip(), letter)
    return next((shares[name] for name in names if name in shares), 0.0)
