"""Opens what a room has in C (`*.c`, built when rinsho is installed)."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

NAME = "libkernels.so"


def open_library(
    folder: Path, arguments: Mapping[str, Sequence[Any]], result: Any
) -> ctypes.CDLL | None:
    """Return a room's library with its functions declared.

    None where it was not built or lacks a function, because it was built from older code.

    Args:
        folder: Of the room.
        arguments: Types by function, without the prefix `rinsho_`.
        result: Type of what they return; None for nothing.
    """
    try:
        library = ctypes.CDLL(str(folder / NAME))
        for name, types in arguments.items():
            function = getattr(library, f"rinsho_{name}")  # the same object each time
            function.argtypes, function.restype = types, result
    except (OSError, AttributeError):
        return None
    return library
