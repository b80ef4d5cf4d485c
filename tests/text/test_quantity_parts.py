"""Parts of doses and results: what is written, where it stands in the original, and whose it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rinsho.clinical.extract import Extractor, load_extractor, spans_to_json
from rinsho.evaluation.demo_notes import read_notes
from rinsho.text.lexicon import read_demo_lexicon
from rinsho.text.quantity_parts import Quantity, find_quantities
from rinsho.text.spans import Span


@pytest.fixture(scope="module")
def dictionary() -> Extractor:
    return load_extractor(None)


def parts(quantity: Quantity, text: str) -> list[tuple[str, str]]:
    return [(part.kind, text[part.start : part.end]) for part in quantity.parts]


def only(dictionary: Extractor, text: str) -> tuple[Quantity, ...]:
    (found,) = find_quantities(text, dictionary.spans(text)).values()
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "ロキソプロフェン60mg 3錠 分3 毎食後 7日分",
            "dose 60mg, dose 3錠, frequency 分3 毎食後, duration 7日分",
        ),
        (
            "アムロジピン５ｍｇ　１日１回　朝食後を内服中。",
            "dose ５ｍｇ, frequency １日１回　朝食後, route 内服",
        ),
        ("フロセミド静注20mg 1日2回", "route 静注, dose 20mg, frequency 1日2回"),
        ("プレドニゾロン 朝1錠 隔日", "frequency 朝, dose 1錠, frequency 隔日"),
        ("メトトレキサート8mg 週1回", "dose 8mg, frequency 週1回"),
        ("モルヒネ 5mg/h 持続皮下注", "dose 5mg/h, route 持続皮下注"),
        ("フルチカゾン 1回1噴霧 1日2回 点鼻", "dose 1回1噴霧, frequency 1日2回, route 点鼻"),
        (
            "ベタメタゾン 12mg 筋注 24時間毎",
            "dose 12mg, route 筋注, frequency 24時間毎",
        ),
        ("ベラパミル 5mg 緩徐に静注の指示。", "dose 5mg, route 静注"),
        ("クエチアピン 25mg 1T 頓用。", "dose 25mg, dose 1T, frequency 頓用"),
        ("酸化マグネシウム 1〜2錠 便秘時", "dose 1〜2錠, frequency 便秘時"),
        ("ヘパリン類似物質1日2回塗布。", "frequency 1日2回, route 塗布"),
    ],
)
def test_a_dosage_has_dose_route_and_frequency(
    dictionary: Extractor, text: str, expected: str
) -> None:
    (dosage,) = only(dictionary, text)
    assert ", ".join(f"{kind} {words}" for kind, words in parts(dosage, text)) == expected


@pytest.mark.parametrize(
    ("text", "value", "unit", "numbers"),
    [
        ("ＣＲＰ　１２．８ｍｇ／ｄＬ", "１２．８", "ｍｇ／ｄＬ", (12.8,)),
        ("血圧は128/76mmHg", "128/76", "mmHg", (128, 76)),
        ("WBC 12×10³/μL", "12", "×10³/μL", (12,)),
        ("Plt 9.8万、", "9.8", "万", (9.8,)),
        ("便中カルプロテクチン 62 μg/g", "62", "μg/g", (62,)),
        ("体重 -2kg。", "-2", "kg", (-2,)),
        ("体重　－２ｋｇ。", "－２", "ｋｇ", (-2,)),
        ("体温36.5-37.2℃", "36.5-37.2", "℃", (36.5, 37.2)),
        ("BNP 840→312 pg/mL", "840→312", "pg/mL", (840, 312)),
        ("CK 2,860 U/L", "2,860", "U/L", (2860,)),
        ("HbA1c <5.0%", "<5.0", "%", (5,)),
        ("eGFR 52、", "52", "", (52,)),
        ("尿蛋白 3+。", "3+", "", ()),
    ],
)
def test_a_result_has_its_value_and_its_whole_unit(
    dictionary: Extractor, text: str, value: str, unit: str, numbers: tuple[float, ...]
) -> None:
    (result,) = only(dictionary, text)
    assert parts(result, text) == [("value", value), *([("unit", unit)] if unit else [])]
    assert result.parts[0].numbers == numbers


def test_a_changed_dose_is_two_dosages_and_a_frequency_behind_a_particle_is_none(
    dictionary: Extractor,
) -> None:
    text = "カルビドパ 300mg 分3から400mg 分4へ増量。"
    assert [parts(one, text) for one in only(dictionary, text)] == [
        [("dose", "300mg"), ("frequency", "分3")],
        [("dose", "400mg"), ("frequency", "分4")],
    ]
    assert len(only(dictionary, "デュロキセチン60mgを1日1回。")) == 1


def test_nothing_belongs_to_a_drug_or_test_of_another_sentence_or_line(
    dictionary: Extractor,
) -> None:
    for text in ("アスピリンを中止。1日3回 5mg", "CRP再検\n体温の記載なく38.2℃"):
        owners = {
            text[span.start : span.end] for span in find_quantities(text, dictionary.spans(text))
        }
        assert not owners & {"アスピリン", "CRP"}


def test_the_json_of_a_drug_has_its_dosages_and_other_mentions_stay_as_they_are(
    dictionary: Extractor,
) -> None:
    text = "発熱。アスピリン100mg 1日1回。"
    symptom, drug, dose = spans_to_json(dictionary.spans(text), text)
    (dosage,) = drug.pop("dosages")
    assert dosage == {
        "start": 8,
        "end": 18,
        "dose": [{"start": 8, "end": 13, "text": "100mg", "numbers": [100.0], "unit": "mg"}],
        "frequency": [{"start": 14, "end": 18, "text": "1日1回"}],
    }
    assert all(
        set(o) == {"start", "end", "label", "certainty", "text"} for o in (symptom, drug, dose)
    )


def test_every_notation_of_the_lexicon_is_told_apart_without_a_rest() -> None:
    for words in (dose for drug in read_demo_lexicon().drugs for dose in drug.doses):
        text = f"薬 {words}。"
        drug, dose = Span(0, 1, "drug"), Span(2, 2 + len(words), "dose")
        (dosage,) = find_quantities(text, [drug, dose])[drug]
        covered = {i for part in dosage.parts for i in range(part.start, part.end)}
        assert not {text[i] for i in range(dose.start, dose.end) if i not in covered} - {" ", "・"}


def test_every_dose_of_the_hand_written_notes_is_told_apart() -> None:
    for note in read_notes():
        for quantities in find_quantities(note.text, note.spans).values():
            for quantity in quantities:
                covered = {i for p in quantity.parts for i in range(p.start, p.end)}
                left = "".join(
                    note.text[i] for i in range(quantity.start, quantity.end) if i not in covered
                )
                assert not set(left) & set("0123456789０１２３４５６７８９"), note.id


@given(
    st.text(alphabet="5０分日回mgｍｇ/ 　、。→×³か\u3099静注内服アスピリンCRP\r\n😀", max_size=40)
)
def test_parts_lie_in_their_quantity_whatever_the_text(text: str) -> None:
    for quantities in find_quantities(text, load_extractor(None).spans(text)).values():
        for quantity in quantities:
            assert quantity.parts
            assert all(
                quantity.start <= part.start < part.end <= quantity.end <= len(text)
                for part in quantity.parts
            )
