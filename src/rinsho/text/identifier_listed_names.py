"""Names in lists, in signatures and behind labels of persons: ①八木 ②赤井, (工藤記), 介助者 佐藤."""

from __future__ import annotations

import re

from rinsho.text.identifier_full_names import read_full_name
from rinsho.text.identifier_given_names import (
    GIVEN_ENDS,
    is_one_kanji_surname,
)
from rinsho.text.identifier_name_reading import (
    NAME_KANJI,
    is_person,
    read_name,
)
from rinsho.text.identifier_surnames import (
    is_listed,
    is_surname,
    split_name,
)

# ---------------------------------------------------------------------------- continuation

READING = re.compile(
    r"[ ]?[(（][ ]?(?P<value>[ァ-ヶー]{2,14}(?:[ ・][ァ-ヶー]{1,10}){0,2}|[ぁ-んー"
    r"]{2,8}[ ][ぁ-んー]{1,8}|[ぁ-んー]{5,12}|[A-Z][A-Za-z]{1,14}[ ,]{1,2}[A-Z][A-Za-z]{1,14})[ ]?"
    r"[)）]"
)

_NEXT = re.compile(
    r"(?:[ ]?(?:Dr|Ns|PT|OT|ST|MSW|先生|医師|看護師))?(?:[ ]?\((?:Dr|Ns|PT|OT|ST|MSW|CM|RN|医師|看護師|薬剤師|[一-龠]{2,5}[科師士])\))?[ ]?[、,/・&と→][ ]?|[ ]|[ ]?\((?=[^()\n]{2,10}\))"
)

_OF_LIST = re.compile(
    r"(?:者|医|師|士|担当|Ns|Dr|メンバー|リーダー|[日夜]勤|準夜|深夜|CC|cc|Cc|参加|出席|同席|助手|申し送り|申送り?|引継ぎ?|調剤|監査|交付|職員|スタッフ)"
    r"[^\n。]{0,24}\0[^\n。\0]{0,10}\Z"
)

_IN_LIST = re.compile(
    rf"(?P<name>(?:{NAME_KANJI}){{1,3}})(?=[ ]?(?:[、,/・&|)\]。\t\n\0]|\((?:Dr|Ns|PT|OT|ST|MSW|CM|医師|看護師)|Dr|Ns|NS|PT|OT|ST|MSW|先生|医師|看護師|両|$)|[ ]{{2}})"
)


def next_name(text: str, place: int) -> tuple[int, int] | None:
    """Read one more name after one that is masked: 助手: 佐藤、鈴木."""
    gap = _NEXT.match(text, place)
    if reading := READING.match(text, place):
        return reading.span("value")
    if (
        gap
        and _OF_LIST.search(text, max(0, place - 60), place)
        and (one := _IN_LIST.match(text, gap.end()))
    ):
        is_name = is_surname(one["name"]) or is_one_kanji_surname(one["name"])
        if is_name and is_person(one["name"]):
            return one.span("name")
    end = gap and read_name(text, gap.end(), "listed")
    if not gap or not end or re.match(r"[はがをにのでともへよ]|[一-龠]", text[end : end + 1]):
        return None
    return gap.end(), end


# ------------------------------------------------------------------------------ signatures

_CIRCLED = re.compile(
    rf"[①-⑩][ ]?(?P<name>(?:{NAME_KANJI}){{1,4}})(?=[ 、,]{{0,2}}(?:[②-⑩]|[\n|/;。,、\t]|$| ))"
)

_OTHER_CIRCLED = re.compile(r"[①-⑩][ ]?[一-龠ヶケノツ\0]{1,4}[ 、,]{0,2}\Z")

_NEXT_CIRCLED = re.compile(r"[ 、,]{0,2}[②-⑩][ ]?[一-龠ヶケノツ\0]{1,4}(?![一-龠ぁ-んァ-ヶ])")


def in_circled_list(text: str, place: int) -> tuple[int, int] | None:
    """Read a surname in a numbered list of surnames: ①八木 ②赤井 ③平."""
    match = _CIRCLED.match(text, place)
    if match is None or not (
        _OTHER_CIRCLED.search(text, max(0, place - 8), place)
        or _NEXT_CIRCLED.match(text, match.end())
    ):
        return None
    name = match["name"]
    is_name = is_surname(name) or is_one_kanji_surname(name)
    return match.span("name") if is_name and is_person(name) else None


_BEFORE_BRACKET = re.compile(
    r"\((?:Dr|Ns|PT|OT|ST|MSW|CM|医師|看護師|准看護師|薬剤師|主治医|担当医|師長|技師|研修医|助産師|保健師|[一-龠]{2,5}(?:士|科医))\)"
)

_SURNAME_BACK = re.compile(rf"(?<![一-龠々ァ-ヶーぁ-ん])(?:{NAME_KANJI}){{1,3}}\Z")

_NOTED = re.compile(rf"\((?P<value>(?:{NAME_KANJI}){{1,4}})[ ]?(?:記|筆|拝|著|代筆)\)")


def around_bracket(text: str, place: int) -> tuple[int, int] | None:
    """Read a surname before its profession in brackets, 桂(看護師), and in them: (工藤記)."""
    if noted := _NOTED.match(text, place):
        is_name = is_surname(noted["value"]) or is_one_kanji_surname(noted["value"])
        return noted.span("value") if is_name else None
    back = _BEFORE_BRACKET.match(text, place) and _SURNAME_BACK.search(
        text, max(0, place - 4), place
    )
    if not back or not (is_surname(back[0]) or is_one_kanji_surname(back[0])):
        return None
    return back.span() if is_person(back[0]) else None


_LABEL_END = re.compile(r"[:=|\t】」][ \t|]{0,4}[「『]?|[ ]{1,3}")

_TOPIC_END = re.compile("は[、 ]?")

KIN_END = "母父妻夫男女兄弟姉妹"

_SIGNED = re.compile(
    rf"[ \t]{{0,4}}(?P<name>(?:{NAME_KANJI}){{1,5}}(?:[ ](?:{NAME_KANJI}){{1,4}})?)"
    rf"[ ]?(?:印|㊞|拝|記)?"
    r"[ ]?(?P<close>\)?)[ \t]{0,4}(?=\n|$)"
)

_NO_SIGNATURE = frozenset(" \t\n(*|-○◇0123456789")

_LABEL_OF_PERSON = re.compile(
    r"(?<![一-龠々ァ-ヶー])(?!(?:[一-龠ァ-ヶー]{0,8}(?:病|品|薬|地|書|科|社|校|件|国|町|市|県|部|術|検査|施設|機関|題|型|商|傷病|診断)名"
    r"|[一-龠]{0,6}(?:校長|延長|身長|成長|主人|成人|個人|法人|老人|婦人|義務|手当|該当|適当|担当|相当|本当|妥当|弁当|救急医"
    r"|何名|数名|[0-9]名|関係|家族)))"
    r"[一-龠々ァ-ヶー]{1,9}(?:者|医|師|士|員|人|手|係|役|長|主|氏名|者名|師名|医名|担当)\Z"
)


def after_role(text: str, place: int) -> tuple[int, int] | None:
    """Read the surname after any label of a person: 病棟薬剤師: 山田, 介助者\t佐藤."""
    gap = _LABEL_END.match(text, place)
    after = text[gap.end() : gap.end() + 1] if gap else ""
    if not gap or not ("一" <= after <= "龠" or "ァ" <= after <= "ヶ" or after in "﨑髙𠮷"):
        return None
    if _LABEL_OF_PERSON.search(text, max(0, place - 11), place) is None:
        return None
    end = read_name(text, gap.end(), "surname" if gap[0].strip() else "listed")
    if end is None or (text[end : end + 1] or " ") not in " \t\n、,。/|)(・→\0様殿先医看印㊞ND]」":
        return None
    return gap.end(), end


def after_topic(text: str, place: int) -> tuple[int, int] | None:
    """Read a full name after 手術は, 患者は and the like, before a bracket or a comma."""
    gap = _TOPIC_END.match(text, place)
    if gap and (full := read_full_name(text, gap.end())) and text[full : full + 1] in "(、。\n":
        return gap.end(), full
    end = gap and read_name(text, gap.end(), "listed")
    if not gap or not end or text[end : end + 1] not in "(、。" or text[place - 1] in KIN_END:
        return None
    parts = split_name(text[gap.end() : end])
    return (gap.end(), end) if parts and len(parts[1]) in (1, 2, 3) else None


def signature(text: str, place: int) -> tuple[int, int] | None:
    """Read a surname that ends a line after a full stop or in brackets: ...説明した。 (飯島)."""
    if text[place + 1 : place + 2] in _NO_SIGNATURE:
        return None
    match = _SIGNED.match(text, place + 1)
    if match is None or (text[place] == "(") != bool(match["close"]):
        return None
    name = match["name"]
    parts = split_name(name)
    if not parts or not is_listed(parts[0]) or not is_person(name) or len(parts[1]) > 3:
        return None
    if len(parts[0]) == 1 and parts[1] and parts[1][-1] not in GIVEN_ENDS:
        return None
    if text[place] == "(" and text[place - 1 : place] not in "。.、 \t":
        return None
    return (
        match.span("name") if _AFTER_SENTENCE.search(text, max(0, place - 12), place + 1) else None
    )


_AFTER_SENTENCE = re.compile(r"[。.](?:[ \t]{0,10}\(|[ \t]{1,10}|\n[ \t]{2,10}\(?)\Z")

BEFORE_NEXT = re.compile(rf"(?<![一-龠ァ-ヶ々])(?:{NAME_KANJI}){{1,5}}\Z")


def name_before(text: str, place: int) -> tuple[int, int] | None:
    """Read a surname before one that is masked: 中山・[西岡]両氏."""
    match = BEFORE_NEXT.search(text, max(0, place - 5), place)
    parts = match and split_name(match[0])
    if not match or not parts or not is_listed(parts[0]) or not is_person(match[0]):
        return None
    return match.span() if len(parts[1]) <= 3 and len(match[0]) > 1 else None
