"""The application: OpenAI's chat API, extraction, de-identification and the page."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import Field
from starlette.exceptions import HTTPException

from rinsho import __version__
from rinsho.clinical.deidentify import deidentify, to_json
from rinsho.clinical.extract import Extractor, extract, judge, span_to_json
from rinsho.clinical.notes import Note, check_length
from rinsho.errors import BadRequest, ModelUnknown, NoModel, RinshoError, RouteUnknown
from rinsho.generation.language_model import LanguageModel
from rinsho.generation.reply import Piece
from rinsho.serving.chat import ChatReply, ChatRequest, answer_pieces
from rinsho.serving.completions import (
    CompletionReply,
    CompletionRequest,
    EmbeddingRequest,
    completion_pieces,
    embeddings,
)
from rinsho.serving.limits import BodyLimit, Envelope, Limits, Receive, SameOrigin, Scope, Send
from rinsho.serving.model_thread import Job, ModelThread
from rinsho.serving.replies import error_response, to_bad_request
from rinsho.serving.requests import RequestModel, SamplingRequest, Text

T = TypeVar("T")

PAGE = Path(__file__).parent / "page"
PAGE_FILES = {  # path -> file and type; nothing else of the disk is served
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    **{
        f"/{name}.js": (f"{name}.js", "text/javascript; charset=utf-8")
        for name in ("page", "answers", "ask", "server", "spans", "texts")
    },
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


class NoteRequest(RequestModel):
    """The body of `/v1/extract` and `/v1/deidentify`."""

    text: Text
    id: Annotated[Text, Field(max_length=200)] | None = None


class Engines:
    """What answers requests: the engines, each with its own thread and queue."""

    def __init__(self, model: LanguageModel | None, extractor: Extractor, limits: Limits) -> None:
        self.model = model
        self.extractor = extractor
        self.limits = limits
        self.chat_thread = ModelThread("chat", limits.max_waiting, limits.max_running)
        self.note_thread = ModelThread("notes", limits.max_waiting)

    def chat_model(self, name: str) -> LanguageModel:
        """Return the chat model, if it is the one that a request names.

        Raises:
            NoModel: The server was started without one.
            ModelUnknown: It has another name.
        """
        if self.model is None:
            raise NoModel(where="chat")
        if name != self.model.name:
            raise ModelUnknown(where="model", expected=self.model.name)
        return self.model

    def close(self) -> None:
        """Stop both threads."""
        self.chat_thread.close()
        self.note_thread.close()


def create_app(
    model: LanguageModel | None, extractor: Extractor, limits: Limits | None = None
) -> FastAPI:
    """Build the application around loaded engines.

    Args:
        model: Answers chats; None: only notes are read.
        extractor: Finds the mentions of notes.
        limits: What a request may be.
    """
    engines = Engines(model, extractor, limits or Limits())

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        yield
        await asyncio.to_thread(engines.close)

    app = FastAPI(
        title="rinsho",
        version=__version__,
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
        openapi_url=None,
        # Newer versions report requests and errors to what OTEL_… names, if they are let.
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
        lifespan=lifespan,
    )
    app.add_middleware(BodyLimit, limits=engines.limits)
    app.add_middleware(SameOrigin)
    app.add_middleware(Envelope)  # the last one added is the first to see a request
    _add_error_replies(app)
    _add_page(app)
    _add_state(app, engines)
    _add_chat(app, engines)
    _add_notes(app, engines)
    return app


def _add_error_replies(app: FastAPI) -> None:
    @app.exception_handler(RinshoError)
    async def known(_: Request, error: RinshoError) -> Response:
        return error_response(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        return error_response(to_bad_request(error))

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> Response:
        if error.status_code in (404, 405):
            return error_response(RouteUnknown(where=error.status_code, expected=ROUTES))
        return error_response(BadRequest(where="body", found="not JSON", expected="JSON"))


ROUTES = (
    "/, /health, /v1/models, /v1/chat/completions, /v1/completions, /v1/embeddings, /v1/extract, "
    "/v1/deidentify"
)


def _add_page(app: FastAPI) -> None:
    for path, (name, kind) in PAGE_FILES.items():
        app.add_api_route(path, _file_route(name, kind), methods=["GET", "HEAD"])


def _file_route(name: str, kind: str) -> Callable[[], Coroutine[Any, Any, Response]]:
    body = (PAGE / name).read_bytes()

    async def page_file() -> Response:
        return Response(body, headers={"Content-Type": kind})

    return page_file


def _add_state(app: FastAPI, engines: Engines) -> None:
    model, extractor = engines.model, engines.extractor

    @app.get("/health")
    async def health() -> dict[str, Any]:
        return {
            "status": "ok",
            "version": __version__,
            "chat_model": model.name if model else None,
            "extractor": {"name": extractor.name, "kind": extractor.kind},
            "max_note_characters": engines.limits.max_note_characters,
        }

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [_model_fields(model.name)] if model else []}

    @app.get("/v1/models/{name:path}")
    async def one_model(name: str) -> dict[str, Any]:
        return _model_fields(engines.chat_model(name).name)


def _model_fields(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "rinsho"}


def _add_chat(app: FastAPI, engines: Engines) -> None:
    @app.post("/v1/chat/completions")
    async def chat_completions(request: ChatRequest, connection: Request) -> Response:
        model = engines.chat_model(request.model)
        job = engines.chat_thread.submit(lambda: answer_pieces(model, request))
        return await _answered(engines, job, ChatReply(model), request, connection)

    @app.post("/v1/completions")
    async def completions(request: CompletionRequest, connection: Request) -> Response:
        model = engines.chat_model(request.model)
        job = engines.chat_thread.submit(lambda: completion_pieces(model, request))
        return await _answered(engines, job, CompletionReply(model), request, connection)

    @app.post("/v1/embeddings")
    async def embed(request: EmbeddingRequest, connection: Request) -> Response:
        model = engines.chat_model(request.model)
        return await _one_result(
            engines.chat_thread, connection, lambda: embeddings(model, request)
        )


async def _answered(
    engines: Engines,
    job: Job[Piece],
    answer: ChatReply | CompletionReply,
    request: SamplingRequest,
    connection: Request,
) -> Response:
    """Return an answer whole or as a stream; who leaves stops the work."""
    try:
        # The first piece says that the prompt fits; if not, there is still a status to say it.
        first = await _or_left(connection, anext(job))
        if not request.stream:
            pieces = await _or_left(connection, _all(job))
            return JSONResponse(answer.whole([first, *pieces]))
    except BaseException:
        engines.chat_thread.cancel(job)
        raise
    options = request.stream_options
    events = answer.stream(job, with_usage=bool(options and options.include_usage))
    return EventStream(events, on_end=lambda: engines.chat_thread.cancel(job))


async def _one_result(
    thread: ModelThread, connection: Request, work: Callable[[], dict[str, Any]]
) -> Response:
    """Return what one piece of work gives; who leaves takes it out of the queue."""
    job = thread.submit(lambda: _once(work))
    try:
        (result,) = await _or_left(connection, _all(job))
    finally:
        thread.cancel(job)
    return JSONResponse(result)


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


async def _all(job: Job[T]) -> list[T]:
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


def _add_notes(app: FastAPI, engines: Engines) -> None:
    extractor, limit = engines.extractor, engines.limits.max_note_characters

    @app.post("/v1/extract")
    async def extract_note(request: NoteRequest, connection: Request) -> Response:
        def work() -> dict[str, Any]:
            spans = extract(extractor, request.text, limit)
            found = [span_to_json(span, request.text) for span in spans]
            engine = {"name": extractor.name, "kind": extractor.kind}
            answers = [judgement.to_json() for judgement in judge(extractor, request.text)]
            said = {"answers": answers} if answers else {}
            return {"id": request.id, "engine": engine, "spans": found, **said}

        return await _one_result(engines.note_thread, connection, work)

    @app.post("/v1/deidentify")
    async def deidentify_note(request: NoteRequest, connection: Request) -> Response:
        def work() -> dict[str, Any]:
            check_length(request.text, "note", limit)
            return to_json(deidentify(Note(request.id or "", request.text)))

        return await _one_result(engines.note_thread, connection, work)


def _once(work: Callable[[], T]) -> Iterator[T]:
    yield work()
