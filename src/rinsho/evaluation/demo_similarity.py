"""Pairs of clinical sentences on six levels, made from the hand-written notes by counted edits.

The gold level is how the second sentence was made, not a human judgement:

    A  5  the same sentence in other widths (digits and ASCII letters full-width)
    B  4  one number of one value or dose replaced by another number
    C  3  one term (disease, symptom, drug, test or body part) replaced by another of its label
    D  2  every term and every value or dose replaced
    E  1  another sentence of the same note
    F  0  a sentence of another department that shares no term

The order of the levels is what a kappa with linear weights asks for; nothing more is claimed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from rinsho.evaluation.benchmark import LETTERS, Benchmark, Item, Sources
from rinsho.evaluation.demo_notes import Note, read_notes

_CHOICES = (
    "5: 同じ意味（表記だけが異なる）",
    "4: ほぼ同じ（数値がひとつ異なる）",
    "3: だいたい似ている（用語がひとつ異なる）",
    "2: 形は似ているが、用語と数値がすべて異なる",
    "1: 同じ患者の別の文",
    "0: まったく別の文",
)
_TERMS = ("disease", "symptom", "drug", "test", "body_part")
_AMOUNTS = ("value", "dose")
_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


@dataclass(frozen=True, slots=True)
class _Part:
    """A marked term or amount of a sentence, in the sentence's own offsets."""

    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True)
class _Sentence:
    note: str
    department: str
    text: str
    parts: tuple[_Part, ...]

    def surfaces(self) -> set[str]:
        return {self.text[part.start : part.end] for part in self.parts if part.label in _TERMS}


def load_similarity(_: Sources) -> tuple[Item, ...]:
    """Return one pair for each sentence with two terms and an amount; levels follow in turn."""
    sentences = [sentence for note in read_notes() for sentence in _sentences(note)]
    bases = [sentence for sentence in sentences if _is_base(sentence)]
    makers = (_other_width, _other_number, _other_term, _other_everything, _same_note, _unrelated)
    items: list[Item] = []
    for base in bases:
        level = len(items) % len(makers)
        second = makers[level](base, sentences)
        if second is not None:
            items.append(_to_item(len(items) + 1, base, second, LETTERS[level]))
    return tuple(items)


def _to_item(number: int, base: _Sentence, second: str, letter: str) -> Item:
    question = f"以下の2つの文の意味の類似度は？\nS1: {base.text}\nS2: {second}"
    return Item(
        f"demo-similarity/{number}",
        "similarity",
        question,
        _CHOICES,
        (letter,),
        document=base.note,
        source=base.department,
    )


def _sentences(note: Note) -> list[_Sentence]:
    found: list[_Sentence] = []
    for match in re.finditer(r"[^。\n]+", note.text):
        start, end = match.span()
        start += len(match.group()) - len(match.group().lstrip())
        parts = tuple(
            _Part(span.start - start, span.end - start, span.label)
            for span in note.spans
            if start <= span.start and span.end <= end
        )
        text = note.text[start:end].rstrip()
        found.append(_Sentence(note.id, note.department, text, parts))
    return found


def _is_base(sentence: _Sentence) -> bool:
    n_terms = sum(part.label in _TERMS for part in sentence.parts)
    has_number = any(_number_in(sentence, part) for part in sentence.parts)
    return n_terms >= 2 and has_number and len(sentence.text) <= 120


def _number_in(sentence: _Sentence, part: _Part) -> bool:
    surface = sentence.text[part.start : part.end]
    return part.label in _AMOUNTS and bool(re.search(r"[0-9]", surface))


def _other_width(base: _Sentence, _: list[_Sentence]) -> str | None:
    return base.text.translate(_FULL_WIDTH)


def _other_number(base: _Sentence, _: list[_Sentence]) -> str | None:
    part = next(part for part in base.parts if _number_in(base, part))
    changed = re.sub(r"[0-9]", _next_digit, base.text[part.start : part.end], count=1)
    return base.text[: part.start] + changed + base.text[part.end :]


def _next_digit(match: re.Match[str]) -> str:
    digit = int(match.group())
    return str(digit % 9 + 1)  # never 0: no number may begin with it


def _other_term(base: _Sentence, sentences: list[_Sentence]) -> str | None:
    part = next(part for part in base.parts if part.label in _TERMS)
    return _replace(base, sentences, lambda one: one is part)


def _other_everything(base: _Sentence, sentences: list[_Sentence]) -> str | None:
    return _replace(base, sentences, lambda _: True)


def _replace(
    base: _Sentence, sentences: list[_Sentence], is_chosen: Callable[[_Part], bool]
) -> str | None:
    """Replace the chosen parts by parts of the same label from other departments, each once."""
    text, position, used = "", 0, base.surfaces()
    for part in base.parts:
        if not is_chosen(part):
            continue
        other = _surface_elsewhere(base, part.label, sentences, used)
        if other is None:
            return None
        used.add(other)
        text += base.text[position : part.start] + other
        position = part.end
    return text + base.text[position:]


def _surface_elsewhere(
    base: _Sentence, label: str, sentences: list[_Sentence], used: set[str]
) -> str | None:
    start = _place(base, sentences)
    for sentence in sentences[start:] + sentences[:start]:
        if sentence.department == base.department:
            continue
        for part in sentence.parts:
            surface = sentence.text[part.start : part.end]
            if part.label == label and surface not in used and surface not in base.text:
                return surface
    return None


def _place(base: _Sentence, sentences: list[_Sentence]) -> int:
    """Return where the search for another text begins: another place for each sentence."""
    return sentences.index(base) * 7 % len(sentences)


def _same_note(base: _Sentence, sentences: list[_Sentence]) -> str | None:
    others = [s for s in sentences if s.note == base.note and s != base and len(s.text) >= 10]
    return max(others, key=lambda s: len(s.text)).text if others else None


def _unrelated(base: _Sentence, sentences: list[_Sentence]) -> str | None:
    start = _place(base, sentences)
    for sentence in sentences[start:] + sentences[:start]:
        is_far = sentence.department != base.department and len(sentence.text) >= 15
        if is_far and sentence.parts and not (sentence.surfaces() & base.surfaces()):
            return sentence.text
    return None


DEMO_SIMILARITY = Benchmark(
    name="demo-similarity",
    version=1,
    license="CC0-1.0",
    source="rinsho, made from the hand-written notes by counted edits",
    form="similarity",
    ja="手書きカルテの文の類似度（6段階、編集の種類が正解）",
    en="similarity of sentences of the hand-written notes; the gold level is the kind of edit",
    needs="nothing",
    load=load_similarity,
    weighting="linear",
    known_errors="levels are counted edits, not human judgements",
)
