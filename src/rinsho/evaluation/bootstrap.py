"""Figures that are functions of summed counts, with intervals from resampled documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# D draws, R rows, K counts, G documents (groups of rows)
Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
N_DRAWS = 10_000
_DRAWS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """A figure: what each row counts, and what is made of the sums.

    Args:
        name: The metric.
        counts: One line a row, shape (R, K).
        statistic: From sums of shape (D, K) to figures of shape (D,).
    """

    name: str
    counts: Floats
    statistic: Statistic
    is_higher_better: bool = True

    @property
    def value(self) -> float:
        """Return the figure over all rows."""
        return float(self.statistic(self.counts.sum(axis=0, keepdims=True))[0])


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval over documents."""

    value: float
    low: float
    high: float
    n_rows: int
    n_documents: int


@dataclass(frozen=True, slots=True)
class Difference:
    """A paired difference with its 95 % interval and two-sided p."""

    value: float
    low: float
    high: float
    p: float
    n_rows: int
    n_documents: int


def estimate(
    metric: Metric, documents: Sequence[str], *, seed: int, n_draws: int = N_DRAWS
) -> Estimate:
    """Return a metric with its percentile bootstrap interval.

    Args:
        metric: The figure.
        documents: One key a row; rows with one key are drawn together.
        seed: Of the draws: the same for every system, so that they are paired.

    Source:
        Efron and Tibshirani 1993, "An Introduction to the Bootstrap", section 13.3.
    """
    sums_GK = sum_by_document(metric.counts, documents)
    drawn_D = _resample(metric.statistic, sums_GK, seed, n_draws)
    low, high = (float(edge) for edge in np.percentile(drawn_D, (2.5, 97.5)))
    return Estimate(metric.value, low, high, len(documents), len(sums_GK))


def difference(
    first: Metric, second: Metric, documents: Sequence[str], *, seed: int, n_draws: int = N_DRAWS
) -> Difference:
    """Return first minus second over the same rows, with the same documents drawn for both."""
    drawn_D = [
        _resample(metric.statistic, sum_by_document(metric.counts, documents), seed, n_draws)
        for metric in (first, second)
    ]
    differences_D = drawn_D[0] - drawn_D[1]
    low, high = (float(edge) for edge in np.percentile(differences_D, (2.5, 97.5)))
    at_most, at_least = float((differences_D <= 0).mean()), float((differences_D >= 0).mean())
    return Difference(
        value=first.value - second.value,
        low=low,
        high=high,
        p=min(1.0, 2 * min(at_most, at_least)),
        n_rows=len(documents),
        n_documents=len(set(documents)),
    )


def sum_by_document(counts_RK: Floats, documents: Sequence[str]) -> Floats:
    """Add up the rows of each document, in the order of first appearance."""
    places = {key: place for place, key in enumerate(dict.fromkeys(documents))}
    sums_GK = np.zeros((len(places), counts_RK.shape[1]))
    np.add.at(sums_GK, [places[key] for key in documents], counts_RK)
    return sums_GK


def _resample(statistic: Statistic, sums_GK: Floats, seed: int, n_draws: int) -> Floats:
    return np.concatenate(
        [statistic(weights_DG @ sums_GK) for weights_DG in _draws(len(sums_GK), seed, n_draws)]
    )


def resampled_sums(
    counts_RK: Floats, documents: Sequence[str], seed: int, n_draws: int
) -> Iterator[Floats]:
    """Yield the summed counts of some draws at a time, for figures of more than one number."""
    sums_GK = sum_by_document(counts_RK, documents)
    for weights_DG in _draws(len(sums_GK), seed, n_draws):
        yield weights_DG @ sums_GK


def _draws(n_documents: int, seed: int, n_draws: int) -> Iterator[Floats]:
    """Yield how often each document was drawn, some draws at a time; PCG64."""
    generator = np.random.Generator(np.random.PCG64(seed))
    for start in range(0, n_draws, _DRAWS_AT_ONCE):
        n = min(_DRAWS_AT_ONCE, n_draws - start)
        drawn = generator.integers(n_documents, size=(n, n_documents))
        drawn += np.arange(n)[:, None] * n_documents
        counts = np.bincount(drawn.ravel(), minlength=n * n_documents)
        yield counts.reshape(n, n_documents).astype(np.float64)


def ratio(numerators: Floats, denominators: Floats) -> Floats:
    """Divide; 0 where the denominator is 0."""
    return np.divide(
        numerators, denominators, out=np.zeros_like(numerators), where=denominators > 0
    )


def mean(name: str, values: Sequence[float] | Floats) -> Metric:
    """Return the metric that is the plain mean of one value a row."""
    values_R = np.asarray(values, dtype=np.float64)
    counts_RK = np.stack([values_R, np.ones_like(values_R)], axis=1)
    return Metric(name, counts_RK, lambda sums_DK: ratio(sums_DK[:, 0], sums_DK[:, 1]))
