"""Replace identifiers in notes by placeholders or surrogates, and say what was replaced where.

By rules and a small network, and by a model where one is passed in. What no detector sees stays: a
person has to read the result, which is not claimed to be anonymous.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rinsho.clinical.notes import Note
from rinsho.text.detectors import Detector, RuleDetector, find_with
from rinsho.text.identifiers import IDENTIFIER_KINDS, PLACEHOLDERS, IdentifierKind
from rinsho.text.learned_identifiers import RulesAndNetwork
from rinsho.text.normalize import Normalized, normalize, normalize_with_offsets
from rinsho.text.surrogate_dates import WEEKDAY_AFTER, weekday
from rinsho.text.surrogates import Surrogates
from rinsho.text.unusual import RARE_DISEASES, find_unusual

OutputForm = Literal["placeholders", "surrogates", "spans"]


@dataclass(frozen=True, slots=True)
class Replaced:
    """One identifier: its place in the original, and the place of what stands for it now."""

    kind: IdentifierKind
    start: int
    end: int
    placeholder_start: int
    placeholder_end: int


@dataclass(frozen=True, slots=True)
class Flagged:
    """A passage of the original that may tell who somebody is: a person has to look at it."""

    start: int
    end: int
    reason: str


@dataclass(frozen=True, slots=True)
class Deidentified:
    """A text without its identifiers; everything else is as it was, width and line ends too."""

    id: str
    text: str
    replacements: tuple[Replaced, ...]
    flags: tuple[Flagged, ...] = ()

    @property
    def counts(self) -> Mapping[str, int]:
        """How many identifiers of each kind were replaced."""
        return count_kinds(self.replacements)


@dataclass(frozen=True, slots=True)
class Replacing:
    """What is replaced and by what.

    Attributes:
        form: `spans` leaves the text as it is and says only where identifiers are.
        kinds: Kinds that are looked for.
        key: Of surrogates; 32 random bytes.
        detectors: Besides the rules and the network.
        rules_only: Look with the rules alone: fewer false finds, and unforeseen forms stay.
        rare_diseases: Names that are flagged.
    """

    form: OutputForm = "placeholders"
    kinds: Collection[IdentifierKind] = IDENTIFIER_KINDS
    key: bytes = b""
    detectors: Sequence[Detector] = ()
    rules_only: bool = False
    rare_diseases: Collection[str] = RARE_DISEASES


def count_kinds(replacements: Iterable[Replaced]) -> dict[str, int]:
    """Return how many identifiers there are of each kind, kinds in alphabetical order."""
    return dict(sorted(Counter(one.kind for one in replacements).items()))


def deidentify(note: Note, replacing: Replacing | None = None) -> Deidentified:
    """Put a placeholder or a surrogate in the place of every identifier of an original text.

    Notes of one group share surrogates; a note without a group is its own.

    >>> deidentify(Note("1", "連絡先：０９０－１２３４－５６７８ まで")).text
    '連絡先：[電話番号] まで'
    """
    replacing = replacing or Replacing()
    normalized = normalize_with_offsets(note.text)
    surrogates = Surrogates(replacing.key, note.group or f"note {note.id}")
    pieces: list[str] = []
    replacements: list[Replaced] = []
    done = n_written = 0
    for kind, start, end in _spans(normalized, replacing):
        value, end = _value(note.text, kind, start, end, surrogates, replacing.form)
        kept = note.text[done:start]
        place = n_written + len(kept)
        n_written = place + len(value)
        pieces += (kept, value)
        replacements.append(Replaced(kind, start, end, place, n_written))
        done = end
    text = "".join((*pieces, note.text[done:]))
    return Deidentified(note.id, text, tuple(replacements), _flags(normalized, replacing))


def _spans(
    normalized: Normalized, replacing: Replacing
) -> Iterator[tuple[IdentifierKind, int, int]]:
    """Yield kind, start and end in the original."""
    own = (RuleDetector if replacing.rules_only else RulesAndNetwork)(replacing.kinds)
    found = find_with(normalized.text, [own, *replacing.detectors])
    for one in found:
        yield one.kind, *normalized.to_original(one.start, one.end)


def _value(
    text: str, kind: IdentifierKind, start: int, end: int, surrogates: Surrogates, form: OutputForm
) -> tuple[str, int]:
    """Return what stands for an identifier, and where it ends: a date takes its weekday along."""
    if form == "spans":
        return text[start:end], end
    if form == "placeholders":
        return PLACEHOLDERS[kind], end
    written = normalize(text[start:end])
    value = surrogates.of(kind, written)
    after = WEEKDAY_AFTER.match(text, end) if kind in ("date", "birth_date") else None
    day = weekday(written, surrogates.shift_days) if after else None
    if after is None or day is None:
        return value, end
    return (
        f"{value}{text[end : after.start(1)]}{day}{text[after.end(1) : after.end()]}",
        after.end(),
    )


def _flags(normalized: Normalized, replacing: Replacing) -> tuple[Flagged, ...]:
    unusual = find_unusual(normalized.text, replacing.rare_diseases)
    return tuple(Flagged(*normalized.to_original(u.start, u.end), u.reason) for u in unusual)


def deidentify_notes(
    notes: Iterable[Note], replacing: Replacing | None = None
) -> Iterator[Deidentified]:
    """De-identify each note; `notes.read_notes` reads them from files."""
    return (deidentify(note, replacing) for note in notes)


def to_json(result: Deidentified) -> dict[str, Any]:
    """Return the JSON form: offsets in code points of both texts, never the identifier itself."""
    fields: dict[str, Any] = {"id": result.id, "text": result.text}
    fields["replacements"] = [asdict(one) for one in result.replacements]
    fields["flags"] = [asdict(one) for one in result.flags]
    return {**fields, "counts": dict(result.counts)}


def to_json_line(result: Deidentified) -> str:
    """Return one line of the output."""
    return json.dumps(to_json(result), ensure_ascii=False)
