"""The kind of an identifier by the label that governs it, whoever found it.

A rule or the network sees digits; the nearest label before them says whose they are: menkyo_no, 旅券番号,
生年月日 (女). Read back from the value: signs, words that say nothing (西暦, 第, 女), then the label itself.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Literal

from rinsho.text.check_digits import is_my_number
from rinsho.text.identifier_kinds import Identifier, IdentifierKind
from rinsho.text.identifier_labels import telling_words
from rinsho.text.identifier_patterns import PREFECTURE

_N_BEFORE = 64  # characters before a value where its label may stand
_N_WORDS = 4  # that are read back, those that say nothing among them
_N_LONGEST = 28  # characters of a label
_GAP = frozenset(" \t\n:;=|,、>\"'」』】)]}〉》*・…/#\\&~⇒→「『【[〔〕〈《<({`?^$■●◆○□◎▼※")
_LISTED = frozenset("・/,、と|\t&及")  # between the labels of a row: 氏名・生年月日
_SAYS_NOTHING = re.compile(
    r"(?:[男女]性?|[MF]|西暦|和暦|元号|年号|[明大昭平令][治正和成]?|[MTSHR]\.?|本人|家族|第|N[oO]\.?|№|[0-9]{1,2}桁"
    r"|(?:value|valueString|extension|text|content|data|[Dd]ate|DATE|String|LO|SH|DA|CS|IS)|等|[年月日]|[はがのを]|です|[☑☐✓.+-]+)"
)
# What a label ends with whose value stands in the next line: 植込み手術記録 is a title.
_ENDS_LINE = re.compile(r"(?:番号|記号|ナンバー|コード|証|券|カード|月日|日|№|〒|[A-Za-z.])\Z")
_NUMBERS: tuple[IdentifierKind, ...] = (
    *("record_number", "insurance_number", "device_number", "license_number", "passport_number"),
    *("my_number", "postal_code"),
)
# Of HL7: there the place within the segment says of what kind a value is.
_SEGMENT = re.compile(
    r"(?:PID|NK1|PV1|IN1|GT1|MRG|ORC|OBR|OBX|PD1|ROL|STF|SPM|QPD)\|(?!.*\n)|\^[A-Za-z0-9]*\Z"
)
_NUMBER = re.compile(r"番 ?号|[Nn]umber|NUMBER|[Nn]o\.?|番|bangou?")
_MAYBE_NAME = re.compile(r"[^0-9\0]{1,8}")
_BEHIND = re.compile(r"[ ]?[(\[「]([^()\[\]「」\n\0]{2,12})[)\]」]")
_OF_CARD = re.compile(r"(?:カード|裏面?|12桁)の?番号[ :はがを]{0,2}\Z")
_SHORT_YEAR = re.compile(r"['’][0-9]{2}[./-][0-9]{1,2}[./-][0-9]{1,2}(?!['’])")
_BORN = re.compile(r"[ ]?(?:生(?![ぁ-ん一-龠])|生まれ|生れ|うまれ)")
_CHANGE = re.compile(r"(?:から|より|→|⇒|->|=>)[ ]?(?:\([新旧]\))?\Z")
_DIGIT = "[0-9〇零一二三四五六七八九]"
_POSTAL = re.compile(r"〒?[0-9]{3}[-‐−ー―–－][0-9]{4}")
_POSTAL_LIKE = re.compile(r"〒?[0-9]{3}[ ]?[-‐−ー―–－の]?[ ]?[0-9]{4}")
_ADDRESS_BEHIND = re.compile(
    rf"[\s、,\"]{{0,4}}(?:{PREFECTURE}|[一-龠々ヶ]{{1,5}}[市区郡][一-龠々ぁ-んァ-ヶ])"
)
_DAY = re.compile(
    r"(?:[12][0-9]{3}|[^0-9]{0,3}[0-9]{1,2})[^0-9]{1,4}[0-9]{1,2}[^0-9]{1,4}[0-9]{1,4}日?"
    r"|[12][0-9]{3}[01][0-9][0-3][0-9]|[MTSHR1-9][0-9]{2}[01][0-9][0-3][0-9]|[^0-9]*年[^0-9]*月[^0-9]*日"
)


def with_kinds_of_labels(
    text: str, found: Collection[Identifier], kinds: Collection[IdentifierKind]
) -> tuple[Identifier, ...]:
    """Return identifiers in reading order, each of the kind that its label says.

    >>> one = Identifier(10, 22, "record_number")
    >>> with_kinds_of_labels("menkyo_no\\t208423844282", [one], ["license_number"])[0].kind
    'license_number'
    """
    ordered = sorted(found)
    ends = {one.end: one for one in ordered}
    return tuple(_with_kind(text, one, ends, kinds) for one in ordered)


def is_of_no_person(text: str, one: Identifier) -> bool:
    """Tell whether the label of a number says that it is no person's: YJコード, LOINC."""
    return one.kind in _NUMBERS and kind_of_governing_label(text, one.start, {}) == "none"


def _with_kind(
    text: str,
    one: Identifier,
    ends: Mapping[int, Identifier],
    kinds: Collection[IdentifierKind],
) -> Identifier:
    value = text[one.start : one.end]
    if "postal_code" in kinds and _is_postal(text, one, value):
        return replace(one, kind="postal_code")
    if one.kind == "birth_date" and _SHORT_YEAR.match(text, one.start - 1):
        return replace(one, start=one.start - 1)
    if one.kind not in _NUMBERS and one.kind not in ("date", "birth_date"):
        return one
    kind = (
        _kind_behind(text, one)
        or _kind_of_change(text, one.start, ends)
        or kind_of_governing_label(text, one.start, ends)
    )
    if kind is None and one.kind == "record_number" and _is_my_number(text, one, value):
        kind = "my_number"
    if kind is None or kind == "none" or kind == one.kind or kind not in kinds:
        return one
    if not _may_be(value, kind, one.kind):
        return one
    return replace(one, kind=kind)


def _is_my_number(text: str, one: Identifier, value: str) -> bool:
    """Tell whether a number of a card by its check digit is one of a person: カード裏面の番号."""
    digits = "".join(c for c in value if c.isdigit())
    before = text[max(0, one.start - 14) : one.start]
    return len(digits) == 12 and is_my_number(digits) and _OF_CARD.search(before) is not None


def _is_postal(text: str, one: Identifier, value: str) -> bool:
    """Tell whether a number is a postal code by its shape and by the address behind it."""
    if one.kind == "address":
        return _POSTAL.fullmatch(value) is not None
    if one.kind not in (*_NUMBERS, "phone") or not _POSTAL_LIKE.fullmatch(value):
        return False
    return _ADDRESS_BEHIND.match(text, one.end) is not None


def _may_be(value: str, kind: IdentifierKind, found_as: IdentifierKind) -> bool:
    """Tell whether a value has the shape of a kind that its label says."""
    n_digits = len(re.findall(_DIGIT, value))
    is_day = found_as in ("date", "birth_date")
    if kind == "birth_date":
        return is_day or _DAY.fullmatch(value) is not None
    if is_day and not value.isdigit():
        return False
    if kind == "my_number":
        return n_digits == 12
    if kind == "passport_number":
        return value[:1].isalpha() and 6 <= n_digits <= 9
    if kind == "postal_code":
        return n_digits == 7
    if kind == "phone":
        return value[0] in "0(+" and 10 <= n_digits <= 13
    if kind == "insurance_number":
        return n_digits >= 2 and n_digits != 12
    if kind == "license_number":
        return n_digits >= 5
    return n_digits >= 3


def kind_of_governing_label(
    text: str, start: int, ends: Mapping[int, Identifier]
) -> IdentifierKind | Literal["none"] | None:
    """Return the kind that the label before a value names, None where none is read.

    "none" is of a number that is no person's: 承認番号.

    Args:
        text: Normalized.
        start: Where the value begins.
        ends: Identifiers by their ends: values of the same row, which stand between.
    """
    if _SEGMENT.search(text, max(0, start - _N_BEFORE), start):
        return None
    between: list[IdentifierKind] = []
    for first, last in _words_before(text, start, ends, between):
        word = text[first:last]
        kind = _kind_of_word(word)
        if not between and _NUMBER.fullmatch(word):  # 記号 1234 番号 56789
            before = _value_before(text, first, ends)
            if before and before.kind == "insurance_number":
                return before.kind
        if kind == "" and not between and _MAYBE_NAME.fullmatch(word):
            between.append("name")  # that nobody found: 氏名・生年月日 …
            continue
        if kind == "":
            return None
        if (
            kind is not None
            and "\n" in text[last:start]
            and not _ENDS_LINE.search(text[first:last])
        ):
            return None
        if kind is not None:
            is_free = not between or (
                kind not in between and text[first - 1 : first] in _LISTED and first > 0
            )
            return kind if is_free else None
    return None


def _kind_behind(text: str, one: Identifier) -> IdentifierKind | Literal["none"] | None:
    """Return the kind of the label behind a value: 2002年12月10日(生年月日), 20021210生."""
    if one.kind == "date" and _BORN.match(text, one.end):
        return "birth_date"
    label = _BEHIND.match(text, one.end)
    return telling_words(label[1]) if label else None


def _kind_of_change(text: str, start: int, ends: Mapping[int, Identifier]) -> IdentifierKind | None:
    """Return the kind of the number that another one takes the place of: 743794から193906へ."""
    change = _CHANGE.search(text, max(0, start - 8), start)
    before = ends.get(change.start()) if change else None
    return before.kind if before and before.kind in _NUMBERS else None


def _value_before(text: str, place: int, ends: Mapping[int, Identifier]) -> Identifier | None:
    """Return the identifier right before a label."""
    low = max(0, place - 8)
    while place > low and text[place - 1] in _GAP:
        place -= 1
    return ends.get(place)


def _words_before(
    text: str, start: int, ends: Mapping[int, Identifier], between: list[IdentifierKind]
) -> Iterator[tuple[int, int]]:
    """Yield the words before a value, the nearest first, over the other values of its row."""
    low, place, n_words = max(0, start - _N_BEFORE), start, 0
    while place > low and n_words < _N_WORDS:
        if place in ends and place != start:
            between.append(ends[place].kind)
            place = ends[place].start
            continue
        if text[place - 1] in _GAP:
            if text[place - 1] == "\n" and text[place - 2 : place - 1] == "\n":
                return
            place -= 1
            continue
        first = _start_of_word(text, low, place, ends)
        if first == place or place - first > _N_LONGEST:
            return
        yield first, place
        place, n_words = first, n_words + 1


def _start_of_word(text: str, low: int, end: int, ends: Mapping[int, Identifier]) -> int:
    place = end
    while place > low:
        before = text[place - 1]
        if before in "。\0" or (place != end and place in ends):
            break
        if before == " " and place - 2 >= low and place != end:
            if not _is_within_label(text, place, end):
                break
            place -= 1
        elif before in _GAP:
            break
        place -= 1
    return place


def _is_within_label(text: str, place: int, end: int) -> bool:
    """Tell whether a blank stands within a label: Date of birth, 生 年 月 日."""
    before, after = text[place - 2], text[place]
    if after.isascii() and before.isascii():
        return before.isalpha() and after.isalpha() and text.count(" ", place, end) < 3
    is_alone = place + 1 == end or text[place + 1] == " "
    return is_alone and text[place - 3 : place - 2] in ("", *_GAP) and before not in _GAP


@functools.lru_cache(1 << 12)
def _kind_of_word(word: str) -> IdentifierKind | Literal["none", ""] | None:
    """Return the kind that a word names, "" where it is no label, None where it says nothing."""
    if _SAYS_NOTHING.fullmatch(word):
        return None
    return telling_words(word) or ""
