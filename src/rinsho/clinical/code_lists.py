"""Where codes come from: the embedded lexicon, the lists of the data folder, the user's masters."""

from __future__ import annotations

import csv
import io
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rinsho.clinical.code_names import drug_names
from rinsho.corpus.lexicon_lists import LexiconList, ListForm, read_bytes, read_list
from rinsho.errors import BrokenRecord, InvalidValue, NotText, PathMissing
from rinsho.text.lexicon import read_demo_lexicon
from rinsho.text.normalize import normalize

Kind = Literal["condition", "drug", "test", "procedure"]
How = Literal["name", "synonym", "reading"]
ICD10, NANDO, PRICE_LIST = "ICD-10", "NANDO", "薬価基準"

# What of the data folder holds codes; their terms of use are in the catalog (docs/data.md).
LISTS: tuple[tuple[str, ListForm, str], ...] = (
    ("lexicon/dpc_icd10_20240601.csv", "dpc", "PDL-1.0"),
    ("lexicon/meddic_cancer_ade_ja_202306.csv", "adverse_events", "MIT"),
    ("lexicon/wikidata_medical_en_ja.csv", "wikidata", "CC0-1.0"),
    ("lexicon/nando_labels_20250826.csv", "nando", "CC-BY-4.0"),
    ("lexicon/mhlw_drug_price_20250716.csv", "drug_price", "PDL-1.0"),
)
_SYSTEMS = {"icd10": ICD10, "nando": NANDO, "code": PRICE_LIST}


@dataclass(frozen=True, slots=True)
class CodedName:
    """A name to which a list gives a code.

    Attributes:
        name: What a term is compared with.
        listed: The entry of the list that it stands for.
        how: Whether the list has it as a name, a synonym or a reading.
        source: The list, as results show it.
    """

    name: str
    listed: str
    code: str
    system: str
    kind: Kind
    how: How
    source: str


class Master(BaseModel):
    """A code master of the user's own, described in a few lines of TOML; nothing is copied.

    A column is named as the header has it, or by its number, counted from 1, where there is none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str = Field(min_length=1, description="CSV or TSV beside the TOML")
    system: str = Field(min_length=1, description="what results call the codes, as ICD-10 or HOT9")
    kind: Kind
    name: str | int
    code: str | int
    reading: str | int | None = None
    synonyms: tuple[str | int, ...] = ()
    encoding: str = "cp932"
    has_header: bool = True


def embedded_names() -> Iterator[CodedName]:
    """Yield the diseases of the embedded lexicon that have an ICD-10 code."""
    for disease in read_demo_lexicon().diseases:
        if not disease.icd10:
            continue
        named: list[tuple[How, str]] = [("name", disease.name), ("reading", disease.reading)]
        for synonym in disease.synonyms:
            named.append(("synonym", synonym))
        for how, name in named:
            if name:
                yield CodedName(
                    name, disease.name, disease.icd10, ICD10, "condition", how, "rinsho"
                )


def data_names(data: Path) -> Iterator[CodedName]:
    """Yield the coded names of the lists that the data folder has; a missing list is no error."""
    for path, form, license in LISTS:
        if not (data / path).is_file():
            continue
        source = Path(path).name
        raw = read_bytes(path, data, source)
        one = LexiconList.model_validate({"path": path, "form": form, "license": license})
        for known in read_list(one, raw, source, Counter()):
            yield from _coded(known.name, known.facts, source)


def _coded(name: str, facts: Sequence[tuple[str, str]], source: str) -> Iterator[CodedName]:
    values = dict(facts)
    for relation, system in _SYSTEMS.items():
        if not (code := values.get(relation)):
            continue
        if system == PRICE_LIST:
            for one in drug_names(name):
                yield CodedName(one, name, code, system, "drug", "name", source)
            if ingredient := values.get("ingredient"):
                yield CodedName(ingredient, name, code, system, "drug", "synonym", source)
            continue
        yield CodedName(name, name, code, system, "condition", "name", source)
        also: tuple[tuple[str, How], ...] = (("standard", "synonym"), ("reading", "reading"))
        for key, how in also:
            if values.get(key):
                yield CodedName(values[key], name, code, system, "condition", how, source)


def master_names(path: Path) -> Iterator[CodedName]:
    """Yield the coded names of a user's master; `path` is its TOML file.

    Raises:
        PathMissing, NotText: The TOML or the file it names.
        InvalidValue: A wrong key or value.
        BrokenRecord: A column is missing; the line is named, never its text.
    """
    master = _read_master(path)
    where = path.name
    table = path.parent / master.file
    if not table.is_file():
        raise PathMissing(where=f"{where} file")
    try:
        text = table.read_bytes().decode(master.encoding).removeprefix("\ufeff")
    except (UnicodeDecodeError, LookupError):
        raise NotText(where=f"{where} file", expected=master.encoding) from None
    delimiter = "\t" if "\t" in text.partition("\n")[0] else ","
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header = next(rows, []) if master.has_header else []
    place = {key: _place(key, header, where) for key in _columns(master)}
    for row in rows:
        if row:
            yield from _row_names(master, place, row, f"{where} line {rows.line_num}")


def _read_master(path: Path) -> Master:
    if not path.is_file():
        raise PathMissing(where=path.name)
    try:
        master = Master.model_validate(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise InvalidValue(where=path.name, found="broken TOML", expected="TOML, UTF-8") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        found, expected = "a wrong key or value", first["msg"]
        raise InvalidValue(where=f"{path.name} {key}", found=found, expected=expected) from None
    if Path(master.file).name != master.file:
        expected = "a file beside the TOML"
        raise InvalidValue(where=f"{path.name} file", found="a path", expected=expected)
    return master


def _columns(master: Master) -> list[str | int]:
    reading = [] if master.reading is None else [master.reading]
    return [master.name, master.code, *reading, *master.synonyms]


def _place(column: str | int, header: Sequence[str], where: str) -> int:
    if isinstance(column, int) and column > 0:
        return column - 1
    if column in header:
        return header.index(str(column))
    expected = ", ".join(header)[:200] or "column numbers from 1"
    raise InvalidValue(where=where, found=f"column {column}", expected=expected)


def _row_names(
    master: Master, place: dict[str | int, int], row: Sequence[str], where: str
) -> Iterator[CodedName]:
    if max(place.values()) >= len(row):
        raise BrokenRecord(where=where, found=f"{len(row)} columns", expected="as the first row")
    code = row[place[master.code]].strip()
    listed = normalize(row[place[master.name]]).strip()
    named: list[tuple[How, str | int]] = [("name", master.name)]
    if master.reading is not None:
        named.append(("reading", master.reading))
    for column in master.synonyms:
        named.append(("synonym", column))
    for how, column in named:
        name = normalize(row[place[column]]).strip()
        if name and code:
            for one in drug_names(name) if master.kind == "drug" else (name,):
                yield CodedName(one, listed, code, master.system, master.kind, how, master.file)
