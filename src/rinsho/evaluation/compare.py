"""`rinsho compare A B …`: paired differences between systems, from answers or from reports.

Of each pair of systems and each benchmark: the difference of the leading metric (of answers) or of
the rows' marks (of reports) with a bootstrap interval over documents, and McNemar's exact test on
which rows are right. p-values are Holm's over the tasks of a pair.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rinsho.errors import AnswersIncomplete, WrongKind
from rinsho.evaluation.benchmark import Sources
from rinsho.evaluation.bootstrap import Difference, Metric, difference, mean
from rinsho.evaluation.score import hash_document, load_asked, score_system, to_systems
from rinsho.evaluation.scoring import ScoredEntry
from rinsho.evaluation.tabulate import holm
from rinsho.json_lines import read_json_lines
from rinsho.manifest import FinishedFolder, open_folder, write_file

Task = tuple[str, str, str]  # benchmark, method, metric


@dataclass(frozen=True, slots=True)
class Marked:
    """The marks of one system on one benchmark by one method, rows in the order of item ids."""

    system: str
    benchmark: str
    method: str
    items: tuple[str, ...]
    documents: tuple[str, ...]
    right: tuple[bool | None, ...]  # None: there is no right or wrong
    metric: Metric


@dataclass(frozen=True, slots=True)
class McNemar:
    """Rows that one system alone has right, and the exact two-sided p of such a split.

    Source:
        McNemar 1947, Psychometrika 12(2); exact: binomial with probability 1/2.
    """

    n_first_alone: int
    n_second_alone: int
    p: float
    p_holm: float = 1.0


@dataclass(frozen=True, slots=True)
class ComparedPair:
    """Two systems on one task."""

    first: str
    second: str
    benchmark: str
    method: str
    metric: str
    value_first: float
    value_second: float
    difference: Difference
    p_holm: float
    mcnemar: McNemar | None  # None where rows are neither right nor wrong


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> McNemar:
    """Test whether two systems are right equally often on the same rows.

    >>> mcnemar([True] * 6 + [False], [False] * 6 + [True])
    McNemar(n_first_alone=6, n_second_alone=1, p=0.125, p_holm=1.0)
    """
    n_first = sum(one and not other for one, other in zip(first, second, strict=True))
    n_second = sum(other and not one for one, other in zip(first, second, strict=True))
    n_both = n_first + n_second
    n_ways = sum(math.comb(n_both, k) for k in range(min(n_first, n_second) + 1))
    return McNemar(n_first, n_second, min(1.0, 2 * n_ways / 2**n_both))


# ------------------------------------------------------------------------------- reading


def read_marks(
    folders: Sequence[Path],
    *,
    documents: Sequence[Path] = (),
    data: Path | None = None,
    noncommercial: bool = False,
) -> list[Marked]:
    """Read answers folders, which are marked again, or reports, which hold their marks.

    Raises:
        WrongKind: Another folder, or answers beside reports: their figures differ in kind.
        AnswersIncomplete: Answers are not those of the benchmark as it is now, or there are none.
        PathMissing, NotFinished, Corrupt: As `open_folder`.
    """
    opened = [open_folder(path, "answer", "score") for path in folders]
    stages = {folder.manifest.identity.stage for folder in opened}
    if len(stages) > 1:
        raise WrongKind(where="compare", expected="answers alone, or reports alone", found="both")
    if stages == {"score"}:
        return [marked for folder in opened for marked in _read_report(folder)]
    systems = to_systems(opened)
    sources = Sources(
        data, tuple(open_folder(path, "collect", "synthesize") for path in documents), noncommercial
    )
    loaded = load_asked(systems, sources)
    scored = [e for system in systems for e in score_system(system, loaded)]
    return [marked for entry in scored for marked in _from_entry(entry)]


def _from_entry(entry: ScoredEntry) -> Iterator[Marked]:
    """Yield the marks by the leading metric; of spans also by that which counts certainty."""
    rows = entry.rows
    n_metrics = 2 if entry.loaded.benchmark.form == "spans" else 1
    for metric in entry.corrected[:n_metrics]:
        yield Marked(
            entry.system,
            entry.loaded.name,
            entry.method,
            tuple(row.item.id for row in rows),
            tuple(hash_document(row.item.document) for row in rows),
            tuple(row.is_right for row in rows),
            metric,
        )


def _read_report(folder: FinishedFolder) -> Iterator[Marked]:
    """Yield the marks of the systems of a report; a row counts its score, or else its mark."""
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for line in read_json_lines(folder.path / "items.jsonl.zst"):
        found[str(line["system"]), str(line["benchmark"]), str(line["method"])].append(line)
    for (system, benchmark, method), lines in found.items():
        has_score = all(line["score"] is not None for line in lines)
        values = [float(line["score" if has_score else "is_right"] or 0) for line in lines]
        yield Marked(
            system,
            benchmark,
            method,
            tuple(str(line["item"]) for line in lines),
            # Reports of before documents were written: each row by itself, and wide of the mark.
            tuple(str(line.get("document", line["item"])) for line in lines),
            tuple(line["is_right"] for line in lines),
            mean("mean_score" if has_score else "accuracy", values),
        )


# ------------------------------------------------------------------------------- comparing


def compare(marks: Iterable[Marked], *, seed: int = 0, n_draws: int = 10_000) -> list[ComparedPair]:
    """Compare every two systems on every task that both have.

    Raises:
        AnswersIncomplete: Two systems were asked other items, or share no task.
    """
    by_system: dict[str, dict[Task, Marked]] = defaultdict(dict)
    for one in marks:
        by_system[one.system][one.benchmark, one.method, one.metric.name] = one
    compared: list[ComparedPair] = []
    for first, second in itertools.combinations(by_system.values(), 2):
        pairs = [_compare(a, b, seed, n_draws) for a, b in _tasks(first, second)]
        compared += _with_holm(pairs)
    if not compared:
        raise AnswersIncomplete(where="compare", expected="a task of two systems", found="none")
    return compared


def _tasks(
    first: dict[Task, Marked], second: dict[Task, Marked]
) -> Iterator[tuple[Marked, Marked]]:
    """Yield what is compared: the same method, or where each has one alone, those two."""
    shared = first.keys() & second.keys()
    yield from ((first[key], second[key]) for key in first if key in shared)
    done = {(benchmark, metric) for benchmark, _, metric in shared}
    for asked in dict.fromkeys((name, metric) for name, _, metric in first):
        own = [one for (name, _, metric), one in first.items() if (name, metric) == asked]
        other = [one for (name, _, metric), one in second.items() if (name, metric) == asked]
        if asked not in done and len(own) == len(other) == 1:
            yield own[0], other[0]


def _compare(first: Marked, second: Marked, seed: int, n_draws: int) -> ComparedPair:
    first, second = _in_order(first), _in_order(second)
    if first.items != second.items:
        only = set(first.items) ^ set(second.items)
        raise AnswersIncomplete(
            where=f"{first.benchmark}: {first.system}, {second.system}",
            expected="the same items",
            found=f"{len(only)} that one alone has",
        )
    methods = dict.fromkeys((first.method, second.method))
    test = None
    if all(mark is not None for mark in (*first.right, *second.right)):
        test = mcnemar([bool(m) for m in first.right], [bool(m) for m in second.right])
    return ComparedPair(
        first=first.system,
        second=second.system,
        benchmark=first.benchmark,
        method=" / ".join(methods),
        metric=first.metric.name,
        value_first=first.metric.value,
        value_second=second.metric.value,
        difference=difference(
            first.metric, second.metric, first.documents, seed=seed, n_draws=n_draws
        ),
        p_holm=1.0,
        mcnemar=test,
    )


def _in_order(marked: Marked) -> Marked:
    """Return the same rows in the order of their items, so that two systems stand row by row."""
    order = sorted(range(len(marked.items)), key=marked.items.__getitem__)
    metric = dataclasses.replace(marked.metric, counts=marked.metric.counts[np.array(order)])
    return dataclasses.replace(
        marked,
        items=tuple(marked.items[n] for n in order),
        documents=tuple(marked.documents[n] for n in order),
        right=tuple(marked.right[n] for n in order),
        metric=metric,
    )


def _with_holm(pairs: Sequence[ComparedPair]) -> list[ComparedPair]:
    """Correct the p-values of one pair of systems for the number of tasks."""
    corrected = holm([pair.difference.p for pair in pairs])
    tested = [pair.mcnemar.p for pair in pairs if pair.mcnemar is not None]
    by_test = iter(holm(tested))
    return [
        dataclasses.replace(
            pair,
            p_holm=p,
            mcnemar=pair.mcnemar and dataclasses.replace(pair.mcnemar, p_holm=next(by_test)),
        )
        for pair, p in zip(pairs, corrected, strict=True)
    ]


# ------------------------------------------------------------------------------- writing

COLUMNS = (
    "first", "second", "benchmark", "method", "metric", "value first", "value second",
    "difference", "low", "high", "p", "p (Holm)", "first alone", "second alone",
    "p McNemar", "p McNemar (Holm)", "rows", "documents",
)  # fmt: skip


def to_rows(compared: Iterable[ComparedPair]) -> list[list[str]]:
    """Return the table, one line a pair and task, as text."""
    rows: list[list[str]] = []
    for pair in compared:
        found, test = pair.difference, pair.mcnemar
        values = (pair.value_first, pair.value_second, found.value, found.low, found.high)
        tests = ["", "", "", ""]
        if test is not None:
            tests = [str(test.n_first_alone), str(test.n_second_alone)]
            tests += [f"{test.p:.4f}", f"{test.p_holm:.4f}"]
        rows.append(
            [pair.first, pair.second, pair.benchmark, pair.method, pair.metric]
            + [f"{value:.3f}" for value in values]
            + [f"{found.p:.4f}", f"{pair.p_holm:.4f}", *tests]
            + [str(found.n_rows), str(found.n_documents)]
        )
    return rows


def to_markdown(compared: Sequence[ComparedPair]) -> str:
    """Return the table as Markdown; labels are names that people chose, and cannot break it."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    for row in to_rows(compared):
        cells = (cell.replace("|", "\\|").replace("\n", " ") for cell in row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def to_csv(compared: Sequence[ComparedPair]) -> str:
    """Return the table as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(to_rows(compared))
    return text.getvalue()


def to_json(compared: Sequence[ComparedPair]) -> str:
    """Return every figure as one line of JSON."""
    return json.dumps([dataclasses.asdict(pair) for pair in compared], ensure_ascii=False) + "\n"


def write_comparison(folder: Path, compared: Sequence[ComparedPair]) -> None:
    """Write compare.json, compare.csv and compare.md."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {"json": to_json(compared), "csv": to_csv(compared), "md": to_markdown(compared)}
    for ending, text in written.items():
        write_file(folder / f"compare.{ending}", text.encode())
