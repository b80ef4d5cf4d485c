"""A chat model that marks mentions: asked for each label, held to strings that stand in the text.

Nothing can be made up, and offsets are where a quoted string stands. Certainty is judged by the
rules of `text.certainty` and `text.history`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from rinsho.corpus.document import Message
from rinsho.errors import SequenceTooLong
from rinsho.generation.constraint import quotes
from rinsho.generation.language_model import LanguageModel, Sampling
from rinsho.generation.reply import reply
from rinsho.model.tags import blocks
from rinsho.text.certainty import judge_certainty
from rinsho.text.history import judge_history
from rinsho.text.quantities import without_overlaps
from rinsho.text.spans import FIRST_LABELS, Span

_ASKED = {
    "disease": "病名・異常所見",
    "symptom": "症状・徴候",
    "drug": "薬剤名",
    "dose": "薬剤の用量・用法",
    "test": "検査名",
    "value": "検査の結果の値",
    "body_part": "身体の部位",
}
_REQUEST = (
    "次の文章に書かれている{asked}をすべて、本文の語のまま挙げてください。否定されたものも含めます。"
    "\n\n本文:\n{text}"
)
_BLOCK = 200  # characters that are asked about at once, at most: small models see 512 tokens
_LEAST_BLOCK = 20
_ANSWER_TOKENS = 96
_N_QUOTES = 20  # for a label and a block
_LONGEST = 40  # characters: a longer quote is a clause and no mention
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


class QuotingTagger:
    """A tagger around a chat model; one question for each label and block of whole sentences."""

    tasks = ("",)

    def __init__(self, model: LanguageModel) -> None:
        self._model = model

    def spans(self, text: str) -> tuple[Span, ...]:
        """Return the spans of a text of any length, in reading order."""
        found: list[Span] = []
        for start, end in blocks(text, _BLOCK):
            block = self._spans(text[start:end])
            found += [Span(start + s.start, start + s.end, s.label) for s in block]
        return tuple(judge_history(text, judge_certainty(text, found)))

    def spans_by_task(self, texts: Sequence[str]) -> list[dict[str, tuple[Span, ...]]]:
        """Return the spans of each text, under the one task there is."""
        return [{"": self.spans(text)} for text in texts]

    def _spans(self, block: str) -> list[Span]:
        """Return the spans of a block; one that does not fit the context is halved.

        Raises:
            SequenceTooLong: Not even a few words fit.
        """
        if not block.strip():
            return []
        try:
            found = [s for label in FIRST_LABELS for s in self._of_label(block, label)]
        except SequenceTooLong:
            if len(block) < _LEAST_BLOCK:
                raise
            halves = blocks(block, len(block) // 2)
            found = [
                Span(start + s.start, start + s.end, s.label)
                for start, end in halves
                for s in self._spans(block[start:end])
            ]
        return without_overlaps(found)

    def _of_label(self, block: str, label: str) -> list[Span]:
        request = _REQUEST.format(asked=_ASKED[label], text=block)
        constraint = quotes(block, max_items=_N_QUOTES)
        sampling = Sampling(max_new_tokens=_ANSWER_TOKENS, constraint=constraint)
        pieces = reply(self._model, [Message("user", request)], sampling)
        written = "".join(piece.text for piece in pieces)
        return [
            Span(match.start(), match.end(), label)
            for quote in quoted_strings(written)
            for match in re.finditer(re.escape(quote), block)
        ]


def quoted_strings(written: str) -> list[str]:
    """Return the strings of a JSON list that may be cut off, each once; no clauses, no blanks.

    >>> quoted_strings('["胃癌", "発熱", "胃癌", "咳')
    ['胃癌', '発熱']
    """
    found = [str(json.loads(match[0])).strip() for match in _QUOTED.finditer(written)]
    kept = (one for one in found if one and len(one) <= _LONGEST and "\n" not in one)
    return list(dict.fromkeys(kept))
