"""Adapters against PEFT and transformers, which wrote the format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from rinsho.errors import AdapterMismatch, InvalidValue, UnknownFormat, WeightsMismatch
from rinsho.model.adapter import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    AdapterSettings,
    attach_adapter,
    merge_adapter,
    open_adapter,
    save_adapter,
)
from rinsho.model.base import load_trainable
from rinsho.model.checkpoint import save_weights
from rinsho.model.decoder import Decoder, new_decoder
from rinsho.model.presets import DecoderConfig

pytest.importorskip("peft")

LLAMA = DecoderConfig(
    vocab_size=97, d_model=32, n_layers=2, n_heads=4, n_kv_heads=2, d_head=8, d_ff=48,
    context_length=64, tie_embeddings=False,
)  # fmt: skip
SHAPES = {
    "llama": LLAMA,
    "qwen2": LLAMA.model_copy(update={"qkv_bias": True, "tie_embeddings": True}),
    "qwen3": LLAMA.model_copy(update={"qk_norm": True, "d_head": 16}),
}
TOKENS_BT = torch.randint(0, 97, (2, 20), generator=torch.Generator().manual_seed(5))


def settings(**values: Any) -> AdapterSettings:
    return AdapterSettings.model_validate({"rank": 4, "alpha": 16, **values})


def stir(decoder: Any) -> None:
    """Give what is trained values of its own: a fresh adapter adds nothing."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in decoder.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)


def their_logits(base: Path, adapter: Path) -> torch.Tensor:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model: Any = PeftModel.from_pretrained(plain, adapter)
    with torch.no_grad():
        return model.eval()(input_ids=TOKENS_BT).logits


def our_logits(decoder: Any) -> torch.Tensor:
    """Logits through what every decoder has, ours or another."""
    n_rows, length = TOKENS_BT.shape
    with torch.no_grad():
        hidden = decoder.eval().forward_hidden(TOKENS_BT.flatten(), [length] * n_rows)
        return decoder.logits(hidden).unflatten(0, TOKENS_BT.shape)


@pytest.fixture
def base(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A weights folder of one of our families, or a tiny Gemma."""
    folder, name = tmp_path / "base", getattr(request, "param", "llama")
    folder.mkdir()
    if name == "gemma":
        from transformers import GemmaConfig, GemmaForCausalLM

        torch.manual_seed(0)
        config = GemmaConfig(
            vocab_size=97, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=1, head_dim=8,
        )  # fmt: skip
        GemmaForCausalLM(config).save_pretrained(folder)
    else:
        save_weights(new_decoder(SHAPES[name], seed=1), folder)
    return folder


def tuned(base: Path, folder: Path, **values: Any) -> Any:
    """A decoder with a stirred adapter, saved in `folder`."""
    decoder: Any = load_trainable(base, dtype=torch.float32)
    torch.manual_seed(0)
    attach_adapter(decoder, settings(**values))
    stir(decoder)
    folder.mkdir()
    save_adapter(decoder, folder, settings(**values), "base")
    return decoder


@pytest.mark.parametrize("base", [*SHAPES, "gemma"], indirect=True)
def test_peft_and_transformers_compute_the_logits_of_our_adapter(
    base: Path, tmp_path: Path
) -> None:
    decoder = tuned(base, tmp_path / "adapter")
    theirs = their_logits(base, tmp_path / "adapter")
    assert_close(our_logits(decoder), theirs, rtol=1e-4, atol=1e-4)
    merged: Any = load_trainable(base, dtype=torch.float32)
    assert not torch.allclose(our_logits(merged), theirs, atol=1e-2)
    merge_adapter(merged, open_adapter(tmp_path / "adapter"))
    assert_close(our_logits(merged), theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("base", ["llama", "qwen3"], indirect=True)
def test_modules_to_save_are_trained_whole_and_travel_with_the_adapter(
    base: Path, tmp_path: Path
) -> None:
    decoder = tuned(base, tmp_path / "adapter", modules_to_save=("embed_tokens", "lm_head"))
    trained = {name for name, p in decoder.named_parameters() if p.requires_grad}
    assert any("embed_tokens" in name for name in trained)
    assert any("lm_head" in name for name in trained)
    theirs = their_logits(base, tmp_path / "adapter")
    assert_close(our_logits(decoder), theirs, rtol=1e-4, atol=1e-4)
    merged: Any = load_trainable(base, dtype=torch.float32)
    merge_adapter(merged, open_adapter(tmp_path / "adapter"))
    assert_close(our_logits(merged), theirs, rtol=1e-4, atol=1e-4)


def test_a_fresh_adapter_changes_nothing_and_only_it_takes_a_gradient(base: Path) -> None:
    decoder: Any = load_trainable(base)
    before = our_logits(decoder)
    attach_adapter(decoder, settings())
    assert_close(our_logits(decoder), before, rtol=0, atol=0)
    trained = [name for name, p in decoder.named_parameters() if p.requires_grad]
    assert len(trained) == 2 * 2 * 7  # A and B, two layers, seven matrices
    assert all(".lora_" in name for name in trained)


def test_an_adapter_that_peft_made_is_read(base: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    plain: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    config = LoraConfig(r=3, lora_alpha=5, target_modules=["q_proj", "up_proj"], use_rslora=True)
    theirs: Any = get_peft_model(plain, config)
    stir(theirs)
    theirs.save_pretrained(tmp_path / "adapter")
    merged: Any = load_trainable(base, dtype=torch.float32)
    merge_adapter(merged, open_adapter(tmp_path / "adapter"))
    with torch.no_grad():
        expected = theirs.eval()(input_ids=TOKENS_BT).logits
    assert_close(our_logits(merged), expected, rtol=1e-4, atol=1e-4)


def test_an_adapter_of_another_shape_is_refused(base: Path, tmp_path: Path) -> None:
    tuned(base, tmp_path / "adapter")
    wider = new_decoder(LLAMA.model_copy(update={"d_ff": 56}), seed=0)
    with pytest.raises(AdapterMismatch, match=r"down_proj"):
        merge_adapter(wider, open_adapter(tmp_path / "adapter"))
    shallow = new_decoder(LLAMA.model_copy(update={"n_layers": 1}), seed=0)
    with pytest.raises(AdapterMismatch, match=r"layers\.1.*no such matrix"):
        merge_adapter(shallow, open_adapter(tmp_path / "adapter"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"targets": ("q_prj",)}, "adapter.targets"),
        ({"modules_to_save": ("head",)}, "adapter.modules_to_save"),
    ],
)
def test_names_that_match_nothing_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        attach_adapter(new_decoder(LLAMA, seed=0), settings(**values))


def test_a_tied_embedding_is_not_saved_alone() -> None:
    tied = new_decoder(LLAMA.model_copy(update={"tie_embeddings": True}), seed=0)
    with pytest.raises(InvalidValue, match="tied"):
        attach_adapter(tied, settings(modules_to_save=("embed_tokens",)))


def test_other_kinds_of_adapters_and_damaged_ones_are_refused(base: Path, tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    tuned(base, folder)
    config = json.loads((folder / ADAPTER_CONFIG).read_text())
    for change in ({"peft_type": "IA3"}, {"use_dora": True}, {"bias": "all"}, {"r": "many"}):
        (folder / ADAPTER_CONFIG).write_text(json.dumps(config | change))
        with pytest.raises(UnknownFormat):
            open_adapter(folder)
    (folder / ADAPTER_CONFIG).write_text(json.dumps(config))
    whole = (folder / ADAPTER_WEIGHTS).read_bytes()
    (folder / ADAPTER_WEIGHTS).write_bytes(whole[:-4])
    with pytest.raises(WeightsMismatch):
        open_adapter(folder)


def test_attached_adapters_train_in_place(base: Path) -> None:
    decoder = load_trainable(base, dtype=torch.float32)
    assert isinstance(decoder, Decoder)
    attach_adapter(decoder, settings(dropout=0.1))
    decoder.train()
    tokens_T = TOKENS_BT.flatten()
    decoder.logits(decoder.forward_hidden(tokens_T, [20, 20])).square().sum().backward()
    moved = [p for p in decoder.parameters() if p.grad is not None and p.grad.abs().sum() > 0]
    assert len(moved) == 14  # every B; A moves once B is no longer zero
