"""What every request of OpenAI's API may say about how an answer is made.

Fields that this server cannot honour are refused, never ignored: a client that asks for `tools` is
told so. Their neutral values are taken.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from rinsho.generation.constraint import Constraint, choices, regex
from rinsho.generation.language_model import Sampling


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
Penalty = Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)]
Stop = Annotated[Text, StringConstraints(min_length=1, max_length=200)]


class RequestModel(BaseModel):
    """The base of every body: unknown fields are refused, and errors do not quote the input."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class StreamOptions(RequestModel):
    """What a stream carries beside the text."""

    include_usage: bool = False
    include_obfuscation: bool = False  # taken and not done: nothing listens on loopback


class StructuredOutputs(RequestModel):
    """What OpenAI's API cannot ask for, under vLLM's name: one of some texts, or an expression."""

    choice: Annotated[list[Content], Field(min_length=1, max_length=5_000)] | None = None
    regex: Annotated[Text, Field(min_length=1, max_length=20_000)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> StructuredOutputs:
        if (self.choice is None) == (self.regex is None):
            raise ValueError("either choice or regex")
        return self


class SamplingRequest(RequestModel):
    """How an answer is made. Temperature 0 (greedy) and seed 0 by default."""

    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: Stop | Annotated[list[Stop], Field(max_length=4)] | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    # vLLM's names for what OpenAI's API lacks:
    top_k: Annotated[int, Field(ge=0)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)] | None = None
    structured_outputs: StructuredOutputs | None = None
    # Taken where they ask for nothing:
    n: Literal[1] | None = None
    logit_bias: Annotated[dict[str, float], Field(max_length=0)] | None = None
    # Taken and not used: nothing is stored, and there are no accounts.
    user: str | None = None
    store: bool | None = None
    metadata: dict[str, str] | None = None

    @property
    def stop_strings(self) -> tuple[str, ...]:
        """Return where the answer has to end."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    def most_tokens(self) -> int | None:
        """Return how many tokens the answer may have, None for as many as fit."""
        return self.max_tokens

    def n_logprobs(self) -> int | None:
        """Return how many alternatives each token is to carry, None for no figures at all."""
        return None

    def constraint(self) -> Constraint | None:
        """Return what the answer may be.

        Raises:
            ConstraintRefused: It cannot be used.
        """
        if self.structured_outputs is None:
            return None
        if self.structured_outputs.choice is not None:
            return choices(self.structured_outputs.choice)
        return regex(self.structured_outputs.regex or "")

    def sampling(self, context_length: int) -> Sampling:
        """Return how the answer is made.

        Raises:
            ConstraintRefused: The constraint cannot be used.
        """
        return Sampling(
            max_new_tokens=min(self.most_tokens() or context_length, context_length),
            temperature=self.temperature or 0.0,
            top_p=self.top_p or 1.0,
            seed=(self.seed or 0) % 2**63,
            top_k=self.top_k or 0,
            repetition_penalty=self.repetition_penalty or 1.0,
            frequency_penalty=self.frequency_penalty or 0.0,
            presence_penalty=self.presence_penalty or 0.0,
            n_logprobs=self.n_logprobs(),
            constraint=self.constraint(),
        )
