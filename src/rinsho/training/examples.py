"""Examples for heads: texts or pairs of texts with answers, from CSV or JSONL files of people.

A record holds `text` (or `text_a`), for pairs `text_b`, and one answer: `label` (one of several
classes), `labels` (any number of them), `value` (a number), `spans` or `entities` (words of the
text); with `spans`, `relations` between them. `task` names the question where there are several;
`id`, `group` and `split` are optional.
Records with the same text are one example with several answers: it is read once for all of them.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import Field

from rinsho.corpus.document import Document
from rinsho.corpus.licenses import is_allowed, license_name
from rinsho.corpus.splits import SPLITS, Split, split_of
from rinsho.errors import (
    BrokenRecord,
    LicenseRefused,
    NothingToRead,
    NotText,
    PathMissing,
    SplitOverlap,
)
from rinsho.manifest import hash_file
from rinsho.runfile import StageConfig
from rinsho.text.normalize import normalize, normalize_with_offsets
from rinsho.text.spans import Relation, Span, relations_from_json, sort_spans

Kind = Literal["label", "labels", "value", "spans", "relations"]
Answer = str | tuple[str, ...] | float | tuple[Span, ...] | tuple[Relation, ...]
FORM = "text and one of label, labels, value, spans, entities"
_ANSWERS = ("label", "labels", "value", "spans", "entities")
_SEPARATOR = "|"  # between the labels of a CSV cell


class ExampleFile(StageConfig):
    """One `[[finetune.examples]]` table: a CSV or JSONL file, plain or gzip, UTF-8."""

    path: str = Field(description="a file, below --data or anywhere")
    license: str = Field(description="SPDX identifier, or the name of the terms of use")
    attribution: str = Field("", description="whom to name, as the license asks")
    is_private: bool = Field(False, description="patients' text: the result gets mode 0700")


@dataclass(slots=True)
class Example:
    """A text, or a pair of texts, with its answers; texts are normalized."""

    id: str
    text: str
    text_b: str | None
    split: Split
    answers: dict[tuple[str, Kind], Answer] = field(default_factory=dict[tuple[str, Kind], Answer])


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a file."""

    where: str
    id: str
    text: str
    text_b: str | None
    group: str | None
    split: Split | None
    task: str
    kind: Kind
    answer: Answer
    relations: tuple[Relation, ...] | None = None  # between spans; None: nobody looked for them


def find_example_files(
    files: Sequence[ExampleFile],
    data: Path | None,
    allow_licenses: Sequence[str],
    *,
    noncommercial: bool,
) -> list[Path]:
    """Return where the files lie.

    Raises:
        LicenseRefused: A file is under terms that the run may not use.
        PathMissing: A file is not there.
    """
    paths: list[Path] = []
    for number, one in enumerate(files):
        where, name = f"examples[{number}]", license_name(one.license)
        if not is_allowed(name, allow_licenses, noncommercial=noncommercial):
            raise LicenseRefused(where=where, found=name[:60])
        path = Path(one.path)
        if not path.is_file() and data is not None:
            path = data / one.path
        if not path.is_file():
            raise PathMissing(where=where)
        paths.append(path)
    return paths


def hash_examples(paths: Sequence[Path]) -> str:
    """Return one hash for all files: what a manifest chains."""
    hashes = "\n".join(hash_file(path).sha256 for path in paths)
    return hashlib.sha256(hashes.encode()).hexdigest()


def read_examples(paths: Sequence[Path], validation_share: float = 0.1) -> list[Example]:
    """Read examples in the order of the files; records with the same texts are joined.

    Args:
        paths: Files; errors name them by number.
        validation_share: Of the groups (or texts) that name no split of their own.

    Raises:
        NotText, NothingToRead, BrokenRecord: A file or record that cannot be used.
        SplitOverlap: A group or a text lies in two splits.
    """
    records = [record for place, path in enumerate(paths) for record in _read(path, place)]
    found: dict[tuple[str, str | None], Example] = {}
    split_of_group: dict[str, Split] = {}
    for record in records:
        group = record.group or _key(record.text, record.text_b)
        split = record.split or _draw(group, validation_share)
        if split_of_group.setdefault(group, split) != split:
            expected = "one split for a group, or for a text"
            raise SplitOverlap(where=record.where, expected=expected, found="two")
        key = (record.text, record.text_b)
        example = found.setdefault(key, Example(record.id, *key, split))
        _add(example, record)
        if example.split != split:
            raise SplitOverlap(where=record.where, expected="one split for a text", found="two")
    return list(found.values())


def from_documents(documents: Iterable[Document]) -> Iterator[Example]:
    """Yield documents as examples of one task; one without spans is no answer."""
    for document in documents:
        answers: dict[tuple[str, Kind], Answer] = {}
        if document.spans is not None:
            answers["", "spans"] = document.spans
        if document.relations is not None:
            answers["", "relations"] = document.relations
        yield Example(document.id, document.text, None, split_of(document), answers)


def _add(example: Example, record: Record) -> None:
    key = (record.task, record.kind)
    if record.relations is not None:
        known = example.answers.get((record.task, "relations"), ())
        related = cast(tuple[Relation, ...], known) + record.relations
        example.answers[record.task, "relations"] = tuple(sorted(set(related)))
    before = example.answers.get(key)
    if before is None:
        example.answers[key] = record.answer
    elif record.kind == "spans":
        spans = cast(tuple[Span, ...], before) + cast(tuple[Span, ...], record.answer)
        example.answers[key] = sort_spans(spans)
    elif before != record.answer:
        raise BrokenRecord(
            where=record.where, found="another answer to the same text", expected="one answer"
        )


def _key(text: str, text_b: str | None) -> str:
    """Return a hash of the letters alone: a text laid out in other lines has the same key."""
    joined = "\0".join("".join(part.split()) for part in (text, text_b or ""))
    return hashlib.sha256(joined.encode()).hexdigest()


def _draw(group: str, validation_share: float) -> Split:
    share = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") / 2**64
    return "validation" if share < validation_share else "train"


# ------------------------------------------------------------------------------- records


def _read(path: Path, place: int) -> Iterator[Record]:
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NotText(where=f"examples[{place}]", expected="utf-8") from None
    is_empty = True
    for number, row in _rows(text, is_csv=".csv" in path.suffixes):
        where = f"examples[{place}] line {number}"
        try:
            yield _to_record(row, where, f"{path.name.split('.')[0]}/{number}")
        except (KeyError, TypeError, ValueError, AttributeError):
            raise BrokenRecord(where=where, found="another form", expected=FORM) from None
        is_empty = False
    if is_empty:
        raise NothingToRead(where=f"examples[{place}]", expected=FORM)


def _rows(text: str, *, is_csv: bool) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if is_csv:
        rows = csv.DictReader(io.StringIO(text, newline=""))
        yield from ((rows.line_num, {k: v for k, v in row.items() if v}) for row in rows)
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                value: Any = json.loads(line)
            except ValueError:
                value = None
            yield number, cast(dict[str, Any], value) if isinstance(value, dict) else {}


def _to_record(row: Mapping[str, Any], where: str, id_: str) -> Record:
    raw = str(row["text"] if "text" in row else row["text_a"])
    text_b = row.get("text_b")
    named = [name for name in _ANSWERS if name in row]
    split = row.get("split")
    if len(named) != 1 or not raw.strip() or split not in (None, *SPLITS):
        raise ValueError(where)
    task, group = str(row.get("task", "")), row.get("group")
    kind, answer = _to_answer(named[0], row[named[0]], raw, task)
    relations = _to_relations(row, raw) if kind == "spans" and "relations" in row else None
    return Record(
        where,
        str(row.get("id", id_)),
        normalize(raw),
        None if text_b is None else normalize(str(text_b)),
        None if group is None else str(group),
        split,
        task,
        kind,
        answer,
        relations,
    )


def _to_answer(name: str, value: Any, raw: str, task: str) -> tuple[Kind, Answer]:
    if name == "label":
        return "label", str(value).strip()
    if name == "labels":
        return "labels", tuple(sorted(set(_to_list(value))))
    if name == "value":
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(name)
        return "value", number
    spans = _to_spans(value) if name == "spans" else find_entities(raw, _to_list(value), task)
    return "spans", _normalized(spans, raw)


def _to_list(value: Any) -> list[str]:
    if isinstance(value, str):
        value = json.loads(value) if value.startswith("[") else value.split(_SEPARATOR)
    if not isinstance(value, list):
        raise TypeError(type(value).__name__)
    return [one for item in cast(list[Any], value) if (one := str(item).strip())]


def _to_spans(value: Any) -> list[Span]:
    rows: list[dict[str, Any]] = json.loads(value) if isinstance(value, str) else value
    return [
        Span(int(r["start"]), int(r["end"]), str(r["label"]), str(r.get("certainty", "present")))
        for r in rows
    ]


def _to_relations(row: Mapping[str, Any], raw: str) -> tuple[Relation, ...]:
    rows = row["relations"]
    listed: list[dict[str, Any]] = json.loads(rows) if isinstance(rows, str) else rows
    related = relations_from_json(listed, _to_spans(row["spans"]))
    moved = ((one, _normalized([one.head], raw), _normalized([one.tail], raw)) for one in related)
    return tuple(Relation(one.kind, *head, *tail) for one, head, tail in moved if head and tail)


def find_entities(text: str, entities: Iterable[str], label: str) -> list[Span]:
    """Return every place where an entity stands; a longer one comes before what lies in it.

    >>> [(s.start, s.end) for s in find_entities("進行胃癌。胃癌。", ["胃癌", "進行胃癌"], "d")]
    [(0, 4), (5, 7)]
    """
    taken, spans = [False] * len(text), list[Span]()
    for entity in sorted(set(entities), key=lambda one: (-len(one), one)):
        start = text.find(entity)
        while start >= 0:
            end = start + len(entity)
            if not any(taken[start:end]):
                taken[start:end] = [True] * len(entity)
                spans.append(Span(start, end, label))
            start = text.find(entity, start + 1)
    return sorted(spans)


def _normalized(spans: Sequence[Span], raw: str) -> tuple[Span, ...]:
    """Move spans of a text as it was given to its normalized form."""
    if any(not 0 <= span.start < span.end <= len(raw) for span in spans):
        raise ValueError("a span outside the text")
    normalized = normalize_with_offsets(raw)
    places = [(normalized.to_normalized(span.start, span.end), span) for span in spans]
    return sort_spans(
        Span(start, end, span.label, span.certainty) for (start, end), span in places if start < end
    )
