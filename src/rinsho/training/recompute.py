"""Activation checkpointing: keep what enters a block, and compute it again going backward."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from rinsho.errors import ModelCannot
from rinsho.model.decoder import Block


def recompute_blocks(module: nn.Module) -> None:
    """Let every block of the decoders in a module forget its activations until they are needed.

    Memory of activations falls to about one block's and one hidden state a block; a step takes
    about a third longer. Dropout repeats its draws, so that the same weights come out.

    Raises:
        ModelCannot: The module has no block that could.
    """
    blocks = [part for part in module.modules() if isinstance(part, Block)]
    for block in blocks:
        block.forward = _recomputing(block.forward)
    others = [p for p in module.modules() if hasattr(p, "gradient_checkpointing_enable")]
    for other in others[:1]:  # the outermost model of transformers reaches its own blocks
        whole: Any = other
        whole.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    if not blocks and not others:
        raise ModelCannot(where="recompute", found=type(module).__name__, expected="a decoder")


def _recomputing(forward: Any) -> Any:
    def run(*arguments: Any) -> Any:
        if torch.is_grad_enabled():
            return checkpoint(forward, *arguments, use_reentrant=False)
        return forward(*arguments)

    return run
