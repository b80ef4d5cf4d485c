"""Kappa against the vectors of scikit-learn, accuracy, macro F1."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rinsho.evaluation.bootstrap import estimate
from rinsho.evaluation.choice_metrics import (
    WEIGHTINGS,
    accuracy,
    corrected_kappa,
    macro_f1,
    official_kappa,
)

# Gold, prediction, accuracy, then kappa plain, linear, quadratic: computed with scikit-learn 1.5.
VECTORS = [
    ("AABBCCDD", "ABBCCDDD", 0.625, (0.5, 0.7, 0.85)),
    ("AABBCCDD", "ADBBCCDA", 0.75, (0.666667, 0.4, 0.1)),
    ("AABBCCDD", "AAAAAAAA", 0.25, (0, 0, 0)),
    ("ABCD", "BCDA", 0, (-0.333333, -0.2, -0.2)),
    ("ABCDEF", "ABCDFE", 0.666667, (0.6, 0.828571, 0.942857)),
    ("AABBCCDD", "A,A,B,B,C,C,D,None", 0.875, (0.84, 0.909091, 0.958333)),
    ("AABB", "A,B,None,B", 0.5, (0.2, 0.333333, 0.5)),
]


def letters(text: str) -> list[str]:
    return text.split(",") if "," in text else list(text)


@pytest.mark.parametrize(("gold", "prediction", "share", "kappas"), VECTORS)
def test_official_kappa_is_that_of_scikit_learn(gold, prediction, share, kappas):
    assert accuracy(letters(gold), letters(prediction)).value == pytest.approx(share, abs=5e-7)
    for weighting, expected in zip(WEIGHTINGS, kappas, strict=True):
        found = official_kappa(letters(gold), letters(prediction), weighting).value
        assert found == pytest.approx(expected, abs=5e-7)


def kappa_by_hand(gold, prediction, labels, weight):
    n = len(gold)
    rows = zip(gold, prediction, strict=True)
    observed = sum(weight(labels.index(g), labels.index(p)) for g, p in rows)
    chance = sum(
        gold.count(a) * prediction.count(b) / n * weight(labels.index(a), labels.index(b))
        for a in labels
        for b in labels
    )
    if chance == 0:
        return 1.0 if observed == 0 else 0.0
    return 1 - observed / chance


@given(st.lists(st.tuples(st.sampled_from("ABCD"), st.sampled_from("ABCD")), min_size=1))
def test_corrected_kappa_of_valid_answers_is_the_definition_over_fixed_labels(rows):
    gold, prediction = [g for g, _ in rows], [p for _, p in rows]
    weights = {
        "plain": lambda i, j: float(i != j),
        "linear": lambda i, j: float(abs(i - j)),
        "quadratic": lambda i, j: float((i - j) ** 2),
    }
    for weighting, weight in weights.items():
        found = corrected_kappa(gold, prediction, "ABCD", weighting).value
        assert found == pytest.approx(kappa_by_hand(gold, prediction, list("ABCD"), weight))


def test_an_invalid_answer_costs_the_largest_distance_in_weighted_corrected_kappa():
    gold = list("AABBCCDD")
    invalid = [*"AABBCCD", "None"]
    worst = [*"AABBCCD", "A"]
    for weighting in ("linear", "quadratic"):
        found = corrected_kappa(gold, invalid, "ABCD", weighting).value
        assert found == pytest.approx(corrected_kappa(gold, worst, "ABCD", weighting).value)
    own_class = corrected_kappa(gold, invalid, "ABCD", "plain").value
    assert own_class == pytest.approx(0.84)  # as the vector with None above: plain has no order


def test_official_kappa_gains_from_an_unparsed_row_where_corrected_kappa_loses():
    gold = ["D"] * 4 + ["A"] * 4
    prediction = ["D"] * 3 + ["None"] + ["A"] * 4
    official = official_kappa(gold, prediction, "linear").value
    assert official > corrected_kappa(gold, prediction, "ABCD", "linear").value


def test_one_label_on_both_sides_is_a_kappa_of_one():
    assert official_kappa(["A"] * 3, ["A"] * 3, "plain").value == 1.0
    assert corrected_kappa(["A"] * 3, ["A"] * 3, "AB", "linear").value == 1.0


def test_a_resample_without_a_label_closes_the_gap_in_official_kappa():
    gold, prediction = list("AACD"), list("AADC")
    counts = official_kappa(gold, prediction, "linear").counts
    without_last = counts[:3].sum(axis=0, keepdims=True)  # gold AAC, predicted AAD
    statistic = official_kappa(gold, prediction, "linear").statistic
    same = official_kappa(gold[:3], prediction[:3], "linear").value
    assert statistic(without_last)[0] == pytest.approx(same)


def test_macro_f1_by_hand():
    # A: 1 right of 2 gold and 1 predicted: 2/3; B: 1 right of 1 gold, 2 predicted: 2/3; C: none.
    assert macro_f1(list("AAB"), list("ABB"), "ABC").value == pytest.approx((2 / 3 + 2 / 3) / 3)


def test_accuracy_never_counts_an_unparsed_row_as_right():
    assert accuracy(["A", "B"], ["None", "None"]).value == 0.0


def test_an_interval_of_a_kappa_holds_its_value():
    gold, prediction = list("AABBCCDD") * 5, list("ABBCCDDD") * 5
    metric = official_kappa(gold, prediction, "linear")
    documents = [str(row) for row in range(40)]
    found = estimate(metric, documents, seed=1, n_draws=500)
    assert found.low < found.value < found.high
    assert np.isfinite([found.low, found.high]).all()
