"""Weights in 4 bits: what is packed is what plain arithmetic computes, and little is lost."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from torch import nn

from rinsho.model import kernels
from rinsho.model.checkpoint import load_decoder, save_weights
from rinsho.model.decoder import Decoder, new_decoder
from rinsho.model.presets import DecoderConfig
from rinsho.model.quantize import (
    HalfEmbedding,
    Int4Linear,
    dequantized,
    load_half_decoder,
    load_int4_decoder,
    quantize_rows,
    supports_int4,
)

pytestmark = pytest.mark.skipif(not supports_int4(), reason="no packed 4-bit product here")


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("group", [32, 64, 128])
def test_a_weight_is_off_by_half_a_level_at_most(group: int) -> None:
    weight_NK = drawn(64, 256)
    codes_NK, scales_NG2 = quantize_rows(weight_NK, group)
    assert 0 <= int(codes_NK.min()) <= int(codes_NK.max()) <= 15
    off = (dequantized(codes_NK, scales_NG2) - weight_NK).abs().unflatten(1, (-1, group))
    # Half a level, and what bf16 rounds off scale and offset.
    assert bool((off <= scales_NG2[..., :1] * 0.5 + 0.03).all())


def test_a_group_of_equal_weights_stays_what_it_was() -> None:
    weight_NK = torch.full((32, 128), 0.25)
    assert torch.allclose(dequantized(*quantize_rows(weight_NK, 128)), weight_NK)


SHAPES = [(64, 96), (8_192 + 64, 128), (256, 704)]


@pytest.mark.parametrize(
    ("shape", "ours"), [((32, 32), False), *itertools.product(SHAPES, [True, False])]
)
@pytest.mark.parametrize("has_bias", [False, True])
def test_the_packed_product_is_the_plain_one(
    shape: tuple[int, int], ours: bool, has_bias: bool
) -> None:
    if ours and (not kernels.are_here() or shape[1] % 64):
        pytest.skip("not built here, or groups that it does not know")
    weight_NK, bias_N = drawn(*shape), drawn(shape[0]) if has_bias else None
    linear = Int4Linear(weight_NK, bias_N, ours=ours)
    group = next(size for size in (128, 64, 32) if shape[1] % size == 0)
    plain = dequantized(*quantize_rows(weight_NK, group))
    for n_rows in (1, 3, 16, 40):
        x = drawn(2, n_rows, shape[1], seed=n_rows).bfloat16().float()
        expected = nn.functional.linear(x, plain, bias_N)
        assert linear(x).shape == expected.shape
        assert float((linear(x) - expected).abs().max()) < 0.02 * float(expected.abs().max())


@pytest.mark.parametrize("is_tied", [True, False])
@pytest.mark.parametrize("family", ["llama", "qwen2", "ncvc"])
def test_a_folder_is_read_packed(tmp_path: Path, is_tied: bool, family: str) -> None:
    config = DecoderConfig(
        vocab_size=512, d_model=128, n_layers=2, n_heads=4, n_kv_heads=2, d_head=32, d_ff=192,
        context_length=64, tie_embeddings=is_tied, qkv_bias=family == "qwen2",
        mlp="two-matrix" if family == "ncvc" else "gated",
    )  # fmt: skip
    decoder = new_decoder(config, seed=0)
    with torch.no_grad():
        for name, parameter in decoder.named_parameters():
            if name.endswith("bias"):
                parameter.copy_(drawn(*parameter.shape))
    save_weights(decoder, tmp_path)
    plain = load_decoder(tmp_path, dtype=torch.float32)
    halves = load_half_decoder(tmp_path)
    packed = load_int4_decoder(tmp_path)
    assert not [m for m in packed.modules() if isinstance(m, nn.Linear | nn.Embedding)]
    assert isinstance(packed.model.embed_tokens, HalfEmbedding)
    tokens_BT = torch.arange(40).unflatten(0, (2, 20))
    with torch.inference_mode():
        found, expected = packed(tokens_BT), plain(tokens_BT)
        in_halves = halves(tokens_BT)
    assert _likeness(found, expected) > 0.98
    assert _likeness(in_halves, expected) > 0.9999
    assert in_halves.dtype == torch.float32
    if is_tied:  # one copy
        head, rows = halves.get_submodule("lm_head"), halves.get_submodule("model.embed_tokens")
        assert head.get_parameter("weight").data_ptr() == rows.get_buffer("weight").data_ptr()
    n_matrix = sum(p.numel() for p in plain.parameters() if p.dim() == 2)
    assert _n_bytes(packed) < 1.5 * n_matrix + (2 * 512 * 128) + 100_000
    assert _n_bytes(halves) < 2.2 * n_matrix + (2 * 512 * 128) + 10_000


def _likeness(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(nn.functional.cosine_similarity(one.flatten(), other.flatten(), dim=0))


def _n_bytes(decoder: Decoder) -> int:
    tensors = (*decoder.buffers(), *decoder.parameters())
    return sum(tensor.numel() * tensor.itemsize for tensor in tensors)


def test_a_matrix_of_an_odd_shape_stays_as_it_is(tmp_path: Path) -> None:
    config = DecoderConfig(
        vocab_size=100, d_model=40, n_layers=1, n_heads=2, n_kv_heads=2, d_head=20, d_ff=50,
        context_length=32,
    )  # fmt: skip
    save_weights(new_decoder(config, seed=0), tmp_path)
    packed, plain = load_int4_decoder(tmp_path), load_decoder(tmp_path)
    tokens_BT = torch.arange(12)[None]
    with torch.inference_mode():
        assert torch.allclose(packed(tokens_BT), plain(tokens_BT), atol=1e-2)
