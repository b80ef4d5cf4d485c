"""Corrections as training data: no note and no patient on both sides, the last one counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rinsho.clinical.annotations import AnnotatedNote, read_annotations, write_annotations
from rinsho.clinical.held_out import hold_out, write_benchmark
from rinsho.clinical.notes import Note
from rinsho.errors import BrokenRecord, NothingToLearn
from rinsho.evaluation.answer_record import Answer
from rinsho.evaluation.benchmark import Item, Sources
from rinsho.evaluation.catalogue import load_benchmark
from rinsho.evaluation.marking import mark
from rinsho.text.spans import Relation, Span
from rinsho.training.examples import read_examples

FEVER = (Span(0, 2, "symptom"),)


def a_note(number: int, group: str | None = None) -> AnnotatedNote:
    return AnnotatedNote(Note(str(number), f"発熱あり。{number}日目。", group), FEVER)


@given(groups=st.lists(st.integers(0, 9).map(str), min_size=20, max_size=40))
def test_a_patient_is_on_one_side_and_stays_there(groups: list[str]) -> None:
    notes = [a_note(number, group) for number, group in enumerate(groups)]
    try:
        found, earlier = hold_out(notes, 0.4), hold_out(notes[:15], 0.4)
    except NothingToLearn:
        assume(False)
        return
    sides = {group: {one.split for one in found if one.note.group == group} for group in groups}
    assert all(len(side) == 1 for side in sides.values())
    assert {one.split for one in found} == {None, "test"}
    assert all({one.split} == sides[str(one.note.group)] for one in earlier)


def test_a_later_correction_of_a_text_replaces_the_earlier_one() -> None:
    notes = [a_note(number) for number in range(20)]
    again = AnnotatedNote(Note("new", "発熱あり。\n３日目。"), ())  # other widths and lines
    found = {one.note.id: one for one in hold_out([*notes, again], 0.4)}
    assert len(found) == 20
    assert "3" not in found
    assert found["new"].spans == ()
    before = {one.note.id: one for one in hold_out(notes, 0.4)}
    assert found["new"].split == before["3"].split


def test_files_that_number_their_notes_alike_get_ids_of_their_own() -> None:
    notes = [AnnotatedNote(Note("1", f"発熱{n}"), FEVER) for n in range(12)]
    ids = [one.note.id for one in hold_out(notes, 0.4)]
    assert len(set(ids)) == 12


@pytest.mark.parametrize("share", [0, 1])
def test_a_side_without_a_note_is_refused(share: float) -> None:
    with pytest.raises(NothingToLearn, match="held out"):
        hold_out([a_note(number) for number in range(12)], share)


def test_what_is_learned_and_what_is_asked_share_no_text(tmp_path: Path) -> None:
    path = tmp_path / "own" / "corrected.jsonl"
    path.parent.mkdir()
    notes = hold_out([a_note(number, f"p{number % 12}") for number in range(36)], 0.4)
    write_annotations(notes, "jsonl", path)
    assert [*read_annotations([path])] == [*notes]
    write_benchmark(path)
    items = load_benchmark("own/corrected", Sources(tmp_path)).items
    asked = {item.question for item in items}
    learned = {e.text for e in read_examples([path]) if e.split != "test"}
    assert asked and learned and not asked & learned
    assert asked | learned == {one.note.text for one in notes}
    assert all(item.gold_spans == FEVER for item in items)
    patients = {one.note.group for one in notes if one.split == "test"}
    assert {item.document for item in items} == patients


def test_relations_are_asked_of_notes_that_somebody_looked_at_for_them(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    path = tmp_path / "own" / "corrected.jsonl"
    event, drug, other = Span(5, 7, "symptom"), Span(0, 2, "drug"), Span(3, 4, "drug")
    related = (Relation("caused", drug, event),)
    spans = (event, drug, other)  # people's files have any order
    marked = (related, (), None)
    notes = [AnnotatedNote(Note(str(n), f"甲薬と乙で発熱{n}"), spans, "test", relations)
             for n, relations in enumerate(marked)]  # fmt: skip
    write_annotations(notes, "jsonl", path)
    assert write_benchmark(path, "relations").name == "corrected-relations.toml"
    items = load_benchmark("own/corrected-relations", Sources(tmp_path)).items
    assert [(item.id, item.gold_relations) for item in items] == [("0", related), ("1", ())]
    assert {item.gold_spans for item in items} == {(drug, other, event)}


@pytest.mark.parametrize(
    ("output", "found"),
    [
        ('[{"kind": "caused", "head": 0, "tail": 1}]', 1),
        ("[]", 0),
        ('[{"kind": "caused", "head": 0, "tail": 2}]', None),
        ('[{"kind": "caused", "head": -1, "tail": 1}]', None),
        ('{"kind": "caused"}', None),
        ("ロキソニン → 眠気", None),
    ],
)
def test_an_answer_of_another_form_is_no_answer(output: str, found: int | None) -> None:
    spans = (Span(0, 5, "drug"), Span(6, 8, "symptom"))
    gold = (Relation("caused", *spans),)
    item = Item("1", "relations", "ロキソニンで眠気", gold_spans=spans, gold_relations=gold)
    row = mark(item, Answer("own/x", "1", "head", "", output))
    assert (row.is_valid, len(row.relations)) == (found is not None, found or 0)
    assert row.is_right == (found == 1)
    assert row.prediction == ("ロキソニン → 眠気",) * (found or 0)


def test_a_description_that_a_person_wrote_is_kept(tmp_path: Path) -> None:
    (tmp_path / "corrected.toml").write_text("license = 'CC0-1.0'\n")
    assert write_benchmark(tmp_path / "corrected.jsonl").read_text() == "license = 'CC0-1.0'\n"


def test_a_split_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text(json.dumps({"text": "発熱", "spans": [], "split": "dev"}))
    with pytest.raises(BrokenRecord, match="split"):
        list(read_annotations([path]))
