"""The label that governs a number or a date says of what kind it is, whoever found it."""

import pytest

from rinsho.text.identifier_governing_labels import is_of_no_person, with_kinds_of_labels
from rinsho.text.identifier_kinds import IDENTIFIER_KINDS, Identifier
from rinsho.text.identifiers import find_identifiers


def kinds_of(text, *found):
    """Return the kinds of values of a text that were found as other kinds."""
    spans = [
        Identifier(text.index(value), text.index(value) + len(value), kind) for value, kind in found
    ]
    return [one.kind for one in with_kinds_of_labels(text, spans, IDENTIFIER_KINDS)]


@pytest.mark.parametrize(
    ("text", "value", "found_as", "kind"),
    [
        ("menkyo_no\t208423844282", "208423844282", "record_number", "license_number"),
        ("yubin_no,503-6086", "503-6086", "record_number", "postal_code"),
        ("Patient Identifier G1864401", "G1864401", "passport_number", "record_number"),
        ("性別/生年月日 男/2008-07-25", "2008-07-25", "date", "birth_date"),
        ("birth:\n  date: 1950-03-04", "1950-03-04", "date", "birth_date"),
        ("2002年12月10日(生年月日)", "2002年12月10日", "date", "birth_date"),
        ("41796533(保険者番号)", "41796533", "record_number", "insurance_number"),
        ("19441124生", "19441124", "date", "birth_date"),
        ("271-4337 松戸市根本4-13", "271-4337", "record_number", "postal_code"),
        ("カード裏面の番号 1234 5678 9018", "1234 5678 9018", "record_number", "my_number"),
    ],
)
def test_a_label_changes_the_kind(text, value, found_as, kind):
    assert kinds_of(text, (value, found_as)) == [kind]


@pytest.mark.parametrize(
    ("text", "value", "found_as"),
    [
        ("保険証を提示。番号 12345678", "12345678", "record_number"),  # another sentence
        ("植込み手術記録\n683-4844", "683-4844", "postal_code"),  # a title
        ("免許証番号 AB12", "AB12", "record_number"),  # no license number by its shape
        ("カード裏面の番号 1234 5678 9012", "1234 5678 9012", "record_number"),  # wrong check digit
        ("OBR|1|免許|123456789012", "123456789012", "record_number"),  # fields of HL7
        ("生年月日 不詳 2020/3/4", "2020/3/4", "date"),
    ],
)
def test_a_kind_stays_where_no_label_governs(text, value, found_as):
    assert kinds_of(text, (value, found_as)) == [found_as]


def test_values_of_a_row_are_skipped():
    text = "氏名・生年月日 王野ツル 昭和61年10月9日"
    found = [("王野ツル", "name"), ("昭和61年10月9日", "date")]
    assert kinds_of(text, *found) == ["name", "birth_date"]


def test_a_bare_number_behind_the_symbol_of_a_card_is_of_the_card():
    found = [("9356", "insurance_number"), ("08244", "record_number")]
    assert kinds_of("Symbol 9356 Number 08244", *found) == ["insurance_number"] * 2


def test_a_number_in_the_place_of_another_is_of_its_kind():
    found = [("743794", "record_number"), ("193906", "insurance_number")]
    assert kinds_of("患者IDを743794から193906へ統合", *found) == ["record_number"] * 2


def test_only_wanted_kinds_are_given():
    one = Identifier(10, 22, "record_number")
    assert with_kinds_of_labels("menkyo_no\t208423844282", [one], ["record_number"]) == (one,)


def test_codes_of_things_are_no_numbers_of_a_person():
    for text, is_none in (("YJコード 9429986F5558", True), ("患者コード 94299865", False)):
        one = Identifier(text.index(" ") + 1, len(text), "record_number")
        assert is_of_no_person(text, one) is is_none


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("長女亮、次女美咲。", [("亮", "name"), ("美咲", "name")]),
        ("息子トシと同居", [("トシ", "name")]),
        ("母体は安定、妻子あり、父親の希望", []),
        ("(畑中)090-8506-1111", [("畑中", "name"), ("090-8506-1111", "phone")]),
        ("ナカムラレイ 様", [("ナカムラレイ", "name")]),
        (
            '<id extension="44186096" root="1.2.392.200119.6.101"/>',
            [("44186096", "insurance_number")],
        ),
        (
            "JAHIS9\n22,32100620\n23,6852,209456,1",
            [(one, "insurance_number") for one in ("32100620", "6852", "209456")],
        ),
        ("22,32100620\n23,6852,209456,1", []),
        ("生年月日 ショウワ63ネン5ガツ19ニチ", [("ショウワ63ネン5ガツ19ニチ", "birth_date")]),
        ("lot_no: DL06668", [("DL06668", "device_number")]),
        ("症例HE-326は中止", [("HE-326", "record_number")]),
    ],
)
def test_rules_for_notes_find_these(text, found):
    assert [(text[one.start : one.end], one.kind) for one in find_identifiers(text)] == found
