"""Rules about repetition inside one text: lines, paragraphs, character n-grams, single characters.

As in Gopher (Rae et al. 2021, table A1) and FineWeb-2 (Penedo et al. 2025; `configs/jpn_Jpan.yml`),
but on characters: 5 and 10 words of Japanese are 8 and 16 characters (1.65 a word, measured with
IPADIC on our sources). N-grams are counted in blocks, because in a long text phrases come again
that in a short one would not: a limit for 8,000 characters says nothing about a novel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rinsho.corpus.document import Rejection
from rinsho.corpus.ngrams import CodePoints, hash_ngrams_small
from rinsho.corpus.rules.view import (
    DIGIT,
    FOREIGN,
    KANA,
    KANJI,
    N_CLASSES,
    TextView,
    class_table,
)

MIN_CHARS = 200  # a shorter text repeats what it is about
BLOCK_CHARS = 8_192
SHORT_N, LONG_N = 8, 16  # characters


class NgramCounts:
    """The character n-grams of a text without runs of one character, block by block."""

    __slots__ = ("_short", "_view")

    def __init__(self, view: TextView) -> None:
        self._view = view
        self._short: Ngrams | None = None

    @property
    def short(self) -> Ngrams:
        """The n-grams of `SHORT_N`, which two rules read."""
        if self._short is None:
            self._short = self.of(SHORT_N)
        return self._short

    def of(self, n: int) -> Ngrams:
        """Return the n-grams of n characters."""
        return count_ngrams(self._view.without_runs, n)

    def may_repeat(self, share: float) -> bool:
        """Whether more than a share of the short n-grams may have stood in their block before."""
        n_blocks, width = _blocks(self._view.counts.n_new)
        n_ngrams = n_blocks * max(0, width - SHORT_N + 1)
        return self._view.counts.most_repeats / max(1, n_ngrams) > share

    def may_have_top_share(self, share: float) -> bool:
        """Whether `Ngrams.has_top_share` of the short ones may be true."""
        _, width = _blocks(self._view.counts.n_new)
        return self._view.counts.most_of_one > int(share * max(0, width - SHORT_N + 1) / SHORT_N)


def _blocks(n_chars: int) -> tuple[int, int]:
    """Return how many blocks a text is cut into, and the characters in each."""
    n_blocks = max(1, -(-n_chars // BLOCK_CHARS))
    return n_blocks, n_chars // n_blocks


def count_ngrams(codes: CodePoints, n: int) -> Ngrams:
    """Return the n-grams of n characters, block by block.

    Args:
        codes: Code points, shape (n_chars,).
        n: Characters of each n-gram.
    """
    hashes = hash_ngrams_small(codes, n)
    n_blocks, width = _blocks(len(codes))
    n_ngrams = max(0, width - n + 1)
    parts = [hashes[start * width : start * width + n_ngrams] for start in range(n_blocks)]
    blocks = np.stack(parts)
    blocks.sort(axis=1)
    return Ngrams(blocks, n)


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
    if len(view.text) < MIN_CHARS or not counts.may_repeat(min(max_short, 0.8 * max_long)):
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
    if len(view.text) < MIN_CHARS or not counts.may_have_top_share(max_share):
        return None
    if not counts.short.has_top_share(max_share):
        return None
    share = counts.short.top_share()
    if share > max_share:
        return Rejection("top_ngram", round(share, 3), max_share)
    return None


def duplicate_lines(view: TextView, *, max_share: float) -> Rejection | None:
    """Reject a text of whose lines too many repeat an earlier one (blank lines do not count)."""
    if len(view.text) < MIN_CHARS:
        return None
    share = 1 - view.counts.n_different_lines / max(1, view.counts.n_lines)
    if share > max_share:
        return Rejection("duplicate_lines", round(share, 3), max_share)
    return None


def duplicate_paragraphs(view: TextView, *, max_share: float) -> Rejection | None:
    """Reject a text of whose characters too many stand in a paragraph that was there before."""
    if len(view.text) < MIN_CHARS or view.counts.n_lines == view.counts.n_different_lines:
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
    if len(view.text) - view.counts.n_new <= max_share * n_written:
        return None
    codes = view.codes
    repeated = codes[1:][codes[1:] == codes[:-1]]
    classes = np.bincount(class_table()[repeated], minlength=N_CLASSES)
    share = float(classes[[KANA, KANJI, FOREIGN, DIGIT]].sum()) / n_written
    if share > max_share:
        return Rejection("character_runs", round(share, 3), max_share)
    return None
