"""What a run changes: parameters that take a gradient, and what the optimizer remembers of each.

Frozen parameters (the base below an adapter) have no optimizer state and are in no checkpoint; a
hash of them is, so that an adapter never goes on over another base.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

Tensors = Mapping[str, Tensor]


class Trained:
    """The trained part of a module.

    Args:
        module: All parameters; which of them take a gradient is read once, here.
        optimizer: Over exactly those.
    """

    def __init__(self, module: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        self.module, self.optimizer = module, optimizer
        self.parameters = {n: p for n, p in module.named_parameters() if p.requires_grad}

    @functools.cached_property
    def frozen_sha256(self) -> str | None:
        """Hash names, types, shapes and bytes of the frozen parameters; None where none is."""
        frozen = {n: p for n, p in self.module.named_parameters() if not p.requires_grad}
        if not frozen:
            return None
        digest = hashlib.sha256()
        for name, parameter in sorted(frozen.items()):
            digest.update(f"{name} {parameter.dtype} {list(parameter.shape)}\n".encode())
            plain = whole(parameter).cpu().contiguous().flatten().view(torch.uint8)
            digest.update(memoryview(cast(Any, plain.numpy())))
        return digest.hexdigest()

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the parameters in main memory."""
        return {name: copied(parameter) for name, parameter in self.parameters.items()}

    def memories(self) -> dict[str, Tensor]:
        """Return a copy of the optimizer's state as `<parameter>.<key>`; counts are 0-dim int64."""
        return {
            f"{name}.{key}": copied(value if isinstance(value, Tensor) else torch.tensor(value))
            for name, parameter in self.parameters.items()
            for key, value in self.optimizer.state.get(parameter, {}).items()
        }

    def put_weights(self, weights: Tensors) -> None:
        """Overwrite the parameters; a name or shape that does not fit is an error of torch's."""
        if any(hasattr(parameter, "device_mesh") for parameter in self.parameters.values()):
            from rinsho.training.distributed import drop_gathered

            drop_gathered(self.module)
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                local(parameter).copy_(weights[name])

    def put_memories(self, memories: Tensors, step: int) -> None:
        """Give back the optimizer's state.

        Args:
            memories: What `memories` returned.
            step: Updates done, for checkpoints that do not say it for each parameter.
        """
        by_parameter: dict[str, dict[str, Any]] = {name: {} for name in self.parameters}
        for place, tensor in memories.items():
            name, _, key = place.rpartition(".")
            by_parameter[name][key] = tensor
        for name, state in by_parameter.items():
            parameter = self.parameters[name]
            state.setdefault("step", torch.tensor(float(step)))
            self.optimizer.state[parameter] = {
                key: _in_place(value, parameter) for key, value in state.items()
            }


def local(tensor: Tensor) -> Tensor:
    """Return this process's part of a tensor that is sharded over several; any other as it is."""
    plain = tensor.detach()
    return cast(Any, plain).to_local() if hasattr(plain, "to_local") else plain


def whole(tensor: Tensor) -> Tensor:
    """Return all of a sharded tensor, gathered by every process at once; any other as it is."""
    plain = tensor.detach()
    return cast(Any, plain).full_tensor() if hasattr(plain, "full_tensor") else plain


def copied(tensor: Tensor) -> Tensor:
    """Return a copy in main memory that no later step changes."""
    return local(tensor).to("cpu", copy=True)


def _in_place(value: Tensor, parameter: nn.Parameter) -> Any:
    """Put a piece of optimizer state where its optimizer expects it."""
    if value.ndim == 0:
        # AdamW counts steps in a float32 tensor, bitsandbytes in an int.
        # The fused one looks for it beside the parameter.
        is_count = value.is_floating_point()
        return value.to(parameter.device, copy=True) if is_count else int(value)
    placed = value.to(parameter.device, copy=True)
    if hasattr(parameter, "device_mesh") and placed.shape == local(parameter).shape:
        return _like(placed, parameter)
    return placed


def _like(placed: Tensor, parameter: Any) -> Tensor:
    from torch.distributed.tensor import DTensor

    return DTensor.from_local(
        placed,
        parameter.device_mesh,
        parameter.placements,
        shape=parameter.shape,
        stride=parameter.stride(),
    )
