"""Rotary positions: how far each pair of a head is turned at each position, and the turning.

A model can be stretched beyond the context it was trained in (`RopeScaling`); the four ways here
are those of Llama and Qwen models, computed as transformers computes them.
"""

# T tokens of all segments one after another, H heads, D head width, F = D / 2 frequencies

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from rinsho.model.presets import DecoderConfig, RopeScaling


def rotary_table(
    positions_T: Tensor, config: DecoderConfig, segment_lengths: Sequence[int], first: int = 0
) -> tuple[Tensor, Tensor]:
    """Return cosines and sines, shape (T, 1, d_head), in the two-halves layout.

    Args:
        positions_T: The position of each token in its segment, shape (T,).
        config: The shape, with its base and its stretching.
        segment_lengths: New tokens of each segment; their sum is T.
        first: Tokens of each segment that came before, in a cache.

    Source:
        Su et al. 2021, arXiv 2104.09864; halves instead of pairs as in GPT-NeoX and transformers.
    """
    frequencies, factor = _frequencies(config, segment_lengths, first, positions_T.device)
    angles_TF = positions_T.float()[:, None] * frequencies
    angles_T1D = torch.cat((angles_TF, angles_TF), dim=-1)[:, None, :]
    cos_T1D, sin_T1D = angles_T1D.cos(), angles_T1D.sin()
    return (cos_T1D, sin_T1D) if factor == 1.0 else (cos_T1D * factor, sin_T1D * factor)


def rotate(heads_THD: Tensor, cos_T1D: Tensor, sin_T1D: Tensor) -> Tensor:
    """Turn each pair (i, i + D/2) of a head by the angle of its position."""
    left, right = heads_THD.chunk(2, dim=-1)
    turned = torch.cat((-right, left), dim=-1)
    return (heads_THD * cos_T1D + turned * sin_T1D).to(heads_THD.dtype)


def _frequencies(
    config: DecoderConfig, segment_lengths: Sequence[int], first: int, device: torch.device
) -> tuple[Tensor, float]:
    """Return radians per position, shape (F,) or (T, F), and what cosine and sine are scaled by."""
    scaling, theta = config.rope_scaling, config.rope_theta
    exponents_F = torch.arange(0, config.d_head, 2, dtype=torch.float32, device=device)
    exponents_F = exponents_F / config.d_head
    if scaling is not None and scaling.kind == "dynamic":
        longest = max(segment_lengths, default=0) + first
        if longest > scaling.original:  # else nothing is stretched
            return _dynamic(scaling, theta, exponents_F, segment_lengths, first), 1.0
    frequencies_F = 1.0 / theta**exponents_F
    if scaling is None or scaling.kind == "dynamic":
        return frequencies_F, 1.0
    if scaling.kind == "linear":
        return frequencies_F / scaling.factor, 1.0
    if scaling.kind == "llama3":
        return _llama3(scaling, frequencies_F), 1.0
    return _yarn(scaling, theta, frequencies_F), scaling.yarn_factor()


def _dynamic(
    scaling: RopeScaling,
    theta: float,
    exponents_F: Tensor,
    segment_lengths: Sequence[int],
    first: int,
) -> Tensor:
    """Raise the base with the length of each segment ("NTK-aware"); shape (T, F)."""
    width = 2 * len(exponents_F)
    rows: list[Tensor] = []
    for n_new in segment_lengths:
        length = max(n_new + first, scaling.original)
        grown = scaling.factor * length / scaling.original - (scaling.factor - 1)
        base = theta * grown ** (width / (width - 2))
        rows.append((1.0 / base**exponents_F).expand(n_new, -1))
    return torch.cat(rows)


def _llama3(scaling: RopeScaling, frequencies_F: Tensor) -> Tensor:
    """Slow down long waves, keep short ones, and blend between (Llama 3.1)."""
    low, high = scaling.low_freq_factor, scaling.high_freq_factor
    waves_F = 2 * math.pi / frequencies_F
    blend_F = ((scaling.original / waves_F - low) / (high - low)).clamp(0.0, 1.0)
    return (1 - blend_F) * frequencies_F / scaling.factor + blend_F * frequencies_F


def _yarn(scaling: RopeScaling, theta: float, frequencies_F: Tensor) -> Tensor:
    """Blend by the number of turns within the original context (Peng et al. 2023, 2309.00071)."""
    width = 2 * len(frequencies_F)

    def pair_that_turns(n_turns: float) -> float:
        ratio = scaling.original / (n_turns * 2 * math.pi)
        return width * math.log(ratio) / (2 * math.log(theta))

    low, high = pair_that_turns(scaling.beta_fast), pair_that_turns(scaling.beta_slow)
    if scaling.truncate:
        low, high = float(math.floor(low)), float(math.ceil(high))
    low, high = max(low, 0.0), min(high, width - 1.0)
    high += 0.001 * (high == low)
    pairs_F = torch.arange(len(frequencies_F), dtype=torch.float32, device=frequencies_F.device)
    slow_F = ((pairs_F - low) / (high - low)).clamp(0.0, 1.0)
    return frequencies_F / scaling.factor * slow_F + frequencies_F * (1 - slow_F)
