"""Our product with packed 4-bit weights: `int4_kernel.c`, built when rinsho is installed.

Without a C compiler, and on processors without AVX2, it is not there and torch's product is taken.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

GROUPS = (128, 64)  # weights with one scale and offset that it knows
_HALF = 32  # weights whose codes lie in the low halves of 32 bytes, before as many in the high ones
_LIBRARY = Path(__file__).with_name("libint4.so")
_POINTER, _LONG = ctypes.c_void_p, ctypes.c_long


@cache
def _library() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(str(_LIBRARY))  # its threads are those of torch, imported above
    except OSError:
        return None
    if not library.rinsho_int4_is_here():
        return None
    library.rinsho_int4_round.argtypes = [_POINTER] * 4 + [_LONG] * 2
    library.rinsho_int4_round.restype = None
    library.rinsho_int4_product.argtypes = [_POINTER] * 6 + [_LONG] * 4 + [ctypes.c_int]
    library.rinsho_int4_product.restype = None
    return library


def is_here() -> bool:
    """Tell whether the product was built and this processor can run it."""
    return _library() is not None


def pack(codes_NK: Tensor) -> Tensor:
    """Return codes from 0 to 15, two in a byte, shape (N, K / 2).

    Args:
        codes_NK: K is a multiple of 64.
    """
    pairs_NC2H = codes_NK.to(torch.uint8).unflatten(1, (-1, 2, _HALF))
    return (pairs_NC2H[:, :, 0] | (pairs_NC2H[:, :, 1] << 4)).flatten(1).contiguous()


def product(x_TK: Tensor, packed: Tensor, scales_NG2: Tensor) -> Tensor:
    """Return the inputs times the weights, shape (T, N), fp32.

    A row of inputs is rounded to 8 bits by groups; its result depends on nothing else.

    Args:
        x_TK: fp32.
        packed: As `pack` gives it.
        scales_NG2: Scale and offset of each group, bf16, contiguous.
    """
    library = _library()
    assert library is not None  # `is_here` was asked
    (n_rows, n_columns), (n_outputs, n_groups) = x_TK.shape, scales_NG2.shape[:2]
    x_TK = x_TK.contiguous()
    numbers = torch.empty((n_rows, n_columns), dtype=torch.int8)
    steps, sums = torch.empty((2, n_rows, n_groups)).unbind()
    out_TN = torch.empty((n_rows, n_outputs))
    group = n_columns // n_groups
    rounded = (numbers.data_ptr(), steps.data_ptr(), sums.data_ptr())
    library.rinsho_int4_round(x_TK.data_ptr(), *rounded, n_rows * n_groups, group)
    library.rinsho_int4_product(
        *rounded, packed.data_ptr(), scales_NG2.data_ptr(), out_TN.data_ptr(),
        n_rows, n_outputs, n_columns, group, torch.get_num_threads(),
    )  # fmt: skip
    return out_TN
