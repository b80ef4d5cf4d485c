"""Duplicates: the same text (SHA-256), and nearly the same (MinHash, then exact Jaccard).

Two steps. `fingerprint` needs one text and runs anywhere; `find_duplicates` takes the fingerprints
of all texts in their order and decides, reading again only texts that have a look-alike.
"""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rinsho.corpus import kernels
from rinsho.corpus.document import Rejection
from rinsho.corpus.kernels import N_BINS
from rinsho.corpus.ngrams import (
    Hashes,
    SmallHashes,
    compact_code_points,
    compact_in_a_row,
    hash_ngrams,
    hash_ngrams_small,
    in_a_row,
    unique,
)

N_GRAM_CHARS = 5  # shorter ones are shared by unrelated texts, longer ones break at every edit
# Texts of Jaccard similarity s share a band with probability 1 - (1 - s**8)**16: 0.994 at 0.85.
N_BANDS, N_ROWS_PER_BAND = 16, 8
assert N_BINS == N_BANDS * N_ROWS_PER_BAND
DIGEST_BYTES = 16
MAX_CANDIDATES_PER_BAND = 32  # a band that more texts share is boilerplate, and would be quadratic
MAX_CHECKS = 64  # of one text, those first that share most bands
CACHE_BYTES = 32 * 2**20  # of n-gram sets that may be needed again
# n-grams are counted by 32-bit hashes; even 2 million of them lose less than 1 in 2,000 that way.
_COUNT_MARGIN = 0.999

_BIN_SHIFT = np.uint32(32 - 7)
_BIN_EDGES = np.arange(N_BINS, dtype=np.uint32) << _BIN_SHIFT
_BAND_MIX = np.random.default_rng(0).integers(1, 2**63, N_ROWS_PER_BAND, dtype=np.uint64) * 2 + 1
# Where an empty bin borrows from: the first full one in an order of its own.
_LENDERS = np.random.default_rng(1).permuted(np.tile(np.arange(N_BINS), (N_BINS, 1)), axis=1)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What has to be known of a text to find its duplicates.

    Attributes:
        digest: The first 16 bytes of the SHA-256 of the text in UTF-8.
        keys: uint64, shape (16,): one per band; texts with an equal key in a band are compared.
        n_shingles: Different character 5-grams, blanks not counted; 0 for fewer than 5 characters.
        n_bytes: Of the text in UTF-8.
    """

    digest: bytes
    keys: Hashes
    n_shingles: int
    n_bytes: int


def fingerprint(text: str) -> Fingerprint:
    """Return the fingerprint of a text, the same in every process and on every machine.

    >>> fingerprint("急性心筋梗塞の既往").n_shingles
    5
    """
    return fingerprints([text])[0]


def fingerprints(texts: Sequence[str]) -> list[Fingerprint]:
    """Return `fingerprint` of each text; over many at once, a short one costs a fifth."""
    if not texts:
        return []
    least, n_shingles = _least_shingles(texts)
    keys = band_keys(_signatures(least, n_shingles > 0))
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    return [
        Fingerprint(hashlib.sha256(data).digest()[:DIGEST_BYTES], key, n, len(data))
        for data, key, n in zip(encoded, keys, n_shingles.tolist(), strict=True)
    ]


def _least_shingles(texts: Sequence[str]) -> tuple[SmallHashes, NDArray[np.int64]]:
    """Return the least n-gram of each text in each range, and how many different ones it has."""
    if kernels.are_here():
        return kernels.least_shingles(*in_a_row(texts))
    return least_shingles_by_numpy(texts)


def least_shingles_by_numpy(texts: Sequence[str]) -> tuple[SmallHashes, NDArray[np.int64]]:
    """Return what `kernels.least_shingles` does, but for what stands in ranges without a hash."""
    shingles = _ordered_shingles(texts)
    n_different = [np.count_nonzero(one[1:] != one[:-1]) + (len(one) > 0) for one in shingles]
    return _least(shingles), np.array(n_different, dtype=np.int64)


def _ordered_shingles(texts: Sequence[str]) -> list[SmallHashes]:
    """Return the hashes of the n-grams of each text, sorted."""
    codes, starts = compact_in_a_row(texts)
    hashes = hash_ngrams_small(codes, N_GRAM_CHARS)
    sizes = np.maximum(0, np.diff(starts) - N_GRAM_CHARS)  # the NUL after a text is in none
    parts = [
        hashes[start : start + n] for start, n in zip(starts.tolist(), sizes.tolist(), strict=False)
    ]
    for part in parts:
        part.sort()
    return parts


def signatures(shingles: Sequence[SmallHashes]) -> SmallHashes:
    """Return the one-permutation MinHash of each text: the least hash in each of 128 equal ranges.

    Args:
        shingles: The hashes of each text, sorted.

    Returns:
        Shape (n_texts, 128); zeros for a text without any hash.

    Source:
        Li, Owen, Zhang 2012, "One Permutation Hashing"; empty ranges borrow from random full ones
        as in Shrivastava 2017, "Optimal Densification" (ICML).
    """
    is_filled = np.array([len(one) > 0 for one in shingles], dtype=bool)
    return _signatures(_least(shingles), is_filled)


def _least(shingles: Sequence[SmallHashes]) -> SmallHashes:
    """Return the least hash in each range, a number of another range where it has none."""
    least = np.zeros((len(shingles), N_BINS), dtype=np.uint32)
    for own, row in zip(shingles, least, strict=True):
        if len(own):  # past the last hash the last one is taken, which is in no later range
            own.take(own.searchsorted(_BIN_EDGES), mode="clip", out=row)
    return least


def _signatures(least: SmallHashes, is_filled: NDArray[np.bool_]) -> SmallHashes:
    is_full = ((least >> _BIN_SHIFT) == np.arange(N_BINS)) & is_filled[:, None]
    values = np.where(is_full, least - _BIN_EDGES, np.uint32(0))
    texts, bins = np.nonzero(~is_full & is_filled[:, None])
    for turn in range(N_BINS):
        if not len(texts):
            break
        lenders = _LENDERS[bins, turn]
        lends = is_full[texts, lenders]
        values[texts[lends], bins[lends]] = values[texts[lends], lenders[lends]]
        texts, bins = texts[~lends], bins[~lends]
    return values


def band_keys(minhashes: SmallHashes) -> Hashes:
    """Return one key per band of each text, uint64, shape (n_texts, 16)."""
    rows = minhashes.reshape(-1, N_BANDS, N_ROWS_PER_BAND).astype(np.uint64)
    return (rows * _BAND_MIX).sum(axis=2, dtype=np.uint64)


def shingles(text: str) -> Hashes:
    """Return the set of character 5-grams of a text without blanks, as sorted hashes."""
    return unique(hash_ngrams(compact_code_points(text), N_GRAM_CHARS))


def jaccard(first: Hashes, second: Hashes) -> float:
    """Return the share of n-grams that two sets have in common (sorted, each once).

    >>> jaccard(shingles("急性心筋梗塞の既往"), shingles("急性心筋梗塞の既往あり"))
    0.7142857142857143
    """
    smaller, larger = (first, second) if len(first) < len(second) else (second, first)
    if not len(smaller):
        return 0.0
    places = np.searchsorted(larger, smaller)
    n_shared = int(np.count_nonzero(larger.take(places, mode="clip") == smaller))
    return n_shared / (len(first) + len(second) - n_shared)


# ---------------------------------------------------------------------------------- all texts


def find_duplicates(
    digests: NDArray[np.uint8],
    keys: Hashes,
    n_shingles: NDArray[np.int64],
    read_text: Callable[[int], str],
    *,
    min_jaccard: float,
    check_exact: NDArray[np.bool_],
    check_near: NDArray[np.bool_],
) -> dict[int, Rejection]:
    """Decide which texts are duplicates of one before them that is kept.

    The same decisions as taking the texts one at a time in their order and comparing each with
    those kept so far. A text that is not checked is kept, and later ones are compared with it.

    Memory: 110 to 230 bytes per text beside the arguments (154 bytes), and 32 MB of n-grams.

    Args:
        digests: Shape (n, 16).
        keys: Shape (n, 16).
        n_shingles: Shape (n,); a text with none is never a near duplicate.
        read_text: Gives a text by its number; asked only for texts that share a band.
        min_jaccard: A text this similar to a kept one, or more, is rejected; 0: none is.
        check_exact: Shape (n,): whether the rule `exact_duplicate` judges a text.
        check_near: Shape (n,): whether the rule `near_duplicate` judges a text.

    Returns:
        By number, in order, the texts to reject.
    """
    halves = np.ascontiguousarray(digests).view(np.uint64)
    twins = _number_groups(halves[:, 0], halves[:, 1])
    has_twin_kept = np.zeros(int(twins.max(initial=-1)) + 1, dtype=bool)
    is_in_play = twins >= 0
    near = None
    if min_jaccard:
        near = _NearSearch(keys, n_shingles, read_text, min_jaccard)
        is_in_play |= near.has_look_alike()
    rejected: dict[int, Rejection] = {}
    for number in map(int, np.flatnonzero(is_in_play)):
        twin = int(twins[number])
        if check_exact[number] and twin >= 0 and has_twin_kept[twin]:
            rejected[number] = Rejection("exact_duplicate", measured=1, limit=0)
            continue
        if near and check_near[number] and (similarity := near.nearest(number)) is not None:
            rejected[number] = Rejection("near_duplicate", round(similarity, 3), min_jaccard)
            continue
        if twin >= 0:
            has_twin_kept[twin] = True
        if near:
            near.keep(number)
    return rejected


def _number_groups(*columns: NDArray[np.uint64]) -> NDArray[np.int32]:
    """Return for each row the number of its group of equal rows, -1 where it stands alone."""
    order = np.lexsort(columns)
    is_same = np.zeros(len(order) + 1, dtype=bool)  # as the row before it
    is_same[1:-1] = True
    for column in columns:
        ordered = column[order]
        is_same[1:-1] &= ordered[1:] == ordered[:-1]
    is_member = is_same[:-1] | is_same[1:]
    numbers = np.cumsum(is_member & ~is_same[:-1], dtype=np.int32) - 1
    groups = np.full(len(order), -1, dtype=np.int32)
    groups[order[is_member]] = numbers[is_member]
    return groups


class _NearSearch:
    """The kept texts by the bands that they share with another text."""

    def __init__(
        self,
        keys: Hashes,
        n_shingles: NDArray[np.int64],
        read_text: Callable[[int], str],
        min_jaccard: float,
    ) -> None:
        self._n_shingles, self._min_jaccard = n_shingles, min_jaccard
        self._shingles = _ShingleCache(read_text)
        self._groups = np.full((len(keys), N_BANDS), -1, dtype=np.int32)
        numbers = np.flatnonzero(n_shingles)
        n_slots = [np.zeros(0, dtype=np.uint8)]
        n_groups = 0
        for band in range(N_BANDS):
            groups = _number_groups(keys[numbers, band])
            sizes = np.bincount(groups[groups >= 0])
            groups[groups >= 0] += n_groups
            self._groups[numbers, band] = groups
            n_slots.append(np.minimum(sizes, MAX_CANDIDATES_PER_BAND).astype(np.uint8))
            n_groups += len(sizes)
        self._n_free = np.concatenate(n_slots)
        self._ends = np.cumsum(self._n_free, dtype=np.int64)
        self._kept = np.empty(int(self._ends[-1]) if n_groups else 0, dtype=np.int32)

    def has_look_alike(self) -> NDArray[np.bool_]:
        """Return for each text whether it shares a band with any other."""
        return self._groups.max(axis=1) >= 0

    def nearest(self, number: int) -> float | None:
        """Return the similarity to the first kept text found that is too similar, or None."""
        for other in self._candidates(number):
            similarity = jaccard(self._shingles.of(number), self._shingles.of(other))
            if similarity >= self._min_jaccard:
                return similarity
        return None

    def keep(self, number: int) -> None:
        """Let later texts be compared with this one."""
        for group in self._groups_of(number):
            if self._n_free[group]:
                self._kept[self._ends[group] - self._n_free[group]] = number
                self._n_free[group] -= 1

    def _groups_of(self, number: int) -> list[int]:
        return [group for group in self._groups[number].tolist() if group >= 0]

    def _candidates(self, number: int) -> list[int]:
        """Return kept texts of a fitting size, those that share most bands first."""
        n_shared: Counter[int] = Counter()
        for group in self._groups_of(number):
            start = self._ends[group - 1] if group else 0
            n_shared.update(self._kept[start : self._ends[group] - self._n_free[group]].tolist())
        fitting = [other for other in n_shared if self._may_be_similar(number, other)]
        return sorted(fitting, key=lambda other: (-n_shared[other], other))[:MAX_CHECKS]

    def _may_be_similar(self, number: int, other: int) -> bool:
        smaller, larger = sorted((int(self._n_shingles[number]), int(self._n_shingles[other])))
        return smaller >= self._min_jaccard * larger * _COUNT_MARGIN


@dataclass(slots=True)
class _ShingleCache:
    """Sets of n-grams by the number of their text; those unused for longest go first."""

    read_text: Callable[[int], str]
    _sets: OrderedDict[int, Hashes] = field(default_factory=OrderedDict[int, Hashes])
    _n_bytes: int = 0

    def of(self, number: int) -> Hashes:
        if number in self._sets:
            self._sets.move_to_end(number)
            return self._sets[number]
        found = shingles(self.read_text(number))
        self._sets[number] = found
        self._n_bytes += found.nbytes
        while self._n_bytes > CACHE_BYTES and len(self._sets) > 1:
            self._n_bytes -= self._sets.popitem(last=False)[1].nbytes
        return found
