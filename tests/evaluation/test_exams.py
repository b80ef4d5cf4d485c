"""The other examinations: rows, traps, prompts and graders; a model asked both ways."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rinsho.evaluation import igakuqa, igakuqa119, medllm_qa, yakugakuqa
from rinsho.evaluation.answer import AnswerConfig, answer
from rinsho.evaluation.answer_record import Answer, read_answers
from rinsho.evaluation.benchmark import Item, Sources
from rinsho.evaluation.catalogue import BENCHMARKS, load_benchmark
from rinsho.evaluation.marking import mark
from rinsho.evaluation.scoring import score_entry

EXAMS = [
    name
    for name, one in BENCHMARKS.items()
    if one.leading == "accuracy"
    and one.form == "choice"
    and one.files
    and not name.startswith(("igakuqa/", "jmedbench/"))  # numbers; not supplied
    and (not name.startswith("legacy-") or (name.endswith("/alpaca") and one.n_items is not None))
]


def values(metrics) -> dict[str, float]:
    return {metric.name: metric.value for metric in metrics}


@pytest.mark.data
@pytest.mark.parametrize("name", ["igakuqa119", *EXAMS])
def test_every_row_is_read_and_gold_answers_are_right(name, data_folder):
    loaded = load_benchmark(name, Sources(data_folder, noncommercial=True))
    assert len(loaded.items) == loaded.benchmark.n_items
    counted = [item for item in loaded.items if not item.excluded]
    assert all(
        mark(item, Answer(name, item.id, "generation", "", ",".join(item.gold))).is_right
        for item in counted
    )


@pytest.mark.data
def test_the_119th_examination_has_its_points_and_its_damage_mended(data_folder):
    items = {i.id: i for i in load_benchmark("igakuqa119", Sources(data_folder)).items}
    alone = [item for item in items.values() if not item.has_image]
    assert (len(items), len(alone)) == (400, 297)
    assert sum(item.points for item in items.values()) == 500
    assert sum(item.points for item in alone) == 383
    assert {i.id: i.gold[0] for i in items.values() if i.form == "number"} == {
        "119A75": "600",
        "119C74": "36",
        "119C75": "27",
        "119F75": "40",
    }
    assert items["119E48"].choices[3] == "アドレナリン"
    assert len(items["119E45"].choices) == 5
    assert not items["119C1"].question.startswith("119C")
    assert items["119F16"].choices[4].startswith("細胞傷害性")


@pytest.mark.data
def test_pharmacist_examinations_have_categories_notes_and_questions_without_an_answer(data_folder):
    items = load_benchmark("yakugakuqa/2012-2023", Sources(data_folder)).items
    assert sum(not item.has_image for item in items) == 2771
    assert Counter(item.tag for item in items)["Practice"] == 1141
    assert sum(item.excluded == "no answer is right" for item in items) == 18
    assert sum(bool(item.also_right) for item in items) == 6
    either = next(item for item in items if item.id == "103127")
    assert [either.gold, *either.also_right] == [("B", "D"), ("B", "E"), ("D", "E")]


@pytest.mark.data
def test_dental_and_internal_medicine_questions_keep_their_damage_out_of_figures(data_folder):
    sources = Sources(data_folder, noncommercial=True)
    dental = load_benchmark("medllm-qa/denqa", sources).items
    assert Counter(item.excluded for item in dental if item.excluded) == {
        "no answer is published": 21,
        "asks for another number of answers than are published": 15,
    }
    assert sum(not item.has_image for item in dental) == 433
    internal = {item.id: item for item in load_benchmark("medllm-qa/jjsimqa", sources).items}
    assert internal["107_888-26"].gold == ("D", "E")
    assert internal["107_64-4"].excluded


@pytest.mark.data
def test_abstract_questions_are_those_of_the_published_test_set(data_folder):
    path = data_folder / "eval" / "pubmedqa" / "test_ground_truth.json"
    truth = json.loads(path.read_text(encoding="utf-8"))
    loaded = load_benchmark("medllm-qa/pubmedqa", Sources(data_folder))
    letters = {"yes": ("A",), "no": ("B",), "maybe": ("C",)}
    assert {item.id: item.gold for item in loaded.items} == {
        k: letters[v] for k, v in truth.items()
    }
    pairs = [(i, Answer(loaded.name, i.id, "generation", "", "A")) for i in loaded.items]
    found = values(score_entry("yes", loaded, "generation", pairs).corrected)
    assert found["accuracy"] == 0.552
    assert found["macro_f1"] == pytest.approx(2 * 0.552 / 1.552 / 3)


@pytest.mark.parametrize(
    ("output", "is_right"),
    [("answer: a", True), ("Answer: [c]", True), ("answer: ac", False), ("a", False), ("", False)],
)
def test_one_question_of_the_119th_accepts_either_letter_alone(output, is_right):
    item = Item("119E28", "choice", "", tuple("vwxyz"), ("A",), also_right=(("C",),))
    assert igakuqa119.official_is_right(item, output) is is_right


def test_the_grader_of_the_119th_sorts_digits_and_the_corrected_one_does_not():
    item = Item("119C74", "number", "", gold=("36",), wording="ja")
    assert igakuqa119.official_is_right(item, "<think>?</think>answer: 63")
    assert not mark(item, Answer("x", item.id, "official", "", "answer: 63")).is_right
    assert mark(item, Answer("x", item.id, "official", "", "answer: 36")).is_right


def test_the_prompt_of_the_119th_is_the_publishers():
    item = Item(
        "119A1", "choice", "誤りはどれか", ("あ", "い"), ("A",), published_question="誤りはどれか ",
        published_choices=("a. あ", "b.い"),
    )  # fmt: skip
    system, user = igakuqa119.official_messages(item)
    assert system.content.startswith("あなたは医師国家試験問題を解く優秀で論理的な")
    assert system.content.endswith("上記の出力に従って厳密に出力する。\n")
    digest = hashlib.sha256(system.content.encode()).hexdigest()
    assert digest == "09cccc5cdcd1ac34ab88a1d5922d51ce15b0fe0e1b56c8d6323ad101e962c616"
    assert user.content == (
        "問題：誤りはどれか \n\n選択肢：\na. あ\nb.い\n\n回答を指定された形式で出力してください。"
    )


def test_demonstrations_are_the_first_five_rows_and_are_not_scored():
    items = tuple(
        Item(str(n), "choice", f"Which {n}?", ("x", "y"), ("AB"[n % 2],), wording="en")
        for n in range(7)
    )
    (message,) = medllm_qa.official_messages(items[6], items, language="en")
    assert message.content.startswith(
        "Question: Which 0?\na: x\nb: y\nBe sure to choose exactly 1 from a, b, c, d, e."
        "\nAnswer:\na\nQuestion: Which 1?"
    )
    assert message.content.endswith("Question: Which 6?\na: x\nb: y\nBe sure to choose exactly 1 "
                                    "from a, b, c, d, e.\nAnswer:\n")  # fmt: skip
    assert "Which 5?" not in message.content


def test_only_the_first_character_is_read_so_that_two_answers_are_never_right():
    item = Item("x", "choice", "", tuple("vwxyz"), ("A", "C"))
    assert not medllm_qa.official_is_right(item, "a,c")
    assert medllm_qa.official_is_right(Item("y", "choice", "", ("v",), ("A",)), "\nA: because")


def test_pharmacist_answers_are_cut_to_one_digit_or_two():
    item = Item("x", "choice", "", tuple("vwxyz"), ("A", "C"), published_choices=("1", "3"))
    assert yakugakuqa.official_is_right(item, "3, 1: reasons")
    assert not yakugakuqa.official_is_right(item, "13")
    messages = yakugakuqa.official_messages(item)
    assert [m.content for m in messages if m.role == "assistant"] == ["5", "1,2", "4"]
    assert messages[-1].content.endswith(
        "\n5: z\n必ず1,2,3,4,5,6の中からちょうど2個選んでください。\n答え:"
    )


@pytest.mark.data
def test_a_model_is_asked_both_ways_and_the_figures_stay_apart(
    data_folder, weights_folder, tmp_path
):
    config = AnswerConfig(
        benchmarks=("medllm-qa/pubmedqa",), methods=("log-likelihood", "official"), max_items=2,
        max_new_tokens=2, n_free_generations=0,
    )  # fmt: skip
    answer(config, out=tmp_path / "answers", model=weights_folder, data=data_folder)
    answers = read_answers(tmp_path / "answers")
    assert Counter(one.method for one in answers) == {"log-likelihood": 2, "official": 2}
    loaded = load_benchmark("medllm-qa/pubmedqa", Sources(data_folder))
    items = {item.id: item for item in loaded.items}
    for method in ("log-likelihood", "official"):
        pairs = [(items[one.item], one) for one in answers if one.method == method]
        entry = score_entry("x", loaded, method, pairs)
        assert bool(entry.official) == (method == "official")
        assert entry.corrected[0].name == "accuracy"


def test_hostile_outputs_are_wrong_and_do_nothing():
    draw = random.Random(0)
    pieces = ["answer:", "<think>", "</think>", "__import__('os')", "\0", "\ud800", "9" * 60,
              "答え", "1e999", "-", ".", ",", ":", "</script>", "\n", "（"]  # fmt: skip
    choice = Item("x", "choice", "2つ選べ。", tuple("vwxyz"), ("A", "C"), wording="ja",
                  published_choices=("1", "3"))  # fmt: skip
    number = Item("y", "number", "求めよ。", gold=("7.20",), wording="ja")
    graders = (
        igakuqa119.official_is_right,
        medllm_qa.official_is_right,
        yakugakuqa.official_is_right,
        igakuqa.official_is_right,
    )
    for _ in range(300):
        output = "".join(draw.choices(pieces, k=draw.randrange(10)))
        for item in (choice, number):
            assert not any(grader(item, output) for grader in graders)
            assert not mark(item, Answer("x", item.id, "official", "", output)).is_right


@pytest.mark.data
def test_thinking_is_no_part_of_corrected_answers_and_counts_where_it_never_ends(data_folder):
    loaded = load_benchmark("jmed-llm/smdis", Sources(data_folder))
    outputs = ("<think>Bかも。</think>A", "<think>A", "A")
    pairs = [
        (item, Answer(loaded.name, item.id, "generation", "", output))
        for item, output in zip(loaded.items, outputs, strict=False)
    ]
    entry = score_entry("x", loaded, "generation", pairs)
    assert [row.prediction for row in entry.rows] == [("A",), (), ("A",)]
    assert [row.answer.output for row in entry.rows] == [*outputs]
    found = values(entry.corrected)
    assert found["unclosed_thinking"] == pytest.approx(1 / 3)
    assert found["format_compliance"] == pytest.approx(2 / 3)


@given(st.lists(st.sampled_from(["<think>", "</think>", "<Thoughts>", "</thoughts>", "</THINK>",
                                 "answer: a", "\n", "b"]), max_size=12))  # fmt: skip
def test_thoughts_are_removed_as_the_publishers_remove_them(pieces):
    output = "".join(pieces)
    published = re.compile(r"<(think|thinking|thoughts)>(.*?)</\1>", re.DOTALL | re.IGNORECASE)
    assert igakuqa119.official_answer(output) == igakuqa119.official_answer(
        published.sub("", output).replace("<", "[")
    ).replace("[", "<")


def test_many_thoughts_that_never_end_are_read_in_one_pass():
    assert igakuqa119.official_answer("<thoughts>" * 40_000 + "\nanswer: a") == "a"
