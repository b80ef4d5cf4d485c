"""JA-Clinical-STS and the mock nursing records: every row, every mark, and only with the switch."""

from __future__ import annotations

import collections

import pytest

from rinsho.errors import BrokenRecord, NoncommercialRefused
from rinsho.evaluation.answer_record import Answer
from rinsho.evaluation.benchmark import Sources
from rinsho.evaluation.catalogue import load_benchmark
from rinsho.evaluation.clinical_sts import read_pairs
from rinsho.evaluation.jmed_llm import document_text
from rinsho.evaluation.nursing_ner import read_inline
from rinsho.evaluation.scoring import score_entry


@pytest.mark.parametrize(
    "name", ["ja-clinical-sts", "nursing-ner/patient-status", "nursing-ner/chief-complaint"]
)
def test_terms_are_asked_about_first(name):
    with pytest.raises(NoncommercialRefused):
        load_benchmark(name, Sources())


@pytest.mark.parametrize("broken", ["<cc1>痛い", "痛い</cc1>", "<cc1><body>腰</cc1></body>"])
def test_marks_that_do_not_close_are_an_error_without_the_text(broken):
    with pytest.raises(BrokenRecord, match="x") as caught:
        read_inline(broken, "x")
    assert "痛" not in str(caught.value)


def test_a_mark_within_a_mark_gives_both():
    text, found = read_inline("<cc1><body>腰</body>が痛い</cc1>。", "x")
    assert text == "腰が痛い。"
    assert found == (("body", "腰"), ("cc1", "腰が痛い"))


@pytest.mark.data
def test_the_pairs_have_the_published_scores(data_folder):
    loaded = load_benchmark("ja-clinical-sts", Sources(data_folder, noncommercial=True))
    counts = collections.Counter(item.gold[0] for item in loaded.items)
    assert [counts[score] for score in "012345"] == [979, 485, 74, 803, 693, 636]
    pairs = [(item, Answer(loaded.name, item.id, "generation", "", item.gold[0]))
             for item in loaded.items]  # fmt: skip
    entry = score_entry("x", loaded, "generation", pairs)
    assert {m.name: m.value for m in entry.corrected}["pearson"] == pytest.approx(1)


@pytest.mark.data
def test_every_pair_of_jcsts_is_in_the_spreadsheet_with_its_letter(data_folder):
    """Check 9 of the specification: the letter is ABCDEF at place 5 - score."""
    sources = Sources(data_folder, noncommercial=True)
    letters = collections.defaultdict[tuple[str, ...], set[str]](set)
    for first, second, score in read_pairs(sources):
        letters[_squeezed(f"S1: {first}"), _squeezed(f"S2: {second}")].add("ABCDEF"[5 - score])
    items = load_benchmark("jmed-llm/jcsts", sources).items
    found = [
        item.gold[0] in letters.get(tuple(_squeezed(x) for x in item.question.split("\n")[1:]), ())
        for item in items
    ]
    assert sum(found) == len(items) == 100


def _squeezed(line: str) -> str:
    return "".join(line.split())


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "n_texts", "n_marks"),
    [("patient-status", 747, {"cc1": 535, "m-key": 70}),
     ("chief-complaint", 589, {"cc_p": 458, "cc_n": 141})],
)  # fmt: skip
def test_every_gold_word_of_the_nursing_records_stands_in_its_text(
    file, n_texts, n_marks, data_folder
):
    loaded = load_benchmark(f"nursing-ner/{file}", Sources(data_folder, noncommercial=True))
    assert len(loaded.items) == loaded.benchmark.n_items
    assert len({item.id.partition("/")[0] for item in loaded.items}) == n_texts
    counts = collections.Counter(item.tag for item in loaded.items)
    assert {kind: counts[kind] for kind in n_marks} == n_marks
    assert all(word in document_text(item.question) for item in loaded.items for word in item.gold)
    assert loaded.is_text_withheld
