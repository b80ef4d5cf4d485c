"""Time expressions: what is one, where it ends, and what only looks like one."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rinsho.text.procedures import find_procedures
from rinsho.text.times import find_times


def times(text: str) -> list[str]:
    return [text[span.start : span.end] for span in find_times(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("3日前から発熱", ["3日前"]),
        ("術後5日目に抜糸、入院第3病日より解熱", ["術後5日目", "入院第3病日"]),
        ("入院時および退院後", ["入院時", "退院後"]),
        ("発症後3ヶ月で再燃", ["発症後3ヶ月"]),
        ("2024年3月5日 10:30に受診", ["2024年3月5日 10:30"]),
        ("令和6年3月上旬、H30年より", ["令和6年3月上旬", "H30年"]),
        ("X年5月に受診、X-2年に診断", ["X年5月", "X-2年"]),
        ("20XX年4月から", ["20XX年4月"]),
        ("昨日の夕方から腹痛、翌朝も持続", ["昨日の夕方", "翌朝"]),
        ("10月3日(火)朝に転倒", ["10月3日(火)朝"]),
        ("約2週間後に再診、数年前の検診", ["2週間後", "数年前"]),
        ("妊娠32週3日、日齢5、在胎39週", ["妊娠32週3日", "日齢5", "在胎39週"]),
        ("45歳時に診断、75歳の男性", ["45歳時"]),
        ("7日間投与し、3コース目を開始", ["7日間", "3コース目"]),
        ("3/5より咳嗽", ["3/5"]),
        ("現病歴:11/3に発熱", ["11/3"]),
        ("化学療法開始前、術前", ["化学療法開始前", "術前"]),
        ("手術前日、術前後", ["手術前日", "術前後"]),
    ],
)
def test_what_says_when_is_a_time(text: str, found: list[str]) -> None:
    assert times(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("胃全摘術後である", ["胃全摘術後"]),
        ("CABG術後3日目に抜管", ["CABG術後3日目"]),
        ("PCI後に再狭窄、PCI施行前", ["PCI後", "PCI施行前"]),
        ("血液透析導入後5年、腎移植後3年", ["血液透析導入後5年", "腎移植後3年"]),
        ("開頭血腫除去術後10日、虫垂切除術中の出血", ["開頭血腫除去術後10日", "虫垂切除術中"]),
        ("右人工股関節置換術前日", ["右人工股関節置換術前日"]),
        ("S状結腸切除、術後5日目", ["術後5日目"]),
        ("胃切除後症候群、手術後遺症、維持透析中", []),
    ],
)
def test_a_time_that_is_told_by_a_procedure_holds_it(text: str, found: list[str]) -> None:
    spans = find_times(text, find_procedures(text))
    assert [text[span.start : span.end] for span in spans] == found


@pytest.mark.parametrize(
    "text",
    [
        "MMT 3/5、4/5",
        "血圧 120/80mmHg",
        "CRP 3.2mg/dL",
        "前壁、後方、背側",
        "手術室",
        "3回の下痢",
        "50mg 2錠",
    ],
)
def test_fractions_sites_and_amounts_are_none(text: str) -> None:
    assert times(text) == []


@given(text=st.text(alphabet="3月5日前後術入院時年XH/.〜 から:間", max_size=40))
def test_no_two_overlap_and_all_lie_in_the_text(text: str) -> None:
    spans = find_times(text)
    assert all(0 <= s.start < s.end <= len(text) for s in spans)
    assert all(a.end <= b.start for a, b in itertools.pairwise(spans))
