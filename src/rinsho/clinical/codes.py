"""Codes for terms that are written in a note: candidates with scores, and never a silent guess.

A code is decided only where a list has the very name (spelling and width aside) and all lists of
the system agree, as far as they agree: `C16` where one says C16.2 and one C16.9. The rest are
candidates.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rinsho.clinical.code_lists import ICD10, PRICE_LIST, CodedName, Kind
from rinsho.clinical.code_names import compared_form, pairs_of, without_modifiers
from rinsho.text.spans import Span

Status = Literal["decided", "ambiguous", "candidates", "none"]
# As far as two codes can agree, in characters. 薬価基準収載医薬品コード: 4 of the class,
# 3 of ingredient and route, the form, the strength, the product.
_LEVELS = {PRICE_LIST: (12, 9, 8, 7), ICD10: (6, 5, 3)}
_SCORES = {"name": 1.0, "synonym": 0.95, "reading": 0.9, "without modifiers": 0.8}
_MOST_SIMILAR = 0.75  # of a name that only resembles the term, times its similarity
_LEAST_SIMILARITY = 0.5  # Dice of character bigrams
_MAX_PER_PAIR = 20_000  # names that share a bigram; a commoner one says nothing
_KINDS: dict[str, Kind] = {"disease": "condition", "symptom": "condition", "drug": "drug",
                           "test": "test", "procedure": "procedure"}  # fmt: skip
_STRENGTH = re.compile(r"[\d.]+ ?(?:mg|g|μg|mcg|mL|%|単位|IU)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A code that may be meant.

    Attributes:
        how: name, synonym, reading, without modifiers, or similar.
        score: From 0 to 1; an order, not a probability.
    """

    code: str
    name: str
    how: str
    score: float
    source: str


@dataclass(frozen=True, slots=True)
class Coding:
    """What one system says about a term; `code` is empty unless it is decided."""

    system: str
    status: Status
    code: str
    candidates: tuple[Candidate, ...]


class CodeIndex:
    """Looks terms up among coded names."""

    def __init__(self, names: Iterable[CodedName]) -> None:
        self._names = list(dict.fromkeys(names))
        self._keys = [compared_form(name.name) for name in self._names]
        self._by_key: dict[str, list[int]] = defaultdict(list)
        self._by_pair: dict[str, list[int]] = defaultdict(list)
        for number, key in enumerate(self._keys):
            self._by_key[key].append(number)
        for key, numbers in self._by_key.items():
            for pair in pairs_of(key):
                self._by_pair[pair].append(numbers[0])
        self._n_pairs = [len(pairs_of(key)) for key in self._keys]
        self.systems = tuple(dict.fromkeys((name.kind, name.system) for name in self._names))

    def look_up(
        self, term: str, kind: Kind, strength: str = "", n_candidates: int = 5
    ) -> tuple[Coding, ...]:
        """Return what every system of a kind says about a term.

        Args:
            term: As it is written.
            kind: What sort of thing it is.
            strength: Of a drug, as `5mg`. Its products come first; it decides nothing, because a
                dose may be two tablets of half of it.
            n_candidates: The most that a system names.
        """
        key = compared_form(term)
        exact = self._exact(key, kind)
        if exact and strength and kind == "drug":
            exact = self._of_strength(key, compared_form(strength)) + exact
        looser = [] if exact else self._looser(term, key, kind)
        systems = [system for of, system in self.systems if of == kind]
        return tuple(_coding(system, exact, looser, n_candidates) for system in systems)

    def _exact(self, key: str, kind: Kind) -> list[tuple[CodedName, str, float]]:
        found = (self._names[number] for number in self._by_key.get(key, ()))
        return [(name, name.how, _SCORES[name.how]) for name in found if name.kind == kind]

    def _of_strength(self, key: str, strength: str) -> list[tuple[CodedName, str, float]]:
        """Return the products whose names go on with a form and that strength."""
        rest = re.compile(rf"{re.escape(key)}\D*{re.escape(strength)}(?:\D*)")
        numbers = self._by_pair.get(key[:2], ())
        keys = {self._keys[number] for number in numbers if rest.fullmatch(self._keys[number])}
        return [one for found in sorted(keys) for one in self._exact(found, "drug")]

    def _looser(self, term: str, key: str, kind: Kind) -> list[tuple[CodedName, str, float]]:
        bare = compared_form(without_modifiers(term)) if kind == "condition" else key
        found = [] if bare == key else self._exact(bare, kind)
        how = "without modifiers"
        loose = [(name, how, _SCORES[how]) for name, _, _ in found]
        return loose + list(self._similar(key, kind))

    def _similar(self, key: str, kind: Kind) -> Iterator[tuple[CodedName, str, float]]:
        pairs, shared = pairs_of(key), defaultdict[int, int](int)
        for pair in pairs:
            numbers = self._by_pair.get(pair, ())
            for number in numbers if len(numbers) <= _MAX_PER_PAIR else ():
                shared[number] += 1
        for number, n in shared.items():
            similarity = 2 * n / (len(pairs) + self._n_pairs[number])
            if similarity >= _LEAST_SIMILARITY:
                for name, _, _ in self._exact(self._keys[number], kind):
                    yield name, "similar", round(_MOST_SIMILAR * similarity, 3)


def _coding(
    system: str,
    exact: list[tuple[CodedName, str, float]],
    looser: list[tuple[CodedName, str, float]],
    n_candidates: int,
) -> Coding:
    found = [one for one in exact or looser if one[0].system == system]
    candidates: dict[tuple[str, str], Candidate] = {}
    for name, how, score in sorted(found, key=lambda one: -one[2]):  # a stable order: strengths
        one = Candidate(name.code, name.listed, how, score, name.source)
        candidates.setdefault((name.code, name.listed), one)
    ordered = list(candidates.values())
    code = agreed_code(system, {one.code for one in ordered}) if exact else ""
    status: Status = "decided" if code else "ambiguous" if exact else "candidates"
    return Coding(system, status if ordered else "none", code, tuple(ordered[:n_candidates]))


def agreed_code(system: str, codes: set[str]) -> str:
    """Return as much of several codes as they agree on, or nothing where that is no code.

    >>> agreed_code("ICD-10", {"C16.2", "C16.9"}), agreed_code("ICD-10", {"I10", "O10.0"})
    ('C16', '')
    """
    if len(codes) == 1:
        return next(iter(codes))
    for level in _LEVELS.get(system, ()):
        shared = {code[:level] for code in codes}
        if len(shared) == 1 and all(len(code) >= level for code in codes):
            return shared.pop()
    return ""


def code_spans(
    index: CodeIndex, text: str, spans: Iterable[Span], n_candidates: int = 5
) -> Iterator[tuple[Span, tuple[Coding, ...]]]:
    """Yield the mentions of an original text that have a kind with codes, and their codes."""
    ordered = sorted(spans)
    for number, span in enumerate(ordered):
        if kind := _KINDS.get(span.label):
            after = ordered[number + 1] if number + 1 < len(ordered) else None
            strength = _strength(text, span, after)
            words = text[span.start : span.end]
            yield span, index.look_up(words, kind, strength, n_candidates)


def _strength(text: str, span: Span, after: Span | None) -> str:
    """Return the dose right after a drug, as far as it can be the strength of a product."""
    if span.label != "drug" or after is None or after.label != "dose":
        return ""
    if after.start - span.end > 1:
        return ""
    match = _STRENGTH.match(text, after.start)
    return match[0] if match else ""


def coding_to_json(coding: Coding) -> dict[str, Any]:
    """Return the JSON form of what a system says."""
    return {**asdict(coding), "code": coding.code or None}
