"""Attention over packed segments, and over a cache."""

# T tokens of all segments one after another, H query heads, K key-value heads, D head width
# N segments of one length, L their length, B batch, S tokens in the cache

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import torch
from torch import Tensor
from torch.nn import functional


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


def attend_packed(
    q_THD: Tensor,
    k_TKD: Tensor,
    v_TKD: Tensor,
    segment_lengths: Sequence[int],
    *,
    is_causal: bool,
    dropout: float = 0.0,
) -> Tensor:
    """Attend inside each segment only; return shape (T, H, D).

    A dense mask would cost the square of T; slices cost the sum of the squares of the lengths.
    """
    outputs: list[Tensor] = []
    for start, n_segments, length in equal_runs(segment_lengths):
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
