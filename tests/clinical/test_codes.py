"""Codes: decided only where lists agree on the very name; everything else is a candidate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rinsho.clinical.code_lists import CodedName, embedded_names, master_names
from rinsho.clinical.code_names import compared_form
from rinsho.clinical.code_output import open_index, text_line
from rinsho.clinical.codes import CodeIndex, agreed_code
from rinsho.clinical.extract import Extraction, extract, load_extractor
from rinsho.clinical.notes import Note
from rinsho.errors import BrokenRecord, InvalidValue, NotText, PathMissing
from rinsho.text.lexicon import read_demo_lexicon


@pytest.fixture(scope="module")
def embedded() -> CodeIndex:
    return CodeIndex(embedded_names())


def named(name: str, code: str, source: str = "list") -> CodedName:
    return CodedName(name, name, code, "ICD-10", "condition", "name", source)


def test_every_disease_of_the_lexicon_gets_its_own_code(embedded: CodeIndex) -> None:
    for disease in read_demo_lexicon().diseases:
        if disease.icd10:
            (coding,) = embedded.look_up(disease.name, "condition")
            assert coding.candidates[0].code == disease.icd10
            assert coding.code in (disease.icd10, disease.icd10[:3], "")


def test_width_and_spelling_are_no_difference(embedded: CodeIndex) -> None:
    for written in ("胃癌", "胃がん", "胃ガン", " 胃 癌 "):
        assert embedded.look_up(written, "condition")[0].code == "C16.9"


def test_a_reading_finds_its_name(embedded: CodeIndex) -> None:
    (coding,) = embedded.look_up("きかんしぜんそく", "condition")
    assert (coding.code, coding.candidates[0].how) == ("J45.9", "reading")


def test_modifiers_make_a_candidate_and_never_a_decision(embedded: CodeIndex) -> None:
    (coding,) = embedded.look_up("重症気管支喘息の疑い", "condition")
    assert (coding.status, coding.code) == ("candidates", "")
    assert coding.candidates[0].how == "without modifiers"


def test_a_slip_of_one_character_makes_a_candidate_only(embedded: CodeIndex) -> None:
    (coding,) = embedded.look_up("悪性黒色種", "condition")
    assert (coding.status, coding.code) == ("candidates", "")
    assert 0 < coding.candidates[0].score < 0.75


def test_lists_that_disagree_leave_it_open() -> None:
    index = CodeIndex([named("青竹病", "A01.0", "one"), named("青竹病", "B02.0", "other")])
    (coding,) = index.look_up("青竹病", "condition")
    assert (coding.status, coding.code) == ("ambiguous", "")
    assert {one.source for one in coding.candidates} == {"one", "other"}


def test_lists_that_agree_on_the_category_decide_the_category() -> None:
    index = CodeIndex([named("青竹病", "A01.0"), named("青竹病", "A01.9")])
    assert index.look_up("青竹病", "condition")[0].code == "A01"


def test_a_kind_is_not_looked_up_among_others(embedded: CodeIndex) -> None:
    assert embedded.look_up("胃癌", "drug") == ()


@given(st.text(max_size=40))
def test_any_text_is_answered_and_only_names_are_decided(embedded: CodeIndex, text: str) -> None:
    keys = {compared_form(name.name) for name in embedded_names()}
    for coding in embedded.look_up(text, "condition"):
        assert coding.code == "" or compared_form(text) in keys


def test_agreement_never_cuts_inside_a_level() -> None:
    assert agreed_code("薬価基準", {"2171022F1029", "2171022F2025"}) == "2171022F"
    assert agreed_code("薬価基準", {"2171022F1029", "2179999F2025"}) == ""
    assert agreed_code("HOT9", {"100000101", "100000102"}) == ""


def test_negated_mentions_keep_their_certainty(embedded: CodeIndex) -> None:
    text = "胃癌は否定的。ＣＯＰＤあり。"
    spans = extract(load_extractor(None), text)
    line = json.loads(text_line(embedded, Extraction(Note("a", text), spans, "dictionary"), 3))
    found = [(one["text"], one["certainty"], one["codes"][0]["code"]) for one in line["mentions"]]
    assert found == [("胃癌", "negated", "C16.9"), ("ＣＯＰＤ", "present", "J44.9")]


def write_master(folder: Path, table: bytes, *lines: str) -> Path:
    (folder / "master.csv").write_bytes(table)
    path = folder / "master.toml"
    path.write_text("\n".join(('file = "master.csv"', 'system = "院内"', *lines)), encoding="utf-8")
    return path


def test_a_master_in_cp932_without_a_header_is_read_by_column_numbers(tmp_path: Path) -> None:
    table = "1,青竹病,ｱｵﾀｹﾋﾞｮｳ,X01\r\n2,㈱病,,X02\r\n".encode("cp932")
    keys = ('kind = "condition"', "name = 2", "code = 4", "reading = 3", "has_header = false")
    index = open_index(None, [write_master(tmp_path, table, *keys)])
    ours = {coding.system: coding for coding in index.look_up("アオタケビョウ", "condition")}
    assert (ours["院内"].code, ours["院内"].candidates[0].name) == ("X01", "青竹病")


@pytest.mark.parametrize(
    ("table", "keys", "error"),
    [
        ("名,コード\n青竹病,X1\n", ('name = "病名"', 'code = "コード"'), InvalidValue),
        ("名,コード\n青竹病,X1\n", ('name = "名"', 'code = "コード"', "extra = 1"), InvalidValue),
        ("名,コード\n秘密の病名\n", ('name = "名"', 'code = "コード"'), BrokenRecord),
        ("名,コード\n青竹病,X1\n", ('name = "名"', 'code = 2', 'encoding = "ascii"'), NotText),
    ],
)  # fmt: skip
def test_a_broken_master_is_named_without_its_text(
    tmp_path: Path, table: str, keys: tuple[str, ...], error: type[Exception]
) -> None:
    path = write_master(tmp_path, table.encode("cp932"), 'kind = "condition"', *keys)
    with pytest.raises(error) as caught:
        list(master_names(path))
    assert "master.toml" in str(caught.value)
    assert "秘密" not in str(caught.value)


def test_a_master_outside_its_folder_is_refused(tmp_path: Path) -> None:
    path = write_master(tmp_path, b"", 'kind = "condition"', "name = 1", "code = 2")
    path.write_text(path.read_text("utf-8").replace("master.csv", "../master.csv"), "utf-8")
    with pytest.raises(InvalidValue):
        list(master_names(path))
    with pytest.raises(PathMissing):
        list(master_names(tmp_path / "none.toml"))


@pytest.mark.data
def test_drugs_are_coded_as_far_as_their_name_goes(data_folder: Path) -> None:
    index = open_index(data_folder)
    by_term = {
        "ノルバスク錠5mg": "2171022F2025",  # the product
        "ノルバスク": "2171022F",  # two forms and two strengths of one ingredient by mouth
        "ロキソニン": None,  # tablets and a gel
    }
    for term, code in by_term.items():
        (coding,) = index.look_up(term, "drug")
        assert (coding.code or None) == code
    (coding,) = index.look_up("アムロジピン", "drug", strength="5mg")
    assert coding.code == "2171022F"
    assert "5mg" in coding.candidates[0].name
