"""Metrics of letters: accuracy, Cohen's kappa with three weightings, macro F1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rinsho.evaluation.benchmark import Weighting
from rinsho.evaluation.bootstrap import Floats, Metric, mean, ratio
from rinsho.evaluation.parse import NO_LETTER

# D draws, L labels
WEIGHTINGS: tuple[Weighting, ...] = ("plain", "linear", "quadratic")


def accuracy(gold: Sequence[str], predictions: Sequence[str]) -> Metric:
    """Return the share of rows whose prediction is the gold answer."""
    return mean("accuracy", [g == p for g, p in zip(gold, predictions, strict=True)])


def official_kappa(gold: Sequence[str], predictions: Sequence[str], weighting: Weighting) -> Metric:
    """Return kappa over the labels that occur, as scikit-learn does.

    The labels are the sorted union of gold and predictions, "None" last, so that an unparsed row
    stands one class beyond the last label that is present.

    Source:
        Cohen 1968, Psychological Bulletin 70(4); scikit-learn `cohen_kappa_score`.
    """
    labels = sorted({*gold, *predictions})
    return _kappa(gold, predictions, labels, weighting, only_present=True)


def corrected_kappa(
    gold: Sequence[str], predictions: Sequence[str], letters: str, weighting: Weighting
) -> Metric:
    """Return kappa over the fixed labels of the row type.

    An invalid answer is a class of its own in the plain kappa; in the weighted ones it is the
    label farthest from gold.
    """
    labels = [*letters, NO_LETTER]
    if weighting != "plain":
        labels = [*letters]
        predictions = [
            p if p in letters else farthest(g, letters)
            for g, p in zip(gold, predictions, strict=True)
        ]
    return _kappa(gold, predictions, labels, weighting, only_present=False)


def farthest(letter: str, letters: str) -> str:
    """Return the label farthest from a letter, the first one of two.

    >>> farthest("B", "ABCD"), farthest("C", "ABCD"), farthest("B", "ABC")
    ('D', 'A', 'A')
    """
    place = letters.index(letter)
    return max(letters, key=lambda other: abs(letters.index(other) - place))


def _kappa(
    gold: Sequence[str],
    predictions: Sequence[str],
    labels: Sequence[str],
    weighting: Weighting,
    *,
    only_present: bool,
) -> Metric:
    n_labels = len(labels)

    def statistic(sums_DK: Floats) -> Floats:
        return kappa_of(sums_DK.reshape(-1, n_labels, n_labels), weighting, only_present)

    name = "kappa" if weighting == "plain" else f"kappa_{weighting}"
    return Metric(name, confusions(gold, predictions, labels), statistic)


def confusions(gold: Sequence[str], predictions: Sequence[str], labels: Sequence[str]) -> Floats:
    """Return one flat confusion matrix a row, shape (rows, L * L)."""
    places = {label: place for place, label in enumerate(labels)}
    cells = [places[g] * len(labels) + places[p] for g, p in zip(gold, predictions, strict=True)]
    return np.eye(len(labels) ** 2)[cells]


def kappa_of(confusion_DLL: Floats, weighting: Weighting, only_present: bool) -> Floats:
    """Return 1 - sum(weight * observed) / sum(weight * expected) of each confusion matrix.

    Where no disagreement is expected (one label on both sides) it is 1 if all are equal, else 0.
    """
    rows_DL, columns_DL = confusion_DLL.sum(axis=2), confusion_DLL.sum(axis=1)
    n_D = rows_DL.sum(axis=1)
    expected_DLL = rows_DL[:, :, None] * columns_DL[:, None, :] / n_D[:, None, None]
    weights_DLL = _weights(rows_DL + columns_DL > 0, weighting, only_present)
    observed_D = (weights_DLL * confusion_DLL).sum(axis=(1, 2))
    chance_D = (weights_DLL * expected_DLL).sum(axis=(1, 2))
    is_degenerate_D = chance_D == 0
    share_D = np.divide(observed_D, chance_D, out=np.ones_like(chance_D), where=~is_degenerate_D)
    return np.where(is_degenerate_D & (observed_D == 0), 1.0, 1.0 - share_D)


def _weights(is_present_DL: np.ndarray, weighting: Weighting, only_present: bool) -> Floats:
    n_labels = is_present_DL.shape[1]
    places_DL = np.broadcast_to(np.arange(n_labels), is_present_DL.shape)
    if only_present:  # a label that a resample lacks does not stand between the others
        places_DL = np.cumsum(is_present_DL, axis=1) - 1
    gaps_DLL = np.abs(places_DL[:, :, None] - places_DL[:, None, :]).astype(np.float64)
    if weighting == "plain":
        return np.broadcast_to(1.0 - np.eye(n_labels), gaps_DLL.shape).astype(np.float64)
    return gaps_DLL if weighting == "linear" else gaps_DLL**2


def macro_f1(gold: Sequence[str], predictions: Sequence[str], letters: str) -> Metric:
    """Return the mean over the labels of 2 * right / (in gold + predicted); 0 for an empty one."""
    labels = [*letters, NO_LETTER]

    def statistic(sums_DK: Floats) -> Floats:
        confusion_DLL = sums_DK.reshape(-1, len(labels), len(labels))
        right_DL = np.diagonal(confusion_DLL, axis1=1, axis2=2)
        totals_DL = confusion_DLL.sum(axis=1) + confusion_DLL.sum(axis=2)
        return ratio(2 * right_DL, totals_DL)[:, :-1].mean(axis=1)

    return Metric("macro_f1", confusions(gold, predictions, labels), statistic)
