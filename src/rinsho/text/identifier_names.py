"""Names of patients, families and staff beside a cue, and all rules of names.

How much a name has to look like one depends on what stands before it: after 氏名: any word that is
no other word; after 主治医 and a blank, or before 先生, one that begins with a surname.
"""

from __future__ import annotations

import re

from rinsho.text.identifier_aged_names import (
    after_age,
    before_age,
    before_mail,
    before_reading,
    before_saying,
    kana_before_name,
)
from rinsho.text.identifier_anchors import Begin, Find, Rule, WordsAt, begins
from rinsho.text.identifier_full_names import read_full_name
from rinsho.text.identifier_honorifics import NO_NAME_ENDS, find_before_honorific
from rinsho.text.identifier_kin_names import after_kin
from rinsho.text.identifier_listed_names import (
    KIN_END,
    after_role,
    after_topic,
    around_bracket,
    in_circled_list,
    name_before,
    next_name,
    signature,
)
from rinsho.text.identifier_name_reading import (
    NAME_KANJI,
    Firmness,
    is_roman_name,
    read_cell,
    read_name,
)
from rinsho.text.identifier_name_words import (
    HONORIFICS,
    KIN,
    NO_NAME,
    OWN_CUES,
    ROLE_CUES,
    read_words,
)
from rinsho.text.identifier_surnames import (
    is_listed,
    is_surname,
    surname_letters,
    surname_pairs,
)

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

# What the first character of these gaps may be; with any other there is none between cue and name.
OPENS_GAP = frozenset("様さ氏名者医欄署サ._KカかK漢・/①②③④⑤⑥⑦⑧⑨⑩ \t\n()[]:|=】〉》>→\"'「『,、")
GAPS = (_FIRM_GAP, _PLAIN_GAP, _BLANK_GAP)

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
            opens_gap = text[cue_end : cue_end + 1] in OPENS_GAP
            for gap, firmness in levels if opens_gap else levels[-1:]:
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
    if not (text[start].isascii() or text[end - 1].isascii()):
        return False
    before, first, last, after = (
        text[start - 1 : start],
        text[start],
        text[end - 1],
        text[end : end + 1],
    )
    is_cut = last.isascii() and last.isalpha() and after.isascii() and after.isalpha()
    return (first.isascii() and before.isascii() and before.isalnum()) or is_cut


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

NAME_RULES = (
    Rule("name", (Begin(" ", "<"), Begin("<", "", "", _LETTERS_OF_NAMES)), before_mail, 23),
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
        before_age,
        23,
    ),
    Rule("name", begins(OWN_CUES), _cue_finder(OWN_CUES, True), 20, not_before=_HOPELESS),
    Rule("name", begins(ROLE_CUES), _cue_finder(ROLE_CUES, False), 21, not_before=_HOPELESS),
    Rule("name", begins(HONORIFICS), find_before_honorific, 22, not_after=NO_NAME_ENDS),
    Rule("name", begins(KIN), after_kin, 23),
    Rule("name", (Begin("、,/・&と→ (", "", "", "\0"),), next_name, 24),
    Rule("name", (Begin("/・&", "\0"),), name_before, 25),
    Rule("name", (Begin("①②③④⑤⑥⑦⑧⑨⑩"),), in_circled_list, 24),
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
        around_bracket,
        24,
    ),
    Rule("name", (Begin(",", "\0"),), kana_before_name, 25),
    Rule("name", (Begin(":=|\t 】」", "", "", "者医師士員人名手係役当長主"),), after_role, 24),
    Rule("name", (Begin("男女", "性", "、,: の"),), after_age, 24),
    Rule(
        "name",
        (
            Begin("と", "申名い", "し乗いう"),
            Begin("で", "す", "。」、"),
            Begin("の", "妻夫娘息母父", "で子"),
        ),
        before_saying,
        24,
    ),
    Rule("name", (Begin("(", _KANA, _KANA, _LETTERS_OF_NAMES),), before_reading, 23),
    Rule(
        "name",
        (Begin("姓名氏", " :=\t(を", "", "\n\t 、,。/|(・*-"), Begin("セメ", "イ", "(: =")),
        _part_of_name,
        22,
    ),
    Rule("name", (Begin("は", "", "", "術査談象約院者定" + KIN_END),), after_topic, 25),
    Rule("name", (Begin("( \t", _SURNAME_FIRST, "", "。. \t"),), signature, 25),
)
