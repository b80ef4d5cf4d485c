"""BIO tags over (label, certainty) pairs: spans to tags of tokens, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rinsho.text.sentences import split_sentences
from rinsho.text.spans import Span

if TYPE_CHECKING:
    from torch import Tensor

Offsets = Sequence[tuple[int, int]]  # of each token, in code points of the text

OUTSIDE = 0

# No span begins or ends with these, but tokens do (" BP", "%。"): its borders leave them out.
_NEVER_AT_A_BORDER = "、。,，．　"


@dataclass(frozen=True, slots=True)
class Tagged:
    """The tags of a text, and how well the spans fit its tokens."""

    tags: tuple[int, ...]
    n_misaligned: int  # spans with a border inside a token, so that tags give another span
    n_lost: int  # spans without a token of their own; they have no tag


@dataclass(frozen=True, slots=True)
class TagSet:
    """The tags of a tagger: 0 is outside, then begin and inside of each pair.

    >>> TagSet((("disease", "present"), ("drug", "present"))).n_tags
    5
    """

    pairs: tuple[tuple[str, str], ...]  # (label, certainty), sorted

    @property
    def n_tags(self) -> int:
        """Return the number of tags."""
        return 1 + 2 * len(self.pairs)

    def allowed(self) -> tuple[Tensor, Tensor]:
        """Return which tag may follow which, bool (C, C), and which may start a row, bool (C,).

        Inside of a pair follows only begin or inside of the same pair.
        """
        import torch

        follow = torch.ones(self.n_tags, self.n_tags, dtype=torch.bool)
        start = torch.ones(self.n_tags, dtype=torch.bool)
        for begin in range(1, self.n_tags, 2):
            follow[:, begin + 1] = False
            follow[begin : begin + 2, begin + 1] = True
            start[begin + 1] = False
        return follow, start

    def to_tags(self, spans: Iterable[Span], offsets: Offsets, text: str) -> Tagged:
        """Tag each token that a span touches; where two spans touch one token, the earlier has it.

        Raises:
            ValueError: A span's pair is not of this set.
        """
        tags = [OUTSIDE] * len(offsets)
        n_misaligned, n_lost, token = 0, 0, 0
        for span in sorted(spans):
            while token < len(offsets) and offsets[token][1] <= span.start:
                token += 1
            touched = _touched(offsets, token, span)
            free = [t for t in touched if tags[t] == OUTSIDE]
            begin = 1 + 2 * self.pairs.index((span.label, span.certainty))
            for place, t in enumerate(free):
                tags[t] = begin if place == 0 else begin + 1
            n_lost += not free
            n_misaligned += not touched or span != _trimmed(
                Span(offsets[touched[0]][0], offsets[touched[-1]][1], span.label, span.certainty),
                text,
            )
        return Tagged(tuple(tags), n_misaligned, n_lost)

    def to_spans(self, tags: Sequence[int], offsets: Offsets, text: str) -> list[Span]:
        """Return the spans of a row of tags, without blanks and full stops at their borders."""
        spans: list[Span] = []
        for token, tag in enumerate(tags):
            if tag == OUTSIDE:
                continue
            pair, is_inside = self.pairs[(tag - 1) // 2], tag % 2 == 0
            start, end = offsets[token]
            if is_inside and token and (tags[token - 1] - 1) // 2 == (tag - 1) // 2:
                spans[-1] = Span(spans[-1].start, end, *pair)
            else:
                spans.append(Span(start, end, *pair))
        return [span for s in spans if (span := _trimmed(s, text)).start < span.end]


def _touched(offsets: Offsets, first: int, span: Span) -> list[int]:
    touched: list[int] = []
    for token in range(first, len(offsets)):
        if offsets[token][0] >= span.end:
            break
        touched.append(token)
    return touched


def _trimmed(span: Span, text: str) -> Span:
    start, end = span.start, span.end
    while start < end and _is_border(text[start]):
        start += 1
    while start < end and _is_border(text[end - 1]):
        end -= 1
    return Span(start, end, span.label, span.certainty)


def _is_border(character: str) -> bool:
    return character.isspace() or character in _NEVER_AT_A_BORDER


def blocks(text: str, max_characters: int) -> list[tuple[int, int]]:
    """Cut a text into blocks that end with a line; in a longer line, with a 。 or anywhere.

    >>> blocks("発熱\\n咳\\n痰", 5)
    [(0, 5), (5, 6)]
    """
    cuts: list[tuple[int, int]] = []
    start = 0
    while len(text) - start > max_characters:
        ends = (text.rfind(sign, start, start + max_characters) + 1 for sign in "\n。")
        end = next((end for end in ends if end > start), start + max_characters)
        cuts.append((start, end))
        start = end
    return [*cuts, (start, len(text))] if start < len(text) else cuts


def windows(text: str, offsets: Offsets, max_tokens: int) -> list[tuple[int, int]]:
    """Cut the tokens of a text into windows: behind a line, else a sentence, else anywhere.

    No character is cut, though its bytes may be several tokens.
    """
    sentence_starts: set[int] | None = None
    cuts: list[tuple[int, int]] = []
    first = 0
    while len(offsets) - first > max_tokens:
        if sentence_starts is None:
            sentence_starts = {start for start, _ in split_sentences(text)}
        last = _cut(text, offsets, range(first + max_tokens, first, -1), sentence_starts)
        cuts.append((first, last))
        first = last
    return [*cuts, (first, len(offsets))] if first < len(offsets) else cuts


def _cut(text: str, offsets: Offsets, candidates: range, sentence_starts: set[int]) -> int:
    whole = [i for i in candidates if offsets[i][0] >= offsets[i - 1][1]]
    for i in whole:
        if text[offsets[i][0] - 1] == "\n":
            return i
    for i in whole:
        if offsets[i][0] in sentence_starts:
            return i
    return whole[0] if whole else candidates[0]
