"""A part: some files of one source, read and judged; workers make parts, a merge joins them.

A part is a folder of its own, written under another name and renamed when it is whole. Its name is
a hash of all that decides what is in it, so that a run that was cut off, or a job on another
machine, finds the parts that are done and makes the others.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from rinsho import __version__
from rinsho.corpus.contamination import open_index
from rinsho.corpus.coverage import Coverage
from rinsho.corpus.document import Document, Rejection, to_line
from rinsho.corpus.duplicates import N_BANDS, Fingerprint, fingerprints
from rinsho.corpus.repeated_lines import line_hashes_of_all
from rinsho.corpus.settings import CollectConfig
from rinsho.corpus.sieve import Judged, Sieve, open_sieve
from rinsho.corpus.sources import Source, SourceRecord, read_source
from rinsho.errors import Corrupt
from rinsho.manifest import canonical_json, hash_file, write_file
from rinsho.text.identifier_kinds import IDENTIFIER_KINDS

PART_BYTES = 16 * 2**20  # on disk: small files are read together, a larger file is a part by itself
# Records are judged in batches, step by step over all: enough that short ones cost little each, and
# few enough that what a step makes of them stays in the cache.
_BATCH_BYTES, _BATCH_RECORDS = 2**18, 256
DOCUMENT = -1  # in `outcomes`: the record is a document that passed
_FINISHED = "part.json"
RECORDS, CANDIDATES, LINES = "records.npz", "candidates.jsonl", "lines.u64"
REJECTED, PASSAGES, COVERAGE = "rejected.jsonl", "passages.jsonl", "coverage.npy"


@dataclass(frozen=True, slots=True)
class PartTask:
    """All that a worker needs to make a part; travels between processes.

    Attributes:
        number: Place in the run: parts are put together in this order.
        source: With the files of this part alone.
        n_enough: Documents after which the part may stop, because the run takes no more.
        folder: Where the finished part will lie.
        index: A folder with the benchmarks' runs.
        labels: A folder with a scorer of quality.
    """

    number: int
    config: CollectConfig
    source: Source
    n_enough: int | None
    folder: Path
    index: Path | None
    labels: Path | None
    noncommercial: bool


def plan_parts(
    config: CollectConfig,
    sources: Sequence[Source],
    root: Path,
    *,
    index: Path | None,
    labels: Path | None,
    noncommercial: bool,
    inputs: Mapping[str, Any],
) -> list[PartTask]:
    """Cut the sources into parts: consecutive files of one source, up to 16 MiB on disk.

    Args:
        config: The run.
        sources: In order, files found and hashed.
        root: The folder that parts go into.
        index, labels, noncommercial: As in `PartTask`.
        inputs: Hashes of all that is read besides: benchmarks, labels, the key of groups.
    """
    tasks: list[PartTask] = []
    for source, n_enough in zip(sources, _enough(config), strict=True):
        for first, last in _runs_of_files([path.stat().st_size for path in source.files]):
            files, sha256 = source.files[first:last], source.sha256[first:last]
            part = replace(source, files=files, sha256=sha256, n_unread=0)
            key = canonical_json(
                {
                    "version": __version__,
                    "config": config.model_dump(mode="json"),
                    "source": source.config.name,
                    "files": sha256,
                    "noncommercial": noncommercial,
                    "inputs": inputs,
                    "format": 2,
                }
            )
            name = f"{len(tasks):06d}-{hashlib.sha256(key).hexdigest()[:24]}"
            task = PartTask(
                len(tasks), config, part, n_enough, root / name, index, labels, noncommercial
            )
            tasks.append(task)
    return tasks


def _enough(config: CollectConfig) -> list[int | None]:
    """Return how many documents of each source the run can take at the most.

    An even share of `max_documents` if every source before it gave nothing.
    """
    n, limits = len(config.sources), list[int | None]()
    for number, source in enumerate(config.sources):
        share = None if config.max_documents is None else -(-config.max_documents // (n - number))
        both = [limit for limit in (share, source.max_documents) if limit is not None]
        limits.append(min(both) if both else None)
    return limits


def _runs_of_files(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    first = n_bytes = 0
    for number, size in enumerate(sizes):
        if number > first and n_bytes + size > PART_BYTES:
            yield first, number
            first, n_bytes = number, 0
        n_bytes += size
    yield first, len(sizes)


# --------------------------------------------------------------------------------- making


def make_part(task: PartTask, on_read: Callable[[int], None] = lambda n_bytes: None) -> None:
    """Read and judge the files of a part, and put it in its place; a finished part stays.

    Args:
        task: What to make.
        on_read: Called with the number of bytes read from disk.
    """
    if is_finished(task):
        on_read(task.source.n_bytes)
        return
    made = task.folder.with_name(f"{task.folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    try:
        overlaps = open_index(task.index) if task.index is not None else None
        sieve = open_sieve(
            task.config, overlaps=overlaps, labels=task.labels, noncommercial=task.noncommercial
        )
        coverage = Coverage(len(overlaps.hashes)) if overlaps is not None else None
        with _PartWriter(made, task, coverage) as part:
            part.write(sieve, on_read)
        digests = {path.name: hash_file(path).sha256 for path in sorted(made.iterdir())}
        write_file(made / _FINISHED, canonical_json(digests))
        try:
            made.rename(task.folder)
        except OSError:
            if not is_finished(task):
                raise
    finally:
        shutil.rmtree(made, ignore_errors=True)


def is_finished(task: PartTask) -> bool:
    """Tell whether a part is there; parts are renamed when they are whole."""
    return (task.folder / _FINISHED).is_file()


def check_part(task: PartTask) -> None:
    """Check every byte of a part that another run or machine made.

    Raises:
        Corrupt: A file changed since it was written.
    """
    digests: dict[str, str] = json.loads((task.folder / _FINISHED).read_bytes())
    for name, digest in digests.items():
        path = task.folder / name
        if not path.is_file() or hash_file(path).sha256 != digest:
            raise Corrupt(where=f"part {task.number + 1}: {name}", expected=digest[:12], found="?")


_RECORD_COLUMNS = ("bytes", "marks", "read", "outcome")
_CANDIDATE_COLUMNS = (
    *("record", "start", "length", "chars", "bytes", "lines"),
    *("shingles", "passages", "passage_chars", "license"),
)


def _by_column(prefix: str, names: Sequence[str], rows: array[int]) -> dict[str, Any]:
    """Return rows, one behind another, as one array for each column."""
    table = np.array(rows, dtype=np.int64).reshape(-1, len(names))
    return {prefix + name: table[:, i].copy() for i, name in enumerate(names)}


def _batches(records: Iterable[SourceRecord]) -> Iterator[list[SourceRecord]]:
    batch: list[SourceRecord] = []
    n_bytes = 0
    for record in records:
        batch.append(record)
        n_bytes += record.n_bytes
        if n_bytes >= _BATCH_BYTES or len(batch) >= _BATCH_RECORDS:
            yield batch
            batch, n_bytes = [], 0
    if batch:
        yield batch


@dataclass(slots=True)
class _PartWriter:
    """Columns of one row per record, of one row per candidate, and the candidates' lines.

    Numbers lie one behind another: as tuples they would take a kilobyte for each record.
    """

    folder: Path
    task: PartTask
    coverage: Coverage | None
    rules: dict[str, int] = field(default_factory=dict[str, int])
    licenses: dict[str, int] = field(default_factory=dict[str, int])
    records: array[int] = field(default_factory=lambda: array("q"))
    candidates: array[int] = field(default_factory=lambda: array("q"))
    identifiers: dict[int, Counter[str]] = field(default_factory=dict[int, Counter[str]])
    digests: bytearray = field(default_factory=bytearray)
    keys: bytearray = field(default_factory=bytearray)
    n_candidates: int = 0
    n_chars: int = 0
    n_text_bytes: int = 0
    _texts: BinaryIO | None = None
    _rejected: BinaryIO | None = None
    _passages: BinaryIO | None = None
    _lines: BinaryIO | None = None

    def __enter__(self) -> Self:
        self._texts = (self.folder / CANDIDATES).open("wb")
        self._rejected = (self.folder / REJECTED).open("wb")
        self._passages = (self.folder / PASSAGES).open("wb")
        self._lines = (self.folder / LINES).open("wb")
        return self

    def __exit__(self, *error: object) -> None:
        for file in (self._texts, self._rejected, self._passages, self._lines):
            if file is not None:
                file.close()

    def write(self, sieve: Sieve, on_read: Callable[[int], None]) -> None:
        source, n_records = self.task.source, 0
        for batch in _batches(read_source(source, on_read)):
            if self._has_enough():
                break
            self._add_batch(n_records, batch, sieve)
            n_records += len(batch)
        np.savez(self.folder / RECORDS, **self._columns())
        if self.coverage is not None:
            np.save(self.folder / COVERAGE, np.flatnonzero(self.coverage.is_found))

    def _has_enough(self) -> bool:
        n_enough, max_chars = self.task.n_enough, self.task.source.config.max_chars
        is_full = n_enough is not None and self.n_candidates >= n_enough
        return is_full or (max_chars is not None and self.n_chars >= max_chars)

    def _add_batch(self, first: int, records: Sequence[SourceRecord], sieve: Sieve) -> None:
        """Judge records and add them, up to the limits of the part."""
        documents = [r.outcome for r in records if isinstance(r.outcome, Document)]
        all_judged = sieve.judge_all(documents, self.task.source.config)
        kept = [one.outcome for one in all_judged if isinstance(one.outcome, Document)]
        marks = iter(fingerprints([document.text for document in kept]))
        lines = iter(self._hash_lines(kept))
        judged = iter(all_judged)
        for number, record in enumerate(records, first):
            if self._has_enough():
                break
            outcome = record.outcome
            one = Judged(outcome) if isinstance(outcome, Rejection) else next(judged)
            if self.coverage is not None and one.overlaps:
                self.coverage.add(one.overlaps)
            if isinstance(one.outcome, Rejection):
                group = outcome.group if isinstance(outcome, Document) else None
                code = self._reject(number, one.outcome, group)
            else:
                code = self._add_candidate(number, one.outcome, one, next(marks), next(lines))
            is_read = int(isinstance(outcome, Document))
            self.records.extend((record.n_bytes, record.n_marks, is_read, code))

    def _reject(self, number: int, rejection: Rejection, group: str | None) -> int:
        """Write a rejection; return the code of its rule."""
        line = [number, rejection.rule, rejection.measured, rejection.limit, group]
        assert self._rejected is not None
        self._rejected.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        return self.rules.setdefault(rejection.rule, len(self.rules))

    def _add_candidate(
        self,
        number: int,
        document: Document,
        judged: Judged,
        mark: Fingerprint,
        hashes: NDArray[np.uint64],
    ) -> int:
        """Write a document that passed; return its code."""
        assert self._texts is not None and self._lines is not None and self._passages is not None
        line = to_line(document)
        row = (
            *(number, self.n_text_bytes, len(line), len(document.text), mark.n_bytes, len(hashes)),
            *(mark.n_shingles, judged.n_passages, judged.n_passage_chars),
            self.licenses.setdefault(document.license, len(self.licenses)),
        )
        self.candidates.extend(row)
        if judged.identifiers:
            self.identifiers[self.n_candidates] = judged.identifiers
        for overlap in judged.overlaps:
            passage = [self.n_candidates, overlap.benchmark, overlap.end - overlap.start]
            self._passages.write(json.dumps(passage, ensure_ascii=False).encode() + b"\n")
        self._texts.write(line)
        self.n_text_bytes += len(line)
        self._lines.write(hashes.tobytes())
        self.digests += mark.digest
        self.keys += mark.keys.tobytes()
        self.n_candidates += 1
        self.n_chars += len(document.text)
        return DOCUMENT

    def _hash_lines(self, documents: Sequence[Document]) -> list[NDArray[np.uint64]]:
        config, skipped = self.task.config, self.task.source.config.skip_rules
        is_judged = config.repeated_line_documents and "repeated_lines" not in skipped
        judged = [d.text if is_judged and d.messages is None else "" for d in documents]
        return line_hashes_of_all(judged)

    def _columns(self) -> dict[str, Any]:
        columns = _by_column("r_", _RECORD_COLUMNS, self.records)
        columns |= _by_column("c_", _CANDIDATE_COLUMNS, self.candidates)
        found = {kind: np.zeros(self.n_candidates, np.int64) for kind in IDENTIFIER_KINDS}
        for number, counts in self.identifiers.items():
            for kind, n in counts.items():
                found[kind][number] = n
        columns |= {f"i_{kind}": counts for kind, counts in found.items()}
        columns["digests"] = np.frombuffer(self.digests, np.uint8).reshape(-1, 16)
        columns["keys"] = np.frombuffer(self.keys, np.uint64).reshape(-1, N_BANDS)
        columns["rules"] = np.array(list(self.rules), dtype=np.str_)
        columns["licenses"] = np.array(list(self.licenses), dtype=np.str_)
        return columns
