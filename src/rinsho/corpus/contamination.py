"""Contamination: passages that share long runs of characters with a benchmark.

In Japanese 50 characters are a sentence or two, which nobody writes twice by chance. Every string
of a benchmark file is normalized, stripped of blanks and indexed by the hashes of its runs of 43
characters that begin at every 8th character. Any 50 characters in a row hold one of these whole, so
that **every shared run of 50 or more characters is found**, at an eighth of the memory; one of 43
to 49 is found where it happens to begin right. Left out are runs without content (rows of dots or
digits) and runs that stand in many strings of one file (instructions of an exam).
"""

from __future__ import annotations

import itertools
import json
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rinsho.corpus import kernels
from rinsho.corpus.benchmark_cells import benchmark_name, holds_items, read_cells
from rinsho.corpus.benchmark_runs import (
    PROBE_EVERY,
    Bits,
    ItemRuns,
    Numbers,
    find_probes,
    is_in,
    make_filter,
    may_hold,
    ranges,
    sort_by_hash,
    stride_of,
)
from rinsho.corpus.engines import Workers
from rinsho.corpus.ngrams import (
    CodePoints,
    Hashes,
    code_points,
    compact_code_points,
    compact_in_a_row,
    hash_ngrams,
    in_a_row,
    is_blank,
)
from rinsho.text.sentences import split_sentences

_MIN_COVERED = 8  # characters of a sentence; half of what two ends must not make together
_MAX_SENTENCE = 400  # characters: longer ones are tables, or text that lost its stops
_PART = re.compile(r"\S[^、,\s]*[、,]?")


@dataclass(frozen=True, slots=True)
class Overlap:
    """A passage of a text that stands in a benchmark too.

    Attributes:
        start, end: In code points of the text, blanks inside included.
        benchmark: Its name.
        runs: Which runs of the index it holds, by number.
    """

    start: int
    end: int
    benchmark: str
    runs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OverlapIndex:
    """The runs of characters of some benchmarks.

    Attributes:
        n_chars: A shared run of so many characters, blanks not counted, is found for certain.
        benchmarks: Names, sorted.
        first_items: int64, shape (n_benchmarks + 1,): the number of each benchmark's first item;
            an item is a string of `n_chars` or more characters, each counted once.
        hashes: uint64, shape (n_runs,), sorted.
        items: int32, shape (n_runs,): the item that each run stands in.
        is_maybe: uint8, a power of two long: a filter of the runs' probes, which few others pass.
        is_likely: The same of the runs' hashes, asked before they are searched.
        n_unread: Files that hold no items (documentation, stand-off labels).
    """

    n_chars: int
    benchmarks: tuple[str, ...]
    first_items: Numbers
    hashes: Hashes
    items: NDArray[np.int32]
    is_maybe: Bits
    is_likely: Bits
    n_unread: int

    @property
    def run_chars(self) -> int:
        """Characters in an indexed run."""
        return self.n_chars - stride_of(self.n_chars) + 1

    def sizes(self) -> dict[str, int]:
        """Return the number of runs of each benchmark that has any."""
        counts = np.bincount(self.benchmarks_of(self.items), minlength=len(self.benchmarks))
        return {name: n for name, n in zip(self.benchmarks, counts.tolist(), strict=True) if n}

    def tell(self, texts: Sequence[str]) -> list[bool]:
        """Tell of each text whether `find` finds anything; quicker than to `find` in each."""
        if not texts:
            return []
        in_c = kernels.are_here()
        codes, starts = (
            kernels.without_blanks(*in_a_row(texts)) if in_c else compact_in_a_row(texts)
        )
        places, _ = self._matches(codes)
        holding = set(np.searchsorted(starts, places, side="right").tolist())
        return [number in holding for number in range(1, len(texts) + 1)]

    def find(self, text: str) -> list[Overlap]:
        """Return the passages that `text` shares with each benchmark, in order.

        Blanks do not count; the text has to be normalized.
        """
        starts, hashes = self._matches(compact_code_points(text))
        if not len(starts):
            return []
        first = np.searchsorted(self.hashes, hashes)
        n_entries = np.searchsorted(self.hashes, hashes, side="right") - first
        runs = ranges(first, n_entries)
        places = np.flatnonzero(~is_blank(code_points(text)))
        return self._merged(np.repeat(starts, n_entries), runs, places)

    def shared(self, text: str) -> dict[str, int]:
        """Return how many runs of each benchmark a text holds."""
        found: dict[str, int] = {}
        for overlap in self.find(text):
            found[overlap.benchmark] = found.get(overlap.benchmark, 0) + len(overlap.runs)
        return found

    def save(self, folder: Path) -> None:
        """Write the index into a folder that is there, for `open_index`."""
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name))
        rest = {
            "n_chars": self.n_chars,
            "n_unread": self.n_unread,
            "benchmarks": self.benchmarks,
        }
        (folder / "index.json").write_text(json.dumps(rest), encoding="utf-8")

    def _matches(self, codes: CodePoints) -> tuple[Numbers, Hashes]:
        """Return where in `codes` runs of the index begin, and their hashes."""
        probed = PROBE_EVERY * find_probes(codes, self.run_chars, self.is_maybe)
        around = probed[:, None] + np.arange(1 - PROBE_EVERY, self.run_chars)
        starts = around[:, :PROBE_EVERY].ravel()
        hashes = hash_ngrams(codes.take(around, mode="clip"), self.run_chars).ravel()
        likely = may_hold(self.is_likely, hashes)
        starts, hashes = starts[likely], hashes[likely]
        is_run = (starts >= 0) & (starts <= len(codes) - self.run_chars)
        is_run &= is_in(self.hashes, hashes)
        return starts[is_run], hashes[is_run]

    def benchmarks_of(self, items: NDArray[np.int32]) -> Numbers:
        """Return for each item the number of its benchmark."""
        return np.searchsorted(self.first_items, items, side="right") - 1

    def _merged(self, starts: Numbers, runs: Numbers, places: Numbers) -> list[Overlap]:
        benchmarks = self.benchmarks_of(self.items[runs])
        found: list[Overlap] = []
        for number in np.unique(benchmarks).tolist():
            own, own_runs = starts[benchmarks == number], runs[benchmarks == number]
            cuts = np.flatnonzero(np.diff(own) > self.run_chars) + 1
            for part, part_runs in zip(np.split(own, cuts), np.split(own_runs, cuts), strict=True):
                start, end = places[part[0]], places[part[-1] + self.run_chars - 1] + 1
                numbers = tuple(np.unique(part_runs).tolist())
                found.append(Overlap(int(start), int(end), self.benchmarks[number], numbers))
        return sorted(found, key=lambda one: (one.start, one.end, one.benchmark))


_ARRAYS = ("first_items", "hashes", "items", "is_maybe", "is_likely")


def open_index(folder: Path) -> OverlapIndex:
    """Open a saved index; its arrays are mapped, so that processes share them."""
    rest = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    return OverlapIndex(
        n_chars=rest["n_chars"],
        benchmarks=tuple(rest["benchmarks"]),
        n_unread=rest["n_unread"],
        **{name: _mapped(folder / f"{name}.npy") for name in _ARRAYS},
    )


def _mapped(path: Path) -> Any:
    """Map an array; a plain one, because look-ups in np.memmap take longer."""
    return np.asarray(np.load(path, mmap_mode="r"))


# ---------------------------------------------------------------------------------- building


@dataclass(frozen=True, slots=True)
class BenchmarkTask:
    """One benchmark for a worker to read: its files, and where its runs go (npz)."""

    files: tuple[Path, ...]
    n_chars: int
    out: Path


def read_benchmark(task: BenchmarkTask, on_read: Callable[[int], None]) -> None:
    """Write the runs of one benchmark, the item of each, their probes, and the number of items."""
    found = ItemRuns(task.n_chars)
    for path in task.files:
        found.add_file(read_cells(path, least=task.n_chars))
        on_read(path.stat().st_size)
    hashes, items, all_probes = found.runs()
    np.savez(task.out, hashes=hashes, items=items, probes=all_probes, n_items=found.n_items)


def index_benchmarks(
    folders: Sequence[tuple[Path, Sequence[Path]]],
    n_chars: int,
    on_file: Callable[[int], None] = lambda n_bytes: None,
    *,
    workers: Workers | None = None,
    scratch: Path | None = None,
    before_join: Callable[[], None] = lambda: None,
) -> OverlapIndex:
    """Read benchmark files of any make and index their runs of characters.

    Memory: 4 bytes per character of benchmark text, and about 20 times one million characters.

    Args:
        folders: Each with its files.
        n_chars: Length of a shared run that has to be found, blanks not counted.
        on_file: Called with the size of each file once it is read.
        workers: What reads the benchmarks, one each at a time; this process when left out.
        scratch: A folder that all workers see; a temporary one when left out.
        before_join: Called once the files are read: joining their runs takes this process alone.
    """
    by_name: dict[str, list[Path]] = {}
    n_unread = 0
    for folder, paths in folders:
        for path in paths:
            if holds_items(path):
                by_name.setdefault(benchmark_name(path, folder), []).append(path)
            else:
                n_unread += 1
                on_file(path.stat().st_size)
    names = tuple(sorted(by_name))
    with tempfile.TemporaryDirectory(dir=scratch) as place:
        tasks = [
            BenchmarkTask(tuple(by_name[name]), n_chars, Path(place) / f"{number}.npz")
            for number, name in enumerate(names)
        ]
        largest_first = sorted(tasks, key=lambda task: -sum(p.stat().st_size for p in task.files))
        (workers or Workers()).run(largest_first, read_benchmark, on_file)
        before_join()
        return _join(n_chars, names, [task.out for task in tasks], n_unread)


def _join(
    n_chars: int, names: tuple[str, ...], parts: Sequence[Path], n_unread: int
) -> OverlapIndex:
    all_hashes, all_items = [np.empty(0, dtype=np.uint64)], [np.empty(0, dtype=np.int32)]
    first_items = [0]
    for path in parts:
        with np.load(path, allow_pickle=False) as arrays:
            all_hashes.append(arrays["hashes"])
            all_items.append(arrays["items"] + np.int32(first_items[-1]))
            first_items.append(first_items[-1] + int(arrays["n_items"]))
    hashes, items = np.concatenate(all_hashes), np.concatenate(all_items)
    order = sort_by_hash(hashes, items)
    hashes, items = hashes[order], items[order]
    is_maybe = make_filter(PROBE_EVERY * len(hashes), map(_read_probes, parts))
    is_likely = make_filter(len(hashes), [hashes])
    first = np.array(first_items)
    return OverlapIndex(n_chars, names, first, hashes, items, is_maybe, is_likely, n_unread)


def _read_probes(part: Path) -> Hashes:
    with np.load(part, allow_pickle=False) as arrays:
        return arrays["probes"]


# ---------------------------------------------------------------------------------- passages


def drop_passages(text: str, overlaps: Sequence[Overlap]) -> tuple[str, int]:
    """Return a text without the sentences that overlap, and how many passages went.

    A sentence goes if 8 of its characters or all of it lie in an overlap: what is left of a shared
    run at either end is too short to be one. Sentences that go together are one passage; a line
    that is empty afterwards goes with its line end. Where a sentence is longer than 400 characters
    (tables, PDF text without stops), only the parts between commas and blanks go.

    Two sentences that were apart are neighbours now, and may be a run of a benchmark together:
    `without_overlaps` looks again until there is none.
    """
    units = _units_touched(text, overlaps)
    is_covered = np.zeros(len(text), dtype=bool)
    for overlap in overlaps:
        is_covered[overlap.start : overlap.end] = True
    is_covered &= ~is_blank(code_points(text))
    goes = [
        np.count_nonzero(is_covered[start:end]) >= min(_MIN_COVERED, end - start)
        for start, end in units
    ]
    if not any(goes):  # only where runs are so short that two ends of sentences make one
        most = max(units, key=lambda unit: np.count_nonzero(is_covered[unit[0] : unit[1]]))
        goes = [unit == most for unit in units]
    cuts = list(itertools.compress(units, goes))
    gaps = (text[end:start] for (_, end), (start, _) in itertools.pairwise(cuts))
    return _without(text, cuts), 1 + sum(1 for gap in gaps if gap.strip())


def without_overlaps(index: OverlapIndex, text: str) -> tuple[str, int, list[Overlap]]:
    """Return a text in which nothing overlaps, how many passages went, and what overlapped."""
    found: list[Overlap] = []
    n_passages = 0
    while overlaps := index.find(text):
        found += overlaps
        text, n_dropped = drop_passages(text, overlaps)
        n_passages += n_dropped
    return text, n_passages, found


def dropped_share(before: str, after: str) -> float:
    """Return the share of a text's characters that went, 0 to 1.

    >>> dropped_share("発熱あり。咳なし。", "発熱あり。")
    0.4444444444444444
    """
    return 1 - len(after) / len(before) if before else 0.0


def _units_touched(text: str, overlaps: Sequence[Overlap]) -> list[tuple[int, int]]:
    """Return the sentences that overlaps touch, long ones in parts, in order."""
    lines: dict[int, list[tuple[int, int]]] = {}  # the sentences of each, by where it begins
    touched: set[tuple[int, int]] = set()
    for overlap in overlaps:
        start = text.rfind("\n", 0, overlap.start) + 1
        while start < overlap.end:
            end = text.find("\n", start) % (len(text) + 1)  # the text's end where none follows
            if start not in lines:
                lines[start] = [(start + a, start + b) for a, b in split_sentences(text[start:end])]
            touched.update((a, b) for a, b in lines[start] if a < overlap.end and b > overlap.start)
            start = end + 1
    units: list[tuple[int, int]] = []
    for start, end in sorted(touched):
        if end - start <= _MAX_SENTENCE:
            units.append((start, end))
        else:
            units.extend(match.span() for match in _PART.finditer(text, start, end))
    return units


def _without(text: str, cuts: Sequence[tuple[int, int]]) -> str:
    """Return a text without some spans, none of which crosses a line end."""
    pieces: list[str] = []
    done = 0
    for line_start, group in itertools.groupby(cuts, lambda cut: text.rfind("\n", 0, cut[0]) + 1):
        line_end = text.find("\n", line_start)
        line_end = len(text) if line_end < 0 else line_end
        pieces.append(text[done:line_start])
        ends = [(line_start, line_start), *group, (line_end, line_end)]
        rest = "".join(text[a:b] for (_, a), (b, _) in itertools.pairwise(ends))
        pieces.append(rest if rest.strip() else "")
        done = line_end if rest.strip() else line_end + 1
    left = "".join(pieces) + text[done:]
    return left if text.endswith("\n") else left.removesuffix("\n")
