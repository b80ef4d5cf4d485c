"""A run of the real loop on random tokens, whole or stopped and taken up again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from h200_lines import sha256
from h200_measure import Bench, random_decoder, random_tokens
from torch import Tensor

from rinsho.model.compiling import missing_compiler
from rinsho.model.presets import PRESETS
from rinsho.training.batches import TokenBatch
from rinsho.training.loop import Loop
from rinsho.training.objective import summed_loss
from rinsho.training.optimizer import new_optimizer
from rinsho.training.session import Session, training_session
from rinsho.training.settings import TrainingConfig
from rinsho.training.state import CheckpointStore, environment

N_STEPS, N_ROWS = 8, 4


class RandomTokens:
    """Random rows cut into two documents, another cut in each step.

    Args:
        bench: Where it runs.
        session: Is asked to stop, as by a signal, in step `stops_at`.
        stops_at: Counted from 1; None never stops.
    """

    def __init__(self, bench: Bench, session: Session, stops_at: int | None) -> None:
        config = bench.shape(PRESETS["100m"])
        self.module = random_decoder(config, bench.device, torch.float32)
        self._row, self._vocabulary = config.context_length, config
        self._device, self._session, self._stops_at = bench.device, session, stops_at

    def n_steps(self, epoch: int) -> int:
        """Return the steps of an epoch."""
        return N_STEPS

    def batches(self, epoch: int, step: int) -> Sequence[TokenBatch]:
        """Return the one batch of a step."""
        if step + 1 == self._stops_at:
            self._session.is_stopped = True
        tokens_T = random_tokens(self._vocabulary, (step + 1) * N_ROWS * self._row, self._device)
        tokens_T = tokens_T[-N_ROWS * self._row :]
        cut = 7 + step
        lengths = (cut, self._row - cut) * N_ROWS
        mask_T = torch.ones(len(tokens_T), dtype=torch.uint8, device=self._device)
        return [TokenBatch(tokens_T, tokens_T.roll(-1), mask_T, lengths, len(tokens_T), ("r/0",))]

    def summed_loss(self, batch: TokenBatch) -> Tensor:
        """Return the loss of a batch."""
        return summed_loss(self.module, batch)

    def measure(self) -> Mapping[str, float]:
        """Measure nothing."""
        return {}

    def goodness(self, measures: Mapping[str, float]) -> None:
        """Keep the last weights."""
        return


def weights_after(bench: Bench, folder: Path, *, stops_at: int | None) -> str:
    """Return the hash of the weights behind the last step, having stopped once or not."""
    folder.mkdir()  # of the checkpoints
    is_compiled = missing_compiler(bench.device) is None
    config = TrainingConfig(
        n_steps=N_STEPS, precision="bf16", compile=is_compiled, checkpoint_every_steps=100,
        batch_tokens=1, micro_batch_tokens=1,
    )  # fmt: skip
    while True:
        with training_session(config) as session:
            session.device = bench.device
            objective = RandomTokens(bench, session, stops_at)
            store = CheckpointStore(folder, environment(session.threads, session.precision))
            optimizer = new_optimizer(objective.module, config)
            loop = Loop(objective, optimizer, config, session, store)
            try:
                loop.run("学習", "training")
            except KeyboardInterrupt:
                stops_at = None
                continue
            return sha256(dict(objective.module.named_parameters()))
