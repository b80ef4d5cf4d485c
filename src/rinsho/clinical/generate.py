"""Answer prompts from files or standard input with a chat model, or continue plain texts."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Literal

from rinsho.clinical.notes import Note
from rinsho.corpus.document import Message
from rinsho.generation.language_model import LanguageModel, Sampling
from rinsho.generation.reply import FinishReason, Piece, continue_text, reply

PromptForm = Literal["chat", "text"]


@dataclass(frozen=True, slots=True)
class Generation:
    """What a model wrote for one prompt."""

    id: str
    output: str
    finish_reason: FinishReason
    n_prompt_tokens: int
    n_new_tokens: int


@dataclass(frozen=True, slots=True)
class Prompting:
    """How a text becomes a prompt, and how the answer is made."""

    form: PromptForm = "chat"  # "text": the model goes on writing, as it does before finetuning
    system: str | None = None
    stop: tuple[str, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)


def generate_pieces(
    model: LanguageModel, text: str, prompting: Prompting
) -> Generator[Piece, None, None]:
    """Yield what the model writes for one text, as it is written.

    Raises:
        SequenceTooLong: The prompt leaves no room in the context.
    """
    if prompting.form == "text":
        return continue_text(model, text, prompting.sampling, prompting.stop)
    system = [Message("system", prompting.system)] if prompting.system else []
    messages = [*system, Message("user", text)]
    return reply(model, messages, prompting.sampling, prompting.stop)


def generate_notes(
    model: LanguageModel, notes: Iterable[Note], prompting: Prompting
) -> Iterator[Generation]:
    """Generate for each text of `notes.read_notes`; errors as in `generate_pieces`."""
    for note in notes:
        pieces = list(generate_pieces(model, note.text, prompting))
        text, last = "".join(piece.text for piece in pieces), pieces[-1]
        reason = last.finish_reason or "stop"
        yield Generation(note.id, text, reason, last.n_prompt_tokens, last.n_new_tokens)


def to_json_line(generation: Generation) -> str:
    """Return one line of the output."""
    return json.dumps(asdict(generation), ensure_ascii=False)
