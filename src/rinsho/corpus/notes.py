"""Notes: one invented patient, one kind, one text with gold spans."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rinsho.corpus.case import Case
from rinsho.corpus.facts import Facts, KnownDisease
from rinsho.corpus.page import Page, Rules
from rinsho.text.spans import Span, sort_spans


def write_note(
    rules: Rules, facts: Facts, diseases: Sequence[KnownDisease], random: Callable[[], float]
) -> tuple[str, tuple[Span, ...]]:
    """Return the text of one note and its spans; the rules say what kind it is.

    Args:
        diseases: One of them is the patient's.
    """
    disease = diseases[int(random() * len(diseases))]
    while (page := _write(rules, Case(facts, disease, random), random)).contradicts:
        pass  # one in some: another text about the same disease
    text = page.text.rstrip()
    return text, sort_spans(page.spans)


def _write(rules: Rules, case: Case, random: Callable[[], float]) -> Page:
    page = Page(random, rules, case)
    page.stated |= case.stated
    page.write_rule("text", by_department=True)
    return page
