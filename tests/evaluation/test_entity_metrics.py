"""Entity lists: the official figures to the digit, and the corrected ones."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rinsho.evaluation.entity_metrics import (
    EntityRow,
    corrected_metrics,
    max_matching,
    official_exact_f1,
    official_metrics,
    official_partial_f1,
)

OFFICIAL = [  # gold, prediction, exact F1, official partial F1: from the published code
    ("胃癌,走行異常", "胃癌", 0.666667, 1.333333),
    ("胃癌,走行異常", "進行胃癌,走行", 0, 0),
    ("a,b,c,d,e", "a", 0.333333, 1.666667),
    ("a", "a,b,c,d,e", 0.333333, 0.333333),
    ("a,b,c", "c,x,y,z", 0.285714, 0.857143),
    ("発熱,咳嗽", "発熱,発熱", 0.666667, 1.333333),
    ("a,b", "", 0, 0),
]
CANCER = "進行胃癌と走行異常を認めた。"
CORRECTED = [  # document, gold, prediction, precision, recall, F1: worked by hand
    (CANCER, "胃癌,走行異常", "胃癌", 1, 0.5, 0.666667),
    (CANCER, "胃癌,走行異常", "進行胃癌,走行", 1, 1, 1),
    (CANCER, "胃癌,走行異常", "進行胃癌と走行異常", 1, 0.5, 0.666667),
    (CANCER, "胃癌", "胃癌,進行胃癌,走行異常", 0.333333, 1, 0.5),
    (CANCER, "胃癌", "肺癌", 0, 0, 0),
    ("発熱と炎症反応上昇を認めた。", "発熱と炎症反応上昇,炎症反応", "炎症反応上昇,発熱", 1, 1, 1),
    ("５ｍｇ／日を投与した。", "５ｍｇ／日", "5mg/日", 1, 1, 1),
]
sets = st.sets(st.sampled_from("abcdefg"))


def entities(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()


def values(metrics) -> dict[str, float]:
    return {metric.name: metric.value for metric in metrics}


@pytest.mark.parametrize(("gold", "prediction", "exact", "partial"), OFFICIAL)
def test_official_entity_scores_are_those_of_the_published_code(gold, prediction, exact, partial):
    gold, prediction = entities(gold), entities(prediction)
    assert official_exact_f1(gold, prediction) == pytest.approx(exact, abs=5e-7)
    assert official_partial_f1(gold, prediction) == pytest.approx(partial, abs=5e-7)


@given(sets, sets)
def test_official_partial_f1_has_a_closed_form(gold, prediction):
    closed = 2 * len(gold) / (len(gold) + len(prediction)) if gold & prediction else 0
    assert official_partial_f1(sorted(gold), sorted(prediction)) == pytest.approx(closed)


@pytest.mark.parametrize(("document", "gold", "prediction", "precision", "recall", "f1"), CORRECTED)
def test_corrected_partial_f1_matches_overlapping_entities_one_to_one(
    document, gold, prediction, precision, recall, f1
):
    found = values(corrected_metrics([EntityRow(document, entities(gold), entities(prediction))]))
    assert found["micro_precision"] == pytest.approx(precision, abs=5e-7)
    assert found["micro_recall"] == pytest.approx(recall, abs=5e-7)
    assert found["partial_f1"] == pytest.approx(f1, abs=5e-7)


def test_means_are_over_rows_and_micro_figures_over_entities():
    rows = [EntityRow("咳。", ("咳",), ("咳",)), EntityRow("熱と痛み。", ("熱", "痛み"), ())]
    found = values(corrected_metrics(rows))
    assert found["partial_f1"] == pytest.approx(0.5)
    assert found["micro_partial_f1"] == pytest.approx(2 * 1 / (1 + 3))


def test_what_is_not_in_the_text_is_counted():
    rows = [EntityRow("咳を認めた。", ("咳",), ("咳", "発熱", "頭痛", "咳"))]
    assert values(corrected_metrics(rows))["not_in_text"] == pytest.approx(2 / 3)


def test_official_means_can_exceed_one_and_corrected_ones_cannot():
    rows = [EntityRow("a b c d", ("a", "b", "c", "d"), ("a",))]
    assert values(official_metrics(rows))["partial_f1"] == pytest.approx(1.6)
    assert values(corrected_metrics(rows))["partial_f1"] == pytest.approx(0.4)


@given(st.lists(st.sets(st.integers(0, 4)), max_size=5))
def test_matching_is_as_large_as_brute_force_finds(edges):
    n_rows = len(edges)
    best = 0
    for columns in itertools.product([None, 0, 1, 2, 3, 4], repeat=n_rows):
        taken = [column for column in columns if column is not None]
        is_allowed = all(c is None or c in edges[row] for row, c in enumerate(columns))
        if is_allowed and len(set(taken)) == len(taken):
            best = max(best, len(taken))
    assert max_matching([sorted(row) for row in edges]) == best
