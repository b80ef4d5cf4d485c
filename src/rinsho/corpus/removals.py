"""The removal table: what each source held, what each rule took away, what is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rinsho.corpus.merge import Cut, Decisions
from rinsho.corpus.part_reader import Part


@dataclass(slots=True)
class Tally:
    """What became of the records of one source.

    Bytes in and rejected are those of the text as it came (of the line, where it held none);
    bytes out are those that were written. So the bytes in are those rejected and those kept, and
    those kept and those out differ by what normalization, placeholders, passages of benchmarks and
    repeated lines changed.
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
    n_passages: int = 0
    n_passage_chars: int = 0
    n_lines: int = 0
    n_line_bytes: int = 0

    def is_balanced(self) -> bool:
        """Whether every record and every byte is accounted for."""
        n_rejected, n_bytes = self.rejected.total(), self.bytes_rejected.total()
        is_even = self.records_in == self.records_out + n_rejected
        return is_even and self.bytes_in == self.bytes_kept + n_bytes


def tally_source(
    name: str,
    parts: Sequence[tuple[Part, Cut, int]],
    decisions: Decisions,
) -> Tally:
    """Count what became of the records of a source.

    Args:
        name: Of the source.
        parts: Its parts, how much of each was taken, and the ordinal of its first candidate.
        decisions: Of the merge.
    """
    tally = Tally(name)
    for part, cut, start in parts:
        _count_records(tally, part, cut)
        n = cut.n_candidates
        kept = np.array([start + i not in decisions.rejected for i in range(n)], np.bool_)
        n_bytes = part.records["bytes"][part.candidates["record"][:n]]
        for i in np.flatnonzero(~kept).tolist():
            rule = decisions.rejected[start + i].rule
            tally.rejected[rule] += 1
            tally.bytes_rejected[rule] += int(n_bytes[i])
        tally.bytes_kept += int(n_bytes[kept].sum())
        _count_kept(tally, part, np.flatnonzero(kept))
        for i in np.flatnonzero(kept).tolist():
            if size := decisions.trimmed.get(start + i):
                tally.chars_out += size.n_chars - int(part.candidates["chars"][i])
                tally.bytes_out += size.n_bytes - int(part.candidates["bytes"][i])
                tally.n_lines += size.n_lines_out
                tally.n_line_bytes += size.n_line_bytes_out
    return tally


def _count_records(tally: Tally, part: Part, cut: Cut) -> None:
    columns = {name: values[: cut.n_records] for name, values in part.records.items()}
    tally.records_in += cut.n_records
    tally.bytes_in += int(columns["bytes"].sum())
    tally.n_documents_read += int(columns["read"].sum())
    tally.n_marks += int(columns["marks"].sum())
    for code, rule in enumerate(part.rules):
        is_rejected = columns["outcome"] == code
        if n := int(np.count_nonzero(is_rejected)):
            tally.rejected[rule] += n
            tally.bytes_rejected[rule] += int(columns["bytes"][is_rejected].sum())


def _count_kept(tally: Tally, part: Part, kept: NDArray[np.int64]) -> None:
    columns = {name: values[kept] for name, values in part.candidates.items()}
    tally.records_out += len(kept)
    tally.bytes_out += int(columns["bytes"].sum())
    tally.chars_out += int(columns["chars"].sum())
    tally.n_passages += int(columns["passages"].sum())
    tally.n_passage_chars += int(columns["passage_chars"].sum())
    tally.licenses.update(part.licenses[code] for code in np.unique(columns["license"]))
    for kind, counts in part.identifiers.items():
        if n := int(counts[kept].sum()):
            tally.identifiers[kind] += n


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
            "taken_out": {
                "overlap_passages": tally.n_passages,
                "overlap_passage_chars": tally.n_passage_chars,
                "repeated_lines": tally.n_lines,
                "repeated_line_bytes": tally.n_line_bytes,
            },
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
