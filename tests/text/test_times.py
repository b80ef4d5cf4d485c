"""Time expressions: what is one, where it ends, and what only looks like one."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        ("化学療法開始前、術前", ["化学療法開始前", "術前"]),
    ],
)
def test_what_says_when_is_a_time(text: str, found: list[str]) -> None:
    assert times(text) == found


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
