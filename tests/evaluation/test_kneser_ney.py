"""The character 5-gram against a slow one written from the formula, and a value by hand."""

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rinsho.evaluation.kneser_ney import ORDER, train_kneser_ney

START = "\x00"
texts = st.lists(st.text(alphabet="あいう", max_size=12), min_size=1, max_size=4).filter(any)


def slow_model(corpus):
    """Chen and Goodman's interpolated Kneser-Ney with dictionaries."""
    padded = [START * (ORDER - 1) + text for text in corpus]
    grams = {
        order: Counter(
            text[at - order + 1 : at + 1] for text in padded for at in range(ORDER - 1, len(text))
        )
        for order in range(1, ORDER + 1)
    }
    counts = {ORDER: grams[ORDER]}
    for order in range(1, ORDER):
        counts[order] = Counter(gram[1:] for gram in grams[order + 1])
    characters = sorted({c for text in corpus for c in text})

    def discount(order):
        once = sum(count == 1 for count in counts[order].values())
        twice = sum(count == 2 for count in counts[order].values())
        return once / (once + 2 * twice) if once and twice else 0.5

    def probability(context, character, order=ORDER):
        if order == 0:
            n_seen = len(characters)
            share = 1 / (n_seen + 1)
            return share if character in characters else share / (1_112_064 - n_seen)
        history = context[len(context) - order + 1 :] if order > 1 else ""
        after = {g: c for g, c in counts[order].items() if g[:-1] == history}
        lower = probability(context, character, order - 1)
        total = sum(after.values())
        if total == 0:
            return lower
        d = discount(order)
        own = max(after.get(history + character, 0) - d, 0) / total
        return own + d * len(after) / total * lower

    return characters, lambda context, c: probability(START * (ORDER - 1) + context, c)


@settings(max_examples=60)
@given(texts, st.text(alphabet="あいうえ", max_size=8), st.sampled_from("あいうえ"))
def test_probabilities_are_those_of_the_slow_model(corpus, context, character):
    _, slow = slow_model(corpus)
    fast = train_kneser_ney(corpus)
    assert fast.probability(context, character) == pytest.approx(slow(context, character))


@settings(max_examples=60)
@given(texts, st.text(alphabet="あいうえ", max_size=8))
def test_probabilities_of_all_characters_sum_to_one(corpus, context):
    model = train_kneser_ney(corpus)
    seen = sum(model.probability(context, character) for character in model.symbols)
    unseen = model.probability(context, "龘") * (1_112_064 - len(model.symbols))
    assert seen + unseen == pytest.approx(1.0)


def test_a_value_worked_by_hand():
    # Corpus "ab". Every order above the first has one kind after each context, count 1, D = 0.5.
    # Order 1: a and b each have one left neighbour, total 2, D = 0.5: 0.25 each, backoff 0.5.
    # Base: 1/3. P1(a) = 0.25 + 0.5/3 = 5/12. Each of the four higher orders: 0.5 + 0.5 * lower.
    expected = 5 / 12
    for _ in range(4):
        expected = 0.5 + 0.5 * expected
    model = train_kneser_ney(["ab"])
    assert model.probability("", "a") == pytest.approx(expected)
    assert model.log_likelihood("ab") == pytest.approx(2 * math.log(expected))


def test_a_log_likelihood_is_the_sum_over_characters():
    model = train_kneser_ney(["発熱と咳嗽を認めた。", "咳嗽は改善した。"])
    text = "発熱は改善した。"
    total = sum(math.log(model.probability(text[:at], text[at])) for at in range(len(text)))
    assert model.log_likelihood(text) == pytest.approx(total)


def test_the_order_of_the_texts_does_not_matter():
    one, other = train_kneser_ney(["発熱", "咳嗽"]), train_kneser_ney(["咳嗽", "発熱"])
    assert one.probability("発", "熱") == other.probability("発", "熱")
    assert one.log_likelihood("") == 0.0
