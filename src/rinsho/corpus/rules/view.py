"""A text as the rules read it: its code points, their classes, its lines, each computed once."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rinsho.corpus.ngrams import CodePoints, code_points

OTHER, KANA, KANJI, FOREIGN, DIGIT, SEPARATOR, BLANK = range(7)
N_CLASSES = 7
# Between numbers: what tables and lists of values are made of beside digits.
_SEPARATORS = ".,:;/|+-=~<>%()[]{}*#_×±→^−–—―─│┃━"


class TextView:
    """One text and what several rules need of it, computed when the first one asks.

    Attributes:
        text: Normalized.
        codes: Code points, shape (len(text),).
        n_of_class: How many of them each class has (`KANA`, `DIGIT`, …).
    """

    # No cached_property: its lock costs more than most of what would be cached.
    __slots__ = ("_lines", "_n_lines", "_without_runs", "codes", "n_of_class", "text")

    def __init__(
        self, text: str, codes: CodePoints | None = None, without_runs: CodePoints | None = None
    ) -> None:
        """Take what a `TextRow` knows already."""
        self.text = text
        self.codes: CodePoints = code_points(text) if codes is None else codes
        # Every code point is in the table: clipping costs nothing, checking bounds does.
        classes = class_table().take(self.codes, mode="clip")
        self.n_of_class: list[int] = np.bincount(classes, minlength=N_CLASSES).tolist()
        self._without_runs = without_runs
        self._lines: list[str] | None = None
        self._n_lines: tuple[int, int] | None = None

    @property
    def n_written(self) -> int:
        """Characters that are no blanks."""
        return len(self.text) - self.n_of_class[BLANK]

    @property
    def without_runs(self) -> CodePoints:
        """Code points without those that repeat the one before.

        Leaders (……), rulers (----) and indents are no repeated phrases.
        """
        if self._without_runs is None:
            self._without_runs = self.codes[_is_new(self.codes)]
        return self._without_runs

    @property
    def lines(self) -> list[str]:
        """Lines without blanks around them, empty ones too."""
        if self._lines is None:
            self._lines = [line.strip() for line in self.text.split("\n")]
        return self._lines

    @property
    def n_lines(self) -> tuple[int, int]:
        """How many lines that are not empty there are, and how many different ones."""
        if self._n_lines is None:
            once = set(self.lines)
            n_lines = len(self.lines) - self.lines.count("")
            self._n_lines = n_lines, len(once) - ("" in once)
        return self._n_lines


class TextRow:
    """Texts in a row, a NUL after each: what is done to all of them at once costs little for each.

    Attributes:
        texts: As they came, one or more.
        text: All of them.
        codes: Code points of `text`.
        starts: Where each text begins, and the length of the row.
        without_runs, starts_without_runs: The same for `TextView.without_runs`.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.text = "\0".join([*texts, ""])
        self.codes = code_points(self.text)
        self.starts = [0, *itertools.accumulate(len(text) + 1 for text in texts)]
        is_new = _is_new(self.codes)
        self.without_runs = self.codes[is_new]
        sizes = np.add.reduceat(is_new, self.starts[:-1], dtype=np.int64)
        self.starts_without_runs = [0, *np.cumsum(sizes).tolist()]

    def views(self) -> list[TextView]:
        """Return the view of each text."""
        ends = zip(
            itertools.pairwise(self.starts),
            itertools.pairwise(self.starts_without_runs),
            strict=True,
        )
        return [
            TextView(text, self.codes[start : end - 1], self.without_runs[first : last - 1])
            for text, ((start, end), (first, last)) in zip(self.texts, ends, strict=True)
        ]


def _is_new(codes: CodePoints) -> NDArray[np.bool_]:
    """Tell of each code point whether it differs from the one before."""
    is_new = np.ones(len(codes), dtype=bool)
    np.not_equal(codes[1:], codes[:-1], out=is_new[1:])
    return is_new


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
