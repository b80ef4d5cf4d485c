from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rinsho.generation.branches import Pair, batches, to_chains, to_trees
from rinsho.generation.decoder_model import DecoderModel
from rinsho.model.decoder import Decoder
from rinsho.tokenizer.tokenizer import Tokenizer

tokens = st.lists(st.integers(4, 40), min_size=1, max_size=6).map(tuple)
pairs = st.lists(st.tuples(tokens, tokens), min_size=1, max_size=12)


def plain(decoder: Decoder, pair: Pair) -> float:
    """Score a pair alone: one row, softmax over everything."""
    prompt, continuation = pair
    with torch.inference_mode():
        log_probs_TV = decoder(torch.tensor([prompt + continuation]))[0].double().log_softmax(-1)
    places = range(len(prompt) - 1, len(prompt) + len(continuation) - 1)
    return float(sum(log_probs_TV[at, c] for at, c in zip(places, continuation, strict=True)))


@pytest.fixture
def model(decoder: Decoder, tokenizer: Tokenizer) -> DecoderModel:
    return DecoderModel(decoder, tokenizer, "tiny")


def test_branches_of_one_prompt_score_as_if_each_were_alone(model, decoder):
    @settings(max_examples=25)
    @given(asked=pairs)
    def check(asked: list[Pair]) -> None:
        shared = [(asked[0][0], continuation) for _, continuation in asked]
        every = [*asked, *shared, *((p, (*c, 7)) for p, c in shared)]
        scored = model.log_likelihoods(every)
        expected = [plain(decoder, pair) for pair in every]
        assert [one.log_likelihood for one in scored] == pytest.approx(expected, abs=1e-4)
        assert [one.n_tokens for one in scored] == [len(c) for _, c in every]

    check()


@given(asked=pairs)
def test_every_pair_is_read_once_and_knows_the_rows_that_its_tokens_follow(asked):
    for gather in (to_chains, to_trees):
        readings = [one for batch in batches(gather(asked), max_tokens=20) for one in batch]
        found = [pair for one in readings for pair, _ in one.rows]
        assert sorted(found) == sorted(set(asked))
        for one in readings:
            positions, sees = one.positions(), one.mask()
            for (prompt, continuation), rows in one.rows:
                assert [positions[row] + 1 for row in rows] == list(
                    range(len(prompt), len(prompt) + len(continuation))
                )
                seen_by = sees[rows[-1]].tolist()
                seen = [
                    token for token, is_seen in zip(one.tokens, seen_by, strict=True) if is_seen
                ]
                assert tuple(seen) == prompt + continuation[:-1]


def test_what_all_prompts_begin_with_is_read_once_and_scores_stay(model, decoder):
    beginning = tuple(range(4, 34))

    @settings(max_examples=25)
    @given(asked=pairs)
    def check(asked: list[Pair]) -> None:
        every = [(beginning + prompt, continuation) for prompt, continuation in asked]
        every += [(beginning, (7,)), (beginning, (8, 9)), (beginning, (9, 8, 7))]
        scored = model.log_likelihoods(every)
        expected = [plain(decoder, pair) for pair in every]
        assert [one.log_likelihood for one in scored] == pytest.approx(expected, abs=1e-4)

    check()


def test_choices_of_one_letter_read_their_prompt_once():
    letters: list[Pair] = [((5, 6, 7), (letter,)) for letter in (10, 11, 12, 13)]
    (reading,) = to_trees(letters)
    assert reading.tokens == (5, 6, 7)
    assert reading.branches == ()


def test_what_is_together_depends_on_the_requests_alone():
    asked: list[Pair] = [((n,) * length, (1, 2)) for n, length in ((5, 3), (6, 9), (7, 1), (8, 3))]
    one, other = (list(batches(to_trees(order), max_tokens=12)) for order in (asked, asked[::-1]))
    assert one == other
