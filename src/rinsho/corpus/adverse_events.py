"""Posts and short notes about drugs and what they caused, with the relations between the mentions.

The grammar says which drug caused what by the names of its slots; the lexicon only gives the words.
So a pair says nothing about pharmacology, and what is learned from it has to be read in the text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rinsho.corpus.facts import Facts
from rinsho.corpus.page import Page, Rules
from rinsho.errors import NothingLeft
from rinsho.text.lexicon import Disease, Drug, Symptom
from rinsho.text.relations import CAUSED
from rinsho.text.spans import Relation, Span, sort_spans

_N_TRIES = 200
_EVERYDAY_SHARE = 0.35  # of the words: those of patients, not of the lexicon
_DISEASE_SHARE = 0.25  # of the events of the lexicon
_CERTAINTY = {"feared": "suspected", "absent": "negated"}
_DRUGS = ("culprit", "innocent")


class AdverseEvents:
    """Fills the slots of one text: drugs, and events that they did or did not cause."""

    def __init__(self, facts: Facts, random: Callable[[], float]) -> None:
        self.department = ""
        self.supply: Mapping[str, int] = {}
        self._facts, self._random = facts, random
        self._used: set[str] = set()
        self._spans: dict[str, list[Span]] = {}  # of culprits and effects, by slot

    def relations(self) -> tuple[Relation, ...]:
        """Return what caused what, as the slots that were filled say."""
        return tuple(
            sorted(
                Relation(CAUSED, head, tail)
                for number in ("", "2")
                for head in self._spans.get(f"culprit{number}", ())
                for tail in self._spans.get(f"effect{number}", ())
            )
        )

    def fill(self, name: str, certainty: str | None, page: Page) -> None:
        """Write one slot with its mark; `_verb` and `_again` say in which form."""
        if name in ("age", "sex"):
            number = str(20 + int(self._random() * 70))
            page.add(number if name == "age" else page.pick(("女性", "男性")))
            return
        slot, _, form = name.partition("_")
        role = slot.rstrip("2")
        if role in _DRUGS:
            self._write_drug(slot, form == "again", page)
        else:
            self._write_event(slot, form, certainty or _CERTAINTY.get(role, "present"), page)
        self._spans.setdefault(slot, []).append(page.spans[-1])

    def _write_drug(self, slot: str, is_again: bool, page: Page) -> None:
        if is_again:
            page.add_marked(self._last(slot, page), "drug")
        elif self._random() < _EVERYDAY_SHARE:
            _write_word("everyday_drug", "drug", "present", page)
        else:
            page.add_marked(
                self._fresh(lambda: page.pick(self._facts.specific_drugs), page), "drug"
            )

    def _write_event(self, slot: str, form: str, certainty: str, page: Page) -> None:
        if form == "again":
            page.add_marked(self._last(slot, page), page.spans[-1].label, certainty)
        elif form == "verb":
            _write_word("everyday_verb", "symptom", certainty, page)
        elif self._random() < _EVERYDAY_SHARE:
            _write_word("everyday_event", "symptom", certainty, page)
        elif self._random() < _DISEASE_SHARE:
            surface = self._fresh(lambda: page.pick(self._facts.diseases).entry, page)
            page.add_marked(surface, "disease", certainty)
        else:
            surface = self._fresh(lambda: page.pick(self._facts.lexicon.symptoms), page)
            page.add_marked(surface, "symptom", certainty)

    def _last(self, slot: str, page: Page) -> str:
        span = self._spans[slot][-1]
        return page.text[span.start : span.end]

    def _fresh(self, draw: Callable[[], Drug | Disease | Symptom], page: Page) -> str:
        """Return a name, or in half of the draws a synonym, of what the text does not have yet."""
        entry = draw()
        for _ in range(_N_TRIES):
            if entry.name not in self._used:
                break
            entry = draw()
        self._used.add(entry.name)
        return page.pick(entry.synonyms) if entry.synonyms and self._random() < 0.5 else entry.name


def _write_word(rule: str, label: str, certainty: str, page: Page) -> None:
    start = page.length
    page.write_rule(rule)
    page.mark(start, label, certainty)


def write_adverse_event(
    rules: Rules, facts: Facts, random: Callable[[], float]
) -> tuple[str, tuple[Span, ...], tuple[Relation, ...]]:
    """Return a text, its spans, and which drug it says to have caused which event.

    Raises:
        NothingLeft: The lexicon has too few terms to say anything without a contradiction.
    """
    for _ in range(_N_TRIES):
        slots = AdverseEvents(facts, random)
        page = Page(random, rules, slots)
        page.write_rule("text")
        if not page.contradicts:
            return page.text.rstrip(), sort_spans(page.spans), slots.relations()
    raise NothingLeft(where="adverse_event", found="contradictions", hint="give a larger lexicon")
