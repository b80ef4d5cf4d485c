"""The network beside the rules: forms no rule foresaw, exact offsets, nothing of the rules lost."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rinsho.clinical.deidentify import Replacing, deidentify
from rinsho.clinical.notes import Note
from rinsho.text.identifier_network import REACH, read_network
from rinsho.text.identifier_signs import COLUMNS, signs
from rinsho.text.identifiers import Identifier, find_identifiers
from rinsho.text.learned_identifiers import find_with_network

# Typed for this test, in no set of planted forms: ⟦what the rules leave⟧.
UNFORESEEN = (
    "お呼び出し札 ⟦7731904⟧",
    "診察台帳 ≫ ⟦00-41872⟧",
    "照会キー{⟦A7-55310⟧}",
    "いえでん ⟦〇九二の八一二の四四五五⟧",
    "呼名「⟦とよしま⟧」",
    "送迎係/⟦豊嶋⟧",
    "機体番 ⟦QF88-0192-7⟧",
    "組合符号 ⟦31-40072⟧",
    "通う学校 ⟦ひばりが丘南小⟧",
)
# Typed for this test too: nothing here is an identifier.
PLAIN = (
    "CRP 3.2mg/dL、WBC 8800、Hb 11.2、Plt 21.3万、HbA1c 7.1%。",
    "アムロジピン5mg 1錠 分1 朝食後 28日分。メトホルミン250mg 3錠 分3。",
    "血圧128/76、脈72、体温36.8℃、SpO2 97%(室内気)。",
    "腹部CTで肝S8に12×15mmの低吸収域を認める。",
    "GCS E4V5M6、JCS 0、瞳孔3mm/3mm。術後3日目、経過良好。",
    "パーキンソン病 Hoehn-Yahr 3度。川崎病の既往なし。",
    "診療科: 内科、病棟: 東3階、区分: 再診、転帰: 軽快、続柄: 次男。",
    "|判定|要精査|部位|右肺上葉|所見|石灰化|",
    "担当: 未定、主治医: 交代予定、記載者: 同上、家族: 長男夫婦。",
    "本症は常染色体潜性遺伝形式をとり、2012年に原因遺伝子が同定された。",
)
PARTS = (
    *("患者氏名: 山田 太郎 様", "TEL 03-1234-5678", "生年月日 昭和50年1月2日", "CRP 3.2mg/dL"),
    *("[氏名]様は", "送迎係/豊嶋", "\n", " ", "照会キー{A7-55310}", "担当 佐藤看護師", "2024/5/1"),
)


def unmark(text: str) -> tuple[str, int, int]:
    start, end = text.index("⟦"), text.index("⟧") - 1
    return text.replace("⟦", "").replace("⟧", ""), start, end


@pytest.mark.parametrize("marked", UNFORESEEN)
def test_a_form_that_the_rules_leave_is_found_to_its_ends(marked: str) -> None:
    text, start, end = unmark(marked)
    assert find_identifiers(text) == ()
    assert [(one.start, one.end) for one in find_with_network(text)] == [(start, end)]


@pytest.mark.parametrize("text", PLAIN)
def test_values_doses_and_eponyms_are_no_identifiers(text: str) -> None:
    assert find_with_network(text) == ()


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(PARTS), max_size=9))
def test_what_the_rules_find_stays_and_nothing_overlaps(parts: list[str]) -> None:
    text = "、".join(parts)
    found = find_with_network(text)
    assert set(find_identifiers(text)) <= set(found)
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))
    place = text.find("[氏名]")
    assert place < 0 or not any(one.start < place + 4 and place < one.end for one in found)
    assert found == find_with_network(text)


def test_only_the_kinds_that_are_wanted_are_found() -> None:
    text = "照会キー{A7-55310}、送迎係/豊嶋"
    kinds = {one.kind for one in find_with_network(text, ("name",))}
    assert kinds == {"name"}


def test_the_answer_does_not_depend_on_the_window_it_is_computed_in() -> None:
    network = read_network()
    piece = "送迎係/豊嶋、照会キー{A7-55310}\nCRP 3.2mg/dL。"
    before = "体温36.8℃。\n" * 600  # more characters than one window holds
    likely_NK, begins_N = network.read(before + piece + "\n" + before)
    alone_NK, alone_N = network.read("体温36.8℃。\n" * 9 + piece + "\n" + "体温36.8℃。\n" * 9)
    start, other = len(before), len("体温36.8℃。\n") * 9
    n = len(piece)
    assert other > REACH
    np.testing.assert_allclose(likely_NK[start : start + n], alone_NK[other : other + n], atol=1e-5)
    np.testing.assert_allclose(begins_N[start : start + n], alone_N[other : other + n], atol=1e-5)


def test_signs_stay_below_the_numbers_of_their_values() -> None:
    seen = signs("あ" * 90 + "\n氏名 山田太郎 ABC-123\t、。𠮷\0ｱ①" + "1" * 90)
    assert (seen >= 0).all()
    assert (seen.max(axis=0) < np.array(list(COLUMNS.values()))).all()
    assert signs("").shape == (0, len(COLUMNS))


def test_an_empty_text_holds_nothing() -> None:
    assert find_with_network("") == ()


def test_notes_are_deidentified_with_the_network_unless_rules_alone_are_wanted() -> None:
    note = Note("1", "送迎係／豊嶋\r\n照会キー｛Ａ７－５５３１０｝")
    assert deidentify(note, Replacing(rules_only=True)).text == note.text
    result = deidentify(note)
    found = [Identifier(one.start, one.end, one.kind) for one in result.replacements]
    assert [note.text[one.start : one.end] for one in found] == ["豊嶋", "Ａ７－５５３１０"]
    assert "豊嶋" not in result.text and "Ａ７" not in result.text
