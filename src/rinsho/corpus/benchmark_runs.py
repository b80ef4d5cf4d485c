"""The runs of characters of a benchmark's items, as hashes, and fast look-ups among hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from rinsho.corpus import kernels
from rinsho.corpus.ngrams import (
    CodePoints,
    Hashes,
    code_points,
    hash_ngrams,
    unique,
    without_blanks,
)
from rinsho.text.normalize import normalize_all

MAX_CELLS = 20  # a run in so many strings of one file is an instruction, not an item
_MAX_STRIDE = 8
_NO_CONTENT_SHARE = 0.5  # of characters that repeat one of the four before them
_BETWEEN = "\0" * 4  # items are hashed together; this keeps their ends from looking alike
_BLOCK = 2**18  # characters that are hashed at once
_CHUNK = 2**14  # characters that are looked up at once: they stay in the cache
PROBE_EVERY = 4  # characters: a text is looked at in every fourth place, a run in four of them
_FILTER_BITS_PER_HASH = 16  # at least: one other hash in 60 or fewer passes by chance
_SECOND_BIT = np.uint64(32)  # a hash sets the bit of its leading part, and that of its trailing one
_MIN_FILTER_BITS = 16
_COUNTED_BITS = 20  # at most: a million counters

Bits = NDArray[np.uint8]
Numbers = NDArray[np.int64]


def stride_of(n_chars: int) -> int:
    """Return how many characters lie between two indexed runs, for shared runs of `n_chars`.

    >>> stride_of(50), stride_of(10)
    (8, 2)
    """
    return min(_MAX_STRIDE, max(1, n_chars // 4))


class ItemRuns:
    """The items of one benchmark, each once, and their runs at every `stride`-th character."""

    def __init__(self, n_chars: int) -> None:
        self.n_items = 0
        self._n_chars = n_chars
        self._seen: set[bytes] = set()
        self._hashes = [np.empty(0, dtype=np.uint64)]
        self._items = [np.empty(0, dtype=np.int32)]
        self._probes = [np.empty(0, dtype=np.uint64)]

    def add_file(self, cells: Iterable[str]) -> None:
        """Add the strings of a file, without the runs that stand in many of them."""
        long = [cell for cell in cells if len(cell) >= self._n_chars]
        normalized = (text for _, block in _blocks(long) for text in normalize_all(block))
        compact = map(without_blanks, normalized)
        texts = list(dict.fromkeys(text for text in compact if len(text) >= self._n_chars))
        hashes, cells_of, probes = _runs_at_strides(texts, self._n_chars)
        numbers = np.array([self._number(text) for text in texts], dtype=np.int32)
        items = numbers[cells_of]
        self._hashes.append(hashes[items >= 0])
        self._items.append(items[items >= 0])
        self._probes.append(probes[items >= 0].ravel())

    def runs(self) -> tuple[Hashes, NDArray[np.int32], Hashes]:
        """Return the hash of each run, the number of its item, and all probes, in no order."""
        hashes, items = np.concatenate(self._hashes), np.concatenate(self._items)
        return hashes, items, np.concatenate(self._probes)

    def _number(self, text: str) -> int:
        """Return a number for an item that is new, and -1 for one of an earlier file."""
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        if digest in self._seen:
            return -1
        self._seen.add(digest)
        self.n_items += 1
        return self.n_items - 1


def _runs_at_strides(
    texts: Sequence[str], n_chars: int
) -> tuple[Hashes, NDArray[np.int32], Hashes]:
    """Return one file's runs: their hashes, the text that each stands in, their probes (n, 4)."""
    stride = stride_of(n_chars)
    run_chars = n_chars - stride + 1
    hashes, cells = [np.empty(0, dtype=np.uint64)], [np.empty(0, dtype=np.int32)]
    probed = [np.empty((0, PROBE_EVERY), dtype=np.uint64)]
    # How many runs there are whose hashes begin with the same bits: common ones are among many.
    n_bits = min(_COUNTED_BITS, sum(map(len, texts)).bit_length())
    n_alike, shift = np.zeros(1 << n_bits, dtype=np.int64), np.uint64(64 - n_bits)
    for first, block in _blocks(texts):
        codes, starts, n_runs = _lay_out(block, run_chars)
        n_wanted = -(-n_runs // stride)
        offsets = stride * ranges(np.zeros_like(n_wanted), n_wanted)
        places = offsets + np.repeat(starts, n_wanted)
        owners = np.repeat(np.arange(first, first + len(block), dtype=np.int32), n_wanted)
        has_content = _has_content(codes, run_chars)[places]
        everywhere = _hash_runs(codes, run_chars)
        if len(texts) >= MAX_CELLS:
            np.add.at(n_alike, (everywhere >> shift).view(np.int64), 1)
        hashes.append(everywhere[places[has_content]])
        cells.append(owners[has_content])
        probed.append(_probes_of_runs(codes, places[has_content], run_chars))
    found, cells_of = np.concatenate(hashes), np.concatenate(cells)
    kept = _first_of_each(found, cells_of)
    maybe = found[n_alike.take((found >> shift).view(np.int64)) >= MAX_CELLS]
    if len(maybe):
        common = _common(texts, run_chars, unique(maybe))
        kept = kept[~is_in(common, found[kept])]
    return found[kept], cells_of[kept], np.concatenate(probed)[kept]


def _first_of_each(hashes: Hashes, cells: NDArray[np.int32]) -> Numbers:
    """Return the places of the runs, one for each that stands in a text more than once."""
    order = sort_by_hash(hashes, cells)
    hashes, cells = hashes[order], cells[order]
    is_first = np.ones(len(hashes), dtype=bool)
    is_first[1:] = (hashes[1:] != hashes[:-1]) | (cells[1:] != cells[:-1])
    return order[is_first]


def sort_by_hash(hashes: Hashes, items: NDArray[np.int32]) -> Numbers:
    """Return the order of pairs by hash, then by item: `np.lexsort`, only faster."""
    order = np.argsort(hashes)  # few are alike, and only these need the slower sort
    ordered = hashes[order]
    is_same = ordered[1:] == ordered[:-1]
    alike = np.flatnonzero(np.append(is_same, False) | np.append(False, is_same))
    pairs = order[alike]
    order[alike] = pairs[np.lexsort((items[pairs], hashes[pairs]))]
    return order


def _common(texts: Sequence[str], run_chars: int, candidates: Hashes) -> Hashes:
    """Return those of some runs that stand in `MAX_CELLS` texts or more, wherever they begin."""
    is_maybe = make_filter(len(candidates), [candidates])
    n_cells = np.zeros(len(candidates), dtype=np.int64)
    for _, block in _blocks(texts):
        codes, starts, n_runs = _lay_out(block, run_chars)
        hashes = _hash_runs(codes, run_chars)[ranges(starts, n_runs)]
        maybe = may_hold(is_maybe, hashes)
        places = np.searchsorted(candidates, hashes[maybe])
        is_found = candidates.take(places, mode="clip") == hashes[maybe]
        cells = np.repeat(np.arange(len(block)), n_runs)[maybe[is_found]]
        pairs = unique((places[is_found] * len(block) + cells).astype(np.uint64))
        n_cells += np.bincount(pairs.astype(np.int64) // len(block), minlength=len(candidates))
    return candidates[n_cells >= MAX_CELLS]


def _blocks(texts: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield parts of a list with the number of their first text, about `_BLOCK` characters each."""
    first, n_chars = 0, 0
    for number, text in enumerate(texts):
        n_chars += len(text)
        if n_chars >= _BLOCK:
            yield first, texts[first : number + 1]
            first, n_chars = number + 1, 0
    if first < len(texts):
        yield first, texts[first:]


def _lay_out(texts: Sequence[str], run_chars: int) -> tuple[CodePoints, Numbers, Numbers]:
    """Return the code points of texts in a row, where each begins, and its number of runs."""
    lengths = np.array([len(text) for text in texts])
    starts = np.cumsum(lengths + len(_BETWEEN)) - lengths - len(_BETWEEN)
    return code_points(_BETWEEN.join(texts)), starts, lengths - run_chars + 1


def _hash_runs(codes: CodePoints, run_chars: int) -> Hashes:
    if kernels.are_here() and run_chars <= kernels.MOST_JOINED:
        return kernels.hash_ngrams(codes, run_chars)
    return hash_ngrams(codes, run_chars)


def _has_content(codes: CodePoints, run_chars: int) -> NDArray[np.bool_]:
    """Tell of each run whether it is more than a short pattern over and over."""
    repeats = np.zeros(len(codes), dtype=bool)
    for distance in range(1, 5):
        repeats[distance:] |= codes[distance:] == codes[:-distance]
    total = np.concatenate(([0], np.cumsum(repeats)))
    return total[run_chars:] - total[:-run_chars] <= _NO_CONTENT_SHARE * run_chars


# ---------------------------------------------------------------------------------- look-ups


def probes(codes: CodePoints, run_chars: int) -> Hashes:
    """Return a hash of what begins at every 4th character, as long as fits into every run.

    Wherever a run of `run_chars` (7 or more) stands, one of its first four characters is a 4th one
    of the text: so a text that holds it has one of its four probes, and is looked at four times
    less often than it has characters.
    """
    whole = len(codes) // PROBE_EVERY * PROBE_EVERY
    four_each = codes[:whole].astype(np.uint16).view(np.uint64)
    return hash_ngrams(four_each, _n_joined(run_chars))


def _n_joined(run_chars: int) -> int:
    """Return how many fours of characters a probe joins."""
    return (run_chars + 1) // PROBE_EVERY - 1


def find_probes(codes: CodePoints, run_chars: int, is_maybe: Bits) -> Numbers:
    """Return which of the `probes` of a text may be those of a run, by their number.

    Args:
        codes: Without blanks, shape (n,).
        run_chars: Of a run.
        is_maybe: The filter of the runs' probes.
    """
    n_joined = _n_joined(run_chars)
    if kernels.are_here() and n_joined <= kernels.MOST_JOINED:
        is_long = len(codes) >= run_chars
        return kernels.find_probes(codes[: len(codes) * is_long], n_joined, is_maybe)
    return find_probes_by_numpy(codes, run_chars, is_maybe)


def find_probes_by_numpy(codes: CodePoints, run_chars: int, is_maybe: Bits) -> Numbers:
    """Return what `kernels.find_probes` does."""
    found = [np.empty(0, dtype=np.int64)]
    for chunk in range(0, len(codes) - run_chars + 1, _CHUNK):
        part = codes[chunk : chunk + _CHUNK + run_chars - 1]
        found.append(may_hold(is_maybe, probes(part, run_chars)) + chunk // PROBE_EVERY)
    return np.unique(np.concatenate(found))


def _probes_of_runs(codes: CodePoints, places: Numbers, run_chars: int) -> Hashes:
    """Return the four probes of the run that begins at each place, shape (n, 4)."""
    everywhere = np.zeros(len(codes), dtype=np.uint64)
    for offset in range(PROBE_EVERY):
        found = probes(codes[offset:], run_chars)
        everywhere[offset::PROBE_EVERY][: len(found)] = found
    return everywhere[places[:, None] + np.arange(PROBE_EVERY)]


def make_filter(n_hashes: int, parts: Iterable[Hashes]) -> Bits:
    """Return a Bloom filter of two bits per hash, for `may_hold`; a power of two long.

    Args:
        n_hashes: In all parts together.
        parts: The hashes, in any order.
    """
    n_bits = max(_MIN_FILTER_BITS, int(_FILTER_BITS_PER_HASH * n_hashes).bit_length())
    is_set = np.zeros(2**n_bits // 8, dtype=np.uint8)
    fill = kernels.fill_filter if kernels.are_here() else fill_filter_by_numpy
    for hashes in parts:
        fill(hashes, is_set)
    return is_set


def fill_filter_by_numpy(hashes: Hashes, is_set: Bits) -> None:
    """Do what `kernels.fill_filter` does."""
    n_bits = (8 * len(is_set)).bit_length() - 1
    width = np.uint32 if n_bits <= 32 else np.uint64  # sorted in half the time
    for part in (hashes, hashes << _SECOND_BIT):
        places = (part >> np.uint64(64 - n_bits)).astype(width)
        places.sort()  # bits that lie together are set in a third of the time
        np.bitwise_or.at(is_set, places >> 3, np.uint8(1) << (places & 7).astype(np.uint8))


def may_hold(is_maybe: Bits, hashes: Hashes) -> Numbers:
    """Return which hashes, by place, may be among those that a filter was made of."""
    maybe = np.flatnonzero(_is_set(is_maybe, hashes))
    return maybe[_is_set(is_maybe, hashes[maybe] << _SECOND_BIT)]


def _is_set(is_maybe: Bits, hashes: Hashes) -> NDArray[np.bool_]:
    n_bits = (8 * len(is_maybe)).bit_length() - 1
    places = hashes >> np.uint64(64 - n_bits)
    bits = places.astype(np.uint8)
    bits &= np.uint8(7)
    places >>= np.uint64(3)
    # take, on signed numbers, needs half the time of is_maybe[places]
    found = is_maybe.take(places.view(np.int64), mode="clip")
    found >>= bits
    found &= np.uint8(1)
    return found.view(np.bool_)


def is_in(ordered: Hashes, hashes: Hashes) -> NDArray[np.bool_]:
    """Tell of each hash whether it is one of some sorted ones."""
    if not len(ordered):
        return np.zeros(len(hashes), dtype=bool)
    return ordered.take(np.searchsorted(ordered, hashes), mode="clip") == hashes


def ranges(starts: Numbers, lengths: Numbers) -> Numbers:
    """Return the numbers of several ranges, one after another.

    >>> ranges(np.array([10, 20]), np.array([2, 3])).tolist()
    [10, 11, 20, 21, 22]
    """
    shifts = np.repeat(starts - np.cumsum(lengths) + lengths, lengths)
    return shifts + np.arange(len(shifts))
