"""The merge: which candidates of all parts are kept; the same whatever engine made the parts.

Order is everything: parts in the order of the run, records in the order of their files. Limits are
applied first, then duplicates are looked for among what is left, then repeated lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rinsho.corpus.document import Rejection
from rinsho.corpus.duplicates import find_duplicates
from rinsho.corpus.part_reader import Part
from rinsho.corpus.repeated_lines import LineCounts, drop_lines
from rinsho.corpus.settings import CollectConfig


@dataclass(frozen=True, slots=True)
class Cut:
    """How much of a part the run takes: its limits stop a source in the middle."""

    n_records: int
    n_candidates: int


class Size(NamedTuple):
    """What a document that loses lines becomes."""

    n_chars: int
    n_bytes: int
    n_lines_out: int
    n_line_bytes_out: int


@dataclass(frozen=True, slots=True, eq=False)
class RepeatedLines:
    """Lines that stand in many documents, and the document that each stays in.

    Attributes:
        hashes: uint64, sorted.
        keepers: int64, same shape: ordinal of the first document with the line.
    """

    hashes: NDArray[np.uint64]
    keepers: NDArray[np.int64]

    def goes(self, hashes: NDArray[np.uint64], ordinal: int) -> NDArray[np.bool_]:
        """Return which lines of a document are left out of it."""
        if not len(self.hashes):
            return np.zeros(len(hashes), np.bool_)
        places = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        return (self.hashes[places] == hashes) & (self.keepers[places] != ordinal)


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """What becomes of every candidate; ordinals count them over all parts.

    Attributes:
        cuts: By part.
        rejected: By ordinal; the others are kept.
        repeated: The lines that go.
        trimmed: By ordinal, the kept documents that lose a line.
    """

    cuts: tuple[Cut, ...]
    rejected: Mapping[int, Rejection]
    repeated: RepeatedLines
    trimmed: Mapping[int, Size]

    def starts(self) -> list[int]:
        """Return the ordinal of the first candidate of each part, and one past the last."""
        return _starts([cut.n_candidates for cut in self.cuts])


def decide(config: CollectConfig, parts: Sequence[Part], source_of: Sequence[int]) -> Decisions:
    """Apply limits, look for duplicates and for repeated lines.

    Memory is about 250 bytes per candidate.

    Args:
        config: The run.
        parts: In order.
        source_of: Index of each part's source.
    """
    cuts = cut_parts(config, parts, source_of)
    rejected = _duplicates(config, parts, cuts)
    repeated, losing = _repeated_lines(config, parts, cuts, rejected)
    trimmed: dict[int, Size] = {}
    for ordinal, text in _texts(parts, cuts, losing):
        left, *gone = drop_lines(text, lambda hashes, n=ordinal: repeated.goes(hashes, n))
        if len(left) < config.min_document_chars:
            share = 1 - len(left) / len(text)
            rejected[ordinal] = Rejection("repeated_lines", round(share, 3), 1)
        else:
            trimmed[ordinal] = Size(len(left), len(left.encode()), *gone)
    return Decisions(tuple(cuts), rejected, repeated, trimmed)


# --------------------------------------------------------------------------------- limits


def cut_parts(config: CollectConfig, parts: Sequence[Part], source_of: Sequence[int]) -> list[Cut]:
    """Return how much of each part is taken: `max_documents` is shared evenly by the sources.

    What a small source leaves goes on to the next ones.
    """
    cuts: list[Cut] = []
    n_taken = 0
    for number, source in enumerate(config.sources):
        own = [part for part, s in zip(parts, source_of, strict=True) if s == number]
        limits = [source.max_documents] if source.max_documents is not None else list[int]()
        if config.max_documents is not None:
            n_left = len(config.sources) - number
            limits.append(-(-(config.max_documents - n_taken) // n_left))
        of_source = _cut_source(own, min(limits) if limits else None, source.max_chars)
        n_taken += sum(cut.n_candidates for cut in of_source)
        cuts += of_source
    return cuts


def _cut_source(
    parts: Sequence[Part], max_documents: int | None, max_chars: int | None
) -> list[Cut]:
    cuts: list[Cut] = []
    n_documents = n_chars = 0
    for part in parts:
        n_fit = part.n_candidates
        if max_documents is not None:
            n_fit = min(n_fit, max_documents - n_documents)
        is_full = max_documents is not None and n_fit == max_documents - n_documents
        if max_chars is not None:
            chars = n_chars + np.cumsum(part.candidates["chars"])
            n_until = 0 if n_chars >= max_chars else int(np.searchsorted(chars, max_chars)) + 1
            is_full = n_until <= n_fit or is_full
            n_fit = min(n_fit, n_until)
        cuts.append(_cut_at(part, n_fit, is_full=is_full))
        n_documents += n_fit
        n_chars += int(part.candidates["chars"][:n_fit].sum())
    return cuts


def _cut_at(part: Part, n_candidates: int, *, is_full: bool) -> Cut:
    if not is_full:
        return Cut(part.n_records, n_candidates)
    if n_candidates == 0:
        return Cut(0, 0)
    return Cut(int(part.candidates["record"][n_candidates - 1]) + 1, n_candidates)


# ----------------------------------------------------------------------------- duplicates


def _duplicates(
    config: CollectConfig, parts: Sequence[Part], cuts: Sequence[Cut]
) -> dict[int, Rejection]:
    taken = [(part, cut.n_candidates) for part, cut in zip(parts, cuts, strict=True)]
    starts = _starts([n for _, n in taken])
    if starts[-1] == 0:
        return {}

    def read_text(ordinal: int) -> str:
        number = int(np.searchsorted(starts, ordinal, side="right")) - 1
        return parts[number].read_text(ordinal - starts[number])

    def may(rule: str) -> NDArray[np.bool_]:
        flags = [rule not in part.task.source.config.skip_rules for part, _ in taken]
        return np.repeat(np.array(flags, np.bool_), [n for _, n in taken])

    return find_duplicates(
        np.concatenate([part.digests[:n] for part, n in taken]),
        np.concatenate([part.keys[:n] for part, n in taken]),
        np.concatenate([part.candidates["shingles"][:n] for part, n in taken]),
        read_text,
        min_jaccard=config.near_duplicate_jaccard,
        check_exact=may("exact_duplicate"),
        check_near=may("near_duplicate"),
    )


def _starts(sizes: Iterable[int]) -> list[int]:
    starts = [0]
    for size in sizes:
        starts.append(starts[-1] + size)
    return starts


# ------------------------------------------------------------------------- repeated lines


def _repeated_lines(
    config: CollectConfig,
    parts: Sequence[Part],
    cuts: Sequence[Cut],
    rejected: Mapping[int, Rejection],
) -> tuple[RepeatedLines, list[int]]:
    """Return the lines that go, and the ordinals of the documents that lose one."""
    least = config.repeated_line_documents
    nothing = RepeatedLines(np.empty(0, np.uint64), np.empty(0, np.int64))
    if not least:
        return nothing, []
    counts = LineCounts()
    for hashes, _ in _lines_of_kept(parts, cuts, rejected):
        counts.add(hashes)
    found: list[tuple[NDArray[np.uint64], NDArray[np.int64]]] = []
    for hashes, ordinals in _lines_of_kept(parts, cuts, rejected):
        is_repeated = counts.repeated(hashes, least)
        found.append((hashes[is_repeated], ordinals[is_repeated]))
    if not found:
        return nothing, []
    hashes = np.concatenate([one for one, _ in found])
    ordinals = np.concatenate([one for _, one in found])
    unique, first = np.unique(hashes, return_index=True)  # the first of equals is the earliest
    repeated = RepeatedLines(unique, ordinals[first])
    keepers = repeated.keepers[np.searchsorted(unique, hashes)]
    return repeated, np.unique(ordinals[keepers != ordinals]).tolist()


def _lines_of_kept(
    parts: Sequence[Part], cuts: Sequence[Cut], rejected: Mapping[int, Rejection]
) -> Iterable[tuple[NDArray[np.uint64], NDArray[np.int64]]]:
    """Yield by part the hashes of the lines of kept documents, and the ordinal of each."""
    starts = _starts([cut.n_candidates for cut in cuts])
    for part, cut, start in zip(parts, cuts, starts, strict=False):
        n_lines = part.candidates["lines"][: cut.n_candidates]
        ordinals = np.repeat(np.arange(start, start + cut.n_candidates), n_lines)
        hashes = part.line_hashes()[: len(ordinals)]
        gone = np.array([o for o in range(start, start + cut.n_candidates) if o in rejected])
        is_kept = ~np.isin(ordinals, gone)
        yield hashes[is_kept], ordinals[is_kept]


def _texts(
    parts: Sequence[Part], cuts: Sequence[Cut], ordinals: Sequence[int]
) -> Iterable[tuple[int, str]]:
    starts = _starts([cut.n_candidates for cut in cuts])
    for ordinal in ordinals:
        number = int(np.searchsorted(starts, ordinal, side="right")) - 1
        yield ordinal, parts[number].read_text(ordinal - starts[number])
