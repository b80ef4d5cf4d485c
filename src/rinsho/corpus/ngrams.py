"""Hashes of character n-grams, in numpy: what duplicates and overlaps are found by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
SmallHashes = NDArray[np.uint32]
CodePoints = NDArray[np.uint32]

# One odd multiplier per doubling of the width: enough for runs of 2**32 characters.
STEPS = np.random.default_rng(5).integers(1, 2**63, 32, dtype=np.uint64) * np.uint64(2) + np.uint64(
    1
)
SMALL_STEPS = (STEPS >> np.uint64(32)).astype(np.uint32) | np.uint32(1)
_MIX, _MIX_AGAIN = np.uint64(0xD6E8FEB86659FD93), np.uint64(0x9E3779B97F4A7C15)
_SMALL_MIX, _SMALL_MIX_AGAIN = np.uint32(0x7FEB352D), np.uint32(0x846CA68B)  # C. Wellons, lowbias32


IS_BLANK = np.array([chr(code).isspace() for code in range(0x3002)])


def without_blanks(text: str) -> str:
    """Return a text without any white space, so that line breaks and indents do not count."""
    return "".join(text.split())


def code_points(text: str) -> CodePoints:
    """Return the code points of a text, shape (len(text),), read-only."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def is_blank(codes: CodePoints) -> NDArray[np.bool_]:
    """Tell of each code point whether it is white space, as `str.isspace` does."""
    return IS_BLANK.take(codes, mode="clip")


def in_a_row(texts: Sequence[str]) -> tuple[CodePoints, NDArray[np.int64]]:
    """Return the code points of texts in a row, a NUL after each, and their lengths, (n_texts,)."""
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    return code_points("\0".join([*texts, ""])), lengths


def compact_code_points(text: str) -> CodePoints:
    """Return the code points of a text that are no white space: `without_blanks`, only faster."""
    codes = code_points(text)
    return codes[~is_blank(codes)]


def compact_in_a_row(texts: Sequence[str]) -> tuple[CodePoints, NDArray[np.int64]]:
    """Return `compact_code_points` of all texts in a row, a NUL after each, and where each begins.

    Short texts together cost a tenth of what they cost one by one.

    Args:
        texts: One or more.

    Returns:
        The code points, and their starts, shape (len(texts) + 1,): the last one is their length.
    """
    codes, lengths = in_a_row(texts)
    is_kept = ~is_blank(codes)
    starts = np.cumsum(lengths + 1) - lengths - 1
    sizes = np.add.reduceat(is_kept, starts, dtype=np.int64)
    return codes[is_kept], np.concatenate(([0], np.cumsum(sizes)))


def hash_ngrams(text: str | NDArray[np.unsignedinteger], n: int) -> Hashes:
    """Return a 64-bit hash of every run of `n` characters, shape (max(0, len(text) - n + 1),).

    Doubling: the hash of 2k characters joins those of two neighbours of k characters, so that 50
    characters cost seven steps. The same in every process and on every machine.

    Args:
        text: A text, or its code points; rows of them (the last axis) are hashed row by row.
        n: Length of a run, 1 or more.

    >>> bool(hash_ngrams("肺炎の肺炎", 2)[0] == hash_ngrams("肺炎の肺炎", 2)[3])
    True
    """
    codes = code_points(text) if isinstance(text, str) else text
    if codes.shape[-1] < n:
        return np.empty((*codes.shape[:-1], 0), dtype=np.uint64)
    hashes = spread(codes)
    for step, multiplier in zip(_steps(n), STEPS, strict=False):
        joined = hashes[..., :-step] * multiplier
        joined += hashes[..., step:]
        hashes = joined
    return scramble(hashes)


def spread(codes: NDArray[np.unsignedinteger]) -> Hashes:
    """Return code points as numbers of 64 bits, for sums and products."""
    hashes = codes.astype(np.uint64)
    hashes *= _MIX_AGAIN
    hashes ^= hashes >> np.uint64(32)
    return hashes


def scramble(hashes: Hashes) -> Hashes:
    """Let every bit of a number change all others, in place; different ones stay different."""
    hashes ^= hashes >> np.uint64(32)
    hashes *= _MIX
    hashes ^= hashes >> np.uint64(32)
    return hashes


def hash_ngrams_small(text: str | CodePoints, n: int) -> SmallHashes:
    """Return a 32-bit hash of every run of `n` characters: half the memory, sorted in a fifth.

    Of n different runs about n**2 / 2**33 share a hash with another: 10 of 300,000.
    """
    codes = code_points(text) if isinstance(text, str) else text
    if len(codes) < n:
        return np.empty(0, dtype=np.uint32)
    hashes = codes
    for step, multiplier in zip(_steps(n), SMALL_STEPS, strict=False):
        joined = hashes[:-step] * multiplier
        joined += hashes[step:]
        hashes = joined
    hashes = hashes ^ (hashes >> np.uint32(16))
    hashes *= _SMALL_MIX
    hashes ^= hashes >> np.uint32(15)
    hashes *= _SMALL_MIX_AGAIN
    hashes ^= hashes >> np.uint32(16)
    return hashes


def unique(hashes: Hashes) -> Hashes:
    """Return the hashes sorted, each once (np.unique takes ten times as long for these)."""
    ordered = np.sort(hashes)
    is_first = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    return ordered[is_first]


def _steps(n: int) -> list[int]:
    """Return how far apart the two neighbours are that each doubling joins.

    >>> _steps(5)
    [1, 2, 1]
    """
    steps, width = list[int](), 1
    while width < n:
        steps.append(min(width, n - width))
        width += steps[-1]
    return steps
