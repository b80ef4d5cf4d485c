"""The legacy harness: templates byte for byte, similarity, and what silence scores there."""

from __future__ import annotations

import difflib
import hashlib
import json
import random

import pytest

from rinsho.errors import BenchmarkMissing, BrokenRecord
from rinsho.evaluation.answer_record import Answer
from rinsho.evaluation.benchmark import Item, Sources
from rinsho.evaluation.catalogue import BENCHMARKS, GROUPS, load_benchmark
from rinsho.evaluation.legacy_harness import (
    TEMPLATES,
    gold_text,
    is_exactly_right,
    is_gestalt_right,
    render,
    response_of,
    select,
    shuffled,
    similarity,
)
from rinsho.evaluation.scoring import score_entry

KIDNEY = ("食道閉鎖", "心室中隔欠損", "腎低形成", "鎖肛", "胎児水腫")
GASES = ("酸素欠乏症", "硫化水素中毒", "一酸化炭素中毒", "二酸化炭素中毒", "二酸化窒素中毒")
NUMBERS = ("1,200", "1,500", "1,800", "2,100", "2,400")
# choices, gold letters, response, scores, selected, gestalt, exact (facts, section 4.3)
VECTORS = [
    (KIDNEY, "C", "腎低形成", (0, 0, 1, 0, 0), "C", True, True),
    (KIDNEY, "C", "c", (0,) * 5, "A", False, False),
    (KIDNEY, "C", "", (0,) * 5, "A", False, False),
    (KIDNEY, "C", "c. 腎低形成", (0, 0, 0.8, 0, 0), "C", True, False),
    (KIDNEY, "C", "答えは腎低形成です。", (0, 0, 0.571429, 0, 0), "C", True, False),
    (KIDNEY, "C", "食道閉鎖ではなく腎低形成", (0.5, 0, 0.5, 0.142857, 0), "A", False, False),
    (
        GASES,
        "AB",
        "酸素欠乏症,硫化水素中毒",
        (0.588235, 0.666667, 0.526316, 0.526316, 0.526316),
        "BA",
        True,
        True,
    ),
    (
        GASES,
        "AB",
        "硫化水素中毒、酸素欠乏症",
        (0.588235, 0.666667, 0.421053, 0.421053, 0.421053),
        "BA",
        True,
        False,
    ),
    (
        GASES,
        "AB",
        "硫化水素中毒",
        (0.181818, 1, 0.615385, 0.615385, 0.615385),
        "BC",
        False,
        False,
    ),
    (NUMBERS, "B", "1,500", (0.8, 1, 0.8, 0.6, 0.6), "BA", False, True),
]


@pytest.mark.parametrize("vector", VECTORS)
def test_a_response_is_scored_as_published(vector):
    choices, letters, response, scores, selected, gestalt, exact = vector
    item = Item("x", "choice", "どれか。", choices, tuple(letters))
    found = [similarity(choice, response_of(response)) for choice in choices]
    assert [round(one, 6) for one in found] == [round(one, 6) for one in scores]
    chosen = select(choices, gold_text(item), response_of(response))
    assert chosen == [choices["ABCDE".index(letter)] for letter in selected]
    assert is_gestalt_right(item, response) is gestalt
    assert is_exactly_right(item, response) is exact


@pytest.mark.parametrize(
    ("one", "other", "score"),
    [("tide", "diet", 0.375), ("abcd", "bcde", 0.75), ("", "", 1), ("", "a", 0),
     ("一般問題", "臨床問題", 0.5)],
)  # fmt: skip
def test_similarity_is_the_mean_of_both_directions(one, other, score):
    assert similarity(one, other) == similarity(other, one) == score


def test_the_junk_heuristic_of_difflib_stays_on():
    one, other = "a" * 150 + "b" * 60, "b" * 60 + "a" * 150
    assert difflib.SequenceMatcher(None, one, other).ratio() == 0.0
    assert similarity(one, other) == 0.0


def test_templates_are_the_published_ones_byte_for_byte():
    text = json.dumps(TEMPLATES, ensure_ascii=False, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert digest == "b56ee0c50b2d302e98d0ee2da1016e4c6a38db88bc3b302445140d2a8349bbdc"
    assert len(TEMPLATES) == 10


def test_options_are_joined_by_commas_but_in_one_template():
    assert render("alpaca", "Q?", KIDNEY).endswith(
        "### Instruction:\nQ?\n### Input:\n"
        "食道閉鎖,心室中隔欠損,腎低形成,鎖肛,胎児水腫\n### Response:\n"
    )
    assert render("meditron_five_choice", "Q?", KIDNEY).endswith(
        "Question: Q?\nOptions:\n(A)食道閉鎖\n(B)心室中隔欠損\n(C)腎低形成\n(D)鎖肛\n(E)胎児水腫"
        "<|im_end|>\n<|im_start|> answer\n\n"
    )
    assert "{{" not in render("alpaca_ja", "{{input}}", KIDNEY).replace("{{input}}", "", 1)


def test_only_the_first_line_after_a_marker_is_read():
    prompt = render("medpalm_five_choice_cot_ja", "どれか。", KIDNEY)
    assert response_of(prompt + "\n 腎低形成.\nなぜなら") == "腎低形成"
    meditron = render("meditron_five_choice", "どれか。", KIDNEY)
    assert response_of(meditron + "腎低形成") == "<|im_start|> system"


def test_a_shuffle_is_the_same_for_the_same_seed_and_loses_nothing():
    item = Item("112A1", "choice", "どれか。", KIDNEY, ("C",))
    assert shuffled(item, 1) == shuffled(item, 1)
    assert sorted(shuffled(item, 1)) == sorted(KIDNEY)
    assert len({shuffled(item, seed) for seed in range(20)}) > 5


def test_hostile_responses_are_marked_and_nothing_else_happens():
    draw = random.Random(0)
    pieces = [
        "### 応答：\n",
        "### Answer:",
        "</script>",
        "\0",
        "__import__('os')",
        "\ud800",
        ",",
        "腎",
    ]
    item = Item("x", "choice", "どれか。", KIDNEY, ("C",))
    for _ in range(300):
        output = "".join(draw.choices(pieces, k=draw.randrange(12)))
        assert is_gestalt_right(item, output) in (True, False)
        assert is_exactly_right(item, output) in (True, False)


@pytest.mark.data
@pytest.mark.parametrize(
    ("language", "n_items", "n_silent", "n_letters", "n_gold_wrong"),
    [("ja", 1154, 199, 195, 8), ("en", 1133, 192, 204, 75)],
)
def test_silence_and_right_letters_score_as_published(
    language, n_items, n_silent, n_letters, n_gold_wrong, data_folder
):
    loaded = load_benchmark(f"legacy-igakuqa-{language}/alpaca", Sources(data_folder))
    assert len(loaded.items) == n_items

    def official(output_of) -> dict[str, float]:
        pairs = [
            (item, Answer(loaded.name, item.id, "official", "", output_of(item)))
            for item in loaded.items
        ]
        entry = score_entry("x", loaded, "official", pairs)
        return {metric.name: metric.value for metric in entry.official}

    assert round(official(lambda item: "")["accuracy"] * n_items) == n_silent
    letters = official(lambda item: ",".join(item.gold).lower())
    assert round(letters["accuracy"] * n_items) == n_letters
    gold = official(gold_text)
    assert round(gold["accuracy"] * n_items) == n_items - n_gold_wrong
    n_broken = {"ja": 0, "en": 1}[language]  # an option with a line break in it
    assert round(gold["exact_match"] * n_items) == n_items - n_broken


def test_every_set_is_asked_by_the_templates_that_can_ask_it():
    assert len(GROUPS["legacy-igakuqa"]) == 20
    assert len(GROUPS["legacy-medqa"]) == 10
    assert len(GROUPS["legacy-medqa-4op"]) == len(GROUPS["legacy-mmlu"]) == 9
    names = [name for group, names in GROUPS.items() if "legacy" in group for name in names]
    assert not any("meditron_five" in name for name in names if "4op" in name or "mmlu" in name)
    assert all(BENCHMARKS[name].methods == ("official",) for name in names)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "n_items"),
    [("medqa-en", 1269), ("medqa-4op-en", 1269), ("medmcqa-en", 4183), ("mmlu-en", 1084),
     ("jmmlu-ja", 1697)],
)  # fmt: skip
def test_questions_beyond_the_length_are_dropped(name, n_items, data_folder):
    loaded = load_benchmark(f"legacy-{name}/alpaca", Sources(data_folder))
    assert len(loaded.items) == n_items
    longest = {"en": 2048, "ja": 1024}[name[-2:]]
    assert max(len(item.question) for item in loaded.items) <= longest


@pytest.mark.data
def test_the_japanese_medqa_is_missing_and_the_error_names_its_file(data_folder):
    for name in ("jmedbench/medqa", "legacy-medmcqa-ja/alpaca_ja"):
        with pytest.raises(BenchmarkMissing, match=r"eval/jmedbench/med\w+/test.jsonl"):
            load_benchmark(name, Sources(data_folder))


def test_the_documented_form_of_jmedbench_is_read(tmp_path):
    path = tmp_path / "eval" / "jmedbench" / "medqa" / "test.jsonl"
    path.parent.mkdir(parents=True)
    row = {"sample_id": "q1", "question": "どれか。", "options": list(KIDNEY), "answer_idx": 2,
           "n_options": 5, "metadata": {}}  # fmt: skip
    path.write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    (item,) = load_benchmark("jmedbench/medqa", Sources(tmp_path)).items
    assert (item.id, item.choices, item.gold) == ("q1", KIDNEY, ("C",))
    for wrong in ({"answer_idx": 5}, {"answer_idx": None}, {"options": []}):
        path.write_text(json.dumps(row | wrong) + "\n", encoding="utf-8")
        with pytest.raises(BrokenRecord, match="line 1"):
            load_benchmark("jmedbench/medqa", Sources(tmp_path))
