"""Textbook sections: what the lexicon knows about one entry, for professionals or for patients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rinsho.corpus.fact_slots import (
    FactSlots,
    Values,
    disease_values,
    drug_values,
    test_values,
    usable,
)
from rinsho.corpus.facts import Facts
from rinsho.corpus.page import Page, Rules

_SECTIONS = {"symptoms": "symptoms", "tests": "tests", "treatment": "drugs"}
_AUDIENCES = ("professional", "patient")
_N_FEWEST = 2  # a section of one known fact would only be its template


@dataclass(frozen=True, slots=True)
class Section:
    """A written section; the key names entry and section."""

    key: str
    text: str


def write_section(rules: Rules, facts: Facts, random: Callable[[], float]) -> Section | None:
    """Return a section about a random entry, or None where too little is known about it."""
    draw = random()
    if draw < 0.62:
        return _disease_section(rules, facts, random)
    if draw < 0.87:
        drug = facts.lexicon.drugs[int(random() * len(facts.lexicon.drugs))]
        audiences = _AUDIENCES if drug in facts.oral else _AUDIENCES[:1]
        return _write(rules, "drug", drug_values(facts, drug, random), random, audiences)
    test = facts.lexicon.tests[int(random() * len(facts.lexicon.tests))]
    return _write(rules, "test", test_values(facts, test, random), random)


def _disease_section(rules: Rules, facts: Facts, random: Callable[[], float]) -> Section | None:
    known = facts.diseases[int(random() * len(facts.diseases))]
    values = disease_values(facts, known, random)
    possible = ["overview", *(s for s, needed in _SECTIONS.items() if values[needed])]
    return _write(rules, possible[int(random() * len(possible))], values, random)


def _write(
    rules: Rules,
    section: str,
    values: Values,
    random: Callable[[], float],
    audiences: Sequence[str] = _AUDIENCES,
) -> Section | None:
    n_known = sum(bool(values[name]) for name in values if name not in ("name", "other"))
    if n_known < _N_FEWEST:
        return None
    audience = audiences[int(random() * len(audiences))]
    page = Page(random, rules, FactSlots(values))
    titles = usable(rules[f"title_{section}_{audience}"], values)
    body = usable(rules[f"{section}_{audience}"], values)
    page.choose(titles).write(page)
    page.add("\n")
    n = min(page.between(4, 9), len(body))
    end = "\n" if random() < 0.12 else ""
    for _ in range(n):
        page.choose(body).write(page)
        page.add(end)
    return Section(f"textbook:{section}:{values['name'][0]}", page.text.rstrip())
