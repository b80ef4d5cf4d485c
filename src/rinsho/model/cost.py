"""What a decoder costs, from its shape alone: parameters, FLOPs, memory. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rinsho.model.presets import DecoderConfig

_BYTES = {"fp32": 4, "bf16": 2}
_N_CHUNK_LOGITS = 1 << 22  # as in loss.py, which imports torch
_N_CHUNK_COPIES = 3  # logits, log-probabilities and the gradient in the stored precision


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


@dataclass(frozen=True, slots=True)
class TrainingMemory:
    """Bytes while training, at the peak of a step."""

    weights: int
    gradients: int
    optimizer: int  # AdamW: mean and mean square of the gradient, fp32
    activations: int
    loss_chunk: int

    @property
    def total(self) -> int:
        """Return their sum; the process itself (torch: some 300 MB) comes on top."""
        states = self.weights + self.gradients + self.optimizer
        return states + self.activations + self.loss_chunk


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


def activation_numbers(config: DecoderConfig) -> int:
    """Return how many numbers a token leaves behind for the backward pass.

    Counted from `decoder.py`: a block keeps three forms of the stream for each norm, queries and
    two forms of the mixture, keys and values, and what the MLP multiplies. A test counts them in
    torch's own graph.
    """
    d_q, d_kv = config.n_heads * config.d_head, config.n_kv_heads * config.d_head
    mlp = 4 * config.d_ff if config.mlp == "gated" else 2 * config.d_ff
    head_norms = 2 * (d_q + d_kv) if config.qk_norm else 0
    block = 6 * config.d_model + 3 * d_q + 2 * d_kv + mlp + head_norms
    return config.n_layers * block + 3 * config.d_model


def training_memory(
    config: DecoderConfig, micro_batch_tokens: int, precision: Literal["fp32", "bf16"]
) -> TrainingMemory:
    """Return the memory of training with fp32 weights and AdamW.

    In bf16 (autocast) activations take half, and a bf16 copy of the weights is counted with them.
    """
    n_parameters, size = count_parameters(config).total, _BYTES[precision]
    copies = n_parameters * size if precision == "bf16" else 0
    chunk = max(_N_CHUNK_LOGITS, config.vocab_size)
    return TrainingMemory(
        weights=4 * n_parameters,
        gradients=4 * n_parameters,
        optimizer=8 * n_parameters,
        activations=size * activation_numbers(config) * micro_batch_tokens + copies,
        loss_chunk=4 * _N_CHUNK_COPIES * min(chunk, config.vocab_size * micro_batch_tokens),
    )


def cache_bytes(config: DecoderConfig, n_tokens: int, precision: Literal["fp32", "bf16"]) -> int:
    """Return the bytes of the keys and values of `n_tokens`."""
    per_layer = 2 * config.n_kv_heads * config.d_head * n_tokens
    return config.n_layers * per_layer * _BYTES[precision]


def weights_bytes(config: DecoderConfig, precision: Literal["fp32", "bf16"]) -> int:
    """Return the bytes of the weights, on disk and in memory."""
    return count_parameters(config).total * _BYTES[precision]


def checkpoint_bytes(config: DecoderConfig) -> int:
    """Return the bytes of one checkpoint: fp32 weights and both moments of AdamW."""
    return 12 * count_parameters(config).total
