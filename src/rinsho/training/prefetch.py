"""Batches made ahead of the step that needs them, by threads: the same whatever their number."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic

from rinsho.training.objective import BatchT, Objective

N_AHEAD = 2  # steps ready behind each worker's own


class Prefetcher(Generic[BatchT]):
    """Ask an objective for the batches of the coming steps while the model computes.

    A batch is a pure function of (epoch, step), so that who makes it, and when, changes nothing.

    Args:
        objective: Whose batches.
        n_workers: Threads; 0 makes each batch when it is asked for.
    """

    def __init__(self, objective: Objective[BatchT], n_workers: int) -> None:
        self._objective, self._n_ahead = objective, n_workers * N_AHEAD
        self._threads = ThreadPoolExecutor(n_workers, "batches") if n_workers else None
        self._ahead: deque[tuple[tuple[int, int], Future[Sequence[BatchT]]]] = deque()

    def __enter__(self) -> Prefetcher[BatchT]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)

    def batches(self, epoch: int, step: int) -> Sequence[BatchT]:
        """Return the batches of a step; steps are asked for one after another."""
        if self._threads is None:
            return self._objective.batches(epoch, step)
        place = (epoch, step)
        while self._ahead and self._ahead[0][0] != place:
            self._ahead.popleft()[1].cancel()
        self._submit_from(place)
        return self._ahead.popleft()[1].result()

    def _submit_from(self, place: tuple[int, int]) -> None:
        assert self._threads is not None
        following = self._next(self._ahead[-1][0]) if self._ahead else place
        while following is not None and len(self._ahead) <= self._n_ahead:
            future = self._threads.submit(self._objective.batches, *following)
            self._ahead.append((following, future))
            following = self._next(following)

    def _next(self, place: tuple[int, int]) -> tuple[int, int] | None:
        """Return the step behind one; None at the end of an epoch: the next is packed only then."""
        epoch, step = place
        return (epoch, step + 1) if step + 1 < self._objective.n_steps(epoch) else None
