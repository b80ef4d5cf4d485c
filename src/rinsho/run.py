"""Run stages: one by itself, or every one of a run file, skipping what is finished."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rinsho.console import say
from rinsho.errors import DataFolderMissing, MissingInput, UnknownStage
from rinsho.manifest import MANIFEST, Manifest
from rinsho.runfile import RunFile, Stage, StageConfig, Step
from rinsho.training.ranks import require_one_rank

_ON_RANKS = ("pretrain",)  # stages that several processes can share


def run_stage(
    stage: Stage,
    config: StageConfig,
    *,
    inputs: Mapping[str, Sequence[Path]],
    out: Path,
    data: Path | None = None,
    noncommercial: bool = False,
    allow_remote: bool = False,
    options: Mapping[str, Any] | None = None,
) -> Manifest:
    """Run one stage: its function, with the folders it reads.

    `options` say how the work is done, not what comes out: they are no part of the identity.

    Raises:
        MissingInput: A slot that the stage needs has no folder.
        DataFolderMissing: `data` is not a folder.
        InvalidValue: torchrun started several processes of a stage that one does.
    """
    if stage.verb not in _ON_RANKS:
        require_one_rank(stage.verb)
    arguments: dict[str, Any] = {}
    for slot in stage.slots:
        folders = list(inputs.get(slot.name, ()))
        if slot.is_required and not slot.is_replaceable and not folders:
            raise MissingInput(where=f"rinsho {stage.verb}", expected=slot.name)
        if folders:
            arguments[slot.name] = folders if slot.is_many else folders[0]
    if data is not None and not data.is_dir():
        raise DataFolderMissing(where=data.name)
    if stage.takes_data:
        arguments.update(data=data, noncommercial=noncommercial)
    if stage.takes_terms:
        arguments.update(noncommercial=noncommercial)
    if stage.takes_remote:
        arguments.update(allow_remote=allow_remote)
    arguments.update(options or {})
    function = getattr(importlib.import_module(stage.module), stage.function_name)
    return function(config, out=out, **arguments)


def run_all(
    run_file: RunFile,
    root: Path,
    *,
    data: Path | None = None,
    noncommercial: bool = False,
    allow_remote: bool = False,
    base: Path | None = None,
    first: str | None = None,
    only: str | None = None,
) -> list[Manifest]:
    """Run the steps of a run file below `root`; finished ones are checked and skipped.

    Args:
        run_file: What to run.
        root: The run's folder; every step writes `root/<name>`.
        data: The folder of real data, for the stages that read it.
        noncommercial: Whether non-commercial data may be used.
        allow_remote: Whether endpoints may lie beyond the local network.
        base: A model from outside: the steps that no earlier one gives a base or a tokenizer.
        first: Start at this step (a stage or a name); the ones before must be finished.
        only: Run this step alone.
    """
    steps = _chosen(run_file, first, only)
    manifests: list[Manifest] = []
    for number, step in enumerate(steps, start=1):
        out = root / step.name
        is_done = (out / MANIFEST).is_file()
        ja, en = ("確認中", "checking") if is_done else ("実行中", "running")
        mark = f"[{number}/{len(steps)}] {step.stage.verb} → {step.name}"
        say(f"{mark}: {ja}", f"{mark}: {en}")
        inputs = {slot: [root / name for name in names] for slot, names in step.inputs.items()}
        if base is not None:
            inputs |= {slot: [base] for slot in _open_slots(step)}
        manifest = run_stage(
            step.stage,
            step.config,
            inputs=inputs,
            out=out,
            data=data,
            noncommercial=noncommercial,
            allow_remote=allow_remote,
        )
        seconds = manifest.run["seconds"]
        if is_done:
            say("    完了済みです", "    already finished")
        else:
            identity = manifest.identity_hash[:12]
            say(
                f"    完了 {seconds:.1f} 秒、{identity}", f"    done in {seconds:.1f} s, {identity}"
            )
        manifests.append(manifest)
    return manifests


def _open_slots(step: Step) -> list[str]:
    """Return the slots of a step that take a model and have none yet."""
    names = [slot.name for slot in step.stage.slots if slot.name in ("base", "tokenizer")]
    return [name for name in names if not step.inputs.get(name)]


def _chosen(run_file: RunFile, first: str | None, only: str | None) -> Sequence[Step]:
    if only is not None:
        chosen = [step for step in run_file.steps if only in (step.name, step.stage.verb)]
    elif first is not None:
        names = [first in (step.name, step.stage.verb) for step in run_file.steps]
        chosen = list(run_file.steps[names.index(True) :]) if any(names) else []
    else:
        chosen = list(run_file.steps)
    if not chosen:
        found = only or first or ""
        raise UnknownStage(where=run_file.name, found=found, expected=run_file.choices())
    return chosen
