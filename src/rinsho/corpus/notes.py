"""Notes: one invented patient, one kind, one text with gold spans."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rinsho.corpus.case import Case
from rinsho.corpus.facts import Facts, KnownDisease
from rinsho.corpus.page import Page, Rules
from rinsho.errors import NothingLeft
from rinsho.text.spans import Span, sort_spans

_N_TRIES = 200  # one or two are enough where a lexicon has dozens of symptoms
_HINT = "give a lexicon with more diseases and symptoms"


def write_note(
    rules: Rules, facts: Facts, diseases: Sequence[KnownDisease], random: Callable[[], float]
) -> tuple[str, tuple[Span, ...]]:
    """Return the text of one note and its spans; the rules say what kind it is.

    Args:
        diseases: One of them is the patient's.

    Raises:
        NothingLeft: The lexicon has too few terms to say anything without a contradiction.
    """
    disease = diseases[int(random() * len(diseases))]
    for _ in range(_N_TRIES):  # one of some contradicts itself: another about the same disease
        page = _write(rules, Case(facts, disease, random), random)
        if not page.contradicts:
            break
    else:
        raise NothingLeft(where=disease.entry.name, found="contradictions", hint=_HINT)
    text = page.text.rstrip()
    return text, sort_spans(page.spans)


def _write(rules: Rules, case: Case, random: Callable[[], float]) -> Page:
    page = Page(random, rules, case)
    page.stated |= case.stated
    page.write_rule("text", by_department=True)
    return page
