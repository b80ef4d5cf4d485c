"""What a run learns: batches, their loss, and the measure on the held-out split."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from rinsho.encoding.packing import Piece, pack
from rinsho.encoding.token_shard import TokenSplit
from rinsho.model.decoder import Decoder
from rinsho.model.loss import summed_cross_entropy
from rinsho.training.batches import TokenBatch, TokenBatches, to_batch


class Batch(Protocol):
    """What goes through the model at once."""

    @property
    def n_counted(self) -> int:
        """Return the number of labels in the loss."""
        ...

    @property
    def n_tokens(self) -> int:
        """Return the number of tokens that go through the model."""
        ...

    @property
    def document_ids(self) -> tuple[str, ...]:
        """Return the documents it is made of."""
        ...


BatchT = TypeVar("BatchT", bound=Batch)


class Objective(Protocol[BatchT]):
    """The part of training in which its forms differ; the loop does the rest."""

    @property
    def module(self) -> nn.Module:
        """Return the module that is trained."""
        ...

    def n_steps(self, epoch: int) -> int:
        """Return the steps of an epoch."""
        ...

    def batches(self, epoch: int, step: int) -> Sequence[BatchT]:
        """Return the batches of a step, a pure function of both (and of the seed)."""
        ...

    def summed_loss(self, batch: BatchT) -> Tensor:
        """Return the loss summed over the counted labels, in nats."""
        ...

    def measure(self) -> Mapping[str, float]:
        """Measure on the validation split; nothing where it is empty."""
        ...

    def goodness(self, measures: Mapping[str, float]) -> float | None:
        """Return what is higher for a better model; None: the last weights are kept."""
        ...


class LanguageObjective:
    """The next token, of documents or of the answers in conversations.

    Args:
        decoder: The model.
        batches: The steps over the training split.
        validation: The held-out split.
        n_bytes_per_token: UTF-8 bytes of each token of the vocabulary.
        max_validation_tokens: Tokens of the held-out split that are measured.
    """

    def __init__(
        self,
        decoder: Decoder,
        batches: TokenBatches,
        validation: TokenSplit,
        n_bytes_per_token: np.ndarray,
        max_validation_tokens: int,
    ) -> None:
        self.module, self._batches, self._validation = decoder, batches, validation
        self._n_bytes, self._max_tokens = n_bytes_per_token, max_validation_tokens

    def n_steps(self, epoch: int) -> int:
        """Return the steps of an epoch."""
        return self._batches.n_steps(epoch)

    def batches(self, epoch: int, step: int) -> Sequence[TokenBatch]:
        """Return the batches of a step."""
        return self._batches.step(epoch, step)

    def summed_loss(self, batch: TokenBatch) -> Tensor:
        """Return the cross-entropy summed over the counted labels, in nats."""
        return summed_loss(self.module, batch)

    def measure(self) -> Mapping[str, float]:
        """Return bits per byte on the validation split."""
        found = bits_per_byte(
            self.module, self._validation, self._n_bytes, max_tokens=self._max_tokens
        )
        return {} if found is None else {"bits_per_byte": round(found, 6)}

    def goodness(self, measures: Mapping[str, float]) -> None:
        """Keep the last weights: the rate has fallen, and they are the best as a rule."""
        return


def summed_loss(decoder: Decoder, batch: TokenBatch) -> Tensor:
    """Return the cross-entropy of a batch summed over its counted labels, in nats."""
    hidden_TD = decoder.forward_hidden(batch.tokens, batch.segment_lengths)
    weight_VD = decoder.output_weight
    return summed_cross_entropy(hidden_TD, weight_VD, batch.labels, batch.loss_mask)


def bits_per_byte(
    decoder: Decoder,
    split: TokenSplit,
    n_bytes_per_token: np.ndarray,
    *,
    max_tokens: int,
    tokens_per_batch: int = 4_096,
) -> float | None:
    """Return the cross-entropy of a split in bits per UTF-8 byte of the text that counts.

    Only labels under the loss mask count, in nats and in bytes. The end of a document counts in
    nats and has no byte. A piece of a document longer than the context starts without context.

    Args:
        decoder: The model.
        split: The documents.
        n_bytes_per_token: UTF-8 bytes of each token of the vocabulary.
        max_tokens: Documents are measured in a fixed order until this many tokens are done.
        tokens_per_batch: Tokens that go through the model at once.

    Returns:
        0 or more, lower is better; None where no byte counts.

    Source:
        sum(-ln p) / (ln 2 * sum(bytes)); Gao et al. 2020, "The Pile", section 3.1.
    """
    context_length = decoder.config.context_length
    rows = pack(split.lengths, context_length=context_length, seed=0, epoch=0)
    rows = rows[: max(1, max_tokens // context_length)]
    n_rows = max(1, tokens_per_batch // context_length)
    nats, n_bytes = 0.0, 0
    for start in range(0, len(rows), n_rows):
        pieces: list[Piece] = [piece for row in rows[start : start + n_rows] for piece in row]
        batch = to_batch(split, pieces)
        with torch.no_grad():
            nats += float(summed_loss(decoder, batch))
        counted = batch.labels.numpy()[batch.loss_mask.numpy() != 0]
        n_bytes += int(n_bytes_per_token[counted].sum())
    return nats / (math.log(2) * n_bytes) if n_bytes else None
