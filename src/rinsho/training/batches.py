"""Token batches: what goes through the model at once, a pure function of (seed, epoch, step)."""

# T tokens of all segments one after another

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from rinsho.encoding.packing import Piece, Row, pack
from rinsho.training.mix import Mix, TokenDocuments


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """Pieces of documents one after another; no piece sees another."""

    tokens: Tensor  # (T,), int64
    labels: Tensor  # (T,), int64: the token behind each token
    loss_mask: Tensor  # (T,), uint8: 1 where the label counts
    segment_lengths: tuple[int, ...]
    n_counted: int
    document_ids: tuple[str, ...]
    is_causal: bool = True  # whether a token sees only those before it

    @property
    def n_tokens(self) -> int:
        """Return the number of tokens that go through the model."""
        return len(self.tokens)

    def to(self, device: torch.device) -> TokenBatch:
        """Return the batch with its tensors on a device."""
        if self.tokens.device == device:
            return self
        moved = {name: getattr(self, name).to(device) for name in ("tokens", "labels", "loss_mask")}
        return replace(self, **moved)


def to_batch(split: TokenDocuments, pieces: Sequence[Piece]) -> TokenBatch:
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
    """The steps of a training run over the documents of a split, or over a mix of them.

    Args:
        split: The documents.
        context_length: Tokens of a row.
        batch_tokens: Tokens of a step, at most; one row at least.
        micro_batch_tokens: Tokens of a batch, at most; one row at least.
        seed: Of the run.
        mix: Which documents an epoch has; every one when left out.
    """

    def __init__(
        self,
        split: TokenDocuments,
        *,
        context_length: int,
        batch_tokens: int,
        micro_batch_tokens: int,
        seed: int,
        mix: Mix | None = None,
    ) -> None:
        self.split, self._context_length, self._seed = split, context_length, seed
        self._mix = mix
        self._rows_per_step = max(1, batch_tokens // context_length)
        self._rows_per_batch = max(1, micro_batch_tokens // context_length)
        self._packed: tuple[int, list[Row]] = (-1, [])

    def _rows(self, epoch: int) -> list[Row]:
        packed_epoch, rows = self._packed
        if packed_epoch != epoch:
            rows = pack(
                self.split.lengths,
                context_length=self._context_length,
                seed=self._seed,
                epoch=epoch,
                documents=None if self._mix is None else self._mix.documents(epoch),
            )
            self._packed = (epoch, rows)
        return rows

    @property
    def n_epochs(self) -> int | None:
        """Return the epochs that there are; None where they have no end."""
        return None if self._mix is None else self._mix.n_epochs

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

    def tokens_by_source(self, epoch: int, step: int) -> dict[str, int]:
        """Return the tokens of each source that went through the model before a step."""
        counts: Counter[str] = Counter()
        for past in range(epoch):
            every = range(len(self.split.lengths))
            for document in every if self._mix is None else self._mix.documents(past):
                n_labels = max(0, int(self.split.lengths[document]) - 1)
                counts[self.split.sources[document]] += n_labels
        for row in self._rows(epoch)[: step * self._rows_per_step]:
            for piece in row:
                counts[self.split.sources[piece.document]] += len(piece) - 1
        return dict(sorted(counts.items()))
