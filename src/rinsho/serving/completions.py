"""OpenAI's older completions, which continue a text, and embeddings."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from rinsho.errors import ModelCannot, RinshoError, ServerFault
from rinsho.generation.embeddings import Embedder
from rinsho.generation.language_model import LanguageModel
from rinsho.generation.reply import Piece, continue_text
from rinsho.serving.chat import usage
from rinsho.serving.replies import error_body, event
from rinsho.serving.requests import Content, RequestModel, SamplingRequest
from rinsho.text.normalize import normalize

DEFAULT_MAX_TOKENS = 16  # OpenAI's
MAX_INPUTS = 256


class CompletionRequest(SamplingRequest):
    """The body of `POST /v1/completions`."""

    model: str
    prompt: Content | Annotated[list[Content], Field(min_length=1, max_length=1)]
    logprobs: Annotated[int, Field(ge=0, le=5)] | None = None
    # Taken where they ask for nothing:
    best_of: Literal[1] | None = None
    echo: Literal[False] | None = None
    suffix: None = None

    def text(self) -> str:
        """Return the text to continue."""
        return self.prompt if isinstance(self.prompt, str) else self.prompt[0]

    def most_tokens(self) -> int | None:
        """Return how many tokens the answer may have."""
        return self.max_tokens or DEFAULT_MAX_TOKENS

    def n_logprobs(self) -> int | None:
        """Return how many alternatives each token is to carry, None for no figures at all."""
        return self.logprobs


def completion_pieces(model: LanguageModel, request: CompletionRequest) -> Iterator[Piece]:
    """Continue a text; runs in the model's thread, the tokenizer too."""
    sampling = request.sampling(model.context_length)
    return continue_text(model, request.text(), sampling, request.stop_strings)


class CompletionReply:
    """The envelope of one continuation."""

    def __init__(self, model: LanguageModel) -> None:
        self._id = f"cmpl-{secrets.token_hex(12)}"
        self._created = int(time.time())
        self._model_name, self._tokenizer = model.name, model.tokenizer

    def whole(self, pieces: Sequence[Piece]) -> dict[str, Any]:
        """Return the body of an answer that is not streamed."""
        text = "".join(piece.text for piece in pieces)
        body = self._body(text, pieces, pieces[-1].finish_reason)
        return {**body, "usage": usage(pieces[-1])}

    async def stream(
        self, pieces: AsyncIterator[Piece], *, with_usage: bool
    ) -> AsyncIterator[bytes]:
        """Yield server-sent events; an error on the way is the last one."""
        last: Piece | None = None
        try:
            async for last in pieces:
                if last.text or last.token is not None or last.finish_reason:
                    yield event(self._body(last.text, [last], last.finish_reason))
        except Exception as error:
            known = error if isinstance(error, RinshoError) else None
            yield event(error_body(known or ServerFault(where=type(error).__name__)))
            return
        if last is not None and with_usage:
            yield event({**self._fields(), "choices": [], "usage": usage(last)})
        yield b"data: [DONE]\n\n"

    def _body(self, text: str, pieces: Sequence[Piece], reason: str | None) -> dict[str, Any]:
        choice = {"index": 0, "text": text, "finish_reason": reason}
        return {**self._fields(), "choices": [{**choice, "logprobs": self._logprobs(pieces)}]}

    def _fields(self) -> dict[str, Any]:
        fields = {"id": self._id, "object": "text_completion", "created": self._created}
        return {**fields, "model": self._model_name}

    def _logprobs(self, pieces: Sequence[Piece]) -> dict[str, Any] | None:
        tokens = [piece.token for piece in pieces if piece.token is not None]
        if not tokens:
            return None
        raw = [self._tokenizer.token_bytes(token) for token in tokens]
        starts = [len(b"".join(raw[:n]).decode("utf-8", "ignore")) for n in range(len(raw))]
        top = [{self._text(id_): value for id_, value in token.top} for token in tokens]
        return {
            "tokens": [self._text(token) for token in tokens],
            "token_logprobs": [token.log_probability for token in tokens],
            "top_logprobs": top,
            "text_offset": starts,
        }

    def _text(self, id_: int) -> str:
        return self._tokenizer.token_text(id_)


class EmbeddingRequest(RequestModel):
    """The body of `POST /v1/embeddings`."""

    model: str
    input: Content | Annotated[list[Content], Field(min_length=1, max_length=MAX_INPUTS)]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: None = None
    user: str | None = None


def embeddings(model: LanguageModel, request: EmbeddingRequest) -> dict[str, Any]:
    """Return the vectors of texts; runs in the model's thread.

    Raises:
        ModelCannot: The model has no hidden states to show (another server's).
        SequenceTooLong, InvalidValue: As `Embedder.embed`.
    """
    if not isinstance(model, Embedder):
        raise ModelCannot(where="embeddings", found="another kind", expected="a local model")
    texts = [request.input] if isinstance(request.input, str) else request.input
    rows = [[model.tokenizer.bos_id, *model.tokenizer.encode(normalize(text))] for text in texts]
    vectors = model.embed(rows)
    is_base64 = request.encoding_format == "base64"
    data = [
        {"object": "embedding", "index": n, "embedding": _base64(one) if is_base64 else one}
        for n, one in enumerate(vectors)
    ]
    n_tokens = sum(map(len, rows))
    cost = {"prompt_tokens": n_tokens, "total_tokens": n_tokens}
    return {"object": "list", "data": data, "model": model.name, "usage": cost}


def _base64(vector: Sequence[float]) -> str:
    return base64.b64encode(np.asarray(vector, dtype="<f4").tobytes()).decode()
