"""Facts of one lexicon entry as slots of templates: nothing is marked, nothing is made up."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from rinsho.corpus.facts import Facts, KnownDisease
from rinsho.corpus.page import Page
from rinsho.corpus.template import Template
from rinsho.text.lexicon import Drug, Test

Values = Mapping[str, tuple[str, ...]]
_SLOT_NAMES = re.compile(r"\{([a-z_0-9]+)\}")
_ONE_OF = ("symptom", "test", "indication", "disease")  # another one each time
_MEASURED = ("laboratory", "vital", "imaging", "physiology")  # not scores: theirs is a scale
_KINDS = {
    "laboratory": "検体検査",
    "vital": "バイタルサイン",
    "imaging": "画像検査",
    "physiology": "生理検査",
    "score": "評価スケール",
    "sign": "身体診察",
    "pathology": "病理検査",
}


class FactSlots:
    """Fills slots with facts: a fact with several values is listed, in a random order."""

    department = ""
    supply: Mapping[str, int] = {}

    def __init__(self, values: Values) -> None:
        self._values = values

    def fill(self, name: str, certainty: str | None, page: Page) -> None:
        """Write a fact.

        Raises:
            KeyError: The entry has no such fact.
        """
        values = list(self._values[name])
        if name in _ONE_OF:
            page.add(page.pick(values))
            return
        if len(values) > 1:
            values.sort(key=lambda _: page.random())
        separator = "、" if page.random() < 0.7 else "・"
        page.add(separator.join(values[:4]))


def usable(templates: Sequence[Template], values: Values) -> list[Template]:
    """Return the templates whose every slot has a fact."""
    return [
        one
        for one in templates
        if all(values.get(name) for name in _SLOT_NAMES.findall(one.source))
    ]


def _singular(values: Iterable[str], random: Callable[[], float]) -> tuple[str, ...]:
    every = tuple(values)
    return (every[int(random() * len(every))],) if every else ()


def disease_values(
    facts: Facts, known: KnownDisease, random: Callable[[], float]
) -> dict[str, tuple[str, ...]]:
    """Return what is known about a disease; dose and class are those of one and the same drug."""
    entry = known.entry
    siblings = [one.entry.name for one in facts.siblings[entry.department] if one is not known]
    drug = known.drugs[int(random() * len(known.drugs))] if known.drugs else None
    return {
        "name": (entry.name,),
        "reading": _some(entry.reading),
        "icd10": _some(entry.icd10),
        "department": _some(entry.department),
        "synonyms": entry.synonyms[:3],
        "body_part": _some(entry.body_part),
        "cause": _some(entry.cause),
        "symptoms": entry.symptoms,
        "symptom": entry.symptoms,
        "tests": entry.tests,
        "test": entry.tests,
        "drugs": entry.drugs,
        "drug": (drug.name,) if drug else (),
        "drug_class": _some(drug.drug_class) if drug else (),
        "dose": _singular(drug.doses, random) if drug else (),
        "other": _singular(siblings, random),
    }


def drug_values(
    facts: Facts, drug: Drug, random: Callable[[], float]
) -> dict[str, tuple[str, ...]]:
    """Return what is known about a drug."""
    indications = drug.diseases or facts.indications.get(drug.name, ())
    same_class = [one.name for one in facts.classes[drug.drug_class] if one is not drug]
    return {
        "name": (drug.name,),
        "reading": _some(drug.reading),
        "synonyms": drug.synonyms[:3],
        "drug_class": _some(drug.drug_class),
        "dose": _singular(drug.doses, random),
        "indications": tuple(indications),
        "indication": tuple(indications),
        "other_drugs": tuple(sorted(same_class, key=lambda _: random()))[:3],
    }


def test_values(
    facts: Facts, test: Test, random: Callable[[], float]
) -> dict[str, tuple[str, ...]]:
    """Return what is known about a test."""
    diseases = facts.tested.get(test.name, ())
    has_range = test.low is not None and test.high is not None and test.kind in _MEASURED
    return {
        "name": (test.name,),
        "reading": _some(test.reading),
        "synonyms": test.synonyms[:3],
        "kind": _some(_KINDS.get(test.kind, "")),
        "unit": _some(test.unit),
        "range": (range_of(test),) if has_range else (),
        "low": (f"{number(test, test.low)}{test.unit}",) if has_range and test.low else (),
        "high": (f"{number(test, test.high)}{test.unit}",) if has_range else (),
        "diseases": tuple(diseases),
        "disease": tuple(diseases),
    }


def _some(value: str) -> tuple[str, ...]:
    return (value,) if value else ()


def number(test: Test, value: float | None) -> str:
    """Return a limit with the decimals of its test."""
    return f"{value or 0:.{test.decimals or 0}f}"


def range_of(test: Test) -> str:
    """Return the reference range as people write it: from low to high, or a limit alone."""
    unit = test.unit or ""
    space = " " if unit and unit != "%" else ""
    if not test.low:
        return f"{number(test, test.high)}{space}{unit}以下"
    return f"{number(test, test.low)}〜{number(test, test.high)}{space}{unit}"
