"""Our own code in C: products, attention and the step of decoding, built when rinsho is installed.

Without a C compiler, and on processors without AVX2, it is not there and torch's is taken.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

import torch

from rinsho.c_library import open_library

_POINTER, _LONG, _INT = ctypes.c_void_p, ctypes.c_long, ctypes.c_int
_ARGUMENTS = {
    "int4_round": [_POINTER] * 4 + [_LONG] * 2,
    "int4_product": [_POINTER] * 6 + [_LONG] * 4 + [_INT],
    "plain_product": [_POINTER] * 2 + [_INT, _POINTER] + [_LONG] * 3 + [_INT],
    "mask_logits": [_POINTER] * 3 + [_LONG],
    "decode_step": [_POINTER] * 4 + [_LONG, _INT],
    "attention": [_POINTER] * 4 + [_LONG] * 4 + [_INT] + [_POINTER] * 3 + [_LONG, _INT],
    "attention_backward": [_POINTER] * 7 + [_LONG] * 4 + [_INT] + [_POINTER] * 4 + [_LONG, _INT],
    "attention_memory": [_LONG] * 3 + [_INT],
}


@cache
def kernel_library() -> ctypes.CDLL | None:
    """Return the library, None where it was not built, is of before, or cannot run here."""
    assert torch.get_num_threads() > 0  # torch's OpenMP runs our threads: it is loaded first
    library = open_library(Path(__file__).parent, _ARGUMENTS, None)
    if library is None or not library.rinsho_kernels_are_here():
        return None
    library.rinsho_attention_memory.restype = _LONG
    library.rinsho_decode_step.restype = _INT
    return library
