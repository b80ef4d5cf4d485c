"""Intervals: the draws, documents as units, pairing."""

import numpy as np
import pytest

from rinsho.evaluation.bootstrap import Metric, difference, estimate, mean


def documents(n: int) -> list[str]:
    return [f"document-{number}" for number in range(n)]


def test_the_same_seed_gives_the_same_interval():
    metric = mean("score", np.random.default_rng(2).random(8))
    first = estimate(metric, documents(8), seed=3)
    assert first == estimate(metric, documents(8), seed=3)
    assert first != estimate(metric, documents(8), seed=4)


def test_a_system_against_itself_differs_by_zero_and_zero():
    metric = mean("accuracy", [1, 0, 1, 1, 0])
    found = difference(metric, metric, documents(5), seed=0)
    assert (found.value, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_the_interval_of_a_mean_is_near_the_normal_one():
    values = np.random.default_rng(0).random(400)
    found = estimate(mean("score", values), documents(400), seed=0)
    error = values.std(ddof=1) / np.sqrt(400)
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=error / 5)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=error / 5)


def test_rows_of_one_document_are_drawn_together():
    values = [1.0] * 50 + [0.0] * 50
    one_each = estimate(mean("score", values), documents(100), seed=0)
    two = estimate(mean("score", values), ["a"] * 50 + ["b"] * 50, seed=0)
    assert (two.low, two.high, two.n_documents) == (0.0, 1.0, 2)
    assert one_each.high - one_each.low < 0.25


def test_pairing_makes_the_interval_of_a_difference_narrow():
    base = np.random.default_rng(1).random(100)
    better = mean("score", base + 0.1)
    found = difference(better, mean("score", base), documents(100), seed=0)
    assert found.low == pytest.approx(0.1)
    assert found.high == pytest.approx(0.1)
    assert found.p == 0


def test_draws_are_those_of_numpy_pcg64():
    values = np.arange(5.0)
    generator = np.random.Generator(np.random.PCG64(9))
    means = values[generator.integers(5, size=(1_000, 5))].mean(axis=1)
    found = estimate(mean("score", values), documents(5), seed=9, n_draws=1_000)
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(means, (2.5, 97.5))))


def test_a_metric_is_made_of_sums_and_not_of_means_of_rows():
    metric = Metric("ratio", np.array([[1.0, 1.0], [1.0, 9.0]]), lambda s: s[:, 0] / s[:, 1])
    assert metric.value == pytest.approx(0.2)
