"""Contamination: documents that share long runs of characters with a benchmark.

Every string of 50 or more characters in a benchmark file is normalized, stripped of blanks and
indexed by the hashes of all its 50-character runs. A document that has one of them is dropped: in
Japanese 50 characters are a sentence or two, which nobody writes twice by chance. Left out of
the index are runs without content (rows of dots or digits) and runs that stand in many cells of one
file (instructions of an exam).
"""

from __future__ import annotations

import csv
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from rinsho.corpus.ngrams import Hashes, hash_ngrams, unique, without_blanks
from rinsho.errors import BrokenRecord
from rinsho.text.normalize import normalize

MAX_CELLS = 20  # a run in so many cells of one file is an instruction, not an item
_FILTER_BITS = 26  # 64 MB; at 20 million runs it answers three of four look-ups by itself
_NO_CONTENT_SHARE = 0.5  # of characters that repeat one of the four before them
_DOCUMENTATION = (".md", ".conf", ".ann")  # not items: readme, settings, stand-off labels
_TAG = re.compile(r"<[^<>]{0,200}>")
# Runs of Japanese in a file of unknown make (.xls holds its strings as UTF-16).
_WIDE_RUN = re.compile("[\u3000-\u30ff\u4e00-\u9fff\uff01-\uff9f0-9A-Za-z %.,()+-]{50,}")


@dataclass(frozen=True, slots=True)
class OverlapIndex:
    """The runs of characters of some benchmarks.

    Attributes:
        n_chars: Length of a run.
        runs: By benchmark: sorted hashes, each once.
        is_maybe: bool, shape (2**26,): False where no run has a hash with these leading bits.
        n_unread: Files that hold no items (documentation, stand-off labels).
    """

    n_chars: int
    runs: dict[str, Hashes]
    is_maybe: NDArray[np.bool_]
    n_unread: int

    def shared(self, text: str) -> dict[str, int]:
        """Return how many runs of a text stand in each benchmark that has any of them."""
        hashes = hash_ngrams(without_blanks(text), self.n_chars)
        hashes = hashes[self.is_maybe[hashes >> np.uint64(64 - _FILTER_BITS)]]
        if not len(hashes):
            return {}
        counts = {name: _n_members(hashes, runs) for name, runs in self.runs.items()}
        return {name: n_shared for name, n_shared in counts.items() if n_shared}


def _n_members(hashes: Hashes, ordered: Hashes) -> int:
    places = np.searchsorted(ordered, hashes)
    return int(np.count_nonzero(ordered[np.minimum(places, len(ordered) - 1)] == hashes))


def benchmark_name(file: Path, folder: Path) -> str:
    """Return the folder below `folder` that a file lies in, or that folder's own name.

    >>> benchmark_name(Path("eval/jglue/jsquad.json"), Path("eval"))
    'jglue'
    """
    parts = file.relative_to(folder).parts if file != folder else ()
    return parts[0] if len(parts) > 1 else (folder if parts else folder.parent).name


def index_benchmarks(
    folders: Sequence[tuple[Path, Sequence[Path]]],
    n_chars: int,
    on_file: Callable[[int], None] = lambda n_bytes: None,
) -> OverlapIndex:
    """Read benchmark files of any make and index their runs of `n_chars` characters.

    Memory: 8 bytes per character of benchmark text, and 64 MB.

    Args:
        folders: Each with its files.
        n_chars: Length of a run, blanks not counted.
        on_file: Called with the size of each file once it is read.
    """
    found: dict[str, list[Hashes]] = {}
    n_unread = 0
    for folder, files in folders:
        for path in files:
            if path.suffix.lower() in _DOCUMENTATION:
                n_unread += 1
            else:
                runs = _runs_of(read_cells(path), n_chars)
                found.setdefault(benchmark_name(path, folder), []).append(runs)
            on_file(path.stat().st_size)
    merged = {name: unique(np.concatenate(parts)) for name, parts in sorted(found.items())}
    merged = {name: runs for name, runs in merged.items() if len(runs)}
    is_maybe = np.zeros(2**_FILTER_BITS, dtype=np.bool_)
    for runs in merged.values():
        is_maybe[runs >> np.uint64(64 - _FILTER_BITS)] = True
    return OverlapIndex(n_chars, merged, is_maybe, n_unread)


def _runs_of(cells: Iterator[str], n_chars: int) -> Hashes:
    """Return the runs of one file's cells, without those that stand in many cells."""
    compact = {without_blanks(normalize(cell)) for cell in cells if len(cell) >= n_chars}
    parts = [unique(_with_content(cell, n_chars)) for cell in sorted(compact)]
    runs = np.sort(np.concatenate(parts)) if parts else np.empty(0, dtype=np.uint64)
    if len(runs) < MAX_CELLS:
        return unique(runs)
    is_common = runs[MAX_CELLS - 1 :] == runs[: len(runs) - MAX_CELLS + 1]
    common = unique(runs[MAX_CELLS - 1 :][is_common])
    return np.setdiff1d(unique(runs), common, assume_unique=True)


def _with_content(text: str, n_chars: int) -> Hashes:
    """Return the hashes of the runs that are more than a short pattern over and over."""
    hashes = hash_ngrams(text, n_chars)
    if not len(hashes):
        return hashes
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    repeats = np.zeros(len(codes), dtype=bool)
    for distance in range(1, 5):
        repeats[distance:] |= codes[distance:] == codes[:-distance]
    total = np.concatenate(([0], np.cumsum(repeats)))
    n_repeated = total[n_chars:] - total[:-n_chars]
    return hashes[n_repeated <= _NO_CONTENT_SHARE * n_chars]


# ---------------------------------------------------------------------------------- cells


def read_cells(path: Path) -> Iterator[str]:
    """Yield the strings of a file: cells of CSV, values of JSON, text of XML, lines of text.

    What is not UTF-8 or not the format its name tells is read as what it can be: nothing
    that stands in a benchmark may be missed because its file is odd.
    """
    raw = path.read_bytes()
    kind = path.suffix.lower()
    if kind == ".gz":
        raw, kind = _unpack(path, raw), Path(path.stem).suffix.lower()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        yield from _wide_runs(raw)
        return
    if kind in (".json", ".jsonl"):
        yield from _json_cells(text)
    elif kind in (".csv", ".tsv"):
        csv.field_size_limit(2**31 - 1)
        delimiter = "\t" if kind == ".tsv" else ","
        for row in csv.reader(text.splitlines(keepends=True), delimiter=delimiter):
            yield from row
    else:
        yield _TAG.sub("", text)


def _unpack(path: Path, raw: bytes) -> bytes:
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error):
        where = f"{path.parent.name}/{path.name}"
        raise BrokenRecord(where=where, found="gzip", expected="a whole file") from None


def _json_cells(text: str) -> Iterator[str]:
    try:
        yield from _strings(json.loads(text))
    except json.JSONDecodeError:
        for line in text.splitlines():
            try:
                yield from _strings(json.loads(line))
            except json.JSONDecodeError:
                yield line


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in cast(dict[str, Any], value).values():
            yield from _strings(one)
    elif isinstance(value, list):
        for one in cast(list[Any], value):
            yield from _strings(one)


def _wide_runs(raw: bytes) -> Iterator[str]:
    try:
        yield raw.decode("cp932")
    except UnicodeDecodeError:
        for shift in (0, 1):
            yield from _WIDE_RUN.findall(raw[shift:].decode("utf-16-le", "replace"))
