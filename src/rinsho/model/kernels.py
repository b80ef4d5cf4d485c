"""Our products of a few rows with a matrix: `kernels.c`, where the machine has it."""

# N rows of a matrix (outputs), K columns (inputs), G groups of a row, T tokens

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from rinsho.model.decoder import Decoder
from rinsho.model.kernel_library import kernel_library
from rinsho.model.precision import computes_in_bf16

GROUPS = (128, 64)  # 4-bit weights with one scale and offset that the product knows
MOST_GROUPS = 512  # of a row
_HALF = 32  # weights whose codes lie in the low halves of 32 bytes, before as many in the high ones
_MOST_ROWS = 16  # torch is as quick with more


def are_here() -> bool:
    """Tell whether the products were built and this processor can run them."""
    return kernel_library() is not None


def decode_step() -> Callable[..., int]:
    """Return the C function of `decode_step.py`, which alone calls it."""
    library = kernel_library()
    assert library is not None  # `are_here` was asked
    return library.rinsho_decode_step


def pack(codes_NK: Tensor) -> Tensor:
    """Return codes from 0 to 15, two in a byte, shape (N, K / 2).

    Args:
        codes_NK: K is a multiple of 64.
    """
    pairs_NC2H = codes_NK.to(torch.uint8).unflatten(1, (-1, 2, _HALF))
    return (pairs_NC2H[:, :, 0] | (pairs_NC2H[:, :, 1] << 4)).flatten(1).contiguous()


def int4_product(x_TK: Tensor, packed: Tensor, scales_NG2: Tensor) -> Tensor:
    """Return the inputs times the weights, shape (T, N), fp32.

    A row of inputs is rounded to 8 bits by groups; its result depends on nothing else.

    Args:
        x_TK: fp32.
        packed: As `pack` gives it.
        scales_NG2: Scale and offset of each group, bf16, contiguous.
    """
    library = kernel_library()
    assert library is not None  # `are_here` was asked
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


def plain_product(x_TK: Tensor, weight_NK: Tensor) -> Tensor:
    """Return x W^T, shape (T, N), computed in fp32; the result of a row depends on nothing else.

    Args:
        x_TK: fp32.
        weight_NK: As `knows` wants it.
    """
    library = kernel_library()
    assert library is not None  # `are_here` was asked
    (n_rows, n_columns), n_outputs = x_TK.shape, weight_NK.shape[0]
    x_TK, out_TN = x_TK.contiguous(), torch.empty((n_rows, n_outputs))
    library.rinsho_plain_product(
        x_TK.data_ptr(), weight_NK.data_ptr(), weight_NK.dtype == torch.bfloat16, out_TN.data_ptr(),
        n_rows, n_outputs, n_columns, torch.get_num_threads(),
    )  # fmt: skip
    return out_TN


def mask_logits(logits_V: Tensor, bits: bytes, vocab_size: int) -> Tensor:
    """Return the logits, minus infinity where a token's bit is not set; without C torch does it.

    Args:
        logits_V: V is at least the vocabulary's size; what lies beyond it is no token.
        bits: One for each token, the lowest of a byte first.
        vocab_size: How many tokens there are.
    """
    library = kernel_library()
    if library is None or logits_V.device.type != "cpu" or logits_V.dtype != torch.float32:
        flags = np.unpackbits(np.frombuffer(bits, np.uint8), count=vocab_size, bitorder="little")
        out_V = torch.full_like(logits_V, -torch.inf)
        allowed = torch.from_numpy(flags.nonzero()[0]).to(logits_V.device)
        out_V[allowed] = logits_V[allowed]
        return out_V
    logits_V, out_V = logits_V.contiguous(), torch.empty(len(logits_V))
    library.rinsho_mask_logits(logits_V.data_ptr(), bits, out_V.data_ptr(), vocab_size)
    if len(out_V) > vocab_size:
        out_V[vocab_size:] = -torch.inf
    return out_V


class FewRowsLinear(nn.Module):
    """A linear map for decoding: our product with up to 16 rows, torch's with more; fp32 to fp32.

    Args:
        weight_NK: In fp32 or bf16.
        bias_N: fp32.
    """

    def __init__(self, weight_NK: Tensor, bias_N: Tensor | None) -> None:
        super().__init__()
        self.weight, self.bias = weight_NK, bias_N

    def forward(self, x: Tensor) -> Tensor:
        """Map the last dimension."""
        rows_TK = x.flatten(0, -2)
        if rows_TK.shape[0] > _MOST_ROWS or not are_here():
            return self._by_torch(x)
        out_TN = plain_product(rows_TK, self.weight)
        if self.bias is not None:
            out_TN = out_TN + self.bias
        return out_TN.unflatten(0, x.shape[:-1])

    def _by_torch(self, x: Tensor) -> Tensor:
        if self.weight.dtype == x.dtype:
            return nn.functional.linear(x, self.weight, self.bias)
        if computes_in_bf16(x.device):
            out = nn.functional.linear(x.to(self.weight.dtype), self.weight).to(x.dtype)
            return out if self.bias is None else out + self.bias
        return nn.functional.linear(x, self.weight.to(x.dtype), self.bias)


def use_for_decoding(decoder: Decoder) -> None:
    """Put our product into a decoder in fp32 that is not trained, where it knows the matrix."""
    embedding = decoder.model.embed_tokens.weight
    if not are_here() or embedding.dtype != torch.float32:
        return
    for name, module in list(decoder.named_modules()):
        if type(module) is nn.Linear and knows(module.weight):
            decoder.set_submodule(name, FewRowsLinear(module.weight, module.bias))
    if decoder.config.tie_embeddings and knows(embedding):
        decoder.add_module("lm_head", FewRowsLinear(embedding, None))


def knows(weight: Tensor) -> bool:
    """Tell whether the plain product can read a matrix: N a multiple of 4, K of 8, on a CPU."""
    is_plain = weight.dtype in (torch.float32, torch.bfloat16) and weight.device.type == "cpu"
    n_rows, n_columns = weight.shape
    return is_plain and weight.is_contiguous() and n_rows % 4 == 0 and n_columns % 8 == 0
