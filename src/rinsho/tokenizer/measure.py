"""How good a tokenizer is, on text it was not trained on; counts first, shares from them.

Works for any tokenizer that tells where its tokens lie: ours, a `tokenizer.json`, SentencePiece.
"""

from __future__ import annotations

import itertools
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from rinsho.tokenizer.morphology import Words, cut_alone, lines

Offsets = list[tuple[int, int]]
_CODE_POINTS_AT_ONCE = 256


class Encoder(Protocol):
    """What can be measured; a `Tokenizer` is one."""

    @property
    def vocab_size(self) -> int:
        """Return the number of tokens."""
        ...

    def encode_with_offsets(self, text: str) -> tuple[list[int], Offsets]:
        """Return the ids of a text and where each lies, in code points."""
        ...

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids."""
        ...


@dataclass(slots=True)
class TextCount:
    """What the held-out texts of one group of sources are in tokens."""

    n_documents: int = 0
    n_bytes: int = 0
    n_characters: int = 0
    n_tokens: int = 0
    n_byte_tokens: int = 0  # tokens that are a part of a character
    n_lines: int = 0
    n_lines_same: int = 0  # lines that decode to themselves

    def to_json(self) -> dict[str, Any]:
        """Return counts and shares; a share without anything to divide by is null."""
        return {
            "documents": self.n_documents,
            "bytes": self.n_bytes,
            "characters": self.n_characters,
            "tokens": self.n_tokens,
            "byte_tokens": self.n_byte_tokens,
            "bytes_per_token": ratio(self.n_bytes, self.n_tokens),
            "characters_per_token": ratio(self.n_characters, self.n_tokens),
            "lines": self.n_lines,
            "lines_same": self.n_lines_same,
        }


@dataclass(slots=True)
class CrossingCount:
    """Tokens with a morpheme boundary inside.

    Attributes:
        n_pieces: Tokens that are whole characters; blanks left out.
        n_crossing: Those with a boundary inside.
    """

    n_pieces: int = 0
    n_crossing: int = 0

    def add(self, text: str, offsets: Offsets, words: Iterable[str]) -> None:
        """Compare the tokens of a text with the words that make it up."""
        boundaries = set(itertools.accumulate(len(word) for word in words))
        n_shared = Counter(offsets)
        for start, end in offsets:
            if n_shared[start, end] == 1 and not text[start:end].isspace():
                self.n_pieces += 1
                self.n_crossing += any(at in boundaries for at in range(start + 1, end))

    def to_json(self) -> dict[str, Any]:
        """Return counts and share."""
        share = ratio(self.n_crossing, self.n_pieces)
        return {"pieces": self.n_pieces, "crossing": self.n_crossing, "share": share}


@dataclass(slots=True)
class CodePointCount:
    """Every assigned code point of Unicode.

    Attributes:
        n_same: Those that decode to themselves.
        n_replaced: Those for which another text comes back.
    """

    n_code_points: int = 0
    n_same: int = 0
    n_replaced: int = 0


@dataclass(slots=True)
class Measure:
    """What was counted for one tokenizer."""

    name: str
    kind: str
    vocab_size: int
    groups: dict[str, TextCount] = field(default_factory=dict[str, TextCount])
    crossing: CrossingCount = field(default_factory=CrossingCount)
    gold: CrossingCount | None = None
    code_points: CodePointCount = field(default_factory=CodePointCount)
    term_lengths: Counter[int] = field(default_factory=Counter[int])

    def total(self) -> TextCount:
        """Return the count over all groups."""
        total = TextCount()
        for group in self.groups.values():
            for name in TextCount.__slots__:
                setattr(total, name, getattr(total, name) + getattr(group, name))
        return total

    @property
    def n_terms(self) -> int:
        """Return how many terms were encoded."""
        return self.term_lengths.total()

    def terms_within(self, n_tokens: int) -> int:
        """Return how many terms take at most `n_tokens` tokens."""
        return sum(self.term_lengths[k] for k in range(n_tokens + 1))

    def to_json(self) -> dict[str, Any]:
        """Return all counts and the shares people compare."""
        n_terms = self.n_terms
        return {
            "name": self.name,
            "kind": self.kind,
            "vocab_size": self.vocab_size,
            "total": self.total().to_json(),
            "groups": {name: count.to_json() for name, count in self.groups.items()},
            "crossing": self.crossing.to_json(),
            "gold_crossing": self.gold.to_json() if self.gold else None,
            "terms": n_terms,
            "terms_in_at_most": {str(n): self.terms_within(n) for n in (1, 2, 3)},
            "term_shares": {str(n): ratio(self.terms_within(n), n_terms) for n in (1, 2, 3)},
            "code_points": self.code_points.n_code_points,
            "code_points_same": self.code_points.n_same,
            "code_points_replaced": self.code_points.n_replaced,
        }


def count_texts(
    encoder: Encoder, texts: Iterable[tuple[str, str]], measure: Measure, words: Words
) -> None:
    """Count tokens, round trips and crossed words of held-out texts into `measure`.

    Args:
        encoder: The tokenizer.
        texts: Pairs of group and text.
        measure: What is added to.
        words: The analyser whose boundaries count.
    """
    for group, text in texts:
        count = measure.groups.setdefault(group, TextCount())
        count.n_documents += 1
        count.n_bytes += len(text.encode())
        count.n_characters += len(text)
        count.n_tokens += len(encoder.encode_with_offsets(text)[0])
        for line in lines(text):
            ids, offsets = encoder.encode_with_offsets(line)
            count.n_lines += 1
            count.n_lines_same += encoder.decode(ids) == line
            count.n_byte_tokens += sum(n for n in Counter(offsets).values() if n > 1)
            cut = (part for word in words.words(line) for part in cut_alone(word))
            measure.crossing.add(line, offsets, cut)


def count_gold(encoder: Encoder, sentences: Iterable[Sequence[str]]) -> CrossingCount:
    """Count the tokens that cross the morphemes of an annotated corpus."""
    count = CrossingCount()
    for morphemes in sentences:
        text = "".join(morphemes)
        count.add(text, encoder.encode_with_offsets(text)[1], morphemes)
    return count


def count_terms(encoder: Encoder, terms: Iterable[str]) -> Counter[int]:
    """Return how many terms take how many tokens."""
    return Counter(len(encoder.encode_with_offsets(term)[0]) for term in terms)


def count_code_points(encoder: Encoder) -> CodePointCount:
    """Encode and decode every assigned code point but the surrogates, many in one text.

    A text that does not come back as it was is halved until the characters that do not are alone.
    """
    characters = "".join(assigned_characters())
    starts = range(0, len(characters), _CODE_POINTS_AT_ONCE)
    parts = (characters[start : start + _CODE_POINTS_AT_ONCE] for start in starts)
    n_replaced = sum(_count_replaced(encoder, part) for part in parts)
    count = CodePointCount()
    count.n_code_points, count.n_replaced = len(characters), n_replaced
    count.n_same = len(characters) - n_replaced
    return count


def _count_replaced(encoder: Encoder, characters: str) -> int:
    if encoder.decode(encoder.encode_with_offsets(characters)[0]) == characters:
        return 0
    if len(characters) == 1:
        return 1
    half = len(characters) // 2
    return sum(_count_replaced(encoder, part) for part in (characters[:half], characters[half:]))


def assigned_characters() -> Iterator[str]:
    """Yield every character of Python's Unicode version, private use included."""
    every = map(chr, range(sys.maxunicode + 1))
    return (c for c in every if unicodedata.category(c) not in ("Cn", "Cs"))


def ratio(part: int, whole: int) -> float | None:
    """Return the share in six digits, or None of nothing."""
    return round(part / whole, 6) if whole else None
