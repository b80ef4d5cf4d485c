"""JMED-LLM's eight tasks in one figure: measured figures filled, quoted ones hollow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rinsho.evaluation.drawing import (
    INK,
    LINE,
    Drawn,
    color_of,
    new_figure,
    save,
    write_title,
)
from rinsho.evaluation.quoted import quoted_rows
from rinsho.evaluation.summary import EntrySummary, Report

_FAMILY = "jmed-llm/"
# In the order of the table of arXiv:2412.16423.
_TASKS = (
    "jmmlu-med",
    "crade",
    "rrtnm",
    "smdis",
    "jcsts",
    "mrner-disease",
    "mrner-medicine",
    "nrner",
)


def draw_tasks(report: Report) -> Drawn | None:
    """Draw official figures of the tasks beside the best of the board and NCVC-slm-1.

    None where the report has no official figure of any task. Tasks that were not run show what is
    quoted alone.
    """
    entries = [e for e in report.entries if e.benchmark.startswith(_FAMILY) and e.official]
    if not entries:
        return None
    systems = list(dict.fromkeys(entry.system for entry in entries))
    height = 0.16 * max(3, len(systems)) + 0.14
    figure, axes = new_figure(1.3 + len(_TASKS) * height + 0.2 * len(systems))
    edges = [1.0]
    for place, task in enumerate(_TASKS):
        members = [entry for entry in entries if entry.benchmark == _FAMILY + task]
        edges += _draw_measured(axes, place, members, systems, report)
        edges += _draw_quoted(axes, place, task)
    axes.set_yticks(range(len(_TASKS)), _TASKS)
    axes.set_ylim(len(_TASKS) - 0.5, -0.5)
    axes.set_xlim(-0.02 + min(0.0, *edges), max(edges) * 1.02)
    axes.hlines([n + 0.5 for n in range(len(_TASKS) - 1)], 0, max(edges), color=LINE, linewidth=0.7)
    axes.grid(axis="x", color=LINE, linewidth=0.7)
    axes.set_xlabel("κ、部分 F1（1 を超えうる）  kappa, partial F1", fontsize=9, color=INK)
    write_title(axes, "JMED-LLM（公式 official）")
    _write_legend(figure, systems, report)
    return save(figure, "jmed_llm")


def _draw_measured(
    axes: Any,
    place: int,
    members: Sequence[EntrySummary],
    systems: Sequence[str],
    report: Report,
) -> Iterable[float]:
    edges: list[float] = []
    for entry in members:
        found = next(iter(entry.official.values()))
        y = place + 0.7 * ((systems.index(entry.system) + 0.5) / len(systems) - 0.5)
        color = color_of(entry.system, report)
        axes.hlines(y, found.low, found.high, color=color, linewidth=3, alpha=0.4)
        axes.plot([found.value], [y], marker="o", color=color, markersize=5.5)
        edges += [found.low, found.high]
    return edges


def _draw_quoted(axes: Any, place: int, task: str) -> Iterable[float]:
    edges: list[float] = []
    for values, marker in zip(_quoted_values(task), _MARKERS, strict=True):
        if values:
            best = max(values)
            axes.plot([best], [place], marker=marker, markersize=8, color="none",
                      markeredgecolor=INK, markeredgewidth=1.1, linestyle="")  # fmt: skip
            edges.append(best)
    return edges


_MARKERS = ("D", "s", "o")
_MARKER_NAMES = (
    "引用: 公開ボードの最良  quoted: best of the board",
    "引用: NCVC-slm-1 微調整  quoted: fine-tuned",
    "引用: NCVC-slm-1 基盤  quoted: base",
)


def _quoted_values(task: str) -> tuple[list[float], list[float], list[float]]:
    groups: tuple[list[float], list[float], list[float]] = ([], [], [])
    for row in quoted_rows():
        value = row.value(_FAMILY + task)
        if value is None:
            continue
        if row.source.id == "jmed-llm-board":
            groups[0].append(value)
        elif row.source.id == "ncvc-slm-1":
            groups[1 if "fine-tuned" in row.model else 2].append(value)
    return groups


def _write_legend(figure: Any, systems: Sequence[str], report: Report) -> None:
    from matplotlib.lines import Line2D

    marks: list[Any] = [
        Line2D([], [], marker="o", linestyle="", color=color_of(system, report), label=system)
        for system in systems
    ]
    marks += [
        Line2D([], [], marker=marker, linestyle="", color="none", markeredgecolor=INK, label=name)
        for marker, name in zip(_MARKERS, _MARKER_NAMES, strict=True)
    ]
    figure.legend(handles=marks, loc="outside lower left", ncols=1, fontsize=8.5, frameon=False)
