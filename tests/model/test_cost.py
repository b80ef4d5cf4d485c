"""Costs from the shape alone against torch: its parameters, its FLOP counter, its saved tensors."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from rinsho.errors import InvalidValue
from rinsho.model import cost, loss
from rinsho.model.decoder import Decoder, new_decoder
from rinsho.model.presets import PRESETS, DecoderConfig, decoder_config

SMALL = DecoderConfig(
    vocab_size=97, d_model=64, n_layers=3, n_heads=4, n_kv_heads=2, d_head=16, d_ff=160,
    context_length=64,
)  # fmt: skip
VARIANTS = [
    SMALL,
    SMALL.model_copy(update={"mlp": "two-matrix", "tie_embeddings": False}),
    SMALL.model_copy(update={"qkv_bias": True}),
    SMALL.model_copy(update={"qk_norm": True, "d_head": 32}),
    SMALL.model_copy(update={"attention_bias": True, "mlp_bias": True}),
]


@pytest.mark.parametrize("config", [*PRESETS.values(), *VARIANTS])
def test_parameters_are_those_of_the_decoder(config: DecoderConfig) -> None:
    with torch.device("meta"):
        decoder = Decoder(config)
    counted = cost.count_parameters(config)
    assert counted.total == sum(p.numel() for p in decoder.parameters())
    assert counted.mlp == sum(p.numel() for n, p in decoder.named_parameters() if ".mlp." in n)


def test_the_shape_of_ncvc_slm_1_has_its_published_size() -> None:
    assert round(cost.count_parameters(PRESETS["ncvc-1.2b"]).total / 1e9, 3) == 1.191


@pytest.mark.parametrize(
    ("preset", "low", "high"),
    [("demo", 3e6, 8e6), ("10m", 9e6, 11e6), ("30m", 27e6, 36e6), ("100m", 90e6, 115e6)],
)
def test_presets_have_the_size_of_their_name(preset: str, low: float, high: float) -> None:
    assert low < cost.count_parameters(PRESETS[preset]).total < high


@pytest.mark.parametrize("config", VARIANTS)
def test_flops_are_those_that_torch_counts(config: DecoderConfig) -> None:
    decoder = new_decoder(config, seed=0)
    n_tokens = 48
    # torch's counter knows the plain form of attention, not the CPU's fused one.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        decoder(torch.zeros(1, n_tokens, dtype=torch.int64))
    # The plain form computes all scores of a causal row before it hides half of them.
    expected = cost.count_flops(config, n_seen_tokens=n_tokens).forward * n_tokens
    assert counter.get_total_flops() == expected


@pytest.mark.parametrize("config", VARIANTS)
def test_activations_are_near_what_torch_keeps(config: DecoderConfig) -> None:
    decoder, n_tokens = new_decoder(config, seed=0), 256
    kept: dict[int, int] = {}
    tensors: list[torch.Tensor] = []  # alive, so that no address stands for two of them
    parameters = {p.untyped_storage().data_ptr() for p in decoder.parameters()}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            kept[storage.data_ptr()] = storage.nbytes()
            tensors.append(tensor)
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        tokens_T = torch.zeros(n_tokens, dtype=torch.int64)
        hidden = decoder.forward_hidden(tokens_T, [64, 60, 70, 62])
    expected = 4 * cost.activation_numbers(config) * n_tokens
    assert expected == pytest.approx(sum(kept.values()) + hidden.nbytes, rel=0.05)


def test_the_chunk_of_the_loss_is_that_of_the_loss() -> None:
    memory = cost.training_memory(PRESETS["100m"], 8_192, "fp32")
    assert memory.loss_chunk == 4 * 3 * loss.N_CHUNK_LOGITS["cpu"]


def test_a_cache_has_the_bytes_of_its_tensors() -> None:
    cache = new_decoder(SMALL, seed=0).new_cache(1, 40)
    assert cost.cache_bytes(SMALL, 40, "fp32") == cache.keys.nbytes + cache.values.nbytes


def test_a_preset_takes_the_vocabulary_and_the_context_of_the_run() -> None:
    config = decoder_config("demo", vocab_size=5_000, context_length=128)
    assert (config.vocab_size, config.context_length) == (5_000, 128)
    assert config.d_model == PRESETS["demo"].d_model
    with pytest.raises(InvalidValue, match="demo, 10m"):
        decoder_config("huge")


@pytest.mark.parametrize(
    "change",
    [{"n_kv_heads": 3}, {"d_head": 7}, {"qkv_bias": True, "qk_norm": True}, {"n_layer": 2}],
)
def test_a_shape_that_cannot_be_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"n_kv_heads|d_head|exclude|n_layer"):
        DecoderConfig.model_validate({**SMALL.model_dump(), **change})


def test_costs_need_no_torch() -> None:
    code = "import sys; import rinsho.model.cost; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
