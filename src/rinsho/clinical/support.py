"""Whether a written sentence says what its sources say: its numbers, its terms, their negation.

A sentence without any number or term cannot be checked and passes: this finds what was added or
turned round, not what was left out. A person has to read the result in any case.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rinsho.text.mentions import embedded_tagger
from rinsho.text.normalize import normalize
from rinsho.text.sentences import split_sentences
from rinsho.text.spans import Span

Reason = Literal["number", "term", "certainty"]
_NUMBER = re.compile(r"(?<![\d.])\d+(?:\.\d+)?")
_CHECKED = ("disease", "symptom", "drug", "test")


@dataclass(frozen=True, slots=True)
class Checked:
    """A sentence and what of it the sources do not say.

    Attributes:
        unsupported: Why and which words; none: everything that can be checked stands there.
    """

    text: str
    unsupported: tuple[tuple[Reason, str], ...]


def check_support(text: str, sources: Sequence[str]) -> list[Checked]:
    """Return the sentences of a text, each with what the sources do not say.

    Args:
        text: What was written.
        sources: What it has to follow from; a number or term may stand in any of them.
    """
    written = normalize(text)
    joined = "\n".join(map(normalize, sources))
    numbers = set(_NUMBER.findall(joined))
    said: dict[str, set[str]] = {}
    for span in embedded_tagger().spans(joined):
        said.setdefault(joined[span.start : span.end].casefold(), set()).add(_told(span))
    found: list[Checked] = []
    for start, end in split_sentences(written):
        sentence = written[start:end]
        found.append(Checked(sentence, tuple(_unsupported(sentence, joined, numbers, said))))
    return found


def _told(span: Span) -> str:
    """Return a certainty without when it was: a quote leaves the head 既往歴 behind."""
    return "present" if span.certainty == "past" else span.certainty


def _unsupported(
    sentence: str, joined: str, numbers: set[str], said: dict[str, set[str]]
) -> list[tuple[Reason, str]]:
    missing: list[tuple[Reason, str]] = [
        ("number", number)
        for number in dict.fromkeys(_NUMBER.findall(sentence))
        if number not in numbers
    ]
    for span in embedded_tagger().spans(sentence):
        if span.label not in _CHECKED:
            continue
        words = sentence[span.start : span.end]
        certainties = said.get(words.casefold())
        if certainties is None and words not in joined:
            missing.append(("term", words))
        elif certainties is not None and _told(span) not in certainties:
            missing.append(("certainty", words))
    return missing
