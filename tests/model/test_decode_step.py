"""The step in C: what the decoder itself says, whatever rows stand beside and threads work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from rinsho.model import kernels
from rinsho.model.checkpoint import save_weights
from rinsho.model.decode_step import decode_step
from rinsho.model.decoder import Decoder, KeyValueCache, new_decoder
from rinsho.model.presets import DecoderConfig
from rinsho.model.quantize import load_half_decoder, load_int4_decoder
from rinsho.model.rotary import rotary_table

pytestmark = pytest.mark.skipif(not kernels.are_here(), reason="the kernels were not built")

LENGTHS = (1, 63, 5, 200, 64, 17)  # tokens that stand in the cache of each row
SHAPES = {
    "llama": {},
    "llama, tied": {"tie_embeddings": True},
    "odd vocabulary and groups": {"vocab_size": 517, "d_ff": 5 * 64},
    "qwen2": {"qkv_bias": True},
    "qwen3, wide heads": {"qk_norm": True, "d_head": 128},
    "ncvc": {"mlp": "two-matrix", "tie_embeddings": True},
    "biases": {"attention_bias": True, "mlp_bias": True, "n_kv_heads": 4},
}


def config_of(shape: str) -> DecoderConfig:
    given = {
        "vocab_size": 512, "d_model": 128, "n_layers": 2, "n_heads": 4, "n_kv_heads": 2,
        "d_head": 32, "d_ff": 192, "context_length": 256, "tie_embeddings": False,
    }  # fmt: skip
    return DecoderConfig.model_validate(given | SHAPES[shape])


@pytest.fixture(params=["fp32", "bf16", "int4"])
def precision(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=list(SHAPES))
def decoder(request: pytest.FixtureRequest, precision: str, tmp_path: Path) -> Decoder:
    drawn = new_decoder(config_of(request.param), seed=0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in drawn.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    if precision == "fp32":
        return drawn.eval()
    save_weights(drawn, tmp_path)
    return load_half_decoder(tmp_path) if precision == "bf16" else load_int4_decoder(tmp_path)


@pytest.fixture(autouse=True)
def inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


def caches_of(decoder: Decoder) -> list[KeyValueCache]:
    """Caches of rows that have read other prompts, one of them full to the last token."""
    caches: list[KeyValueCache] = []
    for n, length in enumerate(LENGTHS):
        cache = decoder.new_cache(1, length + 1 if length == 64 else 256)
        decoder.next_logits((torch.arange(length)[None] * 7 + n) % 500, cache)
        caches.append(cache)
    return caches


def step(decoder: Decoder, caches: Sequence[KeyValueCache], tokens: Sequence[int]) -> Tensor:
    in_c = decode_step(decoder)
    assert in_c is not None
    positions = torch.tensor([cache.length for cache in caches])
    rotary = rotary_table(positions, decoder.config, [1] * len(caches))
    return in_c(torch.tensor(tokens), caches, rotary)


def test_a_token_of_each_row_gets_what_the_decoder_says(decoder: Decoder, precision: str) -> None:
    ours, plain = caches_of(decoder), caches_of(decoder)
    for tokens in ([3, 50, 90, 7, 11, 300], [8, 3, 8, 400, 1, 2]):
        if tokens[0] == 8:  # the row whose cache is full stays behind
            ours, plain, tokens = ours[:4], plain[:4], tokens[:4]
        found = step(decoder, ours, tokens)
        each = zip(tokens, plain, strict=True)
        expected = torch.cat([decoder.next_logits(torch.tensor([[t]]), c) for t, c in each])
        # Rounded to 8 bits, a number that lies between two can fall to either side.
        tolerance = 2e-2 if precision == "int4" else 2e-5
        assert float((found - expected).abs().max()) < tolerance * float(expected.abs().max())
        for one, other in zip(ours, plain, strict=True):
            assert one.length == other.length
            seen = (slice(None), 0, slice(None), slice(0, one.length))
            assert torch.allclose(one.keys[seen], other.keys[seen], atol=20 * tolerance)
            assert torch.allclose(one.values[seen], other.values[seen], atol=20 * tolerance)


def test_a_row_has_the_same_bytes_alone_among_others_and_with_any_threads(
    decoder: Decoder,
) -> None:
    tokens = [3, 50, 90, 7, 11, 300]
    expected = step(decoder, caches_of(decoder), tokens)
    for threads, rows in ((1, (0,)), (3, (3,)), (2, (1, 2, 5)), (1, (5, 4, 3, 2, 1, 0))):
        caches = caches_of(decoder)
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        found = step(decoder, [caches[n] for n in rows], [tokens[n] for n in rows])
        torch.set_num_threads(before)
        assert torch.equal(found, expected[list(rows)])


def test_a_decoder_that_it_does_not_know_keeps_its_own_step() -> None:
    assert decode_step(new_decoder(config_of("llama"), seed=0).to(torch.bfloat16)) is None
    config = config_of("llama").model_copy(update={"d_ff": 51})
    assert decode_step(new_decoder(config, seed=0)) is None
