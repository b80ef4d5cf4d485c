"""One thread per engine, a bounded queue before it, and a way out for a client that leaves.

Jobs that run at the same time take turns, an item each: a model whose answers advance together does
one step for all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from rinsho.errors import Busy
from rinsho.model.threads import release_helpers
from rinsho.wanted import is_wanted

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
    """Runs jobs in turns, and begins them in the order in which they came.

    Args:
        name: What runs here; stands in `Busy`.
        max_waiting: Jobs that may wait; one more is refused at once, so that none waits for ever.
        max_running: Jobs that take turns.
    """

    def __init__(self, name: str, max_waiting: int, max_running: int = 1) -> None:
        self._name = name
        self._max_waiting, self._max_running = max_waiting, max_running
        self._waiting: deque[Job[object]] = deque()
        self._change = threading.Condition()
        self._running: list[_Turns] = []
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
            n_free = self._max_running - len(self._running)
            if self._is_closed or n_waiting >= self._max_waiting + n_free:
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
            for job in (*self._waiting, *(turns.job for turns in self._running)):
                job.is_cancelled.set()
            self._change.notify()
        self._thread.join(MAX_STEP_SECONDS)

    @property
    def n_waiting(self) -> int:
        """Return how many jobs wait."""
        return len(self._waiting)

    @property
    def n_running(self) -> int:
        """Return how many jobs take turns."""
        return len(self._running)

    def _run(self) -> None:
        while self._admit():
            for turns in tuple(self._running):
                if (end := turns.advance()) is not None:
                    with self._change:
                        self._running.remove(turns)
                    turns.job.hand_over(end)

    def _admit(self) -> bool:
        """Let waiting jobs begin; wait where nothing runs. Return whether something runs."""
        with self._change:
            if not self._running and not self._waiting:
                release_helpers()  # another engine's thread may need the cores
            if not self._running:
                self._change.wait_for(lambda: self._waiting or self._is_closed)
            while self._waiting and len(self._running) < self._max_running:
                self._running.append(_Turns(self._waiting.popleft()))
            return bool(self._running)


class _Turns:
    """A job that has begun, an item at a time."""

    def __init__(self, job: Job[object]) -> None:
        self.job = job
        self._items: Iterator[object] | None = None

    def advance(self) -> _End | None:
        """Hand the next item over; return the end where it ends, fails or is cancelled."""
        try:
            if not self.job.is_cancelled.is_set():
                if self._items is None:
                    self._items = self.job.work()
                item = self._next()
                if not self.job.is_cancelled.is_set():
                    self.job.hand_over(item)
                    return None
        except StopIteration:
            return _End()
        except Exception as error:  # whatever it is, the request gets it and the thread lives on
            return _End(error)
        if isinstance(self._items, Generator):
            self._items.close()  # what it holds of the model is given back now
        return _End()

    def _next(self) -> object:
        """Return the next item; an answer that begins knows whom to ask if it is still wanted."""
        assert self._items is not None
        token = is_wanted.set(lambda: not self.job.is_cancelled.is_set())
        try:
            return next(self._items)
        finally:
            is_wanted.reset(token)
