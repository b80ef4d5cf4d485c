"""Recall and precision of de-identification, from pages that a person corrected."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from rinsho.errors import BrokenRecord, NothingToRead, PathMissing

Span = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class KindMeasure:
    """Counts of one kind over all reviewed notes.

    Attributes:
        kind: Or `all`.
        n_right: Found with the very span and kind that the person left or gave.
        n_corrected: Identifiers after the review.
        n_found: Spans that were found before it.
        n_covered: Identifiers of which no character was left, whatever the kind of what covered it.
    """

    kind: str
    n_right: int
    n_corrected: int
    n_found: int
    n_covered: int

    def to_json(self) -> dict[str, Any]:
        """Return counts, shares and their 95% intervals (Wilson)."""
        shares = {
            "recall": (self.n_right, self.n_corrected),
            "precision": (self.n_right, self.n_found),
            "covered": (self.n_covered, self.n_corrected),
        }
        fields: dict[str, Any] = {"kind": self.kind, "n": self.n_corrected, "n_found": self.n_found}
        for name, (n_yes, n) in shares.items():
            fields[name] = n_yes / n if n else None
            fields[f"{name}_interval"] = wilson_interval(n_yes, n)
        return fields


def wilson_interval(n_yes: int, n: int, *, z: float = 1.959964) -> tuple[float, float]:
    """Return the 95% interval of a share; (0, 1) where nothing was counted.

    Source:
        Wilson 1927, "Probable inference, the law of succession, and statistical inference".

    >>> [round(limit, 4) for limit in wilson_interval(1490, 1500)]
    [0.9878, 0.9964]
    """
    if n == 0:
        return 0.0, 1.0
    share, square = n_yes / n, z * z
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = z / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def measure_corrections(paths: Sequence[Path]) -> tuple[KindMeasure, ...]:
    """Count what the pages of `--review` exported; notes that nobody read do not count.

    Returns:
        One measure per kind in alphabetical order, and `all` last.

    Raises:
        PathMissing, BrokenRecord: A file is not there, or is none that the page exported.
        NothingToRead: No note is marked as reviewed.
    """
    notes = [note for i, path in enumerate(paths, 1) for note in _read(path, f"input {i}")]
    if not notes:
        raise NothingToRead(where="--measure", expected="corrections.json (--review)")
    right, corrected, found, covered = (Counter[str]() for _ in range(4))
    for before, after in notes:
        corrected.update(kind for _, _, kind in after)
        found.update(kind for _, _, kind in before)
        right.update(kind for _, _, kind in before & after)
        hidden = {place for start, end, _ in before for place in range(start, end)}
        covered.update(kind for a, b, kind in after if hidden.issuperset(range(a, b)))
    kinds = sorted({*corrected, *found})
    measures = [KindMeasure(k, right[k], corrected[k], found[k], covered[k]) for k in kinds]
    totals = (sum(c.values()) for c in (right, corrected, found, covered))
    return (*measures, KindMeasure("all", *totals))


def _read(path: Path, where: str) -> Iterator[tuple[set[Span], set[Span]]]:
    """Yield the spans before and after the review of every note that somebody read."""
    if not path.is_file():
        raise PathMissing(where=where)
    broken = BrokenRecord(
        where=where, found="not corrections", expected="corrections.json (--review)"
    )
    try:
        content: Any = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise broken from None
    if not isinstance(content, dict) or content.get("format") != "rinsho-corrections":
        raise broken
    try:
        for note in cast(dict[str, Any], content)["notes"]:
            if note["is_reviewed"] is True:
                yield _spans(note["found"]), _spans(note["corrected"])
    except (KeyError, TypeError, ValueError):
        raise broken from None


def _spans(spans: Iterable[dict[str, Any]]) -> set[Span]:
    return {(int(span["start"]), int(span["end"]), str(span["kind"])) for span in spans}


def to_table(measures: Iterable[KindMeasure]) -> str:
    """Return the measures as text, one kind a line, shares in percent."""
    lines = [f"{'kind':<18}{'n':>6}{'recall':>8}  95%{'':<10}{'precision':>10}  95%{'':<10}covered"]
    for one in measures:
        fields = one.to_json()
        parts = [f"{one.kind:<18}{one.n_corrected:>6}"]
        for name, width in (("recall", 8), ("precision", 10)):
            low, high = fields[f"{name}_interval"]
            parts.append(f"{_percent(fields[name]):>{width}}  {low:>5.1%}–{high:<6.1%}")
        lines.append(" ".join((*parts, _percent(fields["covered"]))))
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
