"""The figure "data proportions": what each source gave, and what each rule took away.

Two panels of bars as SVG, written by hand: a library that draws took more of a run than the merge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, cast

# Okabe and Ito 2008: told apart by colour-blind readers too.
_KEPT, _REMOVED, _INK = "#0b6e8a", "#d55e00", "#1c2b33"
_WIDTH, _NAMES_END, _BARS_END = 640, 170, 500  # pixels; the bars' labels follow the bars
_ROW, _BAR, _MARGIN = 26, 17, 14
_FONT = "IPAexGothic, 'Noto Sans CJK JP', 'Hiragino Sans', 'Yu Gothic', sans-serif"
_MAX_NAME = 24  # characters
_N_ROWS = 24  # of a panel: the rest is one row
_MB = 1e6

Row = tuple[str, int]  # name, bytes


def draw_proportions(table: Mapping[str, Any], folder: Path) -> Path:
    """Draw a removal table as `proportions.svg`, the same bytes for the same table.

    Args:
        table: What `removals.json` holds.
        folder: Where the figure goes.

    Returns:
        The file.
    """
    kept, removed, n_bytes_in = proportions(table)
    n_kept, n_removed = (sum(n for _, n in rows) for rows in (kept, removed))
    share = _share(n_kept, n_bytes_in)
    first = _panel(
        f"残したテキスト  kept by source ({n_kept / _MB:,.1f} MB, {share})", kept, n_kept, _KEPT, 0
    )
    top = _height(len(kept))
    second = _panel(
        f"除いたテキスト  removed by rule ({n_removed / _MB:,.1f} MB of {n_bytes_in / _MB:,.1f})",
        removed or [("―", 0)],
        n_bytes_in,
        _REMOVED,
        top,
    )
    height = top + _height(max(1, len(removed)))
    path = folder / "proportions.svg"
    path.write_text(_svg(height, [*first, *second]), encoding="utf-8", newline="\n")
    return path


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


def _panel(title: str, rows: Sequence[Row], whole: int, color: str, top: int) -> list[str]:
    """Return the elements of a panel: a bar a row; its label gives the share of `whole`."""
    longest = max(n for _, n in rows) or 1
    drawn = [_text(title, _MARGIN, top + _ROW, "start", size=14)]
    for number, (name, n) in enumerate(rows):
        y = top + _ROW * (number + 2)
        width = (_BARS_END - _NAMES_END) * n / longest
        label = f"{n / _MB:,.2f} MB  {_share(n, whole)}"
        shown = name if len(name) <= _MAX_NAME else name[: _MAX_NAME - 1] + "…"
        drawn += [
            _text(shown, _NAMES_END - 8, y, "end"),
            f'<rect x="{_NAMES_END}" y="{y - _BAR + 5}" width="{width:.1f}" height="{_BAR}"'
            f' fill="{color}"/>',
            _text(label, _NAMES_END + width + 6, y, "start"),
        ]
    return drawn


def _height(n_rows: int) -> int:
    return _ROW * (n_rows + 2)


def _text(text: str, x: float, y: int, anchor: str, *, size: int = 12) -> str:
    place = f'x="{x:.1f}" y="{y}" text-anchor="{anchor}" font-size="{size}"'
    return f"<text {place}>{escape(text)}</text>"


def _svg(height: int, elements: Sequence[str]) -> str:
    start = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}"'
        f' viewBox="0 0 {_WIDTH} {height}" font-family="{_FONT}" fill="{_INK}">'
    )
    ground = f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>'
    return "\n".join([start, ground, *elements, "</svg>", ""])


def _share(n: int, whole: int) -> str:
    return f"{100 * n / max(1, whole):.2f}%"
