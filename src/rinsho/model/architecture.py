"""The decoder's shape in the words of transformers' config.json, and back.

| block | class | model_type |
|---|---|---|
| gated MLP | LlamaForCausalLM | llama |
| two-matrix SiLU MLP | ArceeForCausalLM, hidden_act = silu | arcee |
| gated MLP, biases on queries, keys and values | Qwen2ForCausalLM | qwen2 |
| gated MLP, norms on query and key heads | Qwen3ForCausalLM | qwen3 |
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from rinsho.errors import PathMissing, PickleRefused, UnknownArchitecture, WeightsMismatch
from rinsho.model.presets import DecoderConfig, RopeScaling

CONFIG = "config.json"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
CLASSES = {
    "llama": "LlamaForCausalLM",
    "arcee": "ArceeForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
}

# What transformers takes where config.json does not say.
_NORM_EPS = {"arcee": 1e-5}
_D_HEAD = {"qwen3": 128}
_OF_YARN = ("beta_fast", "beta_slow", "attention_factor", "truncate")
_OF_LLAMA3 = ("low_freq_factor", "high_freq_factor")


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
    scaling = _scaling_out(config.rope_scaling)
    rope = {"rope_type": "default", **scaling, "rope_theta": config.rope_theta}
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
        **({"rope_scaling": scaling} if scaling else {}),
        "rope_parameters": rope,  # transformers 5
        "max_position_embeddings": _max_positions(config),
        **{name: True for name in ("attention_bias", "mlp_bias") if getattr(config, name)},
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
        scaling = _scaling_in(value)
        n_heads = value["num_attention_heads"]
        return DecoderConfig(
            vocab_size=value["vocab_size"],
            d_model=value["hidden_size"],
            n_layers=value["num_hidden_layers"],
            n_heads=n_heads,
            n_kv_heads=value.get("num_key_value_heads") or n_heads,
            d_head=value.get("head_dim") or _D_HEAD.get(kind) or value["hidden_size"] // n_heads,
            d_ff=value["intermediate_size"],
            mlp="two-matrix" if kind == "arcee" else "gated",
            rope_theta=float(_rope(value).get("rope_theta", value.get("rope_theta", 10_000.0))),
            norm_eps=value.get("rms_norm_eps", _NORM_EPS.get(kind, 1e-6)),
            tie_embeddings=value.get("tie_word_embeddings", False),
            context_length=_context_length(value["max_position_embeddings"], scaling),
            qkv_bias=kind == "qwen2",
            qk_norm=kind == "qwen3",
            attention_bias=kind != "qwen2" and bool(value.get("attention_bias")),
            mlp_bias=kind in ("llama", "arcee") and bool(value.get("mlp_bias")),
            rope_scaling=scaling,
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
    """Return the rotary part: as transformers 4 spells it, or as 5 does."""
    return value.get("rope_scaling") or value.get("rope_parameters") or {}


def _rope_type(value: Mapping[str, Any]) -> str:
    rope = _rope(value)
    return str(rope.get("rope_type") or rope.get("type") or "default")


def _scaling_in(value: Mapping[str, Any]) -> RopeScaling | None:
    rope, kind = _rope(value), _rope_type(value)
    if kind == "default":
        return None
    longest = value["max_position_embeddings"]
    original = longest
    if kind in ("llama3", "yarn"):
        outside = value.get("original_max_position_embeddings")
        original = outside or rope.get("original_max_position_embeddings") or longest
    names = {"llama3": _OF_LLAMA3, "yarn": _OF_YARN}.get(kind, ())
    given = {name: rope[name] for name in names if rope.get(name) is not None}
    factor = rope.get("factor")
    if factor is None:
        factor = longest / original
    if kind == "yarn" and "attention_factor" not in given:
        given |= _by_mscale(factor, rope.get("mscale"), rope.get("mscale_all_dim"))
    return RopeScaling(kind=kind, factor=factor, original=original, **given)  # type: ignore[arg-type]


def _by_mscale(factor: float, above: Any, below: Any) -> dict[str, float]:
    """Return YaRN's scale as DeepSeek's configs spell it; empty where they do not."""
    if not (above and below):
        return {}
    logarithm = 0.1 * math.log(factor)
    return {"attention_factor": (above * logarithm + 1) / (below * logarithm + 1)}


def _scaling_out(scaling: RopeScaling | None) -> dict[str, Any]:
    if scaling is None:
        return {}
    value: dict[str, Any] = {"rope_type": scaling.kind, "factor": scaling.factor}
    if scaling.kind in ("llama3", "yarn"):
        value["original_max_position_embeddings"] = scaling.original
    names = {"llama3": _OF_LLAMA3, "yarn": _OF_YARN}.get(scaling.kind, ())
    given = {name: getattr(scaling, name) for name in names}
    return value | {name: one for name, one in given.items() if one is not None}


def _context_length(longest: int, scaling: RopeScaling | None) -> int:
    """Return the most tokens a model is meant for.

    "dynamic" states the context before the stretching, and so do many files with "yarn" (Qwen2.5).
    """
    if scaling is None or scaling.kind not in ("dynamic", "yarn"):
        return longest
    return max(longest, int(scaling.original * scaling.factor))


def _max_positions(config: DecoderConfig) -> int:
    scaling = config.rope_scaling
    is_dynamic = scaling is not None and scaling.kind == "dynamic"
    return scaling.original if scaling is not None and is_dynamic else config.context_length


def _refuse_what_differs(value: Mapping[str, Any], kind: str, where: str) -> None:
    """Refuse a model of another family, or one with a switch that would change its answers."""
    scaling, layers = _rope_type(value), value.get("layer_types") or ()
    found = None
    if kind not in CLASSES:
        found = f"model_type = {kind}"
    elif value.get("auto_map"):
        found = "auto_map: a model that brings its own program"
    elif scaling not in ("default", "linear", "dynamic", "llama3", "yarn"):
        found = f"rope_type = {scaling}"
    elif value.get("use_sliding_window") or set(layers) - {"full_attention"}:
        found = "a sliding window"
    elif value.get("hidden_act", "relu2" if kind == "arcee" else "silu") != "silu":
        found = "hidden_act is not silu"
    elif "partial_rotary_factor" in {**value, **_rope(value)}:
        found = "partial_rotary_factor"
    elif value.get("quantization_config"):
        found = "quantization_config: weights that are already quantised"
    if found is not None:
        raise UnknownArchitecture(where=where, found=found, expected=", ".join(CLASSES.values()))


def read_config_file(folder: Path) -> dict[str, Any]:
    """Return the content of a folder's config.json.

    Raises:
        PathMissing: There is none.
        WeightsMismatch: It is no JSON object.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise PathMissing(where=f"{folder.name}/{CONFIG}")
    try:
        value: Any = json.loads(path.read_bytes())
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise WeightsMismatch(where=f"{folder.name}/{CONFIG}", expected="JSON", found="other bytes")
    return cast(dict[str, Any], value)


def refuse_pickles(folder: Path) -> None:
    """Refuse a folder whose weights lie in a pickle, which can run any program.

    Raises:
        PickleRefused
    """
    if pickles := sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern)):
        raise PickleRefused(where=f"{folder.name}/{pickles[0]}")
