"""An interpolated Kneser-Ney character 5-gram: the baseline that a language model has to beat.

Source:
    Chen and Goodman 1998, "An Empirical Study of Smoothing Techniques for Language Modeling",
    section 2.7 (one discount an order, D = n1 / (n1 + 2 n2)).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ORDER = 5
_START = 0  # stands ORDER - 1 times before each text; never predicted
_UNSEEN = 1  # every character that training lacked
_N_CHARACTERS = 1_112_064  # Unicode scalar values: what an unseen character may be
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """The n-grams of one order: `keys` = context id * n_symbols + last symbol, sorted."""

    keys: Integers
    discounted: NDArray[np.float64]  # (count - D) / total of the context
    backoff: NDArray[np.float64]  # by context id: D * (kinds after the context) / total


@dataclass(frozen=True, slots=True, eq=False)
class KneserNey:
    """A trained model; `train_kneser_ney` makes it."""

    symbols: dict[str, int]
    levels: tuple[_Level, ...]  # of orders 1 to ORDER

    @property
    def _n_symbols(self) -> int:
        return len(self.symbols) + 2

    def log_likelihood(self, text: str) -> float:
        """Return the natural logarithm of the probability of a text, its end left out."""
        if not text:
            return 0.0
        stream = _to_stream([text], self.symbols)
        probabilities = self._probabilities(stream)[ORDER - 1 :]
        return float(np.log(probabilities).sum())

    def probability(self, context: str, character: str) -> float:
        """Return the probability of a character after a text that begins with `context`."""
        stream = _to_stream([context + character], self.symbols)
        return float(self._probabilities(stream)[-1])

    def _probabilities(self, stream: Integers) -> NDArray[np.float64]:
        """Return the probability of each symbol of a stream after the ones before it."""
        n_seen = len(self.symbols)
        # The base: uniform over the seen characters and one class for the unseen ones, which
        # share their part.
        base = np.full(len(stream), 1 / (n_seen + 1))
        base[stream == _UNSEEN] /= _N_CHARACTERS - n_seen
        contexts = np.zeros(len(stream), dtype=np.int64)
        probabilities, grams = base, list[Integers]()
        for level in self.levels:
            keys = contexts * self._n_symbols + stream
            ids = np.searchsorted(level.keys, keys)
            ids = np.minimum(ids, len(level.keys) - 1)
            is_known = (level.keys[ids] == keys) & (contexts >= 0)
            backoff = np.where(contexts >= 0, level.backoff[np.maximum(contexts, 0)], 1.0)
            probabilities = np.where(is_known, level.discounted[ids], 0) + backoff * probabilities
            grams.append(np.where(is_known, ids, -1))
            contexts = np.concatenate([[-1], grams[-1][:-1]])
        return probabilities


def train_kneser_ney(texts: Iterable[str]) -> KneserNey:
    """Count the 1- to 5-grams of texts and return the model.

    Memory: about 100 bytes a character of text.
    """
    kept = list(texts)
    characters = sorted({character for text in kept for character in text})
    symbols = {character: place for place, character in enumerate(characters, start=2)}
    stream = _to_stream(kept, symbols)
    is_predicted = stream != _START
    n_symbols = len(symbols) + 2
    ids: list[Integers] = []
    keys: list[Integers] = []
    contexts = np.zeros(len(stream), dtype=np.int64)
    for _ in range(ORDER):
        unique, found = np.unique(contexts * n_symbols + stream, return_inverse=True)
        keys.append(unique)
        ids.append(found.astype(np.int64))
        contexts = np.concatenate([[0], ids[-1][:-1]])
    counts = _counts(keys, ids, is_predicted)
    n_contexts = (1, *(len(unique) for unique in keys[:-1]))
    levels = tuple(
        _to_level(unique, count, n_symbols, n)
        for unique, count, n in zip(keys, counts, n_contexts, strict=True)
    )
    return KneserNey(symbols, levels)


def _to_stream(texts: Iterable[str], symbols: dict[str, int]) -> Integers:
    parts: list[Integers] = []
    for text in texts:
        codes = [symbols.get(character, _UNSEEN) for character in text]
        parts.append(np.array([_START] * (ORDER - 1) + codes, dtype=np.int64))
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


def _counts(
    keys: list[Integers], ids: list[Integers], is_predicted: NDArray[np.bool_]
) -> list[Integers]:
    """Return plain counts at the highest order, kinds of left neighbours below it.

    N-grams that end in the start mark predict nothing and count 0: so none reaches from one text
    into the next.
    """
    counts: list[Integers] = []
    for order in range(1, ORDER):
        _, first = np.unique(ids[order], return_index=True)
        first = first[is_predicted[first]]
        counts.append(np.bincount(ids[order - 1][first], minlength=len(keys[order - 1])))
    highest = ids[-1][is_predicted]
    counts.append(np.bincount(highest, minlength=len(keys[-1])))
    return [count.astype(np.int64) for count in counts]


def _to_level(keys: Integers, counts: Integers, n_symbols: int, n_contexts: int) -> _Level:
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    discount = once / (once + 2 * twice) if once and twice else 0.5
    contexts = keys // n_symbols
    totals = np.bincount(contexts, weights=counts, minlength=n_contexts)
    kinds = np.bincount(contexts[counts > 0], minlength=n_contexts)
    is_used = totals > 0
    backoff = np.ones(n_contexts)
    backoff[is_used] = discount * kinds[is_used] / totals[is_used]
    discounted = np.zeros(len(keys))
    is_counted = counts > 0
    discounted[is_counted] = (counts[is_counted] - discount) / totals[contexts[is_counted]]
    return _Level(keys, discounted, backoff)
