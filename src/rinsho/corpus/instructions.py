"""Instructions with answers: every answer follows from the lexicon or from known spans."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rinsho.corpus.document import Message
from rinsho.corpus.exam import write_question
from rinsho.corpus.fact_slots import (
    FactSlots,
    Values,
    disease_values,
    drug_values,
    number,
    test_values,
    usable,
)
from rinsho.corpus.facts import Facts
from rinsho.corpus.measure import draw_number
from rinsho.corpus.note_tasks import NoteTasks
from rinsho.corpus.page import Page, Rules

Random = Callable[[], float]
# What exam questions ask under another name: the same fact stays in one split.
_FACTS = {"symptoms": "symptom", "tests": "test", "drugs": "drug", "value": "range"}


@dataclass(frozen=True, slots=True)
class Instruction:
    """A conversation and the fact that it asks for."""

    group: str | None
    messages: tuple[Message, ...]


class Instructions:
    """Writes instructions of every sort, by turns of chance."""

    def __init__(self, grammar: Mapping[str, Rules], facts: Facts) -> None:
        self.rules, self.facts = grammar["instruction"], facts
        self.exam_rules, self.textbook_rules = grammar["exam_question"], grammar["textbook"]
        self.notes = NoteTasks(grammar, facts)

    def write(self, random: Random) -> Instruction | None:
        """Return one instruction, or None where the lexicon lacks the fact that was drawn."""
        draw = random()
        if draw < 0.26:
            return self._choice(random)
        if draw < 0.60:
            group, *messages = None, *self.notes.write(random)
            return Instruction(group, tuple(messages))
        if draw < 0.70:
            return self._explanation(random)
        return self._fact(random)

    def _choice(self, random: Random) -> Instruction | None:
        question = write_question(self.exam_rules, self.facts, random)
        if question is None:
            return None
        values = {"question": (question.question,), "choices": (question.lines(),)}
        system = self._text("system_choice", {}, random)
        asked = Message("user", self._text("choice", values, random))
        before = (Message("system", system),) if system else ()
        return Instruction(question.group, (*before, asked, Message("assistant", question.gold)))

    def _explanation(self, random: Random) -> Instruction | None:
        is_drug = random() < 0.35
        if is_drug:
            drug = self.facts.oral[int(random() * len(self.facts.oral))]
            values, section = drug_values(self.facts, drug, random), "drug"
        else:
            known = self.facts.diseases[int(random() * len(self.facts.diseases))]
            values, section = disease_values(self.facts, known, random), "overview"
        page = Page(random, self.textbook_rules, FactSlots(values))
        body = usable(self.textbook_rules[f"{section}_patient"], values)
        for _ in range(min(len(body), page.between(3, 5))):
            page.choose(body).write(page)
        asked = self._text("ask_explain_drug" if is_drug else "ask_explain_disease", values, random)
        group = f"explain:{values['name'][0]}"
        return Instruction(group, (Message("user", asked), Message("assistant", page.text)))

    def _fact(self, random: Random) -> Instruction | None:
        relation, values = self._drawn_fact(random)
        asked = self._text(f"ask_{relation}", values, random)
        answer = self._text(f"reply_{relation}", values, random)
        if not asked or not answer:
            return None
        group = f"fact:{_FACTS.get(relation, relation)}:{values['name'][0]}"
        return Instruction(group, (Message("user", asked), Message("assistant", answer)))

    def _drawn_fact(self, random: Random) -> tuple[str, dict[str, tuple[str, ...]]]:
        draw, facts = random(), self.facts
        if draw < 0.55:
            known = facts.diseases[int(random() * len(facts.diseases))]
            values = disease_values(facts, known, random)
            return _pick(("reading", "code", "department", "drugs", "symptoms", "tests"), random), (
                values
            )
        if draw < 0.75:
            drug = facts.specific_drugs[int(random() * len(facts.specific_drugs))]
            return _pick(("class", "class", "reading"), random), drug_values(facts, drug, random)
        test = facts.lexicon.tests[int(random() * len(facts.lexicon.tests))]
        values = test_values(facts, test, random)
        short = [one for one in test.synonyms if one.isascii()]
        values["short"] = tuple(short[:1])
        if values["range"]:
            result = round(draw_number(test, random), test.decimals)
            values["value"] = (f"{number(test, result)}{test.unit}",)
            values["verdict"] = (_verdict(result, test.low or 0, test.high or 0),)
        relations = ("range", "value", "value", "full", "reading")
        return _pick(relations, random), values

    def _text(self, rule: str, values: Values, random: Random) -> str:
        """Return a text of a rule, or nothing where the lexicon lacks what every one needs."""
        templates = usable(self.rules[rule], values)
        if not templates:
            return ""
        page = Page(random, self.rules, FactSlots(values))
        page.choose(templates).write(page)
        return page.text


def _pick(options: tuple[str, ...], random: Random) -> str:
    return options[int(random() * len(options))]


def _verdict(value: float, low: float, high: float) -> str:
    if value < low:
        return "基準範囲より低い値"
    return "基準範囲より高い値" if value > high else "基準範囲内"
