"""Examinations by year, before and after a model's date, side by side.

What was asked before a model was made may stand in its training text; what was asked after cannot.
The questions of a year are also harder or easier than another's: this is a hint, and no proof.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from rinsho.errors import InvalidValue
from rinsho.evaluation.bootstrap import Estimate, estimate, mean
from rinsho.evaluation.compare import Marked

# When each was asked, year and month: the ministry's dates; IgakuQA 2018 is the 112th examination.
DATES = {
    "igakuqa/2018": "2018-02",
    "igakuqa/2019": "2019-02",
    "igakuqa/2020": "2020-02",
    "igakuqa/2021": "2021-02",
    "igakuqa-en/2018": "2018-02",
    "igakuqa-en/2019": "2019-02",
    "igakuqa-en/2020": "2020-02",
    "igakuqa-en/2021": "2021-02",
    "igakuqa119": "2025-02",
}


@dataclass(frozen=True, slots=True)
class ExamYear:
    """The share of right answers of one system in one examination, or in all on one side."""

    system: str
    method: str
    benchmark: str
    date: str  # empty for all of a side
    is_before: bool
    accuracy: Estimate


def by_year(marks: Iterable[Marked], model_date: str, *, seed: int = 0) -> list[ExamYear]:
    """Return every examination of every system, then all before and all after the date.

    Args:
        marks: Of answers or reports; what is no dated examination is passed over.
        model_date: `2023-09`: when the model's training text ended.
        seed: Of the intervals.

    Raises:
        InvalidValue: The date has another form, or no examination is among the marks.
    """
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", model_date):
        raise InvalidValue(where="--model-date", found="?", expected="2023-09")
    found: dict[tuple[str, str], list[Marked]] = defaultdict(list)
    for one in marks:
        if one.benchmark in DATES:
            found[one.system, one.method].append(one)
    if not found:
        raise InvalidValue(where="rinsho data years", found="none", expected=", ".join(DATES))
    rows: list[ExamYear] = []
    for own in found.values():
        own.sort(key=lambda one: (DATES[one.benchmark], one.benchmark))
        rows += [_row([one], one.benchmark, DATES[one.benchmark], model_date, seed) for one in own]
        for is_before in (True, False):
            side = [one for one in own if (DATES[one.benchmark] <= model_date) == is_before]
            if side:
                name = "before" if is_before else "after"
                rows.append(_row(side, name, "", model_date, seed))
    return rows


def _row(marks: Sequence[Marked], name: str, date: str, model_date: str, seed: int) -> ExamYear:
    first = marks[0]
    right = np.array([bool(mark) for one in marks for mark in one.right], dtype=np.float64)
    documents = [key for one in marks for key in one.documents]
    accuracy = estimate(mean("accuracy", right), documents, seed=seed)
    is_before = DATES[first.benchmark] <= model_date
    return ExamYear(first.system, first.method, name, date, is_before, accuracy)


def to_table(rows: Iterable[ExamYear]) -> str:
    """Return the rows as Markdown."""
    lines = ["| system | method | examination | date | | right | 95 % | n |", "|" + "---|" * 8]
    for row in rows:
        found = row.accuracy
        side = "before" if row.is_before else "after"
        interval = f"{found.low:.3f}–{found.high:.3f}"
        cells = (row.system, row.method, row.benchmark, row.date, side, f"{found.value:.3f}")
        escaped = [cell.replace("|", "\\|") for cell in cells]
        lines.append(f"| {' | '.join(escaped)} | {interval} | {found.n_rows} |")
    return "\n".join(lines) + "\n"
