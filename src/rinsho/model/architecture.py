"""The decoder's shape in the words of transformers' config.json, and back.

| block | class | model_type |
|---|---|---|
| gated MLP | LlamaForCausalLM | llama |
| two-matrix SiLU MLP | ArceeForCausalLM, hidden_act = silu | arcee |
| gated MLP, biases on queries, keys and values | Qwen2ForCausalLM | qwen2 |
| gated MLP, norms on query and key heads | Qwen3ForCausalLM | qwen3 |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from rinsho.errors import UnknownArchitecture, WeightsMismatch
from rinsho.model.presets import DecoderConfig

CLASSES = {
    "llama": "LlamaForCausalLM",
    "arcee": "ArceeForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
}

# Switches that change the computation; the decoder has none of them. Absent means off.
_MUST_BE_OFF = ("attention_bias", "mlp_bias", "use_sliding_window")


def model_type(config: DecoderConfig) -> str:
    """Return transformers' name of the architecture."""
    if config.mlp == "two-matrix":
        return "arcee"
    if config.qkv_bias:
        return "qwen2"
    return "qwen3" if config.qk_norm else "llama"


def to_transformers(config: DecoderConfig) -> dict[str, Any]:
    """Return the content of config.json."""
    kind = model_type(config)
    rope = {"rope_type": "default", "rope_theta": config.rope_theta}
    return {
        "architectures": [CLASSES[kind]],
        "model_type": kind,
        "vocab_size": config.vocab_size,
        "hidden_size": config.d_model,
        "num_hidden_layers": config.n_layers,
        "num_attention_heads": config.n_heads,
        "num_key_value_heads": config.n_kv_heads,
        "head_dim": config.d_head,
        "intermediate_size": config.d_ff,
        "hidden_act": "silu",
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_theta,  # transformers 4, vLLM, llama.cpp
        "rope_parameters": rope,  # transformers 5
        "max_position_embeddings": config.context_length,
        "tie_word_embeddings": config.tie_embeddings,
        "attention_dropout": 0.0,
        "initializer_range": 0.02,
        "use_cache": True,
    }


def from_transformers(value: Mapping[str, Any], where: str) -> DecoderConfig:
    """Return the shape that a config.json describes.

    Raises:
        UnknownArchitecture: It asks for something that the decoder does not compute.
        WeightsMismatch: A number is missing or impossible.
    """
    try:
        kind = str(value.get("model_type"))
        _refuse_what_differs(value, kind, where)
        n_heads = value["num_attention_heads"]
        return DecoderConfig(
            vocab_size=value["vocab_size"],
            d_model=value["hidden_size"],
            n_layers=value["num_hidden_layers"],
            n_heads=n_heads,
            n_kv_heads=value.get("num_key_value_heads") or n_heads,
            d_head=value.get("head_dim") or value["hidden_size"] // n_heads,
            d_ff=value["intermediate_size"],
            mlp="two-matrix" if kind == "arcee" else "gated",
            rope_theta=float(_rope(value).get("rope_theta", value.get("rope_theta", 10_000.0))),
            norm_eps=value.get("rms_norm_eps", 1e-6),
            tie_embeddings=value.get("tie_word_embeddings", False),
            context_length=value["max_position_embeddings"],
            qkv_bias=kind == "qwen2",
            qk_norm=kind == "qwen3",
        )
    except KeyError as error:
        raise WeightsMismatch(where=where, expected=str(error), found="no such key") from None
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in problem["loc"])
        raise WeightsMismatch(where=where, expected=problem["msg"], found=key) from None
    except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
        found = type(error).__name__
        raise WeightsMismatch(where=where, expected="a model's config.json", found=found) from None


def _rope(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return value.get("rope_parameters") or value.get("rope_scaling") or {}


def _refuse_what_differs(value: Mapping[str, Any], kind: str, where: str) -> None:
    """Refuse a model of another family, or one with a switch that would change its answers."""
    rope = _rope(value)
    scaling = rope.get("rope_type", rope.get("type", "default"))
    found = next((switch for switch in _MUST_BE_OFF if value.get(switch)), None)
    if kind not in CLASSES:
        found = kind
    elif scaling != "default":
        found = f"rope_type = {scaling}"
    elif value.get("hidden_act", "relu2" if kind == "arcee" else "silu") != "silu":
        found = "hidden_act is not silu"
    elif "partial_rotary_factor" in rope or value.get("quantization_config"):
        found = "partial_rotary_factor or quantization_config"
    if found is not None:
        raise UnknownArchitecture(where=where, found=found, expected=", ".join(CLASSES.values()))
