from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rinsho.corpus.quality_agreement import (
    measure_agreement,
    quadratic_kappa,
    render_agreement,
    spearman,
    to_whole,
)

LABELS = st.lists(st.integers(0, 3), min_size=3, max_size=40)


@given(LABELS, st.randoms(use_true_random=False))
def test_kappa_is_that_of_scikit_learn(first: list[int], generator: object) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    second = [generator.choice([0, 1, 2, 3]) for _ in first]  # type: ignore[attr-defined]
    mine = quadratic_kappa(np.array(first, float), np.array(second, float))
    if len({*first, *second}) > 1:
        theirs = metrics.cohen_kappa_score(first, second, weights="quadratic", labels=[0, 1, 2, 3])
        assert mine == pytest.approx(theirs)
    else:
        assert np.isnan(mine)


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 3)), min_size=4, max_size=40))
def test_rank_correlation_is_that_of_scipy(pairs: list[tuple[int, float]]) -> None:
    stats = pytest.importorskip("scipy.stats")
    first, second = (np.array(column, float) for column in zip(*pairs, strict=True))
    mine = spearman(first, second)
    if len(set(first)) > 1 and len(set(second)) > 1:
        assert mine == pytest.approx(stats.spearmanr(first, second).statistic, abs=1e-9)
    else:
        assert np.isnan(mine)


def test_what_a_threshold_keeps_is_counted_as_by_hand() -> None:
    labels, scores = [3, 2, 1, 0, 2, 0], [2.9, 1.0, 1.9, 0.1, 2.2, 0.3]
    found = measure_agreement(labels, scores, list("abcdef"), threshold=1.5)
    assert (found.kept_precision.value, found.kept_recall.value) == (0.6667, 0.6667)
    assert (found.dropped_precision.value, found.dropped_recall.value) == (0.6667, 0.6667)
    assert found.exact.value == 0.6667
    assert "kept_precision" in render_agreement(found) and "n = 6" in render_agreement(found)


def test_intervals_hold_their_value_and_widen_where_groups_are_few() -> None:
    generator = np.random.Generator(np.random.PCG64(5))
    labels = generator.integers(0, 4, 200).astype(float)
    scores = labels + generator.normal(0, 0.7, 200)
    alone = measure_agreement(labels, scores, [str(n) for n in range(200)], threshold=1.5)
    grouped = measure_agreement(labels, scores, [str(n // 20) for n in range(200)], threshold=1.5)
    for one in (alone.spearman, alone.kappa):
        assert one.low <= one.value <= one.high
    assert grouped.spearman.value == alone.spearman.value
    assert (grouped.kappa.low, grouped.kappa.high) != (alone.kappa.low, alone.kappa.high)


def test_a_figure_that_cannot_be_told_is_none() -> None:
    found = measure_agreement([1, 1, 1], [0.5, 1.0, 2.0], list("abc"), threshold=1.5)
    assert found.spearman.value is None
    assert found.kept_recall.value is None


def test_halves_go_to_the_lower_score() -> None:
    assert to_whole(np.array([0.5, 1.5, 2.5, 2.51])).tolist() == [0, 1, 2, 3]
