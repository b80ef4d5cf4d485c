"""Names that the words around them tell in notes: spoken roles, kana pairs, cells of rows, particles.

In public text the same words stand beside authors and places too often; there these are not asked.
"""

from __future__ import annotations

import re

from rinsho.text.identifier_anchors import Begin, Rule, begins
from rinsho.text.identifier_given_names import (
    is_given,
    is_kana_given,
    is_like_given,
    is_one_kanji_surname,
    one_kanji_surnames,
    split_full_name,
)
from rinsho.text.identifier_honorifics import find_before_honorific
from rinsho.text.identifier_kin_names import after_kin_in_note
from rinsho.text.identifier_name_reading import NAME_KANJI, is_person, is_roman_name
from rinsho.text.identifier_name_words import KIN, NO_KATAKANA_NAME, NO_NAME, NOTE_HONORIFICS
from rinsho.text.identifier_shapes import split_shape
from rinsho.text.identifier_surnames import is_kana_family, is_listed, is_surname, surname_pairs

_FREE = r"(?<![一-龠々ァ-ヶーぁ-ん])"


def _is_family(word: str) -> bool:
    """Tell whether a word is a surname where only a person can stand."""
    is_one = len(word) == 1 and is_one_kanji_surname(word)
    return is_one or (len(word) > 1 and is_surname(word) and is_person(word))


def _is_name(word: str) -> bool:
    return _is_family(word) or (
        len(word) > 2 and is_person(word) and bool(split_full_name(word) or split_shape(word))
    )


# ------------------------------------------------------------------------------ in kana

_KANA_AFTER = re.compile(
    r"[ ]{1,3}(?P<given>[ァ-ヶー]{2,7}|[ぁ-んー]{2,7})(?=[\s\0、。,;:)(/|・」』\]】>\"'<]|様|殿|さん|$)"
)
_KANA_BEFORE = re.compile(r"(?<![ァ-ヶーぁ-ん一-龠])(?:[ァ-ヶー]{2,7}|[ぁ-んー]{2,7})\Z")


def _kana_pair(text: str, place: int) -> tuple[int, int] | None:
    """Read surname and given name in kana around a blank: カネダ カズエ, ながの かずこ."""
    after = _KANA_AFTER.match(text, place)
    back = after and _KANA_BEFORE.search(text, max(0, place - 8), place)
    if not after or not back or (back[0][0] < "ァ") != (after["given"][0] < "ァ"):
        return None
    is_pair = is_kana_family(back[0]) and is_kana_given(after["given"])
    return (back.start(), after.end()) if is_pair else None


# ---------------------------------------------------------------------- behind a spoken role

_ROLE = re.compile(
    r"(?:担当|執刀|助手|麻酔|主治医|記録|記載|リーダー|当直|日直|説明|対応|責任者|[者医師士]|受持ち?|受け持ち|窓口|夜勤|日勤|連絡先|宛先)\Z"
)
_AFTER_TOPIC = re.compile(
    rf"は、?[ ]?(?P<name>(?:{NAME_KANJI}){{1,6}})(?=[、。\n(]|です|で(?=す|、)|が(?=[一-龠])|に|$)"
)


def _after_spoken_role(text: str, place: int) -> tuple[int, int] | None:
    """Read the surname behind a role and は: 執刀は北島、助手は乾。"""
    match = _AFTER_TOPIC.match(text, place)
    if match is None or _ROLE.search(text, max(0, place - 5), place) is None:
        return None
    return match.span("name") if _is_name(match["name"]) else None


_PLACE_OF_WORK = re.compile(
    r"(?:隊|科|部|課|室|院|所|局|署|センター|ステーション|病棟|外来|担当|医師|看護師|[一-龠]{2}師|[一-龠]{2}士|事務|受付|ケアマネ|ヘルパー|ナース|薬局|担任|当直|日直)の"
    rf"(?P<name>(?:{NAME_KANJI}){{1,5}})\Z"
)
_SAYS = re.compile(r"で(?:す|ございます)|と(?:申し|いい)")


def _says_who(text: str, place: int) -> tuple[int, int] | None:
    """Read the surname of somebody who says where they work: 救急隊の金沢です。"""
    back = _SAYS.match(text, place) and _PLACE_OF_WORK.search(text, max(0, place - 12), place)
    return back.span("name") if back and _is_name(back["name"]) else None


_UNIT = re.compile(
    r"(?:事務|受付|窓口|連携室|相談室|医事課|係|救急隊|チーム|クラーク|秘書|交換|守衛|欠席|出席|センター|ステーション|事業所|オブザーバー|委員|同席|参加)\Z"
)
_BESIDE_UNIT = re.compile(
    rf"[ :]{{1,3}}(?P<name>(?:{NAME_KANJI}){{1,6}})(?=[\s、。/|・)」\0]|$|委員|さん|様)"
)


def _beside_unit(text: str, place: int) -> tuple[int, int] | None:
    """Read the surname beside the unit where somebody works: 医療事務 野崎."""
    match = _BESIDE_UNIT.match(text, place)
    if match is None or _UNIT.search(text, max(0, place - 6), place) is None:
        return None
    return match.span("name") if _is_name(match["name"]) else None


# ----------------------------------------------------------------------------- by particles

_NO_GIVEN_ALONE = frozenset(
    "市町村道川島山寺駅口城塚港橋谷丘野原沢森林浜崎岡坂屋家宗流派式型学園会社部科店館本田井木上中下里内外東西南北平"
)
_BEFORE_PARTICLE = re.compile(
    rf"(?P<name>(?:{NAME_KANJI}){{3,7}}|(?:{NAME_KANJI}){{1,4}}[ぁ-んァ-ヶー]{{1,3}}[子江代美枝恵])"
    r"(?=[はが](?=[0-9一-龠ァ-ヶ、])|も(?=[一-龠])|に(?=説明|電話|連絡|面談|IC|付|同席)|を(?=[一-龠])|の(?=入院|退院|件|経過|診察|主治医|担当|妻|夫|母|父|長男|長女|家族))"
)


_KANJI_BEFORE = re.compile("[一-龠々ァ-ヶー]")


def _before_particle(text: str, place: int) -> tuple[int, int] | None:
    """Read a full name before a particle: 4年5組の長谷部操が来室, 宮島奏は2012年から."""
    if _KANJI_BEFORE.match(text[place - 1 : place]):
        return None
    match = _BEFORE_PARTICLE.match(text, place)
    parts = match and split_full_name(match["name"])
    if not match or not parts or not is_listed(parts[0]) or not is_given(parts[1]):
        return None
    if not is_person(match["name"]) or (len(parts[1]) == 1 and parts[1] in _NO_GIVEN_ALONE):
        return None
    return match.span("name") if len(parts[0]) > 1 or len(parts[1]) > 1 else None


# ------------------------------------------------------------------- in brackets and in rows

_IN_BRACKETS = re.compile(
    rf"[『「【(\[](?P<name>(?:{NAME_KANJI}){{2,9}}(?:[ぁ-ん]{{2,4}}|[ァ-ヶー]{{2,4}})?|(?:{NAME_KANJI}){{1,5}}[ ](?:{NAME_KANJI}){{1,5}})\Z"
)
_CALLED = re.compile(r"[』」】)\]][ ]?(?:様|殿|さん|氏|先生|くん|君)")


def _called_in_brackets(text: str, place: int) -> tuple[int, int] | None:
    """Read a name in brackets before an honorific: 『秋山勘太』様."""
    back = _CALLED.match(text, place) and _IN_BRACKETS.search(text, max(0, place - 14), place)
    name = back and back["name"].replace(" ", "")
    return back.span("name") if back and name and _is_name(name) else None


_ALONE_BEFORE_SAMA = re.compile(r"(?:^|[\s】室号長:|◆※>・●○■□(\[「『])(?P<name>[一-龠])[ ]?\Z")


def _one_kanji_called(text: str, place: int) -> tuple[int, int] | None:
    """Read a surname of one kanji that stands alone before 様: 611号室 平様."""
    back = _ALONE_BEFORE_SAMA.search(text, max(0, place - 3), place)
    if back is None or back["name"] in "奥殿" or not is_one_kanji_surname(back["name"]):
        return None
    after = text[place + 1 : place + 2]
    return back.span("name") if not "一" <= after <= "龠" else None


_FAMILY_IN_QUOTES = re.compile(rf"(?P<q>['\"])(?P<name>(?:{NAME_KANJI}){{1,5}})(?P=q)\Z")
_NEXT_IN_QUOTES = re.compile(
    rf",[ ]?['\"](?P<name>(?:{NAME_KANJI}){{1,5}}|[ぁ-んー]{{2,8}}|[ァ-ヶー]{{2,8}}|[A-Z][a-z]{{1,14}}|(?:{NAME_KANJI}|[ぁ-ん]){{2,5}})['\"]"
)


def _in_row(text: str, place: int) -> tuple[int, int] | None:
    """Read the surname in the cell before a comma, or the next part of a name behind a masked one.

    ('MRN446', '上田', 'シズエ', 'ウエダ', 'シズエ')
    """
    after = _NEXT_IN_QUOTES.match(text, place)
    if (
        after is None
        or after["name"] in ("男", "女", "男性", "女性")
        or NO_NAME.search(after["name"])
    ):
        return None
    if text[place - 2 : place - 1] == "\0":
        is_kana = "ぁ" <= after["name"][0] <= "ヶ" and not NO_KATAKANA_NAME.search(after["name"])
        is_next = is_kana or is_like_given(after["name"]) or is_given(after["name"])
        return after.span("name") if is_next and is_roman_name(after["name"]) else None
    back = _FAMILY_IN_QUOTES.search(text, max(0, place - 8), place)
    if not back or not _is_family(back["name"]):
        return None
    given = after["name"]
    is_pair = is_given(given) or (given[0] < "一" and is_like_given(given))
    return back.span("name") if is_pair else None


_KIN_AFTER = re.compile(
    r"[ ]?\((?:長男|長女|次男|次女|三男|三女|妻|夫|父|母|兄|弟|姉|妹|息子|娘|孫|嫁|婿|祖父|祖母|甥|姪|叔父|叔母)[)・、, /]"
)
_GIVEN_BEFORE = re.compile(
    rf"{_FREE}(?P<name>(?:{NAME_KANJI}){{1,3}}|[ぁ-ん]{{2,4}}|[ァ-ヶー]{{2,5}})\Z"
)


def _before_kin(text: str, place: int) -> tuple[int, int] | None:
    """Read a given name before a relation in brackets: 同居家族 遥(長男・52歳)."""
    back = _KIN_AFTER.match(text, place) and _GIVEN_BEFORE.search(text, max(0, place - 6), place)
    if not back or NO_NAME.search(back["name"]) or NO_KATAKANA_NAME.search(back["name"]):
        return None
    is_name = is_given(back["name"]) or is_kana_given(back["name"]) or _is_family(back["name"])
    return back.span("name") if is_name else None


_ROMAN_BACK = re.compile(
    r"(?<![A-Za-z])[A-Z][A-Za-z'-]{1,14}[ ][A-Z][A-Za-z'-]{1,14}(?:[ ][A-Z][A-Za-z'-]{1,14})?\Z"
)


def _roman_before_name(text: str, place: int) -> tuple[int, int] | None:
    """Read a name in Latin letters before one in kanji that is masked: Oshima Kai (大島海)."""
    if not text[place : place + 3].lstrip().startswith("(\0"):
        return None
    back = _ROMAN_BACK.search(text, max(0, place - 44), place)
    if not back or not all(is_roman_name(word) for word in back[0].split()):
        return None
    return back.span()


_KANJI = "".join(map(chr, range(0x4E00, 0x9FA1)))
_KANA = "".join(map(chr, (*range(0x3041, 0x3097), *range(0x30A1, 0x30FD))))
_LATIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NAME_IN_BRACKETS = re.compile(r"\((?P<value>[一-龠々ヶ]{1,4})\Z")
_KANA_NAME = re.compile(r"(?<![ァ-ヶー])(?P<value>[ァ-ヶー]{4,10})[ ]?\Z")


def _before_phone(text: str, place: int) -> tuple[int, int] | None:
    """Read the name in brackets before a phone number: (畑中)090-8506-1111."""
    match = _NAME_IN_BRACKETS.search(text, max(0, place - 6), place)
    return match.span("value") if match and _is_name(match["value"]) else None


def _kana_called(text: str, place: int) -> tuple[int, int] | None:
    """Read surname and given name in one word of katakana: ナカムラレイ様."""
    match = _KANA_NAME.search(text, max(0, place - 12), place)
    name = match["value"] if match else ""
    is_name = any(
        is_kana_family(name[:n]) and is_kana_given(name[n:]) for n in range(2, len(name) - 1)
    )
    return match.span("value") if match and is_name else None


NOTE_NAME_RULES = (
    Rule("name", begins(NOTE_HONORIFICS), find_before_honorific, 24),
    Rule("name", (Begin(" ", _KANA + " ", "", _KANA),), _kana_pair, 24),
    Rule(
        "name",
        (Begin("は", _KANJI + "、 ", "", "当刀手酔医録載ー直明応者師士持ち口勤先"),),
        _after_spoken_role,
        24,
    ),
    Rule("name", (Begin("で", "すご", "", _KANJI), Begin("と", "申い", "", _KANJI)), _says_who, 24),
    Rule(
        "name",
        (Begin(" :", _KANJI + " ", "", "務付口室課係隊ムク書換衛席ー員加所ン"),),
        _beside_unit,
        24,
    ),
    Rule(
        "name",
        tuple(Begin(first, second) for first, second in surname_pairs().items()),
        _before_particle,
        24,
    ),
    Rule("name", (Begin(one_kanji_surnames(), _KANJI + _KANA),), _before_particle, 24),
    Rule("name", (Begin("』」】)]", "様殿さ氏先く君 "),), _called_in_brackets, 24),
    Rule("name", (Begin("様殿", "", "", _KANJI + " "),), _one_kanji_called, 24),
    Rule("name", (Begin(",", " '\"", "", "'\""),), _in_row, 24),
    Rule("name", begins(KIN), after_kin_in_note, 25),
    Rule("name", (Begin(")", "0", "0123456789"),), _before_phone, 24),
    Rule("name", (Begin("様殿", "", "", _KANA + " "),), _kana_called, 24),
    Rule("name", (Begin("( ", "(長次三妻夫父母兄弟姉妹息娘孫嫁婿祖甥姪叔"),), _before_kin, 24),
    Rule("name", (Begin(" (", "(\0", "", _LATIN),), _roman_before_name, 24),
)
