"""What every figure of a report shares: colours, ink, an empty drawing, and both its forms."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rinsho.evaluation.summary import EntrySummary, Report

# Okabe and Ito 2008: told apart by colour-blind readers too. The first is the ink of the page.
COLORS = ("#0b6e8a", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#5b5b5b", "#000000")
INK, LINE, WIDTH_INCHES = "#1c2b33", "#d5dde1", 4.9


@dataclass(frozen=True, slots=True)
class Drawn:
    """One figure in both forms."""

    svg: bytes
    png: bytes


def color_of(system: str, report: Report) -> str:
    """Return the colour that a system has in every figure and table."""
    systems = list(dict.fromkeys(entry.system for entry in report.entries))
    return COLORS[systems.index(system) % len(COLORS)]


def new_figure(height_inches: float) -> tuple[Any, Any]:
    """Return a figure of the page's width with one pair of axes, hardly framed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained")
    axes: Any = figure.add_subplot()
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    axes.tick_params(colors=INK, labelsize=9, length=0)
    axes.set_axisbelow(True)
    return figure, axes


def save(figure: Any, salt: str) -> Drawn:
    """Write both forms without a date; ids depend on the salt alone."""
    import matplotlib

    svg, png = io.BytesIO(), io.BytesIO()
    settings: Any = {"svg.hashsalt": f"rinsho {salt}", "font.family": "IPAexGothic"}
    with matplotlib.rc_context(settings):
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # laid out once for both forms
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
        figure.savefig(png, format="png", dpi=160, metadata={"Software": None})
    return Drawn(svg.getvalue(), png.getvalue())


def write_title(axes: Any, text: str) -> None:
    """Write a title above the left edge."""
    axes.set_title(text, fontsize=10, color=INK, loc="left", pad=10)


def panels(
    entries: Sequence[EntrySummary], row_inches: float, x_name: str, y_name: str
) -> tuple[Any, list[tuple[str, Any, list[EntrySummary]]]]:
    """Return a figure with one pair of axes from 0 to 1 for each benchmark, two to a row."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(entry.benchmark for entry in entries))
    n_rows = (len(names) + 1) // 2
    figure = Figure(figsize=(WIDTH_INCHES, 0.7 + row_inches * n_rows), layout="constrained")
    grid: Any = figure.subplots(n_rows, 2, squeeze=False)
    found: list[tuple[str, Any, list[EntrySummary]]] = []
    for axes in grid.flat[len(names) :]:
        axes.set_visible(False)
    for place, (name, axes) in enumerate(zip(names, grid.flat, strict=False)):
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        for side in ("bottom", "left"):
            axes.spines[side].set_color(LINE)
        axes.tick_params(colors=INK, labelsize=8, length=0)
        axes.grid(color=LINE, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_title(name, fontsize=8.5, color=INK, loc="left")
        if place >= len(names) - 2:
            axes.set_xlabel(x_name, fontsize=8, color=INK)
        if place % 2 == 0:
            axes.set_ylabel(y_name, fontsize=8, color=INK)
        axes.set_xticks((0, 0.5, 1))
        axes.set_yticks((0, 0.5, 1))
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.02)
        found.append((name, axes, [entry for entry in entries if entry.benchmark == name]))
    return figure, found


def write_legend(figure: Any, entries: Sequence[EntrySummary], report: Report) -> None:
    """Name the colours of the systems below a figure."""
    from matplotlib.lines import Line2D

    systems = dict.fromkeys(entry.system for entry in entries)
    marks: list[Any] = [
        Line2D([], [], marker="s", linestyle="", color=color_of(system, report), label=system)
        for system in systems
    ]
    figure.legend(handles=marks, loc="outside lower left", ncols=1, fontsize=9, frameon=False)
