"""Annotations in other tools' formats: what is written is read back as it was."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from rinsho.cli import app
from rinsho.clinical.annotations import (
    AnnotatedNote,
    AnnotationForm,
    read_annotations,
    write_annotations,
)
from rinsho.clinical.notes import Note
from rinsho.errors import BrokenRecord, PathMissing, UnknownFormat
from rinsho.text.spans import CERTAINTIES, LABELS, Relation, Span, sort_spans

PIECES = ["肺炎", "発熱", "か\u3099", "葛\U000e0100", "😀", "𠮷", "\r\n", "\n", "、", "\t", "#"]
READ_BACK: tuple[AnnotationForm, ...] = ("jsonl", "doccano", "conll", "brat")
SUFFIX = {"jsonl": "x.jsonl", "doccano": "x.jsonl", "conll": "x.conll", "brat": "folder"}


@st.composite
def annotated(draw: st.DrawFn) -> AnnotatedNote:
    text = "".join(draw(st.lists(st.sampled_from(PIECES), min_size=1, max_size=12)))
    text = "頭" + text + "尾"
    spans: list[Span] = []
    for _ in range(draw(st.integers(0, 5))):
        start = draw(st.integers(0, len(text) - 1))
        end = draw(st.integers(start + 1, len(text)))
        inner = text[start:end]
        if inner.strip("\r\n") == inner:  # brat marks no line end at a border
            label, certainty = draw(st.sampled_from(LABELS)), draw(st.sampled_from(CERTAINTIES))
            spans.append(Span(start, end, label, certainty))
    found = sort_spans(spans)
    places = st.sampled_from(found) if found else st.nothing()
    kinds = st.sampled_from(("caused", "TREATMENT_FOR"))
    drawn = st.sets(st.builds(Relation, kinds, places, places), max_size=3)
    relations = tuple(sorted(draw(drawn))) if found else ()
    return AnnotatedNote(Note("n-1", text), found, relations=relations)


@pytest.mark.parametrize("form", READ_BACK)
@settings(max_examples=40)
@given(one=annotated())
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, form: AnnotationForm, one: AnnotatedNote
) -> None:
    out = tmp_path_factory.mktemp("out") / SUFFIX[form]
    assert write_annotations([one], form, out) == 1
    (back,) = read_annotations([out])
    assert back.note.text == one.note.text
    assert back.spans == one.spans
    if form == "jsonl" or (form == "brat" and one.relations):
        assert back.relations == one.relations
    else:
        assert back.relations is None, "a form without relations does not say that there are none"


def test_a_brat_folder_with_one_relation_was_looked_at_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("𠮷草で眠気", encoding="utf-8")
    marks = "T1\tDRUG 0 2\t𠮷草\nT2\tDISORDER 3 5\t眠気\nR1\tCAUSED Arg1:T1 Arg2:T2\n"
    (tmp_path / "a.ann").write_text(marks, encoding="utf-8")
    (tmp_path / "b.txt").write_text("眠気なし", encoding="utf-8")
    (tmp_path / "b.ann").write_text("T1\tDISORDER 0 2\t眠気\n", encoding="utf-8")
    first, second = read_annotations([tmp_path])
    drug, event = Span(0, 2, "DRUG"), Span(3, 5, "DISORDER")
    assert first.relations == (Relation("CAUSED", drug, event),)
    assert second.relations == ()
    (tmp_path / "a.ann").write_text(marks.replace("Arg2:T2", "Arg2:T9"), encoding="utf-8")
    with pytest.raises(BrokenRecord):
        list(read_annotations([tmp_path]))


def test_several_notes_stay_apart_and_in_order(tmp_path: Path) -> None:
    notes = [AnnotatedNote(Note(f"../{n}", "肺炎。"), (Span(0, 2, "disease"),)) for n in range(3)]
    for form in READ_BACK:
        out = tmp_path / form / SUFFIX[form]
        out.parent.mkdir()
        assert write_annotations(notes, form, out) == 3
        assert len(list(read_annotations([out]))) == 3
        written = [path for path in out.parent.rglob("*") if path.is_file()]
        assert all(out.parent in path.resolve().parents for path in written)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(READ_BACK)


def test_brat_counts_code_points_and_splits_at_line_ends(tmp_path: Path) -> None:
    text = "𠮷田\r\n肺炎"
    write_annotations([AnnotatedNote(Note("a", text), (Span(0, 6, "disease"),))], "brat", tmp_path)
    (marks,) = tmp_path.glob("*.ann")
    assert marks.read_text("utf-8") == "T1\tdisease 0 2;4 6\t𠮷田 肺炎\n"


def test_csv_is_for_excel_in_japan(tmp_path: Path) -> None:
    text = "=1+1 𠮷田"
    spans = (Span(0, 4, "disease"), Span(5, 7, "symptom", "negated"))
    out = tmp_path / "x.csv"
    write_annotations([AnnotatedNote(Note("日", text), spans)], "csv", out)
    rows = out.read_bytes().decode("cp932").split("\r\n")
    assert rows[1] == "日,0,4,disease,present,'=1+1"
    assert rows[2] == "日,5,7,symptom,negated,&#134071;田"


def rows_of(path: Path) -> list[list[str]]:
    with path.open(encoding="cp932", newline="") as file:
        return list(csv.reader(file))


def test_csv_has_relations_in_a_last_column_and_the_others_are_as_before(tmp_path: Path) -> None:
    text = "𠮷草と甲; 1-2 乙で眠気、頭痛"
    first, second = Span(0, 2, "drug"), Span(3, 11, "drug")
    sleepy, head = Span(12, 14, "symptom"), Span(15, 17, "symptom")
    related = (Relation("caused", first, sleepy), Relation("caused", second, sleepy))
    spans = (first, second, sleepy, head)
    note = AnnotatedNote(Note("n", text), spans, relations=related)
    unread = AnnotatedNote(Note("m", text), spans)
    plain, wide = tmp_path / "plain.csv", tmp_path / "wide.csv"
    write_annotations([note, unread], "csv", plain)
    write_annotations([note, unread], "csv", wide, has_relations=True)
    narrow, rows = rows_of(plain), rows_of(wide)
    assert [row[:6] for row in rows] == narrow, "what reads the first six columns reads on"
    heading, *cells = (row[6] for row in rows)
    said = f"caused 0-2 {narrow[1][5]}; caused 3-11 甲; 1-2 乙"
    assert (heading, cells) == ("relations", ["", "", said, "", "", "", "", ""])
    places = re.findall(r"(?:^|; )caused (\d+)-(\d+) ", said)
    assert [(int(a), int(b)) for a, b in places] == [(0, 2), (3, 11)]


def test_annotations_with_relations_become_csv_with_them(tmp_path: Path) -> None:
    span = {"start": 0, "end": 2, "label": "drug"}, {"start": 3, "end": 5, "label": "symptom"}
    rows = [{"text": "甲乙で眠気", "spans": span, "relations": relations}
            for relations in (None, [{"kind": "caused", "head": 0, "tail": 1}])]  # fmt: skip
    path, out = tmp_path / "x.jsonl", tmp_path / "x.csv"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    given = ["annotations", str(path), "--as", "csv", "--out", str(out)]
    assert CliRunner().invoke(app, given).exit_code == 0
    assert [row[6] for row in rows_of(out)] == ["relations", "", "", "", "caused 0-2 甲乙"]


def test_layers_hold_nested_spans(tmp_path: Path) -> None:
    spans = (Span(0, 2, "body_part"), Span(0, 4, "disease"))
    out = tmp_path / "x.conll"
    write_annotations([AnnotatedNote(Note("a", "肺炎肺炎"), sort_spans(spans))], "conll", out)
    assert out.read_text("utf-8").splitlines()[1] == '"肺"\tB-disease\tB-body_part'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.jsonl", '{"text": "秘密", "spans": [{"start": 0, "end": 9, "label": "d"}]}'),
        ("x.jsonl", '{"text": "秘密", "spans": [{"start": 0}]}'),
        ("x.jsonl", '{"text": "秘密"}'),
        ("x.jsonl", '{"text": "秘密", "label": [[0, 1]]}'),
        ("x.jsonl", "秘密"),
        ("x.conll", "秘密\n\n"),
    ],
)
def test_a_broken_file_is_named_by_its_place_alone(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BrokenRecord) as caught:
        list(read_annotations([path]))
    assert "input 1" in str(caught.value)
    assert "秘密" not in str(caught.value)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.xml").write_text("")
    with pytest.raises(UnknownFormat):
        list(read_annotations([tmp_path / "x.xml"]))
    with pytest.raises(PathMissing):
        list(read_annotations([tmp_path / "none.jsonl"]))


def test_our_json_lines_are_examples_for_finetuning(tmp_path: Path) -> None:
    out = tmp_path / "x.jsonl"
    write_annotations([AnnotatedNote(Note("a", "肺炎"), (Span(0, 2, "disease"),))], "jsonl", out)
    from rinsho.training.examples import read_examples

    (example,) = read_examples([out])
    assert list(example.answers.values()) == [(Span(0, 2, "disease", "present"),)]
    assert json.loads(out.read_text("utf-8"))["id"] == "a"
