"""The embedded lexicon holds together, its codes are official ones, and a user's folder reads."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from rinsho.errors import BrokenRecord, NothingToRead, NotText, PathMissing
from rinsho.text.lexicon import Disease, Lexicon, read_demo_lexicon, read_lexicon
from rinsho.text.normalize import normalize
from rinsho.text.spans import LABELS

LEXICON = read_demo_lexicon()
TABLES = {
    "diseases": LEXICON.diseases,
    "symptoms": LEXICON.symptoms,
    "drugs": LEXICON.drugs,
    "tests": LEXICON.tests,
    "body_parts": LEXICON.body_parts,
}


@pytest.mark.parametrize(
    ("table", "at_least"),
    [("diseases", 300), ("symptoms", 100), ("tests", 60), ("drugs", 200), ("body_parts", 80)],
)
def test_each_table_is_as_large_as_promised(table: str, at_least: int) -> None:
    assert len(TABLES[table]) >= at_least


@pytest.mark.parametrize("table", TABLES)
def test_every_reading_is_hiragana(table: str) -> None:
    wrong = [e.name for e in TABLES[table] if not re.fullmatch(r"[ぁ-ゖー]+", e.reading)]
    assert wrong == []


@pytest.mark.parametrize("table", TABLES)
def test_every_name_is_normalized_and_stands_once(table: str) -> None:
    names = [entry.name for entry in TABLES[table]]
    assert [name for name in names if name != normalize(name).strip()] == []
    assert [name for name, n in Counter(names).items() if n > 1] == []


def test_no_surface_has_two_labels_or_two_entries() -> None:
    surfaces = Counter(
        surface
        for table in TABLES.values()
        for e in table
        for surface in (e.name, *getattr(e, "synonyms", ()), *getattr(e, "related", ()))
    )
    assert [surface for surface, n in surfaces.items() if n > 1] == []


def test_every_reference_names_an_entry() -> None:
    names = {table: {entry.name for entry in entries} for table, entries in TABLES.items()}
    for disease in LEXICON.diseases:
        assert set(disease.symptoms) <= names["symptoms"], disease.name
        assert set(disease.tests) <= names["tests"], disease.name
        assert set(disease.drugs) <= names["drugs"], disease.name
        assert {disease.body_part} <= names["body_parts"] | {""}, disease.name
        assert len(disease.symptoms) != 1, disease.name
    for symptom in LEXICON.symptoms:
        assert {symptom.body_part} <= names["body_parts"] | {""}, symptom.name
    for drug in LEXICON.drugs:
        assert set(drug.diseases) <= names["diseases"], drug.name


def test_most_diseases_have_at_least_two_symptoms() -> None:
    assert sum(len(d.symptoms) >= 2 for d in LEXICON.diseases) >= 300


def test_reference_ranges_have_a_lower_and_a_higher_end() -> None:
    kinds = {"laboratory", "vital", "imaging", "physiology", "pathology", "score", "sign"}
    for test in LEXICON.tests:
        assert test.kind in kinds, test.name
        assert (test.low is None) == (test.high is None), test.name
        assert test.low is None or test.high is None or test.low < test.high, test.name


def test_terms_cover_names_synonyms_and_drug_classes() -> None:
    terms = LEXICON.terms()
    assert terms["慢性閉塞性肺疾患"] == terms["COPD"] == "disease"
    assert terms["CRP"] == "test"
    assert terms["カルシウム拮抗薬"] == "drug"
    assert "総称" not in terms
    assert set(terms.values()) <= set(LABELS)


def test_an_entry_is_found_by_name_and_by_synonym() -> None:
    assert LEXICON.entry("WBC") is LEXICON.entry("白血球数") is not None
    assert LEXICON.entry("肺気腫") is None  # narrower than COPD: not another name of it


# ---------------------------------------------------------------- codes against the official table


def _official_names(data_folder: Path) -> dict[str, str]:
    with (data_folder / "lexicon/dpc_icd10_20240601.csv").open(encoding="utf-8-sig") as file:
        return {row["ICDコード"]: row["ICD名称"] for row in csv.DictReader(file)}


def _official_name(code: str, names: dict[str, str]) -> str | None:
    """Return the name of a code; `J18$` stands for every code that begins with J18."""
    if code in names:
        return names[code]
    return next((names[k] for n in range(len(code), 2, -1) if (k := f"{code[:n]}$") in names), None)


def _forms(name: str) -> set[str]:
    """Return an official name with and without what its brackets hold: 胆のう＜嚢＞炎."""
    name = unicodedata.normalize("NFKC", name)
    without = re.sub(r"<[^>]*>|\[[^\]]*\]", "", name)
    with_kanji = re.sub(r"[ぁ-んァ-ヶー]+<([^>]*)>", r"\1", name)
    kept = {re.sub(r"[()<>\[\]]", "", one) for one in (without, with_kanji)}
    return kept | {re.sub(r"\([^)]*\)", "", one) for one in (without, with_kanji)}


def _fits(disease: Disease, official: str) -> bool:
    words = (disease.icd10_term,) if disease.icd10_term else (disease.name, *disease.synonyms)
    forms = _forms(official)
    return any(
        len(word) > 1 and unicodedata.normalize("NFKC", word) in form
        for word in words
        for form in forms
    )


@pytest.mark.data
def test_every_code_is_official_and_its_official_name_fits_ours(data_folder: Path) -> None:
    names = _official_names(data_folder)
    coded = [disease for disease in LEXICON.diseases if disease.icd10]
    found = {d.name: _official_name(d.icd10.replace(".", ""), names) for d in coded}
    assert [name for name, official in found.items() if official is None] == []
    assert [d.name for d in coded if not _fits(d, found[d.name] or "")] == []
    assert len(coded) >= 300


def test_codes_are_written_in_the_usual_form() -> None:
    codes = [disease.icd10 for disease in LEXICON.diseases if disease.icd10]
    assert [c for c in codes if not re.fullmatch(r"[A-Z]\d\d(\.\d{1,2})?", c)] == []


# ---------------------------------------------------------------- a user's folder


def test_a_folder_of_the_user_reads_with_any_of_the_files(tmp_path: Path) -> None:
    text = "name,synonyms,unit,high\nＣＲＰ,C反応性蛋白;炎症反応,mg/dL,0.14\n"
    (tmp_path / "tests.csv").write_text("\ufeff" + text, "utf-8")
    lexicon = read_lexicon(tmp_path)
    assert lexicon.diseases == ()
    assert lexicon.tests[0].synonyms == ("C反応性蛋白", "炎症反応")
    assert (lexicon.tests[0].name, lexicon.tests[0].low, lexicon.tests[0].high) == (
        "CRP",
        None,
        0.14,
    )


@pytest.mark.parametrize(
    "text",
    [
        "name,brand\nアスピリン,x\n",
        "reading\nあすぴりん\n",
        "name,reading\n,あ\n",
        "name\nアスピリン\nアスピリン\n",
        "name\nアスピリン,x\n",
    ],
)
def test_a_broken_file_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "drugs.csv").write_text(text, "utf-8")
    with pytest.raises(BrokenRecord, match=r"drugs\.csv"):
        read_lexicon(tmp_path)


def test_a_number_that_is_none_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "tests.csv").write_text("name,low\nCRP,多い\n", "utf-8")
    with pytest.raises(BrokenRecord, match=r"tests\.csv line 2, low"):
        read_lexicon(tmp_path)


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "drugs.csv").write_bytes("name\nアスピリン\n".encode("cp932"))
    with pytest.raises(NotText, match=r"drugs\.csv"):
        read_lexicon(tmp_path)


def test_an_empty_or_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NothingToRead):
        read_lexicon(tmp_path)
    with pytest.raises(PathMissing):
        read_lexicon(tmp_path / "none")
    assert Lexicon().terms() == {}
