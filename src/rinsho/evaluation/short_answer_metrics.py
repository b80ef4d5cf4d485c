"""Metrics of short answers: ratings by correlation, answers from a passage by their characters."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from rinsho.evaluation.bootstrap import Floats, Metric, mean
from rinsho.evaluation.entity_metrics import f1

LOWEST, HIGHEST = 0.0, 5.0  # of every scale of similarity that is asked for


def to_rating(found: Decimal | None) -> float | None:
    """Return a number as a rating, or None where it is outside the scale."""
    is_inside = found is not None and LOWEST <= found <= HIGHEST
    return float(found) if found is not None and is_inside else None


def rating_metrics(
    gold: Sequence[float], predictions: Sequence[float | None]
) -> tuple[Metric, ...]:
    """Return Pearson's and Spearman's correlation, and the mean distance.

    An invalid answer counts as the end of the scale that is farthest from gold. Under the bootstrap
    ranks stay those among all rows. No spread on one side makes a correlation 0.
    """
    pairs = zip(gold, predictions, strict=True)
    gold_R = np.asarray(gold, dtype=np.float64)
    found_R = np.array([_farthest(one) if p is None else p for one, p in pairs], dtype=np.float64)
    return (
        _correlation("pearson", gold_R, found_R),
        _correlation("spearman", ranks(gold_R), ranks(found_R)),
        _distance(gold_R, found_R),
    )


def _farthest(gold: float) -> float:
    return LOWEST if gold - LOWEST >= HIGHEST - gold else HIGHEST


def _distance(gold_R: Floats, found_R: Floats) -> Metric:
    one = mean("mean_distance", np.abs(gold_R - found_R))
    return Metric(one.name, one.counts, one.statistic, is_higher_better=False)


def ranks(values_R: Floats) -> Floats:
    """Return ranks from 1; equal values share the mean of theirs.

    >>> ranks(np.array([0.0, 5.0, 0.0])).tolist()
    [1.5, 3.0, 1.5]
    """
    _, places_R, counts = np.unique(values_R, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[places_R]


def _correlation(name: str, first_R: Floats, second_R: Floats) -> Metric:
    x, y = first_R - first_R.mean(), second_R - second_R.mean()
    counts_RK = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)

    def statistic(sums_DK: Floats) -> Floats:
        n, sum_x, sum_y, sum_xx, sum_yy, sum_xy = sums_DK.T
        spread = (sum_xx - sum_x * sum_x / n) * (sum_yy - sum_y * sum_y / n)
        is_flat = spread <= 1e-9 * n * n
        together = sum_xy - sum_x * sum_y / n
        return np.where(is_flat, 0.0, together / np.sqrt(np.where(is_flat, 1.0, spread)))

    return Metric(name, counts_RK, statistic)


def passage_metrics(gold: Sequence[Sequence[str]], outputs: Sequence[str]) -> tuple[Metric, ...]:
    """Return exact match and the F1 of characters, the best over the accepted answers."""
    rows = list(zip(gold, outputs, strict=True))
    return (
        mean("exact_match", [is_exact(accepted, output) for accepted, output in rows]),
        mean("character_f1", [character_f1(accepted, output) for accepted, output in rows]),
    )


def fold_answer(text: str) -> str:
    """Return an answer under NFKC without blanks, quotes and the full stop at its end.

    >>> fold_answer(" 「５月 から」。 ")
    '5月から'
    """
    folded = "".join(unicodedata.normalize("NFKC", text).split())
    return folded.rstrip("。.").strip("「」『』\"'")


def is_exact(accepted: Sequence[str], output: str) -> bool:
    """Say whether an output is one of the accepted answers."""
    return fold_answer(output) in {fold_answer(one) for one in accepted}


def character_f1(accepted: Sequence[str], output: str) -> float:
    """Return the largest F1 of the characters of an output and an accepted answer.

    >>> character_f1(["雨季"], "雨季の一種")
    0.5714285714285714
    """
    said = Counter(fold_answer(output))
    bags = [Counter(fold_answer(one)) for one in accepted]
    return max(f1((said & bag).total(), said.total(), bag.total()) for bag in bags)
