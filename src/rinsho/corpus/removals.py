"""The removal table: what each source held, what each rule took away, what is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rinsho.corpus.document import Document, Rejection


@dataclass(slots=True)
class Tally:
    """What became of the records of one source.

    Bytes in and rejected are those of the text as it came (of the line, where it held none);
    bytes out are those that were written. So the bytes in are those rejected and those kept, and
    those kept and those out differ by what normalization and placeholders changed.
    """

    source: str
    records_in: int = 0
    records_out: int = 0
    bytes_in: int = 0
    bytes_kept: int = 0
    bytes_out: int = 0
    chars_out: int = 0
    n_documents_read: int = 0
    n_marks: int = 0
    rejected: Counter[str] = field(default_factory=Counter[str])
    bytes_rejected: Counter[str] = field(default_factory=Counter[str])
    identifiers: Counter[str] = field(default_factory=Counter[str])
    licenses: set[str] = field(default_factory=set[str])

    def reject(self, rejection: Rejection, n_bytes: int) -> None:
        """Count a record that was left out."""
        self.records_in += 1
        self.bytes_in += n_bytes
        self.rejected[rejection.rule] += 1
        self.bytes_rejected[rejection.rule] += n_bytes

    def keep(self, document: Document, n_bytes: int) -> None:
        """Count a record that was written."""
        self.records_in += 1
        self.records_out += 1
        self.bytes_in += n_bytes
        self.bytes_kept += n_bytes
        self.bytes_out += len(document.text.encode())
        self.chars_out += len(document.text)
        self.licenses.add(document.license)

    def is_balanced(self) -> bool:
        """Whether every record and every byte is accounted for."""
        n_rejected, n_bytes = self.rejected.total(), self.bytes_rejected.total()
        is_even = self.records_in == self.records_out + n_rejected
        return is_even and self.bytes_in == self.bytes_kept + n_bytes


def to_table(tallies: Sequence[Tally]) -> dict[str, Any]:
    """Return the table as JSON: by source, then by rule."""
    return {
        tally.source: {
            "records_in": tally.records_in,
            "records_out": tally.records_out,
            "bytes_in": tally.bytes_in,
            "bytes_kept": tally.bytes_kept,
            "bytes_out": tally.bytes_out,
            "chars_out": tally.chars_out,
            "rejected": {
                rule: {"records": n, "bytes": tally.bytes_rejected[rule]}
                for rule, n in sorted(tally.rejected.items())
            },
            "identifiers": dict(sorted(tally.identifiers.items())),
            "sentencepiece_marks": tally.n_marks,
        }
        for tally in tallies
    }


def total(counters: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Return the sum of counters, sorted by name."""
    summed: Counter[str] = Counter()
    for counter in counters:
        summed.update(counter)
    return dict(sorted(summed.items()))


def render_table(tallies: Sequence[Tally]) -> str:
    """Return the table as plain text, one line a rule and source."""
    rows = [("source", "rule", "records", "share", "bytes", "share")]
    for tally in (*tallies, _sum(tallies)):
        n_all, n_bytes = max(1, tally.records_in), max(1, tally.bytes_in)
        lines = [("in", tally.records_in, tally.bytes_in)]
        lines += [
            (rule, n, tally.bytes_rejected[rule]) for rule, n in sorted(tally.rejected.items())
        ]
        lines += [("kept", tally.records_out, tally.bytes_kept)]
        rows += [
            (tally.source, rule, f"{a:,}", f"{a / n_all:.1%}", f"{b:,}", f"{b / n_bytes:.1%}")
            for rule, a, b in lines
        ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "".join(_line(row, widths) for row in rows)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        cell.ljust(width) if column < 2 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip() + "\n"


def _sum(tallies: Sequence[Tally]) -> Tally:
    whole = Tally("ALL")
    for tally in tallies:
        whole.records_in += tally.records_in
        whole.records_out += tally.records_out
        whole.bytes_in += tally.bytes_in
        whole.bytes_kept += tally.bytes_kept
        whole.rejected.update(tally.rejected)
        whole.bytes_rejected.update(tally.bytes_rejected)
    return whole
