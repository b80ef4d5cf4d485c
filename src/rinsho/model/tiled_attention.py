"""Attention over packed segments on a CPU, with its gradient: `attention.c`, where it was built.

Takes less time than torch's kernel at every length, half of it from 512 tokens on
(docs/performance.md). Results do not depend on the number of threads.
"""

# T tokens of all segments one after another, H query heads, K key-value heads, D head width

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rinsho.model.kernel_library import kernel_library

_COLUMNS = 16  # of attention.c: the head width is a multiple of it


def takes(*heads: Tensor) -> bool:
    """Tell whether queries, keys and values are what `attend` knows, on a machine that has it."""
    are_plain = all(x.dtype == torch.float32 and x.device.type == "cpu" for x in heads)
    return are_plain and heads[0].shape[-1] % _COLUMNS == 0 and kernel_library() is not None


def attend(
    q_THD: Tensor,
    k_TKD: Tensor,
    v_TKD: Tensor,
    starts: Tensor,
    longest: int,
    *,
    is_causal: bool,
) -> Tensor:
    """Attend inside each segment only; return shape (T, H, D). It has one derivative.

    Args:
        q_THD, k_TKD, v_TKD: What `takes` says yes to.
        starts: Of the segments, and the end of the last one, int64, shape (n_segments + 1,).
        longest: Tokens of the longest segment.
        is_causal: Whether a token sees only those before it.
    """
    return _TiledAttention.apply(
        q_THD.contiguous(), k_TKD.contiguous(), v_TKD.contiguous(), starts, longest, is_causal
    )


class _TiledAttention(torch.autograd.Function):
    """The scores are made a second time in the backward pass: memory does not grow with T * T."""

    @staticmethod
    def forward(
        ctx: Any,
        q_THD: Tensor,
        k_TKD: Tensor,
        v_TKD: Tensor,
        starts: Tensor,
        longest: int,
        is_causal: bool,
    ) -> Tensor:
        out_THD, tops_TH = torch.empty_like(q_THD), q_THD.new_empty(q_THD.shape[:2])
        ctx.save_for_backward(q_THD, k_TKD, v_TKD, out_THD, tops_TH, starts)
        ctx.longest, ctx.is_causal = longest, is_causal
        _call("attention", ctx, (q_THD, k_TKD, v_TKD), starts, (out_THD, tops_TH))
        return out_THD

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | int | None, ...]:
        q_THD, k_TKD, v_TKD, out_THD, tops_TH, starts = ctx.saved_tensors
        inputs = (q_THD, k_TKD, v_TKD, out_THD, tops_TH, grad_outputs[0].contiguous())
        gradients = tuple(torch.empty_like(heads) for heads in (q_THD, k_TKD, v_TKD))
        _call("attention_backward", ctx, inputs, starts, gradients)
        return (*gradients, None, None, None)


def _call(
    name: str, ctx: Any, inputs: tuple[Tensor, ...], starts: Tensor, outputs: tuple[Tensor, ...]
) -> None:
    library = kernel_library()
    assert library is not None  # `takes` was asked
    (n_heads, d_head), n_kv_heads = inputs[0].shape[1:], inputs[1].shape[1]
    n_threads, is_backward = torch.get_num_threads(), name == "attention_backward"
    each = library.rinsho_attention_memory(ctx.longest, n_heads // n_kv_heads, d_head, is_backward)
    memory = torch.empty(n_threads * each)
    getattr(library, f"rinsho_{name}")(
        *(x.data_ptr() for x in inputs), starts.data_ptr(), len(starts) - 1,
        n_heads, n_kv_heads, d_head, ctx.is_causal,
        *(x.data_ptr() for x in outputs), memory.data_ptr(), each, n_threads,
    )  # fmt: skip
