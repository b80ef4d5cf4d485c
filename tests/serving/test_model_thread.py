"""The queue before an engine: order, limits, and the ways out."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from rinsho.clinical.deidentify import deidentify
from rinsho.clinical.extract import extract, load_extractor
from rinsho.clinical.notes import Note
from rinsho.errors import Busy, NothingLeft
from rinsho.serving.model_thread import ModelThread
from rinsho.wanted import is_wanted

LONG_NOTE = "患者：山田太郎。昨夜から発熱、咳嗽あり。肺炎疑いで入院、CRP 12.3mg/dL。\n" * 10_000


def numbers(*values: int) -> Iterator[int]:
    yield from values


class Gate:
    """Work that runs until it is let go."""

    def __init__(self) -> None:
        self.is_started, self.is_open = threading.Event(), threading.Event()
        self.n_yielded = 0
        self.is_ended = threading.Event()

    def once(self) -> Iterator[int]:
        self.is_started.set()
        self.is_open.wait()
        yield 0

    def for_ever(self) -> Iterator[int]:
        try:
            while True:
                self.n_yielded += 1
                yield self.n_yielded
        finally:
            self.is_ended.set()


async def collected(job: object) -> list[int]:
    return [item async for item in job]  # pyright: ignore


def test_jobs_give_their_items_in_order() -> None:
    async def check() -> None:
        thread = ModelThread("test", max_waiting=2)
        jobs = [thread.submit(lambda n=n: numbers(n, n + 1)) for n in (1, 5)]
        assert [await collected(job) for job in jobs] == [[1, 2], [5, 6]]
        thread.close()

    asyncio.run(check())


def test_a_full_queue_refuses_at_once_and_takes_again_when_a_waiting_client_leaves() -> None:
    async def check() -> None:
        thread, gate = ModelThread("test", max_waiting=2), Gate()
        running = thread.submit(gate.once)
        gate.is_started.wait()
        waiting = [thread.submit(lambda: numbers(1)) for _ in range(2)]
        with pytest.raises(Busy):
            thread.submit(lambda: numbers(2))
        thread.cancel(waiting[0])
        last = thread.submit(lambda: numbers(3))
        gate.is_open.set()
        assert await collected(running) == [0]
        assert await collected(waiting[1]) == [1]
        assert await collected(last) == [3]
        thread.close()

    asyncio.run(check())


def test_a_cancelled_job_stops_before_its_next_item_and_the_next_one_runs() -> None:
    async def check() -> None:
        thread, gate = ModelThread("test", max_waiting=2), Gate()
        endless = thread.submit(gate.for_ever)
        assert await anext(endless) == 1
        thread.cancel(endless)
        assert await collected(thread.submit(lambda: numbers(7))) == [7]
        thread.close()

    asyncio.run(check())


def test_an_error_reaches_its_own_request_and_the_thread_lives_on() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise NothingLeft(where="here", found="nothing")

    async def check() -> None:
        thread = ModelThread("test", max_waiting=2)
        with pytest.raises(NothingLeft):
            await collected(thread.submit(broken))
        assert await collected(thread.submit(lambda: numbers(1))) == [1]
        thread.close()

    asyncio.run(check())


def test_a_closed_thread_ends_what_runs_and_takes_nothing_more() -> None:
    async def check() -> None:
        thread, gate = ModelThread("test", max_waiting=2), Gate()
        endless = thread.submit(gate.for_ever)
        await anext(endless)
        thread.close()
        await collected(endless)
        with pytest.raises(Busy):
            thread.submit(lambda: numbers(1))

    asyncio.run(check())


def test_work_on_its_way_can_ask_whether_it_is_still_wanted() -> None:
    async def check() -> None:
        thread, gate = ModelThread("test", max_waiting=2), Gate()
        answers: list[bool] = []

        def asking() -> Iterator[int]:
            ask = is_wanted.get()
            answers.append(ask())
            gate.is_started.set()
            gate.is_open.wait()
            answers.append(ask())
            gate.is_ended.set()
            yield 0

        job = thread.submit(asking)
        await asyncio.to_thread(gate.is_started.wait)
        thread.cancel(job)
        gate.is_open.set()
        await asyncio.to_thread(gate.is_ended.wait)
        assert answers == [True, False]
        thread.close()

    asyncio.run(check())


def extracted(text: str) -> object:
    return extract(load_extractor(None), text)


def deidentified(text: str) -> object:
    return deidentify(Note("", text))


@pytest.mark.parametrize("read", [extracted, deidentified])
def test_a_long_note_is_left_half_way_by_who_leaves(read: Callable[[str], object]) -> None:
    async def check() -> None:
        thread, is_begun, is_read = ModelThread("notes", max_waiting=2), threading.Event(), []

        def once() -> Iterator[int]:
            is_begun.set()
            is_read.append(read(LONG_NOTE))
            yield 0

        left = thread.submit(once)
        is_begun.wait()
        thread.cancel(left)
        assert await collected(thread.submit(lambda: numbers(1))) == [1]  # its turn comes after
        assert is_read == []
        thread.close()

    read("肺炎")  # what is read once, dictionary and network, is read
    asyncio.run(check())
