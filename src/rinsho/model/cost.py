"""What a decoder costs, from its shape alone: parameters, FLOPs, its cache. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rinsho.model.presets import DecoderConfig

BYTES = {"fp32": 4, "bf16": 2}


@dataclass(frozen=True, slots=True)
class Parameters:
    """Numbers that training changes, by part."""

    embedding: int
    attention: int
    mlp: int
    norms: int
    output: int  # 0 where the embedding is the output matrix

    @property
    def total(self) -> int:
        """Return all of them."""
        return self.embedding + self.attention + self.mlp + self.norms + self.output


@dataclass(frozen=True, slots=True)
class Flops:
    """Floating-point operations for one token; a multiplication and an addition are two."""

    matrices: int  # every weight matrix, the output matrix included
    attention: int  # scores and mixtures

    @property
    def forward(self) -> int:
        """Return what scoring one token costs."""
        return self.matrices + self.attention

    @property
    def training(self) -> int:
        """Return forward and backward: the gradients of inputs and weights cost as much each."""
        return 3 * self.forward

    def training_of(self, trained_share: float) -> float:
        """Return forward and backward where only a share of the matrices' parameters is trained.

        Args:
            trained_share: Of the parameters in matrices; 0.01 for a usual adapter.
        """
        return 2 * self.forward + self.attention + trained_share * self.matrices


def count_parameters(config: DecoderConfig) -> Parameters:
    """Return the number of parameters by part."""
    d_q, d_kv = config.n_heads * config.d_head, config.n_kv_heads * config.d_head
    biases = d_q + 2 * d_kv if config.qkv_bias or config.attention_bias else 0
    biases += config.d_model if config.attention_bias else 0
    attention = config.d_model * (2 * d_q + 2 * d_kv) + biases
    head_norms = 2 * config.d_head if config.qk_norm else 0
    n_matrices = 3 if config.mlp == "gated" else 2
    mlp_biases = (n_matrices - 1) * config.d_ff + config.d_model if config.mlp_bias else 0
    embedding = config.vocab_size * config.d_model
    return Parameters(
        embedding=embedding,
        attention=config.n_layers * attention,
        mlp=config.n_layers * (n_matrices * config.d_model * config.d_ff + mlp_biases),
        norms=config.n_layers * (2 * config.d_model + head_norms) + config.d_model,
        output=0 if config.tie_embeddings else embedding,
    )


def count_flops(config: DecoderConfig, n_seen_tokens: float, *, with_output: bool = True) -> Flops:
    """Return the FLOPs for one token that attends to `n_seen_tokens`, itself included.

    `with_output` is whether it goes through the output matrix; a tagger's does not.

    A causal row of length L sees (L + 1) / 2 on average. Norms, biases, activations and rotary
    positions are left out: under 1% at every preset.

    Source:
        Hoffmann et al. 2022, arXiv 2203.15556, appendix F.
    """
    without = {"qkv_bias": False, "attention_bias": False, "mlp_bias": False}
    parameters = count_parameters(config.model_copy(update=without))
    output = config.vocab_size * config.d_model if with_output else 0
    matrices = 2 * (parameters.attention + parameters.mlp + output)
    scores_and_mixtures = 4 * config.n_heads * config.d_head * n_seen_tokens
    return Flops(matrices, round(config.n_layers * scores_and_mixtures))


def causal_mean(length: int) -> float:
    """Return how many tokens a token of a causal row sees on average, itself included."""
    return (length + 1) / 2


def cache_bytes(config: DecoderConfig, n_tokens: int, precision: Literal["fp32", "bf16"]) -> int:
    """Return the bytes of the keys and values of `n_tokens`."""
    per_layer = 2 * config.n_kv_heads * config.d_head * n_tokens
    return config.n_layers * per_layer * BYTES[precision]


def weights_bytes(config: DecoderConfig, precision: Literal["fp32", "bf16"]) -> int:
    """Return the bytes of the weights, on disk and in memory."""
    return count_parameters(config).total * BYTES[precision]
