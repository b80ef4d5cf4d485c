"""Lines that many documents share: cookie notices, footers, sentences of a template.

Counted are lines of 15 characters or more with kana or kanji: shorter ones are headings,
replies in a novel (「そうですか。」), sentences of notes. Digits are not folded: the vital
signs of two patients would be one line. Counting is one pass, dropping another; which document has
the first copy, the engine knows.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from rinsho.corpus import kernels
from rinsho.corpus.ngrams import CodePoints, Hashes, code_points, is_blank, scramble, spread

MIN_LINE_CHARS = 15  # after stripping
N_COUNTERS = 2**26  # 64 MB; ten million different lines fill a seventh of each half
MAX_COUNT = 255  # counters stop here

_FIRST_JAPANESE = 0x3041  # ぁ: a line without this or more is a ruler, numbers or code
_LINE_END = 0x0A
_BASE = 0x9E3779B97F4A7C15  # odd: it has an inverse
_LEAST_POWERS = 2**18  # characters: more than most batches have

Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]


def line_hashes(text: str) -> Hashes:
    """Return the hashes of the lines that count, sorted, each once.

    >>> notice = "当サイトではCookieを使用しています。"
    >>> len(line_hashes(f"咳と痰\\n{notice}\\n{notice}"))
    1
    """
    return line_hashes_of_all([text])[0]


def line_hashes_of_all(texts: Sequence[str]) -> list[Hashes]:
    """Return `line_hashes` of each text; over many at once it takes a third of the time."""
    if not texts:
        return []
    numbers, hashes = _hash_lines("\n".join(texts))
    ends = np.cumsum([1 + text.count("\n") for text in texts])
    cuts = [0, *np.searchsorted(numbers, ends).tolist()]
    for start, end in itertools.pairwise(cuts):
        hashes[start:end].sort()
    is_first = np.ones(len(hashes) + 1, dtype=bool)
    np.not_equal(hashes[1:], hashes[:-1], out=is_first[1:-1])
    is_first[cuts] = True
    n_before = np.cumsum(is_first)[cuts] - 1
    kept = hashes[is_first[:-1]]
    return [kept[start:end] for start, end in itertools.pairwise(n_before.tolist())]


class LineCounts:
    """In how many documents a line stands, in fixed memory: never too few, seldom too many.

    Each line has a counter in either half of the table, and the lower one is believed. The order of
    documents makes no difference, nor does in how many parts they were counted. Two lines share
    both counters with a probability of about (lines / 2**25)**2.

    Attributes:
        counters: uint8, shape (n_counters,).
    """

    def __init__(self, n_counters: int = N_COUNTERS) -> None:
        if n_counters < 2 or n_counters & (n_counters - 1):
            raise ValueError("the number of counters is a power of two")
        self.counters = np.zeros(n_counters, dtype=np.uint8)

    def add(self, hashes: Hashes) -> None:
        """Count the `line_hashes` of one document, or of several, one after another."""
        for places in self._places(hashes):
            own, counts = np.unique(places, return_counts=True)
            found = self.counters[own]
            self.counters[own] = found + np.minimum(counts, MAX_COUNT - found).astype(np.uint8)

    def repeated(self, hashes: Hashes, min_documents: int) -> Mask:
        """Return which lines stand in at least so many documents (255 at the most).

        Args:
            hashes: Of any lines, shape (n,).
            min_documents: At most `MAX_COUNT`.
        """
        first, second = self._places(hashes)
        return np.minimum(self.counters[first], self.counters[second]) >= min_documents

    def _places(self, hashes: Hashes) -> tuple[Numbers, Numbers]:
        half = len(self.counters) // 2
        mask = np.uint64(half - 1)
        first, second = hashes & mask, (hashes >> np.uint64(32)) & mask
        return first.astype(np.int64), second.astype(np.int64) + half


def drop_lines(text: str, is_repeated: Callable[[Hashes], Mask]) -> tuple[str, int, int]:
    """Leave out the lines that `is_repeated` names.

    Args:
        text: Normalized.
        is_repeated: Gets the hash of each line that counts, in order and as often as it stands
            there; tells which ones go.

    Returns:
        The text that is left, the lines that went, and their bytes in UTF-8 with their line ends.
    """
    numbers, hashes = _hash_lines(text)
    if len(hashes) == 0:
        return text, 0, 0
    gone = set(numbers[is_repeated(hashes)].tolist())
    if not gone:
        return text, 0, 0
    kept = [line for number, line in enumerate(text.split("\n")) if number not in gone]
    left = "\n".join(kept)
    return left, len(gone), len(text.encode()) - len(left.encode())


def _hash_lines(text: str) -> tuple[Numbers, Hashes]:
    """Return the numbers of the lines that count, and their 64-bit hashes, both shape (n,)."""
    codes = code_points(text)
    if kernels.are_here():
        return kernels.hash_lines(codes, MIN_LINE_CHARS, _FIRST_JAPANESE)
    return hash_lines_by_numpy(text, codes)


def hash_lines_by_numpy(text: str, codes: CodePoints) -> tuple[Numbers, Hashes]:
    """Return what `kernels.hash_lines` does.

    A hash is a polynomial in the characters of the line: a difference of two sums over all of the
    text, divided by the power where the line begins.
    """
    numbers, starts, ends = _long_lines(text, codes)
    if not len(numbers):
        return numbers, np.empty(0, np.uint64)
    powers, inverses = _powers(max(_LEAST_POWERS, 1 << len(codes).bit_length()))
    terms = spread(codes)
    terms *= powers[: len(codes)]
    sums = np.cumsum(terms, out=terms)
    before = np.where(starts > 0, sums[starts - 1], np.uint64(0))
    return numbers, scramble((sums[ends - 1] - before) * inverses[starts])


def _long_lines(text: str, codes: CodePoints) -> tuple[Numbers, Numbers, Numbers]:
    """Return the number of each line that counts, where it begins and ends, stripped."""
    ends = np.append(np.flatnonzero(codes == _LINE_END), len(codes))
    starts = np.concatenate(([0], ends[:-1] + 1))
    numbers = np.flatnonzero(ends - starts >= MIN_LINE_CHARS)
    starts, ends = starts[numbers], ends[numbers]
    is_blank_at_end = is_blank(codes[starts]) | is_blank(codes[ends - 1])
    for place in np.flatnonzero(is_blank_at_end).tolist():
        line = text[starts[place] : ends[place]]
        starts[place] += len(line) - len(line.lstrip())
        ends[place] = starts[place] + len(line.strip())
    is_long = ends - starts >= MIN_LINE_CHARS
    numbers, starts, ends = numbers[is_long], starts[is_long], ends[is_long]
    if not len(numbers):
        return numbers, starts, ends
    edges = np.stack((starts, ends), axis=1).ravel()
    highest = np.maximum.reduceat(np.append(codes, np.uint32(0)), edges)[::2]
    is_japanese = highest >= _FIRST_JAPANESE
    return numbers[is_japanese], starts[is_japanese], ends[is_japanese]


@functools.lru_cache(maxsize=1)
def _powers(n: int) -> tuple[Hashes, Hashes]:
    """Return the first n powers of the base and of its inverse, modulo 2**64."""
    powers = [np.full(n, one, np.uint64) for one in (_BASE, pow(_BASE, -1, 2**64))]
    for row in powers:
        row[0] = 1
        np.cumprod(row, out=row)
    return powers[0], powers[1]
