"""The one form of a text, and the way back to the original."""

from __future__ import annotations

import unicodedata

import numpy as np
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


def test_the_code_points_that_stay_alone_neither_change_nor_join_others_in_nfc() -> None:
    for first, last in room._STAY_ALONE:  # pyright: ignore[reportPrivateUsage]
        for character in map(chr, range(first, last + 1)):
            assert character not in room._JOINING  # pyright: ignore[reportPrivateUsage]
            assert unicodedata.combining(character) == 0
            assert unicodedata.normalize("NFC", character) == character


# ------------------------------------------------------------------------- all of Unicode

BETWEEN = "\U00020bb7"  # 𠮷: nothing folds to it and nothing composes with it
EVERYTHING = [chr(code) for code in range(0x110000)]
# Full-width ASCII, half-width kana and signs, radicals, the full-width space.
FOLDED = (
    range(0xFF01, 0xFF5F),
    range(0xFF61, 0xFFA0),
    range(0x2E80, 0x2FD6),
    range(0x3000, 0x3001),
)
DOCUMENTED = frozenset(code for codes in FOLDED for code in codes)


@pytest.fixture(scope="module")
def forms() -> dict[str, str]:
    """What every code point becomes when it stands alone between two kanji."""
    pieces = normalize(BETWEEN.join(EVERYTHING)).split(BETWEEN)
    place = EVERYTHING.index(BETWEEN)
    pieces[place : place + 2] = [BETWEEN]  # it is a separator itself: two empty pieces
    return dict(zip(EVERYTHING, pieces, strict=True))


def test_every_code_point_is_normalized_in_one_step(forms: dict[str, str]) -> None:
    joined = BETWEEN.join(form for form in forms.values() if form != BETWEEN)
    assert normalize(joined) == joined
    assert unicodedata.is_normalized("NFC", joined)


def test_no_code_point_but_the_documented_ones_is_folded(forms: dict[str, str]) -> None:
    for character, form in forms.items():
        code = ord(character)
        if code in DOCUMENTED:
            assert form == unicodedata.normalize("NFKC", character), hex(code)
        elif character == "\u2581":
            assert form == "_"
        elif 0xD800 <= code < 0xE000:
            assert form == "\ufffd"
        elif form not in ("", "\n"):
            assert form == unicodedata.normalize("NFC", character), hex(code)


def test_what_is_removed_is_a_control_a_format_or_a_line_end(forms: dict[str, str]) -> None:
    for character, form in forms.items():
        if form == "":
            assert unicodedata.category(character) in ("Cc", "Cf", "Cn"), hex(ord(character))
        elif form == "\n" and character != "\n":
            assert unicodedata.category(character) in ("Cc", "Zl", "Zp"), hex(ord(character))


def test_units_superscripts_circled_numbers_and_house_variants_stay(forms: dict[str, str]) -> None:
    kept = "①⑳³⁴₂²½Ⅲⅳ㎎㎏㎜㎡µμ℃Å髙﨑𠮷塚晴侮㈱㌔…‥－"
    for character in kept.replace("－", ""):
        expected = unicodedata.normalize("NFC", character)  # the ohm sign and the like
        assert forms[character] == expected
    assert "".join(forms[c] for c in "髙﨑①³⁴₂Ⅲ㎎µ") == "髙﨑①³⁴₂Ⅲ㎎µ"


@pytest.mark.parametrize("first", range(0, 0x110000, 0x10000))
def test_the_offsets_of_every_code_point_point_at_itself(first: int) -> None:
    for block in range(first, first + 0x10000, 0x400):
        text = BETWEEN.join(EVERYTHING[block : block + 0x400])
        normalized = normalize_with_offsets(text)
        assert normalized.text == normalize(text)
        starts, ends = normalized.offsets[:, 0], normalized.offsets[:, 1]
        # A mark that NFC takes apart takes its base along: two characters, never more.
        assert set((ends - starts).tolist()) <= {1, 2}
        characters = np.array(list(normalized.text)), np.array(list(text))
        is_between = characters[0] == BETWEEN
        assert (characters[1][starts[is_between]] == BETWEEN).all()


@given(texts)
def test_spans_go_to_the_original_and_back(text: str) -> None:
    normalized = normalize_with_offsets(text)
    n = len(normalized.text)
    for start in range(n):
        for end in range(start + 1, n + 1):
            first, last = normalized.to_normalized(*normalized.to_original(start, end))
            # Characters that came from the same place cannot be told apart.
            assert first <= start and last >= end
            assert normalized.to_original(first, last) == normalized.to_original(start, end)


@given(texts)
def test_pieces_of_the_original_follow_each_other_in_the_normalized_text(text: str) -> None:
    normalized = normalize_with_offsets(text)
    place = 0
    for start in range(len(text)):
        first, last = normalized.to_normalized(start, start + 1)
        assert 0 <= first <= last <= len(normalized.text)
        assert first >= place or normalized.to_original(first, last)[0] < start
        place = max(place, last)
    assert normalized.to_normalized(0, len(text)) == (0, len(normalized.text))


def test_what_was_removed_is_an_empty_span() -> None:
    normalized = normalize_with_offsets("糖\u200b尿病")
    assert normalized.to_normalized(1, 2) == (1, 1)
    assert normalized.to_normalized(0, 3) == (0, 2)
    assert normalized.to_normalized(2, 2) == (1, 1)
