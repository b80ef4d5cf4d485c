"""Corrected notes as training data: a share of them is held out, by patient, for `compare`.

Which side a patient is on depends on the patient alone: corrections of next month fall on the same
sides, so no note that an earlier model learned from is ever asked of a later one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from rinsho.clinical.annotations import AnnotatedNote
from rinsho.errors import NothingToLearn
from rinsho.text.normalize import normalize

_BENCHMARK = """form = "{form}"
file = {file}
license = "private"
source = "corrections"

[columns]
answer = "spans"
document = "group"
"""


def hold_out(notes: Iterable[AnnotatedNote], share: float) -> tuple[AnnotatedNote, ...]:
    """Return corrected notes, each once, those of some patients as the test split.

    Args:
        notes: In the order of the corrections: a later one of the same text replaces an earlier
            one; widths, spaces and line ends make no other text.
        share: Of the patients (`group`), or of the notes that name none; 0 to 1, by a hash.

    Raises:
        NothingToLearn: No note is left on one of the two sides.
    """
    latest: dict[str, AnnotatedNote] = {}
    for one in notes:
        key = _letters(one.note.text)
        latest.pop(key, None)
        latest[key] = one
    found = _with_own_ids(
        dataclasses.replace(
            one, split="test" if _is_held_out(one.note.group or key, share) else None
        )
        for key, one in latest.items()
    )
    n_held_out = count_held_out(found)
    if not 0 < n_held_out < len(found):
        said = f"{len(found) - n_held_out} notes to learn from, {n_held_out} held out"
        raise NothingToLearn(where="--held-out", expected="--held-out, more notes", found=said)
    return found


def count_held_out(notes: Sequence[AnnotatedNote]) -> int:
    """Return how many notes are of the test split."""
    return sum(one.split == "test" for one in notes)


def write_benchmark(corrected: Path, form: Literal["spans", "relations"] = "spans") -> Path:
    """Describe the held-out notes beside their file: `own/NAME` for `compare`, with --data.

    Their relations are `own/NAME-relations`: each text with its mentions given. A description that
    is there is left as it is: people write the license and the source into it.
    """
    path = corrected.with_suffix(".toml")
    if form == "relations":
        path = path.with_stem(f"{path.stem}-relations")
    if not path.exists():
        file = json.dumps(corrected.name, ensure_ascii=False)
        path.write_text(_BENCHMARK.format(form=form, file=file), encoding="utf-8")
    return path


def _letters(text: str) -> str:
    return "".join(normalize(text).split())


def _is_held_out(group: str, share: float) -> bool:
    digest = hashlib.sha256(f"held-out:{group}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < share


def _with_own_ids(notes: Iterable[AnnotatedNote]) -> tuple[AnnotatedNote, ...]:
    """Give notes of files that number theirs alike an id of their own."""
    listed = tuple(notes)
    n_of_id = Counter(one.note.id for one in listed)
    return tuple(
        one
        if n_of_id[one.note.id] == 1
        else dataclasses.replace(one, note=dataclasses.replace(one.note, id=f"note-{number}"))
        for number, one in enumerate(listed, start=1)
    )
