"""Names beside an age, a sex, a reading or a mail address, and of somebody who says it."""

from __future__ import annotations

import re

from rinsho.text.identifier_given_names import (
    GIVEN_ENDS,
    split_full_name,
)
from rinsho.text.identifier_listed_names import BEFORE_NEXT, READING
from rinsho.text.identifier_name_reading import (
    NAME_KANJI,
    NO_GIVEN_LETTER,
    is_person,
    read_name,
)
from rinsho.text.identifier_name_words import (
    NO_KATAKANA_NAME,
    NO_NAME,
)
from rinsho.text.identifier_surnames import (
    is_listed,
    is_rare,
    is_surname,
    split_name,
)

_AGED = re.compile(
    r"[・【](?:長男|長女|次男|次女|三男|三女|妻|夫|父|母|兄|弟|姉|妹|息子|娘|孫|嫁)"
    r"(?=[】\s、。,)]|$)"
    r"|[、, \t(/|]{1,3}(?:満?[0-9]{1,3}[ ]?(?:[歳才]|[MF][,\t )\n]|y(?=[ ./o]|r|ears)|代[男"
    r"女])|[MTSHR][0-9]{1,2}[./年]|[12],(?=[A-Z0-9])|[12](?=\n|$)|(?:19|20)[0-9]{2}[./年-]"
    r"|(?:明治|大正|昭和|平成|令和)[0-9]|[男女](?:性|児|子)?(?=[\s、,)(0-9/・]|$)|"
    r"[MF][,\t )]|(?:長男|長女|次男|次女|三男|三女|妻|夫|父|母|兄|弟|姉|妹|息子|娘"
    r"|孫|嫁|本人)(?:様|さん)?[)）])"
)

_NAME_BACK = re.compile(
    rf"(?<![一-龠々ァ-ヶー])(?:(?P<spaced>(?:{NAME_KANJI}){{1,4}}[ ](?:(?:"
    rf"{NAME_KANJI}){{1,4}}|[ぁ-ん]{{2,5}}|[ァ-ヶー]{{2,6}}))|(?P<whole>(?:"
    rf"{NAME_KANJI}){{3,6}}|(?:{NAME_KANJI}){{2,3}}(?:[ぁ-ん]{{2,4}}[子美江代枝恵香"
    rf"花奈紀]?|[ァ-ヶー]{{2,5}}子?))|(?P<kana>[ァ-ヶー]{{2,6}}[ ][ァ-ヶー]{{2,6}}"
    rf"|[ぁ-ん]{{2,6}}[ ][ぁ-"
    rf"ん]{{2,6}}))\Z"
)


def before_age(text: str, place: int) -> tuple[int, int] | None:
    """Read a name before an age, a sex or a relation in brackets: 山田太郎、65歳."""
    if _AGED.match(text, place) is None:
        return None
    match = _NAME_BACK.search(text, max(0, place - 14), place)
    if match is None:
        return None
    if match["kana"]:
        return (
            None
            if NO_KATAKANA_NAME.search(match["kana"]) or NO_NAME.search(match["kana"])
            else match.span()
        )
    parts = split_name(match[0])
    if (
        match["spaced"]
        and text[place] in ",\t"
        and parts
        and is_person(parts[0])
        and is_person(parts[1])
    ):
        return match.span()
    if parts is None or not is_surname(parts[0]) or not 1 <= len(parts[1]) <= 5:
        return None
    if is_rare(parts[0]) and not match["spaced"]:
        return None
    is_name = not NO_NAME.search(match[0]) and not NO_GIVEN_LETTER.search(parts[1])
    is_whole = len(parts[0]) > 1 or match["spaced"] or split_full_name(match[0])
    return match.span() if is_name and is_whole else None


_AFTER_AGE = re.compile("[男女]性(?:[、,: ]|の)[ ]?")

_SAYS = re.compile("と(?:申し|名乗|いい|いう)|です[。」、]|の(?:妻|夫|娘|息子|母|父)です")


def after_age(text: str, place: int) -> tuple[int, int] | None:
    """Read a full name after an age and a sex: 72歳男性、山田太郎。"""
    gap = _AFTER_AGE.match(text, place)
    if not gap or text[place - 1 : place] not in "歳才代 、,の":
        return None
    end = read_name(text, gap.end(), "listed")
    parts = end and split_name(text[gap.end() : end])
    if not end or not parts or not 1 <= len(parts[1]) <= 3:
        return None
    return (gap.end(), end) if text[end : end + 1] in ("", "。", "、", "\n", "(", " ") else None


def before_saying(text: str, place: int) -> tuple[int, int] | None:
    """Read a name before と申します, and one that is all that is said: 「山田太郎です」."""
    says = _SAYS.match(text, place)
    back = says and BEFORE_NEXT.search(text, max(0, place - 6), place)
    parts = back and split_name(back[0])
    if not says or not back or not parts or not is_person(back[0]) or len(parts[1]) > 3:
        return None
    is_sure = says[0][1:2] in "申名"
    before = text[back.start() - 1 : back.start()]
    is_answer = text.startswith(("はい、", "ええ、", "はい "), back.start() - 3)
    is_alone = before in "「『→\n。は、 " and (bool(parts[1]) or before in "「『" or is_answer)
    if not is_sure and not (is_alone and is_surname(parts[0]) and len(parts[0]) > 1):
        return None
    return back.span() if is_listed(parts[0]) or (is_alone and not is_sure) else None


def before_reading(text: str, place: int) -> tuple[int, int] | None:
    """Read a name in kanji before its reading in brackets: 山田 太郎(ヤマダ タロウ)."""
    reading = READING.match(text, place)
    back = reading and _NAME_BACK.search(text, max(0, place - 12), place)
    parts = back and not back["kana"] and split_name(back[0])
    if not reading or not back or not parts or not parts[1] or not is_person(back[0]):
        return None
    is_name = is_surname(parts[0]) and reading["value"][0] < "一"
    if not re.search("[ ・]", reading["value"]):  # 桜馬場通(さくらのばんばどおり)
        is_name &= is_listed(parts[0]) and len(parts[1]) <= 3 and parts[1][-1] in GIVEN_ENDS
    return back.span() if is_name and not reading["value"].isascii() else None


_KANA_PAIR = re.compile(r"(?<![ァ-ヶー])[ァ-ヶー]{2,6}[ ][ァ-ヶー]{1,6}\Z")


def kana_before_name(text: str, place: int) -> tuple[int, int] | None:
    """Read a name in kana in the cell before one that is masked."""
    match = _KANA_PAIR.search(text, max(0, place - 14), place)
    if match is None or NO_KATAKANA_NAME.search(match[0]):
        return None
    return match.span()


_MAIL_AFTER = re.compile(r"[ ]?<[A-Za-z0-9._+-]{1,40}@")


def before_mail(text: str, place: int) -> tuple[int, int] | None:
    """Read a name before a mail address in angle brackets: 山田 太郎 <yamada@example.jp>."""
    if not _MAIL_AFTER.match(text, place):
        return None
    match = _NAME_BACK.search(text, max(0, place - 14), place)
    return match.span() if match and not NO_NAME.search(match[0]) else None
