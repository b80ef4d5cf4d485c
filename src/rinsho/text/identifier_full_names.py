"""Full names that fill a place of their own, without a cue: a cell, a bracket, a line of a list.

A surname and a given name of the dictionary side by side are a person wherever nothing else stands
in the same place: 12:04 城 花子 胃カメラ, [山口 すみれ 12:36], CT_OtaHiroshi_001.jpg.
"""

from __future__ import annotations

import re

from rinsho.text.identifier_anchors import Begin, Rule
from rinsho.text.identifier_given_names import (
    is_given,
    is_like_given,
    is_one_kanji_surname,
    split_full_name,
)
from rinsho.text.identifier_name_reading import NAME_KANJI, NO_GIVEN_LETTER, is_person
from rinsho.text.identifier_name_words import NO_KATAKANA_NAME, NO_NAME
from rinsho.text.identifier_surnames import is_listed, is_surname, surname_pairs

_BEFORE = "\n\t |,[(「『\"'→—–☐□■☑✓・/:;_。、=>}●○◎★-0123456789\0"
_AFTER = (
    r"(?=[\s\0、。,;:)(/|・「」『』\]】〉》>\"'<_=~→]|[0-9]|様|殿|氏|さん|くん|ちゃん|君|ベビー|です|-|$"
    r"|の(?:経過|件|報告|診察|様子|付き|家族|ケース))"
)
_AROUND_BLANK = re.compile(
    rf"[ ]{{1,3}}(?P<given>(?:{NAME_KANJI}){{1,4}}|[ぁ-んー]{{2,5}}|[ァ-ヶー]{{2,5}}子?){_AFTER}"
)
_FAMILY = re.compile(rf"(?<![一-龠々ァ-ヶーぁ-ん])(?:{NAME_KANJI}){{1,5}}\Z")
_WHOLE = re.compile(
    rf"(?:(?:{NAME_KANJI}){{3,6}}|(?:{NAME_KANJI}){{1,4}}(?:[ぁ-んー]{{2,4}}|[ァ-ヶー]{{2,4}}子?)){_AFTER}"
)


def _around_blank(text: str, place: int) -> tuple[int, int] | None:
    """Read a surname, a blank and a given name around the blank."""
    if "ぁ" <= text[place + 1 : place + 2] <= "ヶ" and text[place - 1 : place] < "一":
        return None
    match = _AROUND_BLANK.match(text, place)
    back = match and _FAMILY.search(text, max(0, place - 6), place)
    if not match or not back or text[back.start() - 1 : back.start()] not in _BEFORE:
        return None
    return (back.start(), match.end()) if _is_full(back[0], match["given"]) else None


def _is_full(family: str, given: str) -> bool:
    """Tell whether two words with a blank between are surname and given name."""
    if (
        NO_NAME.search(given)
        or not (is_person(family) or is_given(given))
        or NO_KATAKANA_NAME.search(given)
    ):
        return False
    if given[0] >= "一" and NO_GIVEN_LETTER.search(given):
        return False
    if len(family) == 1:
        return is_one_kanji_surname(family) and (is_given(given) or given[0] < "一")
    if is_listed(family):
        return is_like_given(given)
    if is_surname(family):
        return is_given(given) or (given[0] < "一" and is_like_given(given))
    return len(family) < 4 and len(given) > 1 and is_given(given) and given[0] >= "一"


def read_full_name(text: str, place: int) -> int | None:
    """Return where a full name ends that begins at a place, with or without a blank; or None."""
    match = _WHOLE.match(text, place)
    if match and is_person(match[0]) and split_full_name(match[0]):
        return None if NO_KATAKANA_NAME.search(match[0]) else match.end()
    for n in (2, 3, 1, 4):
        if text[place + n : place + n + 1] == " " and (span := _around_blank(text, place + n)):
            return span[1] if span[0] == place else None
    return None


def _joined(text: str, place: int) -> tuple[int, int] | None:
    """Read surname and given name without a blank."""
    match = _WHOLE.match(text, place)
    if match is None or NO_KATAKANA_NAME.search(match[0]) or not is_person(match[0]):
        return None
    return match.span() if split_full_name(match[0]) else None


_ROMAN = re.compile(
    r"_(?P<value>(?<=[0-9]_)[A-Z]{2,14}_[A-Z]{2,14}|[A-Z][a-z]{2,14}_?[A-Z][a-z]{2,14})(?=_|\.[a-z]{3,4}(?![a-z]))"
)


def _in_file_name(text: str, place: int) -> tuple[int, int] | None:
    """Read a name in Latin letters in the name of a file: CT_OtaHiroshi_001.jpg."""
    match = _ROMAN.match(text, place)
    return match.span("value") if match else None


_NUMBER_BEFORE = re.compile(r"(?<![0-9A-Za-z./-])[0-9]{6,10}\Z")
_READING = re.compile(
    r"[ \t,]{1,3}[\"']?(?P<value>[ァ-ヶー]{1,8}[ ][ァ-ヶー]{1,8}|[ぁ-んー]{2,8}[ ][ぁ-んー]{2,8})"
    r"(?=[\s,|\"'、/;)\]\0]|$)"
)


def _reading_after(text: str, place: int) -> tuple[int, int] | None:
    """Read the reading behind a name that is masked: 城 花子 ジョウ ハナコ."""
    match = _READING.match(text, place + (text[place] in "\"'"))
    if match is None or NO_KATAKANA_NAME.search(match["value"]) or NO_NAME.search(match["value"]):
        return None
    return match.span("value")


def _number_before(text: str, place: int) -> tuple[int, int] | None:
    """Read a number of six digits or more right before a full name."""
    if text[place + 1 : place + 2] < " " or not text[place - 6 : place].isdigit():
        return None
    number = _NUMBER_BEFORE.search(text, max(0, place - 11), place)
    start = place + 1
    while text[start : start + 1] == " ":
        start += 1
    return number.span() if number and read_full_name(text, start) else None


_KANJI = "".join(map(chr, range(0x4E00, 0x9FA1)))
_CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
FULL_NAME_RULES = (
    Rule("name", (Begin(" ", "", "", _KANJI + "々ヶ﨑髙"),), _around_blank, 24),
    Rule(
        "name",
        tuple(Begin(first, second, "", _BEFORE) for first, second in surname_pairs().items()),
        _joined,
        24,
    ),
    Rule("name", (Begin("_", _CAPITALS, _CAPITALS + _CAPITALS.lower()),), _in_file_name, 24),
    Rule(
        "name",
        (Begin(" \t,", "", "", "\0"), Begin('"', ",", '"', "\0")),
        _reading_after,
        25,
    ),
    Rule("record_number", (Begin(" \t,", "", "", "0123456789"),), _number_before, 7),
)
