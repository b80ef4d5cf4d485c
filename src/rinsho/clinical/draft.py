"""A discharge summary or a referral letter from a patient's notes: each line says whence it is.

Without a model the draft is made of the notes' own lines, sorted into sections. A model writes the
course alone, from those lines; what they do not support is marked. Nothing is concluded: no
diagnosis, treatment or dose that no note has.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from rinsho.clinical.code_names import compared_form
from rinsho.clinical.extract import Extractor
from rinsho.clinical.notes import Note
from rinsho.clinical.support import Reason, check_support
from rinsho.corpus.document import Message
from rinsho.errors import NothingToRead
from rinsho.generation.language_model import LanguageModel, Sampling
from rinsho.generation.reply import reply
from rinsho.text.spans import Span

DraftForm = Literal["discharge-summary", "referral-letter"]
DRAFT_FORMS: tuple[DraftForm, ...] = get_args(DraftForm)
TITLES: dict[DraftForm, str] = {
    "discharge-summary": "退院サマリ（下書き）",
    "referral-letter": "診療情報提供書（下書き）",
}
NOTICE_JA = "この下書きは記録の抜き書きです。専門職が原文と照合し、確認してください。"
NOTICE_EN = "a draft made of the notes' lines; a professional must check it against them"
WHY: dict[Reason, str] = {"number": "数値", "term": "用語", "certainty": "有無"}
_COURSE = "次の記録だけをもとに、経過を時系列で簡潔に書いてください。記録にないことは書きません。"
_COURSE_TOKENS = 400
_HISTORY = re.compile(r"既往|家族歴|アレルギー|喫煙|飲酒|職業|生活歴")
_COMPLAINT = re.compile(r"主訴|訴え")
_REASON = re.compile(r"紹介目的|ご?紹介|依頼|ご?高診")
_PLAN = re.compile(r"退院後|外来|再診|予約|フォロー|予定|方針|指導")


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """A line of a note, both counted from 1."""

    note: int
    line: int


@dataclass(frozen=True, slots=True)
class DraftLine:
    """A line of the draft.

    Attributes:
        sources: Where it is from; of what a model wrote, the lines that it was given.
        unsupported: What of it no source says.
    """

    text: str
    sources: tuple[Source, ...]
    unsupported: tuple[tuple[Reason, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part; without lines where the notes say nothing."""

    title: str
    lines: tuple[DraftLine, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """The draft of one patient's notes."""

    form: DraftForm
    sections: tuple[Section, ...]
    engine: str

    def to_text(self) -> str:
        """Return the draft as a person reads it, with `[note:line]` behind every line."""
        rows = [TITLES[self.form], f"※ {NOTICE_JA}"]
        for section in self.sections:
            rows += ["", f"【{section.title}】"]
            rows += [_shown(line) for line in section.lines] or ["（記録に記載なし）"]
        return "\n".join(rows) + "\n"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        sections = [
            {
                "title": section.title,
                "lines": [
                    {
                        "text": line.text,
                        "sources": [[source.note, source.line] for source in line.sources],
                        "unsupported": [list(why) for why in line.unsupported],
                    }
                    for line in section.lines
                ],
            }
            for section in self.sections
        ]
        notice = {"ja": NOTICE_JA, "en": NOTICE_EN}
        return {"form": self.form, "sections": sections, "engine": self.engine, "notice": notice}


def _shown(line: DraftLine) -> str:
    places = "".join(f"[{source.note}:{source.line}]" for source in line.sources)
    why = "、".join(f"{WHY[reason]} {words}" for reason, words in line.unsupported)
    return f"・{line.text} {places}" + (f"【要確認: {why}】" if why else "")


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a note with its mentions, in code points of the line."""

    source: Source
    text: str
    spans: tuple[Span, ...]

    def words(self, span: Span) -> str:
        return self.text[span.start : span.end]

    def has(self, *labels: str) -> bool:
        return any(span.label in labels for span in self.spans)

    @property
    def is_history(self) -> bool:
        has_history = any(span.certainty in ("family", "past") for span in self.spans)
        return has_history or bool(_HISTORY.search(self.text))


def draft(
    notes: Sequence[Note], form: DraftForm, extractor: Extractor, model: LanguageModel | None = None
) -> Draft:
    """Draft a letter from the notes of one patient, in their order.

    Raises:
        NothingToRead: No note has a text.
        SequenceTooLong: The lines of the course do not fit the model's context.
    """
    *_, made = draft_steps(notes, form, extractor, model)
    assert isinstance(made, Draft)
    return made


def draft_steps(
    notes: Sequence[Note], form: DraftForm, extractor: Extractor, model: LanguageModel | None = None
) -> Iterator[Draft | None]:
    """Do the same a step at a time: None while the model works, the draft last."""
    lines = [
        line for number, note in enumerate(notes, 1) for line in _lines(number, note, extractor)
    ]
    if not lines:
        raise NothingToRead(where="notes", expected=".txt, .jsonl, .csv")
    course = _course(lines)
    written: tuple[DraftLine, ...] = _quoted(course)
    if model is not None and course:
        pieces: list[str] = []
        asked = "\n".join(line.text for line in course)
        messages = [Message("user", f"{_COURSE}\n\n{asked}")]
        steps = reply(model, messages, Sampling(max_new_tokens=_COURSE_TOKENS))
        with contextlib.closing(steps):  # who leaves gives the model's row back at once
            for piece in steps:
                pieces.append(piece.text)
                yield None
        written = _checked("".join(pieces), course)
    engine = extractor.name if model is None else f"{extractor.name}, {model.name}"
    yield Draft(form, tuple(_sections(form, lines, written)), engine)


def _lines(number: int, note: Note, extractor: Extractor) -> Iterator[_Line]:
    spans = extractor.spans(note.text)
    start = 0
    for n, raw in enumerate(note.text.split("\n"), start=1):
        text = raw.strip()
        if text:
            first = start + raw.index(text)
            own = (
                Span(s.start - first, s.end - first, s.label, s.certainty)
                for s in spans
                if s.start >= first and s.end <= first + len(text)
            )
            yield _Line(Source(number, n), text, tuple(own))
        start += len(raw) + 1


def _sections(
    form: DraftForm, lines: Sequence[_Line], course: tuple[DraftLine, ...]
) -> Iterator[Section]:
    if form == "referral-letter":
        yield Section("紹介目的", _quoted([line for line in lines if _REASON.search(line.text)]))
    yield Section("診断名・所見", tuple(_diagnoses(lines)))
    yield Section("主訴", _quoted([line for line in lines if _COMPLAINT.search(line.text)]))
    yield Section("既往歴・アレルギー等", _quoted([line for line in lines if line.is_history]))
    yield Section("経過", course)
    yield Section("検査所見", tuple(_results(lines)))
    title = "退院時処方" if form == "discharge-summary" else "現在の処方"
    yield Section(title, tuple(_drugs(lines)))
    if form == "discharge-summary":
        last = [line for line in lines if line.source.note == lines[-1].source.note]
        yield Section("退院後の方針", _quoted([line for line in last if _PLAN.search(line.text)]))


def _quoted(lines: Sequence[_Line]) -> tuple[DraftLine, ...]:
    return tuple(DraftLine(line.text, (line.source,)) for line in lines)


def _course(lines: Sequence[_Line]) -> list[_Line]:
    """Return the lines that tell what happened: mentions, and no list of the past."""
    return [
        line
        for line in lines
        if line.has("disease", "symptom", "drug", "value")
        and not line.is_history
        and not _COMPLAINT.search(line.text)
    ]


def _checked(text: str, course: Sequence[_Line]) -> tuple[DraftLine, ...]:
    sources = tuple(line.source for line in course)
    return tuple(
        DraftLine(one.text, sources, one.unsupported)
        for one in check_support(text, [line.text for line in course])
    )


def _diagnoses(lines: Sequence[_Line]) -> Iterator[DraftLine]:
    """Yield each disease that a note states or suspects, outside the lines of the past."""
    found: dict[tuple[str, str], list[Source]] = {}
    for line in lines:
        for span in line.spans if not line.is_history else ():
            if span.label == "disease" and span.certainty != "negated":
                found.setdefault((line.words(span), span.certainty), []).append(line.source)
    stated = {words for words, certainty in found if certainty == "present"}
    for (words, certainty), sources in found.items():
        if certainty == "present" or words not in stated:
            doubt = "の疑い" if certainty == "suspected" else ""
            yield DraftLine(f"{words}{doubt}", tuple(dict.fromkeys(sources)))


def _results(lines: Sequence[_Line]) -> Iterator[DraftLine]:
    """Yield each test with its values in the order of the notes."""
    found: dict[str, list[tuple[str, str, Source]]] = {}
    for line in lines:
        tests = [span for span in line.spans if span.label in ("test", "value")]
        for test, value in itertools.pairwise(tests):
            if test.label == "test" and value.label == "value":
                name = line.words(test)
                row = (name, line.words(value), line.source)
                found.setdefault(compared_form(name), []).append(row)
    for rows in found.values():
        shown = " → ".join(dict.fromkeys(value for _, value, _ in rows))
        yield DraftLine(f"{rows[0][0]} {shown}", tuple(dict.fromkeys(row[2] for row in rows)))


def _drugs(lines: Sequence[_Line]) -> Iterator[DraftLine]:
    """Yield the drugs of the last note that has one, with what is written beside them."""
    with_drugs = [line for line in lines if line.has("drug")]
    for line in with_drugs:
        if line.source.note == with_drugs[-1].source.note:
            yield DraftLine(line.text, (line.source,))
