"""Other architectures behind our Protocol: a tiny Gemma and a tiny GPT-NeoX."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from rinsho.errors import PathMissing, UnknownArchitecture, WeightsMismatch
from rinsho.model.base import load_trainable
from rinsho.model.decoder_protocol import TrainableDecoder
from rinsho.model.loss import summed_cross_entropy
from rinsho.model.transformers_decoder import TransformersDecoder, save_transformers_decoder

SIZES = {
    "vocab_size": 97, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 48, "max_position_embeddings": 64, "bos_token_id": 1, "eos_token_id": 2,
    "pad_token_id": 0,
}  # fmt: skip
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "gemma": ("Gemma", {"head_dim": 8, "num_key_value_heads": 1}),
    "gpt-neox": ("GPTNeoX", {}),
    "qwen2 with a window": (
        "Qwen2",
        {
            "use_sliding_window": True,
            "sliding_window": 8,
            "max_window_layers": 1,
            "num_key_value_heads": 2,
        },
    ),
}
LENGTHS = [7, 30, 12, 28, 1]
TOKENS_T = torch.randint(3, 97, (sum(LENGTHS),), generator=torch.Generator().manual_seed(5))


def their_model(kind: str, **changes: Any) -> Any:
    import transformers

    name, more = KINDS[kind]
    config = getattr(transformers, f"{name}Config")(**{**SIZES, **more, **changes})
    torch.manual_seed(3)
    model = getattr(transformers, f"{name}ForCausalLM")(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


@pytest.fixture(params=KINDS)
def folder(request: Any, tmp_path: Path) -> Path:
    their_model(request.param).save_pretrained(tmp_path)
    return tmp_path


def test_packed_segments_are_what_each_is_alone(folder: Path) -> None:
    from transformers import AutoModelForCausalLM

    decoder: TrainableDecoder = load_trainable(folder)
    assert isinstance(decoder, TransformersDecoder)
    theirs = AutoModelForCausalLM.from_pretrained(folder).eval()
    with torch.no_grad():
        packed = decoder.forward_hidden(TOKENS_T, LENGTHS).split(LENGTHS)
        for tokens, hidden in zip(TOKENS_T.split(LENGTHS), packed, strict=True):
            assert_close(hidden, decoder.forward_hidden(tokens, [len(tokens)]), atol=1e-5, rtol=0)
            expected = theirs(tokens[None]).logits[0]
            assert_close(decoder.logits(hidden), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", ["gemma", "gpt-neox"])
def test_a_token_sees_both_ways_on_request_and_only_its_segment(kind: str, tmp_path: Path) -> None:
    their_model(kind).save_pretrained(tmp_path)
    decoder = load_trainable(tmp_path)
    with torch.no_grad():
        packed = decoder.forward_hidden(TOKENS_T, LENGTHS, is_causal=False).split(LENGTHS)
        for tokens, hidden in zip(TOKENS_T.split(LENGTHS), packed, strict=True):
            alone = decoder.forward_hidden(tokens, [len(tokens)], is_causal=False)
            assert_close(hidden, alone, atol=1e-5, rtol=0)
        changed = TOKENS_T[:7].clone()
        changed[-1] = 3
        first = decoder.forward_hidden(changed, [7], is_causal=False)[0]
    assert not torch.allclose(first, packed[0][0], atol=1e-4)


def test_a_few_steps_lower_the_loss(folder: Path) -> None:
    decoder = load_trainable(folder)
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=5e-3)
    losses: list[float] = []
    counted_T = torch.ones(len(TOKENS_T) - 1, dtype=torch.bool)
    for _ in range(10):
        hidden_TD = decoder.forward_hidden(TOKENS_T[:-1], [37, 40])
        loss = summed_cross_entropy(hidden_TD, decoder.output_weight, TOKENS_T[1:], counted_T)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]


def test_saved_weights_come_back(folder: Path, tmp_path: Path) -> None:
    decoder = load_trainable(folder)
    assert isinstance(decoder, TransformersDecoder)
    out = tmp_path / "again"
    out.mkdir()
    save_transformers_decoder(decoder, out, max_shard_bytes=20_000)
    assert (out / "model.safetensors.index.json").is_file()
    again = load_trainable(out)
    for name, tensor in decoder.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])


def change_config(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


@pytest.mark.parametrize(
    "change",
    [
        {"model_type": "nothing-known"},
        {"final_logit_softcapping": 30.0},
        {"quantization_config": {"quant_method": "gptq", "bits": 4}},
    ],
)
def test_what_the_protocol_cannot_say_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    their_model("gemma").save_pretrained(tmp_path)
    change_config(tmp_path, **change)
    with pytest.raises(UnknownArchitecture):
        load_trainable(tmp_path)


def test_missing_and_damaged_tensors_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    their_model("gpt-neox").save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    raw, tensors = path.read_bytes(), load_file(path)
    change_config(tmp_path, intermediate_size=40)
    with pytest.raises(WeightsMismatch):
        load_trainable(tmp_path)
    change_config(tmp_path, intermediate_size=48)
    tensors.pop("gpt_neox.final_layer_norm.weight")
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(WeightsMismatch, match="final_layer_norm"):
        load_trainable(tmp_path)
    path.write_bytes(raw[:-8])
    with pytest.raises(WeightsMismatch, match=r"model\.safetensors"):
        load_trainable(tmp_path)
    path.unlink()
    with pytest.raises(PathMissing):
        load_trainable(tmp_path)
