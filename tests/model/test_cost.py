"""Costs from the shape alone against torch: its parameters, its FLOP counter, its saved tensors."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from rinsho.errors import InvalidValue
from rinsho.model import cost, loss, memory
from rinsho.model.decoder import Decoder, new_decoder
from rinsho.model.presets import OPEN_SHAPES, PRESETS, DecoderConfig, decoder_config

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
    decoder = new_decoder(config, seed=0).double()  # in fp32 attention can be ours, in C
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
    expected = 4 * memory.activation_numbers(config) * n_tokens
    assert expected == pytest.approx(sum(kept.values()) + hidden.nbytes, rel=0.05)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_chunk_of_the_loss_is_that_of_the_loss(device: Any) -> None:
    found = memory.training_memory(PRESETS["100m"], 65_536, "fp32", device=device)
    assert found.loss_chunk == 4 * loss.N_CHUNK_LOGITS[device]


@pytest.mark.parametrize("config", [SMALL, VARIANTS[1], VARIANTS[3]])
def test_an_adapter_has_the_parameters_that_peft_makes(config: DecoderConfig) -> None:
    pytest.importorskip("peft")
    from rinsho.model.adapter import AdapterSettings, attach_adapter

    for values in (
        {"rank": 4},
        {"rank": 3, "targets": ["q_proj", "down_proj"]},
        {"rank": 2, "modules_to_save": ["lm_head"]} if not config.tie_embeddings else {"rank": 2},
    ):
        decoder = new_decoder(config, seed=0)
        settings = AdapterSettings.model_validate(values)
        attach_adapter(decoder, settings)
        tuning = memory.Tuning(settings.rank, settings.targets, settings.modules_to_save)
        trained = sum(p.numel() for p in decoder.parameters() if p.requires_grad)
        assert memory.count_trained(config, tuning) == trained


def test_frozen_weights_take_what_their_form_takes() -> None:
    shape = OPEN_SHAPES["qwen2-7b"]
    n_all = cost.count_parameters(shape).total
    assert memory.weight_bytes(shape, "bf16") == 4 * n_all
    adapter = 4 * memory.count_trained(shape, memory.Tuning(rank=16))
    plain = memory.weight_bytes(shape, "bf16", memory.Tuning(rank=16))
    assert plain == 2 * n_all + adapter
    four_bits = memory.weight_bytes(shape, "bf16", memory.Tuning(rank=16, is_quantized=True))
    in_linears = 28 * (2 * 3_584 * 3_584 + 2 * 3_584 * 512 + 3 * 3_584 * 18_944)
    expected = 2 * (n_all - in_linears) + in_linears * (4 + 8 / 64 + 32 / (64 * 256)) / 8
    assert four_bits == pytest.approx(expected + adapter, abs=1)


def test_accumulation_an_average_and_8_bits_change_the_peak_by_what_they_hold() -> None:
    shape = PRESETS["10m"]
    n = cost.count_parameters(shape).total

    def peak(**values: Any) -> int:
        return memory.training_memory(shape, 8_192, "fp32", memory.Tuning(**values)).peak

    alone = peak(accumulates=False)
    assert peak() - alone == 4 * (n - shape.vocab_size * shape.d_model)
    assert peak(has_average=True) - peak() == 4 * n
    assert peak() - peak(has_8bit_optimizer=True) == pytest.approx((8 - 2 - 8 / 256) * n, abs=1)
    assert peak(recomputes=True) < 0.6 * peak()


@pytest.mark.parametrize(
    ("name", "n_parameters"),
    [
        ("qwen2-0.5b", 494_032_768),
        ("qwen2-1.5b", 1_543_714_304),
        ("qwen2-7b", 7_615_616_512),
        ("qwen3-0.6b", 596_049_920),
        ("qwen3-8b", 8_190_735_360),
        ("llama-2-7b", 6_738_415_616),
        ("llama-3-8b", 8_030_261_248),
        ("llama-3.1-8b", 8_030_261_248),
    ],
)
def test_open_shapes_have_their_published_size(name: str, n_parameters: int) -> None:
    assert cost.count_parameters(OPEN_SHAPES[name]).total == n_parameters


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
    code = "import sys; import rinsho.model.memory; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
