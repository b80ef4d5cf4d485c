"""What evaluation and serving ask of a model, whatever runs it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from rinsho.tokenizer.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen. Temperature 0 is greedy."""

    max_new_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0


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
