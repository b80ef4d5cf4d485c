"""Answers that advance together: the same bytes as alone, whoever else is there."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence

import pytest
import torch
from llguidance import LLMatcher

from rinsho.errors import ConstraintRefused
from rinsho.generation.batch import PROMPT_CHUNK, Batch
from rinsho.generation.constraint import Constraint
from rinsho.generation.language_model import Sampling
from rinsho.model.checkpoint import save_weights
from rinsho.model.decoder import Decoder, new_decoder
from rinsho.model.presets import DecoderConfig, RopeScaling
from rinsho.model.quantize import load_half_decoder, load_int4_decoder
from rinsho.tokenizer.tokenizer import Tokenizer
from rinsho.wanted import NotWanted, is_wanted

Request = tuple[list[int], Sampling]
N_NEW = 12


def config_of(tokenizer: Tokenizer, scaling: RopeScaling | None = None) -> DecoderConfig:
    return DecoderConfig(
        vocab_size=tokenizer.vocab_size, d_model=64, n_layers=2, n_heads=4, n_kv_heads=2, d_head=16,
        d_ff=96, context_length=512, rope_scaling=scaling,
    )  # fmt: skip


@pytest.fixture(scope="module", params=["fp32", "bf16", "halves", "stretched", "int4"])
def long_decoder(
    request: pytest.FixtureRequest, tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory
) -> Decoder:
    scaling = RopeScaling(kind="dynamic", factor=2.0, original=32)
    is_stretched = request.param == "stretched"
    decoder = new_decoder(config_of(tokenizer, scaling if is_stretched else None), seed=0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    if request.param in ("int4", "halves"):  # as a CPU serves 4 bits and bf16
        folder = tmp_path_factory.mktemp("weights")
        save_weights(decoder, folder)
        return {"int4": load_int4_decoder, "halves": load_half_decoder}[request.param](folder)
    return decoder.to(torch.bfloat16 if request.param == "bf16" else torch.float32).eval()


def requests_of(n: int, tokenizer: Tokenizer) -> list[Request]:
    """Prompts of all lengths around the chunk, each with a temperature and a seed of its own."""
    chance = random.Random(0)
    lengths = [1, 2, PROMPT_CHUNK - 1, PROMPT_CHUNK, PROMPT_CHUNK + 1, 3 * PROMPT_CHUNK + 5, 300]
    return [
        (
            [1, *(chance.randrange(20, tokenizer.vocab_size) for _ in range(length - 1))],
            Sampling(temperature=chance.choice([0.0, 1.0]), seed=chance.randrange(99)),
        )
        for _, length in zip(range(n), itertools.cycle(lengths), strict=False)
    ]


def alone(decoder: Decoder, tokenizer: Tokenizer, request: Request) -> list[int]:
    steps = Batch(decoder, tokenizer).tokens(request[0], N_NEW, request[1])
    return [token for token in steps if token is not None]


def together(
    decoder: Decoder, tokenizer: Tokenizer, requests: Sequence[Request], order: random.Random
) -> list[list[int]]:
    """Ask in turns, in an order that changes, some starting later than others."""
    batch = Batch(decoder, tokenizer)
    waiting = list(range(len(requests)))
    running: dict[int, Iterator[int | None]] = {}
    found: list[list[int]] = [[] for _ in requests]
    while waiting or running:
        for _ in range(order.randrange(1, 4)):
            if waiting:
                number = waiting.pop(order.randrange(len(waiting)))
                running[number] = batch.tokens(requests[number][0], N_NEW, requests[number][1])
        for number in order.sample(sorted(running), len(running)):
            try:
                token = next(running[number])
            except StopIteration:
                del running[number]
                continue
            if token is not None:
                found[number].append(token)
    return found


@pytest.mark.parametrize("n", [3, 21])
def test_a_row_has_the_same_tokens_alone_and_among_others(
    long_decoder: Decoder, tokenizer: Tokenizer, n: int
) -> None:
    requests = requests_of(n, tokenizer)
    expected = [alone(long_decoder, tokenizer, one) for one in requests]
    assert together(long_decoder, tokenizer, requests, random.Random(1)) == expected
    assert len({tuple(tokens) for tokens in expected}) > 2  # they differ, so mixing would show


def test_greedy_rows_follow_the_plain_logits(decoder: Decoder, tokenizer: Tokenizer) -> None:
    prompt = [1, *range(20, 20 + 70)]
    tokens = alone(decoder, tokenizer, (prompt, Sampling()))
    row = list(prompt)
    for token in tokens:
        with torch.no_grad():
            assert int(decoder(torch.tensor([row]))[0, -1].argmax()) == token
        row.append(token)


def test_log_probabilities_are_the_same_bytes_too(
    long_decoder: Decoder, tokenizer: Tokenizer
) -> None:
    sampling = Sampling(n_logprobs=0)
    requests = [(prompt, sampling) for prompt, _ in requests_of(9, tokenizer)]
    lone = Batch(long_decoder, tokenizer).tokens(requests[5][0], N_NEW, sampling)
    expected = [token.log_probability for token in lone if token is not None]
    batch = Batch(long_decoder, tokenizer)
    rows = [batch.tokens(prompt, N_NEW, sampling) for prompt, _ in requests]
    found = [[t for t in steps if t is not None] for steps in _in_turns(rows)]
    assert [token.log_probability for token in found[5]] == expected


def _in_turns(rows: Sequence[Iterator[int | None]]) -> list[list[int | None]]:
    found: list[list[int | None]] = [[] for _ in rows]
    going = set(range(len(rows)))
    while going:
        for number in sorted(going):
            try:
                found[number].append(next(rows[number]))
            except StopIteration:
                going.remove(number)
    return found


def test_a_long_prompt_is_left_between_two_chunks(
    long_decoder: Decoder, tokenizer: Tokenizer
) -> None:
    batch = Batch(long_decoder, tokenizer)
    steps = batch.tokens([1] * (5 * PROMPT_CHUNK), N_NEW, Sampling())
    assert next(steps) is None  # one chunk was read, and it may be left now
    assert batch.n_steps == 1
    steps.close()
    short = batch.tokens([1, 30], N_NEW, Sampling())
    assert next(short) is not None  # the dropped prompt is no longer read before it
    assert batch.n_steps == 2


def test_whoever_asks_first_takes_the_step_for_all(
    long_decoder: Decoder, tokenizer: Tokenizer
) -> None:
    batch = Batch(long_decoder, tokenizer)
    rows = [batch.tokens([1, 30 + n], N_NEW, Sampling(temperature=1.0)) for n in range(4)]
    found = _in_turns(rows)
    longest = max(map(len, found))
    assert batch.n_steps <= longest + len(rows)


def test_an_answer_that_goes_wrong_ends_alone(long_decoder: Decoder, tokenizer: Tokenizer) -> None:
    requests = requests_of(3, tokenizer)
    expected = [alone(long_decoder, tokenizer, one) for one in requests]
    dead_end = LLMatcher.grammar_from_lark('start: A B\nA: "a"\nB: /[^\\x00-\\u{10FFFF}]/')
    wrong = [
        ([1, 9], Sampling(constraint=Constraint(dead_end))),  # behind its first token
        ([1, tokenizer.vocab_size + 5], Sampling()),  # in its prompt
    ]
    batch = Batch(long_decoder, tokenizer)
    rows = [batch.tokens(prompt, N_NEW, sampling) for prompt, sampling in (*wrong, *requests)]
    found: list[list[int]] = [[] for _ in rows]
    errors: dict[int, Exception] = {}
    going = set(range(len(rows)))
    while going:
        for number in sorted(going):
            try:
                token = next(rows[number])
            except StopIteration:
                going.remove(number)
            except (ConstraintRefused, IndexError) as error:
                errors[number] = error
                going.remove(number)
            else:
                found[number] += [] if token is None else [token]
    assert found[2:] == expected
    assert [type(errors[number]) for number in (0, 1)] == [ConstraintRefused, IndexError]


@torch.inference_mode()
def test_a_chunk_of_a_prompt_that_nobody_waits_for_stops_at_the_next_layer(
    decoder: Decoder, tokenizer: Tokenizer
) -> None:
    """Another answer goes on with the bytes that it has alone."""
    prompt, wanted = [5] * (2 * PROMPT_CHUNK), True
    layers: list[int] = []

    def leave(layer: int) -> None:
        nonlocal wanted
        layers.append(layer)
        wanted = False

    hooks = [
        block.input_layernorm.register_forward_hook(lambda *_, n=n: leave(n))
        for n, block in enumerate(decoder.model.layers)
    ]
    batch = Batch(decoder, tokenizer)
    token = is_wanted.set(lambda: wanted)
    left = batch.tokens(prompt, N_NEW, Sampling())
    with pytest.raises(NotWanted):
        next(left)
    is_wanted.reset(token)
    assert layers == [0], "not a layer more"
    for hook in hooks:
        hook.remove()
    again = [one for one in batch.tokens(prompt, N_NEW, Sampling()) if one is not None]
    alone = Batch(decoder, tokenizer).tokens(prompt, N_NEW, Sampling())
    assert again == [one for one in alone if one is not None]
