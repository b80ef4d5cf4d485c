"""Figures that others published, quoted beside our own: never run here, never in one row with them.

`quoted.toml` holds them as they stand in their sources, cell by cell.
"""

from __future__ import annotations

import functools
import importlib.resources
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class QuotedSource:
    """Where figures were published, and what keeps them from being compared digit by digit."""

    id: str
    name: str
    reference: str
    note_ja: str
    note_en: str


@dataclass(frozen=True, slots=True)
class QuotedRow:
    """The published figures of one model: cells by benchmark, as they were printed."""

    source: QuotedSource
    model: str
    cells: Mapping[str, str]

    def value(self, benchmark: str) -> float | None:
        """Return the first number of a cell, for figures; None where it says something else.

        >>> row = QuotedRow(QuotedSource("", "", "", "", ""), "m", {"a": ".54 (.53)", "b": "> .65"})
        >>> row.value("a"), row.value("b"), row.value("c")
        (0.54, None, None)
        """
        found = re.match(r"\d*\.?\d+", self.cells.get(benchmark, ""))
        return float(found.group()) if found else None


@functools.cache
def quoted_rows() -> tuple[QuotedRow, ...]:
    """Return every quoted row, in the order of the file."""
    text = (importlib.resources.files("rinsho.evaluation") / "quoted.toml").read_text("utf-8")
    tables: dict[str, Any] = tomllib.loads(text)
    return tuple(row for table in tables["source"] for row in _rows(table))


def _rows(table: Mapping[str, Any]) -> list[QuotedRow]:
    source = QuotedSource(
        id=table["id"],
        name=table["name"],
        reference=table["reference"],
        note_ja=table["note_ja"],
        note_en=table["note_en"],
    )
    columns: list[str] = table["columns"]
    return [
        QuotedRow(source, model, {c: cell for c, cell in zip(columns, cells, strict=True) if cell})
        for model, *cells in table["rows"]
    ]
