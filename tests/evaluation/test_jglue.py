"""JGLUE subsets: rows, gold that scores one, correlations beside scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rinsho.evaluation.answer_record import Answer
from rinsho.evaluation.benchmark import Item, Sources
from rinsho.evaluation.catalogue import load_benchmark
from rinsho.evaluation.jglue import JGLUE
from rinsho.evaluation.marking import mark
from rinsho.evaluation.prompts import messages_of
from rinsho.evaluation.scoring import score_entry
from rinsho.evaluation.short_answer_metrics import character_f1, is_exact, rating_metrics


def values(metrics) -> dict[str, float]:
    return {metric.name: metric.value for metric in metrics}


@pytest.mark.data
@pytest.mark.parametrize("benchmark", JGLUE, ids=lambda one: one.name)
def test_every_row_is_read_and_gold_scores_best(benchmark, data_folder):
    loaded = load_benchmark(benchmark.name, Sources(data_folder))
    assert len(loaded.items) == benchmark.n_items
    pairs = [
        (item, Answer(loaded.name, item.id, "generation", "", item.gold[0]))
        for item in loaded.items
    ]
    entry = score_entry("gold", loaded, "generation", pairs)
    assert entry.corrected[0].value == pytest.approx(1.0)
    assert all(row.is_right and row.is_valid and row.is_strict for row in entry.rows)
    assert not entry.official


@pytest.mark.data
def test_a_passage_is_shown_before_its_question(data_folder):
    item = load_benchmark("jglue/jsquad", Sources(data_folder)).items[0]
    user = messages_of(item)[1].content
    assert user.startswith("背景: 梅雨\n梅雨（つゆ、ばいう）は、")
    assert user.endswith("問題: 日本で梅雨がないのは北海道とどこか。")


ratings = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=3, max_size=20
).filter(lambda rows: all(len({row[side] for row in rows}) > 1 for side in (0, 1)))


@settings(deadline=None)  # the first example pays for the import of scipy
@given(ratings)
def test_correlations_are_those_of_scipy(rows):
    stats = pytest.importorskip("scipy.stats")
    gold, found = (np.array(side) / 10 for side in zip(*rows, strict=True))
    ours = values(rating_metrics(gold.tolist(), found.tolist()))
    assert ours["pearson"] == pytest.approx(stats.pearsonr(gold, found).statistic, abs=1e-9)
    assert ours["spearman"] == pytest.approx(stats.spearmanr(gold, found).statistic, abs=1e-9)


def test_an_invalid_rating_is_the_farthest_one():
    assert values(rating_metrics([1.0, 4.0], [None, None]))["mean_distance"] == 4.0
    assert values(rating_metrics([1.0, 4.0], [2.0, 2.0]))["pearson"] == 0.0
    item = Item("x", "rating", "", gold=("3.8",), wording="ja")
    for output, is_valid in (("4", True), ("7", False), ("-1", False), ("近い", False)):
        assert mark(item, Answer("x", "x", "generation", "", output)).is_valid == is_valid


def test_an_answer_from_a_passage_is_compared_by_characters():
    assert is_exact(["小笠原諸島", "小笠原"], " 「小笠原」。")
    assert not is_exact(["小笠原"], "小笠原諸島")
    assert character_f1(["小笠原"], "") == 0.0
    assert character_f1(["雨", "雨季"], "雨季") == 1.0
