"""OpenAI's chat completions: what a request may say, and how an answer is written."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from rinsho.corpus.document import Message
from rinsho.errors import RinshoError, ServerFault
from rinsho.generation.constraint import Constraint, json_schema
from rinsho.generation.language_model import LanguageModel, NewToken
from rinsho.generation.reply import Piece, reply
from rinsho.serving.replies import error_body, event
from rinsho.serving.requests import Content, RequestModel, SamplingRequest, Text

MAX_MESSAGES = 1_000


class TextPart(RequestModel):
    """A part of a message; images and sound are not read."""

    type: Literal["text"]
    text: Content


class ChatMessage(RequestModel):
    """One turn. `developer` is OpenAI's newer name of `system`."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Content | Annotated[list[TextPart], Field(max_length=MAX_MESSAGES)]
    name: str | None = None

    def to_message(self) -> Message:
        """Return the turn as the tokenizer renders it."""
        parts = self.content
        text = parts if isinstance(parts, str) else "".join(part.text for part in parts)
        return Message("system" if self.role == "developer" else self.role, text)


class PlainFormat(RequestModel):
    """Any text, or any JSON object."""

    type: Literal["text", "json_object"]


class NamedSchema(RequestModel):
    """A JSON schema; the answer follows it always, whatever `strict` says."""

    name: Annotated[Text, Field(max_length=64)]
    json_schema: dict[str, Any] = Field(alias="schema")
    description: Content | None = None
    strict: bool | None = None


class SchemaFormat(RequestModel):
    """JSON of a schema."""

    type: Literal["json_schema"]
    json_schema: NamedSchema


class ChatRequest(SamplingRequest):
    """The body of `POST /v1/chat/completions`."""

    model: str
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MAX_MESSAGES)]
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    response_format: PlainFormat | SchemaFormat | None = None
    # Taken where they ask for nothing:
    tools: Annotated[list[Any], Field(max_length=0)] | None = None
    tool_choice: Literal["none", "auto"] | None = None

    @model_validator(mode="after")
    def _one_constraint(self) -> ChatRequest:
        has_format = self.response_format is not None and self.response_format.type != "text"
        if has_format and self.structured_outputs is not None:
            raise ValueError("either response_format or structured_outputs")
        return self

    def most_tokens(self) -> int | None:
        """Return how many tokens the answer may have, None for as many as fit."""
        return self.max_completion_tokens or self.max_tokens

    def n_logprobs(self) -> int | None:
        """Return how many alternatives each token is to carry, None for no figures at all."""
        return (self.top_logprobs or 0) if self.logprobs else None

    def constraint(self) -> Constraint | None:
        """Return what the answer may be; errors as in the base class."""
        wanted = self.response_format
        if isinstance(wanted, SchemaFormat):
            return json_schema(wanted.json_schema.json_schema)
        if wanted is not None and wanted.type == "json_object":
            return json_schema({"type": "object"})
        return super().constraint()


def answer_pieces(model: LanguageModel, request: ChatRequest) -> Iterator[Piece]:
    """Answer a request; runs in the model's thread, the tokenizer too."""
    messages = [message.to_message() for message in request.messages]
    sampling = request.sampling(model.context_length)
    return reply(model, messages, sampling, request.stop_strings)


class ChatReply:
    """The envelope of one answer: its id, its time and the model's name."""

    def __init__(self, model: LanguageModel) -> None:
        self._id = f"chatcmpl-{secrets.token_hex(12)}"
        self._created = int(time.time())
        self._model_name, self._tokenizer = model.name, model.tokenizer

    def whole(self, pieces: Sequence[Piece]) -> dict[str, Any]:
        """Return the body of an answer that is not streamed."""
        text, last = "".join(piece.text for piece in pieces), pieces[-1]
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": self._logprobs(pieces)}
        choices = [{**choice, "finish_reason": last.finish_reason}]
        return {**self._fields("chat.completion"), "choices": choices, "usage": usage(last)}

    def _logprobs(self, pieces: Sequence[Piece]) -> dict[str, Any] | None:
        tokens = [piece.token for piece in pieces if piece.token is not None]
        content = [self._token(token) for token in tokens]
        return {"content": content, "refusal": None} if tokens else None

    def _token(self, token: NewToken) -> dict[str, Any]:
        top = [self._likely(id_, value) for id_, value in token.top]
        return {**self._likely(token, token.log_probability or 0.0), "top_logprobs": top}

    def _likely(self, id_: int, value: float) -> dict[str, Any]:
        raw = self._tokenizer.token_bytes(id_)
        text = raw.decode("utf-8", "replace") if raw else self._tokenizer.token_text(id_)
        return {"token": text, "logprob": value, "bytes": list(raw)}

    async def stream(
        self, pieces: AsyncIterator[Piece], *, with_usage: bool
    ) -> AsyncIterator[bytes]:
        """Yield server-sent events; an error on the way is the last one."""
        last: Piece | None = None
        yield self._chunk({"role": "assistant", "content": ""})
        try:
            async for last in pieces:
                if last.text or last.token is not None:
                    yield self._chunk({"content": last.text}, logprobs=self._logprobs([last]))
        except Exception as error:
            known = error if isinstance(error, RinshoError) else None
            known = known or ServerFault(where=type(error).__name__)
            yield event(error_body(known))
            return
        if last is not None:
            yield self._chunk({}, last.finish_reason)
            if with_usage:
                fields = self._fields("chat.completion.chunk")
                yield event({**fields, "choices": [], "usage": usage(last)})
        yield b"data: [DONE]\n\n"

    def _chunk(
        self,
        delta: dict[str, str],
        finish_reason: str | None = None,
        logprobs: dict[str, Any] | None = None,
    ) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
        return event({**self._fields("chat.completion.chunk"), "choices": [choice]})

    def _fields(self, kind: str) -> dict[str, Any]:
        fields = {"id": self._id, "object": kind, "created": self._created}
        return {**fields, "model": self._model_name}


def usage(last: Piece) -> dict[str, int]:
    """Return what an answer cost."""
    return {
        "prompt_tokens": last.n_prompt_tokens,
        "completion_tokens": last.n_new_tokens,
        "total_tokens": last.n_prompt_tokens + last.n_new_tokens,
    }
