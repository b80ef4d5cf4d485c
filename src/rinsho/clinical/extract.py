"""Find the mentions of a note, relate or judge them: by heads, a CRF, or dictionary and rules.

Offsets always point into the text as it was given, in Unicode code points.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from rinsho.clinical.notes import MAX_NOTE_CHARACTERS, Note, check_length
from rinsho.errors import ModelCannot
from rinsho.text.normalize import normalize, normalize_with_offsets
from rinsho.text.quantity_parts import find_quantities
from rinsho.text.spans import Relation, Span, relations_to_json

if TYPE_CHECKING:
    from rinsho.model.heads import Judgement, TextHeads
    from rinsho.model.relation_finder import RelationFinder

EngineKind = Literal["dictionary", "model"]


class Extractor(Protocol):
    """An engine that finds mentions."""

    @property
    def name(self) -> str:
        """Return the name that results carry: "dictionary", or that of the weights folder."""
        ...

    @property
    def kind(self) -> EngineKind:
        """Return whether a trained model works here, or dictionary and rules alone."""
        ...

    def spans(self, text: str) -> tuple[Span, ...]:
        """Return the mentions of an original text, in reading order."""
        ...

    def judgements(self, text: str) -> tuple[Judgement, ...]:
        """Return what a head says about an original text; nothing where it marks spans."""
        ...


class TextTagger(Protocol):
    """What finds mentions in normalized text: the dictionary, or a tagging head."""

    def spans(self, text: str) -> tuple[Span, ...]:
        """Return the mentions of a normalized text."""
        ...


class Engine:
    """An extractor around a tagger: normalizes first and maps the offsets back."""

    def __init__(self, tagger: TextTagger, name: str, kind: EngineKind) -> None:
        self._tagger = tagger
        self.name = name
        self.kind: EngineKind = kind

    def spans(self, text: str) -> tuple[Span, ...]:
        """Return the mentions of an original text, in reading order."""
        normalized = normalize_with_offsets(text)
        found = (
            Span(*normalized.to_original(span.start, span.end), span.label, span.certainty)
            for span in self._tagger.spans(normalized.text)
        )
        return tuple(sorted(found))

    def judgements(self, text: str) -> tuple[Judgement, ...]:
        """Return nothing."""
        return ()


class JudgingEngine:
    """An extractor around a head over texts: it judges, and marks nothing."""

    kind: EngineKind = "model"

    def __init__(self, heads: TextHeads, name: str) -> None:
        self._heads, self.name = heads, name

    def spans(self, text: str) -> tuple[Span, ...]:
        """Return nothing."""
        return ()

    def judgements(self, text: str) -> tuple[Judgement, ...]:
        """Return the answer to every task of the head."""
        return tuple(self._heads.judge([(normalize(text), None)])[0])


@dataclass(frozen=True, slots=True)
class Extraction:
    """The mentions of one note, and which engine found them."""

    note: Note
    spans: tuple[Span, ...]
    engine: str
    judgements: tuple[Judgement, ...] = ()
    relations: tuple[Relation, ...] | None = None  # None: nobody looked for them
    relation_engine: str = ""  # which weights found them


def load_extractor(weights: Path | None) -> Extractor:
    """Load a head, CRFs or a chat model held to quotes; the dictionary where no folder is given.

    Raises:
        PathMissing, NotFinished, Corrupt, WrongKind: As `manifest.open_folder`.
        ModelCannot: The folder holds no head, or one over pairs of texts or of mentions.
    """
    if weights is None:
        from rinsho.text.mentions import embedded_tagger

        return Engine(embedded_tagger(), "dictionary", "dictionary")
    from rinsho.model.head_record import form_of

    if (form := form_of(weights)) == "relation":
        expected = "`rinsho extract --relations`"
        raise ModelCannot(where=weights.name, found="a head over relations", expected=expected)
    if form == "pair":
        raise ModelCannot(where=weights.name, found="a head over pairs", expected="one over texts")
    if form == "pooled":
        from rinsho.model.heads import load_text_heads

        return JudgingEngine(load_text_heads(weights), weights.name)
    from rinsho.evaluation.engines import load_span_tagger

    return Engine(load_span_tagger(weights), weights.name, "model")


def extract(
    extractor: Extractor, text: str, max_characters: int = MAX_NOTE_CHARACTERS
) -> tuple[Span, ...]:
    """Return the mentions of one note; none for an empty one.

    Raises:
        TextTooLong: The note is over the limit.
    """
    check_length(text, "note", max_characters)
    return extractor.spans(text) if text.strip() else ()


def judge(extractor: Extractor, text: str) -> tuple[Judgement, ...]:
    """Return what a head says about one note; nothing about an empty one."""
    return extractor.judgements(text) if text.strip() else ()


def extract_notes(
    extractor: Extractor, notes: Iterable[Note], finder: RelationFinder | None = None
) -> Iterator[Extraction]:
    """Extract from each note, relations too where a finder is given.

    `notes.read_notes` reads notes from files.
    """
    for note in notes:
        spans = extractor.spans(note.text) if note.text.strip() else ()
        said = judge(extractor, note.text)
        relations = finder.relations(note.text, spans) if finder else None
        found_by = finder.name if finder else ""
        yield Extraction(note, spans, extractor.name, said, relations, found_by)


def span_to_json(span: Span, text: str) -> dict[str, Any]:
    """Return the JSON form of a span with the words that it covers."""
    fields = {"start": span.start, "end": span.end, "label": span.label}
    return {**fields, "certainty": span.certainty, "text": text[span.start : span.end]}


def spans_to_json(spans: Iterable[Span], text: str) -> list[dict[str, Any]]:
    """Return the JSON form of spans; drugs have their dosages, tests their results with parts."""
    spans = tuple(spans)
    quantities = find_quantities(text, spans)
    found: list[dict[str, Any]] = []
    for span in spans:
        own = [quantity.to_json(text) for quantity in quantities.get(span, ())]
        name = "dosages" if span.label == "drug" else "results"
        found.append({**span_to_json(span, text), **({name: own} if own else {})})
    return found


def to_json_line(extraction: Extraction, *, with_text: bool = False) -> str:
    """Return one line of the output: id, spans, engine, and the note's text where asked for."""
    note = extraction.note
    value: dict[str, Any] = {"id": note.id}
    if with_text:
        value["text"] = note.text
    value["spans"] = spans_to_json(extraction.spans, note.text)
    if extraction.relations is not None:
        value["relations"] = relations_to_json(extraction.relations, extraction.spans)
    if extraction.judgements:
        value["answers"] = [judgement.to_json() for judgement in extraction.judgements]
    value["engine"] = extraction.engine
    return json.dumps(value, ensure_ascii=False)
