"""Our attention: what the equations give in fp64, gradients included, whatever stands beside."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from rinsho.model import tiled_attention
from rinsho.model.attention import Segments, attend_packed
from rinsho.model.kernel_library import kernel_library

pytestmark = pytest.mark.skipif(kernel_library() is None, reason="the kernels were not built")

# Around the tile of 48 tokens, the 16 columns and the 6 rows that it is computed in.
LENGTHS = [1, 3, 7, 16, 17, 47, 48, 49, 64, 96, 130]


def drawn(n_tokens: int, n_heads: int, n_kv_heads: int, d_head: int) -> list[Tensor]:
    """Return queries, keys, values, and a gradient of what comes out."""
    generator = torch.Generator().manual_seed(0)
    heads = (n_heads, n_kv_heads, n_kv_heads, n_heads)
    return [torch.randn(n_tokens, h, d_head, generator=generator) for h in heads]


def ours(drawn_: list[Tensor], lengths: list[int], *, is_causal: bool) -> list[Tensor]:
    """Return what comes out, and the gradients of queries, keys and values."""
    inputs = [heads.clone().requires_grad_() for heads in drawn_[:3]]
    assert tiled_attention.takes(*inputs)
    segments = Segments(lengths, torch.device("cpu"))
    out = attend_packed(inputs[0], inputs[1], inputs[2], segments, is_causal=is_causal)
    return [out.detach(), *torch.autograd.grad(out, inputs, drawn_[3])]


def by_the_equations(drawn_: list[Tensor], lengths: list[int], *, is_causal: bool) -> list[Tensor]:
    """Return the same in fp64, with one dense mask over all segments."""
    q, k, v = (heads.double().requires_grad_() for heads in drawn_[:3])
    n_shared = q.shape[1] // k.shape[1]
    segment_T = torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths))
    is_seen_TT = segment_T[:, None] == segment_T
    if is_causal:
        is_seen_TT = is_seen_TT.tril()
    k_THD, v_THD = (heads.repeat_interleave(n_shared, dim=1) for heads in (k, v))
    scores_HTT = torch.einsum("thd,shd->hts", q, k_THD) / math.sqrt(q.shape[-1])
    shares_HTT = scores_HTT.masked_fill(~is_seen_TT, -math.inf).softmax(dim=-1)
    out = torch.einsum("hts,shd->thd", shares_HTT, v_THD)
    return [out.detach(), *torch.autograd.grad(out, (q, k, v), drawn_[3].double())]


@pytest.mark.parametrize("is_causal", [True, False])
@pytest.mark.parametrize("shape", [(4, 2, 64), (3, 3, 16), (6, 1, 32), (2, 1, 128)])
def test_it_is_what_the_equations_give(shape: tuple[int, int, int], is_causal: bool) -> None:
    given = drawn(sum(LENGTHS), *shape)
    found = ours(given, LENGTHS, is_causal=is_causal)
    expected = by_the_equations(given, LENGTHS, is_causal=is_causal)
    for one, other in zip(found, expected, strict=True):
        assert float((one - other).abs().max()) < 2e-6 * float(other.abs().max())


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_a_segment_has_the_same_bytes_alone_among_others_and_with_any_threads(
    n_threads: int,
) -> None:
    given, before = drawn(sum(LENGTHS), 4, 2, 32), torch.get_num_threads()
    together = ours(given, LENGTHS, is_causal=True)
    torch.set_num_threads(n_threads)
    start = 0
    for length in LENGTHS:
        part = slice(start, start + length)
        alone = ours([heads[part] for heads in given], [length], is_causal=True)
        assert all(torch.equal(a, b[part]) for a, b in zip(alone, together, strict=True))
        start += length
    torch.set_num_threads(before)


def test_scores_far_apart_neither_overflow_nor_lose_the_winner() -> None:
    given = drawn(60, 2, 1, 16)
    given[0] *= 1_000
    found = ours(given, [60], is_causal=True)
    expected = by_the_equations(given, [60], is_causal=True)
    assert all(bool(heads.isfinite().all()) for heads in found)
    assert float((found[0] - expected[0]).abs().max()) < 1e-3


def test_what_is_no_number_stays_none() -> None:
    given = drawn(60, 2, 1, 16)
    given[1][20, 0, 3] = math.nan
    found = ours(given, [60], is_causal=True)
    assert bool(found[0][:20].isfinite().all())
    assert bool(found[0][20:].isnan().all())
    assert all(bool(gradient.isnan().any()) for gradient in found[1:])


def test_it_takes_only_what_it_knows() -> None:
    q, k, v, _ = drawn(4, 2, 1, 16)
    assert tiled_attention.takes(q, k, v)
    assert not tiled_attention.takes(q.double(), k.double(), v.double())
    assert not tiled_attention.takes(q.bfloat16(), k.bfloat16(), v.bfloat16())
    assert not tiled_attention.takes(q[..., :8], k[..., :8], v[..., :8])
