"""Passes over the characters of texts in C: `*.c`, built when rinsho is installed.

Without a C compiler numpy does the same, in three to five times the time.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rinsho.c_library import open_library

N_AHEAD = 5  # as in anchors.c

_POINTER, _INTEGER = ctypes.c_void_p, ctypes.c_int64
_BYTE = ctypes.c_char
_IS_SAME, _COMPOSES = 1, 2


class _Tables(ctypes.Structure):
    _fields_ = (
        *((name, _POINTER) for name in ("marks", "classes", "pairs")),
        ("n_classes", _INTEGER),
        *((name, _POINTER) for name in ("one", "first", "second", "before", "next")),
        *((name, _POINTER * N_AHEAD) for name in ("longer", "is_longer")),
    )


@cache
def _library() -> ctypes.CDLL | None:
    arguments = {
        "fold": [_POINTER, _INTEGER, _POINTER],
        "find_begins": [_POINTER, _POINTER, _INTEGER, _POINTER, _POINTER],
    }
    return open_library(Path(__file__).parent, arguments, _INTEGER)


def are_here() -> bool:
    """Tell whether the passes were built."""
    return _library() is not None


class FoldingTable:
    """What stands for each code point.

    Args:
        table: uint32, shape (0x110000,); 2**31 or more where a text needs a closer look.
    """

    def __init__(self, table: NDArray[np.uint32]) -> None:
        self._table, self._address = table, table.ctypes.data

    def fold(self, text: str) -> str | None:
        """Put for each character what stands for it; None where one needs a closer look."""
        library = _library()
        assert library is not None  # `are_here` was asked
        codes = bytearray(text, "utf-32-le", "surrogatepass")
        if not codes:
            return text
        place = ctypes.byref(_BYTE.from_buffer(codes))
        found = library.rinsho_fold(place, len(text), self._address)
        if found == _COMPOSES:
            return None
        return text if found == _IS_SAME else codes.decode("utf-32-le")


class AnchorTables:
    """The tables of `Anchors` as `anchors.c` reads them.

    Args:
        marks: uint8, of each character of 16 bits.
        classes: uint32, the same.
        pairs: bool, of two classes, shape (n, n).
        characters: Rules by one character, uint64: alone, first, second, before and not before.
        longer: Rules by the hash of two characters, three and so on, uint64, `N_AHEAD` of them.
    """

    def __init__(
        self,
        marks: NDArray[np.uint8],
        classes: NDArray[np.uint32],
        pairs: NDArray[np.bool_],
        characters: Sequence[NDArray[np.uint64]],
        longer: Sequence[NDArray[np.uint64]],
    ) -> None:
        is_longer = [np.packbits(table != 0, bitorder="little") for table in longer]
        self._kept: list[NDArray[Any]] = [marks, classes, pairs, *characters, *longer, *is_longer]
        row = _POINTER * N_AHEAD
        self._tables = _Tables(
            *(table.ctypes.data for table in (marks, classes, pairs)),
            len(pairs),
            *(table.ctypes.data for table in characters),
            *(row(*(table.ctypes.data for table in tables)) for tables in (longer, is_longer)),
        )

    def find(self, codes: NDArray[np.uint16]) -> tuple[NDArray[np.int32], NDArray[np.uint64]]:
        """Return the places where rules may begin, in order, and the bits of the rules of each.

        Args:
            codes: Characters, `N_AHEAD` line ends behind the last.
        """
        library = _library()
        assert library is not None
        n = len(codes) - N_AHEAD
        places, rules = np.empty(n, np.int32), np.empty(n, np.uint64)
        n_found = library.rinsho_find_begins(
            ctypes.addressof(self._tables),
            *(codes.ctypes.data, n, places.ctypes.data, rules.ctypes.data),
        )
        return places[:n_found].copy(), rules[:n_found].copy()
