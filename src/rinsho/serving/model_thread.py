"""One thread per engine, a bounded queue before it, and a way out for a client that leaves."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from rinsho.errors import Busy

T = TypeVar("T")
MAX_STEP_SECONDS = 10


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None = None


class Job(Generic[T]):
    """The work of one request: an asynchronous stream of what the thread yields."""

    def __init__(self, work: Callable[[], Iterator[T]]) -> None:
        self.work = work
        self.is_cancelled = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._items: asyncio.Queue[T | _End] = asyncio.Queue()

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        item = await self._items.get()
        if not isinstance(item, _End):
            return item
        if item.error is not None:
            raise item.error
        raise StopAsyncIteration

    def hand_over(self, item: T | _End) -> None:
        """Give an item to the loop that waits; called from the model's thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(self._items.put_nowait, item)


class ModelThread:
    """Runs jobs one after the other, in the order in which they came.

    Args:
        name: What runs here; stands in `Busy`.
        max_waiting: Jobs that may wait; one more is refused at once, so that none waits for ever.
    """

    def __init__(self, name: str, max_waiting: int) -> None:
        self._name = name
        self._max_waiting = max_waiting
        self._waiting: deque[Job[object]] = deque()
        self._change = threading.Condition()
        self._running: Job[object] | None = None
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], Iterator[T]]) -> Job[T]:
        """Put work into the queue.

        Raises:
            Busy: The queue is full.
        """
        job = Job(work)
        with self._change:
            n_waiting = len(self._waiting)
            if self._is_closed or n_waiting >= self._max_waiting + (self._running is None):
                raise Busy(where=self._name, expected=self._max_waiting, found=n_waiting)
            self._waiting.append(job)  # pyright: ignore[reportArgumentType]  # Job is covariant here
            self._change.notify()
        return job

    def cancel(self, job: Job[T]) -> None:
        """Take a job out of the queue, or stop it before its next token."""
        job.is_cancelled.set()
        with self._change, contextlib.suppress(ValueError):
            self._waiting.remove(job)  # pyright: ignore[reportArgumentType]

    def close(self) -> None:
        """Stop the running job, take no more, and wait for the thread.

        A thread that still computes when the process ends can abort it; a step that takes longer
        than `MAX_STEP_SECONDS` is not waited for.
        """
        with self._change:
            self._is_closed = True
            for job in (*self._waiting, *([self._running] if self._running else [])):
                job.is_cancelled.set()
            self._change.notify()
        self._thread.join(MAX_STEP_SECONDS)

    @property
    def n_waiting(self) -> int:
        """Return how many jobs wait."""
        return len(self._waiting)

    @property
    def is_running(self) -> bool:
        """Return whether a job runs."""
        return self._running is not None

    def _run(self) -> None:
        while (job := self._next()) is not None:
            job.hand_over(_End(_work_through(job)))
            self._running = None

    def _next(self) -> Job[object] | None:
        with self._change:
            self._change.wait_for(lambda: self._waiting or self._is_closed)
            self._running = self._waiting.popleft() if self._waiting else None
            return self._running


def _work_through(job: Job[object]) -> BaseException | None:
    """Run a job until it ends, fails or is cancelled; return what it raised."""
    try:
        if job.is_cancelled.is_set():
            return None
        items = job.work()
        for item in items:
            if job.is_cancelled.is_set():
                return None
            job.hand_over(item)
    except Exception as error:  # whatever it is, the request gets it and the thread lives on
        return error
    return None
