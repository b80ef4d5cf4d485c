"""Coverage: how much of each benchmark stands in a corpus."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rinsho.corpus.contamination import Overlap, OverlapIndex


@dataclass(frozen=True, slots=True)
class BenchmarkCoverage:
    """How much of one benchmark stands in a corpus.

    Attributes:
        n_items: Strings of the benchmark that are long enough, each once.
        n_items_found: Those of which any run was found.
        n_runs, n_runs_found: Runs of the index, over all items.
    """

    n_items: int
    n_items_found: int
    n_runs: int
    n_runs_found: int

    def to_json(self) -> dict[str, int | float]:
        """Return the counts and both shares."""
        shares = {
            "share_of_items": round(self.n_items_found / max(1, self.n_items), 4),
            "share_of_runs": round(self.n_runs_found / max(1, self.n_runs), 4),
        }
        return dataclasses.asdict(self) | shares


class Coverage:
    """Which runs of an index were found; a sum over documents in any order and any parts."""

    def __init__(self, n_runs: int) -> None:
        self.is_found: NDArray[np.bool_] = np.zeros(n_runs, dtype=bool)

    def add(self, overlaps: Iterable[Overlap]) -> None:
        """Count what was found in one document."""
        for overlap in overlaps:
            self.is_found[list(overlap.runs)] = True

    def report(self, index: OverlapIndex) -> dict[str, BenchmarkCoverage]:
        """Return how much of each benchmark was found."""
        n_items = np.diff(index.first_items)
        n_found = self._per_benchmark(index, np.unique(index.items[self.is_found]))
        n_runs = self._per_benchmark(index, index.items)
        n_runs_found = self._per_benchmark(index, index.items[self.is_found])
        columns = (n_items.tolist(), n_found, n_runs, n_runs_found)
        rows = zip(*columns, strict=True)
        return {
            name: BenchmarkCoverage(*row) for name, row in zip(index.benchmarks, rows, strict=True)
        }

    def _per_benchmark(self, index: OverlapIndex, items: NDArray[np.int32]) -> list[int]:
        numbers = index.benchmarks_of(items)
        return np.bincount(numbers, minlength=len(index.benchmarks)).tolist()
