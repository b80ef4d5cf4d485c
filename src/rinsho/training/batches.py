"""Token batches: what goes through the model at once, a pure function of (seed, epoch, step)."""

# T tokens of all segments one after another

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rinsho.encoding.packing import Piece, Row, pack
from rinsho.encoding.token_shard import TokenSplit


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """Pieces of documents one after another; no piece sees another."""

    tokens: Tensor  # (T,), int64
    labels: Tensor  # (T,), int64: the token behind each token
    loss_mask: Tensor  # (T,), uint8: 1 where the label counts
    segment_lengths: tuple[int, ...]
    n_counted: int
    document_ids: tuple[str, ...]

    @property
    def n_tokens(self) -> int:
        """Return the number of tokens that go through the model."""
        return len(self.tokens)


def to_batch(split: TokenSplit, pieces: Sequence[Piece]) -> TokenBatch:
    """Return the batch of some pieces.

    Pieces stand in order of length: attention takes neighbours of one length in one call, and the
    order inside a batch does not change a sum.
    """
    ordered = sorted(pieces, key=lambda p: (len(p), p.document, p.start))
    tokens, labels, mask = ([] for _ in range(3))
    for piece in ordered:
        document_tokens, document_mask = split.document(piece.document)
        tokens.append(document_tokens[piece.start : piece.end - 1])
        labels.append(document_tokens[piece.start + 1 : piece.end])
        mask.append(document_mask[piece.start + 1 : piece.end])
    mask_T = np.concatenate(mask)
    return TokenBatch(
        torch.from_numpy(np.concatenate(tokens).astype(np.int64)),
        torch.from_numpy(np.concatenate(labels).astype(np.int64)),
        torch.from_numpy(mask_T),
        tuple(len(piece) - 1 for piece in ordered),
        int(np.count_nonzero(mask_T)),
        tuple(dict.fromkeys(split.ids[piece.document] for piece in ordered)),
    )


class TokenBatches:
    """The steps of a training run over one split.

    Args:
        split: The documents.
        context_length: Tokens of a row.
        batch_tokens: Tokens of a step, at most; one row at least.
        micro_batch_tokens: Tokens of a batch, at most; one row at least.
        seed: Of the run.
    """

    def __init__(
        self,
        split: TokenSplit,
        *,
        context_length: int,
        batch_tokens: int,
        micro_batch_tokens: int,
        seed: int,
    ) -> None:
        self.split, self._context_length, self._seed = split, context_length, seed
        self._rows_per_step = max(1, batch_tokens // context_length)
        self._rows_per_batch = max(1, micro_batch_tokens // context_length)
        self._packed: tuple[int, list[Row]] = (-1, [])

    def _rows(self, epoch: int) -> list[Row]:
        if self._packed[0] != epoch:
            lengths, size = self.split.lengths, self._context_length
            rows = pack(lengths, context_length=size, seed=self._seed, epoch=epoch)
            self._packed = (epoch, rows)
        return self._packed[1]

    def n_steps(self, epoch: int) -> int:
        """Return the steps of an epoch; the last one may be smaller than the others."""
        return -(-len(self._rows(epoch)) // self._rows_per_step)

    def step(self, epoch: int, step: int) -> list[TokenBatch]:
        """Return the batches of one step, `step` counted from the start of the epoch."""
        first = step * self._rows_per_step
        rows = self._rows(epoch)[first : first + self._rows_per_step]
        return [
            to_batch(self.split, [piece for row in rows[start : start + size] for piece in row])
            for size in (self._rows_per_batch,)
            for start in range(0, len(rows), size)
        ]
