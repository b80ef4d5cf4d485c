"""The application: OpenAI's chat API, extraction, de-identification and the page."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from rinsho import __version__
from rinsho.clinical.codes import CodeIndex
from rinsho.clinical.extract import Extractor
from rinsho.errors import BadRequest, RinshoError, RouteUnknown
from rinsho.generation.language_model import LanguageModel
from rinsho.model.relation_finder import RelationFinder
from rinsho.serving.access import Access, SignIn, caller_of
from rinsho.serving.audit import AuditLog
from rinsho.serving.batch import Batches
from rinsho.serving.batch_routes import add_batch_routes
from rinsho.serving.chat_routes import add_chat_routes
from rinsho.serving.engines import Engines, caller_in
from rinsho.serving.letter_routes import add_letter_routes
from rinsho.serving.limits import BodyLimit, Envelope, Limits, Origins, SameOrigin
from rinsho.serving.metrics import TYPE as METRICS_TYPE
from rinsho.serving.note_routes import add_note_routes
from rinsho.serving.replies import error_response, to_bad_request

PAGE = Path(__file__).parent / "page"
PAGE_MODULES = (
    *("page", "answers", "ask", "correct", "corrected", "deidentify", "document", "draft", "batch"),
    *("files", "relations", "server", "spans", "tabs", "texts", "work"),
)
PAGE_FILES = {  # path -> file and type; nothing else of the disk is served
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    **{f"/{name}.js": (f"{name}.js", "text/javascript; charset=utf-8") for name in PAGE_MODULES},
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


@dataclass(frozen=True, slots=True)
class Protection:
    """Who may use a server, under which names, and where it is written down."""

    sign_in: SignIn = field(default_factory=SignIn)
    origins: Origins = field(default_factory=Origins)
    audit: AuditLog | None = None


def create_app(
    model: LanguageModel | None,
    extractor: Extractor,
    limits: Limits | None = None,
    *,
    index: CodeIndex | None = None,
    protection: Protection | None = None,
    card: str | None = None,
    finder: RelationFinder | None = None,
) -> FastAPI:
    """Build the application around loaded engines.

    Args:
        model: Answers chats; None: only notes are read.
        extractor: Finds the mentions of notes.
        limits: What a request may be.
        index: Names with codes, for `/v1/codes`.
        card: What the weights were made of and how they were measured, for people to read.
        finder: Says which drug caused what, for requests that ask for it.
        protection: None: everyone on this machine may use it, and nothing is written down.
    """
    protection = protection or Protection()
    engines = Engines(model, extractor, limits or Limits(), index, protection.audit, finder)
    batches = Batches(engines)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        yield
        await batches.close()
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
    app.add_middleware(
        Access, sign_in=protection.sign_in, open_paths=OPEN_PATHS, audit=protection.audit
    )
    app.add_middleware(SameOrigin, origins=protection.origins)
    # The last one added is the first to see a request.
    app.add_middleware(Envelope, metrics=engines.metrics)
    _add_error_replies(app, engines)
    _add_page(app)
    _add_state(app, engines, card)
    _add_administration(app, engines)
    add_chat_routes(app, engines)
    add_note_routes(app, engines)
    add_letter_routes(app, engines)
    add_batch_routes(app, engines, batches)
    return app


def _add_error_replies(app: FastAPI, engines: Engines) -> None:
    def counted(error: RinshoError) -> Response:
        engines.metrics.count_error(error.code)
        return error_response(error)

    @app.exception_handler(RinshoError)
    async def known(_: Request, error: RinshoError) -> Response:
        return counted(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        return counted(to_bad_request(error.errors()))

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> Response:
        if error.status_code in (404, 405):
            return counted(RouteUnknown(where=error.status_code, expected=ROUTES))
        return counted(BadRequest(where="body", found="not JSON", expected="JSON"))


ROUTES = (
    "/, /health, /metrics, /v1/audit, /v1/card, /v1/models, /v1/chat/completions, /v1/completions, "
    "/v1/embeddings, /v1/extract, /v1/codes, /v1/deidentify, "
    "/v1/ask, /v1/draft, /v1/batch"
)
OPEN_PATHS = frozenset({*PAGE_FILES, "/health"})  # they hold nothing of anybody


def _add_page(app: FastAPI) -> None:
    for path, (name, kind) in PAGE_FILES.items():
        route = _file_route(name, kind)
        app.add_api_route(path, route, methods=["GET", "HEAD"], include_in_schema=False)


def _file_route(name: str, kind: str) -> Callable[[], Coroutine[Any, Any, Response]]:
    body = (PAGE / name).read_bytes()

    async def page_file() -> Response:
        return Response(body, headers={"Content-Type": kind})

    return page_file


def _add_state(app: FastAPI, engines: Engines, card: str | None) -> None:
    model, extractor = engines.model, engines.extractor

    @app.get("/health")
    async def health(connection: Request) -> dict[str, Any]:
        if caller_of(connection.scope.get("state", {})) is None:
            return {"status": "ok", "needs_key": True}
        return {
            "status": "ok",
            "version": __version__,
            "chat_model": model.name if model else None,
            "extractor": {"name": extractor.name, "kind": extractor.kind},
            "relations": engines.finder.name if engines.finder else None,
            "max_note_characters": engines.limits.max_note_characters,
            "has_card": card is not None,
        }

    @app.get("/v1/card")
    async def model_card() -> dict[str, Any]:
        return {"text": card or ""}

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [_model_fields(model.name)] if model else []}

    @app.get("/v1/models/{name:path}")
    async def one_model(name: str) -> dict[str, Any]:
        return _model_fields(engines.chat_model(name).name)


def _model_fields(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "rinsho"}


def _add_administration(app: FastAPI, engines: Engines) -> None:
    @app.get("/metrics")
    async def metrics() -> Response:
        text = engines.metrics.to_text(engines.gauges())
        return Response(text, headers={"Content-Type": METRICS_TYPE})

    @app.get("/v1/audit")
    async def audit(
        connection: Request, n: Annotated[int, Query(ge=1, le=1_000)] = 100
    ) -> Response:
        if engines.audit is None:
            return JSONResponse({"lines": [], "n_lines": 0, "chain": None})
        await engines.record(caller_in(connection), "audit", "-", "")
        head, lines = engines.audit.head, engines.audit.last(n)
        return JSONResponse({"lines": lines, "n_lines": head.n_lines, "chain": head.chain})
