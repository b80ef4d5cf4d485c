"""Attention over packed segments, and over a cache."""

# T tokens of all segments one after another, H query heads, K key-value heads, D head width
# N segments of one length, L their length, B batch, S tokens in the cache

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from itertools import accumulate, groupby
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from rinsho.model import tiled_attention


def segment_positions(segment_lengths: Sequence[int], device: torch.device) -> Tensor:
    """Return 0, 1, 2, … anew in each segment, shape (T,).

    >>> segment_positions([3, 2], torch.device("cpu")).tolist()
    [0, 1, 2, 0, 1]
    """
    lengths_N = torch.tensor(list(segment_lengths), device=device)
    starts_N = lengths_N.cumsum(0) - lengths_N
    return torch.arange(int(lengths_N.sum()), device=device) - starts_N.repeat_interleave(lengths_N)


def equal_runs(segment_lengths: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield (start, n_segments, length) of neighbours of one length: these share one call.

    >>> list(equal_runs([4, 4, 2, 4]))
    [(0, 2, 4), (8, 1, 2), (10, 1, 4)]
    """
    start = 0
    for length, run in groupby(segment_lengths):
        n_segments = len(list(run))
        yield start, n_segments, length
        start += n_segments * length


class Segments:
    """The segments of a batch, prepared once for all layers.

    Args:
        lengths: Tokens of each segment.
        device: Where the batch is.
    """

    def __init__(self, lengths: Sequence[int], device: torch.device) -> None:
        self.lengths, self.longest = lengths, max(lengths, default=0)
        dtype = torch.int32 if device.type == "cuda" else torch.int64  # what the kernels read
        starts = torch.tensor([0, *accumulate(lengths)], dtype=dtype)
        self.starts = starts.to(device, non_blocking=True)  # of the segments, and the end


def attend_packed(
    q_THD: Tensor,
    k_TKD: Tensor,
    v_TKD: Tensor,
    segments: Segments,
    *,
    is_causal: bool,
    dropout: float = 0.0,
) -> Tensor:
    """Attend inside each segment only; return shape (T, H, D).

    One kernel takes all segments on a GPU in 16 bits (Dao 2023, arXiv 2307.08691), our own on a CPU
    in fp32; neither has dropout. Elsewhere each length is one call: a dense mask would cost the
    square of T, slices cost the sum of the squares of the lengths.
    """
    is_16_bit = q_THD.dtype in (torch.bfloat16, torch.float16)
    if q_THD.device.type == "cuda" and is_16_bit and not dropout:
        return _attend_varlen(q_THD, k_TKD, v_TKD, segments, is_causal)
    if tiled_attention.takes(q_THD, k_TKD, v_TKD) and not dropout:
        return tiled_attention.attend(
            q_THD, k_TKD, v_TKD, segments.starts, segments.longest, is_causal=is_causal
        )
    outputs: list[Tensor] = []
    for start, n_segments, length in equal_runs(segments.lengths):
        q_NHLD, k_NKLD, v_NKLD = (
            heads[start : start + n_segments * length]
            .unflatten(0, (n_segments, length))
            .transpose(1, 2)
            for heads in (q_THD, k_TKD, v_TKD)
        )
        out_NHLD = functional.scaled_dot_product_attention(
            q_NHLD, k_NKLD, v_NKLD, is_causal=is_causal, dropout_p=dropout, enable_gqa=True
        )
        outputs.append(out_NHLD.transpose(1, 2).flatten(0, 1))
    return torch.cat(outputs) if len(outputs) > 1 else outputs[0]


def _attend_varlen(
    q_THD: Tensor,
    k_TKD: Tensor,
    v_TKD: Tensor,
    segments: Segments,
    is_causal: bool,
) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn

    n_shared = q_THD.shape[1] // k_TKD.shape[1]
    grouped: dict[str, Any] = {}
    if n_shared > 1 and "enable_gqa" in inspect.signature(varlen_attn).parameters:
        grouped = {"enable_gqa": True}
    elif n_shared > 1:  # torch before 2.12
        k_TKD, v_TKD = (heads.repeat_interleave(n_shared, dim=1) for heads in (k_TKD, v_TKD))
    out_THD = varlen_attn(
        q_THD, k_TKD, v_TKD, segments.starts, segments.starts, segments.longest, segments.longest,
        window_size=(-1, 0 if is_causal else -1), **grouped,
    )  # fmt: skip
    assert isinstance(out_THD, Tensor)  # a pair only where the log-sums are asked for
    return out_THD


def attend_cached(q_BHTD: Tensor, k_BKSD: Tensor, v_BKSD: Tensor) -> Tensor:
    """Attend from the last T of S tokens to all before them; return shape (B, H, T, D)."""
    n_new, n_all = q_BHTD.shape[2], k_BKSD.shape[2]
    mask_TS = None
    if 1 < n_new < n_all:
        mask_TS = torch.ones(n_new, n_all, dtype=torch.bool, device=q_BHTD.device).tril(
            n_all - n_new
        )
    return functional.scaled_dot_product_attention(
        q_BHTD, k_BKSD, v_BKSD, attn_mask=mask_TS, is_causal=n_new == n_all, enable_gqa=True
    )
