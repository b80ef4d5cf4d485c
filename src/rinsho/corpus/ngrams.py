"""Hashes of character n-grams, in numpy: what duplicates and overlaps are found by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
_LEFT, _RIGHT = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
_MIX, _SHIFT = np.uint64(0xD6E8FEB86659FD93), np.uint64(32)


def without_blanks(text: str) -> str:
    """Return a text without any white space, so that line breaks and indents do not count."""
    return "".join(text.split())


def hash_ngrams(text: str, n: int) -> Hashes:
    """Return a 64-bit hash of every run of `n` characters, shape (max(0, len(text) - n + 1),).

    Doubling: the hash of 2k characters mixes those of two neighbours of k characters, so that 50
    characters cost seven passes. The same in every process and on every machine.

    >>> bool(hash_ngrams("肺炎の肺炎", 2)[0] == hash_ngrams("肺炎の肺炎", 2)[3])
    True
    """
    if len(text) < n:
        return np.empty(0, dtype=np.uint64)
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    hashes, width = _mix(codes.astype(np.uint64) + _LEFT), 1
    while 2 * width <= n:
        hashes, width = _join(hashes, width), 2 * width
    return hashes if width == n else _join(hashes, n - width)


def unique(hashes: Hashes) -> Hashes:
    """Return the hashes sorted, each once (np.unique takes ten times as long for these)."""
    ordered = np.sort(hashes)
    is_first = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    return ordered[is_first]


def _join(hashes: Hashes, distance: int) -> Hashes:
    return _mix(hashes[:-distance] * _LEFT + hashes[distance:] * _RIGHT)


def _mix(hashes: Hashes) -> Hashes:
    hashes = hashes ^ (hashes >> _SHIFT)
    hashes *= _MIX
    hashes ^= hashes >> _SHIFT
    return hashes
