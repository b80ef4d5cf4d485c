"""Weights that a run keeps beside those it trains: the best so far, and a running average."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Mapping

import torch
from torch import Tensor

from rinsho.training.trained import Tensors, Trained, copied, local

BEST, AVERAGE = "best", "average"


class KeptWeights:
    """The best weights so far and, where `decay` is given, their exponential average.

    Args:
        trained: The weights that are trained.
        decay: Share of the average that each step keeps, below 1; None: no average.
    """

    def __init__(self, trained: Trained, decay: float | None) -> None:
        self._trained, self._decay = trained, decay
        self._best: Tensors | None = None
        self._average: dict[str, Tensor] = {}

    @property
    def has_average(self) -> bool:
        """Return whether there is an average yet."""
        return bool(self._average)

    def update(self, step: int) -> None:
        """Move the average towards the weights of a step, counted from 1.

        In the beginning the decay is (1 + step) / (10 + step), so that the start is forgotten.

        Source:
            Polyak & Juditsky 1992 for the average; TensorFlow's ExponentialMovingAverage for the
            growing decay.
        """
        if self._decay is None:
            return
        with torch.no_grad():
            if not self._average:
                self._average = {n: local(p).clone() for n, p in self._trained.parameters.items()}
                return
            share = 1 - min(self._decay, (1 + step) / (10 + step))
            for name, parameter in self._trained.parameters.items():
                self._average[name].lerp_(local(parameter).to(self._average[name].dtype), share)

    def keep_as_best(self) -> None:
        """Keep a copy of the weights as they stand in the module."""
        self._best = self._trained.weights()

    @contextlib.contextmanager
    def averaged(self) -> Generator[None, None, None]:
        """Put the average into the module, and the trained weights back at the end."""
        before = {name: local(p).clone() for name, p in self._trained.parameters.items()}
        self._trained.put_weights(self._average)
        try:
            yield
        finally:
            self._trained.put_weights(before)

    def put(self, *, best: bool, average: bool) -> None:
        """Leave the module with the weights to keep: the best, else the average, else its own."""
        if best and self._best is not None:
            self._trained.put_weights(self._best)
        elif average and self._average:
            self._trained.put_weights(self._average)

    def copies(self) -> dict[str, Tensors]:
        """Return what a checkpoint holds, by file; no later step changes it."""
        files: dict[str, Tensors] = {}
        if self._best is not None:
            files[BEST] = self._best  # replaced as a whole, never changed
        if self._average:
            files[AVERAGE] = {name: copied(tensor) for name, tensor in self._average.items()}
        return files

    def put_back(self, files: Mapping[str, Tensors]) -> None:
        """Take what a checkpoint held."""
        self._best = files.get(BEST)
        self._average = {
            name: tensor.to(self._trained.parameters[name].device, copy=True)
            for name, tensor in files.get(AVERAGE, {}).items()
        }
