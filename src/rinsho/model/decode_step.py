"""A step of decoding in C (`decode_step.c`): all layers in one call; weights in fp32, bf16, 4 bits.

The same arithmetic as the decoder's own, in another order of its sums. A row has the same bytes
alone and among others, with any number of threads.
"""

# B rows of one step, D d_model, V vocabulary

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rinsho.model import kernels
from rinsho.model.decoder import Block, Decoder, GatedMLP, KeyValueCache, TwoMatrixMLP
from rinsho.model.kernels import FewRowsLinear
from rinsho.model.quantize import Int4Linear, OurProduct

_LANES = 8  # numbers in a register
_WIDEST_HEAD = 256
_POINTER, _LONG = ctypes.c_void_p, ctypes.c_long


class _Matrix(ctypes.Structure):
    _fields_ = (
        ("weights", _POINTER), ("scales", _POINTER), ("bias", _POINTER),
        ("n", _LONG), ("k", _LONG), ("group", _LONG), ("is_half", _LONG),
    )  # fmt: skip


class _Layer(ctypes.Structure):
    _fields_ = (
        *((name, _POINTER) for name in ("input_norm", "mlp_norm", "q_norm", "k_norm")),
        *((name, _Matrix) for name in ("q", "k", "v", "o", "gate", "up", "down")),
    )


class _Model(ctypes.Structure):
    _fields_ = (
        ("layers", ctypes.POINTER(_Layer)), ("norm", _POINTER), ("head", _Matrix),
        ("n_layers", _LONG), ("d_model", _LONG), ("n_heads", _LONG), ("n_kv_heads", _LONG),
        ("d_head", _LONG), ("d_ff", _LONG), ("eps", ctypes.c_float),
    )  # fmt: skip


class _Row(ctypes.Structure):
    _fields_ = (
        *((name, _POINTER) for name in ("keys", "values", "cos", "sin")),
        ("length", _LONG), ("capacity", _LONG),
    )  # fmt: skip


class _Unknown(Exception):
    """The step does not know this module."""


class DecodeStep:
    """The step of one decoder, whose tensors must stay where they are; see `decode_step`."""

    def __init__(self, decoder: Decoder) -> None:
        config = decoder.config
        self._decoder = decoder
        self._step = kernels.decode_step()
        layers = [_layer(block) for block in decoder.model.layers]
        self._layers = (_Layer * len(layers))(*layers)
        self._model = _Model(
            self._layers, _vector(decoder.model.norm.weight), _matrix(_head(decoder)),
            config.n_layers, config.d_model, config.n_heads, config.n_kv_heads,
            config.d_head, config.d_ff, config.norm_eps,
        )  # fmt: skip

    def __call__(
        self, tokens_B: Tensor, caches: Sequence[KeyValueCache], rotary: tuple[Tensor, Tensor]
    ) -> Tensor:
        """Add a token to each row's cache; return the logits behind it, shape (B, V).

        Args:
            tokens_B: int64.
            caches: Of one row each, with room for one token more.
            rotary: As `rotary_table` gives it for one token of each row.

        Raises:
            MemoryError: There is none for the step's own numbers.
        """
        x_BD = self._decoder.model.embed_tokens(tokens_B).contiguous()
        cos_B1D, sin_B1D = (table.contiguous() for table in rotary)
        logits_BV = x_BD.new_empty(len(caches), self._decoder.config.vocab_size)
        rows = (_Row * len(caches))(
            *(
                _Row(
                    cache.keys.data_ptr(), cache.values.data_ptr(),
                    cos_B1D[n].data_ptr(), sin_B1D[n].data_ptr(), cache.length, cache.capacity,
                )
                for n, cache in enumerate(caches)
            )
        )  # fmt: skip
        failed = self._step(
            ctypes.byref(self._model), rows, x_BD.data_ptr(), logits_BV.data_ptr(), len(caches),
            torch.get_num_threads(),
        )  # fmt: skip
        if failed:
            raise MemoryError
        for cache in caches:
            cache.length += 1
        return logits_BV


def decode_step(decoder: Decoder) -> DecodeStep | None:
    """Return the step of a decoder, None where it was not built or does not know the decoder.

    It knows matrices in fp32 and bf16, and those that our 4-bit product knows, on a CPU.
    """
    config = decoder.config
    widths = (config.d_model, config.d_head, config.d_ff)
    if not kernels.are_here() or any(width % _LANES for width in widths):
        return None
    try:
        return DecodeStep(decoder) if config.d_head <= _WIDEST_HEAD else None
    except _Unknown:
        return None


def _head(decoder: Decoder) -> nn.Module | Tensor:
    head = getattr(decoder, "lm_head", None)  # packed weights have one, tied or not
    return decoder.output_weight if head is None else head


def _layer(block: nn.Module) -> _Layer:
    assert isinstance(block, Block)
    attention, mlp = block.self_attn, block.mlp
    assert isinstance(mlp, GatedMLP | TwoMatrixMLP)
    q, k, v = (_matrix(m) for m in (attention.q_proj, attention.k_proj, attention.v_proj))
    if not {k.group, v.group} <= {q.group, 0}:  # their input is rounded as q needs it
        raise _Unknown
    return _Layer(
        _vector(block.input_layernorm.weight),
        _vector(block.post_attention_layernorm.weight),
        _vector(attention.q_norm.weight) if attention.has_norm else None,
        _vector(attention.k_norm.weight) if attention.has_norm else None,
        q, k, v, _matrix(attention.o_proj),
        _matrix(mlp.gate_proj) if isinstance(mlp, GatedMLP) else _Matrix(),
        _matrix(mlp.up_proj), _matrix(mlp.down_proj),
    )  # fmt: skip


def _matrix(module: nn.Module | Tensor) -> _Matrix:
    if isinstance(module, Tensor):
        return _matrix(FewRowsLinear(module, None))
    if isinstance(module, Int4Linear) and isinstance(module.product, OurProduct):
        packed, scales = module.product.packed, module.product.scales
        (n_rows, half), n_groups = packed.shape, scales.shape[1]
        if n_groups > kernels.MOST_GROUPS:
            raise _Unknown
        n_columns = 2 * half
        return _Matrix(
            packed.data_ptr(), scales.data_ptr(), _vector(module.bias_N), n_rows, n_columns,
            n_columns // n_groups, 0,
        )  # fmt: skip
    if isinstance(module, nn.Linear | FewRowsLinear):
        weight = module.weight
        is_half = weight.dtype == torch.bfloat16
        begin = _begin(weight, weight.dtype if is_half else torch.float32)
        return _Matrix(begin, None, _vector(module.bias), *weight.shape, 0, is_half)
    raise _Unknown


def _vector(tensor: Tensor | None) -> int | None:
    return None if tensor is None else _begin(tensor, torch.float32)


def _begin(tensor: Tensor, dtype: torch.dtype) -> int:
    is_plain = tensor.dtype == dtype and tensor.device.type == "cpu"
    if not (is_plain and tensor.is_contiguous()):
        raise _Unknown
    return tensor.data_ptr()
