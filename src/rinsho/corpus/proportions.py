"""The figure "data proportions": what each source gave, and what each rule took away.

Bars and labels, written as SVG and drawn with Pillow: to import matplotlib takes ten times as long
as this. The same bytes for the same table.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

# Okabe and Ito 2008: told apart by colour-blind readers too.
_KEPT, _REMOVED, _INK = "#0b6e8a", "#d55e00", "#1c2b33"
# Points. A bar ends where its panel's longest does, at most; its label stands behind it.
_MARGIN, _ROW, _BAR, _LONGEST_BAR, _LONGEST_LABEL = 8, 19, 13, 210, 96
_TITLE_SIZE, _SIZE = 10, 8
_FAMILIES = "IPAexGothic, Hiragino Sans, Yu Gothic, Noto Sans CJK JP, sans-serif"
_PIXELS_IN_POINT = 160 / 72
_N_ROWS = 24  # of a panel: the rest is one row
_MB = 1e6

FIGURES = ("proportions.svg", "proportions.png")

Row = tuple[str, int]  # name, bytes


@dataclass(frozen=True, slots=True)
class _Bar:
    x: float
    y: float
    width: float
    color: str


@dataclass(frozen=True, slots=True)
class _Label:
    x: float
    y: float  # of its middle
    text: str
    size: int
    anchor: Literal["start", "end"] = "start"


@dataclass(frozen=True, slots=True)
class FigureTask:
    """All that a worker needs to draw the figure: a removal table, and the folder it goes into."""

    table: Mapping[str, Any]
    folder: Path


def can_draw() -> bool:
    """Tell whether the extra `report` is here: Pillow, and a font with kanji."""
    return all(find_spec(name) is not None for name in ("PIL", "matplotlib_fontja"))


def draw_proportions(table: Mapping[str, Any], folder: Path) -> tuple[Path, Path]:
    """Draw a removal table as `proportions.svg` and `proportions.png`.

    Args:
        table: What `removals.json` holds.
        folder: Where the figure goes.

    Returns:
        The two files.
    """
    kept, removed, n_bytes_in = proportions(table)
    svg, png = (folder / name for name in FIGURES)
    names = _widest([name for name, _ in (*kept, *removed)])
    width = 2 * _MARGIN + names + _LONGEST_BAR + _LONGEST_LABEL
    shapes, height = _lay_out(kept, removed, n_bytes_in, _MARGIN + names + 4)
    svg.write_text(_to_svg(shapes, width, height), encoding="utf-8")
    _save_png(shapes, width, height, png)
    return svg, png


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


def _lay_out(
    kept: Sequence[Row], removed: Sequence[Row], n_bytes_in: int, x: float
) -> tuple[list[_Bar | _Label], float]:
    """Return the shapes of both panels, bars beginning at `x`, and where the lower one ends."""
    n_kept, n_removed = (sum(n for _, n in rows) for rows in (kept, removed))
    share = _share(n_kept, n_bytes_in)
    title = f"残したテキスト  kept by source ({n_kept / _MB:,.1f} MB, {share})"
    upper, y = _panel(title, kept, n_kept, _KEPT, x, _MARGIN)
    title = (
        f"除いたテキスト  removed by rule ({n_removed / _MB:,.1f} MB of {n_bytes_in / _MB:,.1f})"
    )
    lower, y = _panel(title, removed or [("―", 0)], n_bytes_in, _REMOVED, x, y + _ROW / 2)
    return upper + lower, y + _MARGIN


def _panel(
    title: str, rows: Sequence[Row], whole: int, color: str, x: float, y: float
) -> tuple[list[_Bar | _Label], float]:
    """Return a title from `y` on with one bar a row, whose label gives its share, and the end."""
    shapes: list[_Bar | _Label] = [_Label(x, y + _ROW / 2, title, _TITLE_SIZE)]
    longest = max(n for _, n in rows) or 1
    for name, n in rows:
        y += _ROW
        middle, width = y + _ROW / 2, round(_LONGEST_BAR * n / longest, 2)
        label = f"{n / _MB:,.2f} MB  {_share(n, whole)}"
        shapes += (
            _Label(x - 4, middle, name, _SIZE, "end"),
            _Bar(x, middle - _BAR / 2, width, color),
            _Label(x + width + 3, middle, label, _SIZE),
        )
    return shapes, y + _ROW


def _share(n: int, whole: int) -> str:
    return f"{100 * n / max(1, whole):.2f}%"


def _to_svg(shapes: Sequence[_Bar | _Label], width: float, height: float) -> str:
    size = f'width="{width:g}pt" height="{height:g}pt" viewBox="0 0 {width:g} {height:g}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{_FAMILIES}" fill="{_INK}">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for one in shapes:
        place = f'x="{one.x:g}" y="{one.y:g}"'
        if isinstance(one, _Bar):
            form = f'width="{one.width:g}" height="{_BAR}" fill="{one.color}"'
            lines.append(f"<rect {place} {form}/>")
        else:
            form = f'font-size="{one.size}" text-anchor="{one.anchor}" dominant-baseline="central"'
            lines.append(f"<text {place} {form}>{escape(one.text)}</text>")
    return "\n".join((*lines, "</svg>\n"))


def _save_png(shapes: Sequence[_Bar | _Label], width: float, height: float, path: Path) -> None:
    from PIL import Image, ImageDraw

    scale = _PIXELS_IN_POINT
    image = Image.new("RGB", (round(width * scale), round(height * scale)), "#ffffff")
    draw = ImageDraw.Draw(image)
    for one in shapes:
        x, y = one.x * scale, one.y * scale
        if isinstance(one, _Bar):
            corner = x + one.width * scale, y + _BAR * scale
            draw.rectangle((x, y, *corner), fill=one.color)
        else:
            anchor = {"start": "lm", "end": "rm"}[one.anchor]
            draw.text((x, y), one.text, _INK, _font(one.size * scale), anchor=anchor)
    image.save(path, dpi=(160, 160))


def _widest(texts: Sequence[str]) -> float:
    font = _font(10 * _SIZE)  # large: widths are rounded to pixels
    return round(max(map(font.getlength, texts), default=0) / 10, 1)


@functools.cache
def _font(size: float) -> FreeTypeFont:
    """Return the font of matplotlib-fontja, without matplotlib, in pixels."""
    from PIL import ImageFont

    found = find_spec("matplotlib_fontja")
    assert found is not None and found.origin is not None  # `can_draw` was asked
    return ImageFont.truetype(Path(found.origin).parent / "fonts" / "ipaexg.ttf", size)
