"""From a request to its answer: the work of one engine, watched for a client that leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from rinsho.errors import BadRequest
from rinsho.generation.reply import Piece
from rinsho.serving.engines import Engines, caller_in
from rinsho.serving.limits import Receive, Scope, Send
from rinsho.serving.model_thread import Job, ModelThread

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Work:
    """What a request asks of an engine.

    Attributes:
        operation: As the audit log names it.
        items: What runs in the engine's thread, an item at a time.
        result: Makes the answer's body of all items.
        text: What the operation reads; the audit log has a keyed hash of it, where no id is given.
    """

    operation: str
    thread: ModelThread
    items: Callable[[], Iterator[Any]]
    result: Callable[[list[Any]], dict[str, Any]]
    text: str
    given_id: str | None = None


def one_item(
    operation: str, thread: ModelThread, work: Callable[[], dict[str, Any]], text: str,
    given_id: str | None = None,
) -> Work:  # fmt: skip
    """Return work that gives its whole answer at once."""
    return Work(operation, thread, lambda: _once(work), lambda found: found[0], text, given_id)


def _once(work: Callable[[], T]) -> Iterator[T]:
    yield work()


async def answer(engines: Engines, connection: Request, work: Work) -> Response:
    """Return the answer in one piece; who leaves takes the work out of the queue, or stops it.

    Raises:
        Busy: The engine's queue is full.
        AuditFailed, AuditBroken: The audit log cannot be written.
    """
    job = work.thread.submit(work.items)
    try:
        await engines.record(caller_in(connection), work.operation, work.given_id, work.text)
        items = await _or_left(connection, all_items(job))
    finally:
        work.thread.cancel(job)
    count_tokens(engines, items)
    return JSONResponse(work.result(items))


async def answer_in_events(
    engines: Engines,
    connection: Request,
    work: Work,
    to_events: Callable[[AsyncIterator[Piece]], AsyncIterator[bytes]],
) -> Response:
    """Return the answer as a stream of events; errors as `answer`."""
    job: Job[Piece] = work.thread.submit(work.items)
    try:
        await engines.record(caller_in(connection), work.operation, work.given_id, work.text)
        # The first piece says that the prompt fits; if not, there is still a status to say it.
        first = await _or_left(connection, _next(job))
    except BaseException:
        work.thread.cancel(job)
        raise
    events = to_events(_counted(engines, first, job))
    return EventStream(events, on_end=lambda: work.thread.cancel(job))


async def _next(job: Job[T]) -> T | None:
    return await anext(job, None)


async def _counted(
    engines: Engines, first: Piece | None, rest: AsyncIterator[Piece]
) -> AsyncIterator[Piece]:
    last = first
    try:
        if first is not None:
            yield first
        async for piece in rest:
            last = piece
            yield piece
    finally:
        count_tokens(engines, [last])


def count_tokens(engines: Engines, items: list[Any]) -> None:
    """Count what an answer cost, where its items tell."""
    last = items[-1] if items else None
    if isinstance(last, Piece):
        engines.metrics.count_tokens(last.n_prompt_tokens, last.n_new_tokens)


class EventStream(StreamingResponse):
    """Server-sent events; `on_end` is called whether the stream ends or the client leaves.

    A generator's own `finally` would not do: who leaves while a slow connection holds a chunk back
    leaves the generator suspended, until the garbage is collected.
    """

    def __init__(self, events: AsyncIterator[bytes], on_end: Callable[[], None]) -> None:
        super().__init__(events, media_type="text/event-stream")
        self._on_end = on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._on_end()


async def all_items(job: Job[T]) -> list[T]:
    """Wait for everything that a job gives."""
    return [item async for item in job]


async def _or_left(connection: Request, result: Coroutine[Any, Any, T]) -> T:
    """Wait for a result, unless the client leaves first."""
    work = asyncio.ensure_future(result)
    leaving = asyncio.ensure_future(_left(connection))
    try:
        await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise BadRequest(where="connection", found="the client left", expected="patience")
        return work.result()
    finally:
        work.cancel()
        leaving.cancel()


async def _left(connection: Request) -> None:
    while (await connection.receive())["type"] != "http.disconnect":
        pass
