"""Duplicates, against Jaccard similarity computed on plain Python sets."""

from __future__ import annotations

import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rinsho.corpus.document import Document
from rinsho.corpus.duplicates import ExactDuplicates, NearDuplicates, jaccard, shingles
from rinsho.corpus.ngrams import hash_ngrams

WORDS = (
    "発熱",
    "咳嗽",
    "腹痛",
    "嘔吐",
    "経過",
    "良好",
    "退院",
    "外来",
    "検査",
    "投薬",
    "増量",
    "中止",
)
WORDS += ("肺炎", "心不全", "血圧", "低下", "上昇", "改善")


def text_of(n_words: int, seed: int) -> str:
    return "".join(random.Random(seed).choices(WORDS, k=n_words))


def document(text: str, number: int = 0) -> Document:
    return Document(f"source/{number}", text, "source", "CC0-1.0")


def plain_jaccard(first: str, second: str) -> float:
    one, two = ({t[i : i + 5] for i in range(len(t) - 4)} for t in (first, second))
    return len(one & two) / len(one | two)


@given(st.text("あいう", min_size=5, max_size=60), st.text("あいう", min_size=5, max_size=60))
def test_jaccard_on_hashes_is_jaccard_on_sets(first: str, second: str) -> None:
    assert jaccard(shingles(first), shingles(second)) == pytest.approx(plain_jaccard(first, second))


@given(st.text(max_size=80), st.integers(1, 60))
def test_equal_runs_have_equal_hashes_and_others_do_not(text: str, n: int) -> None:
    hashes = hash_ngrams(text, n).tolist()
    runs = [text[i : i + n] for i in range(len(text) - n + 1)]
    assert len(hashes) == len(runs)
    assert len(set(hashes)) == len(set(runs))
    assert len(set(zip(hashes, runs, strict=True))) == len(set(runs))


def test_the_same_text_is_a_duplicate_and_the_first_one_stays() -> None:
    exact = ExactDuplicates()
    assert exact.check(document("肺炎で入院。")) is None
    assert exact.check(document("肺炎で入院した。")) is None
    rejection = exact.check(document("肺炎で入院。"))
    assert rejection is not None and rejection.rule == "exact_duplicate"


def test_an_edited_text_is_found_and_its_similarity_is_true() -> None:
    near = NearDuplicates(io.BytesIO(), 0.85)
    first = text_of(200, seed=0)
    edited = first[:100] + "追記" + first[102:300] + "訂正" + first[302:]
    assert near.check(document(first)) is None
    rejection = near.check(document(edited))
    assert rejection is not None and rejection.rule == "near_duplicate"
    assert rejection.measured == pytest.approx(plain_jaccard(first, edited), abs=1e-3)


def test_of_a_hundred_edited_texts_at_least_ninety_five_are_found_and_no_other() -> None:
    near = NearDuplicates(io.BytesIO(), 0.85)
    originals = [text_of(150, seed=seed) for seed in range(100)]
    assert [near.check(document(text)) for text in originals] == [None] * 100
    edits = [text[:40] + "訂" + text[41:200] + "正" + text[201:] for text in originals]
    assert all(plain_jaccard(a, b) >= 0.85 for a, b in zip(originals, edits, strict=True))
    assert sum(near.check(document(text)) is not None for text in edits) >= 95


def test_short_texts_that_differ_are_not_merged() -> None:
    near = NearDuplicates(io.BytesIO(), 0.85)
    notes = [f"体温{36 + i / 10:.1f}度、食事{i}割摂取、著変なし。" for i in range(10)]
    assert [near.check(document(note)) for note in notes] == [None] * 10


def test_line_breaks_and_blanks_do_not_hide_a_duplicate() -> None:
    near = NearDuplicates(io.BytesIO(), 0.85)
    text = text_of(100, seed=3)
    assert near.check(document(text)) is None
    assert near.check(document("\n".join(text[i : i + 20] for i in range(0, len(text), 20))))


def test_texts_too_short_for_one_run_are_left_alone() -> None:
    near = NearDuplicates(io.BytesIO(), 0.85)
    assert near.check(document("肺炎")) is None
    assert near.check(document("肺炎")) is None
