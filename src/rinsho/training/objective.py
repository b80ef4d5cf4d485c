"""What a run learns: batches, their loss, and the measure on the held-out split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from torch import Tensor, nn

from rinsho.model.decoder_protocol import TrainableDecoder, as_module
from rinsho.training.batches import TokenBatch, TokenBatches
from rinsho.training.held_out import HeldOut, summed_loss
from rinsho.training.masking import Masking


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
        """Return what is higher for a better model; None: nothing was measured."""
        ...


class LanguageObjective:
    """The next token, of documents or of the answers in conversations.

    Args:
        decoder: The model.
        batches: The steps over the training split.
        held_out: What is measured on the validation split.
        masking: Which batches are read both ways, with tokens hidden; none when left out.
        seed: Of the run, for the masking.
    """

    def __init__(
        self,
        decoder: TrainableDecoder,
        batches: TokenBatches,
        held_out: HeldOut,
        *,
        masking: Masking | None = None,
        seed: int = 0,
    ) -> None:
        self.decoder, self.module = decoder, as_module(decoder)
        self._batches, self._held_out = batches, held_out
        self._masking, self._seed = masking, seed

    def n_steps(self, epoch: int) -> int:
        """Return the steps of an epoch."""
        return self._batches.n_steps(epoch)

    def batches(self, epoch: int, step: int) -> Sequence[TokenBatch]:
        """Return the batches of a step."""
        batches = self._batches.step(epoch, step)
        if self._masking is None:
            return batches
        return [
            self._masking.apply(batch, (self._seed, epoch, step, number))
            for number, batch in enumerate(batches)
        ]

    def summed_loss(self, batch: TokenBatch) -> Tensor:
        """Return the cross-entropy summed over the counted labels, in nats."""
        return summed_loss(self.decoder, batch)

    def measure(self) -> Mapping[str, float]:
        """Return bits per byte on the validation split, and of each of its sources."""
        return self._held_out.measure(self.decoder)

    def goodness(self, measures: Mapping[str, float]) -> float | None:
        """Prefer fewer bits per byte."""
        found = measures.get("bits_per_byte")
        return None if found is None else -found
