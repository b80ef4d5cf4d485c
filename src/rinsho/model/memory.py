"""The memory that training takes, from a decoder's shape and what of it is trained. Needs no torch.

| | weights | gradients | AdamW | AdamW in 8 bits |
|---|---|---|---|---|
| trained, in fp32 | 4 bytes | 4 bytes | 8 bytes | 2 bytes and a scale per block |
| frozen | 4 or 2 bytes | – | – | – |
| frozen in 4 bits (NF4) | 0.52 bytes in linear layers, else 2 or 4 | – | – | – |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rinsho.model.cost import BYTES, count_parameters
from rinsho.model.presets import DecoderConfig

Precision = Literal["fp32", "bf16"]
Device = Literal["cpu", "cuda"]

# bitsandbytes: 4 bits; a scale of 8 bits per 64 numbers; of those, one in fp32 per 256
# (double quantisation; Dettmers et al. 2023, arXiv 2305.14314, section 3).
_NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
_ADAM_BYTES = 8.0  # mean and mean square of the gradient, fp32
_ADAM_8BIT_BYTES = 2 + 2 * 4 / 256  # a scale in fp32 per block of 256
_N_CHUNK_LOGITS = {"cpu": 7 << 20, "cuda": 1 << 26}  # as in loss.py, which imports torch
_KEPT_OUTSIDE = 3  # forms of the stream outside the blocks that are kept


@dataclass(frozen=True, slots=True)
class Tuning:
    """What of a decoder is trained, and how its state is kept.

    Attributes:
        rank: Of the adapter on each target; 0 trains all weights.
        targets: Linear layers with an adapter; empty is all of attention and MLP.
        modules_to_save: Matrices trained whole beside it: embed_tokens, lm_head.
        is_quantized: Whether frozen linear layers are held in 4 bits.
        has_8bit_optimizer: Whether AdamW keeps its moments in 8 bits.
        recomputes: Whether only the input of each block is kept (activation checkpointing).
        accumulates: Whether an update sums the gradients of several passes.
        has_average: Whether a running average of the trained weights is kept.
    """

    rank: int = 0
    targets: tuple[str, ...] = ()
    modules_to_save: tuple[str, ...] = ()
    is_quantized: bool = False
    has_8bit_optimizer: bool = False
    recomputes: bool = False
    accumulates: bool = True
    has_average: bool = False


FULL = Tuning()


@dataclass(frozen=True, slots=True)
class TrainingMemory:
    """Bytes while training, each part at its largest, and what is there at once.

    Attributes:
        peak: The most that is there at once; the process itself (torch: some 300 MB) comes on top.
        checkpoint: The copy in the main memory that is written while training goes on.
    """

    weights: int
    gradients: int
    optimizer: int
    activations: int
    loss_chunk: int
    peak: int
    checkpoint: int


def linear_sizes(config: DecoderConfig) -> dict[str, tuple[int, int]]:
    """Return (inputs, outputs) of the linear layers of a block, by name."""
    d_q, d_kv = config.n_heads * config.d_head, config.n_kv_heads * config.d_head
    sizes = {
        "q_proj": (config.d_model, d_q),
        "k_proj": (config.d_model, d_kv),
        "v_proj": (config.d_model, d_kv),
        "o_proj": (d_q, config.d_model),
        "gate_proj": (config.d_model, config.d_ff),
        "up_proj": (config.d_model, config.d_ff),
        "down_proj": (config.d_ff, config.d_model),
    }
    return sizes if config.mlp == "gated" else {n: s for n, s in sizes.items() if n != "gate_proj"}


def count_trained(config: DecoderConfig, tuning: Tuning = FULL) -> int:
    """Return the number of parameters that are trained."""
    if not tuning.rank:
        return count_parameters(config).total
    adapters = sum(
        tuning.rank * (n_inputs + n_outputs)
        for name, (n_inputs, n_outputs) in linear_sizes(config).items()
        if not tuning.targets or name in tuning.targets
    )
    kept = sum(name in tuning.modules_to_save for name in ("embed_tokens", "lm_head"))
    return config.n_layers * adapters + kept * config.vocab_size * config.d_model


def weight_bytes(config: DecoderConfig, precision: Precision, tuning: Tuning = FULL) -> int:
    """Return the bytes of the weights in memory: trained ones in fp32, frozen ones as told."""
    n_trained, n_all = count_trained(config, tuning), count_parameters(config).total
    if not tuning.rank:
        return 4 * n_all
    in_linears = config.n_layers * sum(a * b for a, b in linear_sizes(config).values())
    frozen = in_linears * (_NF4_BYTES if tuning.is_quantized else BYTES[precision])
    return round(4 * n_trained + frozen + BYTES[precision] * (n_all - in_linears))


def optimizer_bytes(config: DecoderConfig, tuning: Tuning = FULL) -> int:
    """Return the bytes of AdamW's two moments, and of the average of the weights."""
    per_number = _ADAM_8BIT_BYTES if tuning.has_8bit_optimizer else _ADAM_BYTES
    return round((per_number + 4 * tuning.has_average) * count_trained(config, tuning))


def block_numbers(config: DecoderConfig) -> int:
    """Return how many numbers a token leaves in one block for the backward pass.

    Counted from `decoder.py`: three forms of the stream for each norm, queries and two forms of the
    mixture, keys and values, and what the MLP multiplies. A test counts them in torch's own graph.
    """
    d_q, d_kv = config.n_heads * config.d_head, config.n_kv_heads * config.d_head
    mlp = 4 * config.d_ff if config.mlp == "gated" else 2 * config.d_ff
    head_norms = 2 * (d_q + d_kv) if config.qk_norm else 0
    return 6 * config.d_model + 3 * d_q + 2 * d_kv + mlp + head_norms


def activation_numbers(config: DecoderConfig, tuning: Tuning = FULL) -> int:
    """Return how many numbers a token leaves behind for the backward pass."""
    outside, block = _KEPT_OUTSIDE * config.d_model, block_numbers(config)
    if tuning.rank:
        n_targets = sum(
            not tuning.targets or name in tuning.targets for name in linear_sizes(config)
        )
        block += n_targets * tuning.rank
    if tuning.recomputes:
        return config.n_layers * config.d_model + block + outside
    return config.n_layers * block + outside


def training_memory(
    config: DecoderConfig,
    micro_batch_tokens: int,
    precision: Precision,
    tuning: Tuning = FULL,
    device: Device = "cpu",
) -> TrainingMemory:
    """Return the memory of training with AdamW.

    Weights and moments are there all the time. Behind the loss lie all activations and the
    gradient of the output matrix; at the end of the backward pass all gradients and one block's
    activations; where an update accumulates, all of both. In bf16 (autocast) activations take half,
    and a bf16 copy of the trained weights is counted with them.
    """
    n_trained, size = count_trained(config, tuning), BYTES[precision]
    copies = n_trained * size if precision == "bf16" else 0
    if tuning.is_quantized:  # the matrix of 4 bits that is computed with, written out
        copies += size * max(a * b for a, b in linear_sizes(config).values())
    activations = size * activation_numbers(config, tuning) * micro_batch_tokens + copies
    n_logits = min(_N_CHUNK_LOGITS[device], config.vocab_size * micro_batch_tokens)
    chunk = 4 * max(n_logits, config.vocab_size)
    weights, gradients = weight_bytes(config, precision, tuning), 4 * n_trained
    optimizer = optimizer_bytes(config, tuning)
    is_output_trained = not tuning.rank or "lm_head" in tuning.modules_to_save
    output = 4 * config.vocab_size * config.d_model if is_output_trained else 0
    at_loss = activations + chunk + (gradients if tuning.accumulates else output)
    at_end = gradients + copies + size * block_numbers(config) * micro_batch_tokens
    peak = weights + optimizer + max(at_loss, at_end)
    checkpoint = checkpoint_bytes(config, tuning)
    return TrainingMemory(weights, gradients, optimizer, activations, chunk, peak, checkpoint)


def checkpoint_bytes(config: DecoderConfig, tuning: Tuning = FULL) -> int:
    """Return the bytes of one checkpoint: what is trained, in fp32, and AdamW's moments."""
    return 4 * count_trained(config, tuning) + optimizer_bytes(config, tuning)
