"""The figure of what was kept and removed."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from rinsho.corpus.proportions import draw_proportions, proportions


def source(n_in: int, n_lines: int = 0, **rejected: int) -> dict[str, Any]:
    return {
        "bytes_in": n_in,
        "bytes_kept": n_in - sum(rejected.values()),
        "rejected": {rule: {"records": 1, "bytes": n} for rule, n in rejected.items()},
        "taken_out": {"repeated_line_bytes": n_lines},
    }


TABLE = {
    "sources": {
        "notes": source(1_000, 40, too_short=100),
        "law": source(5_000, too_short=200, adult=50),
    }
}


def test_bytes_are_summed_by_source_and_by_rule() -> None:
    kept, removed, n_in = proportions(TABLE)
    assert kept == [("law", 4_750), ("notes", 900)]
    assert removed == [("too_short", 300), ("adult", 50), ("repeated_lines", 40)]
    assert n_in == 6_000


def test_many_sources_are_one_row_at_the_end() -> None:
    sources = {f"s{number:02}": source(100 + number) for number in range(40)}
    kept, removed, _ = proportions({"sources": sources})
    assert len(kept) == 24 and removed == []
    assert sum(n for _, n in kept) == sum(100 + number for number in range(40))
    assert kept[-1][0].endswith("(17)")


def test_the_figure_has_the_same_bytes_every_time(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib_fontja")
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
        for path in draw_proportions(TABLE, folder):
            assert path.stat().st_size > 1_000
    for name in ("proportions.svg", "proportions.png"):
        first, second = ((folder / name).read_bytes() for folder in folders)
        assert first == second


def test_bars_are_as_long_as_their_shares_in_both_files(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib_fontja")
    image = pytest.importorskip("PIL.Image")
    svg, png = draw_proportions(
        {"sources": {"法 & <令>": source(3_000), "b": source(1_000)}}, tmp_path
    )
    shapes = ElementTree.fromstring(svg.read_text(encoding="utf-8"))
    bars = [one for one in shapes if one.get("fill") == "#0b6e8a"]
    widths = [float(bar.get("width", 0)) for bar in bars]
    assert widths[0] == pytest.approx(3 * widths[1], rel=0.01)
    assert {"法 & <令>", "b"} < {one.text for one in shapes}
    pixels = image.open(png)
    scale = pixels.width / float(shapes.get("viewBox", "").split()[2])
    for bar, width in zip(bars, widths, strict=True):
        row = round((float(bar.get("y", 0)) + 6) * scale)
        colors = [pixels.getpixel((x, row)) for x in range(pixels.width)]
        assert colors.count((11, 110, 138)) == pytest.approx(width * scale, abs=2)


def test_nothing_removed_is_a_row_of_nothing(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib_fontja")
    svg, _ = draw_proportions({"sources": {"b": source(1_000)}}, tmp_path)
    assert "0.00 MB  0.00%" in svg.read_text(encoding="utf-8")
