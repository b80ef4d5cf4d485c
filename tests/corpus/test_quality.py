from __future__ import annotations

import json
import math
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rinsho.corpus.quality import (
    N_SLOT_BITS,
    SHAPE_NAMES,
    WEIGHT_UNIT,
    Scorer,
    open_scorer,
    save_scorer,
    shape_of,
    to_codes,
)
from rinsho.corpus.quality_fit import fit_scorer, predict_held_out
from rinsho.corpus.quality_rules import score_by_rules
from rinsho.errors import Corrupt, PathMissing

GOOD = (
    "この病気では腎臓がナトリウムを保持できないため、血圧が下がる。",
    "治療は不足するホルモンの補充であり、感染のときは量を増やす。",
    "心臓の拍出が減ると、足のむくみと息切れが起こる。",
    "発熱の原因として、まず肺と尿路の感染を考える。",
    "抗菌薬は、培養の結果を見て狭いものに替えるのがよい。",
)
ZEROS, ONES = (0.0,) * len(SHAPE_NAMES), (1.0,) * len(SHAPE_NAMES)
LOG2 = math.log(2)
BAD = ("12.4 13.1 8.8\n", "第二項\n", "別表\n", "(3) 9.0 - -\n", "厚\n生\n労\n働\n省\n")


def texts_of_two_kinds(n: int) -> tuple[list[str], np.ndarray]:
    generator = random.Random(1)
    texts = ["".join(generator.choices(GOOD if k % 2 else BAD, k=8)) for k in range(n)]
    return texts, np.array([3.0 if k % 2 else 0.0 for k in range(n)])


def test_a_fitted_scorer_tells_texts_apart_that_it_has_not_seen() -> None:
    texts, labels = texts_of_two_kinds(80)
    scores = predict_held_out(texts, labels, [str(n) for n in range(80)])
    assert scores[labels == 3].min() > 1.5 > scores[labels == 0].max()


def test_labels_without_any_order_in_them_give_a_scorer_without_conviction() -> None:
    texts, _ = texts_of_two_kinds(120)
    labels = np.array([random.Random(n).choice([0.0, 3.0]) for n in range(120)])
    scores = predict_held_out(texts, labels, [str(n) for n in range(120)])
    assert abs(np.corrcoef(scores, labels)[0, 1]) < 0.35


def test_ridge_weights_are_those_of_the_closed_form() -> None:
    """Conjugate gradients on hashed rows against numpy's dense solution of the same system."""
    from rinsho.corpus import quality_fit as fit

    texts, labels = texts_of_two_kinds(24)
    rows = fit.to_rows(texts)
    columns = fit._columns_of(rows)
    slots, shapes = fit._solve(rows, labels, columns, penalty=0.05)
    dense = np.zeros((24, 2**N_SLOT_BITS))
    ends = np.append(rows.starts[1:], len(rows.slots))
    for n in range(24):
        part = slice(rows.starts[n], ends[n])
        dense[n, rows.slots[part]] = rows.values[part]
    dense = dense * columns.slot_scale
    shape = rows.shapes * columns.shape_scale
    full = np.hstack([dense - dense.mean(axis=0), shape - shape.mean(axis=0)])
    penalty = 0.05 * (full**2).sum()
    dual = np.linalg.solve(full @ full.T + penalty * np.eye(24), labels - labels.mean())
    np.testing.assert_allclose(np.concatenate([slots, shapes]), full.T @ dual, atol=1e-7)


def test_the_score_is_the_mean_weight_of_pairs_counted_by_hand() -> None:
    weights = np.zeros(2**N_SLOT_BITS, np.int32)
    first, second = ord("あ"), ord("い")
    slot = ((first * 0x9E3779B1 + second * 0x85EBCA77) % 2**32) >> (32 - N_SLOT_BITS)
    weights[slot] = round(1.5 / WEIGHT_UNIT)
    scorer = Scorer(weights, ZEROS, ONES, 2 * ZEROS, 0.5)
    assert scorer.score("あい") == 2.0
    assert scorer.score("あいう") == 1.25  # one of two pairs
    assert scorer.score("う") == 0.5
    assert scorer.score("") == 0.0


@given(st.text(max_size=300))
def test_every_text_has_a_score_on_the_scale_and_always_the_same(text: str) -> None:
    generator = np.random.Generator(np.random.PCG64(3))
    weights = generator.integers(-(2**24), 2**24, 2**N_SLOT_BITS).astype(np.int32)
    scorer = Scorer(weights, ZEROS, ONES, (*ONES, *ONES), 1.0)
    assert 0 <= scorer.score(text) <= 3
    assert scorer.score(text) == scorer.score(text)


def test_figures_of_shape_are_counted_as_by_hand() -> None:
    text = "ＣＲＰ3.2。\n\n発熱、カゼ。"
    shape = dict(zip(SHAPE_NAMES, shape_of(text, to_codes(text)), strict=True))
    assert shape["log_chars"] == pytest.approx(math.log(15))
    assert shape["log_chars_of_line"] == pytest.approx(math.log(13 / 2))
    assert (shape["short_line_share"], shape["blank_line_share"]) == (1.0, pytest.approx(1 / 3))
    shares = [shape[name] * 15 for name in ("kanji", "katakana", "digits", "signs", "pauses")]
    assert shares == pytest.approx([2, 2, 2, 1, 3])
    assert shape["log_sentences"] == pytest.approx(math.log(3))


def test_a_figure_counts_by_its_distance_and_the_square_of_it_up_to_a_limit() -> None:
    spreads = (0.5, *ONES[1:])
    weights = (0.2, *ZEROS[1:], 0.1, *ZEROS[1:])
    scorer = Scorer(np.zeros(2**N_SLOT_BITS, np.int32), ZEROS, spreads, weights, 1.0)
    assert scorer.score("a") == 1.0  # log 1 is 0
    assert scorer.score("aa") == pytest.approx(1 + 0.2 * 2 * LOG2 + 0.1 * (2 * LOG2) ** 2, abs=1e-4)
    assert scorer.score("a" * 1000) == pytest.approx(1 + 0.2 * 2.5 + 0.1 * 2.5**2)


def test_a_saved_scorer_gives_the_same_scores(tmp_path: Path) -> None:
    texts, labels = texts_of_two_kinds(40)
    scorer = fit_scorer(texts, labels, [str(n) for n in range(40)])
    save_scorer(scorer, tmp_path, labels_from="rules")
    opened = open_scorer(tmp_path)
    assert [opened.score(t) for t in texts] == [scorer.score(t) for t in texts]
    assert json.loads((tmp_path / "scorer.json").read_text())["labels_from"] == "rules"


def test_a_folder_without_a_scorer_and_a_broken_one_are_named(tmp_path: Path) -> None:
    with pytest.raises(PathMissing):
        open_scorer(tmp_path)
    texts, labels = texts_of_two_kinds(20)
    save_scorer(fit_scorer(texts, labels, [str(n) for n in range(20)]), tmp_path)
    (tmp_path / "scorer.json").write_text('{"form": "another"}')
    with pytest.raises(Corrupt):
        open_scorer(tmp_path)


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("厚\n生\n労\n働\n省\n告\n示\n" * 20, 0),
        ("12.4 13.1 8.8 (3) 9.0 22.1\n" * 10, 0),
        ("山あいの町では、秋になると川沿いに市が立つ。", 1),
        ("山あいの町では、秋になると川沿いに市が立ち、隣村からも人が集まった。" * 3, 2),
        ("".join(GOOD) * 4, 3),
    ],
)
def test_labels_of_rules_follow_the_form_of_a_text(text: str, score: int) -> None:
    assert score_by_rules(text) == score
