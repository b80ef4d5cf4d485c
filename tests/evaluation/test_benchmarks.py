"""Benchmarks: prompts byte for byte, real files counted, the demo's own tasks."""

import ast
import csv
import re
from collections import Counter

import pytest

from rinsho.errors import (
    BenchmarkMissing,
    BrokenRecord,
    DataFolderMissing,
    MissingInput,
    NoncommercialRefused,
    UnknownBenchmark,
)
from rinsho.evaluation.benchmark import Item, Sources, choose_items
from rinsho.evaluation.catalogue import (
    BENCHMARKS,
    GROUPS,
    describe_benchmark,
    expand_names,
    load_benchmark,
)
from rinsho.evaluation.demo_notes import parse_marks, read_notes
from rinsho.evaluation.entity_metrics import EntityRow, corrected_metrics, official_metrics
from rinsho.evaluation.jmed_llm import document_key, document_text
from rinsho.evaluation.prompts import hash_prompt, messages_of

ENTITY_TASKS = {  # entities, official partial, official exact of "the first gold entity only"
    "mrner-disease": (810, 1.706816, 0.293184),
    "mrner-medicine": (250, 1.294008, 0.705992),
    "nrner": (262, 1.304063, 0.695937),
}


def values(metrics) -> dict[str, float]:
    return {metric.name: metric.value for metric in metrics}


def test_a_choice_is_asked_as_the_publishers_ask_it():
    item = Item("x/1", "choice", "どれか。\n1つ選べ", (" 肺炎", "胃癌 "), ("A",))
    system, user = messages_of(item)
    assert system.content == (
        "与えられた医学に関する質問と選択肢から、最も適切な回答を選択してください。なお、回答には選択肢の"
        "アルファベット（例：A）のみを含め、他には何も含めないことを厳守してください。"
    )
    assert user.content == "質問: どれか。\n1つ選べ\n選択肢:\nA.  肺炎\nB. 胃癌 \n"


def test_an_entity_question_is_asked_unchanged():
    item = Item("x/1", "entities", "以下の症例報告において、薬品名は？\n「…」", gold=("a",))
    system, user = messages_of(item)
    assert system.content.endswith(
        "Pythonのリスト形式（例：['回答1', '回答2']）のみを含め、"
        "他には何も含めないことを厳守してください。"
    )
    assert user.content == item.question


def test_the_hash_of_a_prompt_depends_on_every_character():
    one = Item("x/1", "choice", "どれか", ("肺炎", "胃癌"), ("A",))
    other = Item("x/1", "choice", "どれか", ("肺炎", "胃癌 "), ("A",))
    assert hash_prompt(one) != hash_prompt(other)


def test_a_document_has_one_key_whatever_its_line_breaks():
    first = "以下の症例報告において、薬品名は？\n「発熱。\n解熱薬５ｍｇを投与。」"
    second = "「X」の可能性は？\n「発熱。解熱薬5mg を投与。」\n"
    assert document_key(first) == document_key(second)
    assert document_text(first) == "発熱。\n解熱薬５ｍｇを投与。"


def test_a_larger_sample_holds_the_smaller_one_in_the_same_order():
    items = tuple(Item(f"x/{number}", "text", "") for number in range(50))
    small, large = choose_items(items, 10, seed=1), choose_items(items, 20, seed=1)
    assert len(small) == 10
    assert [item for item in large if item in small] == list(small)
    assert choose_items(items, 10, seed=2) != small
    assert choose_items(items, None, seed=1) == items


def test_an_unknown_benchmark_names_the_nearest_one():
    with pytest.raises(UnknownBenchmark, match="demo-notes"):
        describe_benchmark("demo-note")


def test_noncommercial_data_need_the_switch(tmp_path):
    with pytest.raises(NoncommercialRefused):
        load_benchmark("jmed-llm/jcsts", Sources(tmp_path))


def test_what_a_benchmark_needs_is_named(tmp_path):
    with pytest.raises(DataFolderMissing):
        load_benchmark("jmed-llm/crade", Sources())
    with pytest.raises(BenchmarkMissing, match=r"eval/jmed_llm/rrtnm\.csv"):
        load_benchmark("jmed-llm/rrtnm", Sources(tmp_path))
    with pytest.raises(MissingInput):
        load_benchmark("demo-questions", Sources())


def test_a_broken_row_is_named_without_its_text(tmp_path):
    folder = tmp_path / "eval" / "jmed_llm"
    folder.mkdir(parents=True)
    with (folder / "rrtnm.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            [["tag", "question", "optionA", "optionB", "answer"], ["x", "秘密", "有", "無", "C"]]
        )
    with pytest.raises(BrokenRecord, match="row 1") as caught:
        load_benchmark("jmed-llm/rrtnm", Sources(tmp_path))
    assert "秘密" not in str(caught.value)


def test_groups_hold_known_benchmarks_that_need_no_switch():
    for name in expand_names([*GROUPS]):
        assert not BENCHMARKS[name].is_noncommercial
    assert expand_names(["demo-notes", "demo"])[0] == "demo-notes"
    assert len(expand_names(["demo", "demo"])) == len(GROUPS["demo"])


def test_there_are_forty_notes_or_more_from_eight_departments():
    notes = read_notes()
    assert len(notes) >= 40
    assert len({note.department for note in notes}) >= 8
    assert len({note.id for note in notes}) == len(notes)


def test_offsets_of_notes_point_at_what_was_marked():
    marked = "前日から{発熱|symptom}、𠮷田医師は{肺炎|disease|suspected}を疑う。"
    text, spans = parse_marks(marked, where="x")
    assert text == "前日から発熱、𠮷田医師は肺炎を疑う。"
    assert [text[span.start : span.end] for span in spans] == ["発熱", "肺炎"]
    assert [span.certainty for span in spans] == ["present", "suspected"]


@pytest.mark.parametrize(
    "marked", ["{発熱|fever}", "{発熱|symptom", "発熱}", "{ 咳|symptom}", "a|b"]
)
def test_a_broken_mark_is_refused(marked):
    with pytest.raises(BrokenRecord):
        parse_marks(marked, where="x")


def test_entity_gold_of_the_notes_stands_in_its_text_and_asks_as_jmed_does():
    for item in load_benchmark("demo-notes-entities", Sources()).items:
        assert item.gold
        assert all(entity in document_text(item.question) for entity in item.gold)
        assert re.match(r"以下の.{3,6}において、患者に実際に認められた", item.question)


def test_similarity_has_six_levels_and_each_pair_was_made_as_its_level_says():
    items = load_benchmark("demo-similarity", Sources()).items
    assert len(items) >= 60
    assert set(Counter(item.gold for item in items)) == {(letter,) for letter in "ABCDEF"}
    departments = {note.id: note.department for note in read_notes()}
    for item in items:
        first, second = re.findall(r"^S[12]: (.*)$", item.question, flags=re.MULTILINE)
        assert first != second
        note = next(note for note in read_notes() if note.id == item.document)
        assert first in note.text
        if item.gold == ("A",):
            assert second.translate({c + 0xFEE0: c for c in range(0x21, 0x7F)}) == first
        if item.gold == ("B",):
            assert sum(a != b for a, b in zip(first, second, strict=True)) == 1
        if item.gold == ("E",):
            assert second in note.text
        if item.gold == ("F",):
            others = [other for other in read_notes() if second in other.text]
            assert others
            assert all(departments[other.id] != note.department for other in others)


@pytest.mark.data
@pytest.mark.parametrize("task", ["jmmlu-med", "crade", "smdis", "jcsts", *ENTITY_TASKS])
def test_each_task_of_jmed_llm_has_a_hundred_rows(task, data_folder):
    loaded = load_benchmark(f"jmed-llm/{task}", Sources(data_folder, noncommercial=True))
    assert len(loaded.items) == 100
    assert len({item.id for item in loaded.items}) == 100


@pytest.mark.data
def test_gold_letters_are_balanced_as_published(data_folder):
    sources = Sources(data_folder, noncommercial=True)

    def letters(task: str) -> dict[str, int]:
        items = load_benchmark(f"jmed-llm/{task}", sources).items
        return dict(sorted(Counter(item.gold[0] for item in items).items()))

    assert letters("jmmlu-med") == letters("crade") == dict.fromkeys("ABCD", 25)
    assert letters("smdis") == {"A": 50, "B": 50}
    assert letters("jcsts") == {**dict.fromkeys("ABCD", 17), "E": 16, "F": 16}


@pytest.mark.data
def test_documents_are_counted_by_their_text(data_folder):
    sources = Sources(data_folder, noncommercial=True)
    found = {
        task: len({i.document for i in load_benchmark(f"jmed-llm/{task}", sources).items})
        for task in ("crade", "smdis", *ENTITY_TASKS)
    }
    assert found == {
        "crade": 54,
        "smdis": 99,
        "mrner-disease": 100,
        "mrner-medicine": 75,
        "nrner": 95,
    }


@pytest.mark.data
@pytest.mark.parametrize("task", ENTITY_TASKS)
def test_entity_scores_on_whole_files_are_those_of_the_facts(task, data_folder):
    n_entities, partial, exact = ENTITY_TASKS[task]
    items = load_benchmark(f"jmed-llm/{task}", Sources(data_folder, noncommercial=True)).items
    assert sum(len(item.gold) for item in items) == n_entities
    texts = [document_text(item.question) for item in items]
    first = [EntityRow(t, i.gold, i.gold[:1]) for t, i in zip(texts, items, strict=True)]
    official = values(official_metrics(first))
    assert round(official["partial_f1"], 6) == partial
    assert round(official["exact_f1"], 6) == exact
    assert round(values(corrected_metrics(first))["partial_f1"], 6) == exact
    gold = [EntityRow(t, i.gold, i.gold) for t, i in zip(texts, items, strict=True)]
    for metrics in (official_metrics(gold), corrected_metrics(gold)[:6]):
        assert set(values(metrics).values()) == {1.0}
    assert all(entity in text for text, i in zip(texts, items, strict=True) for entity in i.gold)


@pytest.mark.data
def test_gold_lists_are_what_python_reads(data_folder):
    path = data_folder / "eval" / "jmed_llm" / "nrner.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        gold = [tuple(ast.literal_eval(row["answer"])) for row in csv.DictReader(file)]
    items = load_benchmark("jmed-llm/nrner", Sources(data_folder, noncommercial=True)).items
    assert [item.gold for item in items] == gold
