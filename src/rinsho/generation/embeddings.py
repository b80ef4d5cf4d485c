"""Texts as vectors: the mean of a model's last hidden states, of length 1."""

# T tokens of all texts, D d_model

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from rinsho.errors import InvalidValue, SequenceTooLong


@runtime_checkable
class Embedder(Protocol):
    """A model that can say what a text is like, and not only what comes next."""

    def embed(self, rows: Sequence[Sequence[int]]) -> list[list[float]]:
        """Return a vector of length 1 for each row of token ids.

        Raises:
            SequenceTooLong: A row does not fit the context; nothing is cut in silence.
            InvalidValue: A row is empty.
        """
        ...


class _Hidden(Protocol):
    @property
    def output_weight(self) -> Tensor: ...

    def forward_hidden(self, tokens_T: Tensor, segment_lengths: Sequence[int]) -> Tensor: ...


@torch.inference_mode()
def mean_embeddings(
    decoder: _Hidden, rows: Sequence[Sequence[int]], context_length: int
) -> list[list[float]]:
    """Return the mean of the last hidden states of each row, scaled to length 1.

    Each row goes through the model by itself, so that no vector depends on its neighbours.
    A model that was not trained for it gives vectors that suit a rough search, not a judgement.

    Raises:
        SequenceTooLong, InvalidValue: As `Embedder.embed`.
    """
    found: list[list[float]] = []
    for number, row in enumerate(rows):
        if not row:
            raise InvalidValue(where=f"input {number}", found="no text", expected="some text")
        if len(row) > context_length:
            where = f"input {number}"
            raise SequenceTooLong(where=where, expected=context_length, found=len(row))
        tokens_T = torch.tensor(list(row), device=decoder.output_weight.device)
        mean_D = decoder.forward_hidden(tokens_T, [len(row)]).float().mean(0)
        found.append((mean_D / mean_D.norm().clamp_min(1e-12)).tolist())
    return found
