"""The one form of a text, and the way back to the original."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rinsho.text import normalize as room
from rinsho.text.normalize import normalize, normalize_with_offsets

# Characters that folding, removal, composition and planes beyond the first one touch.
TRICKY = (
    "Ａｚ１　ｶﾞﾊﾟﾞﾟｰ｡⽤⻄\u200b\u200d\ufeff\u2581\r\n\t\x00\x0c\u2028か\u3099゚"
    "e\u0301\u0344가ᄀ\u1161\u11a8𠮷😀👨‍👩‍👧"
    "Å①㎎℃Ⅲ³髙﨑神葛\U000e0100\ud800\udc00"
)
texts = st.text(st.one_of(st.sampled_from(TRICKY), st.characters()), max_size=40)


@given(texts)
def test_normalizing_twice_is_normalizing_once(text: str) -> None:
    assert normalize(normalize(text)) == normalize(text)


@given(texts)
def test_offsets_are_monotone_in_range_and_as_long_as_the_text(text: str) -> None:
    normalized = normalize_with_offsets(text)
    assert normalized.text == normalize(text)
    assert normalized.offsets.shape == (len(normalized.text), 2)
    starts, ends = normalized.offsets[:, 0], normalized.offsets[:, 1]
    assert (starts < ends).all() and (starts >= 0).all() and (ends <= len(text)).all()
    assert (starts[1:] >= starts[:-1]).all() and (ends[1:] >= ends[:-1]).all()


@given(texts, texts, texts)
def test_a_span_of_plain_text_points_at_itself_in_the_original(
    before: str, after: str, word: str
) -> None:
    term = "糖尿病" + "".join(c for c in word if "一" <= c <= "龠") + "型"
    text = f"{before}、{term}。{after}"
    normalized = normalize_with_offsets(text)
    # The comma and the full stop are what nothing composes with: the term lies between them.
    start = len(normalize(before + "、"))
    assert normalized.text[start : start + len(term)] == term
    first, last = normalized.to_original(start, start + len(term))
    assert text[first:last] == term


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("１０³／μＬ", "10³/μL"),
        ("①発熱　②咳嗽", "①発熱 ②咳嗽"),
        ("５㎎、３６．８℃、NYHA Ⅲ", "5㎎、36.8℃、NYHA Ⅲ"),
        ("髙﨑さん、𠮷田さん", "髙﨑さん、𠮷田さん"),
        ("ﾍﾞｰﾀ遮断薬", "ベータ遮断薬"),
        ("使⽤", "使用"),
        ("一行\r\n二行\r三行", "一行\n二行\n三行"),
        ("糖\u200b尿\ufeff病\x00", "糖尿病"),
        ("か\u3099ん", "がん"),
        ("\u2581", "_"),
        ("\ud83d", "\ufffd"),
        ("", ""),
    ],
)
def test_width_is_folded_and_meaning_is_kept(text: str, expected: str) -> None:
    assert normalize(text) == expected


def test_the_offsets_of_joined_characters_cover_all_their_parts() -> None:
    normalized = normalize_with_offsets("😀か\u3099ﾊﾟ\u200b𠮷")
    assert normalized.text == "😀がパ𠮷"
    assert [normalized.to_original(i, i + 1) for i in range(4)] == [(0, 1), (1, 3), (3, 5), (6, 7)]


def test_an_empty_span_points_at_one_place() -> None:
    normalized = normalize_with_offsets("\u200bあ\u200b")
    assert normalized.to_original(0, 0) == (1, 1)
    assert normalized.to_original(1, 1) == (2, 2)
    assert normalize_with_offsets("\u200b").to_original(0, 0) == (0, 0)


def test_the_joining_starters_are_those_of_the_unicode_tables() -> None:
    seconds: set[str] = set()
    for code in range(0x110000):
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            second = chr(int(parts[1], 16))
            if unicodedata.combining(second) == 0:
                pair = chr(int(parts[0], 16)) + second
                if unicodedata.normalize("NFC", pair) != pair:
                    seconds.add(second)
    hangul = {chr(c) for c in (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))}
    assert seconds | hangul <= room._JOINING  # pyright: ignore[reportPrivateUsage]
