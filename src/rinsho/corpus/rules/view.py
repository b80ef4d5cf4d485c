"""A text as the rules read it: its code points, their classes, its lines, each computed once."""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rinsho.corpus import kernels
from rinsho.corpus.ngrams import CodePoints, code_points

OTHER, KANA, KANJI, FOREIGN, DIGIT, SEPARATOR, BLANK = range(7)
N_CLASSES = 7
# Between numbers: what tables and lists of values are made of beside digits.
_SEPARATORS = ".,:;/|+-=~<>%()[]{}*#_×±→^−–—―─│┃━"
# Lines of this many characters are prose if they have hiragana; shorter ones are headings,
# list items, table rows or the notes of a ward, which end as they like.
PROSE_LINE_CHARS = 30
COPYING = ("©", "無断", "転載", "複製")
_SURE_ENDS = frozenset("。！？!?♪」』")  # whatever `ends_as_sentence` says, these end one


class Counts(NamedTuple):
    """What the rules count in one text.

    Attributes:
        n_of_class: Characters of each class (`KANA`, `DIGIT`, …).
        n_new: Characters that differ from the one before.
        most_repeats, most_of_one: No more n-grams than these stood in their block before, and no
            n-gram stands in a block more often (see `repetition.py`).
        n_lines, n_different_lines: Lines that are not blank.
        n_open: Characters of the lines that may break off (see `sentences.py`).
        n_copying: Of `COPYING`, which notices about copying have.
    """

    n_of_class: list[int]
    n_new: int
    most_repeats: int
    most_of_one: int
    n_lines: int
    n_different_lines: int
    n_open: int
    n_copying: int


class TextView:
    """One text and what several rules need of it, computed when the first one asks.

    Attributes:
        text: Normalized.
        counts: Of its characters and lines.
    """

    # No cached_property: its lock costs more than most of what would be cached.
    __slots__ = ("_without_runs", "counts", "text")

    def __init__(self, text: str, counts: Counts | None = None) -> None:
        """Take what a `TextRow` counted already."""
        self.text = text
        self.counts = counts or TextRow([text]).counts()[0]
        self._without_runs: CodePoints | None = None

    @property
    def n_written(self) -> int:
        """Characters that are no blanks."""
        return len(self.text) - self.counts.n_of_class[BLANK]

    @property
    def codes(self) -> CodePoints:
        """Code points, shape (len(text),)."""
        return code_points(self.text)

    @property
    def without_runs(self) -> CodePoints:
        """Code points without those that repeat the one before.

        Leaders (……), rulers (----) and indents are no repeated phrases.
        """
        if self._without_runs is None:
            self._without_runs = without_runs(self.codes)
        return self._without_runs

    @property
    def lines(self) -> list[str]:
        """Lines without blanks around them, empty ones too."""
        return lines_of(self.text)


class TextRow:
    """Texts in a row, a NUL after each: what is done to all of them at once costs little for each.

    Attributes:
        texts: As they came, one or more.
        text: All of them.
        codes: Code points of `text`.
        lengths: Characters of each text, shape (n_texts,).
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.text = "\0".join([*texts, ""])
        self.codes = code_points(self.text)
        self.lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))

    def counts(self) -> list[Counts]:
        """Return what the rules count in each text."""
        if not kernels.are_here():
            return list(map(count_by_numpy, self.texts))
        rows = kernels.examine(self.codes, self.lengths, class_table()).tolist()
        return [Counts(row[:N_CLASSES], *row[N_CLASSES:]) for row in rows]


def count_by_numpy(text: str) -> Counts:
    """Return what `kernels.examine` counts, but no bounds of n-grams."""
    codes, lines = code_points(text), lines_of(text)
    # Every code point is in the table: clipping costs nothing, checking bounds does.
    classes = np.bincount(class_table().take(codes, mode="clip"), minlength=N_CLASSES)
    once = set(lines)
    return Counts(
        n_of_class=classes.tolist(),
        n_new=len(without_runs(codes)),
        most_repeats=sys.maxsize,
        most_of_one=sys.maxsize,
        n_lines=len(lines) - lines.count(""),
        n_different_lines=len(once) - ("" in once),
        n_open=n_open(lines),
        n_copying=sum(map(text.count, COPYING)),
    )


def lines_of(text: str) -> list[str]:
    """Return the lines of a text without blanks around them, empty ones too."""
    return [line.strip() for line in text.split("\n")]


def n_open(lines: Sequence[str]) -> int:
    """Return how many characters stand in long lines that may break off.

    Those that go on in the next line, and those that end as sentences do, are none.
    """
    open_lines = [
        number
        for number, line in enumerate(lines)
        if len(line) >= PROSE_LINE_CHARS and line[-1] not in _SURE_ENDS
    ]
    return sum(
        len(lines[number])
        for number in open_lines
        if lines[number][-1] in "…." or number + 1 == len(lines) or not lines[number + 1]
    )


def without_runs(codes: CodePoints) -> CodePoints:
    """Return code points without those that repeat the one before."""
    is_new = np.ones(len(codes), dtype=bool)
    np.not_equal(codes[1:], codes[:-1], out=is_new[1:])
    return codes[is_new]


@functools.cache
def class_table() -> NDArray[np.uint8]:
    """Return the class of every code point, shape (0x110000,)."""
    table = np.full(0x110000, OTHER, dtype=np.uint8)
    for first, last, name in (
        *((0x41, 0x5A, FOREIGN), (0x61, 0x7A, FOREIGN), (0xC0, 0x1FFF, FOREIGN)),
        *((0xA000, 0xD7FF, FOREIGN), (0x3041, 0x3096, KANA), (0x30A1, 0x30FA, KANA)),
        *((0x3005, 0x3007, KANJI), (0x3400, 0x9FFF, KANJI), (0xF900, 0xFAFF, KANJI)),
        *((0x20000, 0x3FFFF, KANJI), (0x30, 0x39, DIGIT), (0, 0x20, BLANK)),
    ):
        table[first : last + 1] = name
    table[0x300:0x400] = OTHER  # combining marks and Greek: μ, α, β, Δ are units and names
    table[[ord(sign) for sign in _SEPARATORS]] = SEPARATOR
    table[[0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x3000]] = BLANK
    return table
