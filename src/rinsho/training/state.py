"""Checkpoints: all that a run needs to go on as if it had never stopped.

checkpoints/step-00000200/
    weights.safetensors     the trained parameters
    optimizer.safetensors   what the optimizer remembers of each
    best.safetensors        parameters of the best validation, where a run keeps them
    average.safetensors     their running average, where a run has one
    state.json              cursor, log lines so far, state of the random generators, environment
    manifest.json           size and SHA-256 of the others, written last

The loop copies everything before its next step; a thread writes the copy, one at a time. A folder
is written under a new name, flushed and renamed. The last two are kept: if a byte of the newest is
wrong, the run goes back to the one before. No pickle anywhere.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import platform
import shutil
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import torch

from rinsho.console import say
from rinsho.errors import Corrupt, NotFinished, ResumeRefused
from rinsho.manifest import (
    MANIFEST,
    FileRecord,
    canonical_json,
    check_file,
    flush_folder,
    hash_file,
    write_file,
)
from rinsho.model.checkpoint import write_tensors
from rinsho.training.trained import Tensors, Trained

N_KEPT = 2


@dataclass(frozen=True, slots=True)
class Environment:
    """What has to be the same for the same bytes."""

    torch: str
    machine: str
    threads: int
    precision: str
    frozen: str | None = None  # SHA-256 of the parameters that no step changes, where there are any
    ranks: int | None = None  # processes that train together, where there are several


def environment(threads: int, precision: str, device: torch.device | None = None) -> Environment:
    """Return the environment of this process; `device` is the CPU when left out."""
    machine = f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    if device is not None and device.type == "cuda":
        machine = f"{machine} {torch.cuda.get_device_name(device)}"
    return Environment(torch.__version__, machine, threads, precision)


Sample = dict[str, str | int]  # step, prompt, text


@dataclass(slots=True)
class TrainingState:
    """Where a run stands; everything beside the tensors."""

    step: int = 0  # optimizer updates done
    epoch: int = 0
    step_in_epoch: int = 0
    n_seen_tokens: int = 0
    seconds: float = 0.0  # used so far, over all starts
    log: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    timing: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    best: float | None = None
    n_measures_without_better: int = 0
    measures: dict[str, float] = field(default_factory=dict[str, float])  # of the weights to keep
    is_averaged: bool = False  # whether those are the running average
    samples: list[Sample] = field(default_factory=list[Sample])


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything of one moment, copied: no later step changes it."""

    state: TrainingState
    tensors: Mapping[str, Tensors]  # by file: weights, optimizer, and what else a run keeps
    random: Mapping[str, str]  # generator -> its state in base64
    frozen: str | None

    def is_finite(self) -> bool:
        """Return whether every weight is a number."""
        # A sum has no end as soon as one of its numbers has none, and makes no mask of them all;
        # one that only grows too large is looked at again.
        return all(
            bool(tensor.sum().isfinite()) or bool(tensor.isfinite().all())
            for tensor in self.tensors["weights"].values()
        )


def take_snapshot(trained: Trained, state: TrainingState, kept: Mapping[str, Tensors]) -> Snapshot:
    """Copy where a run stands.

    Args:
        trained: Its parameters and optimizer.
        state: Its cursor and logs.
        kept: Further weights by file; they are not copied, so nobody may change them.
    """
    tensors = {"weights": trained.weights(), "optimizer": trained.memories(), **kept}
    moment = dataclasses.replace(
        state, log=list(state.log), timing=list(state.timing), samples=list(state.samples)
    )
    return Snapshot(moment, tensors, _random_states(), trained.frozen_sha256)


def put_back(snapshot: Snapshot, trained: Trained) -> None:
    """Set parameters, optimizer and random generators to those of a snapshot."""
    trained.put_weights(snapshot.tensors["weights"])
    trained.put_memories(snapshot.tensors["optimizer"], snapshot.state.step)
    for device, written in snapshot.random.items():
        state = torch.frombuffer(bytearray(base64.b64decode(written)), dtype=torch.uint8)
        if device == "cpu":
            torch.set_rng_state(state)
        else:
            torch.cuda.set_rng_state(state, device)


def _random_states() -> dict[str, str]:
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        device = f"cuda:{torch.cuda.current_device()}"
        states[device] = torch.cuda.get_rng_state()
    return {k: base64.b64encode(s.numpy().tobytes()).decode() for k, s in states.items()}


class Store(Protocol):
    """Where the snapshots of a run go; used in a `with`, which waits for the last one."""

    def save(self, snapshot: Snapshot) -> None:
        """Take over a snapshot; it may be on the disk only later."""
        ...

    def wait(self) -> None:
        """Return when everything is on the disk; raise what went wrong there."""
        ...

    def load(self, trained: Trained) -> Snapshot | None:
        """Return the newest snapshot whose bytes are right, None where there is none."""
        ...

    def __enter__(self) -> Store: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class CheckpointStore:
    """The checkpoints of one run in one process.

    Args:
        folder: Where they lie; it survives a crash of the stage.
        here: The environment of this process.
    """

    def __init__(self, folder: Path, here: Environment) -> None:
        self._folder, self._here = folder, here
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._in_flight: Future[None] | None = None

    def __enter__(self) -> CheckpointStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Wait for the last write; its error counts unless there is one already."""
        if kind is None:
            self.wait()
        elif self._in_flight is not None:
            wait([self._in_flight])

    def save(self, snapshot: Snapshot) -> None:
        """Write a snapshot in a thread, behind the one before; at most one is in flight.

        Raises:
            OSError: The write before this one failed; a full disk becomes `DiskFull`.
        """
        self.wait()
        self._in_flight = self._writer.submit(self._write, snapshot)

    @property
    def is_writing(self) -> bool:
        """Return whether a snapshot is still on its way to the disk."""
        return self._in_flight is not None and not self._in_flight.done()

    def wait(self) -> None:
        """Return when everything is on the disk.

        Raises:
            OSError: The write failed.
        """
        pending, self._in_flight = self._in_flight, None
        if pending is not None:
            pending.result()

    def _write(self, snapshot: Snapshot) -> None:
        """Write a checkpoint and drop the older ones, but for the last two."""
        final = self._folder / f"step-{snapshot.state.step:08d}"
        if final.exists():
            return  # a signal right after a regular checkpoint
        for unfinished in self._folder.glob("*.new"):
            shutil.rmtree(unfinished)
        new = self._folder / f"{final.name}.new"
        new.mkdir()
        for name, tensors in snapshot.tensors.items():
            write_tensors(new / f"{name}.safetensors", tensors)
        # Keys keep their order: log lines are written again from here, byte for byte.
        (new / "state.json").write_text(json.dumps(self._written(snapshot), allow_nan=False))
        seal(new)
        new.rename(final)
        flush_folder(self._folder)
        self._drop_old()

    def _drop_old(self) -> None:
        for old in self._paths()[N_KEPT:]:
            shutil.rmtree(old)

    def load(self, trained: Trained) -> Snapshot | None:
        """Return the newest checkpoint whose bytes are right; None where there is none.

        Raises:
            ResumeRefused: It was made under another environment or over another frozen base, so
                the bytes would differ.
        """
        newest = self._newest()
        return None if newest is None else self._read(newest, trained)

    def _newest(self) -> Path | None:
        """Return the newest checkpoint whose bytes are right; drop those that are damaged."""
        for path in self._paths():
            try:
                _check(path)
            except (Corrupt, NotFinished):
                say(
                    f"チェックポイント {path.name} は壊れているため使いません",
                    f"checkpoint {path.name} is damaged and is not used",
                )
                shutil.rmtree(path)
                continue
            return path
        return None

    def _paths(self) -> list[Path]:
        """Return the checkpoints, newest first."""
        found = (p for p in self._folder.glob("step-*") if p.suffix != ".new")
        return sorted(found, reverse=True)

    def _written(self, snapshot: Snapshot) -> dict[str, Any]:
        here = dataclasses.replace(self._here, frozen=snapshot.frozen)
        return {
            "state": dataclasses.asdict(snapshot.state),
            "random": snapshot.random,
            "environment": dataclasses.asdict(here),
        }

    def _read(self, path: Path, trained: Trained) -> Snapshot:
        written = json.loads((path / "state.json").read_bytes())
        made_under = Environment(**written["environment"])
        here = dataclasses.replace(self._here, frozen=trained.frozen_sha256)
        if made_under.ranks != here.ranks:
            say(
                f"{path.name} は別のランク数で作られました。結果は丸めの範囲で一致します",
                f"{path.name} was made by another number of ranks: results agree within rounding",
            )
            here = dataclasses.replace(here, ranks=made_under.ranks, threads=made_under.threads)
        if made_under != here:
            raise ResumeRefused(
                where=path.name, expected=_describe(made_under), found=_describe(here)
            )
        random = written["random"]
        return Snapshot(
            state=TrainingState(**written["state"]),
            tensors=self._tensors(path),
            random=self._random(path, {"cpu": random} if isinstance(random, str) else random),
            frozen=made_under.frozen,
        )

    def _tensors(self, path: Path) -> Mapping[str, Tensors]:
        from rinsho.training.sharded_state import read_rows

        return read_rows(path)

    def _random(self, path: Path, of_main: Mapping[str, str]) -> Mapping[str, str]:
        return of_main


def _describe(here: Environment) -> str:
    known = {k: v for k, v in dataclasses.asdict(here).items() if v is not None}
    return ", ".join(f"{key} {value}" for key, value in known.items())


def seal(folder: Path, known: Mapping[str, FileRecord] | None = None) -> None:
    """Flush every file and write the manifest; `known` files were flushed and hashed before."""
    records: dict[str, Any] = {}
    for path in sorted(folder.iterdir()):
        record = None if known is None else known.get(path.name)
        if record is None:
            with path.open("rb") as file:
                os.fsync(file.fileno())
            record = hash_file(path)
        records[path.name] = dataclasses.asdict(record)
    write_file(folder / MANIFEST, canonical_json(records))


def _check(folder: Path) -> None:
    if not (folder / MANIFEST).is_file():
        raise NotFinished(where=folder.name)
    try:
        records = json.loads((folder / MANIFEST).read_bytes())
        typed = {name: FileRecord(**record) for name, record in records.items()}
    except (ValueError, TypeError, AttributeError):
        raise Corrupt(
            where=f"{folder.name}/{MANIFEST}", expected="JSON", found="other bytes"
        ) from None
    for name, record in typed.items():
        check_file(folder, name, record)
