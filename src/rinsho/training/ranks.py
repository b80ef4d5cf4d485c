"""The processes that train one model together: who they are, and what they agree on.

`torchrun` starts them and tells each its place in RANK, LOCAL_RANK and WORLD_SIZE. Without these,
or with one rank, a run is alone and nothing here imports torch.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeVar

from rinsho.console import only_errors
from rinsho.errors import InvalidValue, RankLost
from rinsho.manifest import MANIFEST, OpenFolder, new_folder, read_manifest

if TYPE_CHECKING:
    import torch

T = TypeVar("T")

# What gloo and NCCL say of a rank that is gone or does not answer; gloo has no class for it.
_LOST = ("gloo", "NCCL", "Connection closed by peer", "Connection reset by peer", "Timed out")


class Ranks(Protocol):
    """What the loop asks of the processes of a run."""

    @property
    def rank(self) -> int:
        """Return the place of this process, from 0."""
        ...

    @property
    def n_ranks(self) -> int:
        """Return how many processes there are."""
        ...

    @property
    def is_main(self) -> bool:
        """Return whether this process makes the folder, tells people, and logs."""
        ...

    def share(self, batches: Sequence[T]) -> Iterable[tuple[T, float]]:
        """Return the batches of a step that this rank computes, each with its weight.

        Every rank gets equally many, as all of them meet in every forward and backward pass; what
        is missing is filled with a batch of weight 0.
        """
        ...

    def sums(self, *values: float) -> Sequence[float]:
        """Return each value summed over the ranks: the same numbers on all of them."""
        ...


class OneRank:
    """A run in one process."""

    rank, n_ranks, is_main = 0, 1, True

    def share(self, batches: Sequence[T]) -> Iterable[tuple[T, float]]:
        """Return every batch."""
        return [(batch, 1.0) for batch in batches]

    def sums(self, *values: float) -> Sequence[float]:
        """Return the values."""
        return values


class JoinedRanks:
    """One of several processes, in a process group.

    Args:
        rank: Its place.
        n_ranks: How many there are.
        timeout: How long it waits for the others.
    """

    def __init__(self, rank: int, n_ranks: int, timeout: timedelta) -> None:
        self.rank, self.n_ranks, self.timeout = rank, n_ranks, timeout
        self.is_main = rank == 0

    def share(self, batches: Sequence[T]) -> Iterable[tuple[T, float]]:
        """Return batches rank, rank + n_ranks …: a pure function of the step's batches."""
        n_rounds = -(-len(batches) // self.n_ranks)
        places = [i * self.n_ranks + self.rank for i in range(n_rounds)]
        return [(batches[p], 1.0) if p < len(batches) else (batches[0], 0.0) for p in places]

    def sums(self, *values: float) -> Sequence[float]:
        """Return each value summed over the ranks, in float64."""
        import torch
        import torch.distributed as dist

        summed = torch.tensor(values, dtype=torch.float64)  # by gloo, whatever the device
        dist.all_reduce(summed)
        return summed.tolist()


def require_one_rank(stage: str) -> None:
    """Refuse several processes for work that one does.

    Raises:
        InvalidValue: WORLD_SIZE is above 1.
    """
    n_ranks = place().n_ranks
    if n_ranks > 1:
        expected = "1; torchrun starts `rinsho pretrain` alone"
        raise InvalidValue(where=f"rinsho {stage}: WORLD_SIZE", found=n_ranks, expected=expected)


class Place(NamedTuple):
    """Where a process stands among those that torchrun started."""

    rank: int
    n_ranks: int
    local_rank: int  # on this machine


def place(environment: Mapping[str, str] = os.environ) -> Place:
    """Return what torchrun says in RANK, WORLD_SIZE and LOCAL_RANK; without them, a run alone.

    Raises:
        InvalidValue: One of them is no number, or a rank is not below the number of ranks.
    """
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    values = [environment.get(name, default) for name, default in zip(names, "010", strict=True)]
    rank, n_ranks, local_rank = (int(value) if value.isdecimal() else -1 for value in values)
    if not (0 <= rank < n_ranks and local_rank >= 0):
        raise InvalidValue(where=", ".join(names), found=", ".join(values), expected="torchrun's")
    return Place(rank, n_ranks, local_rank)


def n_ranks_here(environment: Mapping[str, str] = os.environ) -> int:
    """Return how many ranks this machine has, which share its cores."""
    value = environment.get("LOCAL_WORLD_SIZE", "1")
    return max(1, int(value)) if value.isdecimal() else 1


def rank_device(asked: Literal["auto", "cpu", "cuda"] = "auto") -> torch.device:
    """Return where this rank computes: the GPU of its LOCAL_RANK, or the CPU where there is none.

    Raises:
        InvalidValue: The machine has fewer GPUs than ranks, or none where one is asked for.
    """
    import torch

    if asked == "cuda" and not torch.cuda.is_available():
        raise InvalidValue(where="device", found="no GPU that torch can use", expected="cpu")
    if asked == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    local_rank, n_devices = place().local_rank, torch.cuda.device_count()
    if local_rank >= n_devices:
        raise InvalidValue(where="--nproc-per-node", found=local_rank + 1, expected=n_devices)
    return torch.device("cuda", local_rank)


@contextlib.contextmanager
def joined_ranks(timeout_seconds: float) -> Generator[Ranks, None, None]:
    """Meet the other processes of this run; alone, do nothing.

    Only rank 0 tells people what it does. GPUs talk over NCCL, everything else over gloo.

    Args:
        timeout_seconds: How long a rank waits for the others before the run ends.

    Raises:
        RankLost: Another rank died or did not answer in time.
    """
    rank, n_ranks, _ = place()
    if n_ranks == 1:
        yield OneRank()
        return
    with lost_ranks(), only_errors(rank != 0):
        ranks = _join(rank, n_ranks, timedelta(seconds=timeout_seconds))
        try:
            yield ranks
            ranks.sums(0.0)  # who leaves first would close the connections of the others
        finally:
            _leave()


def _join(rank: int, n_ranks: int, timeout: timedelta) -> JoinedRanks:
    import torch
    import torch.distributed as dist

    device = rank_device()
    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, rank=rank, world_size=n_ranks, timeout=timeout)
    return JoinedRanks(rank, n_ranks, timeout)


def _leave() -> None:
    import torch.distributed as dist

    # NCCL waits here for what a lost rank will never do; the end of the process does not.
    if "nccl" not in dist.get_backend():
        dist.destroy_process_group()


@contextlib.contextmanager
def lost_ranks() -> Generator[None, None, None]:
    """Turn what the process group says of a rank that is gone into an error of ours."""
    try:
        yield
    except RuntimeError as error:
        words = str(error)
        kind = type(error).__name__  # DistBackendError, DistNetworkError, DistStoreError …
        if not (kind.startswith("Dist") or any(mark in words for mark in _LOST)):
            raise
        rank, n_ranks, _ = place()
        found = "timeout" if "imed out" in words or "imeout" in words else "connection closed"
        raise RankLost(where=f"rank {rank} of {n_ranks}", found=found) from None


@contextlib.contextmanager
def joint_folder(ranks: Ranks, out: Path, **arguments: Any) -> Generator[OpenFolder, None, None]:
    """Hand out a stage folder to all ranks: rank 0 locks, writes and commits it.

    The others get the same paths for reading; they return when it is committed.

    Args:
        ranks: Who shares it.
        out: As in `new_folder`.
        **arguments: Those of `new_folder`.

    Raises:
        RankLost: Rank 0 could not finish the folder.
    """
    if ranks.n_ranks == 1:
        with new_folder(out, **arguments) as folder:
            yield folder
    elif ranks.is_main:
        with contextlib.ExitStack() as stack:
            opened = new_folder(out, **arguments)
            yield _told(ranks, lambda: stack.enter_context(opened))
            _told(ranks, stack.close)
    else:
        if not _hear(ranks):
            # It is finished, or of another config: the same answer as rank 0 got.
            with new_folder(out, **arguments):
                raise RankLost(where="rank 0", found="no folder")
        partial = out.with_name(out.name + ".partial")
        folder = OpenFolder(partial / "result", partial / "checkpoints")
        yield folder
        if not _hear(ranks):
            raise RankLost(where="rank 0", found="no folder")
        _wait_for(out / MANIFEST, seconds=60)
        folder.manifest = read_manifest(out)


def _told(ranks: Ranks, action: Callable[[], T]) -> T:
    """Do something that the other ranks wait for, and tell them how it went."""
    try:
        done = action()
    except Exception:
        with contextlib.suppress(RuntimeError):
            ranks.sums(1.0)
        raise
    ranks.sums(0.0)
    return done


def _hear(ranks: Ranks) -> bool:
    return list(ranks.sums(0.0)) == [0.0]


def _wait_for(path: Path, seconds: float) -> None:
    """Wait for a file of another machine to be seen here: network file systems take their time."""
    deadline = time.monotonic() + seconds
    while not path.is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
