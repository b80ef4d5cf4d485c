"""Find the mentions of a note: by a tagging model, or by dictionary and rules without any model.

Offsets always point into the text as it was given, in Unicode code points.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from rinsho.clinical.notes import MAX_NOTE_CHARACTERS, Note, check_length
from rinsho.text.normalize import normalize_with_offsets
from rinsho.text.spans import Span

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


@dataclass(frozen=True, slots=True)
class Extraction:
    """The mentions of one note, and which engine found them."""

    note: Note
    spans: tuple[Span, ...]
    engine: str


def load_extractor(weights: Path | None) -> Extractor:
    """Load a tagging model, or the dictionary where no weights folder is given.

    Raises:
        PathMissing, NotFinished, Corrupt, WrongKind: As `manifest.open_folder`.
        ModelCannot: The folder holds no tagging head.
    """
    if weights is None:
        from rinsho.text.lexicon import read_demo_lexicon
        from rinsho.text.mentions import DictionaryTagger

        return Engine(DictionaryTagger(read_demo_lexicon()), "dictionary", "dictionary")
    from rinsho.model.tagger import load_tagger

    return Engine(load_tagger(weights), weights.name, "model")


def extract(
    extractor: Extractor, text: str, max_characters: int = MAX_NOTE_CHARACTERS
) -> tuple[Span, ...]:
    """Return the mentions of one note; none for an empty one.

    Raises:
        TextTooLong: The note is over the limit.
    """
    check_length(text, "note", max_characters)
    return extractor.spans(text) if text.strip() else ()


def extract_notes(extractor: Extractor, notes: Iterable[Note]) -> Iterator[Extraction]:
    """Extract from each note; `notes.read_notes` reads them from files."""
    for note in notes:
        spans = extractor.spans(note.text) if note.text.strip() else ()
        yield Extraction(note, spans, extractor.name)


def span_to_json(span: Span, text: str) -> dict[str, Any]:
    """Return the JSON form of a span with the words that it covers."""
    fields = {"start": span.start, "end": span.end, "label": span.label}
    return {**fields, "certainty": span.certainty, "text": text[span.start : span.end]}


def to_json_line(extraction: Extraction, *, with_text: bool = False) -> str:
    """Return one line of the output: id, spans, engine, and the note's text where asked for."""
    note = extraction.note
    value: dict[str, Any] = {"id": note.id}
    if with_text:
        value["text"] = note.text
    value["spans"] = [span_to_json(span, note.text) for span in extraction.spans]
    value["engine"] = extraction.engine
    return json.dumps(value, ensure_ascii=False)
