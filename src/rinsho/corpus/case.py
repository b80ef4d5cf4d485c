"""A case: one invented patient whose disease, complaints, tests and drugs fit together.

Slots of templates ask the case for the next mention. What is present, absent, feared or weighed as
another diagnosis comes from pools that share no term, so that no note contradicts itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from rinsho.corpus.facts import Facts, KnownDisease
from rinsho.corpus.measure import Vitals, draw_value, write_qualitative
from rinsho.corpus.page import Page
from rinsho.text.lexicon import GENERIC_CLASS, Disease, Drug, Symptom, Test

T = TypeVar("T")
_N_TRIES = 30


class _Round(Generic[T]):
    """A list that is gone round in a random order: neighbours in a text are never the same."""

    def __init__(self, entries: Sequence[T], random: Callable[[], float]) -> None:
        self._random, self._next = random, 0
        self._left, self._order = list(entries), list[T]()

    def draw(self) -> T:
        if self._left:
            self._order.append(self._left.pop(int(self._random() * len(self._left))))
        one = self._order[self._next % len(self._order)]
        self._next += 1
        return one


class Case:
    """One invented patient; fills the slots of a note's templates."""

    def __init__(self, facts: Facts, disease: KnownDisease, page_random: Callable[[], float]):
        self.facts, self.disease, self.department = facts, disease, disease.group
        self.supply: Mapping[str, int] = {
            "symptom": max(1, len(disease.symptoms)),
            "drug": max(1, len(disease.drugs)),
            "test": max(1, len(disease.tests)),
        }
        is_child = disease.group == "pediatrics"
        self.age = int(1 + page_random() * 13) if is_child else int(20 + page_random() * 72)
        if "妊娠" in disease.entry.name or "産" in disease.entry.name:
            self.age = int(20 + page_random() * 22)
        self.sex = disease.sex or ("男性", "女性")[int(page_random() * 2)]
        self._symptoms = _Round(disease.symptoms or facts.lexicon.symptoms[:3], page_random)
        self._drugs = _Round(disease.drugs or facts.dosed, page_random)
        self._tests = _Round(disease.tests or facts.measured, page_random)
        self._routine = _Round(facts.routine, page_random)
        chronic = [one for one in facts.chronic if one.sex in ("", self.sex)]
        self._comorbidities = _Round(chronic or facts.treated, page_random)
        self._comorbidity = disease
        siblings = [one for one in facts.siblings[disease.entry.department] if one is not disease]
        self._differentials = _Round(siblings or facts.diseases, page_random)
        self._test: Test | None = None
        self._drug: Drug | None = None
        self.stated = {
            surface
            for one in (*disease.symptoms, disease.entry)
            for surface in (one.name, *one.synonyms, *one.related)
        }
        self.vitals = Vitals(page_random, "発熱" in self.stated, is_child)

    def fill(self, name: str, certainty: str | None, page: Page) -> None:
        """Write one slot with its mark.

        Raises:
            KeyError: No slot has that name.
        """
        _SLOTS[name](self, certainty, page)

    # ------------------------------------------------------------------ diseases, complaints

    def write_disease(self, certainty: str | None, page: Page) -> None:
        """Write the main disease."""
        page.add_marked(_surface(self.disease.entry, page), "disease", certainty or "present")

    def write_symptom(self, certainty: str | None, page: Page) -> None:
        """Write a complaint that the patient has."""
        page.add_marked(
            _wide_surface(self._symptoms.draw(), page), "symptom", certainty or "present"
        )

    def write_absent_symptom(self, certainty: str | None, page: Page) -> None:
        """Write a complaint that the patient does not have."""
        self._write_other_symptom(certainty or "negated", page)

    def write_feared_symptom(self, certainty: str | None, page: Page) -> None:
        """Write a complaint that may come."""
        self._write_other_symptom(certainty or "suspected", page)

    def _write_other_symptom(self, certainty: str, page: Page) -> None:
        surface = ""
        for _ in range(_N_TRIES):
            surface = _wide_surface(self._other_symptom(page), page)
            if not self._is_known(surface, page):
                break
        page.add_marked(surface, "symptom", certainty)

    def _other_symptom(self, page: Page) -> Symptom:
        """Return a complaint of a similar disease, or any: those are what one asks for."""
        if page.random() < 0.8 and (symptoms := self._differentials.draw().symptoms):
            return page.pick(symptoms)
        return page.pick(self.facts.lexicon.symptoms)

    def _is_known(self, surface: str, page: Page) -> bool:
        """Say whether a surface, or one that holds it or lies in it, was mentioned already."""
        known = (*self.stated, *page.stated, *page.denied)
        return any(surface in one or one in surface for one in known)

    def write_differential(self, certainty: str | None, page: Page) -> None:
        """Write another disease that is weighed."""
        self._write_other_disease(certainty or "suspected", page)

    def write_absent_disease(self, certainty: str | None, page: Page) -> None:
        """Write a disease that the patient does not have."""
        self._write_other_disease(certainty or "negated", page)

    def _write_other_disease(self, certainty: str, page: Page) -> None:
        surface = ""
        for _ in range(_N_TRIES):
            other = self._differentials.draw()
            if other.sex not in ("", self.sex):
                other = page.pick(self.facts.diseases)
            surface = _wide_surface(other.entry, page)
            if other.sex in ("", self.sex) and not self._is_known(surface, page):
                break
        page.add_marked(surface, "disease", certainty)

    # ------------------------------------------------------------------ drugs, tests, the rest

    def write_drug(self, certainty: str | None, page: Page) -> None:
        """Write a drug of the disease; the next dose is its dose."""
        self._drug = self._drugs.draw()
        page.add_marked(_surface(self._drug, page), "drug")

    def write_any_drug(self, certainty: str | None, page: Page) -> None:
        """Write a drug for something else, mostly one that is swallowed."""
        self._drug = page.pick(self.facts.oral if page.random() < 0.95 else self.facts.dosed)
        page.add_marked(_surface(self._drug, page), "drug")

    def write_oral_drug(self, certainty: str | None, page: Page) -> None:
        """Write a drug that is swallowed: one of the disease, if it has one."""
        own = [drug for drug in self.disease.drugs if any("食後" in dose for dose in drug.doses)]
        self._drug = page.pick(own or self.facts.oral)
        page.add_marked(_surface(self._drug, page), "drug")

    def write_drug_class(self, certainty: str | None, page: Page) -> None:
        """Write the class of a drug of the disease."""
        drug = self._drugs.draw()
        page.add_marked(drug.drug_class if drug.drug_class != GENERIC_CLASS else drug.name, "drug")

    def write_comorbidity(self, certainty: str | None, page: Page) -> None:
        """Write a common disease that the patient has besides."""
        self._comorbidity = self._comorbidities.draw()
        surface = _surface(self._comorbidity.entry, page)
        page.add_marked(surface, "disease", certainty or "present")

    def write_its_drug(self, certainty: str | None, page: Page) -> None:
        """Write a drug of the last comorbidity."""
        self._drug = page.pick(self._comorbidity.drugs or self.facts.oral)
        page.add_marked(_surface(self._drug, page), "drug")

    def write_dose(self, certainty: str | None, page: Page) -> None:
        """Write a dose of the last drug: its own in a usual notation, or one of its form."""
        doses = self._drug.doses if self._drug else ()
        own = page.pick(doses) if doses else ""
        form = _dose_form(own)
        if form and page.random() < 0.35:
            start = page.length
            page.write_rule(form)
            page.mark(start, "dose", "present")
        else:
            page.add_marked(_vary_dose(own, page), "dose")

    def write_test(self, certainty: str | None, page: Page) -> None:
        """Write a test of the disease; the next value is its value."""
        self._test = self._tests.draw()
        has_range = bool(self._test.high)  # of the name: a neighbouring test has another one
        surface = _surface(self._test, page) if has_range else _wide_surface(self._test, page)
        page.add_marked(surface, "test")

    def write_lab(self, certainty: str | None, page: Page) -> None:
        """Write a laboratory test with a reference range; the next value is its value."""
        test = self._tests.draw() if page.random() < 0.35 else self._routine.draw()
        if test.kind != "laboratory" or not test.high:
            test = self._routine.draw()
        self._test = test
        # Results are told by abbreviations more than by names.
        page.add_marked(page.pick((test.name, *test.synonyms, *test.synonyms)), "test")

    def write_value(self, certainty: str | None, page: Page) -> None:
        """Write a value of the last test."""
        test = self._test
        if test is None or not test.high:
            write_qualitative(test, page)
        else:
            page.add_marked(draw_value(test, page), "value")

    def write_site(self, certainty: str | None, page: Page) -> None:
        """Write a body part, that of the disease or another."""
        site = self.disease.entry.body_part
        if not site or page.random() < 0.6:
            site = page.pick(self.facts.lexicon.body_parts).name
        page.add_marked(site, "body_part")

    def write_age(self, certainty: str | None, page: Page) -> None:
        """Write the age."""
        page.add(str(self.age))

    def write_sex(self, certainty: str | None, page: Page) -> None:
        """Write the sex, a child's as a child's."""
        child = {"男性": "男児", "女性": "女児"}
        page.add(child[self.sex] if self.department == "pediatrics" else self.sex)


Fill = Callable[[Case, str | None, Page], None]


def _vital(name: str) -> Fill:
    def fill(case: Case, certainty: str | None, page: Page) -> None:
        page.add_marked(case.vitals.draw(name, page), "value")

    return fill


_SLOTS: dict[str, Fill] = {
    "disease": Case.write_disease,
    "symptom": Case.write_symptom,
    "absent_symptom": Case.write_absent_symptom,
    "feared_symptom": Case.write_feared_symptom,
    "differential": Case.write_differential,
    "absent_disease": Case.write_absent_disease,
    "comorbidity": Case.write_comorbidity,
    "its_drug": Case.write_its_drug,
    "drug": Case.write_drug,
    "oral_drug": Case.write_oral_drug,
    "any_drug": Case.write_any_drug,
    "drug_class": Case.write_drug_class,
    "dose": Case.write_dose,
    "test": Case.write_test,
    "lab": Case.write_lab,
    "value": Case.write_value,
    "site": Case.write_site,
    "age": Case.write_age,
    "sex": Case.write_sex,
    **{name: _vital(name) for name in Vitals.NAMES},
}


def _surface(entry: Disease | Symptom | Drug | Test, page: Page) -> str:
    """Return the name of an entry or, in four of ten mentions, a synonym or abbreviation."""
    if entry.synonyms and page.random() < 0.4:
        return page.pick(entry.synonyms)
    return entry.name


def _wide_surface(entry: Disease | Symptom | Drug | Test, page: Page) -> str:
    """Return a surface or, in three of ten mentions, a narrower or neighbouring term."""
    if entry.related and page.random() < 0.3:
        return page.pick(entry.related)
    return _surface(entry, page)


# Each is a way to write "5mg 1日1回朝食後": pieces and what stands for them.
_DOSE_FORMS = (
    (),
    (("1日1回", "分1"), ("1日2回", "分2"), ("1日3回", "分3")),
    ((" ", ""),),
    (("朝夕食後", "朝・夕食後"), ("1日1回朝", "朝")),
    (("朝食後", "朝"), ("毎食後", ""), ("夕食後", "夕")),
    (("1日1回朝食後", "朝食後"), ("1日1回", ""), ("1日3回毎食後", "毎食後")),
    ((" 1日", "/日 "),),
)


_AMOUNT = re.compile(r"\d+(?:\.\d+)?(?=mg|g|µg|mL|単位)")
_INJECTION = re.compile("静注|皮下注|筋注|点滴")
_OTHER_ROUTE = re.compile("吸入|貼付|点眼|点鼻|塗布|坐剤|腟|噴霧|外用|枚|舌下|単位|/時|/分|/kg")


def _dose_form(dose: str) -> str:
    """Return the rule that writes other doses of the same route, none for inhalers and the like."""
    if not dose or _OTHER_ROUTE.search(dose):
        return ""
    return "dose_injection" if _INJECTION.search(dose) else "dose_oral"


def _vary_dose(dose: str, page: Page) -> str:
    for old, new in page.pick(_DOSE_FORMS):
        dose = dose.replace(old, new)
    if page.random() < 0.25:
        factor = page.pick((0.5, 2.0))
        dose = _AMOUNT.sub(lambda match: f"{float(match[0]) * factor:g}", dose, count=1)
    return dose.strip()
