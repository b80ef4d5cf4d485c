"""Benchmarks of one's own: a CSV or JSONL file and ten lines of TOML in `own/` of the data folder.

`own/NAME` reads `own/NAME.toml` below `--data`; the file it names lies beside it. Five forms:
choice, entities, spans, relations and similarity. Where records name a `split`, those of `test` are
asked alone. Nothing of it is executed, and its text is shown in no report unless the TOML says
`is_text_shown = true`.
"""

from __future__ import annotations

import csv
import functools
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rinsho.errors import BenchmarkMissing, BrokenRecord, DataFolderMissing, InvalidValue
from rinsho.evaluation.benchmark import LETTERS, Benchmark, Item, Sources
from rinsho.evaluation.benchmark_file import require_unique, text_key, to_letters
from rinsho.evaluation.jmed_llm import document_key
from rinsho.evaluation.parse import parse_list
from rinsho.text.spans import CERTAINTIES, LABELS, Span, relations_from_json, sort_spans

PREFIX = "own/"
_COLUMNS = {
    "choice": ("question", "choices", "answer"),
    "similarity": ("sentence1", "sentence2", "answer"),
    "entities": ("text", "answer"),
    "spans": ("text", "answer"),
    "relations": ("text", "answer", "relations"),  # answer: the mentions that are given
}
_ASKS = "以下の2つの文の意味の類似度は？"


class OwnBenchmark(BaseModel):
    """What the TOML file says; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    form: Literal["choice", "entities", "spans", "relations", "similarity"]
    file: str = Field(min_length=1, description="CSV or JSONL beside the TOML")
    license: str = Field(min_length=1)
    source: str = Field(min_length=1)
    version: int = Field(default=1, ge=1)
    description: str = ""
    language: Literal["ja", "en"] = "ja"
    instruction: str = Field(default="", description="a system text instead of rinsho's")
    question: str = Field(default="", description="asked of every text of the form entities")
    levels: tuple[str, ...] = Field(default=(), description="of similarity, closest first")
    columns: dict[str, str] = Field(default_factory=dict, description="our name = the file's name")
    is_noncommercial: bool = False
    is_text_shown: bool = False


def read_own(name: str, sources: Sources) -> Benchmark:
    """Read the description of a benchmark of one's own; its items are read when they are needed.

    Raises:
        DataFolderMissing: No data folder was given.
        BenchmarkMissing: The folder lacks the TOML file.
        InvalidValue: The TOML is broken, or a key or value is wrong.
    """
    if sources.data is None:
        raise DataFolderMissing(where=name)
    short = name.removeprefix(PREFIX)
    if not short.replace("-", "").replace("_", "").isalnum():
        raise InvalidValue(where=name, found=short, expected="letters, digits, - and _")
    path = sources.data / "own" / f"{short}.toml"
    if not path.is_file():
        raise BenchmarkMissing(where=name, expected=f"{PREFIX}{short}.toml")
    own = _parse(path, name)
    return Benchmark(
        name=name,
        version=own.version,
        license=own.license,
        source=own.source,
        form=own.form,
        ja=own.description or name,
        en=own.description or name,
        needs=f"{PREFIX}{own.file} (--data)",
        load=functools.partial(_read_items, own=own, name=name),
        is_noncommercial=own.is_noncommercial,
        weighting="linear" if own.form == "similarity" else "plain",
        files=(f"{PREFIX}{own.file}",),
        language=own.language,
        leading="accuracy" if own.form == "choice" else "kappa",
        withholds_text=not own.is_text_shown,
    )


def _parse(path: Path, name: str) -> OwnBenchmark:
    try:
        own = OwnBenchmark.model_validate(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise InvalidValue(where=name, found="broken TOML", expected="TOML in UTF-8") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InvalidValue(where=f"{name} {key}", found="a wrong key or value",
                           expected=first["msg"]) from None  # fmt: skip
    if "/" in own.file or "\\" in own.file or own.file.startswith("."):
        raise InvalidValue(where=f"{name} file", found="a path", expected="a file beside the TOML")
    if own.form == "similarity" and len(own.levels) < 2:
        raise InvalidValue(where=f"{name} levels", found=len(own.levels), expected="2 or more")
    if own.form == "entities" and not own.question:
        raise InvalidValue(where=f"{name} question", found="nothing", expected="what to list")
    return own


def _read_items(sources: Sources, *, own: OwnBenchmark, name: str) -> tuple[Item, ...]:
    assert sources.data is not None
    path = sources.data / "own" / own.file
    if not path.is_file():
        raise BenchmarkMissing(where=name, expected=f"{PREFIX}{own.file}")
    rows = [*enumerate(_rows(path), start=1)]
    splits = {row.get("split") for _, row in rows if isinstance(row, dict)} - {None, ""}  # pyright: ignore
    items = tuple(
        _to_item(own, f"{own.file} row {number}", number, row)
        for number, row in rows
        if not splits or (isinstance(row, dict) and row.get("split") == "test")  # pyright: ignore
        if own.form != "relations" or _was_looked_at(own, row)
    )
    return require_unique(name, items)


def _was_looked_at(own: OwnBenchmark, row: Any) -> bool:
    """Say whether somebody marked the relations of a record; a record without any says nothing."""
    column = own.columns.get("relations", "relations")
    return isinstance(row, dict) and row.get(column) is not None  # pyright: ignore


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix == ".csv":
                yield from csv.DictReader(file)
            else:
                yield from (json.loads(line) for line in file if line.strip())
    except (ValueError, csv.Error):
        raise BrokenRecord(where=path.name, expected="CSV with a header or JSONL, UTF-8") from None


def _to_item(own: OwnBenchmark, where: str, number: int, row: Any) -> Item:
    cells = {ours: _cell(own, row, ours, where) for ours in _COLUMNS[own.form]}
    extra = {
        ours: str(row.get(own.columns.get(ours, ours)) or "") for ours in ("id", "document", "tag")
    }
    makers = {
        "choice": _choice,
        "similarity": _similarity,
        "entities": _entities,
        "spans": _spans,
        "relations": _relations,
    }
    fields = makers[own.form](own, where, cells)
    text = str(fields["question"])
    return Item(
        extra["id"] or str(number),
        own.form,
        document=extra["document"] or (document_key(text) if "\n「" in text else text_key(text)),
        tag=extra["tag"],
        source="own",
        wording="" if own.form in ("spans", "relations") else own.language,
        instruction=own.instruction,
        **fields,
    )


def _cell(own: OwnBenchmark, row: Any, ours: str, where: str) -> Any:
    column = own.columns.get(ours, ours)
    if not isinstance(row, dict) or row.get(column) in (None, ""):  # pyright: ignore[reportUnknownMemberType]
        if ours == "choices" and isinstance(row, dict):
            return [row[key] for letter in LETTERS if row.get(key := f"option{letter}")]  # pyright: ignore
        raise BrokenRecord(where=where, expected=f"a value of {column}")
    return row[column]  # pyright: ignore[reportUnknownVariableType]


def _list(value: Any, where: str) -> list[Any]:
    """Return a list as JSONL has it, or as JSON or a Python literal of strings in a CSV cell."""
    if isinstance(value, list):
        return [*value]  # pyright: ignore[reportUnknownVariableType]
    try:
        found: Any = json.loads(str(value))
    except ValueError:
        found = [*parse_list(str(value)).entities]
    if not isinstance(found, list):
        raise BrokenRecord(where=where, expected="a list")
    return [*found]  # pyright: ignore[reportUnknownVariableType]


def _choice(own: OwnBenchmark, where: str, cells: dict[str, Any]) -> dict[str, Any]:
    choices = tuple(str(one) for one in _list(cells["choices"], where))
    if not 2 <= len(choices) <= len(LETTERS):
        raise BrokenRecord(where=where, expected="2 to 8 choices", found=len(choices))
    answer = cells["answer"]
    letters = answer if isinstance(answer, list) else str(answer).replace("、", ",").split(",")  # pyright: ignore
    gold = to_letters([str(one) for one in letters], len(choices), where)  # pyright: ignore
    return {"question": str(cells["question"]), "choices": choices, "gold": gold}


def _similarity(own: OwnBenchmark, where: str, cells: dict[str, Any]) -> dict[str, Any]:
    level = str(cells["answer"])
    if level not in own.levels:
        raise BrokenRecord(where=where, expected=f"one of {len(own.levels)} levels")
    question = f"{_ASKS}\nS1: {cells['sentence1']}\nS2: {cells['sentence2']}"
    return {
        "question": question,
        "choices": own.levels,
        "gold": (LETTERS[own.levels.index(level)],),
    }


def _entities(own: OwnBenchmark, where: str, cells: dict[str, Any]) -> dict[str, Any]:
    text = str(cells["text"])
    gold = tuple(str(one) for one in _list(cells["answer"], where))
    if not all(entity and entity in text for entity in gold):
        raise BrokenRecord(where=where, expected="entities that stand in the text")
    return {"question": f"{own.question}\n「{text}」", "gold": gold}


def _spans(own: OwnBenchmark, where: str, cells: dict[str, Any]) -> dict[str, Any]:
    text = str(cells["text"])
    spans = [_span(one, text, where) for one in _list(cells["answer"], where)]
    return {"question": text, "gold_spans": sort_spans(spans)}


def _relations(own: OwnBenchmark, where: str, cells: dict[str, Any]) -> dict[str, Any]:
    text = str(cells["text"])
    spans = [_span(one, text, where) for one in _list(cells["answer"], where)]
    try:
        related = relations_from_json(_list(cells["relations"], where), spans)
    except (ValueError, TypeError, KeyError):
        expected = '{"kind", "head", "tail"}, by places of the mentions'
        raise BrokenRecord(where=where, expected=expected) from None
    return {"question": text, "gold_spans": sort_spans(spans), "gold_relations": related}


def _span(value: Any, text: str, where: str) -> Span:
    if isinstance(value, dict):  # as `rinsho annotations` writes it
        value = [value.get(name) for name in ("start", "end", "label", "certainty")]  # pyright: ignore
    match value:
        case [int(start), int(end), str(label), *more] if 0 <= start < end <= len(text):
            certainty = str((*more, "present")[0] or "present")  # pyright: ignore[reportUnknownArgumentType]
            if label in LABELS and certainty in CERTAINTIES:
                return Span(start, end, label, certainty)
        case _:
            pass
    raise BrokenRecord(where=where, expected='[start, end, "label", "certainty"] in the text')
