"""What evaluation and serving ask of a model, whatever runs it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from rinsho.tokenizer.tokenizer import Tokenizer

if TYPE_CHECKING:
    from rinsho.generation.constraint import Constraint


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen. Temperature 0 is greedy.

    Attributes:
        top_k: Only so many of the likeliest tokens can be drawn; 0: all.
        repetition_penalty: Divides positive logits of tokens that stand in the prompt or the answer
            and multiplies negative ones (Keskar et al. 2019, arXiv 1909.05858, section 4.1).
        frequency_penalty: Taken off a logit for each time that its token stands in the answer.
        presence_penalty: Taken off once for a token that stands in the answer.
        n_logprobs: How many alternatives each token carries with its log-probability, of the model
            before penalties and constraint; None: not even its own.
        constraint: What the answer may be.
    """

    max_new_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    top_k: int = 0
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    n_logprobs: int | None = None
    constraint: Constraint | None = None


class NewToken(int):
    """A token id that may know how likely it was.

    Attributes:
        log_probability: The natural logarithm, None where nobody asked.
        top: The likeliest tokens there, with theirs.
    """

    log_probability: float | None
    top: tuple[tuple[int, float], ...]

    def __new__(
        cls,
        id_: int,
        log_probability: float | None = None,
        top: tuple[tuple[int, float], ...] = (),
    ) -> NewToken:
        """Return the token."""
        token = super().__new__(cls, id_)
        token.log_probability, token.top = log_probability, top
        return token

    @property
    def is_scored(self) -> bool:
        """Return whether somebody asked for its log-probability."""
        return self.log_probability is not None


@dataclass(frozen=True, slots=True)
class Scored:
    """Log-likelihood of a continuation: the natural logarithm, summed over its tokens."""

    log_likelihood: float
    n_tokens: int
    is_greedy: bool  # whether each token was the most likely one


class LanguageModel(Protocol):
    """A model that scores and generates token ids."""

    @property
    def name(self) -> str:
        """Return the name that reports show."""
        ...

    @property
    def tokenizer(self) -> Tokenizer:
        """Return the tokenizer that the model was trained with."""
        ...

    @property
    def context_length(self) -> int:
        """Return the most tokens the model sees at once."""
        ...

    def log_likelihoods(
        self, requests: Sequence[tuple[Sequence[int], Sequence[int]]]
    ) -> list[Scored]:
        """Score (prompt, continuation) pairs of token ids.

        Raises:
            SequenceTooLong: A pair does not fit the context; nothing is cut in silence.
        """
        ...

    def generate(self, prompt: Sequence[int], sampling: Sampling) -> Iterator[int]:
        """Yield token ids until the end of turn (not yielded), the limit or the context's end."""
        ...


@runtime_checkable
class StepwiseModel(Protocol):
    """A model whose answers can advance together."""

    def generate_steps(self, prompt: Sequence[int], sampling: Sampling) -> Iterator[int | None]:
        """Yield what `LanguageModel.generate` yields, and None where a step gave no token.

        Iterators that are asked in turn share the work. Closing one drops its answer.
        """
        ...
