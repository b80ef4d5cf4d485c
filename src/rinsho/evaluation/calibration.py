"""How far a model's own probabilities of the choices can be trusted, and when it should abstain.

The probability of a choice is the softmax of the log-likelihoods of the choices; the confidence of
an answer is the largest of them. Rows without one are left out and counted: questions for several
answers, numbers, items that did not fit the context or that the examiners took out.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rinsho.evaluation.bootstrap import Floats, Metric, mean, ratio, resampled_sums
from rinsho.evaluation.marking import ScoredRow
from rinsho.evaluation.parse import asked_letters

# R rows, K choices, B bins, C steps of coverage, D draws
N_BINS = 10
N_STEPS = 100
TARGETS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)  # shares of right answers that a user may ask for


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Answers of one tenth of the scale of confidence."""

    low: float
    high: float
    n_rows: int
    confidence: float | None  # mean; None where the bin is empty
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class RiskPoint:
    """The share of wrong answers among the most confident ones, with its 95 % interval."""

    coverage: float
    risk: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class AbstentionThreshold:
    """A confidence below which to abstain, so that enough of the given answers are right.

    Chosen on the documents of one half, measured on the other: on the rows that it was chosen on, a
    threshold flatters itself.
    """

    target: float  # share of right answers that was asked for
    threshold: float | None  # None: no confidence reaches the target on the half it is chosen on
    coverage: float | None  # share of the other half that is answered
    accuracy: float | None  # among those; None where none is


@dataclass(frozen=True, slots=True)
class Calibration:
    """What figures of confidence are drawn from."""

    n_rows: int
    n_left_out: int
    bins: tuple[ReliabilityBin, ...]
    risk_coverage: tuple[RiskPoint, ...]
    thresholds: tuple[AbstentionThreshold, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Confidences:
    """One value a row; `is_known` says where there is one."""

    is_known: np.ndarray  # bool, shape (R,)
    confidence: Floats
    is_right: Floats
    brier: Floats


def confidences_of(rows: Sequence[ScoredRow]) -> Confidences:
    """Return the confidence of each row, whether its answer is right, and its Brier score."""
    n_rows = len(rows)
    known = np.array([_has_confidence(row) for row in rows], dtype=bool)
    confidence, right, brier = np.zeros(n_rows), np.zeros(n_rows), np.zeros(n_rows)
    for place, row in enumerate(rows):
        if not known[place]:
            continue
        shares_K = softmax(row.answer.log_likelihoods)
        gold_K = np.array([letter in row.item.gold for letter in row.item.letters], dtype=float)
        confidence[place], right[place] = shares_K.max(), bool(row.is_right)
        brier[place] = ((shares_K - gold_K) ** 2).sum()
    return Confidences(known, confidence, right, brier)


def _has_confidence(row: ScoredRow) -> bool:
    item = row.item
    has_one_answer = len(item.gold) == 1 and asked_letters(item.question) == 1
    scores = row.answer.log_likelihoods
    is_scored = len(scores) == len(item.choices) > 0 and all(map(math.isfinite, scores))
    return is_scored and not row.answer.is_too_long and has_one_answer and not item.excluded


def softmax(log_likelihoods: Sequence[float]) -> Floats:
    """Return the shares of the choices.

    >>> softmax([0.0, 0.0]).tolist()
    [0.5, 0.5]
    """
    values_K = np.asarray(log_likelihoods, dtype=np.float64)
    weights_K = np.exp(values_K - values_K.max())
    return weights_K / weights_K.sum()


# ------------------------------------------------------------------------------- metrics


def calibration_metrics(rows: Sequence[ScoredRow]) -> tuple[Metric, ...]:
    """Return the calibration error, the Brier score and the area under risk over coverage.

    Source:
        Guo et al. 2017, arXiv:1706.04599, eq. 3 (10 equal bins); Brier 1950, summed over the
        choices (0 to 2); Geifman et al. 2019, arXiv:1805.08206 (area under the risk-coverage
        curve, here the mean over 100 steps of coverage; rows of equal confidence share a step).
    """
    found = confidences_of(rows)
    if not found.is_known.any():
        return ()
    brier = mean("brier", found.brier)
    brier_RK = np.stack([found.brier, found.is_known.astype(np.float64)], axis=1)
    return (
        Metric("calibration_error", _bin_counts(found), _calibration_error, False),
        Metric("brier", brier_RK, brier.statistic, False),
        Metric("risk_coverage_area", _step_counts(found), _risk_coverage_area, False),
    )


def _bin_counts(found: Confidences) -> Floats:
    """Return, for each row, one in its bin, its confidence there, and whether it is right."""
    bins = np.minimum((found.confidence * N_BINS).astype(int), N_BINS - 1)
    in_bin_RB = np.eye(N_BINS)[bins] * found.is_known[:, None]
    confidence_RB, right_RB = (
        in_bin_RB * column[:, None] for column in (found.confidence, found.is_right)
    )
    return np.concatenate([in_bin_RB, confidence_RB, right_RB], axis=1)


def _calibration_error(sums_DK: Floats) -> Floats:
    n_DB, confidence_DB, right_DB = np.split(sums_DK, 3, axis=1)
    return ratio(np.abs(confidence_DB - right_DB).sum(axis=1), n_DB.sum(axis=1))


def _step_counts(found: Confidences) -> Floats:
    """Return, for each row, one in its step of coverage, and one there where it is wrong."""
    known = np.flatnonzero(found.is_known)
    order = known[np.argsort(-found.confidence[known], kind="stable")]
    steps = np.arange(len(order)) * N_STEPS // len(order)
    _, first = np.unique(-found.confidence[order], return_index=True)
    starts = np.repeat(first, np.diff([*first, len(order)]))
    counts_RK = np.zeros((len(found.is_known), 2 * N_STEPS))
    counts_RK[order, steps[starts]] = 1
    counts_RK[order, N_STEPS + steps[starts]] = 1 - found.is_right[order]
    return counts_RK


def _risks(sums_DK: Floats) -> tuple[Floats, Floats]:
    """Return how many answers each step holds, and the share of wrong ones up to it."""
    n_DC, wrong_DC = sums_DK[:, :N_STEPS], sums_DK[:, N_STEPS:]
    return n_DC, ratio(wrong_DC.cumsum(axis=1), n_DC.cumsum(axis=1))


def _risk_coverage_area(sums_DK: Floats) -> Floats:
    n_DC, risk_DC = _risks(sums_DK)
    return ratio((n_DC * risk_DC).sum(axis=1), n_DC.sum(axis=1))


# ------------------------------------------------------------------------------- figures


def calibrate(rows: Sequence[ScoredRow], *, seed: int, n_draws: int) -> Calibration | None:
    """Return bins, curve and thresholds of rows; None where no row has a confidence."""
    found = confidences_of(rows)
    if not found.is_known.any():
        return None
    documents = [row.item.document for row in rows]
    n_known = int(found.is_known.sum())
    return Calibration(
        n_rows=n_known,
        n_left_out=len(rows) - n_known,
        bins=tuple(_reliability_bins(found)),
        risk_coverage=tuple(_risk_points(found, documents, seed, n_draws)),
        thresholds=tuple(_threshold(found, documents, target) for target in TARGETS),
    )


def _reliability_bins(found: Confidences) -> list[ReliabilityBin]:
    n_B, confidence_B, right_B = np.split(_bin_counts(found).sum(axis=0), 3)
    return [
        ReliabilityBin(
            low=place / N_BINS,
            high=(place + 1) / N_BINS,
            n_rows=int(n),
            confidence=float(confidence / n) if n else None,
            accuracy=float(right / n) if n else None,
        )
        for place, (n, confidence, right) in enumerate(zip(n_B, confidence_B, right_B, strict=True))
    ]


def _risk_points(
    found: Confidences, documents: Sequence[str], seed: int, n_draws: int
) -> list[RiskPoint]:
    counts_RK = _step_counts(found)
    n_C, risk_C = (one[0] for one in _risks(counts_RK.sum(axis=0, keepdims=True)))
    drawn_DC = np.concatenate(
        [_risks(sums_DK)[1] for sums_DK in resampled_sums(counts_RK, documents, seed, n_draws)]
    )
    low_C, high_C = np.percentile(drawn_DC, (2.5, 97.5), axis=0)
    coverage_C = n_C.cumsum() / n_C.sum()
    return [
        RiskPoint(*(float(one) for one in point))
        for point, n in zip(zip(coverage_C, risk_C, low_C, high_C, strict=True), n_C, strict=True)
        if n
    ]


def _threshold(found: Confidences, documents: Sequence[str], target: float) -> AbstentionThreshold:
    is_first = np.array([_is_first_half(document) for document in documents])
    chosen_on, measured_on = found.is_known & is_first, found.is_known & ~is_first
    threshold = lowest_threshold(found.confidence[chosen_on], found.is_right[chosen_on], target)
    if threshold is None or not measured_on.any():
        return AbstentionThreshold(target, threshold, None, None)
    is_answered = measured_on & (found.confidence >= threshold)
    accuracy = float(found.is_right[is_answered].mean()) if is_answered.any() else None
    coverage = float(is_answered.sum() / measured_on.sum())
    return AbstentionThreshold(target, threshold, coverage, accuracy)


def _is_first_half(document: str) -> bool:
    return hashlib.sha256(document.encode()).digest()[0] % 2 == 0


def lowest_threshold(confidence: Floats, is_right: Floats, target: float) -> float | None:
    """Return the lowest confidence from which on the share of right answers reaches a target.

    >>> lowest_threshold(np.array([0.9, 0.8, 0.3]), np.array([1.0, 1.0, 0.0]), 0.9)
    0.8
    """
    for threshold in np.unique(confidence):
        if is_right[confidence >= threshold].mean() >= target:
            return float(threshold)
    return None
