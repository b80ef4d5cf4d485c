"""What the server asks its language model: chats, continuations and vectors of texts."""

from __future__ import annotations

from typing import TypeVar

from fastapi import FastAPI, Request
from fastapi.responses import Response

from rinsho.errors import BadRequest
from rinsho.serving.access import Caller
from rinsho.serving.answering import Work, answer, answer_in_events, one_item
from rinsho.serving.chat import ChatReply, ChatRequest, answer_pieces
from rinsho.serving.completions import (
    CompletionReply,
    CompletionRequest,
    EmbeddingRequest,
    completion_pieces,
    embeddings,
)
from rinsho.serving.engines import Engines, caller_in
from rinsho.serving.requests import SamplingRequest

R = TypeVar("R", bound=SamplingRequest)


def add_chat_routes(app: FastAPI, engines: Engines) -> None:
    """Add `/v1/chat/completions`, `/v1/completions` and `/v1/embeddings`."""

    @app.post("/v1/chat/completions")
    async def chat_completions(request: ChatRequest, connection: Request) -> Response:
        request = within_limit(request, caller_in(connection))
        work, reply = chat_work(engines, request)
        return await _answered(engines, connection, request, work, reply)

    @app.post("/v1/completions")
    async def completions(request: CompletionRequest, connection: Request) -> Response:
        request = within_limit(request, caller_in(connection))
        work, reply = completion_work(engines, request)
        return await _answered(engines, connection, request, work, reply)

    @app.post("/v1/embeddings")
    async def embed(request: EmbeddingRequest, connection: Request) -> Response:
        return await answer(engines, connection, embedding_work(engines, request))


async def _answered(
    engines: Engines,
    connection: Request,
    request: SamplingRequest,
    work: Work,
    reply: ChatReply | CompletionReply,
) -> Response:
    if not request.stream:
        return await answer(engines, connection, work)
    options = request.stream_options
    with_usage = bool(options and options.include_usage)
    return await answer_in_events(
        engines, connection, work, lambda pieces: reply.stream(pieces, with_usage=with_usage)
    )


def within_limit(request: R, caller: Caller) -> R:
    """Return a request that asks for no more tokens than its caller may have.

    Raises:
        BadRequest: It asks for more; without a number, it gets what the caller may have.
    """
    most, asked = caller.max_new_tokens, request.most_tokens()
    if most is None or (asked is not None and asked <= most):
        return request
    if asked is not None:
        expected = f"at most {most}, the limit of this key"
        raise BadRequest(where="max_tokens", found=asked, expected=expected)
    return request.model_copy(update={"max_tokens": most})


def chat_work(engines: Engines, request: ChatRequest) -> tuple[Work, ChatReply]:
    """Return the work of a chat; errors as `Engines.chat_model`."""
    model = engines.chat_model(request.model)
    reply = ChatReply(model)
    text = "\n".join(message.to_message().content for message in request.messages)
    work = Work(
        "chat", engines.chat_thread, lambda: answer_pieces(model, request), reply.whole, text,
        _document_id(request),
    )  # fmt: skip
    return work, reply


def completion_work(engines: Engines, request: CompletionRequest) -> tuple[Work, CompletionReply]:
    """Return the work of continuing a text; errors as `Engines.chat_model`."""
    model = engines.chat_model(request.model)
    reply = CompletionReply(model)
    work = Work(
        "completion", engines.chat_thread, lambda: completion_pieces(model, request), reply.whole,
        request.text(), _document_id(request),
    )  # fmt: skip
    return work, reply


def embedding_work(engines: Engines, request: EmbeddingRequest) -> Work:
    """Return the work of making vectors; errors as `Engines.chat_model`."""
    model = engines.chat_model(request.model)
    texts = [request.input] if isinstance(request.input, str) else request.input
    work = lambda: embeddings(model, request)  # noqa: E731
    return one_item("embeddings", engines.chat_thread, work, "\n".join(texts))


def _document_id(request: SamplingRequest) -> str | None:
    """Return the caller's id of the document; OpenAI's API has no other place for it."""
    return (request.metadata or {}).get("document_id")
