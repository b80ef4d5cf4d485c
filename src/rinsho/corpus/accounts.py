"""The accounts of a documents folder: what was rejected or taken out, by rule and source."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import Any

from rinsho.corpus.collection import MIB, Collection
from rinsho.corpus.contamination import open_index
from rinsho.corpus.coverage import Coverage
from rinsho.corpus.document import Rejection
from rinsho.corpus.merge import Decisions
from rinsho.corpus.part_reader import Part
from rinsho.corpus.readers import format_of
from rinsho.corpus.removals import Tally, render_table, tally_source, to_table, total
from rinsho.corpus.shards import ShardWriter
from rinsho.corpus.sources import Source
from rinsho.errors import NothingLeft, NothingReadable, NotText
from rinsho.manifest import OpenFolder, canonical_json, write_file


def write_accounts(
    folder: OpenFolder,
    collection: Collection,
    parts: Sequence[Part],
    decisions: Decisions,
    first_numbers: Sequence[int],
) -> dict[str, Any]:
    """Write what was rejected and taken out, the removal table and the counts of the manifest.

    Args:
        folder: The documents folder that is being made.
        collection: The run.
        parts: In order.
        decisions: Of the merge.
        first_numbers: Number in its source of each part's first record.

    Returns:
        The removal table, as `removals.json` holds it.

    Raises:
        NothingReadable, NotText: A source without one readable record.
        NothingLeft: Every record of the run was rejected.
    """
    names = [source.name for source in collection.config.sources]
    rows = list(zip(parts, decisions.cuts, decisions.starts(), strict=False))
    tallies = [
        tally_source(
            name, [row for row in rows if row[0].task.source.config.name == name], decisions
        )
        for name in names
    ]
    for source, tally in zip(collection.sources, tallies, strict=True):
        _check_readable(source, tally)
    _write_rejected(folder, parts, decisions, first_numbers)
    benchmarks = _coverage(parts)
    table = _write_tables(folder, tallies, benchmarks)
    _record(folder, collection, tallies)
    return table


def _check_readable(source: Source, tally: Tally) -> None:
    """Refuse a source that held no document: a wrong encoding, field or format, most likely."""
    if tally.n_documents_read:
        return
    where, config = source.label(0), source.config
    if tally.rejected["wrong_encoding"] > tally.records_in / 2:
        raise NotText(where=where, expected=config.encoding)
    counted = ", ".join(f"{rule} {n}" for rule, n in sorted(tally.rejected.items()))
    raise NothingReadable(where=f"{where} ({counted or 'empty'})", expected=_suspect(source, tally))


def _suspect(source: Source, tally: Tally) -> str:
    """Return the key of the run file that most of the rejections speak of."""
    config = source.config
    rule = max(tally.rejected, key=lambda rule: tally.rejected[rule], default="")
    if config.form == "conversations":
        return "form = 'conversations' (messages[{role, content}] / utterances[{name, text}])"
    if rule == "no_group":
        return f"group_field = {config.group_field!r}"
    if rule == "no_text":
        return f"text_field = {config.text_field!r}"
    known = format_of(source.files[0]) if config.format == "auto" else config.format
    return f"format = {known!r}"


def _write_rejected(
    folder: OpenFolder, parts: Sequence[Part], decisions: Decisions, first_numbers: Sequence[int]
) -> None:
    """Write id and rule of what was left out, and id and benchmark of passages taken out."""
    starts = decisions.starts()
    with (
        ShardWriter(folder.path, "rejected", 64 * MIB) as rejected,
        ShardWriter(folder.path, "passages", 64 * MIB) as passages,
    ):
        for part, cut, start, first in zip(
            parts, decisions.cuts, starts, first_numbers, strict=False
        ):
            name, records = part.task.source.config.name, part.candidates["record"]
            rejections = _rejections(part, cut.n_records, cut.n_candidates, start, decisions)
            for number, one, group in rejections:
                line = {
                    "id": f"{name}/{first + number}",
                    "rule": one.rule,
                    "measured": one.measured,
                    "limit": one.limit,
                }
                # With its group, so that `rinsho trace --group` finds it.
                rejected.write(line | ({"group": group} if group else {}))
            for candidate, benchmark, n_chars in part.passages():
                if candidate < cut.n_candidates and start + candidate not in decisions.rejected:
                    id_ = f"{name}/{first + int(records[candidate])}"
                    passages.write({"id": id_, "benchmark": benchmark, "chars": n_chars})


def _rejections(
    part: Part, n_records: int, n_candidates: int, start: int, decisions: Decisions
) -> Iterable[tuple[int, Rejection, str | None]]:
    """Return number in the part, rejection and group of its records, in order."""
    later = [
        (int(part.candidates["record"][n]), decisions.rejected[start + n], part.read_group(n))
        for n in range(n_candidates)
        if start + n in decisions.rejected
    ]
    own = (one for one in part.rejected() if one[0] < n_records)
    return heapq.merge(own, later, key=lambda one: one[0])


def _coverage(parts: Sequence[Part]) -> dict[str, Any] | None:
    """Return how much of each benchmark was found in the sources, whether it was kept or not."""
    path = next((part.task.index for part in parts if part.task.index), None)
    if path is None:
        return None
    index = open_index(path)
    coverage = Coverage(len(index.hashes))
    for part in parts:
        coverage.is_found[part.runs_found()] = True
    found = {name: one.to_json() for name, one in coverage.report(index).items()}
    return {"by_benchmark": found, "files_without_items": index.n_unread}


def _write_tables(
    folder: OpenFolder, tallies: Sequence[Tally], benchmarks: dict[str, Any] | None
) -> dict[str, Any]:
    assert all(tally.is_balanced() for tally in tallies)
    if not any(tally.records_out for tally in tallies):
        rejected = total([tally.rejected for tally in tallies])
        counted = ", ".join(f"{rule} {n}" for rule, n in rejected.items())
        raise NothingLeft(where="collect", found=counted)
    table: dict[str, Any] = {"sources": to_table(tallies)}
    if benchmarks is not None:
        table["benchmarks"] = benchmarks
        folder.count(benchmark_files_without_items=benchmarks["files_without_items"])
    write_file(folder.path / "removals.json", canonical_json(table) + b"\n")
    write_file(folder.path / "removals.txt", render_table(tallies).encode())
    return table


def _record(folder: OpenFolder, collection: Collection, tallies: Sequence[Tally]) -> None:
    for tally, source in zip(tallies, collection.config.sources, strict=True):
        if tally.records_out:
            folder.licenses.update(tally.licenses)
            folder.attributions.add(source.attribution or source.name)
    folder.count(
        records_in=sum(tally.records_in for tally in tallies),
        records_out=sum(tally.records_out for tally in tallies),
        bytes_in=sum(tally.bytes_in for tally in tallies),
        bytes_out=sum(tally.bytes_out for tally in tallies),
        rejected=total([tally.rejected for tally in tallies]),
        identifiers=total([tally.identifiers for tally in tallies]),
        sentencepiece_marks=sum(tally.n_marks for tally in tallies),
        overlap_passages=sum(tally.n_passages for tally in tallies),
        repeated_lines=sum(tally.n_lines for tally in tallies),
        files=sum(len(source.files) for source in collection.sources),
        files_in_no_known_format=sum(source.n_unread for source in collection.sources),
        sources={
            tally.source: {
                "records_in": tally.records_in,
                "records_out": tally.records_out,
                "bytes_out": tally.bytes_out,
                "chars_out": tally.chars_out,
            }
            for tally in tallies
        },
    )
