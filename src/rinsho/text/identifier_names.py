"""Names of patients, families and staff: beside a cue, before an honorific, after a relation.

How much a name has to look like one depends on what stands before it: after 氏名: any word that is
no other word; after 主治医 and a blank, or before 先生, one that begins with a surname.
"""

from __future__ import annotations

import re

from rinsho.text.identifier_anchors import Begin, Find, Rule, WordsAt, begins
from rinsho.text.identifier_full_names import read_full_name
from rinsho.text.identifier_given_names import (
    GIVEN_ENDS,
    is_given,
    is_kana_given,
    is_like_given,
    is_one_kanji_surname,
    split_full_name,
)
from rinsho.text.identifier_honorifics import NO_NAME_ENDS, find_before_honorific
from rinsho.text.identifier_name_reading import (
    NAME_KANJI,
    NO_GIVEN_LETTER,
    Firmness,
    is_person,
    is_roman_name,
    read_cell,
    read_name,
)
from rinsho.text.identifier_name_words import (
    HONORIFICS,
    KIN,
    NO_KATAKANA_NAME,
    NO_NAME,
    NO_PERSON_BEFORE_HONORIFIC,
    OWN_CUES,
    ROLE_CUES,
    read_words,
)
from rinsho.text.identifier_shapes import may_be_surname, split_shape
from rinsho.text.identifier_surnames import (
    is_listed,
    is_rare,
    is_surname,
    split_name,
    surname_letters,
    surname_pairs,
)

# ----------------------------------------------------------------------------------- cues

_REMARK = r"(?:[ ]?\((?:[^()\0\n0-9]{1,10})\))?+"
_OWNER = (
    r"(?:様|さん|氏名|名|者名|者|医師|医|欄|署名|サイン|\.(?:text|family|given)|_kan[aj]i?|Kana"
    r"|[_・/ ]?(?:漢字|カナ|かな))?[①-⑩]?"
)
_FIRM_GAP = re.compile(
    rf"{_OWNER}{_REMARK}[ \t]{{0,8}}+(?:[:|\t=】〉》>→]|[\"'][ ]?[:,]|\](?![ ]?[a-z]))"
    r"[ \t\n:|\"'*]{0,12}+[「『\[【(<\"']{0,2}+[ ]?"
)
_PLAIN_GAP = re.compile(rf"(?:様|さん|氏名|名|者名|者|医師|医)?{_REMARK}[ \t]{{1,8}}+[「『]?")
_BLANK_GAP = re.compile(
    rf"(?:様|さん|氏名|名|者名|者|医師|医)?{_REMARK}[ \t\n(「『,、/・][ \t\n]{{0,8}}+[「『(]?"
)
_BRACKET_GAP = re.compile(r"\)[ \t:]{0,4}")  # (氏名) 山田太郎
_NO_GAP = re.compile(r"(?:医師|医|者|様|さん)?(?:は、?|が|の|:)?")
_TITLE_BEFORE = re.compile(r"(?:Dr\.?|Ns\.?|Mr\.?|Ms\.?|Mrs\.?|Prof\.?|医師|看護師)[ ]?")


_TITLES = frozenset(
    [
        "Dr",
        "Dr.",
        "DR",
        "Ns",
        "Ns.",
        "NS",
        "Mr",
        "Mr.",
        "Mrs.",
        "Ms",
        "Ms.",
        "Prof.",
        "PT",
        "OT",
        "ST",
        "Pt.",
        "Pt",
        "ME",
        "CE",
        "MSW",
    ]
)
_NO_COLON = re.compile(r"\A[^:=\t|]*\Z|\n")
_ACTIONS = frozenset(read_words("actions"))
_AFTER_ACTION = frozenset(":= \t|/・者医")
_AFTER_TITLE = re.compile(
    rf"(?P<roman>[A-Z][a-z]{{2,14}}(?:[ ][A-Z][a-z]{{2,14}})?(?![A-Za-z]))|(?:{NAME_KANJI}){{1,2}}(?![一-龠ァ-ヶ])"
)


def _after_title(text: str, place: int) -> int | None:
    """Read a single word after Dr. and the like: Okabe, or a listed surname of one kanji."""
    match = _AFTER_TITLE.match(text, place)
    if match is None or (
        match["roman"] and not text[place - 1].isspace() and text[place - 1] != "."
    ):
        return None
    is_name = is_roman_name(match[0]) if match["roman"] else is_listed(match[0])
    return match.end() if is_name else None


_KEYS_OF_PARTS = frozenset(
    word + end
    for word in ("family", "given", "first", "last")
    for end in ("_name", "name", "-name")
)
_MANY = frozenset(
    [
        "患者",
        "患者様",
        "患者さん",
        "家族",
        "親族",
        "本人",
        "利用者",
        "入所者",
        "連絡先",
        "緊急連絡先",
        "児",
        "友人",
        "知人",
    ]
)


def _cue_finder(words: list[str], is_own: bool) -> Find:
    """Return a function for names after cues.

    Args:
        words: The cues.
        is_own: Nothing but a name follows such a cue: a blank is firm enough.
    """
    cues = WordsAt(words)
    levels: tuple[tuple[re.Pattern[str], Firmness], ...] = (
        (_FIRM_GAP, "firm"),
        (_PLAIN_GAP, "firm" if is_own else "surname"),
        (_BLANK_GAP, "surname"),
        (_NO_GAP, "listed"),
    )

    def find(text: str, place: int) -> tuple[int, int] | None:
        for cue_end in cues.ends(text, place):
            if text[place:cue_end] in _ACTIONS and text[cue_end : cue_end + 1] not in _AFTER_ACTION:
                continue
            if _is_hopeless(text, cue_end) or _is_inside_word(text, place, cue_end):
                continue
            close = _BRACKET_GAP.match(text, cue_end) if text[place - 1 : place] == "(" else None
            if close and (end := read_name(text, close.end(), "surname")) is not None:
                return close.end(), end
            for gap, firmness in levels:
                if (after := gap.match(text, cue_end)) is None:
                    continue
                start = after.end()
                if not is_own and (_NO_COLON.search(after[0]) or text[place:cue_end] in _ACTIONS):
                    firmness = "surname" if firmness == "firm" else firmness
                if after[0].endswith("の") and text[place:cue_end] not in _MANY:
                    firmness = "surname"
                if title := _TITLE_BEFORE.match(text, start):
                    start = title.end()
                if (end := read_name(text, start, firmness)) is not None:
                    return start, end
                if is_own and gap is _FIRM_GAP and (end := read_cell(text, start)) is not None:
                    return start, end
                is_key = gap is _FIRM_GAP and text[place:cue_end].lower() in _KEYS_OF_PARTS
                if is_key and (part := _ONE_PART.match(text, start)):
                    return part.span()
                if text[place:cue_end] in _TITLES and (end := _after_title(text, start)):
                    return start, end
        return None

    return find


# No name follows a cue right before one of these: particles and endings of verbs, stops, figures.
_HOPELESS = "、。0123456789" + "".join(
    chr(code) for code in range(ord("ぁ"), ord("ん") + 1) if chr(code) not in "さはがの"
)


def _is_hopeless(text: str, end: int) -> bool:
    """Tell by the next character that no name follows a cue."""
    after = text[end : end + 1]
    if after in _HOPELESS:
        return True
    if "一" <= after <= "龠" and after not in "様者氏名医師欄署":
        pair, three = text[end : end + 2], text[end : end + 3]
        return not (is_surname(pair) or is_listed(three) or read_full_name(text, end))
    if after in "はがの":
        pair, three = text[end + 1 : end + 3], text[end + 1 : end + 4]
        return "ぁ" <= pair[:1] <= "ん" or (
            pair[:1] >= "一"
            and not is_surname(pair)
            and not is_listed(three)
            and not is_surname(three)
        )
    return False


def _is_inside_word(text: str, start: int, end: int) -> bool:
    """Tell whether a cue in Latin letters is only part of a word."""
    before, first, last, after = (
        text[start - 1 : start],
        text[start],
        text[end - 1],
        text[end : end + 1],
    )
    is_cut = last.isascii() and last.isalpha() and after.isascii() and after.isalpha()
    return (first.isascii() and before.isascii() and before.isalnum()) or is_cut


# ----------------------------------------------------------------------------------- kin

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


def _after_kin(text: str, place: int) -> tuple[int, int] | None:
    """Read the name after 長男の, 妻( and the like."""
    for end in _KIN.ends(text, place):
        gap = None if _is_after_kin_hopeless(text, end) else _KIN_GAP.match(text, end)
        if gap and (span := _certain_kin(text, gap)):
            return span
        match = gap and _GIVEN.match(text, gap.end())
        if gap and match and (span := _given_name(gap, match)):
            return span
    return None


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


# ---------------------------------------------------------------------------- continuation

_READING = re.compile(
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


def _next_name(text: str, place: int) -> tuple[int, int] | None:
    """Read one more name after one that is masked: 助手: 佐藤、鈴木."""
    gap = _NEXT.match(text, place)
    if reading := _READING.match(text, place):
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


def _in_circled_list(text: str, place: int) -> tuple[int, int] | None:
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


def _around_bracket(text: str, place: int) -> tuple[int, int] | None:
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
_KIN_END = "母父妻夫男女兄弟姉妹"
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


def _after_role(text: str, place: int) -> tuple[int, int] | None:
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


def _after_topic(text: str, place: int) -> tuple[int, int] | None:
    """Read a full name after 手術は, 患者は and the like, before a bracket or a comma."""
    gap = _TOPIC_END.match(text, place)
    if gap and (full := read_full_name(text, gap.end())) and text[full : full + 1] in "(、。\n":
        return gap.end(), full
    end = gap and read_name(text, gap.end(), "listed")
    if not gap or not end or text[end : end + 1] not in "(、。" or text[place - 1] in _KIN_END:
        return None
    parts = split_name(text[gap.end() : end])
    return (gap.end(), end) if parts and len(parts[1]) in (1, 2, 3) else None


def _signature(text: str, place: int) -> tuple[int, int] | None:
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
_BEFORE_NEXT = re.compile(rf"(?<![一-龠ァ-ヶ々])(?:{NAME_KANJI}){{1,5}}\Z")


def _name_before(text: str, place: int) -> tuple[int, int] | None:
    """Read a surname before one that is masked: 中山・[西岡]両氏."""
    match = _BEFORE_NEXT.search(text, max(0, place - 5), place)
    parts = match and split_name(match[0])
    if not match or not parts or not is_listed(parts[0]) or not is_person(match[0]):
        return None
    return match.span() if len(parts[1]) <= 3 and len(match[0]) > 1 else None


# ----------------------------------------------------------------------- age, sex, relation

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


def _before_age(text: str, place: int) -> tuple[int, int] | None:
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


def _after_age(text: str, place: int) -> tuple[int, int] | None:
    """Read a full name after an age and a sex: 72歳男性、山田太郎。"""
    gap = _AFTER_AGE.match(text, place)
    if not gap or text[place - 1 : place] not in "歳才代 、,の":
        return None
    end = read_name(text, gap.end(), "listed")
    parts = end and split_name(text[gap.end() : end])
    if not end or not parts or not 1 <= len(parts[1]) <= 3:
        return None
    return (gap.end(), end) if text[end : end + 1] in ("", "。", "、", "\n", "(", " ") else None


def _before_saying(text: str, place: int) -> tuple[int, int] | None:
    """Read a name before と申します, and one that is all that is said: 「山田太郎です」."""
    says = _SAYS.match(text, place)
    back = says and _BEFORE_NEXT.search(text, max(0, place - 6), place)
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


def _before_reading(text: str, place: int) -> tuple[int, int] | None:
    """Read a name in kanji before its reading in brackets: 山田 太郎(ヤマダ タロウ)."""
    reading = _READING.match(text, place)
    back = reading and _NAME_BACK.search(text, max(0, place - 12), place)
    parts = back and not back["kana"] and split_name(back[0])
    if not reading or not back or not parts or not parts[1] or not is_person(back[0]):
        return None
    is_name = is_surname(parts[0]) and reading["value"][0] < "一"
    if not re.search("[ ・]", reading["value"]):  # 桜馬場通(さくらのばんばどおり)
        is_name &= is_listed(parts[0]) and len(parts[1]) <= 3 and parts[1][-1] in GIVEN_ENDS
    return back.span() if is_name and not reading["value"].isascii() else None


_KANA_PAIR = re.compile(r"(?<![ァ-ヶー])[ァ-ヶー]{2,6}[ ][ァ-ヶー]{1,6}\Z")


def _kana_before_name(text: str, place: int) -> tuple[int, int] | None:
    """Read a name in kana in the cell before one that is masked."""
    match = _KANA_PAIR.search(text, max(0, place - 14), place)
    if match is None or NO_KATAKANA_NAME.search(match[0]):
        return None
    return match.span()


_PART_OF_NAME = re.compile(
    r"(?:[姓名氏]|セイ|メイ)(?:[ ]?\([^()\0\n]{1,6}\))?(?:[ ]?[:=|][ ]?|[ \t]{1,4}|を(?=[一-龠]{2,3}に変))"
)
_ONE_PART = re.compile(
    rf"(?:(?:{NAME_KANJI}){{1,4}}|[ァ-ヶー]{{1,8}}|[ぁ-ん]{{2,6}}|[A-Z][A-Za-z]{{1,14}})"
    r"(?=[\s、,;|)に\0/&'\"<}}]|$)"
)


def _part_of_name(text: str, place: int) -> tuple[int, int] | None:
    """Read 姓: 山田, and 名: 太郎 where a 姓 stands before it."""
    gap = _PART_OF_NAME.match(text, place)
    if not gap or (
        text[place] in "名メ" and not _HAS_FAMILY.search(text, max(0, place - 24), place)
    ):
        return None
    match = _ONE_PART.match(text, gap.end())
    return match.span() if match and not NO_NAME.search(match[0]) else None


_HAS_FAMILY = re.compile("姓|セイ|氏[ :]")
_LETTERS_OF_NAMES = "".join(map(chr, (*range(0x4E00, 0x9FA1), *range(0x3041, 0x30FB), 0xFA11)))
_SURNAME_FIRST = surname_letters()
_KANA = "".join(map(chr, (*range(0x3041, 0x3097), *range(0x30A1, 0x30FD))))
_MAIL_AFTER = re.compile(r"[ ]?<[A-Za-z0-9._+-]{1,40}@")


def _before_mail(text: str, place: int) -> tuple[int, int] | None:
    """Read a name before a mail address in angle brackets: 山田 太郎 <yamada@example.jp>."""
    if not _MAIL_AFTER.match(text, place):
        return None
    match = _NAME_BACK.search(text, max(0, place - 14), place)
    return match.span() if match and not NO_NAME.search(match[0]) else None


NAME_RULES = (
    Rule("name", (Begin(" ", "<"), Begin("<", "", "", _LETTERS_OF_NAMES)), _before_mail, 23),
    Rule(
        "name",
        (
            Begin(
                "、, \t(/|・【",
                "0123456789男女MFTSHR長次三妻夫父母兄弟姉妹息娘孫嫁本明大昭平令満 (",
                "0123456789性児子、,)】。y代男女MF歳才治正和成\n\t| (・/./"
                + "長次三妻夫父母兄弟姉妹息娘孫嫁本女",
                _LETTERS_OF_NAMES,
            ),
        ),
        _before_age,
        23,
    ),
    Rule("name", begins(OWN_CUES), _cue_finder(OWN_CUES, True), 20, not_before=_HOPELESS),
    Rule("name", begins(ROLE_CUES), _cue_finder(ROLE_CUES, False), 21, not_before=_HOPELESS),
    Rule("name", begins(HONORIFICS), find_before_honorific, 22, not_after=NO_NAME_ENDS),
    Rule("name", begins(KIN), _after_kin, 23),
    Rule("name", (Begin("、,/・&と→ (", "", "", "\0"),), _next_name, 24),
    Rule("name", (Begin("/・&", "\0"),), _name_before, 25),
    Rule("name", (Begin("①②③④⑤⑥⑦⑧⑨⑩"),), _in_circled_list, 24),
    Rule(
        "name",
        (
            Begin(
                "(",
                "DNPOSMC医看准薬主担師技研助保理作言歯臨管社精介",
                "rsTWDMN師医護薬剤任当長産健学業語科床理会神",
            ),
            *(Begin("(", first, seconds) for first, seconds in surname_pairs().items()),
        ),
        _around_bracket,
        24,
    ),
    Rule("name", (Begin(",", "\0"),), _kana_before_name, 25),
    Rule("name", (Begin(":=|\t 】」", "", "", "者医師士員人名手係役当長主"),), _after_role, 24),
    Rule("name", (Begin("男女", "性", "、,: の"),), _after_age, 24),
    Rule(
        "name",
        (
            Begin("と", "申名い", "し乗いう"),
            Begin("で", "す", "。」、"),
            Begin("の", "妻夫娘息母父", "で子"),
        ),
        _before_saying,
        24,
    ),
    Rule("name", (Begin("(", _KANA, _KANA, _LETTERS_OF_NAMES),), _before_reading, 23),
    Rule(
        "name",
        (Begin("姓名氏", " :=\t(を", "", "\n\t 、,。/|(・*-"), Begin("セメ", "イ", "(: =")),
        _part_of_name,
        22,
    ),
    Rule("name", (Begin("は", "", "", "術査談象約院者定" + _KIN_END),), _after_topic, 25),
    Rule("name", (Begin("( \t", _SURNAME_FIRST, "", "。. \t"),), _signature, 25),
)
