"""Passes over the characters of texts in C: `*.c`, built when rinsho is installed.

Without a C compiler numpy does the same, in two to five times the time.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rinsho.c_library import open_library
from rinsho.corpus.ngrams import IS_BLANK, SMALL_STEPS, STEPS, CodePoints, Hashes, SmallHashes

Numbers = NDArray[np.int64]
Bits = NDArray[np.uint8]
N_BINS = 128  # as in kernels.c
N_COLUMNS = 14  # as in examine.c
MOST_JOINED = 1024  # as in overlaps.c

_POINTER, _INTEGER = ctypes.c_void_p, ctypes.c_int64
_BLANKS = (IS_BLANK.ctypes.data, len(IS_BLANK))


@cache
def _library() -> ctypes.CDLL | None:
    blanks = [_POINTER, _INTEGER]
    arguments = {
        "hash_lines": [_POINTER, _INTEGER, *blanks, _INTEGER, ctypes.c_uint32, _POINTER, _POINTER],
        "least_shingles": [_POINTER, _POINTER, _INTEGER, *blanks, *[_POINTER] * 5],
        "examine": [_POINTER, _POINTER, _INTEGER, _POINTER, *blanks, *[_POINTER] * 4],
        "find_keys": [_POINTER, _INTEGER, *[_POINTER] * 3],
        "without_blanks": [_POINTER, _POINTER, _INTEGER, *blanks, _POINTER, _POINTER],
        "hash_ngrams": [_POINTER, _INTEGER, _INTEGER, _POINTER, _POINTER],
        "find_probes": [_POINTER, _INTEGER, _INTEGER, _POINTER, _POINTER, _INTEGER, _POINTER],
        "fill_filter": [_POINTER, _INTEGER, _POINTER, _INTEGER],
    }
    return open_library(Path(__file__).parent, arguments, _INTEGER)


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


def examine(codes: CodePoints, lengths: Numbers, class_of: Bits) -> Numbers:
    """Return what the rules count in each text, in the columns of `examine.c`.

    Args:
        codes: Texts in a row, a NUL after each.
        lengths: Characters of each, shape (n_texts,).
        class_of: Of every code point.

    Returns:
        Shape (n_texts, N_COLUMNS).
    """
    library = _library()
    assert library is not None
    longest = int(lengths.max()) + 1
    rows = np.empty((len(lengths), N_COLUMNS), np.int64)
    different, hashes = np.empty(longest, np.uint32), np.empty(longest, np.uint64)
    found = np.empty(4 * longest, np.uint64)
    library.rinsho_examine(
        *(codes.ctypes.data, lengths.ctypes.data, len(lengths), class_of.ctypes.data, *_BLANKS),
        *(array.ctypes.data for array in (different, hashes, found, rows)),
    )
    return rows


def find_keys(codes: CodePoints, steps: SmallHashes, is_key: Bits) -> NDArray[np.int32]:
    """Return where three characters may be a key: both ends of their hash are marked.

    Args:
        codes: A text.
        steps: Factors of the three, whose sum is the hash; shape (3,).
        is_key: A bit for each number of 18 bits, the lowest first, shape (2**15,).
    """
    library = _library()
    assert library is not None
    places = np.empty(len(codes), np.int32)
    n = library.rinsho_find_keys(
        *(codes.ctypes.data, len(codes)),
        *(array.ctypes.data for array in (steps, is_key, places)),
    )
    return places[:n].copy()


def without_blanks(codes: CodePoints, lengths: Numbers) -> tuple[CodePoints, Numbers]:
    """Return texts in a row without white space, a NUL after each, and where each begins.

    Args:
        codes: Texts in a row, a NUL after each.
        lengths: Characters of each, shape (n_texts,).
    """
    library = _library()
    assert library is not None
    kept, starts = np.empty(len(codes), np.uint32), np.empty(len(lengths) + 1, np.int64)
    n = library.rinsho_without_blanks(
        *(codes.ctypes.data, lengths.ctypes.data, len(lengths), *_BLANKS),
        *(kept.ctypes.data, starts.ctypes.data),
    )
    return kept[:n], starts


def hash_ngrams(codes: CodePoints, n: int) -> Hashes:
    """Return `ngrams.hash_ngrams` of a text's code points, for n up to `MOST_JOINED`."""
    library = _library()
    assert library is not None
    hashes = np.empty(max(0, len(codes) - n + 1), np.uint64)
    library.rinsho_hash_ngrams(
        *(codes.ctypes.data, len(codes), n, STEPS.ctypes.data, hashes.ctypes.data)
    )
    return hashes


def find_probes(codes: CodePoints, n_joined: int, is_maybe: Bits) -> Numbers:
    """Return which fourth characters begin a probe that a filter may hold, by their number.

    Args:
        codes: A text without blanks.
        n_joined: Values of four characters in a probe, up to `MOST_JOINED`.
        is_maybe: Of `benchmark_runs.make_filter`.
    """
    library = _library()
    assert library is not None
    places = np.empty(len(codes) // 4 + 1, np.int64)
    n = library.rinsho_find_probes(
        *(codes.ctypes.data, len(codes), n_joined, STEPS.ctypes.data, is_maybe.ctypes.data),
        *(_n_bits(is_maybe), places.ctypes.data),
    )
    return places[:n].copy()


def fill_filter(hashes: Hashes, is_maybe: Bits) -> None:
    """Set the two bits of each hash in a filter."""
    library = _library()
    assert library is not None
    library.rinsho_fill_filter(
        *(hashes.ctypes.data, len(hashes), is_maybe.ctypes.data, _n_bits(is_maybe))
    )


def _n_bits(is_maybe: Bits) -> int:
    """Return how many bits of a hash name a bit of a filter."""
    return (8 * len(is_maybe)).bit_length() - 1
