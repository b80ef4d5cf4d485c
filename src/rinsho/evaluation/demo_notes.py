"""The embedded hand-written notes as benchmarks: gold spans, and entity lists in the JMED form.

Source:
    `src/rinsho/demo/notes/*.txt`, written for rinsho, CC0-1.0; format and guideline in
    `docs/annotation.md`. They are a test set: nothing trains on them.
"""

from __future__ import annotations

import functools
import importlib.resources
import re
from collections.abc import Iterator
from dataclasses import dataclass

from rinsho.errors import BrokenRecord
from rinsho.evaluation.benchmark import Benchmark, Item, Sources
from rinsho.evaluation.prompts import ENTITY_QUESTIONS
from rinsho.text.spans import CERTAINTIES, LABELS, Span

_MARK = re.compile(r"\{([^{}|\n]+)\|([a-z_]+)(?:\|([a-z]+))?\}")
_KIND_NAMES = {
    "progress_note": "経過記録",
    "discharge_summary": "退院時要約",
    "radiology_report": "読影レポート",
    "nursing_record": "看護記録",
    "referral_letter": "紹介状",
    "outpatient_note": "外来記録",
}


@dataclass(frozen=True, slots=True)
class Note:
    """One hand-written note with its gold spans."""

    id: str
    department: str
    kind: str
    text: str
    spans: tuple[Span, ...]


@functools.cache
def read_notes() -> tuple[Note, ...]:
    """Read every embedded note, by file and order in it.

    Raises:
        BrokenRecord: A mark or a heading that is not of the form in `docs/annotation.md`.
    """
    folder = importlib.resources.files("rinsho.demo") / "notes"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".txt")), key=lambda f: f.name)
    notes = [
        note for f in files for note in parse_notes(f.read_text(encoding="utf-8"), where=f.name)
    ]
    if len({note.id for note in notes}) != len(notes):
        raise BrokenRecord(where="demo/notes", found="an id twice", expected="ids of their own")
    return tuple(notes)


def parse_notes(marked: str, where: str) -> Iterator[Note]:
    """Yield the notes of one file: `# id | department | kind` opens each.

    >>> note = next(parse_notes("# n1 | 内科 | progress_note\\n{咳|symptom|negated}なし", "x"))
    >>> note.text, note.spans
    ('咳なし', (Span(start=0, end=1, label='symptom', certainty='negated'),))
    """
    for part in re.split(r"^# ", marked, flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        fields = [field.strip() for field in heading.split("|")]
        if len(fields) != 3 or fields[2] not in _KIND_NAMES:
            raise BrokenRecord(where=f"{where} {fields[0]}", expected="# id | department | kind")
        text, spans = parse_marks(body.strip(), where=f"{where} {fields[0]}")
        yield Note(fields[0], fields[1], fields[2], text, spans)


def parse_marks(marked: str, where: str) -> tuple[str, tuple[Span, ...]]:
    """Take the marks out of a text; return it with the spans they stood for.

    Raises:
        BrokenRecord: A brace or bar that belongs to no mark, or an unknown label or certainty.
    """
    text, position, spans = "", 0, list[Span]()
    for match in _MARK.finditer(marked):
        surface, label, certainty = match.group(1), match.group(2), match.group(3) or "present"
        text += marked[position : match.start()]
        spans.append(Span(len(text), len(text) + len(surface), label, certainty))
        text += surface
        position = match.end()
        if label not in LABELS or certainty not in CERTAINTIES or surface != surface.strip():
            place = f"{where} character {match.start()}"
            raise BrokenRecord(where=place, expected="{surface|label|certainty}")
    text += marked[position:]
    if any(sign in text for sign in "{|}"):
        raise BrokenRecord(where=where, found="{, | or }", expected="{surface|label|certainty}")
    return text, tuple(spans)


def load_notes(_: Sources) -> tuple[Item, ...]:
    """Return each note with its gold spans."""
    return tuple(
        Item(
            f"notes/{note.id}",
            "spans",
            note.text,
            gold_spans=note.spans,
            document=note.id,
            tag=note.kind,
            source=note.department,
        )
        for note in read_notes()
    )


def load_entities(_: Sources) -> tuple[Item, ...]:
    """Ask of each note what JMED-LLM asks: the diseases and symptoms that are present."""
    return tuple(
        Item(
            f"notes-entities/{note.id}",
            "entities",
            f"{ENTITY_QUESTIONS['d'].format(_KIND_NAMES[note.kind])}\n「{note.text}」",
            gold=gold,
            document=note.id,
            tag="d",
            source=note.department,
        )
        for note in read_notes()
        if (gold := _present_findings(note))
    )


def _present_findings(note: Note) -> tuple[str, ...]:
    found = (
        note.text[span.start : span.end]
        for span in note.spans
        if span.label in ("disease", "symptom") and span.certainty == "present"
    )
    return tuple(dict.fromkeys(found))


_SOURCE = "rinsho, hand-written notes (src/rinsho/demo/notes)"
DEMO_NOTES = (
    Benchmark(
        name="demo-notes",
        version=1,
        license="CC0-1.0",
        source=_SOURCE,
        form="spans",
        ja="手書きカルテ48件の固有表現（7種・確信度つき）",
        en="entities with certainty in 48 hand-written notes",
        needs="nothing",
        load=load_notes,
        known_errors="one annotator group; no agreement measured",
    ),
    Benchmark(
        name="demo-notes-entities",
        version=1,
        license="CC0-1.0",
        source=_SOURCE,
        form="entities",
        ja="手書きカルテの病変・症状リスト（JMED-LLM の形式）",
        en="findings of the hand-written notes as lists, in the form of JMED-LLM",
        needs="nothing",
        load=load_entities,
    ),
)
