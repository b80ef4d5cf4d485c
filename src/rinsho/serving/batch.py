"""Batches: many notes or questions in one file, done one after the other, with progress.

Nothing of a batch touches the disk: lines wait and results are kept in memory until their owner
takes and deletes them, or an hour has passed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from rinsho.errors import BatchUnknown, Busy, RequestTooLarge, RinshoError, ServerFault
from rinsho.serving.access import Caller
from rinsho.serving.answering import Work, all_items, count_tokens
from rinsho.serving.chat import ChatRequest
from rinsho.serving.chat_routes import chat_work, completion_work, within_limit
from rinsho.serving.completions import CompletionRequest
from rinsho.serving.engines import Engines
from rinsho.serving.letter_routes import AskRequest, DraftRequest, ask_work, draft_work
from rinsho.serving.limits import check_json
from rinsho.serving.note_routes import (
    CodesRequest,
    ExtractRequest,
    NoteRequest,
    codes_work,
    deidentify_work,
    extract_work,
)
from rinsho.serving.replies import error_body, status_of, to_bad_request
from rinsho.serving.requests import RequestModel, Text

Status = Literal["waiting", "running", "done", "cancelled", "failed"]
RETRY_SECONDS = 0.05  # a full queue is for those who wait before a screen; a batch asks again
Worker = Callable[[Engines, Caller, Any], Work]


def _chat(engines: Engines, caller: Caller, request: ChatRequest) -> Work:
    return chat_work(engines, within_limit(request, caller))[0]


def _completion(engines: Engines, caller: Caller, request: CompletionRequest) -> Work:
    return completion_work(engines, within_limit(request, caller))[0]


OPERATIONS: dict[str, tuple[type[RequestModel], Worker]] = {
    "extract": (ExtractRequest, lambda engines, _, request: extract_work(engines, request)),
    "deidentify": (NoteRequest, lambda engines, _, request: deidentify_work(engines, request)),
    "codes": (CodesRequest, lambda engines, _, request: codes_work(engines, request)),
    "ask": (AskRequest, lambda engines, _, request: ask_work(engines, request)),
    "draft": (DraftRequest, lambda engines, _, request: draft_work(engines, request)),
    "chat": (ChatRequest, _chat),
    "completion": (CompletionRequest, _completion),
}


class BatchLine(RequestModel):
    """One line: what to do, and the body that the operation's own route would get."""

    operation: Literal["extract", "deidentify", "codes", "ask", "draft", "chat", "completion"]
    body: dict[str, Any]
    id: Annotated[Text, Field(max_length=200)] | None = None


@dataclass(slots=True)
class Batch:
    """The lines of one file, and what has come of them."""

    id: str
    caller: Caller
    lines: list[bytes]
    n_lines: int
    results: list[bytes] = field(default_factory=list[bytes])
    n_bytes: int = 0  # of lines and results, in memory
    n_failed: int = 0
    status: Status = "waiting"
    task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the progress."""
        counts = {"n_lines": self.n_lines, "n_done": len(self.results), "n_failed": self.n_failed}
        return {"id": self.id, "status": self.status, **counts}

    def take(self, result: dict[str, Any], max_bytes: int) -> bool:
        """Keep a result; return whether there was room for it."""
        line = json.dumps(result, ensure_ascii=False).encode() + b"\n"
        if self.n_bytes + len(line) > max_bytes:
            return False
        self.n_bytes += len(line)
        self.results.append(line)
        self.n_failed += "error" in result
        return True


class Batches:
    """Every batch of a server; one runs at a time, so that interactive requests come between."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._limits = engines.limits
        self._batches: dict[str, Batch] = {}
        self._turn = asyncio.Lock()

    def start(self, caller: Caller, body: bytes) -> Batch:
        """Take a file of lines and begin.

        Raises:
            RequestTooLarge: More lines, or more batches of this caller, than there may be.
        """
        lines = [line for line in body.split(b"\n") if line.strip()]
        if not 0 < len(lines) <= self._limits.max_batch_lines:
            limit = f"1 … {self._limits.max_batch_lines:,} lines"
            raise RequestTooLarge(where="batch", found=f"{len(lines):,} lines", expected=limit)
        if len(self.of(caller)) >= self._limits.max_batches:
            limit = f"{self._limits.max_batches} batches"
            raise RequestTooLarge(where="batches", found="one more", expected=limit)
        held = sum(batch.n_bytes for batch in self._batches.values()) + len(body)
        if held > self._limits.max_held_bytes:
            raise Busy(where="batch bytes", expected=self._limits.max_held_bytes, found=held)
        batch = Batch(
            f"batch-{secrets.token_hex(16)}", caller, lines, len(lines), n_bytes=len(body)
        )
        self._batches[batch.id] = batch
        batch.task = asyncio.create_task(self._run(batch))
        return batch

    def of(self, caller: Caller) -> list[Batch]:
        """Return the batches of one caller; nobody sees another's."""
        return [one for one in self._batches.values() if one.caller.name == caller.name]

    def find(self, caller: Caller, id_: str) -> Batch:
        """Return a batch.

        Raises:
            BatchUnknown: There is none of that id, or it is another caller's.
        """
        batch = self._batches.get(id_)
        if batch is None or batch.caller.name != caller.name:
            raise BatchUnknown(where="id")
        return batch

    def delete(self, batch: Batch) -> None:
        """Stop a batch and forget its lines and results."""
        if batch.task is not None and not batch.task.done():
            batch.task.cancel()
            batch.status = "cancelled"
        if batch.timer is not None:
            batch.timer.cancel()
        batch.lines, batch.results = [], []
        self._batches.pop(batch.id, None)

    async def close(self) -> None:
        """Stop everything."""
        tasks = [batch.task for batch in self._batches.values() if batch.task]
        for batch in tuple(self._batches.values()):
            self.delete(batch)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, batch: Batch) -> None:
        async with self._turn:
            batch.status = "running"
            for number, line in enumerate(batch.lines, start=1):
                result = await self._result(batch.caller, number, line)
                if not batch.take(result, self._limits.max_held_bytes):
                    batch.status = "failed"
                    break
            else:
                batch.status = "done"
            batch.n_bytes -= sum(map(len, batch.lines))
            batch.lines = []
        seconds = self._limits.max_batch_seconds
        batch.timer = asyncio.get_running_loop().call_later(seconds, self.delete, batch)

    async def _result(self, caller: Caller, number: int, line: bytes) -> dict[str, Any]:
        """Return the line of the results that answers a line; it never fails."""
        given_id: str | None = None
        try:
            parsed = _parse(line, self._limits.max_json_depth)
            given_id = parsed.id
            said = {"status": 200, "body": await self._answer(caller, parsed)}
        except RinshoError as error:
            said = {"status": status_of(error), **error_body(error)}
        except Exception as error:  # a defect: the class alone, as for single requests
            fault = ServerFault(where=type(error).__name__)
            said = {"status": 500, **error_body(fault)}
        return {"line": number, "id": given_id, **said}

    async def _answer(self, caller: Caller, line: BatchLine) -> dict[str, Any]:
        form, worker = OPERATIONS[line.operation]
        body = {"id": line.id, **line.body} if "id" in form.model_fields else line.body
        work = worker(self._engines, caller, _validated(form, json.dumps(body).encode()))
        job = None
        while job is None:
            with contextlib.suppress(Busy):
                job = work.thread.submit(work.items)
                break
            await asyncio.sleep(RETRY_SECONDS)
        try:
            await self._engines.record(caller, work.operation, line.id or work.given_id, work.text)
            items = await all_items(job)
        finally:
            work.thread.cancel(job)
        count_tokens(self._engines, items)
        return work.result(items)


def _parse(line: bytes, max_depth: int) -> BatchLine:
    check_json(line, max_depth)
    return _validated(BatchLine, line)


def _validated(form: type[Any], body: bytes) -> Any:
    try:
        return form.model_validate_json(body)
    except ValidationError as error:
        raise to_bad_request(error.errors()) from None
