"""Instructions about notes: extract, judge, summarise and compare, answered from gold spans."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rinsho.corpus.document import Message
from rinsho.corpus.fact_slots import FactSlots, Values
from rinsho.corpus.facts import Facts
from rinsho.corpus.grammar import NOTE_KINDS
from rinsho.corpus.notes import write_note
from rinsho.corpus.page import Page, Rules
from rinsho.text.spans import Span

Random = Callable[[], float]
_JAPANESE = {
    "progress_note": "経過記録",
    "discharge_summary": "退院時サマリー",
    "radiology_report": "読影所見",
    "nursing_record": "看護記録",
    "referral_letter": "診療情報提供書",
    "outpatient_note": "外来カルテ",
}
_CERTAINTIES = {"present": "あり", "negated": "なし", "suspected": "疑い"}
_ASKED: dict[str, Callable[[Span], bool]] = {
    "finding": lambda s: s.label in ("disease", "symptom") and s.certainty == "present",
    "denied": lambda s: s.label in ("disease", "symptom") and s.certainty == "negated",
    "suspected": lambda s: s.label in ("disease", "symptom") and s.certainty == "suspected",
    "drug": lambda s: s.label == "drug",
    "dose": lambda s: s.label == "dose",
    "test": lambda s: s.label == "test",
    "value": lambda s: s.label == "value",
    "site": lambda s: s.label == "body_part",
}
_WEIGHTED = ("finding",) * 4 + ("drug",) * 3 + ("dose",) * 2 + tuple(_ASKED)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_SIMILARITY_LETTERS = "FEDCBA"  # 0 to 5


@dataclass(frozen=True, slots=True)
class Passage:
    """A few sentences of a note with their spans."""

    kind: str
    text: str
    spans: tuple[Span, ...]

    def surfaces(self, is_asked: Callable[[Span], bool]) -> list[str]:
        """Return the surfaces of the spans that are asked for, each once, in reading order."""
        found = (self.text[span.start : span.end] for span in self.spans if is_asked(span))
        return list(dict.fromkeys(found))


def list_answer(surfaces: Sequence[str]) -> str:
    """Return the answer of the entity tasks: a Python list of strings.

    >>> list_answer(["発熱", "咳嗽"])
    "['発熱', '咳嗽']"
    """
    return "[" + ", ".join(repr(one) for one in surfaces) + "]"


class NoteTasks:
    """Writes conversations about freshly written notes."""

    def __init__(self, grammar: Mapping[str, Rules], facts: Facts) -> None:
        self.grammar, self.facts, self.rules = grammar, facts, grammar["instruction"]

    def write(self, random: Random) -> list[Message]:
        """Return the messages of one task."""
        draw = random()
        if draw < 0.55:
            return self._entities(random)
        if draw < 0.70:
            return self._certainty(random)
        return self._summary(random) if draw < 0.80 else self._similarity(random)

    def passage(self, random: Random, low: int, high: int) -> Passage:
        """Return some sentences in a row of a new note."""
        kind = NOTE_KINDS[int(random() * len(NOTE_KINDS))]
        text, spans = write_note(
            self.grammar[kind], self.facts, self.facts.patients_of(kind), random
        )
        ends = [m.end() for m in re.finditer(r"[。\n]+", text)] or [len(text)]
        first = int(random() * max(1, len(ends) - low))
        last = min(len(ends) - 1, first + low + int(random() * (high - low + 1)) - 1)
        start, end = (ends[first - 1] if first else 0), ends[max(first, last)]
        end = start + len(text[start:end].rstrip())
        inside = (s for s in spans if start <= s.start and s.end <= end)
        moved = tuple(Span(s.start - start, s.end - start, s.label, s.certainty) for s in inside)
        return Passage(_JAPANESE[kind], text[start:end], moved)

    def _entities(self, random: Random) -> list[Message]:
        passage = self.passage(random, 2, 8)
        # Half of all draws ask for what a short passage lacks: a model that saw as many empty lists
        # learns to answer nothing else. One in eight stays, so that it learns to find nothing too.
        held = [asked for asked in _WEIGHTED if passage.surfaces(_ASKED[asked])]
        choices = _WEIGHTED if random() < 0.125 or not held else held
        asked = choices[int(random() * len(choices))]
        answer = list_answer(passage.surfaces(_ASKED[asked]))
        values = {"kind": (passage.kind,), "text": (passage.text,)}
        return [
            Message("system", self._text("system_entities", {}, random)),
            Message("user", self._text(f"entities_{asked}", values, random)),
            Message("assistant", answer),
        ]

    def _certainty(self, random: Random) -> list[Message]:
        passage = self.passage(random, 2, 5)
        judged = [s for s in passage.spans if s.label in ("disease", "symptom")]
        said: dict[str, set[str]] = {}
        for span in judged:
            said.setdefault(passage.text[span.start : span.end], set()).add(span.certainty)
        clear = [(term, *kinds) for term, kinds in said.items() if len(kinds) == 1]
        if not clear:
            return self._entities(random)
        term, certainty = clear[int(random() * len(clear))]
        values = {"kind": (passage.kind,), "text": (passage.text,), "term": (term,)}
        asked = self._text("ask_certainty", values, random)
        return [Message("user", asked), Message("assistant", _CERTAINTIES[certainty])]

    def _summary(self, random: Random) -> list[Message]:
        passage = self.passage(random, 6, 12)
        sections = {
            "問題点": passage.surfaces(_ASKED["finding"]),
            "疑い": passage.surfaces(_ASKED["suspected"]),
            "なし": passage.surfaces(_ASKED["denied"]),
            "検査": passage.surfaces(_ASKED["test"]),
            "薬剤": passage.surfaces(_ASKED["drug"]),
        }
        lines = [f"・{name}: {'、'.join(found[:6])}" for name, found in sections.items() if found]
        values = {"kind": (passage.kind,), "text": (passage.text,)}
        asked = self._text("ask_summary", values, random)
        return [Message("user", asked), Message("assistant", "\n".join(lines) or "特記事項なし。")]

    def _similarity(self, random: Random) -> list[Message]:
        level = int(random() * 6)
        first = self._sentence(random)
        second, level = self._changed(first, level, random)
        values = {"first": (first.text,), "second": (second,)}
        if random() < 0.25:
            asked = self._text("similarity_number", values, random)
            return [Message("user", asked), Message("assistant", str(level))]
        return [
            Message("system", self._text("system_similarity", {}, random)),
            Message("user", self._text("similarity", values, random)),
            Message("assistant", _SIMILARITY_LETTERS[level]),
        ]

    def _sentence(self, random: Random) -> Passage:
        passage = self.passage(random, 1, 1)
        for _ in range(20):
            if len(passage.spans) >= 2 and "\n" not in passage.text:
                break
            passage = self.passage(random, 1, 1)
        return passage

    def _changed(self, first: Passage, level: int, random: Random) -> tuple[str, int]:
        """Return another sentence and how alike it is: 5 the same, 4 other numbers, 0 unrelated."""
        if level == 5:
            return first.text.rstrip("。"), 5
        if level == 4 and _NUMBER.search(first.text):
            return _NUMBER.sub(lambda m: str(int(1 + random() * 90)), first.text, count=1), 4
        if level in (2, 3, 4) and first.spans:
            n = 1 if level == 3 else len(first.spans)
            return self._exchange(first, n, random), 3 if n == 1 else 2
        if level == 1:
            return self._sentence_of_same(first, random), 1
        return self._sentence(random).text, 0

    def _exchange(self, first: Passage, n: int, random: Random) -> str:
        text = first.text
        for span in reversed(first.spans[:n]):
            text = text[: span.start] + self._other(span.label, random) + text[span.end :]
        return text

    def _other(self, label: str, random: Random) -> str:
        lexicon = self.facts.lexicon
        tables = {
            "disease": lexicon.diseases,
            "symptom": lexicon.symptoms,
            "drug": lexicon.drugs,
            "test": lexicon.tests,
            "body_part": lexicon.body_parts,
        }
        if label in tables:
            table = tables[label]
            return table[int(random() * len(table))].name
        return f"{int(1 + random() * 200)}mg" if label == "dose" else str(int(1 + random() * 200))

    def _sentence_of_same(self, first: Passage, random: Random) -> str:
        """Return a sentence with one term of the first in it."""
        other = self._sentence(random)
        same = next((s for s in other.spans if s.label == first.spans[0].label), None)
        if same is None or not first.spans:
            return other.text
        term = first.text[first.spans[0].start : first.spans[0].end]
        return other.text[: same.start] + term + other.text[same.end :]

    def _text(self, rule: str, values: Values, random: Random) -> str:
        page = Page(random, self.rules, FactSlots(values))
        page.write_rule(rule)
        return page.text
