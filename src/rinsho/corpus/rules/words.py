"""Where the words of many lists stand in a text, found in one pass."""

from __future__ import annotations

import bisect
import functools
import itertools
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rinsho.corpus import kernels
from rinsho.corpus.ngrams import CodePoints, SmallHashes, code_points
from rinsho.corpus.rules.view import TextRow
from rinsho.corpus.rules.word_lists import SCANNED, read_words

KEY_CHARS = 3  # a word is found by three of its characters
_N_BITS = 18  # of a key's slots
_FACTORS = np.array((0x9E3779B1, 0x85EBCA6B, 0xC2B2AE35), dtype=np.uint32)
_SHIFT, _MASK = np.uint32(32 - _N_BITS), np.uint32((1 << _N_BITS) - 1)


class Hit(NamedTuple):
    """A word of a list in a text."""

    start: int
    end: int
    word_list: str


class WordIndex:
    """The words of all lists by a key of three characters each.

    Args:
        word_lists: Words by the name of their list; each word has three characters or more.
    """

    def __init__(self, word_lists: Mapping[str, Sequence[str]]) -> None:
        self._slots = np.zeros(1 << _N_BITS, dtype=bool)
        self._words: dict[str, list[tuple[str, int, str]]] = defaultdict(list)
        for name, words in word_lists.items():
            for word in words:
                offset = _rarest_key(word)
                key = word[offset : offset + KEY_CHARS]
                self._words[key].append((word, offset, name))
                for slots in _slots_of(code_points(key)):
                    self._slots[slots] = True
        self._bits = np.packbits(self._slots, bitorder="little")

    def find(self, text: str, codes: NDArray[np.uint32]) -> list[Hit]:
        """Return every word of the lists in a text, by where it begins.

        A word inside a longer one of any list is not counted.
        """
        if len(codes) < KEY_CHARS:
            return []
        hits: list[Hit] = []
        for place in self.candidates(codes).tolist():
            for word, offset, name in self._words.get(text[place : place + KEY_CHARS], ()):
                start = place - offset
                if start >= 0 and text.startswith(word, start):
                    hits.append(Hit(start, start + len(word), name))
        return _outermost(hits) if len(hits) > 1 else hits

    def candidates(self, codes: CodePoints) -> NDArray[np.integer]:
        """Return the places of a text where a key may stand, in order."""
        if kernels.are_here():
            return kernels.find_keys(codes, _FACTORS, self._bits)
        return self.candidates_by_numpy(codes)

    def candidates_by_numpy(self, codes: CodePoints) -> NDArray[np.integer]:
        """Return what `kernels.find_keys` does."""
        first, last = _slots_of(codes)
        maybe = self._slots.take(first).nonzero()[0]
        return maybe[self._slots.take(last[maybe])]


def _slots_of(codes: CodePoints) -> tuple[SmallHashes, SmallHashes]:
    """Return the first and the last bits of the hash of every three characters."""
    first, second, third = _FACTORS
    hashes = codes[:-2] * first
    hashes += codes[1:-1] * second
    hashes += codes[2:] * third
    return hashes >> _SHIFT, hashes & _MASK


def _rarest_key(word: str) -> int:
    """Return where the key with the fewest hiragana begins: those are the most common."""
    is_hiragana = np.array(["ぁ" <= character <= "ん" for character in word])
    n_hiragana = is_hiragana[:-2] * 1 + is_hiragana[1:-1] + is_hiragana[2:]
    return int(np.argmin(n_hiragana))


def _outermost(hits: list[Hit]) -> list[Hit]:
    """Leave out the hits inside another one."""
    ordered = sorted(hits, key=lambda hit: (hit.start, -hit.end))
    kept: list[Hit] = []
    end = 0
    for hit in ordered:
        if hit.end > end:
            kept.append(hit)
            end = hit.end
    return kept


@functools.cache
def _index() -> WordIndex:
    return WordIndex({name: read_words(name) for name in SCANNED})


class WordHits:
    """How many words of each list stand in one text.

    Args:
        words: Each with its list, as often as it stands there.
    """

    __slots__ = ("_n_different", "_n_of_list")

    def __init__(self, words: Sequence[tuple[str, str]]) -> None:
        self._n_of_list = Counter(word_list for word_list, _ in words)
        self._n_different = Counter(word_list for word_list, _ in set(words))

    def count(self, word_list: str) -> int:
        """Return how many words of a list stand in the text."""
        return self._n_of_list[word_list]

    def count_different(self, word_list: str) -> int:
        """Return how many different words of a list stand in the text."""
        return self._n_different[word_list]


_NO_HITS = WordHits(())


def hits_in(row: TextRow) -> list[WordHits]:
    """Return which words of the lists stand in each text of a row."""
    words: dict[int, list[tuple[str, str]]] = defaultdict(list)
    ends = [*itertools.accumulate(len(text) + 1 for text in row.texts)]
    for hit in _index().find(row.text, row.codes):
        number = bisect.bisect_right(ends, hit.start)
        words[number].append((hit.word_list, row.text[hit.start : hit.end]))
    return [
        WordHits(words[number]) if number in words else _NO_HITS for number in range(len(row.texts))
    ]
