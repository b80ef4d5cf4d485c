"""Read a name that begins at a place: kanji, kana, Latin letters or initials, and where it ends."""

from __future__ import annotations

import functools
import re
from typing import Literal

from rinsho.text.identifier_given_names import is_given, is_one_kanji_surname, split_full_name
from rinsho.text.identifier_name_words import (
    KIN,
    NO_KATAKANA_NAME,
    NO_NAME,
    NO_NAME_LETTERS,
)
from rinsho.text.identifier_shapes import may_be_name, may_be_surname, split_shape
from rinsho.text.identifier_surnames import (
    is_kana_surname,
    is_listed,
    is_surname,
    split_name,
)

_KANJI = "(?:[一-龠々〆ヶ﨑髙𠀀-𯿿\uf900-\ufaff㐀-䶿][\U000e0100-\U000e01ef]?)"
_LINK = "[ノヶケツヵ之]"  # 一ノ瀬, 三ツ井
NAME_KANJI = rf"(?:{_KANJI}|(?<=[一-龠]){_LINK}(?={_KANJI}))"
_TITLE = (
    "(?:先生|医師|看護師|教授|准教授|部長|院長|医長|師長|主任|技師|薬剤師|様|殿|"
    "氏|君|助産師|保健師|理学療法士|作業療法士|言語聴覚士|研修医|相談員|記載|記録"
    "|説明|執刀|助手)"
)
_PARTICLE = (
    "(?!から|より|まで|さん|さま|くん|ちゃん|です|にて|とし|では|には|によ|とと|"
    "への|との|って|だった|であ|なし|あり|いる|いま|する|した|して|は|が|を|に|と"
    "|へ|の)"
)
# Given names that begin like a particle.
_KANA_GIVEN = (
    "(?:のぞみ|のり[えかこ]?|のん|とみこ?|とし[えこみ]?(?=子|[^てたち])|とも[えかこみよ]?|とよこ?|とき[えこ]?|はな[えかこ]?|はる[えかきこなみ]?|はつ[えこね]?"
    "|はま|はじめ|はやと|はすみ|にいな|にな|もも[えかこ]?|もえ|もと[えこ]?|かず[えこみ]?|かな[えこみ]?|かおり?|かおる|かほ|かよこ?|かつ[えこ]?|かめ"
    "|かりん|かん|よし[えこみ]?|よねこ?|よりこ|やす[えこ]?|やよい|やえ|がく)(?![ぁ-ん])"
)
_THEN = "(?:,[ ]?|[ ^])"
_ROMAN = (
    rf"(?:[A-Z][A-Za-z'-]{{1,14}}(?:{_THEN}[A-Z][A-Za-z'-]{{1,14}}(?![A-Za-z0-9])){{1,3}}"
    r"|[A-Z]\.[ ]?[A-Z][a-z'-]{1,14}"
    r"|[A-Z][a-z'-]{1,14},?[ ][A-Z]\.?(?![A-Za-z])|[A-Z][.・][ ]?[A-Z](?:[.](?![0-"
    r"9])|(?![A-Za-z0-9]))|[A-Z][a-z]{2,14}(?![A-Za-z])"
    rf"|(?P<lower>[a-z]{{2,14}}{_THEN}[a-z]{{2,14}}(?![A-Za-z])))"
)
_HARD_END = (
    r"(?=[\s\0、。,.;:)(/|・「」『』\]\[】【〉》>\"'<&〒~〜=＝→+-]|[0-9]|様|殿|氏|"
    r"さん|さま|くん|ちゃん|君|先生|医師|看護|Dr|Ns|宛|御|㊞|印|$)"
)
_SOFT_END = rf"(?:{_HARD_END}|(?=[はがをにのでともへよかや]))"
_AT = re.compile(
    rf"(?P<roman>{_ROMAN})|(?P<wide>{_KANJI}(?:[ ]{{1,4}}{_KANJI}){{2,5}}){_HARD_END}"
    rf"|(?P<first>(?:(?!{_TITLE}){NAME_KANJI}){{1,9}})(?:[ ]?(?"
    rf"P<kana>(?:{_PARTICLE}[ぁ-んー]{{1,6}}|{_KANA_GIVEN})(?:[子美江代枝恵香花奈紀男夫雄]|)|[ァ-ヶー"
    rf"]{{2,8}}子?){_HARD_END}"
    rf"|(?:[ ]{{1,4}}|\^)(?P<second>(?:(?!{_TITLE}){NAME_KANJI}){{1,5}}){_SOFT_END}"
    rf"|{_SOFT_END}|(?={_TITLE}))"
    rf"|(?P<katakana>[ァ-ヶー]{{2,10}}(?:[ ・=＝^][ァ-ヶー]{{1,12}}){{0,3}})(?:"
    rf"{_SOFT_END}|(?={_TITLE}))"
    rf"|(?P<hiragana>[ぁ-んー]{{2,8}}[ ^]{_PARTICLE}[ぁ-んー]{{1,8}}|[ぁ-んー]{{4,9}}){_HARD_END}"
)
_ALONE = re.compile(_HARD_END)
_ALONE_OR_ACTS = re.compile(
    rf"{_HARD_END}|が(?=[一-龠])|より|に(?=報告|連絡|相談|確認|依頼)|です|の(?=指示|診察)"
)  # 担当: 岡が対応
Firmness = Literal["firm", "surname", "listed"]
_SURNAMES_LIKE_WORDS = frozenset(
    [
        "右田",
        "左近",
        "右城",
        "祖父江",
        "中条",
        "三条",
        "二条",
        "九条",
        "五条",
        "西条",
        "南条",
        "下条",
        "東条",
        "足達",
        "安達",
        "鵜殿",
        "左右田",
        "左海",
        "養父",
    ]
)
_KIN = frozenset(KIN)
NO_GIVEN_LETTER = re.compile(rf"[{NO_NAME_LETTERS}]")


@functools.lru_cache(1 << 16)
def is_person(word: str) -> bool:
    """Tell whether a word in kanji can be a person: no other word, no character of illness."""
    if NO_NAME.search(word):
        parts = split_full_name(word)
        is_full = parts is not None and (len(parts[1]) > 1 or parts[0] in _SURNAMES_LIKE_WORDS)
        return word in _SURNAMES_LIKE_WORDS or is_full or _is_full_shape(word)
    if not NO_GIVEN_LETTER.search(word):
        return True
    parts = split_name(word)
    if parts is not None and is_listed(parts[0]) and not NO_GIVEN_LETTER.search(parts[1]):
        return True
    return (len(word) < 3 and may_be_surname(word)) or _is_full_shape(word)


def _is_full_shape(word: str) -> bool:
    return len(word) > 2 and word not in _KIN and split_shape(word) is not None


def _is_like_surname(word: str, firmness: Firmness) -> bool:
    if is_one_kanji_surname(word) or (len(word) > 3 and split_full_name(word)):
        return firmness != "listed"
    if firmness == "surname" and may_be_name(word):
        return True
    parts = split_name(word)
    if parts is None or len(parts[1]) > 4:
        return False
    if firmness == "listed":
        return is_listed(parts[0]) and len(parts[0]) > 1
    return len(parts[0]) > 1 or not parts[1] or " " in word


_CELL = re.compile(
    rf"(?:{NAME_KANJI}){{1,4}}[ ]{{1,3}}(?:(?:{NAME_KANJI}){{1,4}}|[ぁ-んー]{{2,6}}|[ァ-ヶー]{{2,6}}子?)(?=[\s、。,|/(\0)]|様|殿|$)"
    rf"|(?:{NAME_KANJI}){{2,5}}(?=[\s|/(\0)]|様|殿|$)"
    rf"|(?:{NAME_KANJI}){{2,3}}(?:[ぁ-ん]{{2,4}}|[ァ-ヶー]{{2,4}}子?)(?=[\s|/(\0)]|様|殿|$)"
)


def read_cell(text: str, start: int) -> int | None:
    """Return where a cell ends that holds nothing but what may be a name of any characters."""
    match = _CELL.match(text, start)
    if match is None or NO_NAME.search(match[0]) or NO_KATAKANA_NAME.search(match[0]):
        return None
    return match.end()


def read_name(text: str, start: int, firmness: Firmness) -> int | None:
    """Return where the name ends that begins at a place, or None where there is none.

    Args:
        text: Normalized.
        start: Where the name has to begin.
        firmness: `firm` takes any word that can be a name; the others need a surname.
    """
    match = _AT.match(text, start)
    if match is None:
        return None
    if match["wide"] is not None:
        is_name = firmness == "firm" and is_person(re.sub(" +", "", match["wide"]))
        return match.end("wide") if is_name else None
    if match["first"] is not None:
        return _read_kanji(text, match, firmness)
    if match["katakana"] is not None:
        is_one = " " not in match["katakana"] and "・" not in match["katakana"]
        if NO_KATAKANA_NAME.search(match["katakana"]) or (
            is_one and firmness != "firm" and not is_kana_surname(match["katakana"])
        ):
            return None
        return match.end("katakana")
    if match["hiragana"] is not None:
        is_name = " " in match["hiragana"] or firmness == "firm"
        is_name &= is_given(match["hiragana"].split()[-1]) or not NO_NAME.search(match["hiragana"])
        return match.end("hiragana") if is_name else None
    return _read_roman(match, firmness)


def _read_kanji(text: str, match: re.Match[str], firmness: Firmness) -> int | None:
    first, second = match["first"], match["second"]
    if (
        second
        and is_person(first)
        and (is_person(second) or is_given(second))
        and ((firmness == "firm" and len(first) <= 4) or is_surname(first))
    ) and not (len(first) >= 3 and not is_surname(first) and is_surname(second)):
        return match.end("second")
    if len(first) > 5 and not is_surname(first[:3]) and split_shape(first) is None:
        return None
    if not is_person(first) or (firmness != "firm" and not _is_like_surname(first, firmness)):
        return None
    if (
        len(first) == 1
        and not match["kana"]
        and not (
            _is_alone_surname(first, firmness)
            and (_ALONE if firmness == "listed" else _ALONE_OR_ACTS).match(text, match.end("first"))
        )
    ):
        return None
    if match["kana"] and len(first) <= 4:
        parts = split_name(first)
        is_whole = parts is not None and not parts[1]
        if (
            (is_whole or firmness == "firm")
            and (is_given(match["kana"]) or not NO_NAME.search(match["kana"]))
            and not NO_KATAKANA_NAME.search(match["kana"])
        ):
            return match.end("kana")
        if len(first) == 1 and not is_listed(first):  # 変わりない
            return None
        if not text[match.end("first") : match.end("first") + 1].isspace():
            return None if match["kana"][0] >= "ァ" else match.end("first")
    return match.end("first")


def _is_alone_surname(word: str, firmness: Firmness) -> bool:
    return is_listed(word) or (firmness != "listed" and is_one_kanji_surname(word))


def _read_roman(match: re.Match[str], firmness: Firmness) -> int | None:
    words = list(re.finditer("[^ ,^]+", match["roman"]))
    end = match.end("roman")
    if len(words) > 2 and _NO_ROMAN.match(words[-1][0]):  # Name:KONDO MAYUMI,Passport
        end = match.start("roman") + words[-2].end()
        words.pop()
    if any(_NO_ROMAN.match(word[0]) for word in words):
        return None
    is_sure = firmness == "firm" or "^" in match["roman"] or _CAPITALS.fullmatch(match["roman"])
    return end if is_sure else None


_CAPITALS = re.compile(r"[A-Z]{2,14},?[ ](?:[A-Z]{2,14}|[A-Z][a-z]{1,14})")


_NO_ROMAN = re.compile(
    "(?i:Dr|Ns|Pt|No|ID|Mr|Ms|Tel|Fax|Type|Grade|Stage|None|Not|Yes|Unknown|Hospi"
    "tal|Clinic|Passport|Patient|Phone|E-?mail|URL|Serial|Lot|Date|Birth|Address|"
    "UDI"
    "|MRN|Name|Male|Female|Japan|Tokyo|Case|Gender|Sex|Age|Postal|Doctor|Nurse|Fa"
    "mily|Given|Value|Text|Code|System|Version|Device|Record|Controlled|Level|Adaptive|Servo"
    "|Drug|Intact|Exposure|Era|Safety|Reported|Centered|Ability|Health|Care|Outcome|With|Wit"
    "hout|And|Of|The|In|On|For|And|To|By|Or|Is|Was|Data|Id|Time|Group|Cohort|Table|Figure|Sa"
    "mple|Prediction|Self|Global|Blood|Number|Visit|License|Licence|Insurance|Scale|Database)"
    r"(?![A-Za-z])"
)


def is_roman_name(word: str) -> bool:
    """Tell whether a word in Latin letters may be a name: it is none of a form's own words."""
    return _NO_ROMAN.match(word) is None
