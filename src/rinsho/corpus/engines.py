"""Engines: run tasks one after another, on a pool of processes, or on a Ray cluster.

A task writes its result to the disk under a name of its own, so that engines need not agree on
anything but which tasks there are; a worker that dies costs its task alone, which is run again.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import gc
import itertools
import multiprocessing
import os
import queue
import signal
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Literal, Self, TypeVar

from rinsho.errors import MissingDependency, WorkerDied

Engine = Literal["local", "ray"]
Task = TypeVar("Task")
OnRead = Callable[[int], None]
Work = Callable[[Any, OnRead], None]
MAX_ATTEMPTS = 3  # a worker killed for memory is killed again: then say so
_POLL_SECONDS = 0.2  # how often the progress bar asks
# Documents hold no cycles: Python's thresholds look for some among them for 2% of the time.
_GARBAGE_THRESHOLDS = (100_000, 50, 100)


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


class Workers:
    """Workers that run tasks; the pool lives as long as the `with` block, so that it starts once.

    Args:
        engine: "local": this process, or a pool of processes; "ray": the cluster that `RAY_ADDRESS`
            names, or one on this machine.
        n_workers: Processes of the local pool; 1: this process.
    """

    def __init__(self, engine: Engine = "local", n_workers: int = 1) -> None:
        self._engine: Engine = engine
        self._n_workers = n_workers
        self._pool: _Pool | None = None
        self._ray: Any = None
        self._thresholds = gc.get_threshold()

    def __enter__(self) -> Self:
        gc.set_threshold(*_GARBAGE_THRESHOLDS)
        if self._engine == "ray":
            self._ray = _open_ray(self._n_workers)
        return self

    def __exit__(self, *error: object) -> None:
        gc.set_threshold(*self._thresholds)
        if self._pool is not None:
            self._pool.close(is_failed=error[0] is not None)
        if self._ray is not None:
            self._ray.shutdown()

    @property
    def is_local(self) -> bool:
        """Whether tasks run on this machine, with the packages that are installed here."""
        return self._engine == "local"

    def run(
        self,
        tasks: Sequence[Task],
        work: Callable[[Task, OnRead], None],
        on_read: OnRead = lambda n_bytes: None,
    ) -> None:
        """Run `work` on every task, in any order; raise what a task raises.

        Args:
            tasks: Picklable.
            work: A function of a module; called again for a task whose worker died.
            on_read: Called with the number of bytes read from disk, as the work goes on.

        Raises:
            WorkerDied: A task's worker was killed three times.
            MissingDependency: Ray is not installed.
        """
        if self._ray is not None:
            _run_on_ray(self._ray, tasks, work, on_read)
        elif min(self._n_workers, len(tasks)) <= 1:
            for task in tasks:
                work(task, on_read)
        else:
            self._run_on_pool(tasks, work, on_read)

    def prepare(self, work: Callable[[], None]) -> None:
        """Let the processes of a pool that has begun get ready for later tasks; do not wait.

        Args:
            work: A function of a module that may be called any number of times, or never.
        """
        if self._pool is not None:
            self._pool.prepare(work, self._n_workers)

    def _run_on_pool(self, tasks: Sequence[Any], work: Work, on_read: OnRead) -> None:
        left = list(tasks)
        for _ in range(MAX_ATTEMPTS):
            self._pool = self._pool or _Pool(self._n_workers)
            left = self._pool.run(left, work, on_read)
            if not left:
                return
            self._pool.close(is_failed=True)  # a pool that lost a worker takes no more tasks
            self._pool = None
        raise WorkerDied(where="collect", found=f"{len(left)}", expected=f"{MAX_ATTEMPTS}")


# ----------------------------------------------------------------------------------- pool


_reads: Any = None  # in a worker: the queue of bytes read


def _begin_worker(reads: Any) -> None:
    global _reads
    _reads = reads
    gc.set_threshold(*_GARBAGE_THRESHOLDS)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # one who stops a run need not read tracebacks


def _work_in_pool(work: Work, task: Any) -> None:
    work(task, _reads.put)


class _Pool:
    def __init__(self, n_workers: int) -> None:
        context = multiprocessing.get_context("spawn")  # numpy and the progress bar have threads
        self._reads: Any = context.Queue()
        self._pool = concurrent.futures.ProcessPoolExecutor(
            n_workers, mp_context=context, initializer=_begin_worker, initargs=(self._reads,)
        )

    def close(self, *, is_failed: bool) -> None:
        self._pool.shutdown(wait=not is_failed, cancel_futures=is_failed)

    def prepare(self, work: Callable[[], None], n: int) -> None:
        with contextlib.suppress(BrokenProcessPool):  # `run` says so
            for _ in range(n):  # none is free before it is done: each takes one, most likely
                self._pool.submit(work)

    def run(self, tasks: Sequence[Any], work: Work, on_read: OnRead) -> list[Any]:
        """Run tasks until they are done or a worker dies; return those that are not done."""
        futures: list[concurrent.futures.Future[None]] = []
        try:
            for task in tasks:
                futures.append(self._pool.submit(_work_in_pool, work, task))
            waiting = set(futures)
            while waiting:
                done, waiting = concurrent.futures.wait(
                    waiting, _POLL_SECONDS, concurrent.futures.FIRST_EXCEPTION
                )
                self._tell(on_read)
                for future in done:
                    future.result()
        except BrokenProcessPool:
            concurrent.futures.wait(futures)
        done = [future.exception() is None for future in futures]
        return [task for task, is_done in itertools.zip_longest(tasks, done) if not is_done]

    def _tell(self, on_read: OnRead) -> None:
        while True:
            try:
                on_read(self._reads.get_nowait())
            except queue.Empty:
                return


# ------------------------------------------------------------------------------------ ray


def _work_on_ray(work: Work, task: Any) -> int:
    n_bytes = 0

    def count(n: int) -> None:
        nonlocal n_bytes
        n_bytes += n

    work(task, count)
    return n_bytes


def _open_ray(n_workers: int) -> Any:
    try:
        import ray  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise MissingDependency(where="--engine ray", expected="ray", found="ray") from None
    given = os.environ.get("RAY_ADDRESS")
    size: dict[str, Any] = {"address": given} if given else {"num_cpus": n_workers}
    ray.init(include_dashboard=False, log_to_driver=False, ignore_reinit_error=True, **size)
    return ray


def _run_on_ray(ray: Any, tasks: Sequence[Any], work: Work, on_read: OnRead) -> None:
    remote: Any = ray.remote(max_retries=MAX_ATTEMPTS - 1)(_work_on_ray)
    waiting = [remote.remote(work, task) for task in tasks]
    while waiting:
        (done, *_), waiting = ray.wait(waiting)
        on_read(_result_of(ray, done))


def _result_of(ray: Any, reference: Any) -> int:
    try:
        return ray.get(reference)
    except ray.exceptions.WorkerCrashedError:
        raise WorkerDied(where="collect", found="1", expected=f"{MAX_ATTEMPTS}") from None
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
