"""The report as data: what `report.json` holds and the page shows."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rinsho.evaluation.answer_record import Answer
from rinsho.evaluation.bootstrap import Difference, Estimate, Metric, difference, estimate
from rinsho.evaluation.calibration import Calibration, calibrate
from rinsho.evaluation.confusion import Confusion, confusion_of
from rinsho.evaluation.orders import Orders, summarize_orders
from rinsho.evaluation.prompt_table import PromptTable
from rinsho.evaluation.scoring import ScoredEntry, restrict
from rinsho.evaluation.text_metrics import Copied, count_copied, repetition_rate
from rinsho.manifest import FinishedFolder

# Metrics that systems are compared by: the leading one and the one beside it.
N_COMPARED = 2


@dataclass(frozen=True, slots=True)
class EntrySummary:
    """The figures of one engine on one benchmark by one method."""

    system: str
    engine: str
    benchmark: str
    form: str
    method: str
    leading: str  # the corrected metric that stands in figures
    license: str
    n_items: int
    n_available: int
    n_documents: int
    n_too_long: int
    n_invalid: int
    n_expressions: int
    official: Mapping[str, Estimate]
    corrected: Mapping[str, Estimate]
    by_tag: Mapping[str, Estimate]  # of the leading corrected metric
    calibration: Calibration | None = None  # of the probabilities of the choices
    orders: Orders | None = None  # where the options were also asked in other orders
    confusion: Confusion | None = None  # of single letters, by the corrected rules


@dataclass(frozen=True, slots=True)
class Comparison:
    """A paired difference between two systems on one benchmark."""

    benchmark: str
    metric: str
    is_higher_better: bool
    first: str
    second: str
    difference: Difference


@dataclass(frozen=True, slots=True)
class FreeGeneration:
    """One seeded generation without a gold answer."""

    prompt: str
    output: str
    seed: int
    n_tokens: int
    repetition_rate: float | None
    copied: Copied


@dataclass(frozen=True, slots=True)
class FreeSummary:
    """The free generations of one system; means over those long enough to measure."""

    system: str
    generations: tuple[FreeGeneration, ...]
    repetition_rate: float | None
    copied_share: float | None
    is_compared_with_training_text: bool


@dataclass(frozen=True, slots=True)
class SourceShare:
    """How much text a source gave."""

    source: str
    n_documents: int
    n_bytes: int


@dataclass(frozen=True, slots=True)
class LossCurve:
    """The loss of a training run by step."""

    label: str
    steps: tuple[int, ...]
    losses: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ChainLink:
    """One folder that the report rests on."""

    stage: str
    identity_hash: str
    version: str
    config: Mapping[str, Any]
    inputs: Mapping[str, Any]
    counts: Mapping[str, Any]
    licenses: tuple[str, ...]
    attributions: tuple[str, ...]
    seed: int | None
    threads: int | None
    precision: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a reader gets but the items themselves."""

    entries: tuple[EntrySummary, ...]
    comparisons: tuple[Comparison, ...]
    free: tuple[FreeSummary, ...]
    sources: tuple[SourceShare, ...]
    removals: tuple[str, ...]  # the removal table of each collected folder, as text
    losses: tuple[LossCurve, ...]
    chain: tuple[ChainLink, ...]
    seed: int
    n_draws: int
    prompt_tables: tuple[PromptTable, ...] = ()  # one model by every template of the legacy harness


def summarize_entry(entry: ScoredEntry, engine: str, seed: int, n_draws: int) -> EntrySummary:
    """Estimate every metric of an entry, and the leading one by tag."""

    def estimates(metrics: Iterable[Metric]) -> dict[str, Estimate]:
        documents = entry.documents
        return {m.name: estimate(m, documents, seed=seed, n_draws=n_draws) for m in metrics}

    benchmark, rows = entry.loaded.benchmark, entry.rows
    return EntrySummary(
        system=entry.system,
        engine=engine,
        benchmark=benchmark.name,
        form=benchmark.form,
        method=entry.method,
        leading=entry.corrected[0].name,
        license=benchmark.license,
        n_items=len(rows),
        n_available=len(entry.loaded.items),
        n_documents=len(set(entry.documents)),
        n_too_long=sum(row.answer.is_too_long for row in rows),
        n_invalid=sum(not row.is_valid for row in rows),
        n_expressions=sum(row.is_expression for row in rows),
        official=estimates(entry.official),
        corrected=estimates(entry.corrected),
        by_tag=_by_tag(entry, seed, n_draws),
        calibration=calibrate(rows, seed=seed, n_draws=n_draws),
        orders=summarize_orders(entry, seed=seed, n_draws=n_draws),
        confusion=confusion_of(rows, is_text_shown=not entry.loaded.is_text_withheld),
    )


def _by_tag(entry: ScoredEntry, seed: int, n_draws: int) -> dict[str, Estimate]:
    tags = sorted({row.item.tag for row in entry.rows})
    if len(tags) < 2:
        return {}
    found: dict[str, Estimate] = {}
    for tag in tags:
        part = restrict(entry, {row.item.id for row in entry.rows if row.item.tag == tag})
        leading = part.corrected[0]
        found[tag] = estimate(leading, part.documents, seed=seed, n_draws=n_draws)
    return found


def compare_entries(
    entries: Sequence[ScoredEntry], seed: int, n_draws: int
) -> tuple[Comparison, ...]:
    """Return paired differences on the items that two systems share, for each benchmark."""
    return tuple(
        comparison
        for first, second in itertools.combinations(entries, 2)
        if first.loaded.name == second.loaded.name and first.system != second.system
        for comparison in _compare(first, second, seed, n_draws)
    )


def _compare(
    first: ScoredEntry, second: ScoredEntry, seed: int, n_draws: int
) -> Iterable[Comparison]:
    shared = {row.item.id for row in first.rows} & {row.item.id for row in second.rows}
    if not shared:
        return
    one, other = (
        entry if len(entry.rows) == len(shared) else restrict(entry, shared)
        for entry in (first, second)
    )
    pairs = zip(one.corrected[:N_COMPARED], other.corrected[:N_COMPARED], strict=True)
    for left, right in pairs:
        yield Comparison(
            benchmark=first.loaded.name,
            metric=left.name,
            is_higher_better=left.is_higher_better,
            first=f"{first.system} ({first.method})",
            second=f"{second.system} ({second.method})",
            difference=difference(left, right, one.documents, seed=seed, n_draws=n_draws),
        )


def summarize_free(
    system: str, answers: Sequence[Answer], training: Iterable[str] | None, is_shown: bool
) -> FreeSummary:
    """Measure how free generations repeat themselves and copy training text.

    Args:
        system: Whose they are.
        answers: The generations, without their prompts.
        training: Texts of the train split; None where no documents folder was given.
        is_shown: Whether the outputs may stand in the report.
    """
    outputs = [answer.output for answer in answers]
    nothing = [Copied(None, 0)] * len(outputs)
    copied = nothing if training is None else count_copied(outputs, training)
    generations = tuple(
        FreeGeneration(
            prompt=answer.prompt or "",
            output=answer.output if is_shown else "",
            seed=answer.seed,
            n_tokens=answer.n_tokens,
            repetition_rate=repetition_rate(answer.output),
            copied=one,
        )
        for answer, one in zip(answers, copied, strict=True)
    )
    return FreeSummary(
        system=system,
        generations=generations,
        repetition_rate=_mean(one.repetition_rate for one in generations),
        copied_share=_mean(one.copied.share for one in generations),
        is_compared_with_training_text=training is not None,
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def to_link(folder: FinishedFolder) -> ChainLink:
    """Return what a report says about a folder it rests on."""
    identity = folder.manifest.identity
    return ChainLink(
        stage=identity.stage,
        identity_hash=folder.manifest.identity_hash,
        version=identity.version,
        config=identity.config,
        inputs=identity.inputs,
        counts=identity.counts,
        licenses=identity.licenses,
        attributions=identity.attributions,
        seed=identity.seed,
        threads=identity.threads,
        precision=identity.precision,
    )


def summary_lines(report: Report) -> list[list[str]]:
    """Return the short table that a terminal shows: system, benchmark, metric, figure, n."""
    lines: list[list[str]] = []
    for entry in report.entries:
        for name, found in itertools.islice(entry.corrected.items(), N_COMPARED):
            figure = f"{found.value:.3f} ({found.low:.3f}–{found.high:.3f})"
            place = f"{entry.benchmark} [{entry.method}]"
            lines.append([entry.system, place, name, figure, f"n={entry.n_items}"])
    return lines
