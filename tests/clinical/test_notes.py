"""Notes out of files: formats, encodings, limits, and errors without a word of the text."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rinsho.clinical.notes import Note, NoteReading, read_notes
from rinsho.errors import (
    BrokenRecord,
    FileRefused,
    InvalidValue,
    NotText,
    PathMissing,
    RinshoError,
    TextTooLong,
    UnknownFormat,
)

MARKER = "目印患者マーカー"


def write(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def test_a_text_file_is_one_note_byte_for_byte(tmp_path: Path) -> None:
    text = "１行目\r\n2行目\t𠮷\n"
    path = write(tmp_path, "a.txt", text.encode())
    assert list(read_notes([path])) == [Note("1", text)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
def test_text_is_read_in_utf_8_and_in_cp932(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path, "a.txt", "①高血圧、髙橋".encode(encoding))
    assert [note.text for note in read_notes([path])] == ["①高血圧、髙橋"]


def test_json_lines_keep_their_ids_and_offsets(tmp_path: Path) -> None:
    records = [{"id": "x", "text": "a\u2028b"}, {"text": "c"}, {"id": 0, "text": ""}]
    lines = "\n".join(json.dumps(record, ensure_ascii=False) for record in records)
    path = write(tmp_path, "a.jsonl", f"{lines}\n\n".encode())
    expected = [Note("x", "a\u2028b"), Note("1/2", "c"), Note("0", "")]
    assert list(read_notes([path])) == expected


def test_a_csv_from_a_hospital_is_read(tmp_path: Path) -> None:
    data = '番号,本文\r\n12,"発熱、\r\n咳嗽""あり"""\r\n,腹痛\r\n'.encode("cp932")
    path = write(tmp_path, "a.CSV", data)
    reading = NoteReading(text_field="本文", id_field="番号")
    expected = [Note("12", '発熱、\r\n咳嗽"あり"'), Note("1/2", "腹痛")]
    assert list(read_notes([path], reading)) == expected


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO("発熱\n".encode()))
    monkeypatch.setattr(sys, "stdin", stream)
    assert list(read_notes([])) == [Note("stdin", "発熱\n")]


def test_an_empty_file_is_an_empty_note(tmp_path: Path) -> None:
    assert list(read_notes([write(tmp_path, "a.txt", b"")])) == [Note("1", "")]


@pytest.mark.parametrize(
    ("name", "data", "error", "where"),
    [
        (f"{MARKER}.txt", b"\xff\xff\x80", NotText, "input 1"),
        (f"{MARKER}.pdf", b"", UnknownFormat, "input 1"),
        ("a.jsonl", b'{"text": "a"}\n' + f'{{"{MARKER}'.encode(), BrokenRecord, "input 1, line 2"),
        ("a.jsonl", f'["{MARKER}"]'.encode(), BrokenRecord, "input 1, line 1"),
        ("a.jsonl", f'{{"{MARKER}": 1}}'.encode(), BrokenRecord, "input 1, line 1"),
        ("a.csv", f"a,b\n{MARKER},c\n".encode(), BrokenRecord, "input 1, record 1"),
        ("a.txt", MARKER.encode() * 500_000, TextTooLong, "input 1"),
        ("a.jsonl", json.dumps({"text": MARKER * 130_000}).encode(), TextTooLong, "record 1"),
    ],
)
def test_what_cannot_be_read_is_named_without_its_text(
    tmp_path: Path, name: str, data: bytes, error: type[RinshoError], where: str
) -> None:
    with pytest.raises(error) as caught:
        list(read_notes([write(tmp_path, name, data)]))
    assert where in caught.value.where
    assert MARKER not in caught.value.text("ja") + caught.value.text("en")
    assert caught.value.__cause__ is None


def test_a_folder_in_the_place_of_a_file_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(UnknownFormat) as caught:
        list(read_notes([tmp_path / "a.txt"]))
    assert (caught.value.where, caught.value.found) == ("input 1", "a folder")


def test_a_file_without_a_suffix_is_told_that_it_has_none(tmp_path: Path) -> None:
    with pytest.raises(UnknownFormat) as caught:
        list(read_notes([write(tmp_path, "note", b"a")]))
    assert caught.value.found == "no suffix"


@pytest.mark.parametrize("name", ["utf-88", "base64", "シフトJIS"])
def test_an_encoding_that_there_is_not_is_a_wrong_option(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        list(read_notes([write(tmp_path, "a.txt", b"a")], NoteReading(encoding=name)))
    assert (caught.value.where, caught.value.found) == ("--encoding", name)


@pytest.mark.parametrize("name", ["utf-16", "utf-32-le", "euc_jp", "CP932"])
def test_every_other_encoding_is_read(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, "a.txt", "発熱".encode(name))
    assert [n.text for n in read_notes([path], NoteReading(encoding=name))] == ["発熱"]


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="a file whose reading fails")
def test_a_file_that_the_system_refuses_is_named_by_its_number(tmp_path: Path) -> None:
    (tmp_path / f"{MARKER}.txt").symlink_to("/proc/self/mem")
    with pytest.raises(FileRefused) as caught:
        list(read_notes([tmp_path / f"{MARKER}.txt"]))
    assert caught.value.where == "input 1"
    assert MARKER not in caught.value.text("ja") + caught.value.text("en")


def test_a_missing_file_is_named_by_its_number(tmp_path: Path) -> None:
    there = write(tmp_path, "a.txt", b"a")
    with pytest.raises(PathMissing) as caught:
        list(read_notes([there, tmp_path / f"{MARKER}.txt"]))
    assert caught.value.where == "input 2"


def test_what_came_before_a_broken_record_is_not_lost(tmp_path: Path) -> None:
    notes = read_notes([write(tmp_path, "a.jsonl", b'{"text": "a"}\n{"text"')])
    assert next(notes).text == "a"
    with pytest.raises(BrokenRecord):
        next(notes)


TEXT = st.characters(codec="utf-8", exclude_characters="\0\x80\uf8f0\uf8f1\uf8f2\uf8f3")


@given(text=st.text(TEXT, max_size=50))
def test_any_text_survives_csv_and_json(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.mktemp("notes")
    quoted = text.replace('"', '""')
    paths = [
        write(folder, "a.csv", f'text\r\n"{quoted}"\r\n'.encode()),
        write(folder, "a.jsonl", json.dumps({"text": text}).encode()),
        write(folder, "b.jsonl", json.dumps({"text": text}, ensure_ascii=False).encode()),
    ]
    assert [note.text for note in read_notes(paths)] == [text] * 3


def test_a_note_without_the_group_that_was_named_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jsonl", f'{{"text": "{MARKER}", "patient": ""}}\n'.encode())
    for field in ("patient", "pateint"):
        with pytest.raises(BrokenRecord, match="group") as caught:
            list(read_notes([path], NoteReading(group_field=field)))
        assert MARKER not in str(caught.value)
