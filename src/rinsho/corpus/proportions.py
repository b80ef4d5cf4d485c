"""The figure "data proportions": what each source gave, and what each rule took away.

The same bytes for the same table: no date, ids from a fixed salt.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

# Okabe and Ito 2008: told apart by colour-blind readers too.
_KEPT, _REMOVED, _INK = "#0b6e8a", "#d55e00", "#1c2b33"
_WIDTH_INCHES, _ROW_INCHES = 6.4, 0.27
_N_ROWS = 24  # of a panel: the rest is one row
_MB = 1e6

FIGURES = ("proportions.svg", "proportions.png")

Row = tuple[str, int]  # name, bytes


@dataclass(frozen=True, slots=True)
class FigureTask:
    """All that a worker needs to draw the figure: a removal table, and the folder it goes into."""

    table: Mapping[str, Any]
    folder: Path


def draw_proportions(table: Mapping[str, Any], folder: Path) -> tuple[Path, Path]:
    """Draw a removal table as `proportions.svg` and `proportions.png`.

    Args:
        table: What `removals.json` holds.
        folder: Where the figure goes.

    Returns:
        The two files.
    """
    kept, removed, n_bytes_in = proportions(table)
    figure = _draw(kept, removed, n_bytes_in)
    return _save(figure, folder)


def proportions(table: Mapping[str, Any]) -> tuple[list[Row], list[Row], int]:
    """Return the bytes kept by source, the bytes removed by rule, and all bytes read.

    Most first; equal ones by name. Lines that documents shared stand beside the rules.
    """
    sources = cast(Mapping[str, Mapping[str, Any]], table["sources"])
    kept, removed = Counter[str](), Counter[str]()
    for name, source in sources.items():
        kept[name] = int(source["bytes_kept"])
        rejected = cast(Mapping[str, Mapping[str, int]], source["rejected"])
        removed.update({rule: counts["bytes"] for rule, counts in rejected.items()})
        taken_out = cast(Mapping[str, int], source.get("taken_out", {}))
        removed["repeated_lines"] += taken_out.get("repeated_line_bytes", 0)
    n_bytes_in = sum(int(source["bytes_in"]) for source in sources.values())
    return _most_first(kept), _most_first(+removed), n_bytes_in


def _most_first(counts: Mapping[str, int]) -> list[Row]:
    rows = sorted(counts.items(), key=lambda row: (-row[1], row[0]))
    if len(rows) <= _N_ROWS:
        return rows
    rest = rows[_N_ROWS - 1 :]
    others = f"その他 others ({len(rest)})"
    return [*rows[: _N_ROWS - 1], (others, sum(n for _, n in rest))]


def _draw(kept: Sequence[Row], removed: Sequence[Row], n_bytes_in: int) -> Any:
    importlib.import_module("matplotlib_fontja")  # registers its Japanese font
    from matplotlib.figure import Figure

    n_rows = len(kept) + max(1, len(removed))
    figure = Figure(figsize=(_WIDTH_INCHES, 1.5 + _ROW_INCHES * n_rows), layout="constrained")
    heights = [len(kept) + 1, max(1, len(removed)) + 1]
    panels: Any = figure.subplots(2, 1, height_ratios=heights)
    n_kept = sum(n for _, n in kept)
    title = f"残したテキスト  kept by source ({n_kept / _MB:,.1f} MB, {_share(n_kept, n_bytes_in)})"
    _draw_rows(panels[0], kept, n_kept, _KEPT, title)
    n_removed = sum(n for _, n in removed)
    title = (
        f"除いたテキスト  removed by rule ({n_removed / _MB:,.1f} MB of {n_bytes_in / _MB:,.1f})"
    )
    _draw_rows(panels[1], removed or [("―", 0)], n_bytes_in, _REMOVED, title)
    return figure


def _draw_rows(axes: Any, rows: Sequence[Row], whole: int, color: str, title: str) -> None:
    """Draw one bar a row; its label gives the share of `whole`."""
    values = [n / _MB for _, n in rows]
    axes.barh(range(len(rows)), values, color=color, height=0.66)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    longest = max(values) or 1.0
    for place, (_, n) in enumerate(rows):
        text = f"{n / _MB:,.2f} MB  {_share(n, whole)}"
        axes.text(n / _MB + 0.01 * longest, place, text, va="center", fontsize=8, color=_INK)
    axes.set_xlim(0, longest * 1.4)
    axes.set_xticks([])
    axes.tick_params(colors=_INK, labelsize=8, length=0)
    for side in ("top", "right", "bottom", "left"):
        axes.spines[side].set_visible(False)
    axes.set_title(title, fontsize=10, color=_INK, loc="left")


def _share(n: int, whole: int) -> str:
    return f"{100 * n / max(1, whole):.2f}%"


def _save(figure: Any, folder: Path) -> tuple[Path, Path]:
    import matplotlib

    svg, png = (folder / name for name in FIGURES)
    settings: Any = {"svg.hashsalt": "rinsho proportions", "font.family": "IPAexGothic"}
    with matplotlib.rc_context(settings):
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
        figure.set_layout_engine("none")  # it is laid out: a second time takes a tenth of a second
        figure.savefig(png, format="png", dpi=160, metadata={"Software": None})
    return svg, png
