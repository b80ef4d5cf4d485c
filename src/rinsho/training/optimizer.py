"""AdamW, which parameters decay, and the learning rate of each step."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from rinsho.errors import InvalidValue, MissingDependency
from rinsho.training.settings import TrainingConfig

HEAD_PREFIX = "head."  # what starts from nothing in fine-tuning


def new_optimizer(
    module: nn.Module, config: TrainingConfig, *, head_learning_rate: float | None = None
) -> torch.optim.Optimizer:
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
    members: list[dict[str, Any]] = [
        {"params": members, "peak": peak, "lr": 0.0, "weight_decay": decay}
        for (peak, decay), members in groups.items()
    ]
    betas = (config.beta1, config.beta2)
    if config.optimizer == "adamw-8bit":
        return _in_8_bits(members, betas)
    return torch.optim.AdamW(members, betas=betas, fused=True)


def _in_8_bits(members: list[dict[str, Any]], betas: tuple[float, float]) -> torch.optim.Optimizer:
    """Return AdamW whose memories are codes of 8 bits in blocks of 256 (Dettmers et al. 2022).

    Parameters of fewer than 4,096 numbers keep fp32. One step on a number asks bitsandbytes whether
    it can do this on the device.
    """
    where = 'optimizer = "adamw-8bit"'
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError:
        raise MissingDependency(where=where, expected="adapt", found="bitsandbytes") from None
    device = members[0]["params"][0].device
    probe = nn.Parameter(torch.ones(4_096, device=device))
    probe.grad = torch.ones_like(probe)
    try:
        AdamW8bit([probe], lr=0.1).step()
    except (RuntimeError, NotImplementedError):
        raise InvalidValue(where=where, found=device.type, expected="adamw") from None
    return AdamW8bit(members, betas=betas)


def decays(name: str, parameter: Tensor) -> bool:
    """Tell whether weight decay applies to a parameter."""
    return parameter.ndim == 2 and "embed_tokens" not in name and ".crf." not in name


def rate_share(config: TrainingConfig, step: int, n_steps: int, share_done: float = 0.0) -> float:
    """Return the learning rate of a step as a share of its peak.

    It rises linearly over `n_warmup_steps` (at most half of the run). Then it falls along a cosine
    to `final_learning_rate`; or, warm-up-stable-decay, it stays and falls in the last `decay_share`
    of the run as 1 - sqrt(share of the decay that is done).

    Args:
        config: The schedule.
        step: Counted from 0.
        n_steps: Of the whole run.
        share_done: Where `max_minutes` ends the run: the share of the time that is used, so that
            the rate has fallen when time is up.

    Source:
        Hu et al. 2024, MiniCPM, arXiv 2404.06395 (warm-up-stable-decay); Hägele et al. 2024, arXiv
        2405.18392 (1 - sqrt as the form of the decay, a fifth of the steps as its length).
    """
    n_warmup = min(config.n_warmup_steps, n_steps // 2)
    if step < n_warmup:
        return (step + 1) / n_warmup
    done = max((step - n_warmup) / max(1, n_steps - 1 - n_warmup), min(1.0, share_done))
    done = min(1.0, done)
    if config.schedule == "wsd":
        decayed = max(0.0, (done - 1 + config.decay_share) / config.decay_share)
        shape = 1 - math.sqrt(decayed)
    else:
        shape = (1 + math.cos(math.pi * done)) / 2
    return config.final_learning_rate + (1 - config.final_learning_rate) * shape


def set_rate(optimizer: torch.optim.Optimizer, share: float) -> None:
    """Set the learning rate of every group to a share of its peak."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * share
