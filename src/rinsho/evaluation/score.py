"""The stage `score`: marks answers and writes the report; it needs no model."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import importlib.util
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from rinsho.console import progress
from rinsho.corpus.document import read_documents, write_json_lines
from rinsho.errors import AnswersIncomplete, MissingDependency
from rinsho.evaluation.answer import ASKED
from rinsho.evaluation.answer_record import FREE, Answer, Method, read_answers
from rinsho.evaluation.benchmark import Sources
from rinsho.evaluation.catalogue import LoadedBenchmark, hash_benchmarks, load_benchmark
from rinsho.evaluation.marking import row_score
from rinsho.evaluation.orders import fold_orders
from rinsho.evaluation.page import render_page
from rinsho.evaluation.page_items import numbers_of
from rinsho.evaluation.prompt_table import prompt_tables, to_csv, to_markdown
from rinsho.evaluation.report_tables import report_tables
from rinsho.evaluation.scoring import ScoredEntry, score_entry
from rinsho.evaluation.summary import (
    ChainLink,
    FreeSummary,
    LossCurve,
    Report,
    SourceShare,
    compare_entries,
    summarize_entry,
    summarize_free,
    summary_lines,
    to_link,
)
from rinsho.evaluation.texts import training_texts
from rinsho.manifest import (
    FinishedFolder,
    Manifest,
    OpenFolder,
    canonical_json,
    door,
    new_folder,
    open_folder,
    write_file,
)
from rinsho.runfile import StageConfig

REPORT_VERSION = 1


class ScoreConfig(StageConfig):
    """How answers are scored."""

    n_draws: int = Field(default=10_000, gt=0, description="bootstrap resamples of each figure")
    seed: int = Field(default=0, ge=0, description="of the resamples; the same for every system")
    title: str = Field(default="", max_length=120, description="stands at the top of the report")
    share: bool | None = Field(
        default=None,
        description="true: no text of items or answers in the report; false: all of it, in a "
        "private folder; left out: none of non-commercial and private texts",
        exclude_if=lambda value: value is None,
    )


@dataclass(frozen=True, slots=True)
class System:
    """One answers folder, checked against its benchmarks."""

    label: str
    engine: str
    folder: FinishedFolder
    asked: tuple[dict[str, Any], ...]
    answers: tuple[Answer, ...]


@door
def score(
    config: ScoreConfig,
    *,
    answers: Sequence[Path],
    out: Path,
    documents: Sequence[Path] = (),
    weights: Sequence[Path] = (),
    data: Path | None = None,
    noncommercial: bool = False,
) -> Manifest:
    """Score answers into `report.json`, `report.html`, `items.jsonl.zst`, tables and figures.

    Args:
        config: How many resamples, and their seed.
        answers: Answers folders; each is one system of the report.
        out: The report folder.
        documents: Folders that the demo's benchmarks come from; also shown by source, and searched
            for what free generations copied.
        weights: Weights folders whose loss the report shows.
        data: The data folder that holds `eval/`.
        noncommercial: Whether benchmarks under non-commercial terms may be used.

    Raises:
        AnswersIncomplete: Items are missing, or the benchmark is not the one that was answered.
        MissingDependency: matplotlib is not installed.
    """
    _require_matplotlib()
    opened = [open_folder(path, "answer") for path in answers]
    folders = tuple(open_folder(path, "collect", "synthesize") for path in documents)
    trained = [open_folder(path, "pretrain", "finetune", "extend-weights") for path in weights]
    systems = to_systems(opened)
    found = load_asked(systems, Sources(data, folders, noncommercial))
    is_unshared = config.share is False and any(one.is_text_withheld for one in found.values())
    loaded = {name: _shown(one, config.share) for name, one in found.items()}
    inputs: dict[str, Any] = {
        "answers": opened,
        "documents": folders,
        "weights": trained,
        "benchmarks": hash_benchmarks(list(loaded.values())),
    }
    with new_folder(
        out, stage="score", config=config, inputs=inputs, is_private=is_unshared
    ) as folder:
        scored = [entry for system in systems for entry in score_system(system, loaded)]
        entries = fold_orders(scored)
        everything = [*opened, *trained, *folders]
        report = _report(config, systems, entries, folders, trained, everything)
        _write(config, folder, report, entries)
    assert folder.manifest is not None
    return folder.manifest


def _require_matplotlib() -> None:
    for package in ("matplotlib", "matplotlib_fontja"):
        if importlib.util.find_spec(package) is None:
            raise MissingDependency(where="score", expected="report", found=package)


# ------------------------------------------------------------------------------- reading


def to_systems(folders: Sequence[FinishedFolder]) -> list[System]:
    """Name each folder; where two have one label, the identity tells them apart."""
    labels = [_label(folder) for folder in folders]
    n_with = collections.Counter(labels)
    return [
        System(
            label=label if n_with[label] == 1 else f"{label} #{folder.manifest.identity_hash[:6]}",
            engine=str(folder.manifest.identity.config["engine"]),
            folder=folder,
            asked=tuple(json.loads((folder.path / ASKED).read_bytes())),
            answers=read_answers(folder.path),
        )
        for folder, label in zip(folders, labels, strict=True)
    ]


def _label(folder: FinishedFolder) -> str:
    identity = folder.manifest.identity
    if label := str(identity.config["label"]):
        return label
    engine, model = str(identity.config["engine"]), identity.inputs.get("model")
    return f"{engine} {str(model)[:8]}" if model else engine


def load_asked(systems: Sequence[System], sources: Sources) -> dict[str, LoadedBenchmark]:
    """Load what was asked and check that it is what was answered."""
    loaded: dict[str, LoadedBenchmark] = {}
    for system in systems:
        for asked in system.asked:
            name = str(asked["name"])
            if name not in loaded:
                loaded[name] = load_benchmark(name, sources)
            if loaded[name].sha256 != asked["sha256"]:
                raise AnswersIncomplete(
                    where=name, expected=asked["sha256"][:16], found=loaded[name].sha256[:16]
                )
    return loaded


def _shown(loaded: LoadedBenchmark, share: bool | None) -> LoadedBenchmark:
    """Return a benchmark whose texts stay out of the report, or not, as the config says."""
    return loaded if share is None else dataclasses.replace(loaded, is_text_withheld=share)


def score_system(system: System, loaded: dict[str, LoadedBenchmark]) -> list[ScoredEntry]:
    """Mark the answers of a system, by benchmark and method."""
    by_entry: dict[tuple[str, Method], dict[str, Answer]] = {}
    for given in system.answers:
        if given.benchmark != FREE:
            by_entry.setdefault((given.benchmark, given.method), {})[given.item] = given
    asked = {str(one["name"]): set(one["items"]) for one in system.asked}
    entries: list[ScoredEntry] = []
    for (name, method), answers in by_entry.items():
        if set(answers) != asked.get(name):
            n_asked = len(asked.get(name, ()))
            raise AnswersIncomplete(where=name, expected=n_asked, found=len(answers))
        pairs = [(item, answers[item.id]) for item in loaded[name].items if item.id in answers]
        entries.append(score_entry(system.label, loaded[name], method, pairs))
    return entries


# ------------------------------------------------------------------------------- the report


def _report(
    config: ScoreConfig,
    systems: Sequence[System],
    entries: Sequence[ScoredEntry],
    documents: tuple[FinishedFolder, ...],
    weights: Sequence[FinishedFolder],
    everything: Sequence[FinishedFolder],
) -> Report:
    engines = {system.label: system.engine for system in systems}
    is_private = any(folder.manifest.identity.is_private for folder in everything)
    is_shown = not is_private if config.share is None else not config.share
    with progress("採点中", "scoring", len(entries) + 1, "表") as advance:
        summaries = list[Any]()
        for entry in entries:
            engine = engines[entry.system]
            summaries.append(summarize_entry(entry, engine, config.seed, config.n_draws))
            advance()
        comparisons = compare_entries(entries, config.seed, config.n_draws)
        advance()
    return Report(
        entries=tuple(summaries),
        comparisons=comparisons,
        free=tuple(_free(systems, documents, is_shown=is_shown)),
        sources=tuple(count_sources(documents)),
        removals=tuple(read_removals(documents)),
        losses=tuple(curve for folder in weights if (curve := read_loss(folder))),
        chain=_chain(everything),
        seed=config.seed,
        n_draws=config.n_draws,
        prompt_tables=prompt_tables(entries, seed=config.seed, n_draws=config.n_draws),
    )


def _free(
    systems: Sequence[System], documents: tuple[FinishedFolder, ...], *, is_shown: bool
) -> Iterable[FreeSummary]:
    for system in systems:
        generations = [given for given in system.answers if given.benchmark == FREE]
        if generations:
            training = training_texts(documents, conversations=True) if documents else None
            yield summarize_free(system.label, generations, training, is_shown)


def count_sources(documents: Iterable[FinishedFolder]) -> list[SourceShare]:
    """Count the documents and UTF-8 bytes of each source, the largest first."""
    n_documents, n_bytes = collections.Counter[str](), collections.Counter[str]()
    for folder in documents:
        for document in read_documents(folder.path):
            n_documents[document.source] += 1
            n_bytes[document.source] += len(document.text.encode())
    ranked = sorted(n_bytes, key=lambda source: (-n_bytes[source], source))
    return [SourceShare(source, n_documents[source], n_bytes[source]) for source in ranked]


def read_removals(documents: Iterable[FinishedFolder]) -> Iterable[str]:
    """Yield the removal table, by rule and source, of every folder that `collect` made."""
    for folder in documents:
        path = folder.path / "removals.txt"
        if path.is_file():
            yield path.read_text(encoding="utf-8")


def read_loss(folder: FinishedFolder) -> LossCurve | None:
    """Read `loss.jsonl` of a weights folder; None where it has none."""
    path = folder.path / "loss.jsonl"
    if not path.is_file():
        return None
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    points = [(int(row["step"]), float(row["loss"])) for row in rows if row.get("loss") is not None]
    points = [(step, loss) for step, loss in points if math.isfinite(loss)]
    if not points:
        return None
    identity = folder.manifest
    form = identity.identity.config.get("form", "")
    label = " ".join(part for part in (identity.identity.stage, str(form)) if part)
    label = f"{label} #{identity.identity_hash[:6]}"
    return LossCurve(label, tuple(s for s, _ in points), tuple(loss for _, loss in points))


def _chain(folders: Sequence[FinishedFolder]) -> tuple[ChainLink, ...]:
    links = {folder.manifest.identity_hash: to_link(folder) for folder in folders}
    return tuple(links.values())


# ------------------------------------------------------------------------------- writing


def _write(
    config: ScoreConfig, folder: OpenFolder, report: Report, entries: Sequence[ScoredEntry]
) -> None:
    from rinsho.evaluation.figures import draw_figures

    figures = draw_figures(report)
    for name, drawn in figures.items():
        write_file(folder.path / f"{name}.svg", drawn.svg)
        write_file(folder.path / f"{name}.png", drawn.png)
    value = {
        "version": REPORT_VERSION,
        "summary": summary_lines(report),
        **dataclasses.asdict(report),
    }
    write_file(folder.path / "report.json", canonical_json(value) + b"\n")
    write_json_lines(folder.path / "items.jsonl.zst", _item_lines(entries))
    if report.prompt_tables:
        write_file(folder.path / "prompt_table.csv", to_csv(report.prompt_tables).encode())
        write_file(folder.path / "prompt_table.md", to_markdown(report.prompt_tables).encode())
    for name, table in report_tables(report).items():
        write_file(folder.path / name, table.encode("utf-8", "replace"))
    svgs = {name: drawn.svg.decode() for name, drawn in figures.items()}
    page = render_page(config.title, report, entries, svgs)
    write_file(folder.path / "report.html", page.encode())
    folder.count(
        entries=len(report.entries),
        comparisons=len(report.comparisons),
        rows=sum(len(entry.rows) for entry in entries),
    )


def hash_document(key: str) -> str:
    """Return what tells documents apart without a word of them: a key can be their text."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def _item_lines(entries: Iterable[ScoredEntry]) -> Iterable[dict[str, Any]]:
    """Yield one line a row: how it was parsed and marked; predictions only where texts may show.

    Items and documents of a user's own file stand by their numbers: ids there may be patients'.
    """
    for entry in (one for folded in entries for one in (folded, *folded.orders)):
        numbers = numbers_of(entry.loaded)
        documents = dict.fromkeys(item.document for item in entry.loaded.items)
        places = {key: str(n) for n, key in enumerate(documents, start=1)} if numbers else {}
        for row in entry.rows:
            line: dict[str, Any] = {
                "system": entry.system,
                "benchmark": entry.loaded.name,
                "method": entry.method,
                "item": numbers.get(row.item.id, row.item.id),
                "document": places.get(row.item.document) or hash_document(row.item.document),
                "is_valid": row.is_valid,
                "is_right": row.is_right,
                "is_too_long": row.answer.is_too_long,
                "score": row_score(row),
            }
            if not entry.loaded.is_text_withheld:
                line |= {"gold": row.item.gold, "prediction": row.prediction}
            yield line
