"""Other orders of options, and demonstrations: what moves, what stays, what is never shown."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rinsho.errors import ModelCannot, ShotsMissing, UnknownBenchmark
from rinsho.evaluation.answer import AnswerConfig, answer
from rinsho.evaluation.answer_record import ANSWERS, read_answers
from rinsho.evaluation.benchmark import Item, Sources, hash_items
from rinsho.evaluation.catalogue import describe_benchmark, expand_names, load_benchmark
from rinsho.evaluation.legacy_harness import gold_text, shuffled
from rinsho.evaluation.prompts import messages_of, prompt_of
from rinsho.evaluation.variants import (
    SHUFFLES,
    is_free_of_order,
    letters_in_file,
    order_of,
    shuffle,
)

ORGANS = ("食道閉鎖", "心室中隔欠損", "腎低形成", "鎖肛", "胎児水腫")

items = st.builds(
    lambda n, gold, prohibited: Item(
        f"x/{n}",
        "choice",
        "どれか。",
        ORGANS,
        tuple(sorted(gold)),
        prohibited=tuple(sorted(prohibited)),
        also_right=((min(gold),),),
    ),
    st.integers(0, 10**6),
    st.sets(st.sampled_from("ABCDE"), min_size=1),
    st.sets(st.sampled_from("ABCDE")),
)


@given(items, st.integers(0, 4))
def test_letters_move_with_their_options(item, number):
    moved = shuffle(item, number)
    for field in ("gold", "prohibited", "also_prohibited"):
        texts = {item.choices[item.letters.index(one)] for one in getattr(item, field)}
        assert {moved.choices[moved.letters.index(one)] for one in getattr(moved, field)} == texts
    assert letters_in_file(item, number, moved.gold) == tuple(sorted(item.gold))
    assert letters_in_file(item, number, moved.also_right[0]) == item.also_right[0]
    assert gold_text(moved) == gold_text(item)  # the legacy harness joins gold before it shuffles


@given(items)
def test_the_files_own_order_is_order_0(item):
    assert shuffle(item, 0) == item
    assert order_of(item, 0) == (0, 1, 2, 3, 4)
    assert sorted(order_of(item, 3)) == [0, 1, 2, 3, 4]


def test_orders_differ_between_numbers_and_between_items():
    one, other = (Item(f"x/{n}", "choice", "", ORGANS, ("A",)) for n in (1, 2))
    assert len({order_of(one, number) for number in range(5)}) == 5
    assert order_of(one, 1) != order_of(other, 1)
    assert shuffle(one, 1).choices == shuffle(one, 1).choices
    assert set(shuffled(one, 1)) == set(ORGANS)


@pytest.mark.parametrize(
    "choices",
    [
        ("肺炎", "胃癌", "上記のいずれでもない"),
        ("1つ", "2つ", "すべて正しい"),
        ("aとb", "bとc", "cとd"),
        ("Fever", "Cough", "All of the above"),
        ("①", "②", "③"),
        ("a", "b", "c"),
        ("A and B", "fever", "cough"),
    ],
)
def test_options_that_name_one_another_keep_their_order(choices):
    assert not is_free_of_order(Item("x", "choice", "どれか。", choices, ("A",)))


def test_ordered_scales_have_no_shuffled_variant():
    with pytest.raises(ModelCannot):
        describe_benchmark("jmed-llm/crade@shuffle-1")
    with pytest.raises(UnknownBenchmark):
        describe_benchmark("jmed-llm/smdis@shuffle-9")
    with pytest.raises(ModelCannot):
        describe_benchmark("jmed-llm/nrner@3-shot")


def test_one_word_names_every_order():
    names = expand_names(["jmmlu/medical@shuffles"])
    assert names == ("jmmlu/medical", *(f"jmmlu/medical@{one}" for one in SHUFFLES))
    assert "jmed-llm/smdis@3-shot" in expand_names(["jmed-llm@3-shot"])


def test_only_the_legacy_harness_shuffles_by_its_own_protocol():
    assert describe_benchmark("igakuqa/2018@shuffle-1").official is None
    assert describe_benchmark("legacy-igakuqa-ja/alpaca@shuffle-1").official is not None


def test_a_plain_question_stands_after_its_examples_and_ends_before_its_answer():
    item = Item("x", "choice", "どれか。", ("肺炎", "胃癌"), ("B",), is_plain=True, shots="例\n\n")
    (message,) = messages_of(item)
    assert message.role == "user"
    assert message.content == "例\n\n問題: どれか。\n選択肢:\nA. 肺炎\nB. 胃癌\n答え:"
    assert prompt_of(item) == message.content


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "n_shots"),
    [("igakuqa/2018", 3), ("igakuqa-en/2018", 3), ("medllm-qa/pubmedqa", 5),
     ("jglue/jcommonsenseqa", 5), ("yakugakuqa/2022-2023", 3), ("jmed-llm/jmmlu-med", 3),
     ("jmed-llm/crade", 5), ("jmed-llm/jcsts", 5)],
)  # fmt: skip
def test_demonstrations_are_no_items_of_the_test_and_the_same_for_all(name, n_shots, data_folder):
    sources = Sources(data_folder, noncommercial=True)
    base = load_benchmark(name, sources)
    loaded = load_benchmark(f"{name}@{n_shots}-shot", sources)
    assert len(loaded.items) == len(base.items)
    assert len({item.shots for item in loaded.items}) == 1
    first = loaded.items[0]
    assert len(first.shot_ids) == n_shots
    assert not set(first.shot_ids) & {item.id for item in base.items}
    for item in base.items:
        assert f": {item.question.strip()}\n" not in first.shots
    answers = [line[-1] for line in first.shots.splitlines() if line.startswith(("答え", "Answer"))]
    assert len(answers) == n_shots
    assert len(set(answers)) >= min(n_shots, 3)
    assert hash_items(loaded.items) == load_benchmark(f"{name}@{n_shots}-shot", sources).sha256


@pytest.mark.data
def test_more_demonstrations_than_there_are_is_an_error(data_folder):
    with pytest.raises(ShotsMissing, match="needed 5, there are 3"):
        load_benchmark("igakuqa/2018@5-shot", Sources(data_folder))


def test_a_base_model_is_asked_by_likelihood_and_its_examples_stand_in_the_answers(
    tmp_path, weights_folder, synthetic_folder
):
    config = AnswerConfig.model_validate(
        {"benchmarks": ["demo-questions@1-shot"], "max_items": 2, "n_free_generations": 0}
    )
    answer(config, out=tmp_path / "a", model=weights_folder, documents=[synthetic_folder])
    first, second = read_answers(tmp_path / "a")
    assert first.method == second.method == "log-likelihood"
    assert first.shots == second.shots and len(first.shots) == 1
    assert len(first.log_likelihoods) == 5
    line = json.loads((tmp_path / "a" / ANSWERS).read_bytes().splitlines()[0])
    assert line["prompt"].endswith("答え:")
