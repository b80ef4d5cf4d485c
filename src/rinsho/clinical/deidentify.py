"""Replace structured identifiers in notes by typed placeholders, and say what was replaced where.

By rules alone: mail, phone, postal code and address, birth date, record number, names beside a cue.
What no rule sees stays: a person has to read the result, which is not claimed to be anonymous.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rinsho.clinical.notes import Note
from rinsho.text.identifiers import PLACEHOLDERS, IdentifierKind, find_identifiers
from rinsho.text.normalize import normalize_with_offsets


@dataclass(frozen=True, slots=True)
class Replaced:
    """One identifier: its place in the original, and the place of its placeholder now."""

    kind: IdentifierKind
    start: int
    end: int
    placeholder_start: int
    placeholder_end: int


@dataclass(frozen=True, slots=True)
class Deidentified:
    """A text with placeholders; everything else is as it was, width and line ends too."""

    id: str
    text: str
    replacements: tuple[Replaced, ...]

    @property
    def counts(self) -> Mapping[str, int]:
        """How many identifiers of each kind were replaced."""
        return count_kinds(self.replacements)


def count_kinds(replacements: Iterable[Replaced]) -> dict[str, int]:
    """Return how many identifiers there are of each kind, kinds in alphabetical order."""
    return dict(sorted(Counter(one.kind for one in replacements).items()))


def deidentify(note: Note) -> Deidentified:
    """Put a placeholder in the place of every identifier of an original text.

    >>> deidentify(Note("1", "連絡先：０９０－１２３４－５６７８ まで")).text
    '連絡先：[電話番号] まで'
    """
    normalized = normalize_with_offsets(note.text)
    pieces: list[str] = []
    replacements: list[Replaced] = []
    done = n_written = 0
    for identifier in find_identifiers(normalized.text):
        start, end = normalized.to_original(identifier.start, identifier.end)
        kept, placeholder = note.text[done:start], PLACEHOLDERS[identifier.kind]
        place = n_written + len(kept)
        n_written = place + len(placeholder)
        pieces += (kept, placeholder)
        replacements.append(Replaced(identifier.kind, start, end, place, n_written))
        done = end
    return Deidentified(note.id, "".join((*pieces, note.text[done:])), tuple(replacements))


def deidentify_notes(notes: Iterable[Note]) -> Iterator[Deidentified]:
    """De-identify each note; `notes.read_notes` reads them from files."""
    return map(deidentify, notes)


def to_json(result: Deidentified) -> dict[str, Any]:
    """Return the JSON form: offsets in code points of both texts, never the identifier itself."""
    replacements = [asdict(one) for one in result.replacements]
    fields: dict[str, Any] = {"id": result.id, "text": result.text}
    return {**fields, "replacements": replacements, "counts": dict(result.counts)}


def to_json_line(result: Deidentified) -> str:
    """Return one line of the output."""
    return json.dumps(to_json(result), ensure_ascii=False)
