from __future__ import annotations

import itertools

import pytest
import torch
from scipy.stats import binom

from rinsho.errors import InvalidValue
from rinsho.evaluation.benchmark import Item
from rinsho.evaluation.bootstrap import mean
from rinsho.evaluation.compare import Marked
from rinsho.evaluation.exam_years import by_year, to_table
from rinsho.evaluation.memory import (
    _at_least,  # pyright: ignore[reportPrivateUsage]
    complete_questions,
    item_order,
    option_order,
)
from rinsho.evaluation.prompts import plain_question
from rinsho.generation.decoder_model import DecoderModel
from rinsho.model.decoder import new_decoder
from rinsho.model.loss import summed_cross_entropy
from rinsho.model.presets import DecoderConfig
from rinsho.text.normalize import normalize
from rinsho.tokenizer.tokenizer import Tokenizer

SIGNS = ("発熱", "咳嗽", "肺炎", "軽快")
ORDERS = list(itertools.permutations(SIGNS))[::4]
ITEMS = tuple(
    Item(
        f"x/{n}", "choice", f"{order[0]}" * 6 + "で来院した。" + f"{order[1]}{order[2]}" * 7,
        tuple(f"{sign}像" for sign in order[::-1]), ("A",), document=f"x/{n}",
    )
    for n, order in enumerate(ORDERS)
)  # fmt: skip


@pytest.fixture(scope="module")
def fresh(tokenizer_model: bytes) -> DecoderModel:
    tokenizer = Tokenizer(tokenizer_model)
    shape = DecoderConfig(
        vocab_size=tokenizer.vocab_size, d_model=48, n_layers=2, n_heads=3, n_kv_heads=3,
        d_head=16, d_ff=96, context_length=260,
    )  # fmt: skip
    return DecoderModel(new_decoder(shape, seed=0).eval(), tokenizer, "fresh")


@pytest.fixture(scope="module")
def learned(fresh: DecoderModel) -> DecoderModel:
    """The same shape, taught the items by heart in the order of the file, and bare questions."""
    torch.manual_seed(0)
    tokenizer = fresh.tokenizer
    decoder = new_decoder(fresh._decoder.config, seed=1)  # pyright: ignore[reportPrivateUsage]
    texts = [normalize(plain_question(item) + "\n\n") for item in ITEMS]
    pairs = [texts[at] + texts[at + 1] for at in range(0, len(texts), 2)]
    bare = [normalize(item.question) for item in ITEMS]
    rows = [[tokenizer.bos_id, *tokenizer.encode(text)] for text in (*pairs, *texts, *bare)]
    lengths = [len(row) - 1 for row in rows]
    tokens_T = torch.tensor([id_ for row in rows for id_ in row[:-1]])
    labels_T = torch.tensor([id_ for row in rows for id_ in row[1:]])
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=6e-3)
    for _ in range(150):
        hidden_TD = decoder.forward_hidden(tokens_T, lengths)
        every_T = torch.ones_like(labels_T)
        loss = summed_cross_entropy(hidden_TD, decoder.output_weight, labels_T, every_T)
        optimizer.zero_grad()
        (loss / len(labels_T)).backward()
        optimizer.step()
        if loss < 0.02 * len(labels_T):
            break
    return DecoderModel(decoder.eval(), tokenizer, "learned")


def test_a_model_that_learned_the_file_prefers_the_order_of_its_options(learned, fresh):
    found, chance = option_order(learned, ITEMS), option_order(fresh, ITEMS)
    assert found.n_items == chance.n_items == len(ITEMS)
    assert found.n_likeliest == len(ITEMS)
    assert found.p < 1e-3
    assert chance.p > 0.01


def test_a_model_that_learned_the_file_goes_on_with_its_questions(learned, fresh):
    found, chance = complete_questions(learned, ITEMS), complete_questions(fresh, ITEMS)
    assert found.n_items == len(ITEMS)
    assert found.n_exact >= 3
    assert set(found.exact) <= {item.id for item in ITEMS}
    assert chance.n_exact == 0
    assert chance.mean_longest < 0.5 < found.mean_longest


def test_neighbours_are_likelier_in_the_order_of_the_file_where_it_was_learned(learned):
    found = item_order(learned, ITEMS, n_orders=4)
    assert found.n_shards >= 3
    assert found.mean_gain > 0
    assert found.p is not None
    assert found.p < 0.2  # three shards cannot say more


def test_the_chance_of_so_many_is_the_binomial_tail():
    for n_found in range(8):
        expected = float(binom.sf(n_found - 1, 7, 0.2))
        assert _at_least(n_found, [0.2] * 7) == pytest.approx(expected)


def test_items_that_do_not_fit_are_left_out_and_nothing_breaks_without_any(fresh):
    long = Item("x/1", "choice", "咳" * 2_000, ("有る", "無い"), ("A",))
    assert option_order(fresh, [long]).n_items == 0
    assert complete_questions(fresh, [long]).n_items == 0
    assert item_order(fresh, [long, long]).n_shards == 0


def marked(benchmark: str, right: list[bool]) -> Marked:
    items = tuple(f"{benchmark}/{n}" for n in range(len(right)))
    metric = mean("accuracy", right)
    return Marked("m", benchmark, "generation", items, items, tuple(right), metric)


def test_examinations_stand_by_year_and_on_both_sides_of_a_date():
    marks = [
        marked("igakuqa119", [False, False, True]),
        marked("igakuqa/2019", [True, True]),
        marked("igakuqa/2018", [True, False]),
        marked("jmmlu/medical", [True]),
    ]
    rows = by_year(marks, "2023-09")
    assert [(r.benchmark, r.is_before) for r in rows] == [
        ("igakuqa/2018", True), ("igakuqa/2019", True), ("igakuqa119", False),
        ("before", True), ("after", False),
    ]  # fmt: skip
    assert rows[3].accuracy.value == pytest.approx(3 / 4)
    assert rows[4].accuracy.value == pytest.approx(1 / 3)
    assert len(to_table(rows).splitlines()) == 7
    with pytest.raises(InvalidValue):
        by_year(marks, "last year")
    with pytest.raises(InvalidValue):
        by_year(marks[3:], "2023-09")
