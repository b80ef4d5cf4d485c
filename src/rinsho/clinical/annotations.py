"""Notes with spans in the formats of other tools: brat, CoNLL, doccano, CSV, and JSON lines.

What is written is read back as it was: texts character by character, line ends too, and every span
with label and certainty; relations by brat and JSON lines alone (CSV, which is not read back, has
them too). Offsets are Unicode code points of the text as it was given.
"""

from __future__ import annotations

import csv
import functools
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from rinsho.clinical.notes import Note
from rinsho.corpus.splits import SPLITS, Split
from rinsho.errors import BrokenRecord, NotText, PathMissing, UnknownFormat
from rinsho.text.spans import (
    Relation,
    Span,
    relations_from_json,
    relations_to_json,
    sort_spans,
)

AnnotationForm = Literal["jsonl", "brat", "conll", "doccano", "csv"]
FORMS: tuple[AnnotationForm, ...] = get_args(AnnotationForm)
_SUFFIXES: dict[str, AnnotationForm] = {".ann": "brat", ".conll": "conll", ".csv": "csv"}
_CERTAINTY = "Certainty"  # the brat attribute; a span without it is present
_PRESENT = "present"
_UNSAFE = re.compile(r"[^\w.-]+")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
CSV_COLUMNS = ("id", "start", "end", "label", "certainty", "text")
RELATIONS_COLUMN = "relations"  # the last one, where relations were looked for


@dataclass(frozen=True, slots=True)
class AnnotatedNote:
    """A note and its mentions, as an engine or a person marked them."""

    note: Note
    spans: tuple[Span, ...]
    split: Split | None = None  # None: whoever learns from it draws one
    relations: tuple[Relation, ...] | None = None  # None: nobody looked for them


# ------------------------------------------------------------------------------------ out


def write_annotations(
    notes: Iterable[AnnotatedNote],
    form: AnnotationForm,
    out: Path,
    encoding: str = "cp932",
    *,
    has_relations: bool = False,
) -> int:
    """Write notes with their spans; return how many.

    Args:
        notes: In the order of the files.
        form: "brat" makes a folder of a text and an `.ann` file for each note; the others one file.
        out: The file or folder.
        encoding: Of CSV, which holds no texts. What it lacks becomes `&#x20BB7;`.
        has_relations: Whether CSV has a last column with them, in the rows of their tails.
    """
    if form == "brat":
        return _write_brat(notes, out)
    n_notes = 0
    codec, to_text = (encoding if form == "csv" else "utf-8"), _ONE_FILE[form]
    with out.open("w", encoding=codec, errors="xmlcharrefreplace", newline="") as file:
        if form == "csv":
            columns = (*CSV_COLUMNS, RELATIONS_COLUMN) if has_relations else CSV_COLUMNS
            file.write(_csv_row(columns))
            to_text = functools.partial(_to_csv, has_relations=has_relations)
        for one in notes:
            file.write(to_text(one))
            n_notes += 1
    return n_notes


def _to_jsonl(one: AnnotatedNote) -> str:
    spans = [
        {"start": s.start, "end": s.end, "label": s.label, "certainty": s.certainty}
        for s in one.spans
    ]
    fields: dict[str, Any] = {"id": one.note.id, "text": one.note.text, "spans": spans}
    if one.relations is not None:
        fields["relations"] = relations_to_json(one.relations, one.spans)
    if one.note.group is not None:
        fields["group"] = one.note.group
    if one.split is not None:
        fields["split"] = one.split
    return json.dumps(fields, ensure_ascii=False) + "\n"


def _to_doccano(one: AnnotatedNote) -> str:
    labels = [[s.start, s.end, _joined(s)] for s in one.spans]
    fields = {"id": one.note.id, "text": one.note.text, "label": labels}
    return json.dumps(fields, ensure_ascii=False) + "\n"


def _to_csv(one: AnnotatedNote, *, has_relations: bool = False) -> str:
    text = one.note.text
    return "".join(
        _csv_row(
            (one.note.id, s.start, s.end, s.label, s.certainty, text[s.start : s.end])
            + ((_heads_of(s, one),) if has_relations else ())
        )
        for s in one.spans
    )


def _heads_of(tail: Span, one: AnnotatedNote) -> str:
    """Return what a mention is the tail of: `caused 0-5 ロキソニン`, several with `; ` between."""
    related = [relation for relation in one.relations or () if relation.tail == tail]
    heads = ((r.kind, r.head.start, r.head.end) for r in related)
    return "; ".join(f"{kind} {a}-{b} {one.note.text[a:b]}" for kind, a, b in heads)


def _csv_row(cells: Sequence[object]) -> str:
    row = io.StringIO(newline="")
    safe = [f"'{cell}" if str(cell).startswith(_FORMULA) else cell for cell in cells]
    csv.writer(row).writerow(safe)
    return row.getvalue()


def _to_conll(one: AnnotatedNote) -> str:
    """Return a line for each character: it in JSON, and a BIO tag for each layer of spans.

    Spans that cross or lie in one another need a layer each.
    """
    layers = _layers(one.spans)
    rows = [f"# id = {json.dumps(one.note.id, ensure_ascii=False)}"]
    for place, character in enumerate(one.note.text):
        tags = [_tag(layer, place) for layer in layers]
        rows.append("\t".join((json.dumps(character, ensure_ascii=False), *tags)))
    return "\n".join(rows) + "\n\n"


def _layers(spans: Sequence[Span]) -> list[list[Span]]:
    layers: list[list[Span]] = []
    for span in sorted(spans, key=lambda s: (s.start, -s.end, s.label, s.certainty)):
        layer = next((one for one in layers if one[-1].end <= span.start), None)
        if layer is None:
            layers.append([span])
        else:
            layer.append(span)
    return layers or [[]]


def _tag(layer: Sequence[Span], place: int) -> str:
    span = next((s for s in layer if s.start <= place < s.end), None)
    return "O" if span is None else f"{'B' if place == span.start else 'I'}-{_joined(span)}"


def _joined(span: Span) -> str:
    return span.label if span.certainty == _PRESENT else f"{span.label}:{span.certainty}"


_ONE_FILE = {"jsonl": _to_jsonl, "doccano": _to_doccano, "csv": _to_csv, "conll": _to_conll}


def _write_brat(notes: Iterable[AnnotatedNote], out: Path) -> int:
    out.mkdir(parents=True, exist_ok=True)
    n_notes = 0
    for n_notes, one in enumerate(notes, start=1):
        # The number keeps names apart that differ in what a file name cannot hold.
        stem = f"{n_notes:05d}-{_UNSAFE.sub('_', one.note.id)[:80]}"
        (out / f"{stem}.txt").write_bytes(one.note.text.encode("utf-8", "replace"))
        (out / f"{stem}.ann").write_bytes(_to_brat(one).encode("utf-8", "replace"))
    return n_notes


def _to_brat(one: AnnotatedNote) -> str:
    rows: list[str] = []
    for number, span in enumerate(one.spans, start=1):
        words = one.note.text[span.start : span.end]
        # brat shows no span over a line end: it is written in parts, as brat itself does.
        parts = [
            (span.start + part.start(), span.start + part.end())
            for part in re.finditer(r"[^\r\n]+", words)
        ] or [(span.start, span.end)]
        places = ";".join(f"{start} {end}" for start, end in parts)
        shown = " ".join(one.note.text[start:end] for start, end in parts)
        rows.append(f"T{number}\t{span.label} {places}\t{shown}")
        if span.certainty != _PRESENT:
            rows.append(f"A{number}\t{_CERTAINTY} T{number} {span.certainty}")
    for number, said in enumerate(relations_to_json(one.relations or (), one.spans), start=1):
        head, tail = int(said["head"]) + 1, int(said["tail"]) + 1
        rows.append(f"R{number}\t{said['kind']} Arg1:T{head} Arg2:T{tail}")
    return "".join(f"{row}\n" for row in rows)


# ------------------------------------------------------------------------------------- in


def read_annotations(paths: Sequence[Path]) -> Iterator[AnnotatedNote]:
    """Yield annotated notes: of JSON lines (ours or doccano's), CoNLL files, folders of brat files.

    CSV holds no texts and is not read. Files are named by their number in errors.

    Raises:
        PathMissing, UnknownFormat, NotText, BrokenRecord
    """
    for number, path in enumerate(paths, start=1):
        where = f"input {number}"
        if path.is_dir():
            yield from _read_brat(path, where)
        elif not path.is_file():
            raise PathMissing(where=where)
        elif path.suffix in (".jsonl", ".json"):
            yield from _read_json_lines(_text(path, where), where)
        elif path.suffix == ".conll":
            yield from _read_conll(_text(path, where), where)
        else:
            raise UnknownFormat(where=where, found=path.suffix, expected=".jsonl / .conll / brat")


def _text(path: Path, where: str) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NotText(where=where, expected="UTF-8") from None


def _read_json_lines(text: str, where: str) -> Iterator[AnnotatedNote]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        place = f"{where} line {number}"
        try:
            value = json.loads(line)
            marks = value["spans"] if "spans" in value else value["label"]
            spans = [_json_span(mark) for mark in marks]
            rows = value.get("relations")  # doccano's are of another form, without spans
            relations = (
                relations_from_json(rows, spans) if rows is not None and "spans" in value else None
            )
            group, split = value.get("group"), value.get("split")
            note = Note(str(value.get("id", number)), str(value["text"]), group)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise BrokenRecord(where=place, expected="text, and spans or label") from None
        if split not in (None, *SPLITS):
            raise BrokenRecord(where=place, found="another split", expected=" / ".join(SPLITS))
        yield _checked(note, spans, place, split, relations)


def _json_span(mark: Any) -> Span:
    if isinstance(mark, dict):
        return Span(mark["start"], mark["end"], mark["label"], mark.get("certainty", _PRESENT))
    start, end, joined = mark
    return _parted(start, end, joined)


def _parted(start: int, end: int, joined: str) -> Span:
    label, _, certainty = joined.partition(":")
    return Span(start, end, label, certainty or _PRESENT)


def _read_conll(text: str, where: str) -> Iterator[AnnotatedNote]:
    for number, block in enumerate(filter(None, text.split("\n\n")), start=1):
        place = f"{where} note {number}"
        head, *rows = block.strip("\n").split("\n")
        try:
            name = json.loads(head.removeprefix("# id = "))
            cells = [row.split("\t") for row in rows]
            note = Note(name, "".join(json.loads(first) for first, *_ in cells))
        except (ValueError, TypeError):
            raise BrokenRecord(where=place, expected="# id = …, then a character a line") from None
        layers = zip(*(tags for _, *tags in cells), strict=True) if cells else ()
        yield _checked(note, [span for layer in layers for span in _bio_spans(layer)], place)


def _bio_spans(tags: Sequence[str]) -> Iterator[Span]:
    start, joined = 0, ""
    for place, tag in enumerate([*tags, "O"]):
        if joined and tag != f"I-{joined}":
            yield _parted(start, place, joined)
            joined = ""
        if tag[:2] in ("B-", "I-") and not joined:
            start, joined = place, tag[2:]


def _read_brat(folder: Path, where: str) -> Iterator[AnnotatedNote]:
    paths = sorted(folder.glob("*.ann"))
    if not paths:
        raise UnknownFormat(where=where, found="no .ann file", expected="brat .txt and .ann")
    found: list[AnnotatedNote] = []
    for number, path in enumerate(paths, start=1):
        place = f"{where} note {number}"
        if not path.with_suffix(".txt").is_file():
            raise PathMissing(where=place)
        note = Note(path.stem, _text(path.with_suffix(".txt"), place))
        try:
            spans, relations = _brat_marks(_text(path, place))
        except (ValueError, IndexError, KeyError):
            raise BrokenRecord(where=place, expected="brat standoff") from None
        found.append(_checked(note, spans.values(), place, relations=relations))
    # A folder with a relation anywhere is one whose notes were all looked at for relations.
    has_relations = any(one.relations for one in found)
    yield from found if has_relations else (replace(one, relations=None) for one in found)


def _brat_marks(marks: str) -> tuple[dict[str, Span], tuple[Relation, ...]]:
    """Return the spans by their ids, and the relations between them."""
    rows = [row.split("\t") for row in marks.split("\n") if row.strip()]
    attributes = [row[1].split() for row in rows if row[0][0] in "AM"]
    certainty = {of: value for name, of, value in attributes if name == _CERTAINTY}
    negated = {one[1] for one in attributes if one[0] == "Negation"}  # KEEPHA's way
    spans: dict[str, Span] = {}
    for row in rows:
        if row[0].startswith("T"):
            label, _, places = row[1].partition(" ")
            edges = [int(edge) for part in places.split(";") for edge in part.split()]
            said = certainty.get(row[0], "negated" if row[0] in negated else _PRESENT)
            spans[row[0]] = Span(min(edges), max(edges), label, said)
    arguments = [row[1].split() for row in rows if row[0].startswith("R")]
    relations = {
        Relation(kind, spans[head.partition(":")[2]], spans[tail.partition(":")[2]])
        for kind, head, tail in arguments
    }
    return spans, tuple(sorted(relations))


def _checked(
    note: Note,
    spans: Iterable[Span],
    place: str,
    split: Split | None = None,
    relations: tuple[Relation, ...] | None = None,
) -> AnnotatedNote:
    found = sort_spans(spans)
    if any(not 0 <= span.start < span.end <= len(note.text) for span in found):
        raise BrokenRecord(where=place, found="an offset outside the text", expected="code points")
    return AnnotatedNote(note, found, split, relations)
