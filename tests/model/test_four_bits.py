"""Weights in 4 bits against transformers' own loading by bitsandbytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from rinsho.model.adapter import AdapterSettings, attach_adapter, save_adapter
from rinsho.model.checkpoint import load_decoder, save_weights
from rinsho.model.decoder import new_decoder
from rinsho.model.presets import DecoderConfig

pytest.importorskip("bitsandbytes")
pytest.importorskip("peft")
from rinsho.model.four_bits import load_in_four_bits, n_weights

QWEN2 = DecoderConfig(
    vocab_size=97, d_model=64, n_layers=2, n_heads=4, n_kv_heads=2, d_head=16, d_ff=128,
    context_length=64, tie_embeddings=False, qkv_bias=True,
)  # fmt: skip
SETTINGS = AdapterSettings.model_validate({"kind": "qlora", "rank": 4, "alpha": 8})
TOKENS_T = torch.arange(48)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "base"
    folder.mkdir()
    decoder = new_decoder(QWEN2, seed=1)
    drawn = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=drawn) * 0.1)
    save_weights(decoder, folder)
    return folder


def logits(decoder: Any) -> torch.Tensor:
    with torch.no_grad():
        return decoder.eval().logits(decoder.forward_hidden(TOKENS_T, [48]))


def test_four_bits_and_an_adapter_compute_what_transformers_and_peft_compute(
    base: Path, tmp_path: Path
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    decoder = load_in_four_bits(base, dtype=torch.float32)
    attach_adapter(decoder, SETTINGS)
    with torch.no_grad():
        for parameter in decoder.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    (tmp_path / "adapter").mkdir()
    save_adapter(decoder, tmp_path / "adapter", SETTINGS, "base")
    how = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
    )  # fmt: skip
    plain = AutoModelForCausalLM.from_pretrained(
        base, quantization_config=how, dtype=torch.float32, device_map="cpu"
    )
    theirs: Any = PeftModel.from_pretrained(plain, tmp_path / "adapter")
    for module in (*decoder.modules(), *theirs.modules()):
        if hasattr(module, "support_avx512bf16_for_cpu"):  # bitsandbytes then rounds to bf16
            module.support_avx512bf16_for_cpu = False
    with torch.no_grad():
        expected = theirs.eval()(input_ids=TOKENS_T[None]).logits[0]
    assert_close(logits(decoder), expected, rtol=1e-4, atol=1e-4)


def test_four_bits_stay_near_the_weights_they_stand_for(base: Path) -> None:
    whole, packed = load_decoder(base), load_in_four_bits(base, dtype=torch.float32)
    error = (logits(whole) - logits(packed)).square().mean() / logits(whole).square().mean()
    assert 0 < error < 0.15  # matrices of 32 to 128 columns: four bits are coarse there
    n_bytes = sum(p.numel() * p.element_size() for p in packed.parameters())
    matrices = 2 * (64 * (64 + 32 + 32 + 64) + 3 * 64 * 128)
    assert n_bytes == sum(p.numel() * 4 for p in whole.parameters()) - matrices * 4 + matrices // 2
    assert sum(map(n_weights, packed.parameters())) == sum(p.numel() for p in whole.parameters())


def test_only_the_adapter_takes_a_gradient_through_four_bits(base: Path) -> None:
    decoder = load_in_four_bits(base, dtype=torch.float32)
    before = {n: p.clone() for n, p in decoder.named_parameters()}
    attach_adapter(decoder, SETTINGS)
    decoder.train()
    decoder.logits(decoder.forward_hidden(TOKENS_T, [48])).square().sum().backward()
    with_gradient = [name for name, p in decoder.named_parameters() if p.grad is not None]
    assert with_gradient and all(".lora_" in name for name in with_gradient)
    logits(decoder)  # evaluation repacks nothing
    after = {n.replace(".base_layer", ""): p for n, p in decoder.named_parameters()}
    assert all(torch.equal(before[name], after[name]) for name in before)
