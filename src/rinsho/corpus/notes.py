"""Notes: one invented patient, one kind, one text with gold spans."""

from __future__ import annotations

from collections.abc import Callable

from rinsho.corpus.case import Case
from rinsho.corpus.facts import Facts
from rinsho.corpus.page import Page, Rules
from rinsho.text.spans import Span, sort_spans


def write_note(
    rules: Rules, facts: Facts, random: Callable[[], float]
) -> tuple[str, tuple[Span, ...]]:
    """Return the text of one note and its spans; the rules say what kind it is."""
    disease = facts.diseases[int(random() * len(facts.diseases))]
    case = Case(facts, disease, random)
    page = Page(random, rules, case)
    page.stated |= case.stated
    page.write_rule("text")
    text = page.text.rstrip()
    return text, sort_spans(page.spans)
