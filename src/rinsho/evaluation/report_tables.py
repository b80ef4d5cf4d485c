"""The tables of a report as files: CSV for spreadsheets and scripts, Markdown for papers.

CSV is UTF-8 with a mark at its beginning, as spreadsheets in Japan expect it; a cell that a
spreadsheet would compute is written as text.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from rinsho.evaluation.bootstrap import Estimate
from rinsho.evaluation.quoted import quoted_rows
from rinsho.evaluation.summary import EntrySummary, Report

_SCORES = (
    "system",
    "benchmark",
    "method",
    "protocol",
    "metric",
    "value",
    "low",
    "high",
    "n_rows",
    "n_documents",
    "source",
)
_DIFFERENCES = (
    "benchmark",
    "metric",
    "first",
    "second",
    "difference",
    "low",
    "high",
    "p",
    "n_rows",
    "n_documents",
)
_CONFUSIONS = ("system", "benchmark", "method", "gold", "read", "count")
_COMPUTED = ("=", "+", "-", "@", "\t", "\r")


def report_tables(report: Report) -> dict[str, str]:
    """Return every table by file name: scores, differences, and confusion where there is some."""
    scores = [*_score_lines(report), *_quoted_lines(report)]
    tables = {
        "scores.csv": _to_csv(_SCORES, scores),
        "scores.md": _scores_markdown(report),
    }
    if report.comparisons:
        differences = list(_difference_lines(report))
        tables["differences.csv"] = _to_csv(_DIFFERENCES, differences)
        tables["differences.md"] = _to_markdown(_DIFFERENCES, differences)
    if confusions := list(_confusion_lines(report)):
        tables["confusion.csv"] = _to_csv(_CONFUSIONS, confusions)
    return tables


# ---------------------------------------------------------------------------------- lines


def _score_lines(report: Report) -> Iterator[list[str]]:
    for entry in report.entries:
        for protocol, figures in (("official", entry.official), ("corrected", entry.corrected)):
            for name, found in figures.items():
                who = [entry.system, entry.benchmark, entry.method]
                yield [*who, protocol, name, *_numbers(found), "measured"]


def _numbers(found: Estimate) -> list[str]:
    edges = [f"{value:.6g}" for value in (found.value, found.low, found.high)]
    return [*edges, str(found.n_rows), str(found.n_documents)]


def _quoted_lines(report: Report) -> Iterator[list[str]]:
    """Yield what others published of the benchmarks of this report, cell by cell as printed."""
    measured = {entry.benchmark for entry in report.entries}
    for row in quoted_rows():
        for benchmark, cell in row.cells.items():
            if benchmark in measured:
                empty = [""] * 4
                reference = f"quoted: {row.source.reference}"
                yield [row.model, benchmark, "", "official", "", cell, *empty, reference]


def _difference_lines(report: Report) -> Iterator[list[str]]:
    for one in report.comparisons:
        found = one.difference
        edges = [f"{value:.6g}" for value in (found.value, found.low, found.high, found.p)]
        sizes = [str(found.n_rows), str(found.n_documents)]
        yield [one.benchmark, one.metric, one.first, one.second, *edges, *sizes]


def _confusion_lines(report: Report) -> Iterator[list[str]]:
    for entry in report.entries:
        if entry.confusion is None:
            continue
        found = entry.confusion
        for label, counts in zip(found.labels, found.counts, strict=True):
            for read, n in zip(found.read, counts, strict=True):
                who = [entry.system, entry.benchmark, entry.method]
                yield [*who, label, read, str(n)]


def _scores_markdown(report: Report) -> str:
    """Return one table a benchmark: every system with its two leading figures by protocol."""
    parts = list[str]()
    for name in dict.fromkeys(entry.benchmark for entry in report.entries):
        members = [entry for entry in report.entries if entry.benchmark == name]
        heads = ("system", "method", "n", "official", "corrected")
        parts.append(f"## {name}\n\n{_to_markdown(heads, [_short_line(one) for one in members])}")
    return "\n".join(parts)


def _short_line(entry: EntrySummary) -> list[str]:
    cells = [
        "; ".join(_in_words(name, one) for name, one in list(figures.items())[:2])
        for figures in (entry.official, entry.corrected)
    ]
    return [entry.system, entry.method, str(entry.n_items), *(cell or "–" for cell in cells)]


def _in_words(name: str, found: Estimate) -> str:
    return f"{name} {found.value:.3f} ({found.low:.3f}–{found.high:.3f})"


# ---------------------------------------------------------------------------------- forms


def _to_csv(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows([[_as_text(cell) for cell in line] for line in lines])
    return "\ufeff" + out.getvalue()


def _as_text(cell: str) -> str:
    r"""Keep a spreadsheet from computing a cell; numbers stay numbers.

    >>> _as_text("=1+1"), _as_text("-0.25"), _as_text("0.5")
    ("'=1+1", '-0.25', '0.5')
    """
    try:
        float(cell)
    except ValueError:
        return f"'{cell}" if cell.startswith(_COMPUTED) else cell
    return cell


def _to_markdown(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [heads, ["---"] * len(heads), *lines]
    return "".join(f"| {' | '.join(_cell(cell) for cell in row)} |\n" for row in rows)


def _cell(text: str) -> str:
    """Escape what would end a cell or become markup."""
    for character in "\\|<>`*_[]":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())
