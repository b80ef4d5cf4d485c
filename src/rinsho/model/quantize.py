"""Weights in 4 bits, or in bf16, for reading on a CPU: less memory than fp32, and quicker to read.

Each row of a matrix is cut into groups of 128 weights; a group has 16 levels between its smallest
and its largest weight. The product is ours (`kernels.py`); where that was not built, or not for
this processor, it is torch's private one (`_weight_int4pack_mm_for_cpu`). Both stand behind
`Int4Linear` alone, and `supports_int4` compares with plain arithmetic before one is used.
"""

# N rows of a matrix (outputs), K columns (inputs), G groups of a row, T tokens

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from rinsho.model import kernels
from rinsho.model.checkpoint import empty_decoder, stored_tensors
from rinsho.model.decoder import Decoder
from rinsho.model.kernels import FewRowsLinear
from rinsho.model.tensor_file import read_tensor

_GROUPS = (128, 64, 32)  # weights with one scale and offset; the widest that divides a row
_N_LEVELS = 16
_BLOCK_ROWS = 8_192  # packed at a time: the codes take four bytes each before they are packed
_ROWS_OF = 32  # the packed product wants a multiple of it
_TOLERANCE = 0.02  # of the largest value: bf16 has 8 bits


def group_size(n_columns: int) -> int | None:
    """Return how many weights of a row share a scale; None where no group divides the row."""
    return next((size for size in _GROUPS if n_columns % size == 0), None)


def quantize_rows(weight_NK: Tensor, group: int) -> tuple[Tensor, Tensor]:
    """Return the codes (N, K) from 0 to 15, and scale and offset of each group (N, G, 2).

    A weight is about `(code - 8) * scale + offset`. (Cutting off the ends of a group where that
    lowers its squared error gained nothing in bits per byte: +0.17% against +0.11%.)
    """
    groups_NGK = weight_NK.float().unflatten(1, (-1, group))
    high_NG1, low_NG1 = groups_NGK.amax(-1, keepdim=True), groups_NGK.amin(-1, keepdim=True)
    scale_NG1 = ((high_NG1 - low_NG1) / (_N_LEVELS - 1)).clamp_min(1e-9)
    # Kernels read both numbers in bf16: the codes have to go with what they read.
    scale_NG1 = scale_NG1.bfloat16().float()
    offset_NG1 = ((high_NG1 + low_NG1 + scale_NG1) / 2).bfloat16().float()
    codes = ((groups_NGK - offset_NG1) / scale_NG1 + 8).round_().clamp_(0, _N_LEVELS - 1)
    return codes.flatten(1).to(torch.int32), torch.cat((scale_NG1, offset_NG1), dim=-1)


def dequantized(codes_NK: Tensor, scales_NG2: Tensor) -> Tensor:
    """Return the weights that codes stand for, shape (N, K), fp32."""
    n_groups = scales_NG2.shape[1]
    grouped_NGK = codes_NK.unflatten(1, (n_groups, -1)).float() - 8
    return (grouped_NGK * scales_NG2[..., :1] + scales_NG2[..., 1:]).flatten(1)


class Int4Linear(nn.Module):
    """A linear map with packed 4-bit weights; returns the type of its input.

    Args:
        weight_NK: The matrix that is packed.
        bias_N: Added in the type of the input.
        ours: Whether our product is used; None: where it is there and knows the group.
    """

    def __init__(
        self, weight_NK: Tensor, bias_N: Tensor | None, *, ours: bool | None = None
    ) -> None:
        super().__init__()
        group = group_size(weight_NK.shape[1])
        assert group is not None  # `fits_int4` was asked
        if ours is None:
            ours = kernels.are_here() and group in kernels.GROUPS
        self.product = OurProduct(weight_NK, group) if ours else TorchProduct(weight_NK, group)
        self.bias_N = bias_N

    def forward(self, x: Tensor) -> Tensor:
        """Map the last dimension."""
        out = self.product(x.flatten(0, -2)).to(x.dtype)
        if self.bias_N is not None:
            out = out + self.bias_N
        return out.unflatten(0, x.shape[:-1])


class OurProduct(nn.Module):
    """Packed for `kernels`; inputs are rounded to 8 bits by groups."""

    packed: Tensor
    scales: Tensor

    def __init__(self, weight_NK: Tensor, group: int) -> None:
        super().__init__()
        n_rows, n_columns = weight_NK.shape
        self.register_buffer("packed", torch.empty((n_rows, n_columns // 2), dtype=torch.uint8))
        scales_NG2 = torch.empty((n_rows, n_columns // group, 2), dtype=torch.bfloat16)
        self.register_buffer("scales", scales_NG2)
        for first in range(0, n_rows, _BLOCK_ROWS):
            rows = slice(first, first + _BLOCK_ROWS)
            codes_NK, scales = quantize_rows(weight_NK[rows], group)
            self.packed[rows], self.scales[rows] = kernels.pack(codes_NK), scales

    def forward(self, x_TK: Tensor) -> Tensor:
        """Return x W^T, fp32."""
        return kernels.int4_product(x_TK.float(), self.packed, self.scales)


class TorchProduct(nn.Module):
    """Packed for torch's product; inputs are rounded to bf16."""

    def __init__(self, weight_NK: Tensor, group: int) -> None:
        super().__init__()
        self._group, self._n_blocks = group, 0
        for block_NK in weight_NK.split(_BLOCK_ROWS):
            codes_NK, scales_NG2 = quantize_rows(block_NK, group)
            packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(codes_NK, 1)
            self.register_buffer(f"packed_{self._n_blocks}", packed)
            # The kernel wants groups first.
            scales = scales_NG2.transpose(0, 1).contiguous().bfloat16()
            self.register_buffer(f"scales_{self._n_blocks}", scales)
            self._n_blocks += 1

    def forward(self, x_TK: Tensor) -> Tensor:
        """Return x W^T, bf16."""
        rows_TK = x_TK.bfloat16()
        parts = [
            torch.ops.aten._weight_int4pack_mm_for_cpu(rows_TK, packed, self._group, scales)
            for packed, scales in self._blocks()
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)

    def _blocks(self) -> Iterator[tuple[Tensor, Tensor]]:
        for number in range(self._n_blocks):
            yield self.get_buffer(f"packed_{number}"), self.get_buffer(f"scales_{number}")


def fits_int4(weight: Tensor) -> bool:
    """Tell whether a matrix can be packed."""
    is_matrix = weight.dim() == 2
    return is_matrix and group_size(weight.shape[1]) is not None and weight.shape[0] % _ROWS_OF == 0


@cache
def supports_int4() -> bool:
    """Compare the packed product with plain arithmetic on this machine; False where there is none.

    Rows of one, a few and many tokens, because kernels differ.
    """
    generator = torch.Generator().manual_seed(0)
    weight_NK = torch.randn(64, 256, generator=generator)
    x_TK = torch.randn(70, 256, generator=generator).bfloat16().float()
    try:
        linear = Int4Linear(weight_NK, None)
        expected_TN = x_TK @ dequantized(*quantize_rows(weight_NK, _GROUPS[0])).T
        limit = _TOLERANCE * float(expected_TN.abs().max())
        return all(
            float((linear(x_TK[:n]) - expected_TN[:n]).abs().max()) <= limit for n in (1, 5, 16, 70)
        )
    except (RuntimeError, AttributeError):  # another version of torch, another processor
        return False


class HalfEmbedding(nn.Module):
    """An embedding that lies in bf16 and gives what the rest of the model computes in."""

    def __init__(self, weight_VD: Tensor, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("weight", weight_VD.bfloat16())
        self._dtype = dtype

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the rows of tokens."""
        return nn.functional.embedding(tokens, self.get_buffer("weight")).to(self._dtype)


def load_int4_decoder(folder: Path) -> Decoder:
    """Read a weights folder into packed matrices, tensor by tensor.

    Memory holds the packed model and one tensor more. Embeddings stay in bf16, norms and biases in
    fp32; a matrix whose shape cannot be packed stays in fp32. The result cannot be trained.

    Raises:
        PathMissing, PickleRefused, UnknownArchitecture, WeightsMismatch: As in `load_decoder`.
    """
    return _load(folder, fits_int4, Int4Linear)


def load_half_decoder(folder: Path) -> Decoder:
    """Read a weights folder into matrices in bf16, for reading on a CPU; arithmetic is in fp32.

    As `load_int4_decoder`, and raises as it does.
    """
    return _load(folder, _fits_half, _half_linear)


def _half_linear(weight_NK: Tensor, bias_N: Tensor | None) -> FewRowsLinear:
    return FewRowsLinear(nn.Parameter(weight_NK.bfloat16(), requires_grad=False), bias_N)


def _fits_half(weight: Tensor) -> bool:
    return weight.dim() == 2 and kernels.knows(weight.bfloat16())


def _load(
    folder: Path,
    fits: Callable[[Tensor], bool],
    linear: Callable[[Tensor, Tensor | None], nn.Module],
) -> Decoder:
    decoder = empty_decoder(folder)
    stored = stored_tensors(decoder, folder)
    biases = {name: read_tensor(one).float() for name, one in stored.items() if _is_bias(name)}
    for name, one in stored.items():
        if _is_bias(name):
            continue
        owner = name.removesuffix(".weight")
        weight = read_tensor(one)
        if owner == "model.embed_tokens":
            is_tied = decoder.config.tie_embeddings
            if is_tied and not fits(weight):
                _assign(decoder, name, weight.float())
                continue
            if is_tied:
                head = linear(weight, None)
                decoder.add_module("lm_head", head)
                weight = head.weight if isinstance(head, FewRowsLinear) else weight  # one copy
            decoder.set_submodule(owner, HalfEmbedding(weight, torch.float32))
        elif fits(weight):
            decoder.set_submodule(owner, linear(weight, biases.pop(f"{owner}.bias", None)))
        else:
            _assign(decoder, name, weight.float())
    for name, bias in biases.items():
        _assign(decoder, name, bias)
    return decoder.eval()


def _is_bias(name: str) -> bool:
    return name.endswith(".bias")


def _assign(decoder: Decoder, name: str, tensor: Tensor) -> None:
    owner, _, leaf = name.rpartition(".")
    parameter = nn.Parameter(tensor, requires_grad=False)
    setattr(decoder.get_submodule(owner), leaf, parameter)
