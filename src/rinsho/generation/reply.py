"""From messages to text, a piece at a time: the one way that the server and `generate` use."""

from __future__ import annotations

import codecs
import contextlib
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from rinsho.corpus.document import Message
from rinsho.errors import SequenceTooLong
from rinsho.generation.language_model import LanguageModel, NewToken, Sampling, StepwiseModel
from rinsho.text.normalize import normalize
from rinsho.tokenizer.tokenizer import Tokenizer

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an answer. One is yielded per step of the model, so `text` can be empty."""

    text: str
    n_prompt_tokens: int
    n_new_tokens: int  # so far
    finish_reason: FinishReason | None = None  # set in the last piece alone
    token: NewToken | None = None  # where its log-probability was asked for


class TextStream:
    """Turn token ids into text that never holds half a character nor a part of a stop string.

    A rare kanji is four byte tokens: its bytes are held back until the last one is there.
    """

    def __init__(self, tokenizer: Tokenizer, stop: Sequence[str] = ()) -> None:
        self._tokenizer = tokenizer
        self._stop = tuple(stop)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._held = ""  # decoded, but it may be the beginning of a stop string
        self.is_stopped = False

    def push(self, token_id: int) -> str:
        """Add a token; return the text that is certain by now."""
        return self._release(self._decoder.decode(self._tokenizer.token_bytes(token_id)))

    def finish(self) -> str:
        """Return what was held back; bytes of an unfinished character become U+FFFD."""
        text = self._release(self._decoder.decode(b"", final=True))
        rest, self._held = self._held, ""
        return text + rest

    def _release(self, text: str) -> str:
        if self.is_stopped:
            return ""
        text = self._held + text
        found = [place for stop in self._stop if (place := text.find(stop)) >= 0]
        if found:
            self.is_stopped, self._held = True, ""
            return text[: min(found)]
        n_held = _longest_beginning(text, self._stop)
        self._held = text[len(text) - n_held :]
        return text[: len(text) - n_held]


def _longest_beginning(text: str, stop: Iterable[str]) -> int:
    """Return how many of the last characters of `text` may begin a stop string."""
    return max(
        (n for one in stop for n in range(1, len(one)) if text.endswith(one[:n])),
        default=0,
    )


def reply(
    model: LanguageModel, messages: Sequence[Message], sampling: Sampling, stop: Sequence[str] = ()
) -> Generator[Piece, None, None]:
    """Answer a conversation.

    What messages say is normalized, like all text that the model learned from. The prompt is made
    of token ids by `Tokenizer.render`: text never becomes a special token. The first piece is empty
    and says that the prompt fits.

    Raises:
        SequenceTooLong: The conversation leaves no room in the context for an answer.
    """
    normalized = [Message(message.role, normalize(message.content)) for message in messages]
    prompt = model.tokenizer.render(normalized, add_generation_prompt=True)
    return continue_tokens(model, prompt, sampling, stop)


def continue_text(
    model: LanguageModel, text: str, sampling: Sampling, stop: Sequence[str] = ()
) -> Generator[Piece, None, None]:
    """Continue a plain text, as a model without instruction tuning does; errors as in `reply`."""
    prompt = [model.tokenizer.bos_id, *model.tokenizer.encode(normalize(text))]
    return continue_tokens(model, prompt, sampling, stop)


def continue_tokens(
    model: LanguageModel, prompt: Sequence[int], sampling: Sampling, stop: Sequence[str]
) -> Generator[Piece, None, None]:
    """Yield the pieces that follow a prompt of token ids; errors as in `reply`."""
    n_prompt, n_new = len(prompt), 0
    if n_prompt >= model.context_length:
        limit = model.context_length - 1
        raise SequenceTooLong(where="the prompt", expected=limit, found=n_prompt)
    yield Piece("", n_prompt, n_new)
    stream = TextStream(model.tokenizer, stop)
    steps = _steps(model, prompt, sampling)
    with contextlib.closing(steps):
        for token in steps:
            if token is None:
                yield Piece("", n_prompt, n_new)
                continue
            n_new += 1
            scored = token if isinstance(token, NewToken) and token.is_scored else None
            yield Piece(stream.push(token), n_prompt, n_new, token=scored)
            if stream.is_stopped:
                break
    is_full = n_new >= min(sampling.max_new_tokens, model.context_length - n_prompt)
    reason: FinishReason = "length" if is_full and not stream.is_stopped else "stop"
    yield Piece(stream.finish(), n_prompt, n_new, reason)


def _steps(
    model: LanguageModel, prompt: Sequence[int], sampling: Sampling
) -> Generator[int | None, None, None]:
    if isinstance(model, StepwiseModel):
        yield from model.generate_steps(prompt, sampling)
    else:
        yield from model.generate(prompt, sampling)
