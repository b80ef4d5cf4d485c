"""The supervised table: figures with intervals over documents, spread over seeds, differences.

Seeds and items vary apart: an interval draws documents and keeps the seeds (the figure is the mean
over seeds of the figure of one training), the spread is the standard deviation over seeds on all
items. Differences are paired by document; their p-values are Holm's over the tasks of a setting.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from rinsho.errors import AnswersIncomplete
from rinsho.evaluation.answer_record import Answer, Method
from rinsho.evaluation.benchmark import Benchmark, Item
from rinsho.evaluation.bootstrap import Floats, Metric, difference, estimate
from rinsho.evaluation.catalogue import LoadedBenchmark
from rinsho.evaluation.scoring import ScoredEntry, score_entry
from rinsho.evaluation.split_folder import (
    SETTINGS,
    Setting,
    read_omitted,
    read_records,
    read_split,
    to_benchmark,
)
from rinsho.manifest import (
    FinishedFolder,
    Manifest,
    canonical_json,
    door,
    new_folder,
    open_folder,
    write_file,
)
from rinsho.runfile import StageConfig


class TabulateConfig(StageConfig):
    """How the table is made."""

    n_draws: int = Field(default=10_000, gt=0, description="bootstrap resamples of documents")
    seed: int = Field(default=0, ge=0, description="of the resamples")
    models: tuple[str, ...] = Field(
        default=(), description="systems that are compared with the others"
    )


@dataclass(frozen=True, slots=True)
class Cell:
    """A split, a system and a seed, and the file of its answers."""

    split: str
    system: str
    seed: int
    path: Path


@dataclass(frozen=True, slots=True)
class Figure:
    """One line: a system on a task in a setting."""

    task: str
    setting: Setting
    system: str
    metric: str
    value: float  # mean over seeds
    low: float  # 95 % over documents
    high: float
    item_sd: float  # a quarter of the interval's width, near enough
    seeds: tuple[float, ...]  # the figure of each training
    seed_sd: float | None  # None: one training
    n_rows: int
    n_documents: int
    n_leaking_test_rows: int
    others: Mapping[str, float]
    official: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """How two systems differ on the same items."""

    task: str
    setting: Setting
    first: str
    second: str
    value: float
    low: float
    high: float
    p: float
    p_holm: float  # over the tasks of the setting


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """What one figure is made of: an entry a seed, over the same items."""

    task: str
    setting: Setting
    system: str
    entries: tuple[ScoredEntry, ...]
    n_leaking_test_rows: int

    @property
    def documents(self) -> list[str]:
        return self.entries[0].documents


@door
def tabulate(config: TabulateConfig, *, splits: Path, cells: Sequence[Cell], out: Path) -> Manifest:
    """Write `table.json` and `table.md` from finished cells.

    Raises:
        AnswersIncomplete: A cell does not answer the items of its split.
    """
    folder = open_folder(splits, "split")
    digest = hashlib.sha256()
    for cell in cells:
        digest.update(f"{cell.split} {cell.system} {cell.seed}\n".encode() + _answers(cell.path))
    inputs: dict[str, Any] = {"splits": folder, "cells": digest.hexdigest()}
    with new_folder(out, stage="supervise", config=config, inputs=inputs) as table:
        lines = list(_lines(folder, cells))
        figures = [_figure(line, config) for line in lines]
        differences = with_holm(list(_differences(lines, config)))
        omitted = _omitted(folder, figures)
        value = {
            "settings": SETTINGS,
            "figures": [dataclasses.asdict(one) for one in figures],
            "differences": [dataclasses.asdict(one) for one in differences],
            "omitted": omitted,
        }
        write_file(table.path / "table.json", canonical_json(value) + b"\n")
        text = "\n".join(to_markdown(figures, differences, omitted)) + "\n"
        write_file(table.path / "table.md", text.encode())
        table.count(cells=len(cells), figures=len(figures), differences=len(differences))
    assert table.manifest is not None
    return table.manifest


def _omitted(folder: FinishedFolder, figures: Sequence[Figure]) -> dict[str, str]:
    """Return the splits that could not be made of the tasks in the table."""
    tasks = {one.task.removeprefix("jmed-llm/").replace("/", "-") for one in figures}
    found = read_omitted(folder)
    return {name: found[name] for name in found if name.startswith(tuple(tasks))}


def _answers(path: Path) -> bytes:
    """Return the answers of a cell without its header, which says how long it took."""
    return path.read_bytes().partition(b"\n")[2]


def _lines(folder: FinishedFolder, cells: Sequence[Cell]) -> Iterator[_Line]:
    """Yield the lines in the order of the splits; folds of a seed are one entry."""
    records = {record.name: record for record in read_records(folder)}
    tests = {name: read_split(folder, records[name]).test for name in {c.split for c in cells}}
    grouped: dict[tuple[str, Setting, str], dict[int, list[Cell]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for cell in cells:
        record = records[cell.split]
        grouped[record.benchmark, record.setting, cell.system][cell.seed].append(cell)
    order = {record.name: place for place, record in enumerate(records.values())}
    keys = sorted(grouped, key=lambda key: min(order[c.split] for c in grouped[key][0]))
    for task, setting, system in keys:
        by_seed = grouped[task, setting, system]
        n_folds = len(by_seed[0])
        whole = [sorted(c, key=lambda c: c.split) for c in by_seed.values() if len(c) == n_folds]
        used = [records[cell.split] for cell in whole[0]]
        benchmark = to_benchmark(used[0], folder)
        entries = tuple(_entry(system, benchmark, one, tests) for one in whole)
        leaking = sum(record.n_leaking_test_rows for record in used)
        yield _Line(task, setting, system, entries, leaking)


def _entry(
    system: str, benchmark: Benchmark, cells: Sequence[Cell], tests: Mapping[str, tuple[Item, ...]]
) -> ScoredEntry:
    """Mark the answers of one seed, all folds together."""
    pairs: list[tuple[Item, Answer]] = []
    method: Method = "extraction" if benchmark.form == "entities" else "head"
    for cell in cells:
        said = {line["item"]: line["output"] for line in map(json.loads, _answers(cell.path).splitlines())}  # fmt: skip # noqa: E501
        if set(said) != {item.id for item in tests[cell.split]}:
            raise AnswersIncomplete(
                where=cell.path.name, expected=len(tests[cell.split]), found=len(said)
            )
        pairs += [
            (item, Answer(benchmark.name, item.id, method, "", said[item.id]))
            for item in tests[cell.split]
        ]
    items = tuple(item for item, _ in pairs)
    loaded = LoadedBenchmark(benchmark, items, "", is_text_withheld=True)
    return score_entry(system, loaded, method, pairs)


# --------------------------------------------------------------------------------------- figures


def leading(entry: ScoredEntry) -> Metric:
    """Return the metric that is compared: exact F1 of entities, else the benchmark's first one."""
    named = {metric.name: metric for metric in entry.corrected}
    return named.get("exact_f1", entry.corrected[0])


def mean_over_seeds(metrics: Sequence[Metric]) -> Metric:
    """Return the mean of a figure over trainings: the same documents are drawn for all of them."""
    widths = np.cumsum([0, *(metric.counts.shape[1] for metric in metrics)])

    def statistic(sums_DK: Floats) -> Floats:
        blocks = zip(metrics, widths[:-1], widths[1:], strict=True)
        return np.mean([m.statistic(sums_DK[:, start:end]) for m, start, end in blocks], axis=0)

    counts_RK = np.concatenate([metric.counts for metric in metrics], axis=1)
    return Metric(metrics[0].name, counts_RK, statistic)


def _figure(line: _Line, config: TabulateConfig) -> Figure:
    metrics = [leading(entry) for entry in line.entries]
    found = estimate(
        mean_over_seeds(metrics), line.documents, seed=config.seed, n_draws=config.n_draws
    )
    values = tuple(metric.value for metric in metrics)
    others = [[m for m in e.corrected if m.name != metrics[0].name] for e in line.entries]
    return Figure(
        task=line.task,
        setting=line.setting,
        system=line.system,
        metric=metrics[0].name,
        value=found.value,
        low=found.low,
        high=found.high,
        item_sd=(found.high - found.low) / (2 * 1.96),
        seeds=values,
        seed_sd=statistics.stdev(values) if len(values) > 1 else None,
        n_rows=found.n_rows,
        n_documents=found.n_documents,
        n_leaking_test_rows=line.n_leaking_test_rows,
        others=_means(others),
        official=_means([list(entry.official) for entry in line.entries]),
    )


def _means(metrics: Sequence[Sequence[Metric]]) -> dict[str, float]:
    return {
        same[0].name: statistics.fmean(metric.value for metric in same)
        for same in zip(*metrics, strict=True)
    }


def _differences(lines: Sequence[_Line], config: TabulateConfig) -> Iterator[PairedDifference]:
    for ours in (line for line in lines if line.system in config.models):
        for other in lines:
            is_same = (other.task, other.setting) == (ours.task, ours.setting)
            if not is_same or other.system == ours.system:
                continue
            first, second = (
                mean_over_seeds([leading(entry) for entry in line.entries])
                for line in (ours, other)
            )
            found = difference(
                first, second, ours.documents, seed=config.seed, n_draws=config.n_draws
            )
            yield PairedDifference(
                ours.task, ours.setting, ours.system, other.system,
                found.value, found.low, found.high, found.p, found.p,
            )  # fmt: skip


def with_holm(differences: Sequence[PairedDifference]) -> list[PairedDifference]:
    """Correct the p-values of the same two systems in a setting over its tasks."""
    families: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for place, one in enumerate(differences):
        families[one.setting, one.first, one.second].append(place)
    corrected = list(differences)
    for places in families.values():
        found = holm([differences[place].p for place in places])
        for place, p in zip(places, found, strict=True):
            corrected[place] = dataclasses.replace(differences[place], p_holm=p)
    return corrected


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number.

    Source:
        Holm 1979, Scandinavian Journal of Statistics 6(2).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    found, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        found[place] = highest
    return found


# -------------------------------------------------------------------------------------- markdown


def to_markdown(
    figures: Sequence[Figure],
    differences: Sequence[PairedDifference],
    omitted: Mapping[str, str],
) -> Iterator[str]:
    """Yield the lines of the tables: settings side by side, then the differences."""
    settings: list[Setting] = [
        one for one in SETTINGS if any(figure.setting == one for figure in figures)
    ]
    parts = (
        ("Corrected rules: figure (95 % over documents), sd of items and of seeds", _corrected),
        ("Official rules", _official),
        ("Test rows (those whose document is also learned), documents", _sizes),
    )
    for title, render in parts:
        yield from (f"### {title}", "")
        yield f"| task | system | {' | '.join(SETTINGS[one] for one in settings)} |"
        yield "|---" * (2 + len(settings)) + "|"
        yield from _rows(figures, settings, render)
        yield ""
    if differences:
        yield from ("### Differences on the same items", "")
        yield "| setting | task | difference | 95 % over documents | p | p, Holm over tasks |"
        yield "|---|---|---|---|---|---|"
        yield from (_difference_row(one) for one in differences)
        yield ""
    yield from (f"Left out: {name}: {reason}." for name, reason in omitted.items())


def _rows(
    figures: Sequence[Figure], settings: Sequence[Setting], render: Callable[[Figure], str]
) -> Iterator[str]:
    """Yield a line for each task and system; sizes are the same for every system of a task."""
    found: dict[tuple[str, str], dict[Setting, str]] = defaultdict(dict)
    for one in figures:
        system = "" if render is _sizes else one.system
        found[one.task.removeprefix("jmed-llm/"), system][one.setting] = render(one)
    for (task, system), cells in found.items():
        yield f"| {task} | {system} | {' | '.join(cells.get(one, '') for one in settings)} |"


def _corrected(one: Figure) -> str:
    spread = "" if one.seed_sd is None else f", seeds ±{one.seed_sd:.3f} ({len(one.seeds)})"
    interval = f"({one.low:.3f} – {one.high:.3f})"
    return f"{one.metric} **{one.value:.3f}** {interval} ±{one.item_sd:.3f}{spread}"


def _official(one: Figure) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in list(one.official.items())[:2])


def _sizes(one: Figure) -> str:
    leaking = f" ({one.n_leaking_test_rows})" if one.n_leaking_test_rows else ""
    return f"{one.n_rows}{leaking}, {one.n_documents}"


def _difference_row(one: PairedDifference) -> str:
    cells = (
        SETTINGS[one.setting],
        one.task.removeprefix("jmed-llm/"),
        f"{one.first} − {one.second} **{one.value:+.3f}**",
        f"{one.low:+.3f} – {one.high:+.3f}",
        _p(one.p),
        _p(one.p_holm),
    )
    return f"| {' | '.join(cells)} |"


def _p(value: float) -> str:
    return "< .001" if value < 0.001 else f"{value:.3f}"
