"""The lexicon: diseases, symptoms, drugs, tests and body parts, in five CSV files.

The embedded one was written for rinsho from general medical knowledge (CC0); a folder of the user's
own files in the same form is read the same way. The columns are the fields below; lists inside a
cell are separated by `;`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from rinsho.errors import BrokenRecord, NothingToRead, NotText, PathMissing
from rinsho.text.normalize import normalize
from rinsho.text.spans import Label

FILE_NAMES = ("diseases.csv", "symptoms.csv", "drugs.csv", "tests.csv", "body_parts.csv")
EXTRA_CELLS = "(cells after the last column)"
GENERIC_CLASS = "総称"  # the `drug_class` of rows that are class names themselves (抗菌薬, NSAIDs)


@dataclass(frozen=True, slots=True)
class BodyPart:
    """An anatomical site.

    Attributes:
        reading: In hiragana, as in every table.
    """

    name: str
    reading: str = ""


@dataclass(frozen=True, slots=True)
class Symptom:
    """A complaint or a bedside sign.

    Attributes:
        synonyms: Other names of the same thing; one may stand for the other.
        related: Narrower and neighbouring terms: found in texts, never exchanged with the name.
        body_part: Where it is felt, or empty.
    """

    name: str
    reading: str = ""
    synonyms: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    body_part: str = ""


@dataclass(frozen=True, slots=True)
class Test:
    """A laboratory test, vital sign, image, score or named sign.

    Attributes:
        kind: laboratory, vital, imaging, physiology, pathology, score or sign.
        unit: Of `low` and `high`; empty where the result is a word or a bare number.
        low: Lower end of a usual adult range (both sexes together), None where there is none.
        high: Upper end, None where there is none.
        decimals: Digits after the point in a usual report.
    """

    __test__: ClassVar[bool] = False  # or pytest takes it for a class of tests
    name: str
    reading: str = ""
    synonyms: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    kind: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    decimals: int = 0


@dataclass(frozen=True, slots=True)
class Drug:
    """A drug by its generic name; `synonyms` are brands and abbreviations.

    Attributes:
        drug_class: Its class, itself a term; `総称` where the row is a class name.
        doses: How its dose may be written in a note; not a recommendation.
        diseases: Names from the table of diseases.
    """

    name: str
    reading: str = ""
    synonyms: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    drug_class: str = ""
    doses: tuple[str, ...] = ()
    diseases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Disease:
    """A disease, injury or named finding.

    Attributes:
        icd10: One code as `J18.9`, empty where none is known.
        icd10_term: What the official name of that code has in common with this entry, where neither
            the name nor a synonym stands in it (`胃癌`: `胃の悪性新生物`).
        symptoms: Names from the table of symptoms.
        tests: Names from the table of tests.
        drugs: Names from the table of drugs.
        cause: A short phrase, or empty.
    """

    name: str
    reading: str = ""
    icd10: str = ""
    icd10_term: str = ""
    department: str = ""
    synonyms: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    symptoms: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    drugs: tuple[str, ...] = ()
    body_part: str = ""
    cause: str = ""


Entry = Disease | Symptom | Drug | Test | BodyPart
E = TypeVar("E", Disease, Symptom, Drug, Test, BodyPart)


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The five tables, in the order of their files."""

    diseases: tuple[Disease, ...] = ()
    symptoms: tuple[Symptom, ...] = ()
    drugs: tuple[Drug, ...] = ()
    tests: tuple[Test, ...] = ()
    body_parts: tuple[BodyPart, ...] = ()

    def terms(self) -> dict[str, Label]:
        """Return every surface with its label; a name wins over a synonym of another entry."""
        found: dict[str, Label] = {}
        for name, label in (*_names(self), *_other_surfaces(self)):
            found.setdefault(name, label)
        return found

    def entry(self, surface: str) -> Entry | None:
        """Return the entry with that name or, else, that synonym."""
        entries = [entry for table, _ in _tables(self) for entry in table]
        by_name = (entry for entry in entries if entry.name == surface)
        by_synonym = (
            entry
            for entry in entries
            if not isinstance(entry, BodyPart) and surface in entry.synonyms
        )
        return next(by_name, None) or next(by_synonym, None)


def _names(lexicon: Lexicon) -> Iterator[tuple[str, Label]]:
    for table, label in _tables(lexicon):
        for entry in table:
            yield entry.name, label


def _other_surfaces(lexicon: Lexicon) -> Iterator[tuple[str, Label]]:
    for table, label in _tables(lexicon):
        for entry in table:
            if not isinstance(entry, BodyPart):
                for surface in (*entry.synonyms, *entry.related):
                    yield surface, label
            if isinstance(entry, Drug) and entry.drug_class not in ("", GENERIC_CLASS):
                yield entry.drug_class, label


def _tables(lexicon: Lexicon) -> tuple[tuple[tuple[Entry, ...], Label], ...]:
    return (
        (lexicon.diseases, "disease"),
        (lexicon.symptoms, "symptom"),
        (lexicon.drugs, "drug"),
        (lexicon.tests, "test"),
        (lexicon.body_parts, "body_part"),
    )


@cache
def read_demo_lexicon() -> Lexicon:
    """Return the embedded lexicon."""
    folder = resources.files("rinsho.demo") / "lexicon"
    return _read({name: (folder / name).read_bytes() for name in FILE_NAMES})


def read_lexicon(folder: Path) -> Lexicon:
    """Return the lexicon of a folder that holds any of the five files.

    Raises:
        PathMissing: There is no such folder.
        NothingToRead: None of the files is there, or none has a row.
        NotText: A file is not UTF-8.
        BrokenRecord: A row without a name, an unknown column, a number that is none, a name twice.
    """
    if not folder.is_dir():
        raise PathMissing(where=folder)
    files = {name: folder / name for name in FILE_NAMES}
    lexicon = _read({name: path.read_bytes() for name, path in files.items() if path.is_file()})
    if lexicon == Lexicon():
        raise NothingToRead(where=folder, expected=", ".join(FILE_NAMES))
    return lexicon


def _read(files: dict[str, bytes]) -> Lexicon:
    return Lexicon(
        _read_table(Disease, "diseases.csv", files),
        _read_table(Symptom, "symptoms.csv", files),
        _read_table(Drug, "drugs.csv", files),
        _read_table(Test, "tests.csv", files),
        _read_table(BodyPart, "body_parts.csv", files),
    )


def _read_table(kind: type[E], file: str, files: dict[str, bytes]) -> tuple[E, ...]:
    if file not in files:
        return ()
    try:
        text = files[file].decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NotText(where=file, expected="UTF-8") from None
    rows = csv.DictReader(io.StringIO(text, newline=""), restkey=EXTRA_CELLS)
    _check_columns(kind, file, rows.fieldnames or ())
    entries = tuple(_read_row(kind, f"{file} line {rows.line_num}", row) for row in rows)
    _check_names(file, (entry.name for entry in entries))
    return entries


def _check_columns(kind: type[E], file: str, columns: Iterable[str]) -> None:
    known = [field.name for field in fields(kind)]
    unknown = sorted(set(columns) - set(known))
    if unknown or "name" not in columns:
        raise BrokenRecord(
            where=f"{file} line 1",
            found=", ".join(unknown) or "no column `name`",
            expected=f"a header of {', '.join(known)}",
        )


def _check_names(file: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for number, name in enumerate(names, 1):
        if name in seen:
            raise BrokenRecord(where=f"{file} row {number}", found="a name twice", expected="once")
        seen.add(name)


def _read_row(kind: type[E], where: str, row: Mapping[str, str | None]) -> E:
    values: dict[str, Any] = {}
    for field in fields(kind):
        cell = normalize(row.get(field.name) or "").strip()
        values[field.name] = _read_cell(str(field.type), cell, f"{where}, {field.name}")
    if not values["name"] or EXTRA_CELLS in row:
        raise BrokenRecord(where=where, found="a row of another form", expected="as its header")
    return kind(**values)


def _read_cell(type_name: str, cell: str, where: str) -> object:
    if type_name.startswith("tuple"):
        return tuple(part.strip() for part in cell.split(";") if part.strip())
    if type_name == "str":
        return cell
    try:
        if type_name == "int":
            return int(cell or 0)
        return float(cell) if cell else None
    except ValueError:
        raise BrokenRecord(where=where, found="not a number", expected="a number") from None
