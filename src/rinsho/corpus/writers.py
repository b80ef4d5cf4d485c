"""One writer for each kind of synthetic document."""

from __future__ import annotations

from collections.abc import Callable

from rinsho.corpus.adverse_events import write_adverse_event
from rinsho.corpus.document import Document, Message
from rinsho.corpus.exam import Question, write_question
from rinsho.corpus.fact_slots import FactSlots
from rinsho.corpus.facts import Facts
from rinsho.corpus.grammar import read_grammar
from rinsho.corpus.instructions import Instructions
from rinsho.corpus.notes import write_note
from rinsho.corpus.page import Page
from rinsho.corpus.textbook import write_section
from rinsho.text.lexicon import Lexicon

Random = Callable[[], float]
Written = tuple[Document, Question | None]
_LICENSE = "CC0-1.0"


class Writers:
    """Writes a document of any kind out of a lexicon."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._grammar, self._facts = read_grammar(), Facts(lexicon)
        self._instructions = Instructions(self._grammar, self._facts)

    def write(self, kind: str, id: str, random: Random) -> Written | None:
        """Return a document, or None where what was drawn is not known to the lexicon."""
        if kind == "textbook":
            return self._textbook(id, random)
        if kind == "exam_question":
            return self._question(id, random)
        if kind == "instruction":
            written = self._instructions.write(random)
            if written is None:
                return None
            return _conversation(id, kind, written.group, written.messages), None
        if kind == "adverse_event":
            text, spans, relations = write_adverse_event(self._grammar[kind], self._facts, random)
            return Document(
                id, text, kind, _LICENSE, group=id, spans=spans, relations=relations
            ), None
        text, spans = write_note(
            self._grammar[kind], self._facts, self._facts.patients_of(kind), random
        )
        return Document(id, text, kind, _LICENSE, group=id, spans=spans), None

    def _textbook(self, id: str, random: Random) -> Written | None:
        section = write_section(self._grammar["textbook"], self._facts, random)
        if section is None:
            return None
        return Document(id, section.text, "textbook", _LICENSE, group=section.key), None

    def _question(self, id: str, random: Random) -> Written | None:
        rules = self._grammar["exam_question"]
        question = write_question(rules, self._facts, random)
        if question is None:
            return None
        values = {
            "question": (question.question,),
            "choices": (question.lines(),),
            "gold": (question.gold,),
            "gold_choice": (question.gold_choice,),
            "explanation": (question.explanation,),
        }
        messages: list[Message] = []
        for role, rule in (("user", "prompt"), ("assistant", "reply")):
            page = Page(random, rules, FactSlots(values))
            page.write_rule(rule)
            messages.append(Message(role, page.text))
        document = _conversation(id, "exam_question", question.group, tuple(messages))
        return document, question


def _conversation(id: str, kind: str, group: str | None, messages: tuple[Message, ...]) -> Document:
    text = "\n".join(message.content for message in messages)
    return Document(id, text, kind, _LICENSE, group=group, messages=messages)
