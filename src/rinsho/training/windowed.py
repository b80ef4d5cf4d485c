"""What the training of all heads shares: the order of texts of unlike length, and the run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rinsho.manifest import OpenFolder
from rinsho.training.finetune import FinetuneConfig
from rinsho.training.loop import Finished, Loop
from rinsho.training.objective import BatchT, Objective
from rinsho.training.optimizer import new_optimizer
from rinsho.training.session import Session
from rinsho.training.state import CheckpointStore, environment


class EpochOrder:
    """Which examples a step reads: a pure function of seed, epoch and step.

    Args:
        sizes: Tokens of each example.
        config: Tokens of a step, at most; one example at least.
    """

    def __init__(self, sizes: Sequence[int], config: FinetuneConfig) -> None:
        self._sizes, self._seed = sizes, config.seed
        self._batch_tokens, self.micro_batch_tokens = config.batch_tokens, config.micro_batch_tokens
        self._steps: tuple[int, list[list[int]]] = (-1, [])

    def _epoch(self, epoch: int) -> list[list[int]]:
        if self._steps[0] != epoch:
            order = np.random.default_rng([self._seed, epoch]).permutation(len(self._sizes))
            parts = fill([self._sizes[i] for i in order], self._batch_tokens)
            self._steps = (epoch, [[int(order[place]) for place in part] for part in parts])
        return self._steps[1]

    def n_steps(self, epoch: int) -> int:
        """Return the steps of an epoch."""
        return len(self._epoch(epoch))

    def step(self, epoch: int, step: int) -> list[int]:
        """Return the places of the examples of a step."""
        return self._epoch(epoch)[step]


def fill(sizes: Sequence[int], n_tokens: int) -> list[list[int]]:
    """Put places in a row into parts of at most `n_tokens`; a larger one is a part of its own.

    >>> fill([3, 3, 9, 2], 6)
    [[0, 1], [2], [3]]
    """
    filled: list[list[int]] = []
    room = 0
    for place, size in enumerate(sizes):
        if size > room:
            filled.append([])
            room = n_tokens
        filled[-1].append(place)
        room -= size
    return filled


def run_head(
    objective: Objective[BatchT],
    config: FinetuneConfig,
    session: Session,
    folder: OpenFolder,
    ja: str,
    en: str,
) -> Finished:
    """Run the loop over an objective whose module has a head."""
    optimizer = new_optimizer(
        objective.module, config, head_learning_rate=config.head_learning_rate
    )
    store = CheckpointStore(folder.checkpoints, environment(session.threads, session.precision))
    folder.threads, folder.precision = session.threads, session.precision
    return Loop(objective, optimizer, config, session, store).run(ja, en, config.patience)
