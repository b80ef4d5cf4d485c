"""OpenAI's chat completions: what a request may say, and how an answer is written.

Fields that this server cannot honour are refused, never ignored: a client that asks for
`logprobs` or `tools` is told so. Their neutral values are taken.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from rinsho.corpus.document import Message
from rinsho.errors import RinshoError, ServerFault
from rinsho.generation.language_model import LanguageModel, Sampling
from rinsho.generation.reply import Piece, reply
from rinsho.serving.replies import error_body

MAX_MESSAGES = 1_000


def _whole_characters(text: str) -> str:
    """Refuse half of a surrogate pair, which JSON can hold and UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        expected = "text of whole characters (it holds half of a surrogate pair)"
        raise ValueError(expected) from None
    return text


Text = Annotated[str, AfterValidator(_whole_characters)]
Content = Annotated[Text, StringConstraints(max_length=1_000_000)]
Stop = Annotated[Text, StringConstraints(min_length=1, max_length=200)]


class RequestModel(BaseModel):
    """The base of every body: unknown fields are refused, and errors do not quote the input."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


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


class StreamOptions(RequestModel):
    """What a stream carries beside the text."""

    include_usage: bool = False
    include_obfuscation: bool = False  # taken and not done: nothing listens on loopback


class TextFormat(RequestModel):
    """The one form of answer there is."""

    type: Literal["text"]


class ChatRequest(RequestModel):
    """The body of `POST /v1/chat/completions`. Temperature 0 (greedy) and seed 0 by default."""

    model: str
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MAX_MESSAGES)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: Stop | Annotated[list[Stop], Field(max_length=4)] | None = None
    # Taken where they ask for nothing:
    n: Literal[1] | None = None
    logprobs: Literal[False] | None = None
    top_logprobs: Literal[0] | None = None
    frequency_penalty: Literal[0] | None = None
    presence_penalty: Literal[0] | None = None
    logit_bias: Annotated[dict[str, float], Field(max_length=0)] | None = None
    tools: Annotated[list[Any], Field(max_length=0)] | None = None
    tool_choice: Literal["none", "auto"] | None = None
    response_format: TextFormat | None = None
    # Taken and not used: nothing is stored, and there are no accounts.
    user: str | None = None
    store: bool | None = None
    metadata: dict[str, str] | None = None

    def stop_strings(self) -> tuple[str, ...]:
        """Return where the answer has to end."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    def sampling(self, context_length: int) -> Sampling:
        """Return how the answer is made."""
        most = self.max_completion_tokens or self.max_tokens or context_length
        return Sampling(
            max_new_tokens=min(most, context_length),
            temperature=self.temperature or 0.0,
            top_p=self.top_p or 1.0,
            seed=(self.seed or 0) % 2**63,
        )


def answer_pieces(model: LanguageModel, request: ChatRequest) -> Iterator[Piece]:
    """Answer a request; runs in the model's thread, the tokenizer too."""
    messages = [message.to_message() for message in request.messages]
    sampling = request.sampling(model.context_length)
    return reply(model, messages, sampling, request.stop_strings())


class ChatReply:
    """The envelope of one answer: its id, its time and the model's name."""

    def __init__(self, model_name: str) -> None:
        self._id = f"chatcmpl-{secrets.token_hex(12)}"
        self._created = int(time.time())
        self._model_name = model_name

    def whole(self, text: str, last: Piece) -> dict[str, Any]:
        """Return the body of an answer that is not streamed."""
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None}
        choices = [{**choice, "finish_reason": last.finish_reason}]
        return {**self._fields("chat.completion"), "choices": choices, "usage": _usage(last)}

    async def stream(
        self, pieces: AsyncIterator[Piece], *, with_usage: bool
    ) -> AsyncIterator[bytes]:
        """Yield server-sent events; an error on the way is the last one."""
        last: Piece | None = None
        yield self._chunk({"role": "assistant", "content": ""})
        try:
            async for last in pieces:
                if last.text:
                    yield self._chunk({"content": last.text})
        except Exception as error:
            known = error if isinstance(error, RinshoError) else None
            known = known or ServerFault(where=type(error).__name__)
            yield _event(error_body(known))
            return
        if last is not None:
            yield self._chunk({}, last.finish_reason)
            if with_usage:
                fields = self._fields("chat.completion.chunk")
                yield _event({**fields, "choices": [], "usage": _usage(last)})
        yield b"data: [DONE]\n\n"

    def _chunk(self, delta: dict[str, str], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return _event({**self._fields("chat.completion.chunk"), "choices": [choice]})

    def _fields(self, kind: str) -> dict[str, Any]:
        fields = {"id": self._id, "object": kind, "created": self._created}
        return {**fields, "model": self._model_name}


def _event(value: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


def _usage(last: Piece) -> dict[str, int]:
    return {
        "prompt_tokens": last.n_prompt_tokens,
        "completion_tokens": last.n_new_tokens,
        "total_tokens": last.n_prompt_tokens + last.n_new_tokens,
    }
