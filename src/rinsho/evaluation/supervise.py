"""Systems trained and asked on splits, over seeds: what `rinsho supervise` runs.

A cell is a split, a system and a seed. It is trained on the split's own rows, answers its test
items, and leaves one file; a finished cell is never run again, so a killed run goes on. Splits with
the same rows (a task of which nothing leaks) share their cells. The table is a folder of its own.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from rinsho.console import progress
from rinsho.errors import InvalidValue, NoncommercialRefused, OutputOccupied
from rinsho.evaluation.answer_record import Answer, Method
from rinsho.evaluation.baselines import BASELINES, fit_baseline, fits
from rinsho.evaluation.benchmark import Item
from rinsho.evaluation.engines import Engine, open_head, open_tagger
from rinsho.evaluation.head_engine import text_of
from rinsho.evaluation.split_folder import EXAMPLES, Split, SplitRecord, read_records, read_split
from rinsho.evaluation.tabulate import Cell, TabulateConfig, tabulate
from rinsho.manifest import FinishedFolder, Manifest, canonical_json, open_folder, write_file
from rinsho.runfile import StageConfig, nearest
from rinsho.training.finetune import FinetuneConfig, finetune

CELLS, TABLE = "cells", "table"


class SuperviseConfig(StageConfig):
    """What is trained and asked."""

    splits: tuple[str, ...] = Field(
        default=(), description="beginnings of names; left out: every split"
    )
    systems: tuple[str, ...] = Field(default=(), description="left out: every one that fits")
    n_seeds: int = Field(
        default=5, ge=1, description="trainings of a system that depends on a seed"
    )
    n_grouped_seeds: int = Field(
        default=1, ge=1, description="of the cross-validation: each has all folds"
    )
    n_draws: int = Field(default=10_000, gt=0, description="bootstrap resamples of documents")


@dataclass(frozen=True, slots=True)
class System:
    """Something that is fitted to a split.

    Attributes:
        name: In the table.
        identity: What makes its cells others: its settings, the hash of its base.
        is_seeded: Whether a training seed changes it.
        is_model: Whether it is compared with the others in the table of differences.
        fits: Whether it answers such items.
        fit: Makes an engine of a split, a seed and an empty folder to work in.
    """

    name: str
    identity: Any
    is_seeded: bool
    is_model: bool
    fits: Callable[[Sequence[Item]], bool]
    fit: Callable[[Split, int, Path], Engine]


def run_supervised(
    config: SuperviseConfig,
    *,
    splits: Path,
    out: Path,
    tuning: FinetuneConfig,
    bases: Mapping[str, Path] | None = None,
    encoders: Mapping[str, Path] | None = None,
    more: Sequence[System] = (),
    noncommercial: bool = False,
) -> Manifest:
    """Train and ask every system on every split, and make the table.

    Args:
        config: Which splits and systems, how many seeds.
        splits: A folder of `rinsho data splits`.
        out: Gets `cells/`, a file each, and `table/`; a table of other cells is kept beside it.
        tuning: How heads are tuned; form, seed and examples are set for each cell.
        bases: Weights to tune heads over, by the system's name.
        encoders: Local Hugging Face encoders, by the system's name.
        more: Further systems.
        noncommercial: Whether splits under non-commercial terms may be used.

    Raises:
        NoncommercialRefused: A split asks for `--noncommercial`.
        InvalidValue: No split or system of that name.
        As `finetune`, `fit_baseline` and `fit_encoder`.
    """
    folder = open_folder(splits, "split")
    records = choose_records(folder, config.splits, noncommercial=noncommercial)
    heads = head_systems(folder, tuning, bases or {}, noncommercial=noncommercial)
    known = (*baseline_systems(), *heads, *encoder_systems(encoders or {}), *more)
    systems = choose_systems(known, config.systems)
    is_private = folder.manifest.identity.is_private
    for made in (out, out / CELLS):
        made.mkdir(parents=True, exist_ok=True, mode=0o700 if is_private else 0o777)
    planned = list(plan_cells(config, folder, records, systems))
    cells: list[Cell] = []
    with progress("学習と回答", "training and asking", len(planned), "cells") as advance:
        for record, system, seed in planned:
            cells.append(run_cell(folder, record, system, seed, out))
            advance(1, f"{record.name} {system.name} {seed}")
    models = tuple(system.name for system in systems if system.is_model)
    table = TabulateConfig(n_draws=config.n_draws, models=models)
    try:
        return tabulate(table, splits=splits, cells=cells, out=out / TABLE)
    except OutputOccupied:
        older = open_folder(out / TABLE, "supervise").manifest.identity_hash[:8]
        (out / TABLE).rename(out / f"{TABLE}-{older}")
        return tabulate(table, splits=splits, cells=cells, out=out / TABLE)


def choose_records(
    folder: FinishedFolder, beginnings: Sequence[str], *, noncommercial: bool
) -> list[SplitRecord]:
    """Return the splits whose names begin so; all where nothing is said."""
    records = read_records(folder)
    for beginning in beginnings:
        if not any(record.name.startswith(beginning) for record in records):
            expected = nearest(beginning, [record.name for record in records])
            raise InvalidValue(where="--split", found=beginning, expected=expected)
    chosen = [r for r in records if not beginnings or r.name.startswith(tuple(beginnings))]
    for record in chosen:
        if record.description["is_noncommercial"] and not noncommercial:
            raise NoncommercialRefused(where=record.name, found=record.description["license"])
    return chosen


def choose_systems(systems: Sequence[System], names: Sequence[str]) -> list[System]:
    """Return the systems of those names; all where nothing is said."""
    known = {system.name: system for system in systems}
    for name in names:
        if name not in known:
            raise InvalidValue(where="--system", found=name, expected=nearest(name, list(known)))
    return [known[name] for name in names] if names else list(systems)


def plan_cells(
    config: SuperviseConfig,
    folder: FinishedFolder,
    records: Sequence[SplitRecord],
    systems: Sequence[System],
) -> Iterator[tuple[SplitRecord, System, int]]:
    """Yield the cells: all of the first seed before any of the second, so that a stop is useful."""
    tests = {record.name: read_split(folder, record).test[:1] for record in records}
    for seed in range(max(config.n_seeds, config.n_grouped_seeds)):
        for system in systems:
            for record in records:
                n_seeds = config.n_seeds
                if record.setting == "grouped":
                    n_seeds = config.n_grouped_seeds
                if not system.is_seeded:
                    n_seeds = 1
                if seed < n_seeds and system.fits(tests[record.name]):
                    yield record, system, seed


# --------------------------------------------------------------------------------------- cells


def run_cell(
    folder: FinishedFolder, record: SplitRecord, system: System, seed: int, out: Path
) -> Cell:
    """Train and ask one cell, or return what is there of it."""
    parts = {name: part.sha256 for name, part in record.parts.items()}
    what = {"benchmark": record.benchmark, "pools": folder.manifest.identity.inputs["pools"],
            "parts": parts, "system": system.identity, "seed": seed}  # fmt: skip
    key = hashlib.sha256(canonical_json(what)).hexdigest()[:16]
    short = record.benchmark.replace("/", "-")
    path = out / CELLS / f"{short}.{system.name.replace('/', '-')}.{seed}.{key}.jsonl"
    cell = Cell(record.name, system.name, seed, path)
    if path.is_file():
        return cell
    split = read_split(folder, record)
    started, work = time.process_time(), out / "work" / key
    work.mkdir(parents=True, exist_ok=True)
    engine = system.fit(split, seed, work)
    method: Method = "extraction" if split.test[0].form == "entities" else "head"
    answers = [engine.answer(record.benchmark, item, method) for item in split.test]
    header = {"system": system.name, "seed": seed, "split": record.name, "key": key,
              "cpu_seconds": round(time.process_time() - started, 1)}  # fmt: skip
    _write_cell(path, header, answers)
    shutil.rmtree(work)
    return cell


def _write_cell(path: Path, header: Mapping[str, Any], answers: Sequence[Answer]) -> None:
    lines = [header, *({"item": a.item, "output": a.output} for a in answers)]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    partial = path.with_suffix(".partial")
    write_file(partial, text.encode())
    partial.rename(path)


# ------------------------------------------------------------------------------------- systems


def baseline_systems() -> Iterator[System]:
    """Yield the plain methods; none of them depends on a seed."""
    for name in BASELINES:
        yield System(
            name,
            {"baseline": name, "version": 1},
            is_seeded=False,
            is_model=False,
            fits=lambda items, name=name: fits(name, items),
            fit=lambda split, seed, work, name=name: fit_baseline(
                name, (*split.train, *split.validation), seed
            ),
        )


def head_systems(
    folder: FinishedFolder,
    tuning: FinetuneConfig,
    bases: Mapping[str, Path],
    *,
    noncommercial: bool,
) -> Iterator[System]:
    """Yield a head over each base: for spans, pairs or texts, as the items ask."""
    from rinsho.model.base import open_base

    for name, path in bases.items():
        source = open_base(path).source
        identity = source if isinstance(source, str) else source.manifest.identity_hash

        def fit(split: Split, seed: int, work: Path, path: Path = path) -> Engine:
            config = _tuning(folder, tuning, split, seed)
            finetune(config, base=path, out=work / "head", noncommercial=noncommercial)
            is_tagging = config.form == "tagging"
            return open_tagger(work / "head") if is_tagging else open_head(work / "head")

        settings = tuning.model_dump(mode="json", exclude={"threads"})
        yield System(
            name,
            {"head": identity, "settings": settings},
            is_seeded=True,
            is_model=True,
            fits=lambda items: True,
            fit=fit,
        )


def _tuning(
    folder: FinishedFolder, tuning: FinetuneConfig, split: Split, seed: int
) -> FinetuneConfig:
    """Return the settings of one cell's training: only examples that share no test document."""
    first = split.test[0]
    form = "pair" if text_of(first)[1] is not None else "pooled"
    if first.form == "entities":
        form = "tagging"
    example_file = {
        "path": str(folder.path / split.record.name / EXAMPLES),
        "license": split.record.description["license"],
        "is_private": folder.manifest.identity.is_private,
    }
    values = tuning.model_dump(exclude_unset=True) | {
        "form": tuning.form or form,
        "seed": seed,
        "examples": [example_file],
    }
    return FinetuneConfig.model_validate(values)


def encoder_systems(encoders: Mapping[str, Path]) -> Iterator[System]:
    """Yield local encoders of transformers, tuned as its own classes do it."""
    if not encoders:
        return
    from rinsho.evaluation.encoder_baseline import EncoderSettings, fit_encoder, hash_encoder

    settings = EncoderSettings()
    for name, path in encoders.items():
        yield System(
            name,
            {"encoder": hash_encoder(path), "settings": dataclasses.asdict(settings)},
            is_seeded=True,
            is_model=True,
            fits=lambda items: True,
            fit=lambda split, seed, work, path=path: fit_encoder(
                path, (*split.train, *split.validation), seed, settings
            ),
        )
