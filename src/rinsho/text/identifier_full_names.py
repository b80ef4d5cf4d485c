"""Full names that fill a place of their own, without a cue: a cell, a bracket, a line of a list.

A surname and a given name of the dictionary side by side are a person wherever nothing else stands
in the same place: 12:04 城 花子 胃カメラ, [山口 すみれ 12:36], CT_OtaHiroshi_001.jpg.
"""

from __future__ import annotations

import functools
import re

from rinsho.text.identifier_anchors import Begin, Rule
from rinsho.text.identifier_given_names import (
    is_given,
    is_like_given,
    is_one_kanji_surname,
    one_kanji_surnames,
    split_full_name,
)
from rinsho.text.identifier_name_reading import (
    NAME_KANJI,
    NO_GIVEN_LETTER,
    is_person,
    is_roman_name,
)
from rinsho.text.identifier_name_words import NO_KATAKANA_NAME, NO_NAME
from rinsho.text.identifier_shapes import may_be_surname, split_shape
from rinsho.text.identifier_surnames import is_listed, is_surname, surname_pairs

_BEFORE = "\n\t ※◆◇▼▶◎*#①②③④⑤⑥⑦⑧⑨|,[(「『\"'→—–☐□■☑✓・/:;_。、=>}●○◎★-0123456789\0"
_AFTER = (
    r"(?=[\s\0、。,;:)(/|・「」『』\]】〉》>\"'<_=~→]|[0-9]|様|殿|氏|さん|くん|ちゃん|君|ベビー|です|-|$"
    r"|の(?:経過|件|報告|診察|様子|付き|家族|ケース))"
)
_AROUND_BLANK = re.compile(
    rf"[ ]{{1,3}}(?P<given>(?:{NAME_KANJI}){{1,5}}|[ぁ-んァ-ヶ]{{1,3}}[子江代美枝恵]|[ぁ-んー]{{2,5}}|[ァ-ヶー]{{2,5}}){_AFTER}"
)
_FAMILY = re.compile(rf"(?<![一-龠々ァ-ヶーぁ-ん])(?:{NAME_KANJI}){{1,5}}\Z")
_WHOLE = re.compile(
    rf"(?:(?:{NAME_KANJI}){{3,9}}|(?:{NAME_KANJI}){{1,4}}(?:[ぁ-んー]{{2,4}}|[ァ-ヶー]{{2,4}}子?|[ぁ-んァ-ヶー]{{1,3}}[子江代美枝恵香])){_AFTER}"
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
    if NO_NAME.search(family) and not is_surname(family):
        return False
    is_sure = is_given(given) and len(given) > 1
    if is_sure and (is_listed(family) or (given not in _WORDS and may_be_surname(family))):
        return True
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
    if joined := _joined(text, place):
        return joined[1]
    for n in (2, 3, 1, 4) if " " in text[place + 1 : place + 5] else ():
        if text[place + n : place + n + 1] == " " and (span := _around_blank(text, place + n)):
            return span[1] if span[0] == place else None
    return None


def _joined(text: str, place: int) -> tuple[int, int] | None:
    """Read surname and given name without a blank."""
    match = _WHOLE.match(text, place)
    return match.span() if match and _is_whole(match[0]) else None


@functools.lru_cache(1 << 15)
def _is_whole(word: str) -> bool:
    """Tell whether a word is a surname and a given name without a blank."""
    if NO_KATAKANA_NAME.search(word) or not is_person(word):
        return False
    parts = split_full_name(word)
    if parts and len(parts[0]) == 1 and parts[1][0] < "一" and not is_given(parts[1]):
        return False  # 何かあれば
    shape = split_shape(word)
    return parts is not None or (shape is not None and len(shape[1]) > 1)


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


_WORDS = frozenset(["平和", "元気", "健康", "時代", "公平", "光明", "成人", "博士"])
_SIGNED = re.compile(
    r"/[ ]?(?:19|20)[0-9]{2}/[0-9]{1,2}/[0-9]{1,2}(?:[ ][0-9]{1,2}:|[ \t]*(?:\n|$))"
)
_SIGNER = re.compile(rf"(?<![^\n \t・*|-])(?:{NAME_KANJI}){{1,4}}\Z")


def _before_time(text: str, place: int) -> tuple[int, int] | None:
    """Read a surname that signs with the time: 骨川/2016/7/6 20:55."""
    back = _SIGNED.match(text, place) and _SIGNER.search(text, max(0, place - 5), place)
    if not back or NO_NAME.search(back[0]):
        return None
    return back.span() if may_be_surname(back[0]) and is_person(back[0]) else None


_AGE = re.compile(
    r"[ \t(,]{1,3}[0-9]{1,3}[ ]?(?:[Yy]/?[Oo]|歳|才|[男女](?![一-龠])|[MF](?![A-Za-z]))"
)
_DEGREE = re.compile(r",[ ]?(?:M\.?D|RN|PhD|Ph\.D)(?![A-Za-z])")
_FOREIGN = re.compile(
    r"(?<![A-Za-zァ-ヶー])(?:[A-Z][A-Za-z'-]{1,14}(?:[ ][A-Z][A-Za-z'-]{1,14}){1,2}"
    r"|[ァ-ヶー]{2,10}(?:[ ・][ァ-ヶー]{2,10}){1,2})\Z"
)


def _foreign_before(text: str, place: int) -> tuple[int, int] | None:
    """Read a name in Latin letters or katakana before an age or a degree: KYAN MINORU 41Y/O."""
    if not (_AGE.match(text, place) or _DEGREE.match(text, place)):
        return None
    back = _FOREIGN.search(text, max(0, place - 40), place)
    if not back or NO_KATAKANA_NAME.search(back[0]):
        return None
    return back.span() if all(is_roman_name(word) for word in back[0].split()) else None


_IN_SEGMENT = re.compile(
    rf"\^(?P<value>(?:{NAME_KANJI}){{1,5}}(?<![市区町村郡])\^(?:{NAME_KANJI}){{1,5}}(?<![都道府県]))\^"
)
_GIVEN_VALUE = re.compile(
    rf"(?:[Nn]ame)?[\"']?[ ]?[:=>][ ]?[\[\"']{{0,2}}(?P<value>(?:{NAME_KANJI}){{1,5}}|[ぁ-んー]{{1,8}}|[ァ-ヶー]{{1,8}})(?=[\"'<])"
)


def _in_message(text: str, place: int) -> tuple[int, int] | None:
    """Read a name between the signs of HL7 v2, and the given name of a field: ^秋葉^八重^."""
    match = _IN_SEGMENT.match(text, place) or _GIVEN_VALUE.match(text, place + 5)
    return match.span("value") if match and not NO_NAME.search(match["value"]) else None


_KANJI = "".join(map(chr, range(0x4E00, 0x9FA1)))
_KATAKANA = "".join(map(chr, range(0x30A1, 0x30FD)))
_CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
FULL_NAME_RULES = (
    Rule("name", (Begin(" ", "", "", _KANJI + "々ヶ﨑髙"),), _around_blank, 24),
    Rule(
        "name",
        tuple(Begin(first, second, "", _BEFORE) for first, second in surname_pairs().items()),
        _joined,
        24,
    ),
    Rule(
        "name",
        (Begin(one_kanji_surnames(), "", "", _BEFORE),),
        _joined,
        24,
    ),
    Rule("name", (Begin("/", " 12", "", _KANJI),), _before_time, 24),
    Rule("name", (Begin("^"), Begin("g", "i", "v")), _in_message, 24),
    Rule(
        "name",
        (
            Begin(" \t(,", "0123456789 ", "", _CAPITALS + _CAPITALS.lower() + _KATAKANA),
            Begin(",", " MRP", "MRPDNh", _CAPITALS + _CAPITALS.lower()),
        ),
        _foreign_before,
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
