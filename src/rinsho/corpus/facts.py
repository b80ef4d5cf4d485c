"""The lexicon as the grammar uses it: entries by name, by department and by what is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from rinsho.text.lexicon import GENERIC_CLASS, Disease, Drug, Lexicon, Symptom, Test

_GROUPS = {  # a piece of a department's name -> the ending of the rules written for it
    "呼吸": "respiratory",
    "循環": "cardiology",
    "心臓": "cardiology",
    "消化": "gastroenterology",
    "脳": "neurology",
    "神経": "neurology",
    "整形": "orthopedics",
    "小児": "pediatrics",
    "産": "gynecology",
    "婦人": "gynecology",
    "精神": "psychiatry",
    "心療": "psychiatry",
}
_FEMALE = ("子宮", "卵巣", "妊娠", "月経", "腟", "産褥", "閉経", "更年期", "流産", "早産", "外陰")
_MALE = ("前立腺", "精巣", "陰嚢", "陰茎")

# What is measured in every hospital every day.
_ROUTINE = (
    *("WBC", "Hb", "Plt", "CRP", "AST", "ALT", "LDH", "γ-GTP", "ALP", "T-Bil", "TP", "Alb"),
    *("BUN", "Cr", "eGFR", "Na", "K", "Cl", "Ca", "CK", "UA", "血糖", "HbA1c", "LDL-C", "TG"),
    *("Dダイマー", "BNP", "アミラーゼ", "好中球", "プロカルシトニン", "PT-INR", "TSH"),
)
# What patients have besides: common and long.
_CHRONIC = frozenset(
    (
        *("本態性高血圧症", "2型糖尿病", "脂質異常症", "心房細動", "慢性心不全", "慢性腎臓病"),
        *("気管支喘息", "慢性閉塞性肺疾患", "骨粗鬆症", "変形性膝関節症", "関節リウマチ", "痛風"),
        *("逆流性食道炎", "胃潰瘍", "前立腺肥大症", "うつ病", "慢性不眠症", "不眠症", "高尿酸血症"),
        *("アルツハイマー型認知症", "パーキンソン病", "甲状腺機能低下症", "バセドウ病", "狭心症"),
        *("便秘症", "片頭痛", "アトピー性皮膚炎", "アレルギー性鼻炎", "花粉症", "過活動膀胱"),
        *("陳旧性心筋梗塞", "脳梗塞後遺症", "鉄欠乏性貧血", "緑内障", "てんかん", "慢性便秘症"),
    )
)
_READING_ROOMS = ("放射線科", "病理診断科")  # their entries are findings, not what a patient has
_N_USUAL = 15  # a test of more diseases than this is usual: blood count, CRP, CT


class _Entry(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def synonyms(self) -> tuple[str, ...]: ...


E = TypeVar("E", bound=_Entry)


@dataclass(frozen=True, slots=True, eq=False)
class KnownDisease:
    """A disease with the entries that it names, as far as the lexicon has them."""

    entry: Disease
    group: str  # the ending of the rules of its department, "" for others
    sex: str  # 女性, 男性, or "" where it can be both
    symptoms: tuple[Symptom, ...]
    tests: tuple[Test, ...]
    drugs: tuple[Drug, ...]


class Facts:
    """What the lexicon knows, ready for drawing: every list in the order of the lexicon.

    Attributes:
        diseases: Every disease.
        siblings: The diseases of each department.
        measured: Laboratory tests with a reference range.
    """

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self._symptoms = _by_name(lexicon.symptoms)
        self._tests = _by_name(lexicon.tests)
        self._drugs = _by_name(lexicon.drugs)
        self.diseases = tuple(self._known(one) for one in lexicon.diseases)
        self.treated = tuple(one for one in self.diseases if _is_treated(one)) or self.diseases
        self.imaged = tuple(o for o in self.treated if _is_imaged(o)) or self.treated
        chronic = (one for one in self.diseases if one.entry.name in _CHRONIC)
        self.chronic = tuple(one for one in chronic if one.drugs) or self.treated
        self.siblings: dict[str, list[KnownDisease]] = {}
        for one in self.diseases:
            self.siblings.setdefault(one.entry.department, []).append(one)
        self.measured = tuple(t for t in lexicon.tests if t.kind == "laboratory" and t.high)
        routine = (self._tests.get(name) for name in _ROUTINE)
        self.routine = tuple(t for t in routine if t is not None) or self.measured
        self.classes: dict[str, list[Drug]] = {}
        for drug in lexicon.drugs:
            self.classes.setdefault(drug.drug_class, []).append(drug)
        self.indications = self._users(lambda one: one.drugs)
        self.tested = self._users(lambda one: one.tests)
        self.usual_tests = tuple(name for name, of in self.tested.items() if len(of) > _N_USUAL)
        self.specific_drugs = tuple(d for d in lexicon.drugs if d.drug_class != GENERIC_CLASS)
        self.dosed = tuple(drug for drug in self.specific_drugs if drug.doses)
        self.oral = tuple(drug for drug in self.dosed if "食後" in drug.doses[0]) or self.dosed

    def _known(self, entry: Disease) -> KnownDisease:
        group = next((g for piece, g in _GROUPS.items() if piece in entry.department), "")
        sex = "女性" if any(w in entry.name for w in _FEMALE) or group == "gynecology" else ""
        sex = sex or ("男性" if any(w in entry.name for w in _MALE) else "")
        return KnownDisease(
            entry,
            group,
            sex,
            tuple(self._symptoms[name] for name in entry.symptoms if name in self._symptoms),
            tuple(self._tests[name] for name in entry.tests if name in self._tests),
            tuple(self._drugs[name] for name in entry.drugs if name in self._drugs),
        )

    def patients_of(self, kind: str) -> tuple[KnownDisease, ...]:
        """Return the diseases that notes of a kind are about."""
        return self.imaged if kind == "radiology_report" else self.treated

    def same_symptoms(self, name: str) -> tuple[str, ...]:
        """Return every name of a complaint, narrower and neighbouring ones included."""
        found = self._symptoms.get(name)
        return (found.name, *found.synonyms, *found.related) if found else (name,)

    def same_class(self, name: str) -> tuple[str, ...]:
        """Return the drugs of a drug's class."""
        found = self._drugs.get(name)
        return tuple(one.name for one in self.classes[found.drug_class]) if found else (name,)

    def _users(
        self, entries: Callable[[KnownDisease], tuple[Drug, ...] | tuple[Test, ...]]
    ) -> dict[str, tuple[str, ...]]:
        """Return, for each drug or test, the diseases that name it."""
        found: dict[str, list[str]] = {}
        for one in self.diseases:
            for entry in entries(one):
                found.setdefault(entry.name, []).append(one.entry.name)
        return {name: tuple(dict.fromkeys(users)) for name, users in found.items()}


def _is_treated(one: KnownDisease) -> bool:
    return bool(one.symptoms) and one.entry.department not in _READING_ROOMS


def _is_imaged(one: KnownDisease) -> bool:
    return any(test.kind == "imaging" for test in one.tests)


def _by_name(entries: tuple[E, ...]) -> dict[str, E]:
    found: dict[str, E] = {}
    for entry in entries:
        found.setdefault(entry.name, entry)
    for entry in entries:
        for synonym in entry.synonyms:
            found.setdefault(synonym, entry)
    return found
