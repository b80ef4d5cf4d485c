"""The shape of a decoder, and the shapes that have a name."""

from __future__ import annotations

import math
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rinsho.errors import InvalidValue


class RopeScaling(BaseModel):
    """How rotary positions are stretched beyond the context a model was trained in."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: Literal["linear", "dynamic", "llama3", "yarn"]
    factor: float = Field(ge=1.0, le=1e6, description="how many times longer")
    original: int = Field(gt=1, le=1 << 40, description="tokens of the context before")
    low_freq_factor: float = Field(default=1.0, gt=0, le=1e6, description="llama3")
    high_freq_factor: float = Field(default=4.0, gt=0, le=1e6, description="llama3")
    beta_fast: float = Field(default=32.0, gt=0, le=1e6, description="yarn")
    beta_slow: float = Field(default=1.0, gt=0, le=1e6, description="yarn")
    truncate: bool = Field(default=True, description="yarn: whole pairs at the borders")
    attention_factor: float | None = Field(
        default=None, ge=0, le=1e6, description="yarn: scales cosine and sine; None: by the factor"
    )

    @model_validator(mode="after")
    def _has_a_range(self) -> Self:
        if self.kind == "llama3" and self.low_freq_factor >= self.high_freq_factor:
            raise ValueError("low_freq_factor has to be below high_freq_factor")
        return self

    def yarn_factor(self) -> float:
        """Return what YaRN scales cosines and sines by (arXiv 2309.00071, equation 22)."""
        if self.attention_factor is not None:
            return self.attention_factor
        return 0.1 * math.log(self.factor) + 1.0


class DecoderConfig(BaseModel):
    """The shape of a decoder: everything that its weights depend on.

    The upper limits are far beyond any model; a damaged config.json must not build a giant.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    vocab_size: int = Field(gt=0, le=16_777_216, description="tokens, special ones included")
    d_model: int = Field(gt=0, le=65_536, description="width of the residual stream")
    n_layers: int = Field(gt=0, le=1_024, description="blocks")
    n_heads: int = Field(gt=0, le=1_024, description="query heads")
    n_kv_heads: int = Field(
        gt=0, le=1_024, description="key and value heads; n_heads is a multiple of it"
    )
    d_head: int = Field(gt=0, le=65_536, multiple_of=2, description="width of a head")
    d_ff: int = Field(gt=0, le=1_048_576, description="inner width of the MLP")
    mlp: Literal["gated", "two-matrix"] = Field(
        default="gated", description="down(silu(gate(x)) * up(x)), or down(silu(up(x)))"
    )
    rope_theta: float = Field(default=10_000.0, gt=0, description="base of the rotary frequencies")
    norm_eps: float = Field(default=1e-5, gt=0, description="added to the mean square in RMSNorm")
    tie_embeddings: bool = Field(
        default=True, description="whether the output matrix is the embedding"
    )
    context_length: int = Field(
        default=512, gt=1, description="the most tokens the model sees at once"
    )
    qkv_bias: bool = Field(default=False, description="biases on queries, keys and values (Qwen2)")
    qk_norm: bool = Field(default=False, description="RMSNorm on each query and key head (Qwen3)")
    attention_bias: bool = Field(
        default=False, description="biases on all four matrices of attention"
    )
    mlp_bias: bool = Field(default=False, description="biases on all matrices of the MLP")
    rope_scaling: RopeScaling | None = Field(
        default=None, description="how rotary positions are stretched"
    )

    @model_validator(mode="after")
    def _fits_a_known_architecture(self) -> Self:
        if self.n_heads % self.n_kv_heads:
            raise ValueError("n_heads has to be a multiple of n_kv_heads")
        if (self.mlp == "two-matrix") + self.qkv_bias + self.qk_norm > 1:
            raise ValueError("two-matrix, qkv_bias and qk_norm exclude each other")
        if self.qkv_bias and self.attention_bias:
            raise ValueError("attention_bias holds qkv_bias: set one of them")
        if self.mlp_bias and (self.qkv_bias or self.qk_norm):
            raise ValueError("mlp_bias excludes qkv_bias and qk_norm")
        is_dynamic = self.rope_scaling is not None and self.rope_scaling.kind == "dynamic"
        if is_dynamic and self.d_head == 2:  # its exponent divides by d_head - 2
            raise ValueError("dynamic rotary positions need d_head > 2")
        return self


def _shape(  # one line a preset
    d_model: int, n_layers: int, n_heads: int, n_kv_heads: int, d_ff: int, context_length: int
) -> DecoderConfig:
    return DecoderConfig(
        vocab_size=4_096,
        d_model=d_model,
        n_layers=n_layers,
        n_heads=n_heads,
        n_kv_heads=n_kv_heads,
        d_head=d_model // n_heads,
        d_ff=d_ff,
        context_length=context_length,
    )


# The vocabulary and the context are those of the run; the numbers here are defaults.
# demo and 10m are sized by time: on two cores of an EPYC (Zen 3, AVX2) at 2.4 GHz, fp32, one pass
# over 800,000 tokens takes 3 minutes with demo and 8 with 10m (benchmarks/training_step.py).
PRESETS: dict[str, DecoderConfig] = {
    "demo": _shape(256, 4, 4, 2, 704, 512),
    "10m": _shape(256, 8, 4, 2, 704, 512).model_copy(update={"vocab_size": 16_384}),
    "30m": _shape(512, 8, 8, 4, 1_408, 1_024).model_copy(update={"vocab_size": 16_384}),
    "100m": _shape(768, 12, 12, 4, 2_048, 2_048).model_copy(update={"vocab_size": 32_768}),
    # NCVC-slm-1 (arXiv 2412.16423): two-matrix SiLU MLP and untied embeddings, 1.191B parameters.
    "ncvc-1.2b": _shape(2_048, 24, 32, 8, 8_192, 2_048).model_copy(
        update={"vocab_size": 32_768, "mlp": "two-matrix", "tie_embeddings": False}
    ),
}


def decoder_config(
    preset: str, vocab_size: int | None = None, context_length: int | None = None
) -> DecoderConfig:
    """Return a preset with the vocabulary and the context of a run.

    Raises:
        InvalidValue: There is no such preset.
    """
    if preset not in PRESETS:
        raise InvalidValue(where="preset", found=preset, expected=", ".join(PRESETS))
    given = {"vocab_size": vocab_size, "context_length": context_length}
    changes = {name: value for name, value in given.items() if value is not None}
    return DecoderConfig.model_validate(PRESETS[preset].model_dump() | changes)


def _open_shape(  # one line a shape
    d_model: int,
    n_layers: int,
    heads: tuple[int, int, int],
    d_ff: int,
    vocab_size: int,
    *,
    tied: bool = False,
    context_length: int = 32_768,
    **more: Any,
) -> DecoderConfig:
    n_heads, n_kv_heads, d_head = heads
    return DecoderConfig(
        vocab_size=vocab_size,
        d_model=d_model,
        n_layers=n_layers,
        n_heads=n_heads,
        n_kv_heads=n_kv_heads,
        d_head=d_head,
        d_ff=d_ff,
        tie_embeddings=tied,
        context_length=context_length,
        **more,
    )


_QWEN2: dict[str, Any] = {"qkv_bias": True, "rope_theta": 1e6, "norm_eps": 1e-6}
_QWEN3: dict[str, Any] = {"qk_norm": True, "rope_theta": 1e6, "norm_eps": 1e-6}
_LLAMA31 = RopeScaling(kind="llama3", factor=8.0, original=8_192)

# Open models that runs start from, by the numbers of their config.json: what `plan` needs of a base
# that is not here. A test holds their published sizes.
OPEN_SHAPES: dict[str, DecoderConfig] = {
    "qwen2-0.5b": _open_shape(896, 24, (14, 2, 64), 4_864, 151_936, tied=True, **_QWEN2),
    "qwen2-1.5b": _open_shape(1_536, 28, (12, 2, 128), 8_960, 151_936, tied=True, **_QWEN2),
    "qwen2-7b": _open_shape(3_584, 28, (28, 4, 128), 18_944, 152_064, **_QWEN2),
    "qwen2.5-7b": _open_shape(3_584, 28, (28, 4, 128), 18_944, 152_064, **_QWEN2),
    "qwen3-0.6b": _open_shape(1_024, 28, (16, 8, 128), 3_072, 151_936, tied=True, **_QWEN3),
    "qwen3-8b": _open_shape(4_096, 36, (32, 8, 128), 12_288, 151_936, **_QWEN3),
    "llama-2-7b": _open_shape(4_096, 32, (32, 32, 128), 11_008, 32_000, context_length=4_096),
    "llama-3-8b": _open_shape(
        4_096, 32, (32, 8, 128), 14_336, 128_256, context_length=8_192, rope_theta=5e5
    ),
    "llama-3.1-8b": _open_shape(
        4_096, 32, (32, 8, 128), 14_336, 128_256, context_length=131_072, rope_theta=5e5,
        rope_scaling=_LLAMA31,
    ),
}  # fmt: skip
