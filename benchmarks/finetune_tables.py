"""The figures of `finetune_forms.py`: intervals over documents, spread over seeds, differences."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from finetune_tasks import FORMS, TAGGING

from rinsho.evaluation.benchmark import Item
from rinsho.evaluation.bootstrap import Metric, difference, estimate, mean
from rinsho.evaluation.choice_metrics import corrected_kappa
from rinsho.evaluation.entity_metrics import f1, normalize_entities
from rinsho.evaluation.jmed_llm import document_text
from rinsho.evaluation.marking import mark
from rinsho.evaluation.parse import NO_LETTER, parse_list

Rows = Sequence[Sequence[Any]]
# The form that is meant for a task; the others are compared with it.
PROPOSED = {"nrner": "tagging", "mrner-disease": "tagging", "smdis": "pooled", "sts": "pair"}


def to_row(item: Item, answer: Any) -> list[Any]:
    """Return what is kept of an answer: document, and letters, or counts of entities.

    Counts are of entities that are right, said, gold, and said but not in the text; then 1 where
    the answer was no list.
    """
    if item.form != "entities":
        prediction = mark(item, answer).prediction
        return [item.document, item.gold[0], prediction[0] if len(prediction) == 1 else NO_LETTER]
    document = normalize_entities([document_text(item.question)])[0]
    gold = set(normalize_entities(item.gold))
    said = parse_list(answer.output)
    found = set(normalize_entities(said.entities))
    n_absent = sum(entity not in document for entity in found)
    return [
        item.document,
        len(gold & found),
        len(found),
        len(gold),
        n_absent,
        int(not said.is_valid),
    ]


def metrics(task: str, rows: Rows) -> list[Metric]:
    """Return the figures of some rows, the leading one first."""
    if task in TAGGING:
        table = np.array([row[1 : min(map(len, rows))] for row in rows], dtype=np.float64)
        return [
            mean("exact F1", [f1(row[1], row[2], row[3]) for row in rows]),
            Metric("micro F1", table, lambda s: 2 * s[:, 0] / np.maximum(1, s[:, 1] + s[:, 2])),
            Metric("not in text", table, lambda s: s[:, 3] / np.maximum(1, s[:, 1])),
            *([mean("no list", table[:, 4])] if table.shape[1] > 4 else []),
        ]
    gold, said = [row[1] for row in rows], [row[2] for row in rows]
    letters, weighting = ("AB", "plain") if task == "smdis" else ("ABCDEF", "linear")
    right = [g == s for g, s in zip(gold, said, strict=True)]
    none = [letter == NO_LETTER for letter in said]
    return [
        corrected_kappa(gold, said, letters, weighting),
        mean("accuracy", right),
        mean("no letter", none),
    ]


def tables(results: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of two Markdown tables: what each form reaches, and how forms differ."""
    yield "| task | form | figure | 95% over documents | by seed | rows, documents | others |"
    yield "|---|---|---|---|---|---|---|"
    for task, forms in FORMS.items():
        yield from (
            _line(task, form, cells) for form in forms if (cells := _of(results, task, form))
        )
    yield ""
    yield "| task | difference, same test rows | of | 95%, documents drawn for both | p | seeds |"
    yield "|---|---|---|---|---|---|"
    for task, forms in FORMS.items():
        ours = _of(results, task, PROPOSED[task])
        for form in forms:
            others = _of(results, task, form)
            if form != PROPOSED[task] and (shared := sorted(set(ours) & set(others))):
                yield _difference(task, form, [(ours[seed], others[seed]) for seed in shared])


def _of(results: Sequence[dict[str, Any]], task: str, form: str) -> dict[int, Rows]:
    """Return the rows of a task and a form by seed."""
    return {r["seed"]: r["rows"] for r in results if (r["task"], r["form"]) == (task, form)}


def _line(task: str, form: str, cells: dict[int, Rows]) -> str:
    rows = [row for cell in cells.values() for row in cell]
    leading, *others = metrics(task, rows)
    found = estimate(leading, [row[0] for row in rows], seed=0)
    by_seed = [metrics(task, cell)[0].value for cell in cells.values()]
    spread = f" ± {statistics.stdev(by_seed):.3f}" if len(by_seed) > 1 else ""
    columns = (
        task,
        form,
        f"{leading.name} **{found.value:.3f}**",
        f"{found.low:.3f}–{found.high:.3f}",
        ", ".join(f"{value:.2f}" for value in by_seed) + spread,
        f"{found.n_rows}, {found.n_documents}",
        ", ".join(f"{metric.name} {metric.value:.2f}" for metric in others),
    )
    return f"| {' | '.join(columns)} |"


def _difference(task: str, form: str, cells: Sequence[tuple[Rows, Rows]]) -> str:
    ours, others = ([row for pair in cells for row in pair[side]] for side in (0, 1))
    documents = [row[0] for row in ours]
    if documents != [row[0] for row in others]:
        return f"| {task} | {PROPOSED[task]} − {form} | other test rows | | | {len(cells)} |"
    first, second = metrics(task, ours)[0], metrics(task, others)[0]
    found = difference(first, second, documents, seed=0)
    p = "< .001" if found.p < 0.001 else f"{found.p:.3f}"
    interval = f"{found.low:+.3f} – {found.high:+.3f}"
    columns = (task, f"{PROPOSED[task]} − {form}", first.name, interval, p, str(len(cells)))
    return f"| {columns[0]} | {columns[1]} **{found.value:+.3f}** | {' | '.join(columns[2:])} |"


def read_results(path: Path) -> list[dict[str, Any]]:
    """Return the finished cells."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
