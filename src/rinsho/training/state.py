"""Checkpoints: all that a run needs to go on as if it had never stopped.

checkpoints/step-00000200/
    weights.safetensors     parameters
    optimizer.safetensors   AdamW's two memories of each parameter
    best.safetensors        parameters of the best validation, where a run keeps them
    state.json              cursor, log lines so far, state of the random generator, environment
    manifest.json           size and SHA-256 of the others, written last

A folder is written under a new name, flushed and renamed. The last two are kept: if a byte of the
newest is wrong, the run goes back to the one before. No pickle anywhere.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

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

N_KEPT = 2


@dataclass(frozen=True, slots=True)
class Environment:
    """What has to be the same for the same bytes."""

    torch: str
    machine: str
    threads: int
    precision: str


def environment(threads: int, precision: str) -> Environment:
    """Return the environment of this process."""
    machine = f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    return Environment(torch.__version__, machine, threads, precision)


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


class CheckpointStore:
    """The checkpoints of one run.

    Args:
        folder: Where they lie; it survives a crash of the stage.
        here: The environment of this process.
    """

    def __init__(self, folder: Path, here: Environment) -> None:
        self._folder, self._here = folder, here

    def save(
        self,
        module: nn.Module,
        optimizer: torch.optim.Optimizer,
        state: TrainingState,
        best: Mapping[str, Tensor] | None,
    ) -> None:
        """Write a checkpoint and drop the older ones, but for the last two."""
        final = self._folder / f"step-{state.step:08d}"
        if final.exists():
            return  # a signal right after a regular checkpoint
        for unfinished in self._folder.glob("*.new"):
            shutil.rmtree(unfinished)
        new = self._folder / f"{final.name}.new"
        new.mkdir()
        write_tensors(new / "weights.safetensors", module.state_dict())
        write_tensors(new / "optimizer.safetensors", _moments(module, optimizer))
        if best is not None:
            write_tensors(new / "best.safetensors", best)
        # Keys keep their order: log lines are written again from here, byte for byte.
        (new / "state.json").write_text(json.dumps(self._written(state), allow_nan=False))
        _seal(new)
        new.rename(final)
        flush_folder(self._folder)
        for old in self._paths()[N_KEPT:]:
            shutil.rmtree(old)

    def restore(
        self, module: nn.Module, optimizer: torch.optim.Optimizer
    ) -> tuple[TrainingState, dict[str, Tensor] | None] | None:
        """Bring back the newest checkpoint whose bytes are right; None where there is none.

        Raises:
            ResumeRefused: It was made under another environment, so the bytes would differ.
        """
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
            return self._read(path, module, optimizer)
        return None

    def _paths(self) -> list[Path]:
        """Return the checkpoints, newest first."""
        found = (p for p in self._folder.glob("step-*") if p.suffix != ".new")
        return sorted(found, reverse=True)

    def _written(self, state: TrainingState) -> dict[str, Any]:
        random = base64.b64encode(torch.get_rng_state().numpy().tobytes()).decode()
        return {
            "state": dataclasses.asdict(state),
            "random": random,
            "environment": dataclasses.asdict(self._here),
        }

    def _read(
        self, path: Path, module: nn.Module, optimizer: torch.optim.Optimizer
    ) -> tuple[TrainingState, dict[str, Tensor] | None]:
        from safetensors.torch import load_file

        written = json.loads((path / "state.json").read_bytes())
        made_under = Environment(**written["environment"])
        if made_under != self._here:
            raise ResumeRefused(
                where=path.name, expected=_describe(made_under), found=_describe(self._here)
            )
        state = TrainingState(**written["state"])
        module.load_state_dict(load_file(path / "weights.safetensors"))
        moments = load_file(path / "optimizer.safetensors")
        for name, parameter in module.named_parameters():
            optimizer.state[parameter] = {
                "step": torch.tensor(float(state.step)),
                "exp_avg": moments[f"{name}.exp_avg"].clone(),
                "exp_avg_sq": moments[f"{name}.exp_avg_sq"].clone(),
            }
        torch.set_rng_state(
            torch.frombuffer(bytearray(base64.b64decode(written["random"])), dtype=torch.uint8)
        )
        best = path / "best.safetensors"
        return state, load_file(best) if best.is_file() else None


def _moments(module: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    return {
        f"{name}.{key}": optimizer.state[parameter][key]
        for name, parameter in module.named_parameters()
        for key in ("exp_avg", "exp_avg_sq")
    }


def _describe(here: Environment) -> str:
    return ", ".join(f"{key} {value}" for key, value in dataclasses.asdict(here).items())


def _seal(folder: Path) -> None:
    records: dict[str, Any] = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            os.fsync(file.fileno())
        records[path.name] = dataclasses.asdict(hash_file(path))
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
