"""The prompt table: one model by every template of the legacy harness, and how far they spread.

Source:
    arXiv:2409.11783, Table 8: accuracy by gestalt similarity, exact match beside it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rinsho.evaluation.bootstrap import Estimate, Floats, Metric, estimate, ratio
from rinsho.evaluation.legacy_benchmarks import SETS
from rinsho.evaluation.scoring import ScoredEntry
from rinsho.evaluation.variants import split_name

# T templates, R rows, D draws
_HEAD = ("system", "questions", "language", "template", "n", "too_long", "gestalt_accuracy",
         "low", "high", "exact_match", "exact_low", "exact_high")  # fmt: skip


@dataclass(frozen=True, slots=True)
class PromptCell:
    """One model by one template on one set of questions."""

    template: str
    accuracy: Estimate  # by gestalt similarity, the harness's own
    exact_match: Estimate
    n_too_long: int  # questions that did not fit the context: wrong


@dataclass(frozen=True, slots=True)
class PromptTable:
    """One model by every template that it was asked with, on one set in one language."""

    system: str
    questions: str  # "igakuqa", "medqa", with "@shuffle-1" where the options were shuffled
    language: str
    n_items: int
    cells: tuple[PromptCell, ...]
    spread: Estimate  # best template less the worst: of equal templates it is above 0 by chance
    mean: Estimate
    best: str
    worst: str


def prompt_tables(
    entries: Sequence[ScoredEntry], *, seed: int, n_draws: int
) -> tuple[PromptTable, ...]:
    """Return a table for each model and set of questions that templates were asked about."""
    groups: dict[tuple[str, str, str], dict[str, ScoredEntry]] = {}
    for entry in entries:
        if place := _place(entry):
            questions, language, template = place
            groups.setdefault((entry.system, questions, language), {})[template] = entry
    return tuple(_table(*key, by_template, seed, n_draws) for key, by_template in groups.items())


def _place(entry: ScoredEntry) -> tuple[str, str, str] | None:
    """Return the questions, language and template of an answer to a published prompt, or None."""
    name, variant = split_name(entry.loaded.name)
    title, _, template = name.partition("/")
    one = next((one for one in SETS if one.title == title), None)
    if one is None or entry.method != "official":
        return None
    return one.name + (f"@{variant}" if variant else ""), one.language, template


def _table(
    system: str,
    questions: str,
    language: str,
    by_template: dict[str, ScoredEntry],
    seed: int,
    n_draws: int,
) -> PromptTable:
    first = next(iter(by_template.values()))
    right_RT = np.stack([_column(entry, "accuracy") for entry in by_template.values()], axis=1)
    counts_RK = np.concatenate([right_RT, np.ones((len(right_RT), 1))], axis=1)

    def shares(sums_DK: Floats) -> Floats:
        return ratio(sums_DK[:, :-1], np.repeat(sums_DK[:, -1:], right_RT.shape[1], axis=1))

    def of(name: str, metric: Metric) -> Estimate:
        return estimate(metric, first.documents, seed=seed, n_draws=n_draws)

    cells = tuple(
        PromptCell(
            template,
            *(
                of(name, next(one for one in entry.official if one.name == name))
                for name in ("accuracy", "exact_match")
            ),
            n_too_long=sum(row.answer.is_too_long for row in entry.rows),
        )
        for template, entry in by_template.items()
    )
    ranked = sorted(cells, key=lambda cell: -cell.accuracy.value)
    return PromptTable(
        system=system,
        questions=questions,
        language=language,
        n_items=len(first.rows),
        cells=cells,
        spread=of("spread", Metric("spread", counts_RK, lambda sums: np.ptp(shares(sums), axis=1))),
        mean=of("mean", Metric("mean", counts_RK, lambda sums: shares(sums).mean(axis=1))),
        best=ranked[0].template,
        worst=ranked[-1].template,
    )


def _column(entry: ScoredEntry, name: str) -> Floats:
    """Return what each row counts for a share: 1 where it is right."""
    return next(one for one in entry.official if one.name == name).counts[:, 0]


# ------------------------------------------------------------------------------- files


def to_csv(tables: Sequence[PromptTable]) -> str:
    """Return one line a cell, with 95 % intervals."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEAD)
    for table in tables:
        for cell in table.cells:
            figures = (cell.accuracy, cell.exact_match)
            numbers = [f"{x:.6f}" for one in figures for x in (one.value, one.low, one.high)]
            place = (table.system, table.questions, table.language, cell.template)
            counts = [str(table.n_items), str(cell.n_too_long)]
            writer.writerow([_plain(one) for one in place] + counts + numbers)
    return text.getvalue()


def _plain(cell: str) -> str:
    """Keep a spreadsheet from reading a label as a formula."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@") else cell


def to_markdown(tables: Sequence[PromptTable]) -> str:
    """Return a table for each set of questions, percent with 95 % intervals, the spread below."""
    return "\n".join(_markdown(table) for table in tables)


def _markdown(table: PromptTable) -> str:
    label = table.system.replace("|", "\\|").replace("\n", " ")
    lines = [
        f"{label}, {table.questions}, {table.language}, n = {table.n_items}",
        "",
        "| template | gestalt accuracy % | exact match % | too long |",
        "|---|---|---|---|",
        *(
            f"| {cell.template} | {_percent(cell.accuracy)} | {_percent(cell.exact_match)} "
            f"| {cell.n_too_long} |"
            for cell in table.cells
        ),
        f"| mean of the templates | {_percent(table.mean)} | | |",
        f"| spread: {table.best} less {table.worst} | {_percent(table.spread)} | | |",
        "",
    ]
    return "\n".join(lines)


def _percent(found: Estimate) -> str:
    return f"{100 * found.value:.1f} ({100 * found.low:.1f}–{100 * found.high:.1f})"
