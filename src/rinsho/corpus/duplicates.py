"""Duplicates: the same text (SHA-256), and nearly the same (MinHash, then exact Jaccard)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from rinsho.corpus.document import Document, Rejection
from rinsho.corpus.ngrams import Hashes, hash_ngrams, unique, without_blanks

N_GRAM_CHARS = 5  # shorter ones are shared by unrelated texts, longer ones break at every edit
# Texts of Jaccard similarity s share a band with probability 1 - (1 - s**8)**16: 0.994 at 0.85.
N_BANDS, N_ROWS_PER_BAND = 16, 8
N_BINS = N_BANDS * N_ROWS_PER_BAND
MAX_CANDIDATES_PER_BAND = 32  # a band that more texts share is boilerplate, and would be quadratic

_BIN_EDGES = (np.arange(N_BINS, dtype=np.uint64) << np.uint64(64 - 7)).astype(np.uint64)
_BAND_MIX = np.random.default_rng(0).integers(1, 2**63, N_ROWS_PER_BAND, dtype=np.uint64) * 2 + 1
# Where an empty bin borrows from: optimal densification (Shrivastava 2017, ICML).
_PROBES = np.random.default_rng(1).integers(0, N_BINS, (N_BINS, 8 * N_BINS))


@dataclass(slots=True)
class ExactDuplicates:
    """The texts seen so far, by their hash."""

    _seen: set[bytes] = field(default_factory=set[bytes])

    def check(self, document: Document) -> Rejection | None:
        """Reject a text that was there before; remember it otherwise."""
        digest = hashlib.sha256(document.text.encode()).digest()[:16]
        if digest in self._seen:
            return Rejection("exact_duplicate", measured=1, limit=0)
        self._seen.add(digest)
        return None


def shingles(text: str) -> Hashes:
    """Return the set of character 5-grams of a text without blanks, as sorted hashes."""
    return unique(hash_ngrams(without_blanks(text), N_GRAM_CHARS))


def jaccard(first: Hashes, second: Hashes) -> float:
    """Return the share of n-grams that two sets have in common (sorted, each once).

    >>> jaccard(shingles("急性心筋梗塞の既往"), shingles("急性心筋梗塞の既往あり"))
    0.7142857142857143
    """
    n_shared = len(np.intersect1d(first, second, assume_unique=True))
    return n_shared / max(1, len(first) + len(second) - n_shared)


def signature(sorted_shingles: Hashes) -> Hashes:
    """Return the one-permutation MinHash: the least hash in each of 128 equal ranges.

    Source:
        Li, Owen, Zhang 2012, "One Permutation Hashing"; empty ranges as in Shrivastava 2017.
    """
    first = np.searchsorted(sorted_shingles, _BIN_EDGES)
    last = np.append(first[1:], len(sorted_shingles))
    is_full = first < last
    values = sorted_shingles[np.minimum(first, len(sorted_shingles) - 1)] - _BIN_EDGES
    empty = np.flatnonzero(~is_full)
    for attempt in range(_PROBES.shape[1]):
        if not len(empty):
            break
        lenders = _PROBES[empty, attempt]
        is_found = is_full[lenders]
        values[empty[is_found]] = values[lenders[is_found]]
        empty = empty[~is_found]
    return values


def band_keys(minhash: Hashes) -> list[int]:
    """Return one key per band; two texts are compared where a key is the same."""
    rows = minhash.reshape(N_BANDS, N_ROWS_PER_BAND)
    mixed: NDArray[np.uint64] = (rows * _BAND_MIX).sum(axis=1, dtype=np.uint64)
    return (mixed ^ np.arange(N_BANDS, dtype=np.uint64) * _BAND_MIX[0]).tolist()


@dataclass(slots=True)
class NearDuplicates:
    """The kept texts by their bands, and the texts themselves in a temporary file.

    Args:
        spool: An empty binary file, read and written; kept texts go there for the exact check.
        min_jaccard: A text this similar to a kept one, or more, is rejected.
    """

    spool: BinaryIO
    min_jaccard: float
    _bands: dict[int, list[int]] = field(default_factory=dict[int, list[int]])
    _places: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])

    def check(self, document: Document) -> Rejection | None:
        """Reject a text nearly the same as a kept one; keep it otherwise."""
        own = shingles(document.text)
        if len(own) == 0:
            return None
        keys = band_keys(signature(own))
        nearest = max((self._similarity(own, other) for other in self._candidates(keys)), default=0)
        if nearest >= self.min_jaccard:
            return Rejection("near_duplicate", round(nearest, 3), self.min_jaccard)
        self._keep(document.text, keys, len(own))
        return None

    def _candidates(self, keys: list[int]) -> list[int]:
        return sorted({other for key in keys for other in self._bands.get(key, ())})

    def _similarity(self, own: Hashes, other: int) -> float:
        start, n_bytes, n_shingles = self._places[other]
        smaller, larger = sorted((len(own), n_shingles))
        if smaller < self.min_jaccard * larger:  # it cannot be that similar: no need to read it
            return 0.0
        self.spool.seek(start)
        return jaccard(own, shingles(self.spool.read(n_bytes).decode()))

    def _keep(self, text: str, keys: list[int], n_shingles: int) -> None:
        raw = text.encode()
        start = self.spool.seek(0, 2)
        self.spool.write(raw)
        number = len(self._places)
        self._places.append((start, len(raw), n_shingles))
        for key in keys:
            texts = self._bands.setdefault(key, [])
            if len(texts) < MAX_CANDIDATES_PER_BAND:
                texts.append(number)
