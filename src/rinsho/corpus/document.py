"""The document: one text with id, source and license; and how folders hold documents."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rinsho.json_lines import read_json_lines, write_json_lines
from rinsho.text.spans import Relation, Span, relations_from_json, relations_to_json

# A text after `normalize` holds no other character that JSON escapes.
_ESCAPES = ((b"\\", b"\\\\"), (b'"', b'\\"'), (b"\n", b"\\n"), (b"\t", b"\\t"))
_ENCODER = json.JSONEncoder(ensure_ascii=False)
_NO_TEXT = b'"text": ""'  # stands in no string: a quote in it is escaped


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: str  # system, user or assistant
    content: str


@dataclass(frozen=True, slots=True)
class Document:
    """One text; what a stage reads and writes.

    A conversation has `messages`, and `text` is their contents joined by newlines. A document with
    gold spans has `spans`, in code points of `text`.
    """

    id: str  # "<source>/<number in source>", the same in every run
    text: str  # after normalize(), never raw
    source: str
    license: str  # SPDX identifier, or the name of the terms
    group: str | None = None  # patient or case (a keyed hash): splits never cut a group
    url: str | None = None
    date: str | None = None
    spans: tuple[Span, ...] | None = None  # None: not annotated; (): annotated, nothing found
    relations: tuple[Relation, ...] | None = None  # between spans; None: nobody looked for them
    messages: tuple[Message, ...] | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a record was left out: a rule, what it measured, and its limit."""

    rule: str
    measured: float | str
    limit: float | str


def to_json(document: Document) -> dict[str, Any]:
    """Return the JSON form; fields that are None are left out."""
    value: dict[str, Any] = {
        name: getattr(document, name)
        for name in ("id", "text", "source", "license", "group", "url", "date")
        if getattr(document, name) is not None
    }
    if document.spans is not None:
        value["spans"] = [
            {"start": s.start, "end": s.end, "label": s.label, "certainty": s.certainty}
            for s in document.spans
        ]
        if document.relations is not None:
            value["relations"] = relations_to_json(document.relations, document.spans)
    if document.messages is not None:
        value["messages"] = [{"role": m.role, "content": m.content} for m in document.messages]
    return value


def to_line(document: Document) -> bytes:
    """Return the JSON form as a line; for a long text in half the time of `json.dumps`.

    >>> to_line(Document("a/0", "発熱", "a", "CC0-1.0")).decode()
    '{"id": "a/0", "text": "発熱", "source": "a", "license": "CC0-1.0"}\\n'
    """
    rest = _ENCODER.encode({**to_json(document), "text": ""}).encode()
    text = document.text.encode()
    for character, escaped in _ESCAPES:
        text = text.replace(character, escaped)
    return rest.replace(_NO_TEXT, b'"text": "' + text + b'"', 1) + b"\n"


def from_json(value: Mapping[str, Any]) -> Document:
    """Return the document of a JSON object that `to_json` made."""
    fields = dict(value)
    if "spans" in fields:
        fields["spans"] = tuple(Span(**span) for span in fields["spans"])
    if "relations" in fields:
        fields["relations"] = relations_from_json(fields["relations"], fields["spans"])
    if "messages" in fields:
        fields["messages"] = tuple(Message(**message) for message in fields["messages"])
    return Document(**fields)


def read_documents(folder: Path) -> Iterator[Document]:
    """Yield every document of a documents folder, conversations too, in order."""
    for path in sorted(folder.glob("documents-*.jsonl.zst")):
        for value in read_json_lines(path):
            yield from_json(value)


def write_documents(folder: Path, documents: Iterable[Document]) -> int:
    """Write one shard of documents; return how many."""
    path = folder / "documents-00000.jsonl.zst"
    return write_json_lines(path, (to_json(document) for document in documents))
