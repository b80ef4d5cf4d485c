"""Real text and terms for the training of the network: what is no identifier.

Text of ministries, statutes and open courses in which hardly anybody is named, and lists of
diseases, drugs, foods and societies; all of them may be used for any purpose (`TEXTS`, `TERMS`;
what is non-commercial or share-alike, and all under `eval`, stays out). What the rules find there
teaches nothing, neither that it is an identifier nor that it is none.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from planted import Planted, Span

from rinsho.text.identifier_given_names import is_given
from rinsho.text.identifier_name_words import read_words
from rinsho.text.identifier_surnames import is_surname
from rinsho.text.identifiers import find_identifiers
from rinsho.text.normalize import normalize

# Under `text/medical`: license, and how often a piece is of it.
TEXTS = {
    "mhlw_nanbyo": ("PDL1.0", 8),
    "mhlw_fee_schedule": ("PDL1.0", 4),
    "gov_covid19_2020": ("PDL1.0", 1),
    "health_laws_2026": ("none: Copyright Act, art. 13", 2),
    "health_laws_2013": ("none: Copyright Act, art. 13", 1),
    "med_student_notes": ("MIT", 2),
    "medical_ai_course": ("MIT", 1),
    "book_of_ohdsi_ja": ("CC0-1.0", 1),
}
# Under `lexicon`: license, column (a name, or a number where there is no head), how often drawn.
TERMS: dict[str, tuple[str, str | int, int]] = {
    "j_medic_complexity.csv.gz": ("CC BY 4.0, EhimeNLP/J-MeDic-Complexity", "出現形", 5),
    "mhlw_drug_price_20250716.csv": ("PDL1.0, MHLW", "品名", 4),
    "dpc_icd10_20240601.csv": ("MIT, code4fukui/dpc-words; PDL1.0, MHLW", "ICD名称", 1),
    "nando_labels_20250826.csv": ("CC BY 4.0, aidrd/nanbyodata", "label_ja", 1),
    "food_composition_2020/body.csv": ("CC BY 4.0, MEXT", 3, 1),
    "medical_societies_master.csv": ("CC BY 4.0, KazuyukiGui", "略称", 1),
    "medical_qualifications_master.csv": ("CC BY 4.0, KazuyukiGui", "資格名称", 1),
}
_N_ORDINARY = 6  # how often a word of the IPA dictionary is drawn
_N_PIECES = 6_000
_LONGEST_TERM = 12  # characters
_LINES = (
    *("{a}：{b}", "{a}: {b}", "{a}　{b}", "{a} {b}", "・{a}", "{a}", "{a}、{b}、{c}", "{a}（{b}）"),
    *("|{a}|{b}|", "|{a}|{b}|{c}|", "{a},{b},{c}", "{a}\t{b}", "{a}/{b}", "【{a}】{b}", "{a}→{b}"),
    *("<{a}>{b}</{a}>", '"{a}":"{b}"', "{a}={b}", "{a}^{b}^{c}", "{a}|{b}|{c}", "({a}) {b}"),
    *("{a}「{b}」", "{a}\n{b}", "{a}\n・{b}\n・{c}", "{a}の{b}。", "{a}、{b}あり。", "■{a}　{b}"),
    *("{a}は{b}。", "{a}に{b}。", "{a} {n} {b} {n}", "{n} {a}", "{n}. {a}", "{a}{n}", "{a}（{n}）"),
)


@dataclass(slots=True)
class RealText:
    """Draws pieces of text, and lines of terms."""

    random: random.Random
    pieces: Sequence[Planted]
    terms: Sequence[Sequence[str]]
    weights: Sequence[int]

    @classmethod
    def read(cls, data: Path, seed: int = 0) -> RealText:
        """Read the sources of the data folder and choose the pieces."""
        chance = random.Random(f"real/{seed}")
        terms = [list(_terms(data / "lexicon" / name, TERMS[name][1])) for name in TERMS]
        weights = [n for _, _, n in TERMS.values()]
        pieces = list(_pieces(data / "text" / "medical", chance))
        return cls(chance, pieces, [*terms, _ordinary_words()], [*weights, _N_ORDINARY])

    def piece(self) -> Planted:
        """Return 60 to 500 characters as they stand."""
        return self.random.choice(self.pieces)

    def line(self) -> Planted:
        """Return terms where a label, a value, a cell or an item of a list would stand."""
        text = self.random.choice(_LINES)
        for slot in "abc":
            text = text.replace(f"{{{slot}}}", self.term())
        return Planted(text.replace("{n}", str(self.random.randint(1, 99))), ())

    def term(self) -> str:
        """Return a term of the lists, or one or two ordinary words."""
        (terms,) = self.random.choices(self.terms, self.weights)
        word = self.random.choice(terms)
        if terms is self.terms[-1] and self.random.random() < 0.4:
            word += self.random.choice(terms)
        return word


def _pieces(folder: Path, chance: random.Random) -> Iterator[Planted]:
    documents = {name: list(_documents(folder / f"{name}.jsonl.gz")) for name in TEXTS}
    names = chance.choices(list(TEXTS), [n for _, n in TEXTS.values()], k=_N_PIECES)
    for name in names:
        lines = chance.choice(documents[name]).split("\n")
        first, wanted = chance.randrange(len(lines)), chance.randint(60, 500)
        text = "\n".join(lines[first : first + 40])[:wanted]
        found = find_identifiers(text)
        yield Planted(text, tuple(Span(one.start, one.end, "?") for one in found))


def _documents(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield normalize(json.loads(line)["text"])


def _terms(path: Path, column: str | int) -> Iterator[str]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig")
    rows = csv.reader(io.StringIO(text))
    place = next(rows).index(column) if isinstance(column, str) else column
    for row in rows:
        if 1 < len(row[place]) <= _LONGEST_TERM and not _is_a_name(row[place]):
            yield row[place]


def _ordinary_words() -> list[str]:
    """Return the words of two kanji of the IPA dictionary that are no names."""
    words = [one[0] + second for one in read_words("words_ipadic") for second in one[1:]]
    return [one for one in words if not _is_a_name(one)]


def _is_a_name(word: str) -> bool:
    return is_surname(word) or is_given(word)
