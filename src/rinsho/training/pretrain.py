"""Pre-training: tokens in, a decoder with fresh weights trained on them out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationError

from rinsho.errors import InvalidValue
from rinsho.model.presets import DecoderConfig, decoder_config
from rinsho.runfile import StageConfig
from rinsho.training.settings import TrainingConfig


class ShapeConfig(StageConfig):
    """Numbers of the decoder's shape that replace those of the preset."""

    d_model: int | None = Field(None, gt=0, description="width of the residual stream")
    n_layers: int | None = Field(None, gt=0, description="blocks")
    n_heads: int | None = Field(None, gt=0, description="query heads")
    n_kv_heads: int | None = Field(None, gt=0, description="key and value heads")
    d_head: int | None = Field(None, gt=0, description="width of a head; d_model / n_heads")
    d_ff: int | None = Field(None, gt=0, description="inner width of the MLP")
    mlp: Literal["gated", "two-matrix"] | None = Field(None, description="kind of MLP")
    rope_theta: float | None = Field(None, gt=0, description="base of the rotary frequencies")
    norm_eps: float | None = Field(None, gt=0, description="added to the mean square in RMSNorm")
    tie_embeddings: bool | None = Field(None, description="one matrix for input and output")
    qkv_bias: bool | None = Field(None, description="biases on queries, keys and values")
    qk_norm: bool | None = Field(None, description="RMSNorm on each query and key head")


class PretrainConfig(TrainingConfig):
    """Keys of `[pretrain]`."""

    preset: str = Field("demo", description="shape: demo, 10m, 30m, 100m or ncvc-1.2b")
    model: ShapeConfig = Field(
        default_factory=lambda: ShapeConfig.model_validate({}),
        description="changes to the preset",
    )
    context_length: int = Field(512, gt=1, description="tokens per row")

    def decoder_config(self, vocab_size: int) -> DecoderConfig:
        """Return the shape of the decoder for a vocabulary.

        Raises:
            InvalidValue: The preset is unknown, or the changes do not fit together.
        """
        base = decoder_config(self.preset, vocab_size, self.context_length)
        changes = self.model.model_dump(exclude_none=True)
        if {"d_model", "n_heads"} & changes.keys() and "d_head" not in changes:
            width, n_heads = ({**base.model_dump(), **changes}[k] for k in ("d_model", "n_heads"))
            changes["d_head"] = width // n_heads
        if "n_heads" in changes and "n_kv_heads" not in changes:
            changes["n_kv_heads"] = changes["n_heads"]
        try:
            return DecoderConfig(**{**base.model_dump(), **changes})
        except ValidationError as error:
            problem = error.errors(include_input=False, include_url=False)[0]
            key = ".".join(["model", *(str(part) for part in problem["loc"])])
            raise InvalidValue(
                where=f"[pretrain] {key}", found=problem["type"], expected=problem["msg"]
            ) from None
