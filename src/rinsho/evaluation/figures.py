"""The figures of a report: scores with intervals, data by source, loss by step.

Narrow enough to be read on a phone; the same bytes for the same report.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from rinsho.evaluation.drawing import (
    COLORS,
    INK,
    LINE,
    Drawn,
    color_of,
    new_figure,
    save,
    write_title,
)
from rinsho.evaluation.figure_confidence import draw_reliability, draw_risk_coverage
from rinsho.evaluation.figure_tasks import draw_tasks
from rinsho.evaluation.summary import EntrySummary, LossCurve, Report, SourceShare

_N_SOURCES = 12


def draw_figures(report: Report) -> dict[str, Drawn]:
    """Return the figures for which the report has data, by file name."""
    importlib.import_module("matplotlib_fontja")  # registers its Japanese font

    shares = [entry for entry in report.entries if entry.leading != "bits_per_byte"]
    texts = [entry for entry in report.entries if entry.leading == "bits_per_byte"]
    drawn: dict[str, Drawn] = {}
    if tasks := draw_tasks(report):
        drawn["jmed_llm"] = tasks
    if shares:
        title = "得点と95%区間（corrected）  Scores, 95% intervals"
        drawn["scores"] = _draw_intervals(shares, report, title, has_unit_range=True)
    if texts:
        title = "bits per byte と95%区間（小さいほど良い  lower is better）"
        drawn["bits_per_byte"] = _draw_intervals(texts, report, title, has_unit_range=False)
    if calibrated := [entry for entry in report.entries if entry.calibration]:
        drawn["reliability"] = draw_reliability(calibrated, report)
        drawn["risk_coverage"] = draw_risk_coverage(calibrated, report)
    if report.sources:
        drawn["data"] = _draw_sources(report.sources)
    if report.losses:
        drawn["loss"] = _draw_losses(report.losses)
    return drawn


def _draw_intervals(
    entries: Sequence[EntrySummary], report: Report, title: str, *, has_unit_range: bool
) -> Drawn:
    """One row an entry, under a heading for each benchmark."""
    benchmarks = list(dict.fromkeys(entry.benchmark for entry in entries))
    n_rows = len(entries) + len(benchmarks)
    figure, axes = new_figure(0.7 + 0.27 * n_rows)
    place = 0
    labels: list[tuple[int, str]] = []
    for benchmark in benchmarks:
        members = [entry for entry in entries if entry.benchmark == benchmark]
        heading = f"{benchmark}  {members[0].leading}  n={members[0].n_items}"
        labels.append((place, heading))
        place += 1
        for entry in members:
            _draw_interval(axes, place, entry, color_of(entry.system, report))
            labels.append((place, ""))
            place += 1
    _label_rows(axes, labels, n_rows)
    edges = [e.corrected[e.leading] for e in entries]
    low = min(0.0, *(found.low for found in edges))
    high = max(1.0 if has_unit_range else 0.0, *(found.high for found in edges))
    axes.set_xlim(low - 0.02 * (high - low), high * 1.02)
    axes.grid(axis="x", color=LINE, linewidth=0.7)
    if low < 0:
        axes.axvline(0, color=INK, linewidth=0.8)
    write_title(axes, title)
    _legend(axes, entries, report)
    return save(figure, title)


def _draw_interval(axes: Any, place: int, entry: EntrySummary, color: str) -> None:
    found = entry.corrected[entry.leading]
    marker = "D" if entry.method == "log-likelihood" else "o"
    axes.hlines(place, found.low, found.high, color=color, linewidth=3, alpha=0.4)
    axes.plot([found.value], [place], marker=marker, color=color, markersize=6)


def _label_rows(axes: Any, labels: Sequence[tuple[int, str]], n_rows: int) -> None:
    axes.set_yticks([])
    axes.set_ylim(n_rows - 0.4, -0.6)
    transform = axes.get_yaxis_transform()
    for place, text in labels:
        if text:
            label = axes.text(
                0, place, text, transform=transform, fontsize=9, color=INK, va="center"
            )
            label.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.5})


def _legend(axes: Any, entries: Sequence[EntrySummary], report: Report) -> None:
    from matplotlib.lines import Line2D

    systems = list(dict.fromkeys(entry.system for entry in entries))
    marks: list[Any] = [
        Line2D([], [], marker="s", linestyle="", color=color_of(system, report), label=system)
        for system in systems
    ]
    if any(entry.method == "log-likelihood" and entry.form != "text" for entry in entries):
        for marker, label in (("o", "generation"), ("D", "log-likelihood")):
            marks.append(Line2D([], [], marker=marker, linestyle="", color=INK, label=label))
    axes.figure.legend(handles=marks, loc="outside lower left", ncols=1, fontsize=9, frameon=False)


def _draw_sources(sources: Sequence[SourceShare]) -> Drawn:
    shown, rest = list(sources[:_N_SOURCES]), sources[_N_SOURCES:]
    if rest:
        n_documents, n_bytes = sum(s.n_documents for s in rest), sum(s.n_bytes for s in rest)
        shown.append(SourceShare(f"その他 others ({len(rest)})", n_documents, n_bytes))
    total = sum(source.n_bytes for source in shown) or 1
    figure, axes = new_figure(0.7 + 0.34 * len(shown))
    shares = [100 * source.n_bytes / total for source in shown]
    axes.barh(range(len(shown)), shares, color=COLORS[0], height=0.62)
    axes.set_yticks(range(len(shown)), [source.source for source in shown])
    axes.invert_yaxis()
    for place, (source, share) in enumerate(zip(shown, shares, strict=True)):
        text = f"{share:.1f}%  {source.n_bytes / 1e6:.2f} MB"
        axes.text(share + 1, place, text, va="center", fontsize=9, color=INK)
    axes.set_xlim(0, max(shares) * 1.45)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    write_title(axes, "データの内訳（バイト）  Data by source (bytes)")
    return save(figure, "data")


def _draw_losses(curves: Sequence[LossCurve]) -> Drawn:
    figure, axes = new_figure(3.2)
    for place, curve in enumerate(curves):
        color = COLORS[place % len(COLORS)]
        marker = "o" if len(curve.steps) == 1 else None
        axes.plot(
            curve.steps, curve.losses, color=color, linewidth=1.6, marker=marker, label=curve.label
        )
    axes.grid(axis="y", color=LINE, linewidth=0.7)
    axes.set_xlabel("ステップ  step", fontsize=9, color=INK)
    axes.set_ylabel("損失 loss", fontsize=9, color=INK)
    axes.legend(fontsize=9, frameon=False)
    write_title(axes, "学習の損失  Training loss")
    return save(figure, "loss")
