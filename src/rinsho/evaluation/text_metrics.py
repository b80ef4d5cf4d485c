"""Metrics of plain text: bits per byte, and how a free generation repeats and copies."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rinsho.evaluation.bootstrap import Metric, ratio

REPEATED_N, COPIED_N = 10, 20  # characters; 20 of them stand together by chance in set phrases only
_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no character is lost modulo 2**64


def bits_per_byte(log_likelihoods: Sequence[float], n_bytes: Sequence[int]) -> Metric:
    """Return the cross-entropy of texts in bits per UTF-8 byte; lower is better.

    Args:
        log_likelihoods: Natural logarithm, summed over each text, its end mark left out.
        n_bytes: UTF-8 bytes of each text.

    Source:
        sum(-ln p) / (ln 2 * sum(bytes)); Gao et al. 2020, "The Pile", section 3.1.
    """
    counts_RK = np.stack([-np.asarray(log_likelihoods), np.asarray(n_bytes, dtype=np.float64)], 1)
    return Metric(
        "bits_per_byte",
        counts_RK,
        lambda s_DK: ratio(s_DK[:, 0], s_DK[:, 1] * math.log(2)),
        is_higher_better=False,
    )


def repetition_rate(text: str) -> float | None:
    """Return the share of a text's 10-character strings that stood in it before.

    None where the text has fewer than 10 characters.

    >>> repetition_rate("発熱と咳嗽を認めた。"), repetition_rate("発熱。" * 7)
    (0.0, 0.75)
    """
    n_grams = len(text) - REPEATED_N + 1
    if n_grams < 1:
        return None
    return 1 - len({text[at : at + REPEATED_N] for at in range(n_grams)}) / n_grams


@dataclass(frozen=True, slots=True)
class Copied:
    """What a generation shares with training text."""

    share: float | None  # of its 20-character strings; None where it has fewer than 20 characters
    longest_characters: int  # the longest run of which every 20 characters were seen; 0 for none


def count_copied(generations: Sequence[str], training_texts: Iterable[str]) -> list[Copied]:
    """Look up every 20-character string of the generations in the training texts.

    Strings are searched by hash and then compared, so that a collision counts for nothing.
    """
    wanted = {gram for text in generations for gram in _grams(text)}
    hashes = np.unique(
        np.array([_hash_grams(_code_points(gram))[0] for gram in wanted], dtype=np.uint64)
    )
    seen: set[str] = set()
    for text in training_texts:
        found = np.flatnonzero(np.isin(_hash_grams(_code_points(text)), hashes))
        seen.update(text[at : at + COPIED_N] for at in found.tolist())
    return [_copied(text, seen & wanted) for text in generations]


def _grams(text: str) -> list[str]:
    return [text[at : at + COPIED_N] for at in range(len(text) - COPIED_N + 1)]


def _copied(text: str, seen: set[str]) -> Copied:
    is_seen = [gram in seen for gram in _grams(text)]
    longest = run = 0
    for one in is_seen:
        run = run + 1 if one else 0
        longest = max(longest, run)
    share = sum(is_seen) / len(is_seen) if is_seen else None
    return Copied(share, longest + COPIED_N - 1 if longest else 0)


def _code_points(text: str) -> NDArray[np.uint64]:
    raw = text.encode("utf-32-le", errors="surrogatepass")
    return np.frombuffer(raw, dtype="<u4").astype(np.uint64)


def _hash_grams(codes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a polynomial hash, modulo 2**64, of each 20-character string of a text."""
    n_grams = max(0, len(codes) - COPIED_N + 1)
    hashes = np.zeros(n_grams, dtype=np.uint64)
    for place in range(COPIED_N):
        hashes = hashes * _BASE + codes[place : place + n_grams]
    return hashes
