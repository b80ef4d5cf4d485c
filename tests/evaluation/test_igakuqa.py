"""IgakuQA: rows, points, the official prompt and scorer, and every published run marked again."""

from __future__ import annotations

import pytest

from rinsho.errors import BenchmarkChanged, BenchmarkMissing
from rinsho.evaluation.answer_record import Answer
from rinsho.evaluation.benchmark import Item, Sources
from rinsho.evaluation.catalogue import load_benchmark
from rinsho.evaluation.igakuqa import (
    official_is_right,
    official_messages,
    prohibited_letters,
    section_path,
)
from rinsho.evaluation.igakuqa_baselines import score_run
from rinsho.evaluation.marking import mark
from rinsho.evaluation.parse import asked_letters
from rinsho.evaluation.prompts import messages_of
from rinsho.evaluation.scoring import score_entry

YEARS = (2018, 2019, 2020, 2021)
# points, required, general; text-only questions, those with 5 choices; questions with prohibited
# choices (facts, section 3.1)
SIZES = {
    2018: (499, 200, 299, 286, 284, 32),
    2019: (496, 200, 296, 296, 292, 34),
    2020: (496, 197, 299, 287, 284, 22),
    2021: (500, 200, 300, 301, 298, 22),
}
# points, required, general, right of 400, right of the text-only ones, prohibited (section 3.5)
CELLS = {
    "gpt3": (
        (209, 105, 104, 161, 119, 10),
        (210, 93, 117, 166, 120, 5),
        (208, 97, 111, 160, 131, 4),
        (203, 94, 109, 157, 122, 3),
    ),
    "chatgpt": (
        (266, 123, 143, 208, 164, 4),
        (250, 100, 150, 205, 161, 5),
        (266, 118, 148, 212, 169, 2),
        (297, 143, 154, 225, 182, 3),
    ),
    "chatgpt-en": (
        (281, 123, 158, 221, 170, 5),
        (274, 117, 157, 219, 170, 3),
        (263, 116, 147, 207, 164, 2),
        (289, 122, 167, 229, 179, 2),
    ),
    "gpt4": (
        (382, 161, 221, 302, 230, 1),
        (385, 170, 215, 304, 241, 1),
        (387, 168, 219, 306, 238, 0),
        (398, 173, 225, 308, 248, 0),
    ),
    "student-majority": (
        (472, 196, 276, 374, 273, 1),
        (470, 196, 274, 372, 275, 0),
        (471, 195, 276, 373, 269, 0),
        (477, 200, 277, 377, 283, 0),
    ),
}


def question(**fields) -> Item:
    base = {"choices": tuple("あいうえお"), "gold": ("A", "C"), "wording": "ja"}
    return Item("112A1", "choice", "どれか。2つ選べ。", **{**base, **fields})


@pytest.mark.parametrize(
    ("output", "is_right"),
    [("a,c", True), ("c,a", True), ("Ａ，Ｃ", True), ("a, c", False), ("ac", False), ("", False)],
)
def test_the_official_scorer_forgives_widths_and_order_and_no_blank(output, is_right):
    assert official_is_right(question(), output) is is_right


def test_one_of_two_accepted_answers_is_right_and_both_are_not():
    item = question(gold=("A",), also_right=(("D",),))
    assert [official_is_right(item, one) for one in ("a", "d", "a,d")] == [True, True, False]


def test_numbers_are_compared_as_strings_officially_and_as_numbers_when_corrected():
    item = Item("x", "number", "求めよ。", gold=("7.20",), wording="ja")
    assert official_is_right(item, "7.20")
    assert not official_is_right(item, "7.2")
    assert mark(item, Answer("x", "x", "generation", "", "答え：７．２")).is_right
    assert not mark(item, Answer("x", "x", "generation", "", "7.3")).is_right
    assert not mark(item, Answer("x", "x", "log-likelihood", "")).is_valid


def test_the_official_prompt_is_the_publishers():
    messages = official_messages(question(), language="ja")
    assert [m.role for m in messages] == ["system", *["user", "assistant"] * 3, "user"]
    assert messages[0].content == "医師国家試験を解きます。"
    assert messages[4].content == "a,b"
    assert messages[-1].content == (
        "問題: どれか。2つ選べ。\na: あ\nb: い\nc: う\nd: え\ne: お"
        "\n必ずa,b,c,d,eの中からちょうど2個選んでください。\n答え:"
    )
    english = official_messages(question(), language="en")
    assert english[-1].content.endswith(
        "\nChoose exactly 2 correct choice(s) from a, b, c, d, e.\nAnswer:"
    )


def test_the_corrected_prompt_has_letters_and_does_not_tell_how_many_are_right():
    user = messages_of(question())[-1].content
    assert user == "問題: どれか。2つ選べ。\n選択肢:\nA. あ\nB. い\nC. う\nD. え\nE. お\n"


@pytest.mark.parametrize(
    ("stored", "letters"),
    [
        (["c"], "C"),
        (["cde"], "CDE"),
        (["abcd"], "ABCD"),
        (["d", " e"], "DE"),
        (["ｂ"], ""),
        ([], ""),
    ],
)
def test_prohibited_choices_are_letters_in_whatever_form(stored, letters):
    assert prohibited_letters(stored) == tuple(letters)


def test_a_missing_file_is_named_with_its_hash_and_the_way_to_get_it(tmp_path):
    with pytest.raises(BenchmarkMissing, match=r"112-A\.jsonl, SHA-256 \w{64}.*data fetch igakuqa"):
        load_benchmark("igakuqa/2018", Sources(tmp_path))


def test_a_changed_file_is_refused_with_both_hashes(tmp_path):
    path = tmp_path / section_path(2018, "A")
    path.parent.mkdir(parents=True)
    path.write_text("{}\n", encoding="utf-8")
    with pytest.raises(BenchmarkChanged, match=r"112-A\.jsonl .*ca3d163bab05"):
        load_benchmark("igakuqa/2018", Sources(tmp_path))


@pytest.mark.data
@pytest.mark.parametrize("year", YEARS)
def test_a_year_has_its_questions_and_points(year, data_folder):
    items = load_benchmark(f"igakuqa/{year}", Sources(data_folder)).items
    english = load_benchmark(f"igakuqa-en/{year}", Sources(data_folder))
    alone = [item for item in items if not item.has_image]
    found = (
        sum(item.points for item in items),
        sum(item.points for item in items if item.part == "required"),
        sum(item.points for item in items if item.part == "general"),
        len(alone),
        sum(len(item.choices) == 5 for item in alone),
        sum(bool(item.prohibited or item.also_prohibited) for item in items),
    )
    assert len(items) == 400
    assert found == SIZES[year]
    assert [item.id for item in english.items] == [item.id for item in items]
    assert [item.gold for item in english.items] == [item.gold for item in items]
    assert english.is_text_withheld
    assert not any({*item.prohibited} & {*item.gold} for item in items)


@pytest.mark.data
def test_traps_of_all_four_years_are_seen(data_folder):
    items = {
        item.id: item
        for year in YEARS
        for item in load_benchmark(f"igakuqa/{year}", Sources(data_folder)).items
    }
    numbers = {item.id: item.gold[0] for item in items.values() if item.form == "number"}
    assert sorted(numbers.values()) == sorted(
        ["26", "1.2", "146", "7.20", "100", "97", "130", "27", "8.5"]
    )
    excluded = {item.id for item in items.values() if item.excluded}
    assert excluded == {"112A43", "113A5", "113C34", "113F42", "113F81", "114E29", "114F63"}
    assert (items["112B30"].gold, items["112B30"].also_right) == (("A",), (("D",),))
    assert items["112A27"].prohibited == tuple("CDE")
    assert items["115E28"].prohibited == tuple("DE")
    full_width = {item.id for item in items.values() if item.also_prohibited}
    assert full_width == {"112F66", "113B26", "114F70", "115F46"}
    assert len({item.tag for item in items.values()}) == 28
    assert items["112B41"].document == items["112B40"].document == "112B40"
    # the words of a question say how many answers it wants
    assert all(
        asked_letters(item.question) == len(item.gold)
        for item in items.values()
        if item.form == "choice" and len(item.gold) > 1
    )


@pytest.mark.data
@pytest.mark.parametrize("run", CELLS)
def test_every_published_run_gets_its_published_marks(run, data_folder):
    for year, cells in zip(YEARS, CELLS[run], strict=True):
        entry = score_run(Sources(data_folder), year, run)
        found = {metric.name: metric.value for metric in entry.official}
        names = ("points", "points_required", "points_general")
        n_alone = sum(not row.item.has_image for row in entry.rows)
        assert tuple(found[name] for name in names) == cells[:3]
        assert round(found["accuracy"] * 400) == cells[3]
        assert round(found["accuracy_without_image"] * n_alone) == cells[4]
        assert found["prohibited"] == cells[5]
        assert found["passes"] == (run in ("gpt4", "student-majority"))
        corrected = {metric.name: metric.value for metric in entry.corrected}
        assert corrected["prohibited"] >= found["prohibited"]
        assert corrected["points"] >= found["points"]  # honest marking forgives the form alone


@pytest.mark.data
def test_gold_answered_by_letters_passes_and_silence_fails(data_folder):
    loaded = load_benchmark("igakuqa/2018", Sources(data_folder))

    def points(answer_of) -> dict[str, float]:
        pairs = [
            (item, Answer(loaded.name, item.id, "generation", "", answer_of(item)))
            for item in loaded.items
        ]
        entry = score_entry("x", loaded, "generation", pairs)
        assert entry.official == ()
        return {metric.name: metric.value for metric in entry.corrected}

    right = points(lambda item: ",".join(item.gold))
    assert (right["accuracy"], right["points"], right["passes"]) == (1.0, 499.0, 1.0)
    assert right["format_compliance"] == right["strict_compliance"] == 1.0
    silent = points(lambda item: "")
    assert (silent["accuracy"], silent["points"], silent["passes"]) == (0.0, 0.0, 0.0)
    assert silent["format_compliance"] == 0.0
