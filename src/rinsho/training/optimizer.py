"""AdamW, which parameters decay, and the learning rate of each step."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from rinsho.training.settings import TrainingConfig

HEAD_PREFIX = "head."  # what starts from nothing in fine-tuning


def new_optimizer(
    module: nn.Module, config: TrainingConfig, *, head_learning_rate: float | None = None
) -> torch.optim.AdamW:
    """Return AdamW (Loshchilov & Hutter 2019) over the parameters that take a gradient.

    Matrices decay. Norms, biases, the embedding and the CRF do not: decay pulls rare tokens, which
    get few gradients, to zero.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if not parameter.requires_grad:
            continue
        is_head = head_learning_rate is not None and name.startswith(HEAD_PREFIX)
        peak = head_learning_rate if is_head and head_learning_rate else config.learning_rate
        decay = config.weight_decay if decays(name, parameter) else 0.0
        groups.setdefault((peak, decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": members, "peak": peak, "lr": 0.0, "weight_decay": decay}
            for (peak, decay), members in groups.items()
        ],
        betas=(config.beta1, config.beta2),
        fused=True,
    )


def decays(name: str, parameter: Tensor) -> bool:
    """Tell whether weight decay applies to a parameter."""
    return parameter.ndim == 2 and "embed_tokens" not in name and ".crf." not in name


def rate_share(config: TrainingConfig, step: int, n_steps: int, share_done: float = 0.0) -> float:
    """Return the learning rate of a step as a share of its peak.

    It rises linearly over `n_warmup_steps` (at most half of the run), then falls along a cosine to
    `final_learning_rate`.

    Args:
        config: The schedule.
        step: Counted from 0.
        n_steps: Of the whole run.
        share_done: Where `max_minutes` ends the run: the share of the time that is used, so that
            the rate has fallen when time is up.
    """
    n_warmup = min(config.n_warmup_steps, n_steps // 2)
    if step < n_warmup:
        return (step + 1) / n_warmup
    done = max((step - n_warmup) / max(1, n_steps - 1 - n_warmup), min(1.0, share_done))
    cosine = (1 + math.cos(math.pi * min(1.0, done))) / 2
    return config.final_learning_rate + (1 - config.final_learning_rate) * cosine


def set_rate(optimizer: torch.optim.Optimizer, share: float) -> None:
    """Set the learning rate of every group to a share of its peak."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * share
