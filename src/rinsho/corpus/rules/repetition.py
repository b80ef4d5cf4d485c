"""Rules about repetition inside one text: lines, paragraphs, character n-grams, single characters.

As in Gopher (Rae et al. 2021, table A1) and FineWeb-2 (Penedo et al. 2025; `configs/jpn_Jpan.yml`),
but on characters: 5 and 10 words of Japanese are 8 and 16 characters (1.65 a word, measured with
IPADIC on our sources). N-grams are counted in blocks, because in a long text phrases come again
that in a short one would not: a limit for 8,000 characters says nothing about a novel.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from rinsho.corpus.document import Rejection
from rinsho.corpus.ngrams import CodePoints, SmallHashes, hash_ngrams_small
from rinsho.corpus.rules.view import (
    DIGIT,
    FOREIGN,
    KANA,
    KANJI,
    N_CLASSES,
    TextRow,
    TextView,
    class_table,
)

MIN_CHARS = 200  # a shorter text repeats what it is about
BLOCK_CHARS = 8_192
SHORT_N, LONG_N = 8, 16  # characters


class NgramCounts:
    """The character n-grams of a text, block by block, for any n.

    Args:
        codes: Code points, shape (n,).
        short: `hash_ngrams_small(codes, SHORT_N)` where it is known; it is sorted in place.
    """

    __slots__ = ("_codes", "_hashes", "_short")

    def __init__(self, codes: CodePoints, short: SmallHashes | None = None) -> None:
        self._codes, self._hashes = codes, short
        self._short: Ngrams | None = None

    @property
    def short(self) -> Ngrams:
        """The n-grams of `SHORT_N`, which two rules read."""
        if self._short is None:
            known = self._hashes
            self._short = self.of(SHORT_N) if known is None else self._counted(known, SHORT_N)
        return self._short

    def of(self, n: int) -> Ngrams:
        """Return the n-grams of n characters."""
        return self._counted(hash_ngrams_small(self._codes, n), n)

    def _counted(self, hashes: SmallHashes, n: int) -> Ngrams:
        n_blocks = max(1, -(-len(self._codes) // BLOCK_CHARS))
        width = len(self._codes) // n_blocks
        n_ngrams = max(0, width - n + 1)
        starts = range(0, n_blocks * width, width) if n_blocks > 1 else (0,)
        parts = [hashes[start : start + n_ngrams] for start in starts]
        blocks = np.stack(parts) if n_blocks > 1 else parts[0][None]
        blocks.sort(axis=1)
        return Ngrams(blocks, n)


def ngrams_in(row: TextRow) -> list[NgramCounts]:
    """Return the n-grams of each text of a row."""
    codes, starts = row.without_runs, row.starts_without_runs
    short = hash_ngrams_small(codes, SHORT_N)
    return [
        NgramCounts(codes[start : end - 1], short[start : max(start, end - SHORT_N)])
        for start, end in itertools.pairwise(starts)
    ]


class Ngrams:
    """The n-grams of one length: their hashes, sorted in each block.

    Attributes:
        hashes: uint32, shape (n_blocks, n-grams in a block).
        n: Characters of each.
        duplicate_share: The share of n-grams that stood in the same block before.
    """

    __slots__ = ("_n_repeats", "duplicate_share", "hashes", "n")

    def __init__(self, hashes: NDArray[np.uint32], n: int) -> None:
        self.hashes, self.n = hashes, n
        self._n_repeats = int(np.count_nonzero(hashes[:, 1:] == hashes[:, :-1]))
        self.duplicate_share = self._n_repeats / max(1, hashes.size)

    def has_top_share(self, share: float) -> bool:
        """Whether in any block one n-gram makes up more than a share of the characters."""
        distance = int(share * self.hashes.shape[1] / self.n)
        if self._n_repeats < max(1, distance) or distance >= self.hashes.shape[1]:
            return False
        return bool((self.hashes[:, distance:] == self.hashes[:, : -distance or None]).any())

    def top_share(self) -> float:
        """Return the share of characters in the most frequent n-gram, a mean over the blocks."""
        counts = [_most_frequent(block) for block in self.hashes]
        return float(np.mean(counts)) * self.n / self.hashes.shape[1]


def _most_frequent(hashes: NDArray[np.uint32]) -> int:
    """Return how often the most frequent of sorted hashes stands there."""
    ends = np.flatnonzero(np.append(hashes[1:] != hashes[:-1], True))
    return int(np.diff(ends, prepend=-1).max())


def duplicate_ngrams(
    view: TextView, counts: NgramCounts, *, max_short: float, max_long: float
) -> Rejection | None:
    """Reject a text whose phrases come again and again, of 16 or of 8 characters.

    Measured is the share of n-grams that stood before in the same 8,192 characters.
    """
    if len(view.text) < MIN_CHARS:
        return None
    share = counts.short.duplicate_share
    if share > max_short:
        return Rejection("duplicate_ngrams", round(share, 3), max_short)
    # A long n-gram that comes again begins with a short one that does.
    if share > 0.8 * max_long:
        share = counts.of(LONG_N).duplicate_share
        if share > max_long:
            return Rejection("duplicate_ngrams", round(share, 3), max_long)
    return None


def top_ngram(view: TextView, counts: NgramCounts, *, max_share: float) -> Rejection | None:
    """Reject a text of which one phrase of 8 characters makes up too much."""
    if len(view.text) < MIN_CHARS or not counts.short.has_top_share(max_share):
        return None
    share = counts.short.top_share()
    if share > max_share:
        return Rejection("top_ngram", round(share, 3), max_share)
    return None


def duplicate_lines(view: TextView, *, max_share: float) -> Rejection | None:
    """Reject a text of whose lines too many repeat an earlier one (blank lines do not count)."""
    if len(view.text) < MIN_CHARS:
        return None
    n_lines, n_once = view.n_lines
    share = 1 - n_once / max(1, n_lines)
    if share > max_share:
        return Rejection("duplicate_lines", round(share, 3), max_share)
    return None


def duplicate_paragraphs(view: TextView, *, max_share: float) -> Rejection | None:
    """Reject a text of whose characters too many stand in a paragraph that was there before."""
    n_lines, n_different_lines = view.n_lines
    if len(view.text) < MIN_CHARS or n_lines == n_different_lines:
        return None
    paragraphs = view.text.split("\n\n")
    once = set(paragraphs)
    n_chars = sum(map(len, paragraphs))
    share = 1 - sum(map(len, once)) / max(1, n_chars)
    if share > max_share:
        return Rejection("duplicate_paragraphs", round(share, 3), max_share)
    return None


def character_runs(view: TextView, *, max_share: float) -> Rejection | None:
    """Reject a text that is largely one letter after another (wwww, ああああ, 0000).

    Measured is the share of characters that repeat the one before. Blanks and signs do not count:
    indents, rulers and leaders are layout.
    """
    if len(view.text) < MIN_CHARS:
        return None
    n_written = max(1, view.n_written)
    if len(view.codes) - len(view.without_runs) <= max_share * n_written:
        return None
    repeated = view.codes[1:][view.codes[1:] == view.codes[:-1]]
    classes = np.bincount(class_table()[repeated], minlength=N_CLASSES)
    share = float(classes[[KANA, KANJI, FOREIGN, DIGIT]].sum()) / n_written
    if share > max_share:
        return Rejection("character_runs", round(share, 3), max_share)
    return None
