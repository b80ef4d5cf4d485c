"""Read notes from files or standard input, as they are: nothing normalized, so offsets hold."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from rinsho.errors import (
    BrokenRecord,
    FileRefused,
    InvalidValue,
    NotText,
    PathMissing,
    TextTooLong,
    UnknownFormat,
)

MAX_NOTE_CHARACTERS = 1_000_000
MAX_FILE_BYTES = 2_000_000_000  # a file is decoded in memory
NoteFormat = Literal["auto", "text", "jsonl", "csv"]
# NUL, and what Python's CP932 makes of the bytes that CP932 has not: 80, A0, FD, FE, FF.
_BINARY = re.compile("[\0\x80\uf8f0-\uf8f3]")
_SUFFIXES: dict[str, NoteFormat] = {".txt": "text", ".md": "text", ".jsonl": "jsonl", ".csv": "csv"}


@dataclass(frozen=True, slots=True)
class Note:
    """One original text, as its file has it."""

    id: str  # the record's own, or "<file>/<record>", both counted from 1: never a path
    text: str
    group: str | None = None  # the patient, where a group field is read


@dataclass(frozen=True, slots=True)
class NoteReading:
    """How files are read."""

    form: NoteFormat = "auto"
    encoding: str = "auto"  # UTF-8, else CP932
    text_field: str = "text"  # of JSON objects, or the column of a CSV file
    id_field: str = "id"
    group_field: str | None = None  # patient or case: notes of one share surrogates
    max_characters: int = MAX_NOTE_CHARACTERS


def check_length(text: str, where: str, max_characters: int) -> None:
    """Refuse a note over the limit.

    Raises:
        TextTooLong: With both lengths.
    """
    if len(text) > max_characters:
        raise TextTooLong(where=where, expected=f"{max_characters:,}", found=f"{len(text):,}")


def read_notes(paths: Sequence[Path], reading: NoteReading | None = None) -> Iterator[Note]:
    """Yield the notes of files in order; of standard input where no path is given.

    A text file is one note; a JSONL or CSV file has one per record. Files are named by their
    number in errors and ids, because a path may hold a patient's number.

    Raises:
        PathMissing, FileRefused, UnknownFormat, NotText, BrokenRecord, TextTooLong
        InvalidValue: An encoding that there is not.
    """
    reading = reading or NoteReading()
    _check_encoding(reading.encoding)
    if not paths:
        yield from _read_bytes(sys.stdin.buffer.read(), "stdin", reading.form, reading)
    for number, path in enumerate(paths, start=1):
        where = f"input {number}"
        form = _form_of(path, where, reading)
        _check_size(path, form, where, reading)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise FileRefused(where=where, found=error.strerror) from None
        yield from _read_bytes(data, str(number), form, reading)


def _check_encoding(name: str) -> None:
    try:
        b"  ".decode("utf-8" if name == "auto" else name)
    except LookupError:
        expected = "auto, utf-8, cp932, euc_jp, …"
        raise InvalidValue(where="--encoding", found=name, expected=expected) from None
    except UnicodeError:  # two blanks are half a character in UTF-32
        return


def _form_of(path: Path, where: str, reading: NoteReading) -> NoteFormat:
    expected = f"{', '.join(_SUFFIXES)} / --format / `rinsho collect` (PDF, HTML, XLSX)"
    if path.is_dir():
        raise UnknownFormat(where=where, found="a folder", expected=expected)
    if not path.exists():
        raise PathMissing(where=where)
    form = _SUFFIXES.get(path.suffix.lower()) if reading.form == "auto" else reading.form
    if form is None:
        found = path.suffix or "no suffix"
        raise UnknownFormat(where=where, found=found, expected=expected)
    return form


def _check_size(path: Path, form: NoteFormat, where: str, reading: NoteReading) -> None:
    """Refuse by the size alone what cannot fit: at most 4 bytes are one character."""
    n_bytes = path.stat().st_size
    limit = 4 * reading.max_characters if form == "text" else MAX_FILE_BYTES
    if n_bytes > limit:
        found = f"≥ {n_bytes // 4:,}"
        raise TextTooLong(where=where, expected=f"{limit // 4:,}", found=found)


def _read_bytes(data: bytes, file: str, form: NoteFormat, reading: NoteReading) -> Iterator[Note]:
    text = _decode(data, f"input {file}", reading.encoding)
    if form == "jsonl":
        records = _json_records(text, file, reading)
    elif form == "csv":
        records = _csv_records(text, file, reading)
    else:
        records = [Note(file, text)]
    for number, note in enumerate(records, start=1):
        check_length(note.text, f"input {file}, record {number}", reading.max_characters)
        yield note


def _decode(data: bytes, where: str, encoding: str) -> str:
    names = ("utf-8-sig", "cp932") if encoding == "auto" else (encoding,)
    for name in names:
        try:
            text = data.decode("utf-8-sig" if name.lower() in ("utf-8", "utf8") else name)
        except (UnicodeDecodeError, LookupError):
            continue
        if not _BINARY.search(text):
            return text
    raise NotText(where=where, expected=" / ".join(names).replace("-sig", "")) from None


def _json_records(text: str, file: str, reading: NoteReading) -> Iterator[Note]:
    for number, line in enumerate(io.StringIO(text), start=1):
        if not line.strip():
            continue
        where = f"input {file}, line {number}"
        try:
            value: Any = json.loads(line)
        except (ValueError, RecursionError):
            raise BrokenRecord(where=where, found="not JSON", expected='{"text": …}') from None
        yield _note(value, where, f"{file}/{number}", reading)


def _csv_records(text: str, file: str, reading: NoteReading) -> Iterator[Note]:
    csv.field_size_limit(4 * reading.max_characters)
    rows: Iterable[dict[str | Any, Any]] = csv.DictReader(io.StringIO(text, newline=""))
    try:
        for number, row in enumerate(rows, start=1):
            yield _note(row, f"input {file}, record {number}", f"{file}/{number}", reading)
    except csv.Error:
        raise BrokenRecord(where=f"input {file}", found="not CSV", expected="CSV") from None


def _note(value: Any, where: str, default_id: str, reading: NoteReading) -> Note:
    record = cast(dict[str, Any], value) if isinstance(value, dict) else {}
    text = record.get(reading.text_field)
    if not isinstance(text, str):
        found = f"{reading.text_field}: ?"
        expected = f"{reading.text_field}: … (--text-field)"
        raise BrokenRecord(where=where, found=found, expected=expected)
    if reading.group_field and record.get(reading.group_field) in (None, ""):
        # Without it one patient would get other names and other days in every note, unnoticed.
        expected = f"{reading.group_field}: … (--group-field)"
        raise BrokenRecord(where=where, found=f"{reading.group_field}: ?", expected=expected)
    id_ = record.get(reading.id_field)
    group = record.get(reading.group_field) if reading.group_field else None
    note_id = default_id if id_ in (None, "") else str(id_)
    return Note(note_id, text, None if group in (None, "") else str(group))
