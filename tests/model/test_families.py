"""Every family with every way to stretch its positions, against transformers, both ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from rinsho.model.checkpoint import load_decoder, save_weights
from rinsho.model.decoder import Decoder

ORIGINAL, STRETCHED = 32, 128
FAMILIES: dict[str, dict[str, Any]] = {
    "Llama": {},
    "Llama with biases": {"attention_bias": True, "mlp_bias": True},
    "Arcee": {"hidden_act": "silu", "tie_word_embeddings": True},
    "Arcee with biases": {"hidden_act": "silu", "attention_bias": True, "mlp_bias": True},
    "Qwen2": {"rms_norm_eps": 1e-6, "tie_word_embeddings": True},
    "Qwen3": {"head_dim": 16},
    "Qwen3 with biases": {"head_dim": 16, "attention_bias": True},
}
ROPES: dict[str, dict[str, Any]] = {
    "default": {"rope_type": "default"},
    "linear": {"rope_type": "linear", "factor": 4.0},
    "dynamic": {"rope_type": "dynamic", "factor": 4.0},
    "llama3": {
        "rope_type": "llama3",
        "factor": 4.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": ORIGINAL,
    },
    "yarn": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": ORIGINAL},
    "yarn with all it takes": {
        "rope_type": "yarn",
        "factor": 4.0,
        "original_max_position_embeddings": ORIGINAL,
        "beta_fast": 16.0,
        "beta_slow": 2.0,
        "mscale": 0.8,
        "mscale_all_dim": 0.5,
        "truncate": False,
    },
}
TOKENS_BT = torch.randint(0, 97, (2, 100), generator=torch.Generator().manual_seed(5))


def their_model(family: str, rope: str) -> Any:
    """A model of transformers with large random weights, biases and norms too."""
    import transformers

    kind = family.partition(" ")[0]
    config = getattr(transformers, f"{kind}Config")(
        **{
            "vocab_size": 97, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": 2, "intermediate_size": 48, "bos_token_id": 1,
            "eos_token_id": None, "pad_token_id": 0,
            "max_position_embeddings": ORIGINAL if rope == "dynamic" else STRETCHED,
            "rope_parameters": {**ROPES[rope], "rope_theta": 1e4},
            **FAMILIES[family],
        }
    )  # fmt: skip
    torch.manual_seed(3)
    model = getattr(transformers, f"{kind}ForCausalLM")(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return model


def greedy(decoder: Decoder, prompt: list[int], n_new: int) -> list[int]:
    cache, tokens, found = decoder.new_cache(1, len(prompt) + n_new), prompt, list(prompt)
    for _ in range(n_new):
        with torch.no_grad():
            tokens = [int(decoder.next_logits(torch.tensor([tokens]), cache).argmax())]
        found += tokens
    return found


@pytest.mark.parametrize("rope", ROPES)
@pytest.mark.parametrize("family", FAMILIES)
def test_logits_and_greedy_text_are_those_of_transformers_both_ways(
    family: str, rope: str, tmp_path: Path
) -> None:
    from transformers import AutoModelForCausalLM

    theirs = their_model(family, rope)
    theirs.save_pretrained(tmp_path / "theirs")
    ours = load_decoder(tmp_path / "theirs").eval()
    assert ours.config.context_length >= TOKENS_BT.shape[1]
    (tmp_path / "ours").mkdir()
    save_weights(ours, tmp_path / "ours")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "ours").eval()
    prompt = TOKENS_BT[:1, :20]
    with torch.no_grad():
        # A model of transformers with "dynamic" remembers how far it was stretched: text first.
        text = again.generate(prompt, max_new_tokens=30, do_sample=False)[0].tolist()
        logits_BTV = ours(TOKENS_BT)
        assert_close(logits_BTV, theirs(TOKENS_BT).logits, atol=1e-4, rtol=0)
        assert_close(logits_BTV, again(TOKENS_BT).logits, atol=1e-4, rtol=0)
    assert greedy(ours, prompt[0].tolist(), 30) == text
    assert load_decoder(tmp_path / "ours").config == ours.config


@pytest.mark.parametrize("rope", ROPES)
def test_packed_segments_are_stretched_each_by_itself(rope: str, tmp_path: Path) -> None:
    their_model("Llama", rope).save_pretrained(tmp_path)
    decoder = load_decoder(tmp_path).eval()
    lengths = [20, 90, 40]
    tokens_T = torch.randint(0, 97, (sum(lengths),), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        packed = decoder.forward_hidden(tokens_T, lengths).split(lengths)
        for tokens, hidden in zip(tokens_T.split(lengths), packed, strict=True):
            assert_close(hidden, decoder.forward_hidden(tokens, [len(tokens)]))


def test_the_spelling_of_transformers_4_means_the_same(tmp_path: Path) -> None:
    import json

    theirs = their_model("Llama", "yarn")
    theirs.save_pretrained(tmp_path)
    new = load_decoder(tmp_path).config
    config = json.loads((tmp_path / "config.json").read_text())
    rope = config.pop("rope_parameters")
    config |= {"rope_theta": rope.pop("rope_theta"), "rope_scaling": rope}
    rope["type"] = rope.pop("rope_type")
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert load_decoder(tmp_path).config == new
