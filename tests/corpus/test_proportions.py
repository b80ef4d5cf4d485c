"""The figure of what was kept and removed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
    assert b"<dc:date>" not in (folders[0] / "proportions.svg").read_bytes()
