"""The one training loop: steps, checkpoints, validations, and where a run ends."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic

import torch

from rinsho.console import Progress, progress
from rinsho.errors import LossNotFinite, NothingToLearn
from rinsho.training.objective import BatchT, Objective
from rinsho.training.optimizer import rate_share, set_rate
from rinsho.training.session import Session
from rinsho.training.settings import TrainingConfig
from rinsho.training.state import Store, TrainingState, put_back, take_snapshot
from rinsho.training.trained import Tensors, Trained


@dataclass(frozen=True, slots=True)
class Finished:
    """What a run did."""

    n_steps: int
    n_seen_tokens: int
    log: Sequence[Mapping[str, float]]  # step, loss, learning_rate, measures; the same every time
    timing: Sequence[Mapping[str, float]]  # step, seconds, tokens_per_second


def planned_steps(config: TrainingConfig, objective: Objective[BatchT]) -> int:
    """Return the steps of a whole run: `n_steps`, or those of `max_epochs`; fewer by `max_tokens`.

    Raises:
        NothingToLearn: An epoch has no step.
    """
    if objective.n_steps(0) == 0:
        raise NothingToLearn(where="train", expected="the documents", found="0 rows")
    if config.n_steps is not None:
        n_steps = config.n_steps
    else:
        n_steps = sum(objective.n_steps(epoch) for epoch in range(config.max_epochs))
    if config.max_tokens is not None:
        n_steps = min(n_steps, max(1, config.max_tokens // config.batch_tokens))
    return n_steps


class Loop(Generic[BatchT]):
    """One run over an objective; `run` starts it or takes it up where it stopped.

    Args:
        objective: What is learned.
        optimizer: Over the parameters of the objective's module.
        config: How long, how fast, how often.
        session: Threads, precision, and whether to stop.
        store: Its checkpoints.
    """

    def __init__(
        self,
        objective: Objective[BatchT],
        optimizer: torch.optim.Optimizer,
        config: TrainingConfig,
        session: Session,
        store: Store,
    ) -> None:
        self._objective, self._optimizer, self._config = objective, optimizer, config
        self._session, self._store = session, store
        self._trained = Trained(objective.module, optimizer)
        self._state, self._kept = TrainingState(), dict[str, Tensors]()
        self._n_steps = planned_steps(config, objective)

    def run(self, ja: str, en: str, patience: int | None = None) -> Finished:
        """Train to the end and leave the module with the weights to keep.

        Args:
            ja, en: What is being done, for the progress bar.
            patience: End after so many validations without a better one.

        Raises:
            LossNotFinite: The loss or its gradient is no number; checkpoints are untouched.
            NothingToLearn: A step without a counted label.
            KeyboardInterrupt: SIGINT or SIGTERM came; a checkpoint was saved first.
        """
        self._take_up()
        seconds_before, started = self._state.seconds, time.monotonic()
        with self._store, progress(ja, en, self._n_steps, "steps") as advance:
            advance(self._state.step)
            while not self._is_done(patience):
                self._step(advance)
                self._state.seconds = seconds_before + time.monotonic() - started
                self._after_step(patience)
        if "best" in self._kept:
            self._trained.put_weights(self._kept["best"])
        state = self._state
        return Finished(state.step, state.n_seen_tokens, state.log, state.timing)

    def _take_up(self) -> None:
        snapshot = self._store.load(self._trained)
        if snapshot is not None:
            put_back(snapshot, self._trained)
            self._state = snapshot.state
            made = ("weights", "optimizer")
            self._kept = {k: v for k, v in snapshot.tensors.items() if k not in made}

    def _is_done(self, patience: int | None) -> bool:
        minutes = self._config.max_minutes
        is_late = minutes is not None and self._state.seconds >= 60 * minutes
        has_stalled = patience is not None and self._state.n_measures_without_better >= patience
        return self._state.step >= self._n_steps or is_late or has_stalled

    def _step(self, advance: Progress) -> None:
        state, clock = self._state, time.monotonic()
        while state.step_in_epoch >= self._objective.n_steps(state.epoch):
            state.epoch, state.step_in_epoch = state.epoch + 1, 0
        batches = self._objective.batches(state.epoch, state.step_in_epoch)
        self._objective.module.train()
        loss = self._backward(batches)
        share = rate_share(self._config, state.step, self._n_steps, self._share_of_time())
        set_rate(self._optimizer, share)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        n_tokens = sum(batch.n_tokens for batch in batches)
        state.step, state.step_in_epoch = state.step + 1, state.step_in_epoch + 1
        state.n_seen_tokens += n_tokens
        rate = share * self._config.learning_rate
        state.log.append(
            {"step": state.step, "loss": round(loss, 6), "learning_rate": float(f"{rate:.6g}")}
        )
        speed = n_tokens / max(1e-9, time.monotonic() - clock)
        timing = {"seconds": round(state.seconds, 3), "tokens_per_second": round(speed, 1)}
        state.timing.append({"step": state.step, **timing})
        advance(1, f"loss {loss:.3f}  {speed:,.0f} tokens/s")

    def _share_of_time(self) -> float:
        minutes = self._config.max_minutes
        return self._state.seconds / (60 * minutes) if minutes is not None else 0.0

    def _backward(self, batches: Sequence[BatchT]) -> float:
        """Add up the gradients of a step and clip them; return its loss in nats per label."""
        n_counted = sum(batch.n_counted for batch in batches)
        if n_counted == 0:
            where = f"step {self._state.step + 1}"
            raise NothingToLearn(where=where, expected="the loss mask", found="0 labels")
        loss = 0.0
        for batch in batches:
            if batch.n_counted:
                with self._session.computing():
                    share = self._objective.summed_loss(batch) / n_counted
                share.backward()
                loss += float(share.detach())
        norm = torch.nn.utils.clip_grad_norm_(
            self._trained.parameters.values(), self._config.grad_clip
        )
        if not (math.isfinite(loss) and math.isfinite(float(norm))):
            raise LossNotFinite(
                where=f"step {self._state.step + 1}", found=_name_documents(batches)
            )
        return loss

    def _after_step(self, patience: int | None) -> None:
        state, config = self._state, self._config
        is_last = self._is_done(patience)
        if state.step % config.evaluate_every_steps == 0 or is_last:
            self._measure()
        if self._session.is_stopped:
            self._save()
            self._store.wait()
            raise KeyboardInterrupt
        if state.step % config.checkpoint_every_steps == 0:
            self._save()

    def _measure(self) -> None:
        module, state = self._objective.module, self._state
        module.eval()
        with self._session.computing():
            measures = self._objective.measure()
        state.log[-1].update(measures)
        goodness = self._objective.goodness(measures)
        if goodness is None:
            return
        state.n_measures_without_better += 1
        if state.best is None or goodness > state.best:
            state.best, state.n_measures_without_better = goodness, 0
            self._kept["best"] = self._trained.weights()

    def _save(self) -> None:
        self._store.save(take_snapshot(self._trained, self._state, self._kept))


def _name_documents(batches: Sequence[BatchT], n_named: int = 5) -> str:
    ids = list(dict.fromkeys(id_ for batch in batches for id_ in batch.document_ids))
    rest = f" and {len(ids) - n_named} more" if len(ids) > n_named else ""
    return "documents " + ", ".join(ids[:n_named]) + rest


def last_measure(log: Sequence[Mapping[str, float]], name: str) -> float | None:
    """Return the last value of a measure in a log."""
    return next((line[name] for line in reversed(log) if name in line), None)
