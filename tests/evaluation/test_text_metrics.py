"""Bits per byte, repetition and copying against slow definitions."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rinsho.evaluation.text_metrics import bits_per_byte, count_copied, repetition_rate


def test_a_uniform_model_of_bytes_costs_eight_bits_per_byte():
    n_bytes = [30, 7, 100]
    scores = [n * math.log(1 / 256) for n in n_bytes]
    assert bits_per_byte(scores, n_bytes).value == pytest.approx(8.0)


def test_bits_per_byte_weighs_texts_by_their_bytes():
    assert bits_per_byte([-2 * math.log(2), 0.0], [1, 3]).value == pytest.approx(0.5)


def test_repetition_is_none_for_a_text_too_short_to_repeat():
    assert repetition_rate("発熱。") is None
    assert repetition_rate("あ" * 29) == pytest.approx(19 / 20)


def copied_slowly(generation, training):
    grams = [generation[at : at + 20] for at in range(len(generation) - 19)]
    is_seen = [any(gram in text for text in training) for gram in grams]
    runs = "".join("x" if seen else " " for seen in is_seen).split()
    longest = max((len(run) for run in runs), default=0)
    return sum(is_seen) / len(grams) if grams else None, longest + 19 if longest else 0


alphabet = "あ𠮷b"


@settings(max_examples=50)
@given(
    st.lists(st.text(alphabet, max_size=60), max_size=3),
    st.lists(st.text(alphabet, max_size=80), max_size=3),
    st.text(alphabet, min_size=20, max_size=30),
)
def test_copying_is_what_a_search_finds(generations, training, shared):
    generations = [*generations, "の" + shared + "は"]
    training = [*training, "が" + shared + "を"]
    found = count_copied(generations, training)
    expected = [copied_slowly(generation, training) for generation in generations]
    assert [(copied.share, copied.longest_characters) for copied in found] == expected


def test_nothing_is_copied_from_nothing():
    copied = count_copied(["発熱と咳嗽を認めたため胸部X線を撮影した。"], [])[0]
    assert (copied.share, copied.longest_characters) == (0.0, 0)
