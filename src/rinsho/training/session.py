"""The process while it trains: threads, determinism, precision, and signals to stop."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import torch

from rinsho.console import say
from rinsho.errors import OutOfMemory
from rinsho.model.precision import DTYPES, Precision, resolve_precision
from rinsho.training.ranks import OneRank, Ranks, n_ranks_here, rank_device
from rinsho.training.settings import TrainingConfig

# What torch's allocators say; they have no class of their own for it on the CPU.
_NO_MEMORY = ("can't allocate memory", "not enough memory", "DefaultCPUAllocator")


@dataclass(slots=True)
class Session:
    """What a run computes with, and whether it was asked to stop."""

    threads: int
    precision: Precision
    is_stopped: bool = False
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    ranks: Ranks = field(default_factory=OneRank)
    # Which keys to set where memory does not suffice, known as soon as the model is.
    memory_advice: Callable[[], str] = lambda: "micro_batch_tokens"

    def computing(self) -> contextlib.AbstractContextManager[object]:
        """Return the context of every forward pass: with bf16, weights stay in fp32."""
        if self.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=DTYPES[self.precision])


@contextlib.contextmanager
def training_session(
    config: TrainingConfig, ranks: Ranks | None = None, *, on_cpu: bool = False
) -> Generator[Session, None, None]:
    """Set device, threads, seed and deterministic algorithms; put back what was there before.

    The first SIGINT or SIGTERM marks the session as stopped, so that the loop can end at a step; a
    second one ends the process at once, or says nothing new where there are several ranks.

    Args:
        config: Names the device, unless several ranks share the work: each has its own GPU then.
        ranks: The processes of the run; one when left out.
        on_cpu: Whether a GPU is left alone, as for heads.

    Raises:
        InvalidValue: The config asks for a GPU, and there is none.
        OutOfMemory: The allocator of torch had nothing left.
    """
    ranks = ranks or OneRank()
    threads = config.threads or max(1, len(os.sched_getaffinity(0)) // n_ranks_here())
    if on_cpu:
        device = torch.device("cpu")
    else:
        device = rank_device() if ranks.n_ranks > 1 else rank_device(config.device)
    if device.type == "cuda":
        # Without it, torch refuses matrix products of which two runs would differ.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    precision = resolve_precision(config.precision, device)
    session = Session(threads, precision, device=device, ranks=ranks)
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    memory: Any = torch.utils.deterministic
    filled, memory.fill_uninitialized_memory = memory.fill_uninitialized_memory, False  # unread
    torch.manual_seed(config.seed + ranks.rank)  # dropout differs, as the batches of ranks do
    try:
        with _signals(session), _memory(session):
            yield session
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
        memory.fill_uninitialized_memory = filled


@contextlib.contextmanager
def _memory(session: Session) -> Generator[None, None, None]:
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        is_class = isinstance(error, (MemoryError, torch.OutOfMemoryError))
        is_memory = is_class or any(words in str(error) for words in _NO_MEMORY)
        if not is_memory:
            raise
        raise OutOfMemory(
            where="training", expected=session.memory_advice(), found=type(error).__name__
        ) from None


@contextlib.contextmanager
def _signals(session: Session) -> Generator[None, None, None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set them
        return
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = {kind: signal.getsignal(kind) for kind in kinds}

    def stop(number: int, frame: FrameType | None) -> None:
        session.is_stopped = True
        for kind in kinds:
            # Ranks get a signal of a cluster twice: from its scheduler and from torchrun.
            again = before[kind] if session.ranks.n_ranks == 1 else signal.SIG_IGN
            signal.signal(kind, again)
        say(
            "このステップを終え、チェックポイントを保存して止まります",
            "finishing this step and saving a checkpoint, then stopping",
        )

    for kind in kinds:
        signal.signal(kind, stop)
    try:
        yield
    finally:
        for kind in kinds:
            signal.signal(kind, before[kind])
