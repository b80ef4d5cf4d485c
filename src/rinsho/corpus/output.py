"""The last step: kept candidates become shards of documents, each written by itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rinsho.corpus.merge import Decisions, RepeatedLines
from rinsho.corpus.part import CANDIDATES
from rinsho.corpus.part_reader import Part
from rinsho.corpus.repeated_lines import drop_lines
from rinsho.corpus.shards import ShardWriter


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """Candidates of one part that go into one shard.

    Attributes:
        candidates: The part's file of candidates.
        source: The name of its source.
        first_number: Number in the source of the part's first record.
        rows: int64, shape (n, 4): record, start, length and ordinal of each candidate.
        is_trimmed: bool, shape (n,): whether the candidate loses lines.
    """

    candidates: Path
    source: str
    first_number: int
    rows: NDArray[np.int64]
    is_trimmed: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class ShardTask:
    """All that a worker needs to write one shard.

    Attributes:
        folder: Where `documents-<number>.jsonl.zst` goes.
    """

    number: int
    folder: Path
    slices: tuple[Slice, ...]
    repeated: RepeatedLines


def plan_shards(
    parts: Sequence[Part],
    decisions: Decisions,
    first_numbers: Sequence[int],
    *,
    folder: Path,
    max_bytes: int,
) -> list[ShardTask]:
    """Cut what is kept into shards of up to `max_bytes` of JSON, in order.

    Args:
        parts: In order.
        decisions: Of the merge.
        first_numbers: Number in its source of each part's first record.
        folder: As in `ShardTask`.
        max_bytes: Before compression.
    """
    shards: list[list[Slice]] = [[]]
    n_bytes = 0
    starts = decisions.starts()
    for part, cut, start, first in zip(parts, decisions.cuts, starts, first_numbers, strict=False):
        kept = [n for n in range(cut.n_candidates) if start + n not in decisions.rejected]
        lengths = part.candidates["length"][kept]
        begin = 0
        for place, length in enumerate(lengths.tolist()):
            if n_bytes and n_bytes + length > max_bytes:
                shards[-1].append(_slice(part, kept[begin:place], start, first, decisions))
                shards.append([])
                begin, n_bytes = place, 0
            n_bytes += length
        shards[-1].append(_slice(part, kept[begin:], start, first, decisions))
    return [
        ShardTask(number, folder, tuple(s for s in slices if len(s.rows)), decisions.repeated)
        for number, slices in enumerate(shards)
    ]


def _slice(
    part: Part, kept: Sequence[int], start: int, first_number: int, decisions: Decisions
) -> Slice:
    ordinals = np.array(kept, dtype=np.int64) + start
    columns = [part.candidates[name][list(kept)] for name in ("record", "start", "length")]
    is_trimmed = np.array([int(o) in decisions.trimmed for o in ordinals], dtype=np.bool_)
    return Slice(
        part.task.folder / CANDIDATES,
        part.task.source.config.name,
        first_number,
        np.stack([*columns, ordinals], axis=1),
        is_trimmed,
    )


def write_shard(task: ShardTask, on_read: Callable[[int], None] = lambda n_bytes: None) -> None:
    """Write one shard."""
    with ShardWriter(task.folder, "documents", number=task.number) as shard:
        for one in task.slices:
            with one.candidates.open("rb") as file:
                prefix = _prefix(one.source)
                for (record, start, length, ordinal), loses in zip(
                    one.rows.tolist(), one.is_trimmed.tolist(), strict=True
                ):
                    file.seek(start)
                    line = file.read(length)
                    if loses:
                        line = _without_lines(line, ordinal, task.repeated)
                    rest = line[len(prefix) + len(str(record)) :]
                    shard.write_line(prefix + str(one.first_number + record).encode() + rest)
                    on_read(length)


def _prefix(source: str) -> bytes:
    """Return how the line of every document of a source begins: the id up to its number.

    Candidates are numbered within their part: the number in the source is only known when every
    part before is.
    """
    return json.dumps({"id": source + "/"}, ensure_ascii=False)[: -len('"}')].encode()


def _without_lines(line: bytes, ordinal: int, repeated: RepeatedLines) -> bytes:
    value = json.loads(line)
    value["text"], _, _ = drop_lines(value["text"], lambda hashes: repeated.goes(hashes, ordinal))
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"
