"""What `codes` prints: a line for each note, or for each term."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rinsho.clinical.code_lists import Kind, data_names, embedded_names, master_names
from rinsho.clinical.codes import CodeIndex, Coding, code_spans, coding_to_json
from rinsho.clinical.extract import Extraction, span_to_json
from rinsho.errors import PathMissing


def open_index(data: Path | None, masters: Sequence[Path] = ()) -> CodeIndex:
    """Read the embedded names, the lists of a data folder and the user's masters.

    Raises:
        PathMissing: There is no such data folder.
        PathMissing, NotText, InvalidValue, BrokenRecord: As `code_lists.master_names`.
    """
    if data and not data.is_dir():
        raise PathMissing(where="--data / RINSHO_DATA")
    names = [*embedded_names(), *(data_names(data) if data else ())]
    for master in masters:
        names += master_names(master)
    return CodeIndex(names)


def term_line(index: CodeIndex, term: str, kind: Kind, n_candidates: int) -> str:
    """Return one line about one term."""
    codings = index.look_up(term, kind, n_candidates=n_candidates)
    return json.dumps({"term": term, "kind": kind, "codes": _to_json(codings)}, ensure_ascii=False)


def text_line(index: CodeIndex, extraction: Extraction, n_candidates: int) -> str:
    """Return one line about a note: its mentions with offsets, certainty and codes."""
    note = extraction.note
    mentions = [
        {**span_to_json(span, note.text), "codes": _to_json(codings)}
        for span, codings in code_spans(index, note.text, extraction.spans, n_candidates)
    ]
    value = {"id": note.id, "mentions": mentions, "engine": extraction.engine}
    return json.dumps(value, ensure_ascii=False)


def _to_json(codings: Sequence[Coding]) -> list[dict[str, Any]]:
    return [coding_to_json(coding) for coding in codings]
