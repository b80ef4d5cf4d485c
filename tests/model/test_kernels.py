"""Our products: what plain arithmetic gives, whatever rows stand beside and threads work."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from rinsho.model import kernels
from rinsho.model.decoder import new_decoder
from rinsho.model.presets import DecoderConfig
from rinsho.model.quantize import dequantized, quantize_rows, supports_int4

needs_kernels = pytest.mark.skipif(not kernels.are_here(), reason="the kernels were not built")


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_they_are_built_and_right_where_they_can_be() -> None:
    info = Path("/proc/cpuinfo")
    if not (shutil.which("gcc") and info.is_file() and " avx2 " in info.read_text()):
        pytest.skip("no compiler, or a processor without AVX2")
    assert kernels.are_here()
    assert supports_int4()


@needs_kernels
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("shape", [(4, 8), (36, 24), (132, 1_000)])
def test_a_row_has_the_same_bytes_alone_among_others_and_with_any_threads(
    shape: tuple[int, int], dtype: torch.dtype
) -> None:
    weight_NK, x_TK = drawn(*shape).to(dtype), drawn(11, shape[1], seed=1)
    found = kernels.plain_product(x_TK, weight_NK)
    expected = x_TK.double() @ weight_NK.double().T
    assert float((found - expected).abs().max()) < 1e-5 * float(expected.abs().max())
    n_threads = torch.get_num_threads()
    for first, end, threads in ((0, 1, 1), (1, 3, 2), (3, 6, 3), (4, 8, 1), (6, 11, 2)):
        torch.set_num_threads(threads)
        some = kernels.plain_product(x_TK[first:end], weight_NK)
        torch.set_num_threads(n_threads)
        assert torch.equal(some, found[first:end])


@needs_kernels
@pytest.mark.parametrize("group", [64, 128])
def test_4_bits_are_exact_and_a_row_depends_on_itself_alone(group: int) -> None:
    codes_NK, scales_NG2 = quantize_rows(drawn(96 + 5, 5 * group), group)
    packed, scales = kernels.pack(codes_NK), scales_NG2.bfloat16()
    x_TK = drawn(9, 5 * group, seed=1)
    x_TK[3] = 0
    x_TK[4, :group] = 0
    groups_TGK = x_TK.double().unflatten(1, (-1, group))
    steps = groups_TGK.abs().amax(-1, keepdim=True) / 127
    rounded = (groups_TGK / steps).nan_to_num().round() * steps  # as the kernel reads its inputs
    expected = rounded.flatten(1) @ dequantized(codes_NK, scales_NG2).double().T
    found = kernels.int4_product(x_TK, packed, scales)
    assert float((found - expected).abs().max()) < 1e-4 * float(expected.abs().max())
    n_threads = torch.get_num_threads()
    for first, end, threads in ((0, 1, 1), (2, 4, 2), (3, 6, 3), (5, 9, 1)):
        torch.set_num_threads(threads)
        some = kernels.int4_product(x_TK[first:end], packed, scales)
        torch.set_num_threads(n_threads)
        assert torch.equal(some, found[first:end])


@needs_kernels
@pytest.mark.parametrize("is_tied", [True, False])
@pytest.mark.parametrize("family", ["llama", "qwen2", "ncvc"])
def test_a_decoder_says_the_same_with_them(is_tied: bool, family: str) -> None:
    config = DecoderConfig(
        vocab_size=512, d_model=64, n_layers=2, n_heads=4, n_kv_heads=2, d_head=16, d_ff=96,
        context_length=64, tie_embeddings=is_tied, qkv_bias=family == "qwen2",
        mlp="two-matrix" if family == "ncvc" else "gated",
    )  # fmt: skip
    plain, quick = new_decoder(config, seed=0), new_decoder(config, seed=0)
    kernels.use_for_decoding(quick)
    assert not [module for module in quick.modules() if type(module) is nn.Linear]
    with torch.inference_mode():
        for n_tokens in (3, 40):
            tokens_BT = torch.arange(n_tokens)[None]
            assert torch.allclose(quick(tokens_BT), plain(tokens_BT), atol=1e-5)


@needs_kernels
def test_a_matrix_of_an_odd_shape_stays_torchs() -> None:
    config = DecoderConfig(
        vocab_size=101, d_model=40, n_layers=1, n_heads=2, n_kv_heads=2, d_head=20, d_ff=51,
        context_length=32, tie_embeddings=False,
    )  # fmt: skip
    decoder = new_decoder(config, seed=0)
    kernels.use_for_decoding(decoder)
    assert type(decoder.lm_head) is nn.Linear
    assert isinstance(decoder.model.layers[0].self_attn.q_proj, kernels.FewRowsLinear)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["in C", "in torch"])
@pytest.mark.parametrize(
    ("n_tokens", "n_rows"), [(1, 1), (8, 8), (13, 16), (1_003, 1_003), (77, 90)]
)
def test_a_logit_stays_where_its_bit_is_set(n_tokens: int, n_rows: int, dtype: torch.dtype) -> None:
    logits_V, allowed = drawn(n_rows).to(dtype), drawn(n_tokens, seed=1) > 0
    number = sum(1 << place for place, bit in enumerate(allowed.tolist()) if bit)
    spare = b"\xff" * 4  # llguidance's masks end with bits of no token
    bits = number.to_bytes((n_tokens + 7) // 8, "little") + spare
    found = kernels.mask_logits(logits_V, bits, n_tokens)
    stays = torch.cat([allowed, torch.zeros(n_rows - n_tokens, dtype=torch.bool)])
    assert torch.equal(found, logits_V.masked_fill(~stays, -torch.inf))
