"""KEEPHA: brat files read, discontinuous and negated entities counted, causes as pairs."""

from __future__ import annotations

from collections import Counter

import pytest

from rinsho.errors import BenchmarkMissing, BrokenRecord
from rinsho.evaluation.answer_record import Answer
from rinsho.evaluation.benchmark import Sources
from rinsho.evaluation.benchmark_file import how_to_get
from rinsho.evaluation.catalogue import describe_benchmark, load_benchmark
from rinsho.evaluation.engines import open_dictionary
from rinsho.evaluation.jmed_llm import document_text
from rinsho.evaluation.keepha import CORPORA, KEEPHA, read_brat, read_corpus
from rinsho.evaluation.scoring import score_entry


def values(metrics) -> dict[str, float]:
    return {metric.name: metric.value for metric in metrics}


def test_a_discontinuous_entity_reaches_from_its_first_to_its_last_character():
    marks = "T2\tDRUG 8 10\t薬剤\nT1\tDISORDER 0 1;4 8\t尿 赤っぽ\nR1\tCAUSED Arg1:T2 Arg2:T1\t\n"
    brat = read_brat("x", "尿や唾液が赤っぽ薬剤", marks)
    first, second = brat.entities
    assert (brat.words(first), first.is_discontinuous) == ("尿や唾液が赤っぽ", True)
    assert (brat.words(second), brat.relations) == ("薬剤", (("CAUSED", "T2", "T1"),))


@pytest.mark.parametrize(
    "marks", ["T1\tDRUG 0 9\tx\n", "T1\tDRUG 0 1\tx\nR1\tCAUSED Arg1:T1 Arg2:T2\t\n"]
)
def test_marks_that_point_nowhere_are_refused_without_their_text(marks):
    with pytest.raises(BrokenRecord) as caught:
        read_brat("x/1", "秘密", marks)
    assert "秘密" not in str(caught.value)


def test_a_missing_file_is_named_with_its_hash(tmp_path):
    with pytest.raises(BenchmarkMissing, match=r"JP0217-100\.txt, SHA-256 [0-9a-f]{64}"):
        load_benchmark("keepha/case-reports", Sources(tmp_path))


@pytest.mark.data
def test_every_mark_of_the_files_is_read(data_folder):
    found = {corpus: [*read_corpus(Sources(data_folder), "keepha", corpus)] for corpus in CORPORA}
    entities = {
        corpus: [one for text in texts for one in text.entities] for corpus, texts in found.items()
    }
    assert [len(texts) for texts in found.values()] == [12, 160]
    assert [len(ones) for ones in entities.values()] == [1038, 726]
    assert [sum(len(t.relations) for t in texts) for texts in found.values()] == [770, 265]
    assert [sum(one.is_discontinuous for one in ones) for ones in entities.values()] == [5, 1]
    labels = [Counter(one.label for one in ones) for ones in entities.values()]
    assert [(count["DISORDER"], count["DRUG"]) for count in labels] == [(286, 129), (284, 186)]


@pytest.mark.data
@pytest.mark.parametrize("benchmark", KEEPHA, ids=lambda one: one.name)
def test_gold_stands_in_the_text_and_scores_one(benchmark, data_folder):
    loaded = load_benchmark(benchmark.name, Sources(data_folder))
    assert len(loaded.items) == benchmark.n_items
    for item in loaded.items:
        text = document_text(item.question) if item.form == "entities" else item.question
        assert all(words in text for words in item.gold)
        assert all(words in text for pair in item.gold_pairs for words in pair)
    outputs = [
        repr([*item.gold])
        if item.form == "entities"
        else "\n".join(f"- {cause} → {effect}" for cause, effect in item.gold_pairs)
        for item in loaded.items
    ]
    pairs = [
        (item, Answer(loaded.name, item.id, "generation", "", output))
        for item, output in zip(loaded.items, outputs, strict=True)
    ]
    metrics = values(score_entry("gold", loaded, "generation", pairs).corrected)
    assert {value for name, value in metrics.items() if name != "not_in_text"} == {1.0}
    assert "published_recall" not in metrics


@pytest.mark.data
def test_the_dictionary_answers_both_questions(data_folder):
    loaded = load_benchmark("keepha/posts", Sources(data_folder))
    engine = open_dictionary()
    items = loaded.items[:20]
    pairs = [(item, engine.answer(loaded.name, item, "extraction")) for item in items]
    assert values(score_entry("x", loaded, "extraction", pairs).corrected)["partial_f1"] > 0


def test_every_file_of_a_corpus_is_named_with_its_hash():
    for name, n_texts in (("keepha/case-reports", 12), ("keepha/posts", 160)):
        files = describe_benchmark(name).files
        assert len(files) == 2 * n_texts
        assert {path.rpartition(".")[2] for path in files} == {"txt", "ann"}
        assert all("SHA-256" in how_to_get(path) for path in files)
