"""One model over several processes (FSDP2): sharding, their checkpoints, whole weights again.

Each rank keeps a part of the rows of every parameter, of its gradient and of what the optimizer
remembers of it. A block's parameters are gathered when it computes and dropped behind it. Gradients
are summed, not averaged: the loop has divided the loss by the labels of the whole step.

Source:
    https://docs.pytorch.org/docs/stable/distributed.fsdp.fully_shard.html
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rinsho.errors import InvalidValue
from rinsho.model.precision import Precision
from rinsho.training.ranks import JoinedRanks, Ranks, rank_device
from rinsho.training.settings import TrainingConfig
from rinsho.training.state import CheckpointStore, Environment

# What of a decoder is called from outside: parameters are gathered for these.
_ENTRANCES = ("forward_hidden", "next_logits")


def check_sizes(config: TrainingConfig, ranks: Ranks) -> None:
    """Refuse steps with fewer batches than ranks: some would never have anything to do.

    Raises:
        InvalidValue: `micro_batch_tokens` is too large for `batch_tokens` and the ranks.
    """
    most = config.batch_tokens // ranks.n_ranks
    if ranks.n_ranks > 1 and config.micro_batch_tokens > most:
        raise InvalidValue(
            where=f"micro_batch_tokens of {ranks.n_ranks} ranks",
            found=config.micro_batch_tokens,
            expected=f"at most {most}: batch_tokens / ranks",
        )


def shard(module: nn.Module, ranks: Ranks, precision: Precision) -> None:
    """Spread a module over the ranks, in place; alone, leave it as it is.

    The optimizer is made behind this. Frozen parameters are sharded too. On GPUs the parameters of
    blocks are gathered in bf16 where that is the precision; gradients are summed in fp32.

    Args:
        module: The same on every rank.
        ranks: The process group.
        precision: That of the session.
    """
    if ranks.n_ranks == 1:
        return
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import (
        FSDPModule,
        MixedPrecisionPolicy,
        fully_shard,
        register_fsdp_forward_method,
    )

    device = rank_device()
    mesh = init_device_mesh(device.type, (ranks.n_ranks,))
    in_bf16 = device.type == "cuda" and precision == "bf16"
    # Inputs are not cast: the rotary table and the residual stream stay in fp32.
    policy = MixedPrecisionPolicy(
        param_dtype=torch.bfloat16 if in_bf16 else None,
        reduce_dtype=torch.float32,
        cast_forward_inputs=False,
    )
    for block in _blocks(module):
        fully_shard(block, mesh=mesh, mp_policy=policy)
    # Embedding, last norm and output matrix: autocast takes them to bf16 where it wants to.
    fully_shard(module, mesh=mesh)
    for part in module.modules():
        if isinstance(part, FSDPModule):
            part.set_gradient_divide_factor(1.0)
            part.set_force_sum_reduction_for_comms(True)
    for name in _ENTRANCES:
        if hasattr(module, name):
            register_fsdp_forward_method(module, name)


def _blocks(module: nn.Module) -> list[nn.Module]:
    """Return the longest list of modules: the blocks, in our decoder and in transformers'."""
    lists = [part for part in module.modules() if isinstance(part, nn.ModuleList)]
    return list(max(lists, key=len)) if lists else []


def drop_gathered(module: nn.Module) -> None:
    """Forget gathered parameters, so that the next pass gathers what they are by then."""
    from torch.distributed.fsdp import FSDPModule

    for part in module.modules():
        if isinstance(part, FSDPModule):
            part.reshard()


def whole_weights(module: nn.Module, ranks: Ranks) -> Mapping[str, Tensor] | None:
    """Gather the state dict of a sharded module, parameter by parameter, in main memory.

    Every rank has to call this; rank 0 gets the tensors, the others None.
    """
    if ranks.n_ranks == 1:
        return module.state_dict()
    drop_gathered(module)
    whole: dict[str, Tensor] = {}
    for name, tensor in module.state_dict().items():
        plain: Any = tensor.detach()
        full: Tensor = plain.full_tensor() if hasattr(plain, "full_tensor") else plain
        if ranks.is_main:
            whole[name] = full.to("cpu", copy=True)
    return whole if ranks.is_main else None


def make_whole(module: nn.Module, ranks: Ranks) -> None:
    """Put whole parameters into a sharded module on rank 0, so that it can be written.

    Every rank has to call this. The module does not compute any more: its hooks stay.
    """
    whole = whole_weights(module, ranks)
    if ranks.n_ranks == 1 or whole is None:
        return
    for prefix, part in module.named_modules():
        for name, parameter in part.named_parameters(recurse=False):
            full = whole[f"{prefix}.{name}" if prefix else name]
            part.register_parameter(name, nn.Parameter(full, parameter.requires_grad))


def new_store(folder: Path, here: Environment, ranks: Ranks, module: nn.Module) -> CheckpointStore:
    """Return the store of a run's checkpoints: files of one process, or of each rank."""
    from rinsho.training.sharded_state import ShardedStore

    if isinstance(ranks, JoinedRanks):
        return ShardedStore(folder, here, ranks, module)
    return CheckpointStore(folder, here)
