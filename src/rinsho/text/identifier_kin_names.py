"""Names behind a relation: 長男の太郎, 妻(花子), KP 長女 山田さくら."""

from __future__ import annotations

import re

from rinsho.text.identifier_anchors import WordsAt
from rinsho.text.identifier_full_names import read_full_name
from rinsho.text.identifier_given_names import (
    GIVEN_ENDS,
    is_given,
    is_kana_given,
    is_like_given,
    is_one_kanji_surname,
    split_full_name,
)
from rinsho.text.identifier_name_reading import (
    NAME_KANJI,
    is_person,
)
from rinsho.text.identifier_name_words import (
    KIN,
    NO_KATAKANA_NAME,
    NO_NAME,
    NO_PERSON_BEFORE_HONORIFIC,
)
from rinsho.text.identifier_shapes import is_ordinary, may_be_surname, split_shape
from rinsho.text.identifier_surnames import (
    is_surname,
    split_name,
)

_KIN = WordsAt(KIN)

_KIN_GAP = re.compile(r"(?P<gap>[ ]?[:(「|=][ ]?|[ \t、・/]|の|は|が|)(?:名前は)?")

_GIVEN = re.compile(
    rf"(?P<name>(?:{NAME_KANJI}){{1,5}}(?:[ ](?![同別]居)(?:{NAME_KANJI}){{1,3}})?|(?:"
    rf"{NAME_KANJI}){{2,3}}[ ]?[ぁ-んー]{{2,4}}|[ぁ-んー]{{2,5}}?|[ァ-ヶー]{{2,8}}"
    rf"?(?:[ ・][ァ-ヶー]{{2,8}}?)?|[A-Z][a-z]{{2,12}}(?:[ ][A-Z][a-z]{{2,12}})?)"
    r"(?P<end>さん|様|さま|くん|君|ちゃん|氏|[ ]?[)」](?!様)|[ ]?[(、,/ ]{0,2}(?:["
    r"0-9]{1,3}[歳才)]|同居|別居|要介護|要支援|TEL|Tel|電話|携帯|0[0-9]{1,3}-)|[\s。|]|$|、|"
    r"(?=[がはにへをとも]))"
)


def after_kin(text: str, place: int) -> tuple[int, int] | None:
    """Read the name after 長男の, 妻( and the like."""
    for end in _KIN.ends(text, place):
        gap = None if _is_after_kin_hopeless(text, end) else _KIN_GAP.match(text, end)
        if gap and (span := _certain_kin(text, gap)):
            return span
        match = gap and _GIVEN.match(text, gap.end())
        if gap and match and (span := _given_name(gap, match)):
            return span
    return None


_NOTE_GAP = re.compile(r"[ ]?[・→=:|][ ]?|の| |")
_NOTE_GIVEN = tuple(
    re.compile(
        rf"[一-龠々]{{{n}}}|[ァ-ヶー]{{{n}}}|(?=..)[一-龠ぁ-んァ-ヶ]{{{n - 1}}}[子美代江枝]|[ぁ-ん]{{{n}}}"
    )
    for n in (4, 3, 2, 1)
)
_AFTER_GIVEN = re.compile(
    r"[、。,()\s:/・|&\0]|$|同居|別居|来院|同席|在住|健在|死亡|他界|死去|より|から|宅|夫婦|一家|[0-9]{1,3}[歳才]"
)
_PARTICLE = re.compile("[はもがにへをとの]")


def after_kin_in_note(text: str, place: int) -> tuple[int, int] | None:
    """Read a given name of the dictionary right behind a relation: 長女亮、次女空; 息子トシと同居."""
    for end in _KIN.ends(text, place):
        gap = _NOTE_GAP.match(text, end)
        start = gap.end() if gap else end
        for pattern in _NOTE_GIVEN:
            if (name := pattern.match(text, start)) and _is_given_of_kin(text, name, start > end):
                return name.span()
    return None


def _is_given_of_kin(text: str, match: re.Match[str], has_gap: bool) -> bool:
    name, end = match[0], match.end()
    is_ended = _AFTER_GIVEN.match(text, end) is not None
    is_read_on = has_gap or (len(name) > 1 and name[0] > "ん")
    if not is_ended and not (is_read_on and _PARTICLE.match(text, end)):
        return False
    if "ぁ" <= name[-1] <= "ん" and not has_gap:
        return False
    is_kana = name[0] < "一" and name[-1] < "一"
    if name in _KIN.words or NO_NAME.search(name) or name in NO_PERSON_BEFORE_HONORIFIC:
        return False
    return (
        (len(name) > 1 and is_kana_given(name))
        if is_kana
        else (is_given(name) and not is_ordinary(name))
    )


_KIN_GIVEN = re.compile(
    rf"(?P<name>(?:{NAME_KANJI}){{1,4}}[ぁ-ん]{{2,4}}?|(?:{NAME_KANJI}){{1,4}}[ァ-ヶ]{{2,4}}子?"
    rf"|(?:{NAME_KANJI}){{1,9}}?|[ぁ-ん]{{2,4}}?|[ァ-ヶ]{{2,4}}子?)"
    r"(?P<end>[ ]?(?:氏|様|殿|さん|さま)|と(?=長|次|三|二|妻|夫|母|父|姉|兄|弟|妹|孫|娘|息)"
    r"|[がはも](?=来院|同席|付|面会|同居|同伴|来棟|在宅|介護|キーパ)|に(?=電話|説明|連絡|IC|付)|へ(?=電話|説明|連絡)"
    r"|(?<=[・:( \t]..)(?=[、,(/\t]|[ ]?殿)|(?<=[・:( \t].)(?=[、,(/\t]|[ ]?殿)|(?<=[・:( \t]...)(?=[、,(/\t]))"
)


def _certain_kin(text: str, gap: re.Match[str]) -> tuple[int, int] | None:
    """Read a full name behind a relation, or a given name before a word that persons have."""
    start = gap.end()
    end = read_full_name(text, start)
    if end is not None and (gap["gap"] not in ("は", "が") or text[end : end + 1] in "、。\n("):
        return start, end
    match = _KIN_GIVEN.match(text, start)
    if not match or match["name"] in NO_PERSON_BEFORE_HONORIFIC or match["name"] in _KIN.words:
        return None
    return match.span("name") if _is_of_family(match["name"]) else None


def _is_of_family(name: str) -> bool:
    if is_given(name) or split_full_name(name) or split_shape(name):
        return True
    kanji = re.match("[一-龠々]*", name)
    family = kanji[0] if kanji else ""
    is_family = is_one_kanji_surname(family) or (len(family) > 1 and may_be_surname(family))
    return is_family and name > family and is_like_given(name[len(family) :])


def _is_after_kin_hopeless(text: str, end: int) -> bool:
    """Tell by the next characters that no name follows a relation."""
    if _KIN_GIVEN.match(text, end) or read_full_name(text, end):
        return False
    at = end + 1 if text[end : end + 1] in ("の", "は", "が") else end
    after = text[at : at + 1]
    if "一" <= after <= "龠":
        return not (
            text[at + 1 : at + 2] in GIVEN_ENDS
            or text[at + 2 : at + 3] in GIVEN_ENDS
            or _CALLED.search(text, at, at + 8) is not None
            or _MARKED.search(text, at, at + 6) is not None
            or is_surname(text[at : at + 2])
        )
    if "ぁ" <= after <= "ん":
        if at == end:
            return _KANA_CALLED.match(text, at) is None
        return _CALLED.search(text, at, at + 8) is None
    return after in "。\n" or after in "0123456789"


_MARKED = re.compile(r"[ (、)」|0-9]")

_KANA_CALLED = re.compile("(?![はがのにをともへでやかより])[ぁ-ん]{2,4}?(?:さん(?!ざ)|ちゃん|くん)")

_CALLED = re.compile("さん|ちゃん|くん|様|さま|君|氏")

_FIRM_KIN_GAPS = (":", "(", "「", "|", "=")

_GIVEN_ALONE = re.compile(
    "(?!母子|男子|女子|双子|様子|調子|弟子|息子|[一-龠]*(?:分子|因子|原子|電子|精子|卵子|菓"
    "子|女子))"
    "[一-龠]{1,2}[子美江代枝恵香奈郎夫雄也樹彦哉咲菜翔乃穂佳]"
)


def _given_name(gap: re.Match[str], match: re.Match[str]) -> tuple[int, int] | None:
    name, end = match["name"], match["end"]
    is_called = end in ("さん", "様", "さま", "くん", "君", "ちゃん", "氏")
    is_marked = (
        is_called
        or gap["gap"].strip() in _FIRM_KIN_GAPS
        or bool(re.search("[歳才居0-9]|電話", end))
    )
    is_kana = name[0] < "一"
    if NO_NAME.search(name) or NO_KATAKANA_NAME.search(name) or name in NO_PERSON_BEFORE_HONORIFIC:
        return None
    if not end and gap.string[match.end() : match.end() + 1] in tuple(
        "がはにへをとも"
    ):  # 長男の太郎に
        is_known = gap["gap"] == "の" and 2 <= len(name) <= 5 and name[-1] in GIVEN_ENDS
        parts = split_name(name)
        is_known &= not is_kana and is_person(name) and (len(name) < 4 or bool(parts))
        return match.span("name") if is_known else None
    is_listing = gap["gap"] == " " and "構成" in gap.string[max(0, gap.start() - 40) : gap.start()]
    if is_listing and (is_kana or is_person(name)):
        return match.span("name")
    if is_kana and not is_called and gap["gap"].strip() not in _FIRM_KIN_GAPS:
        is_aged = gap["gap"] == " " and (re.search("[0-9]", end) or is_kana_given(name))
        return match.span("name") if is_aged else None
    is_alone = _GIVEN_ALONE.fullmatch(name) or (len(name) > 1 and is_given(name))
    if gap["gap"] in (" ", "・", "/") and is_alone and is_person(name):
        return match.span("name")
    if not is_kana and (
        not is_person(name)
        or (len(name) == 1 and not is_called and gap["gap"].strip() not in _FIRM_KIN_GAPS)
    ):
        return None
    if not is_marked and not (
        gap["gap"] in (" ", "・", "/", "は", "\t") and (split_name(name) or ("", ""))[1]
    ):
        return None
    return match.span("name")
