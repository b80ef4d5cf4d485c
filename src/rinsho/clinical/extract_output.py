"""Extractions as files of other tools; what was there is kept until the new file is whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, get_args

from rinsho.clinical.annotations import AnnotatedNote, AnnotationForm, write_annotations
from rinsho.clinical.code_output import open_index
from rinsho.clinical.extract import Extraction
from rinsho.clinical.fhir import to_json_line
from rinsho.errors import OutputOccupied

OutputForm = Literal["jsonl", "brat", "conll", "doccano", "csv", "fhir"]
OUTPUT_FORMS: tuple[OutputForm, ...] = get_args(OutputForm)


def write_extractions(
    found: Iterable[Extraction],
    form: OutputForm,
    out: Path,
    data: Path | None = None,
    *,
    has_relations: bool = False,
) -> int:
    """Write the mentions of notes in a format; return how many notes.

    Args:
        found: Notes and their mentions.
        form: "fhir" writes one bundle a line, with codes where lists agree on the very name.
        out: A file, or a folder for brat; mode 0600 or 0700.
        data: Whose lists give codes beside the embedded ones.
        has_relations: Whether relations were looked for: CSV then has a column for them.

    Raises:
        OutputOccupied: A folder for brat that holds something, or a path of the other kind.
    """
    if form == "fhir":
        index = open_index(data)

        def write(path: Path) -> int:
            with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
                return sum(bool(file.write(to_json_line(one, index) + "\n")) for one in found)

        return _whole(out, write)
    notes = (AnnotatedNote(one.note, one.spans, relations=one.relations) for one in found)
    return write_notes(notes, form, out, has_relations=has_relations)


def write_notes(
    notes: Iterable[AnnotatedNote], form: AnnotationForm, out: Path, *, has_relations: bool = False
) -> int:
    """Write annotated notes; return how many. Errors as in `write_extractions`."""
    if form != "brat":
        return _whole(
            out, lambda path: write_annotations(notes, form, path, has_relations=has_relations)
        )
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise OutputOccupied(where=out, found="--as brat → --out DIR")
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    return write_annotations(notes, form, out)


def _whole(out: Path, write: Callable[[Path], int]) -> int:
    """Write beside the file and put it in its place once it is whole."""
    if out.is_dir():
        raise OutputOccupied(where=out, found="--out FILE")
    beside = out.with_name(f"{out.name}.part")
    beside.touch(mode=0o600)
    try:
        n_notes = write(beside)
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)
    return n_notes
