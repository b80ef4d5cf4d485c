"""The held-out split: bits per byte of a model on it, in all and source by source."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rinsho.encoding.packing import Piece, pack
from rinsho.model.decoder_protocol import TrainableDecoder
from rinsho.model.loss import summed_cross_entropy
from rinsho.training.batches import TokenBatch, to_batch
from rinsho.training.mix import TokenDocuments

TOKENS_PER_BATCH = 4_096


def summed_loss(decoder: TrainableDecoder, batch: TokenBatch) -> Tensor:
    """Return the cross-entropy of a batch summed over its counted labels, in nats."""
    batch = batch.to(decoder.output_weight.device)
    hidden_TD = decoder.forward_hidden(
        batch.tokens, batch.segment_lengths, is_causal=batch.is_causal
    )
    # Only now: a sharded matrix is whole behind the pass alone.
    return summed_cross_entropy(hidden_TD, decoder.output_weight, batch.labels, batch.loss_mask)


@dataclass(slots=True)
class Measured:
    """What a model lost on some text."""

    nats: float = 0.0
    n_bytes: int = 0

    @property
    def bits_per_byte(self) -> float | None:
        """Return 0 or more, lower is better; None where no byte counts."""
        return self.nats / (math.log(2) * self.n_bytes) if self.n_bytes else None


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What is measured on the validation split.

    Args:
        split: The documents.
        n_bytes_per_token: UTF-8 bytes of each token of the vocabulary.
        context_length: Tokens of a row.
        max_tokens: Documents are measured in a fixed order until this many tokens are done.
    """

    split: TokenDocuments
    n_bytes_per_token: np.ndarray
    context_length: int
    max_tokens: int

    def measure(self, decoder: TrainableDecoder) -> dict[str, float]:
        """Return `bits_per_byte`, and `bits_per_byte/<source>` where there are several sources."""
        by_source = self.by_source(decoder)
        total = Measured(
            sum(one.nats for one in by_source.values()),
            sum(one.n_bytes for one in by_source.values()),
        )
        named = {"bits_per_byte": total}
        if len(by_source) > 1:
            named |= {f"bits_per_byte/{source}": one for source, one in by_source.items()}
        found = {name: one.bits_per_byte for name, one in named.items()}
        return {name: round(value, 6) for name, value in found.items() if value is not None}

    def by_source(self, decoder: TrainableDecoder) -> Mapping[str, Measured]:
        """Return nats and bytes of each source.

        Only labels under the loss mask count, in both. The end of a document counts in nats and has
        no byte. A piece of a document longer than the context starts without context.

        Source:
            sum(-ln p) / (ln 2 * sum(bytes)); Gao et al. 2020, "The Pile", section 3.1.
        """
        measured: dict[str, Measured] = {}
        for source, pieces in self._pieces().items():
            one = measured.setdefault(source, Measured())
            for some in _fill(pieces):
                batch = to_batch(self.split, some)
                with torch.no_grad():
                    one.nats += float(summed_loss(decoder, batch))
                counted = batch.labels.numpy()[batch.loss_mask.numpy() != 0]
                one.n_bytes += int(self.n_bytes_per_token[counted].sum())
        return measured

    def _pieces(self) -> dict[str, list[Piece]]:
        rows = pack(self.split.lengths, context_length=self.context_length, seed=0, epoch=0)
        pieces: defaultdict[str, list[Piece]] = defaultdict(list)
        for row in rows[: max(1, self.max_tokens // self.context_length)]:
            for piece in row:
                pieces[self.split.sources[piece.document]].append(piece)
        return dict(sorted(pieces.items()))


def _fill(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    batch, n_tokens = list[Piece](), 0
    for piece in pieces:
        if batch and n_tokens + len(piece) > TOKENS_PER_BATCH:
            yield batch
            batch, n_tokens = [], 0
        batch.append(piece)
        n_tokens += len(piece)
    if batch:
        yield batch
