"""The one training loop: steps, checkpoints, validations, and where a run ends."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol

import torch
from torch import Tensor

from rinsho.console import Progress, progress
from rinsho.errors import LossNotFinite, NothingToLearn
from rinsho.model.compiling import compile_decoders
from rinsho.training.kept import KeptWeights
from rinsho.training.objective import BatchT, Objective
from rinsho.training.optimizer import rate_share, set_rate
from rinsho.training.prefetch import Prefetcher
from rinsho.training.session import Session
from rinsho.training.settings import TrainingConfig
from rinsho.training.state import Sample, Store, TrainingState, put_back, take_snapshot
from rinsho.training.trained import Trained

Line = Mapping[str, float]


class Journal(Protocol):
    """Who is told of every step while a run goes on."""

    def begin(self, log: Sequence[Line], timing: Sequence[Line]) -> None:
        """Take the lines of before a stop."""
        ...

    def add(self, line: Line, timing: Line) -> None:
        """Take the lines of a step."""
        ...


@dataclass(frozen=True, slots=True)
class Finished:
    """What a run did."""

    n_steps: int
    n_seen_tokens: int
    log: Sequence[Line]  # step, loss, learning_rate, measures; the same every time
    timing: Sequence[Line]  # step, seconds, tokens_per_second
    epoch: int  # where it ended: full epochs, and steps of the one behind them
    step_in_epoch: int
    measures: Line  # on the held-out split, of the weights that are kept
    is_averaged: bool  # whether those are the running average
    samples: Sequence[Sample]


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
        optimizer: Over the parameters of the objective's module that take a gradient.
        config: How long, how fast, how often.
        session: Threads, precision, and whether to stop.
        store: Its checkpoints.
        journal: Is told of every step.
        sampler: Makes texts at validations; uses no random generator.
    """

    def __init__(
        self,
        objective: Objective[BatchT],
        optimizer: torch.optim.Optimizer,
        config: TrainingConfig,
        session: Session,
        store: Store,
        *,
        journal: Journal | None = None,
        sampler: Callable[[int], Sequence[Sample]] | None = None,
    ) -> None:
        self._objective, self._optimizer, self._config = objective, optimizer, config
        self._session, self._store = session, store
        self._journal, self._sampler = journal, sampler
        self._trained = Trained(objective.module, optimizer)
        self._kept = KeptWeights(self._trained, config.ema_decay)
        self._state, self._keeps_best = TrainingState(), True
        self._n_steps = planned_steps(config, objective)
        self._must_stop = False
        self._documents: Sequence[str] = ()  # of the step that runs
        self._n_steps_without_labels = 0  # one after another, until now

    def run(
        self, ja: str, en: str, patience: int | None = None, *, keeps_best: bool = True
    ) -> Finished:
        """Train to the end and leave the module with the weights to keep.

        Args:
            ja, en: What is being done, for the progress bar.
            patience: End after so many validations without a better one.
            keeps_best: Whether the weights of the best validation are kept; else the last ones, or
                their average where it is better.

        Raises:
            LossNotFinite: The loss or its gradient is no number; checkpoints are untouched.
            NothingToLearn: No step of two epochs, or of the run, has a counted label.
            KeyboardInterrupt: SIGINT or SIGTERM came; a checkpoint was saved first.
        """
        self._keeps_best = keeps_best
        config, device = self._config, self._session.device
        n_tokens = self._n_steps * config.batch_tokens
        how = config.compile, device, n_tokens, config.max_minutes
        compile_decoders(self._objective.module, *how)
        self._take_up()
        state, started = self._state, time.monotonic() - self._state.seconds
        ahead = Prefetcher(self._objective, self._config.data_workers)
        with self._store, ahead, progress(ja, en, self._n_steps, "steps") as advance:
            advance(state.step)
            while not self._is_done(patience):
                self._step(ahead, advance)
                state.seconds = time.monotonic() - started
                self._agree()
                self._after_step(patience)
        self._kept.put(best=keeps_best, average=state.is_averaged)
        return Finished(
            state.step,
            state.n_seen_tokens,
            state.log,
            state.timing,
            state.epoch,
            state.step_in_epoch,
            state.measures,
            state.is_averaged,
            state.samples,
        )

    def _take_up(self) -> None:
        snapshot = self._store.load(self._trained)
        if snapshot is not None:
            put_back(snapshot, self._trained)
            self._kept.put_back(snapshot.tensors)
            self._state = snapshot.state
        if self._journal is not None:
            self._journal.begin(self._state.log, self._state.timing)

    def _agree(self) -> None:
        """Let every rank stop behind the same step, and go by the clock of the first."""
        ranks = self._session.ranks
        seconds = self._state.seconds if ranks.is_main else 0.0
        self._state.seconds, n_stopped = ranks.sums(seconds, float(self._session.is_stopped))
        self._must_stop = n_stopped > 0

    def _is_done(self, patience: int | None) -> bool:
        minutes = self._config.max_minutes
        is_late = minutes is not None and self._state.seconds >= 60 * minutes
        has_stalled = patience is not None and self._state.n_measures_without_better >= patience
        return self._state.step >= self._n_steps or is_late or has_stalled

    def _step(self, ahead: Prefetcher[BatchT], advance: Progress) -> None:
        state, clock = self._state, time.monotonic()
        while state.step_in_epoch >= self._objective.n_steps(state.epoch):
            state.epoch, state.step_in_epoch = state.epoch + 1, 0
        batches = ahead.batches(state.epoch, state.step_in_epoch)
        self._objective.module.train()
        loss = self._backward(batches)
        share = rate_share(self._config, state.step, self._n_steps, self._share_of_time())
        set_rate(self._optimizer, share)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        n_tokens = sum(batch.n_tokens for batch in batches)
        state.step, state.step_in_epoch = state.step + 1, state.step_in_epoch + 1
        state.n_seen_tokens += n_tokens
        self._kept.update(state.step)
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
        self._documents = list(dict.fromkeys(id_ for b in batches for id_ in b.document_ids))
        n_counted = sum(batch.n_counted for batch in batches)
        self._n_steps_without_labels = 0 if n_counted else self._n_steps_without_labels + 1
        if n_counted == 0:
            return self._pass_over()
        loss = torch.zeros((), dtype=torch.float64, device=self._session.device)
        for batch, weight in self._session.ranks.share([b for b in batches if b.n_counted]):
            with self._session.computing():
                share = self._objective.summed_loss(batch) / n_counted * weight
            share.backward()
            loss += share.detach()
        total = self._session.ranks.sums(float(loss))[0]
        norm = torch.nn.utils.clip_grad_norm_(
            self._trained.parameters.values(), self._config.grad_clip
        )
        if not (math.isfinite(total) and math.isfinite(_number(norm))):
            self._refuse(self._state.step + 1)
        return total

    def _pass_over(self) -> float:
        """Let a step of prompts alone change nothing; return the loss of the step before."""
        state = self._state
        two_epochs = 2 * self._objective.n_steps(
            state.epoch
        )  # one may begin, the next end with one
        if self._n_steps_without_labels >= min(two_epochs, self._n_steps):
            where = f"step {state.step + 1}"
            raise NothingToLearn(where=where, expected="the loss mask", found="0 labels")
        return float(state.log[-1]["loss"]) if state.log else 0.0

    def _refuse(self, step: int) -> None:
        raise LossNotFinite(where=f"step {step}", found=_name_documents(self._documents))

    def _after_step(self, patience: int | None) -> None:
        state, config = self._state, self._config
        is_last = self._is_done(patience)
        if state.step % config.evaluate_every_steps == 0 or is_last:
            self._measure()
        if self._journal is not None:
            self._journal.add(state.log[-1], state.timing[-1])
        if self._must_stop:
            self._save()
            self._store.wait()
            raise KeyboardInterrupt
        if state.step % config.checkpoint_every_steps == 0:
            self._save()

    def _measure(self) -> None:
        """Measure the weights, and their average; keep what is better than before."""
        state, measures = self._state, self._measures()
        state.log[-1].update(measures)
        goodness = self._objective.goodness(measures)
        state.is_averaged = False
        if self._kept.has_average:
            with self._kept.averaged():
                averaged = self._measures()
            state.log[-1].update({f"{name}_averaged": x for name, x in averaged.items()})
            other = self._objective.goodness(averaged)
            if goodness is None or (other is not None and other >= goodness):
                measures, goodness, state.is_averaged = averaged, other, True
        if self._sampler is not None:
            state.samples.extend(self._sampler(state.step))
        if goodness is None or not self._keeps_best:
            state.measures = dict(measures)
        if goodness is not None:
            self._note(goodness, measures)

    def _note(self, goodness: float, measures: Line) -> None:
        state = self._state
        state.n_measures_without_better += 1
        if state.best is not None and goodness <= state.best:
            return
        state.best, state.n_measures_without_better = goodness, 0
        if not self._keeps_best:
            return
        state.measures = dict(measures)
        if state.is_averaged:
            with self._kept.averaged():
                self._kept.keep_as_best()
        else:
            self._kept.keep_as_best()

    def _measures(self) -> Line:
        self._objective.module.eval()
        with self._session.computing():
            measures = self._objective.measure()
        ranks = self._session.ranks  # all of them measured, and may differ in the last digit
        of_main = ranks.sums(*(value if ranks.is_main else 0.0 for value in measures.values()))
        return dict(zip(measures, of_main, strict=True))

    def _save(self) -> None:
        snapshot = take_snapshot(self._trained, self._state, self._kept.copies())
        if self._session.ranks.sums(float(not snapshot.is_finite()))[0]:
            self._refuse(self._state.step)  # the checkpoints of before stay
        self._store.save(snapshot)


def _number(norm: Tensor) -> float:
    """Return a norm as a number; that of sharded gradients is put together first."""
    whole: Any = norm
    return float(whole.full_tensor() if hasattr(whole, "full_tensor") else whole)


def _name_documents(ids: Sequence[str], n_named: int = 5) -> str:
    rest = f" and {len(ids) - n_named} more" if len(ids) > n_named else ""
    return "documents " + ", ".join(ids[:n_named]) + rest
