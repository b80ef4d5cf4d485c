"""Passes over the characters of texts in C: `kernels.c`, built when rinsho is installed.

Without a C compiler numpy does the same, in two to three times the time.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rinsho.corpus.ngrams import IS_BLANK, SMALL_STEPS, CodePoints, Hashes, SmallHashes

Numbers = NDArray[np.int64]
N_BINS = 128  # as in kernels.c

_LIBRARY = Path(__file__).with_name("libkernels.so")
_POINTER, _INTEGER = ctypes.c_void_p, ctypes.c_int64
_BLANKS = (IS_BLANK.ctypes.data, len(IS_BLANK))


@cache
def _library() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(str(_LIBRARY))
    except OSError:
        return None
    blanks = [_POINTER, _INTEGER]
    lines, shingles = library.rinsho_hash_lines, library.rinsho_least_shingles
    lines.argtypes = [_POINTER, _INTEGER, *blanks, _INTEGER, ctypes.c_uint32, _POINTER, _POINTER]
    lines.restype = _INTEGER
    shingles.argtypes = [_POINTER, _POINTER, _INTEGER, *blanks, *[_POINTER] * 5]
    shingles.restype = None
    return library


def are_here() -> bool:
    """Tell whether the passes were built."""
    return _library() is not None


def hash_lines(codes: CodePoints, least_chars: int, first_japanese: int) -> tuple[Numbers, Hashes]:
    """Return the numbers of the lines that count, and their hashes, both shape (n,).

    Args:
        codes: A text.
        least_chars: Of a line that counts, without blanks around it.
        first_japanese: The lowest code point of which, or of one above, a line needs one.
    """
    library = _library()
    assert library is not None  # `are_here` was asked
    most = len(codes) // (least_chars + 1) + 1
    numbers, hashes = np.empty(most, np.int64), np.empty(most, np.uint64)
    n = library.rinsho_hash_lines(
        *(codes.ctypes.data, len(codes), *_BLANKS, least_chars, first_japanese),
        *(numbers.ctypes.data, hashes.ctypes.data),
    )
    return numbers[:n].copy(), hashes[:n].copy()


def least_shingles(codes: CodePoints, lengths: Numbers) -> tuple[SmallHashes, Numbers]:
    """Return the least hash of 5 characters in each range, and how many different there are.

    Args:
        codes: Texts in a row, a NUL after each.
        lengths: Characters of each, shape (n_texts,).

    Returns:
        uint32, shape (n_texts, 128): a number of another range where a range has no hash; and
        int64, shape (n_texts,).
    """
    library = _library()
    assert library is not None
    n_texts, longest = len(lengths), int(lengths.max())
    hashes = np.empty(longest + 1, np.uint32)
    found = np.empty(2 << (2 * longest).bit_length(), np.uint32)
    least, n_different = np.empty((n_texts, N_BINS), np.uint32), np.empty(n_texts, np.int64)
    library.rinsho_least_shingles(
        *(codes.ctypes.data, lengths.ctypes.data, n_texts, *_BLANKS),
        *(array.ctypes.data for array in (SMALL_STEPS, hashes, found, least, n_different)),
    )
    return least, n_different
