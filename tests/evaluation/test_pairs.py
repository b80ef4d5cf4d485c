"""Pairs: read from hostile bullets, matched one to one; the real SogoCheck files."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rinsho.evaluation.answer_record import Answer
from rinsho.evaluation.benchmark import Item, Sources
from rinsho.evaluation.catalogue import load_benchmark
from rinsho.evaluation.marking import mark
from rinsho.evaluation.pair_metrics import count_pairs, fold, holds, parse_pairs
from rinsho.evaluation.prompts import messages_of
from rinsho.evaluation.scoring import score_entry


def values(metrics) -> dict[str, float]:
    return {metric.name: metric.value for metric in metrics}


def bullets(pairs) -> str:
    return "".join(f"- {before} → {after}\n" for before, after in pairs)


@pytest.mark.parametrize(
    ("output", "pairs", "is_strict"),
    [
        ("- a → b", [("a", "b")], True),
        ("・「a」が「b」", [("a", "b")], False),
        ("1. a -> b\n以上です。", [("a", "b")], False),
        ("- a → b\n- a → b", [("a", "b")], True),
        ("- a → b → c", [], False),
        ("- → b", [], False),
        ("", [], False),
    ],
)
def test_pairs_are_read_from_bullets(output, pairs, is_strict):
    parsed = parse_pairs(output)
    assert (list(parsed.pairs), parsed.is_strict) == (pairs, is_strict)
    assert parsed.is_valid == bool(pairs)


@given(st.text("-・→「」ab\n 1.", max_size=40))
def test_no_output_breaks_the_reader(output):
    item = Item("x", "pairs", "ab", gold_pairs=(("a", "b"),), wording="ja")
    mark(item, Answer("x", "x", "generation", "", output))


def lists_of_pairs(n_characters: int) -> st.SearchStrategy:
    text = st.text("ab", max_size=n_characters)
    return st.lists(st.tuples(text, text), max_size=4)


@given(lists_of_pairs(2), lists_of_pairs(3))
def test_matched_pairs_are_as_many_as_the_best_assignment(gold, predicted):
    gold = (gold + [None] * len(predicted))[: max(len(gold), len(predicted))]
    best = max(
        sum(bool(one) and holds(two, one) for one, two in zip(order, predicted, strict=False))
        for order in itertools.permutations(gold)
    )
    assert count_pairs([one for one in gold if one], predicted, holds) == best


@pytest.mark.data
@pytest.mark.parametrize(
    ("level", "n_rows", "n_pairs"), [("easy", 200, 1352), ("medium", 162, 890)]
)
def test_gold_finds_itself_and_naming_everything_finds_little(level, n_rows, n_pairs, data_folder):
    loaded = load_benchmark(f"sogocheck/{level}", Sources(data_folder))
    assert len(loaded.items) == n_rows
    assert sum(len(item.gold_pairs) for item in loaded.items) == n_pairs

    def metrics(output_of) -> dict[str, float]:
        pairs = [
            (i, Answer(loaded.name, i.id, "generation", "", output_of(i))) for i in loaded.items
        ]
        return values(score_entry("x", loaded, "generation", pairs).corrected)

    everything = metrics(lambda item: "- {0} → {0}".format(fold(item.question).replace("→", "")))
    nothing = metrics(lambda item: "変更はありません。")
    assert everything["published_recall"] > 2 * everything["pair_recall"] > 0
    assert set(nothing.values()) == {0.0}
    gold = metrics(lambda item: bullets((fold(b), fold(a)) for b, a in item.gold_pairs))
    assert gold["pair_recall"] > 0.95  # the others have two arrows
    assert gold["pair_precision"] > 0.95


@pytest.mark.data
def test_both_documents_are_shown_and_no_gold_text_beside_them(data_folder):
    item = load_benchmark("sogocheck/easy", Sources(data_folder)).items[0]
    system, user = messages_of(item)
    assert "- 変更前 → 変更後" in system.content
    assert user.content.endswith(item.question.strip())
