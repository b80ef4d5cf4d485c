"""Windows: the tokens of a text of any length, in pieces that fit the context and overlap."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rinsho.model.tags import blocks, windows
from rinsho.text.spans import Span

if TYPE_CHECKING:
    from rinsho.tokenizer.tokenizer import Tokenizer

N_OVERLAP = 32  # tokens that a window sees beyond each end of what it answers for, at most
_MAX_BLOCK = 8_192  # characters that are tokenized at once
_TOKENS_PER_BATCH = 4_096


@dataclass(frozen=True, slots=True)
class Window:
    """Tokens of a text that go through the model at once; `core` is what they answer for.

    The cores of a text's windows follow one another without a gap; what stands around a core is
    context, and belongs to the cores of its neighbours.
    """

    tokens: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]  # of each token, in code points of the whole text
    core: tuple[int, int]  # half-open, in code points
    n_before: int = 0  # tokens of context in front of the core
    n_core: int = 0  # tokens of the core

    def answers_for(self, span: Span) -> bool:
        """Say whether a span touches the core."""
        return span.start < self.core[1] and self.core[0] < span.end

    def margin(self, span: Span) -> int:
        """Return how many code points of context a span has on its poorer side."""
        return min(span.start - self.offsets[0][0], self.offsets[-1][1] - span.end)


def windows_of(tokenizer: Tokenizer, text: str, max_tokens: int) -> list[Window]:
    """Return the windows of a text; one where it fits, none where it has no token.

    Cores end behind a line, else a sentence, else anywhere but inside a character.
    """
    tokens, offsets = list[int](), list[tuple[int, int]]()
    for start, end in blocks(text, _MAX_BLOCK):
        some, places = tokenizer.encode_with_offsets(text[start:end])
        tokens += some
        offsets += [(start + left, start + right) for left, right in places]
    if len(tokens) <= max_tokens:
        whole = Window(tuple(tokens), tuple(offsets), (0, len(text)), 0, len(tokens))
        return [whole] if tokens else []
    n_around = min(N_OVERLAP, max_tokens // 4)
    found: list[Window] = []
    for first, last in windows(text, offsets, max_tokens - 2 * n_around):
        left, right = max(0, first - n_around), min(len(tokens), last + n_around)
        while left < first and _is_inside_character(offsets, left):
            left += 1
        while right > last and right < len(tokens) and _is_inside_character(offsets, right):
            right -= 1
        core = (offsets[first][0], offsets[last - 1][1])
        inside = tuple(tokens[left:right]), tuple(offsets[left:right])
        found.append(Window(*inside, core, first - left, last - first))
    return found


def _is_inside_character(offsets: Sequence[tuple[int, int]], token: int) -> bool:
    return token > 0 and offsets[token][0] < offsets[token - 1][1]


def join_spans(found: Iterable[tuple[Window, Sequence[Span]]]) -> list[Span]:
    """Return the spans of a text from those of its windows: none twice, none cut.

    A window answers for the spans that touch its core. Where two windows say different things
    about one place, the one that sees more around it is right.
    """
    margins: dict[Span, int] = {}
    for window, spans in found:
        for span in filter(window.answers_for, spans):
            margins[span] = max(window.margin(span), margins.get(span, 0))
    kept: list[Span] = []
    for span in sorted(margins, key=lambda one: (-margins[one], one)):
        place = bisect.bisect(kept, span)
        is_behind_one = place > 0 and kept[place - 1].end > span.start
        if not (is_behind_one or (place < len(kept) and kept[place].start < span.end)):
            kept.insert(place, span)
    return kept


def in_batches(rows: Sequence[tuple[int, Window]]) -> Iterator[Sequence[tuple[int, Window]]]:
    """Yield windows in groups of at most 4,096 tokens; a longer one goes alone."""
    start, size = 0, 0
    for end, (_, window) in enumerate(rows):
        if end > start and size + len(window.tokens) > _TOKENS_PER_BATCH:
            yield rows[start:end]
            start, size = end, 0
        size += len(window.tokens)
    if start < len(rows):
        yield rows[start:]
