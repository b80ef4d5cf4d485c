"""The figure of what was kept and removed."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from rinsho.corpus.proportions import draw_proportions, proportions

SVG = "{http://www.w3.org/2000/svg}"


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


def test_the_figure_has_a_bar_a_row_and_the_same_bytes_every_time(tmp_path: Path) -> None:
    written = draw_proportions(TABLE, tmp_path).read_bytes()
    assert draw_proportions(TABLE, tmp_path).read_bytes() == written
    words = [one.text or "" for one in ElementTree.fromstring(written).iter(f"{SVG}text")]
    assert [one for one in words if one in ("law", "notes", "adult", "too_short")] == [
        *("law", "notes"),
        *("too_short", "adult"),
    ]
    assert words[words.index("law") + 1] == "0.00 MB  84.07%"
    bars = [
        float(one.attrib["width"]) for one in ElementTree.fromstring(written).iter(f"{SVG}rect")
    ]
    assert bars[1] / bars[2] == pytest.approx(4_750 / 900, rel=0.01)


def test_names_of_any_make_stay_text(tmp_path: Path) -> None:
    name = "<b>&" + "長い名前" * 20
    written = draw_proportions({"sources": {name: source(10)}}, tmp_path).read_text("utf-8")
    words = [one.text or "" for one in ElementTree.fromstring(written).iter(f"{SVG}text")]
    assert words[1].startswith("<b>&長い") and words[1].endswith("…")


def test_a_run_that_removes_nothing_has_a_figure_too(tmp_path: Path) -> None:
    assert "―" in draw_proportions({"sources": {"notes": source(0)}}, tmp_path).read_text("utf-8")
