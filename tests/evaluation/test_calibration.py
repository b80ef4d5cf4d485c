"""Calibration against scikit-learn and against sums by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss

from rinsho.evaluation.answer_record import Answer
from rinsho.evaluation.benchmark import Item
from rinsho.evaluation.calibration import (
    calibrate,
    calibration_metrics,
    confidences_of,
    lowest_threshold,
)
from rinsho.evaluation.marking import ScoredRow, mark


def row_of(number: int, shares: list[float], gold: str, **fields: object) -> ScoredRow:
    choices = ("肺炎", "胃癌", "骨折")[: len(shares)]
    item = Item(f"x/{number}", "choice", "どれか。", choices, (gold,), document=f"d{number // 2}")
    scores = tuple(math.log(share) - 3 for share in shares)  # a constant changes nothing
    answer = Answer("x", item.id, "log-likelihood", "", log_likelihoods=scores)
    return mark(item, Answer(**{**_fields(answer), **fields}))


def _fields(answer: Answer) -> dict[str, object]:
    return {name: getattr(answer, name) for name in Answer.__dataclass_fields__}


def figures(rows: list[ScoredRow]) -> dict[str, float]:
    return {metric.name: metric.value for metric in calibration_metrics(rows)}


binary_rows = st.lists(
    st.tuples(st.floats(0.01, 0.99), st.sampled_from("AB")), min_size=1, max_size=30
)


@settings(max_examples=50)
@given(binary_rows)
def test_the_brier_score_of_two_choices_is_twice_scikit_learns(pairs):
    rows = [row_of(n, [share, 1 - share], gold) for n, (share, gold) in enumerate(pairs)]
    truth = [gold == "A" for _, gold in pairs]
    expected = brier_score_loss(truth, [share for share, _ in pairs], pos_label=True)
    assert figures(rows)["brier"] == pytest.approx(2 * expected)


def test_the_calibration_error_is_the_gap_of_each_bin_weighted_by_its_rows():
    # two rows at 0.9, one of them right; two rows at 0.6, both right
    rows = [
        row_of(0, [0.9, 0.1], "A"),
        row_of(1, [0.9, 0.1], "B"),
        row_of(2, [0.6, 0.4], "A"),
        row_of(3, [0.6, 0.4], "A"),
    ]
    found = confidences_of(rows)
    assert found.confidence == pytest.approx([0.9, 0.9, 0.6, 0.6])
    assert figures(rows)["calibration_error"] == pytest.approx(0.5 * 0.4 + 0.5 * 0.4)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(34, 99), st.booleans()), min_size=1, max_size=90))
def test_the_area_is_the_mean_risk_over_rows_where_confidences_are_ranked(pairs):
    rows = [
        row_of(n, [share, (100 - share) * 0.6, (100 - share) * 0.4], "A" if right else "B")
        for n, (share, right) in enumerate(pairs)
    ]
    found = confidences_of(rows)
    expected = 0.0
    for one in found.confidence:  # rows of equal confidence are answered together
        answered = found.confidence >= one
        expected += 1 - found.is_right[answered].mean()
    assert figures(rows)["risk_coverage_area"] == pytest.approx(expected / len(rows))


def test_a_sure_and_right_model_has_no_error_and_no_risk():
    rows = [row_of(n, [1 - 2e-9, 1e-9, 1e-9], "A") for n in range(250)]
    assert figures(rows) == pytest.approx(
        {"calibration_error": 0, "brier": 0, "risk_coverage_area": 0}, abs=1e-6
    )


def test_the_curve_ends_with_the_error_rate_of_all_rows():
    generator = np.random.default_rng(0)
    rows = [
        row_of(n, list(generator.dirichlet((1, 1, 1))), "ABC"[generator.integers(3)])
        for n in range(300)
    ]
    found = calibrate(rows, seed=0, n_draws=200)
    assert found is not None
    last = found.risk_coverage[-1]
    n_wrong = sum(not row.is_right for row in rows)
    assert last.coverage == pytest.approx(1)
    assert last.risk == pytest.approx(n_wrong / 300)
    assert last.low < last.risk < last.high
    assert len(found.risk_coverage) == 100
    assert sum(one.n_rows for one in found.bins) == 300


def test_rows_without_one_confidence_are_left_out_and_counted():
    several = Item("x/9", "choice", "2つ選べ。", ("肺炎", "胃癌", "骨折"), ("A", "B"))
    answer = Answer("x", "x/9", "log-likelihood", "", log_likelihoods=(-1.0, -2.0, -3.0))
    rows = [
        row_of(0, [0.8, 0.2], "A"),
        mark(several, answer),
        row_of(1, [0.5, 0.5], "A", is_too_long=True, log_likelihoods=()),
        row_of(2, [0.5, 0.5], "A", log_likelihoods=(math.nan, 0.0)),
    ]
    found = calibrate(rows, seed=0, n_draws=50)
    assert found is not None
    assert (found.n_rows, found.n_left_out) == (1, 3)
    assert figures(rows)["brier"] == pytest.approx(2 * 0.2**2)
    assert calibrate(rows[1:], seed=0, n_draws=50) is None
    assert calibration_metrics(rows[1:]) == ()


def test_a_threshold_is_chosen_on_one_half_and_measured_on_the_other():
    rows = [row_of(n, [0.9, 0.1], "A") for n in range(40)]
    rows += [row_of(n, [0.6, 0.4], "B") for n in range(40, 80)]
    found = calibrate(rows, seed=0, n_draws=50)
    assert found is not None
    by_target = {one.target: one for one in found.thresholds}
    assert by_target[0.9].threshold == pytest.approx(0.9)
    assert by_target[0.9].accuracy == 1.0
    assert 0.2 < (by_target[0.9].coverage or 0) < 0.8
    assert lowest_threshold(np.array([0.5]), np.array([0.0]), 0.5) is None
