"""A tagger of character CRFs: one for each task, in a folder without pickle; needs no torch.

A CRF of characters sees three to each side: enough for where a mention stands and what it is, not
for a cue at the end of the clause. So it marks labels, and the rules of `text.certainty` and
`text.history` judge.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rinsho.errors import WeightsMismatch
from rinsho.manifest import open_folder
from rinsho.model.character_crf import read_character_crf
from rinsho.model.tags import blocks
from rinsho.model.windows import Window, join_spans
from rinsho.text.certainty import judge_certainty
from rinsho.text.history import judge_history
from rinsho.text.quantities import without_overlaps
from rinsho.text.spans import Span, sort_spans
from rinsho.wanted import while_wanted

CRF_RECORD = "crf.json"
_BLOCK = 4_096  # characters that a window answers for, at most
_AROUND = 64  # characters that it sees beyond each end: longer than nearly every mention
TagCharacters = Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class CrfTagger:
    """What marks spans by the tags of characters: `B-drug` at a start, `I-drug` in it, `O`."""

    tasks: tuple[str, ...]
    taggers: Mapping[str, TagCharacters]

    def spans(self, text: str) -> tuple[Span, ...]:
        """Return the spans of a text of any length, those of all tasks together."""
        found = self.spans_by_task([text])[0].values()
        return sort_spans(span for spans in found for span in spans)

    def spans_by_task(self, texts: Sequence[str]) -> list[dict[str, tuple[Span, ...]]]:
        """Return the spans of each text by task, in reading order."""
        return [
            {task: tuple(_spans(tag, text)) for task, tag in self.taggers.items()} for text in texts
        ]


def _spans(tag: TagCharacters, text: str) -> list[Span]:
    wanted = while_wanted(character_windows(text))
    windows = [(window, _mark(tag, text, window)) for window in wanted]
    return judge_history(text, judge_certainty(text, join_spans(windows)))


def _mark(tag: TagCharacters, text: str, window: Window) -> list[Span]:
    start, end = window.offsets[0][0], window.offsets[-1][1]
    return [
        Span(start + span.start, start + span.end, span.label)
        for span in spans_of_tags(tag(text[start:end]))
    ]


def character_windows(text: str) -> list[Window]:
    """Return windows that overlap; their cores are blocks of whole lines or sentences."""
    found: list[Window] = []
    for start, end in blocks(text, _BLOCK):
        left, right = max(0, start - _AROUND), min(len(text), end + _AROUND)
        borders = ((left, left + 1), (right - 1, right))
        found.append(Window((), borders, (start, end)))
    return found


def tags_of_spans(length: int, spans: Iterable[Span]) -> tuple[list[str], int]:
    """Return a tag for each character, and how many spans overlap another and have none.

    >>> tags_of_spans(4, [Span(1, 3, "drug")])
    (['O', 'B-drug', 'I-drug', 'O'], 0)
    """
    given = list(spans)
    kept = without_overlaps(given)
    tags = ["O"] * length
    for span in kept:
        inside = [f"I-{span.label}"] * (span.end - span.start - 1)
        tags[span.start : span.end] = [f"B-{span.label}", *inside]
    return tags, len(given) - len(kept)


def spans_of_tags(tags: Sequence[str]) -> list[Span]:
    """Return the spans of tags; an I without a span of its label before it starts one.

    >>> [(s.start, s.end, s.label) for s in spans_of_tags(["B-drug", "I-drug", "I-dose", "O"])]
    [(0, 2, 'drug'), (2, 3, 'dose')]
    """
    found: list[Span] = []
    for place, tag in enumerate(tags):
        kind, _, label = tag.partition("-")
        if kind == "I" and found and (found[-1].end, found[-1].label) == (place, label):
            found[-1] = Span(found[-1].start, place + 1, label)
        elif kind != "O":
            found.append(Span(place, place + 1, label))
    return found


def is_crf(folder: Path) -> bool:
    """Say whether a folder holds character CRFs; checks nothing."""
    return (folder / CRF_RECORD).is_file()


def write_record(folder: Path, tasks: Sequence[str]) -> list[Path]:
    """Write which tasks there are; return the file that the CRF of each has to be written to."""
    names = [f"task-{number}.crfsuite" for number in range(len(tasks))]
    rows = [{"name": task, "file": name} for task, name in zip(tasks, names, strict=True)]
    text = json.dumps({"form": "character-crf", "tasks": rows}, ensure_ascii=False, indent=1)
    (folder / CRF_RECORD).write_text(text + "\n", encoding="utf-8")
    return [folder / name for name in names]


def load_crf_tagger(folder: Path) -> CrfTagger:
    """Check a folder of `train-crf`, every byte, and load it.

    Raises:
        PathMissing, NotFinished, Corrupt, WrongKind: As `manifest.open_folder`.
        WeightsMismatch: A file of another form.
        MissingDependency: python-crfsuite is not installed.
    """
    open_folder(folder, "train-crf")
    return load_tasks(folder)


def load_tasks(folder: Path) -> CrfTagger:
    """Load CRFs without checking their folder; it may be one that is being written.

    Raises:
        WeightsMismatch, MissingDependency: As `load_crf_tagger`.
    """
    try:
        rows = json.loads((folder / CRF_RECORD).read_bytes())["tasks"]
        names = {str(row["name"]): Path(row["file"]).name for row in rows}
        taggers = {task: read_character_crf(folder / name) for task, name in names.items()}
    except (OSError, ValueError, KeyError, TypeError):
        where = f"{folder.name}/{CRF_RECORD}"
        raise WeightsMismatch(where=where, expected="CRFs", found="other bytes") from None
    return CrfTagger(tuple(taggers), taggers)
