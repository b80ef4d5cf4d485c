"""Names before an honorific or a role: 山田太郎様, 佐藤看護師, タナカさん."""

from __future__ import annotations

import functools
import re

from rinsho.text.identifier_given_names import (
    GIVEN_ENDS,
    is_given,
    is_one_kanji_surname,
    split_full_name,
)
from rinsho.text.identifier_name_reading import (
    NAME_KANJI,
    is_person,
    is_roman_name,
)
from rinsho.text.identifier_name_words import (
    HONORIFICS,
    NO_KATAKANA_NAME,
    NO_NAME,
    NO_PERSON_BEFORE_HONORIFIC,
    NOTE_HONORIFICS,
)
from rinsho.text.identifier_shapes import ENDS_OF_SURNAMES, may_be_name, may_be_surname, split_shape
from rinsho.text.identifier_surnames import (
    is_kana_surname,
    is_listed,
    is_rare,
    is_surname,
    split_name,
)

_HONORIFIC = re.compile("|".join(sorted([*HONORIFICS, *NOTE_HONORIFICS], key=len, reverse=True)))
_NO_SHI = re.compile(
    "(?<=[ァ-ヶー])氏[一-龠]|氏(?:反応|病|徴候|法|症候|手術|現象|試験|液|線|帯|管|名|族|神|"
    "子|家|寺|の(?:"
    "法則|方法|分類|徴候|手術|病)|分類|型|式|角|体|窩|孔|靭帯|筋|膜|嚢|腺|憩室)"
)
_NO_SAMA = re.compile(
    "様(?:[々式子相態症所反変構物に式顔肉皮紅発疹腫嚢結浸隆病徴細陰丘]|の(?:症状|"
    "所見|変化|構造|陰影|外観|皮|病変|隆起|硬|形|物|腫|反|発|紅|腺|組|細|感|体|呼"
    "|便|分泌|痛|性))"
)
_BEFORE = re.compile(
    rf"(?:(?P<roman>[A-Z][a-z'-]{{1,14}},?[ ][A-Z][A-Za-z.'-]{{0,14}}|[A-Z]{{2,14}}"
    rf"[ ][A-Z]{{2,14}}|[A-Z]\.[ ]?[A-Z](?:[a-z]{{1,14}}|\.)?|[A-Z][a-z]{{2,14}})"
    rf"|(?P<katakana>[ァ-ヶー]{{2,10}}(?:[ ・=][ァ-ヶー]{{1,12}}){{0,2}})"
    rf"|(?P<surname>(?:{NAME_KANJI}){{1,5}})(?P<kana>[ ]?(?:[ぁ-んー]{{2,5}}|[ァ-ヶー]{{2,4}}子|[ぁ-"
    rf"ん]{{1,3}}[子美江代枝恵香花奈紀]|[ァ-ヶー]{{2,6}}))"
    rf"|(?P<hiragana>[ぁ-んー]{{2,7}}[ ][ぁ-んー]{{2,6}})"
    rf"|(?P<spaced>(?:{NAME_KANJI}){{1,5}}[ ](?:{NAME_KANJI}){{1,5}})"
    rf"|(?P<kanji>(?:{NAME_KANJI}){{1,9}})"
    rf"|(?P<plain>[ぁ-んー]{{2,8}}))[ ]?\Z"
)
_FULL_NAME_END = re.compile(
    rf"[一-龠]{{3,6}}(?<=[{''.join(sorted(GIVEN_ENDS))}])\Z|[ァ-ヶぁ-ん]子\Z"
)
_IS_OFFICE = re.compile("[一-龠]{2}|[A-Z]")
_LONGEST = 24
_AFTER_SAMA = frozenset(" 、。\n()「」,:はがよへを】]専宛宅方") | {""}
_ENDS_A_PLACE = frozenset("科院棟室課局")
_TITLES_ANYWHERE = frozenset(
    {
        "先生",
        "医師",
        "看護師",
        "Dr",
        "Dr.",
        "DR",
        "Ns",
        "Ns.",
        "NS",
        "PT",
        "OT",
        "ST",
        "MSW",
        "PSW",
        "CM",
        "CE",
        "両医師",
        "両先生",
        "主任",
        "係長",
        "師長",
        "警部補",
        "巡査",
    }
)
_TITLES = _TITLES_ANYWHERE | frozenset(
    {
        "ME",
        "RN",
        "MD",
        "弁護士",
        "夫人",
        "氏",
        "婦長",
        "隊長",
        "園長",
        "社長",
        "課長",
        "教諭",
        "校長",
        "理事長",
        "会長",
        "ヘルパー",
        "歯科医師",
        "ケアマネ",
    }
)
_OF_CLANS = frozenset(["氏", "君", "夫人"])
_LIKE_PREFIXES = frozenset("前新元現上中大小神東西南北高今旧故")
_CERTAIN_TITLES = _TITLES_ANYWHERE | frozenset({"薬剤師", "技師", "保健師", "助産師"})
_ENDS_A_ROLE = frozenset("医師科長者部員父母兄弟姉妹男女妻夫婦孫役番名棟院室前故元手護授事任")


NO_NAME_ENDS = "、。「」\n()にをはがともでるだすど0123456789"  # with these before an honorific


def find_before_honorific(text: str, place: int) -> tuple[int, int] | None:
    """Read the name that ends where an honorific begins."""
    before = text[place - 1 : place]
    if before in NO_NAME_ENDS:
        return None
    if before in "のなれよた" and text[place - 2 : place - 1] in "そこあどた、。":
        return None
    if text[place].isascii() and _is_in_latin_word(text, place):
        return None
    if text[place] == "様" and "一" <= text[place + 1 : place + 2] <= "龠":  # noqa: SIM102
        if text[place + 1] not in "方宛宅自御来本入退受専他":
            return None
    honorific = _HONORIFIC.match(text, place)
    if honorific and before in "両諸各":
        return None
    if honorific and before in "模同仕一多異神" and text[place] in "様氏":
        start = _plain_run(text, place) if before == "一" else None
        return (start, place) if start is not None and split_full_name(text[start:place]) else None
    if honorific and before in "諸暴主名夫細姫若大父母" and honorific[0] == "君":
        return None
    if text.startswith("さまざま", place) or text.startswith("さまよ", place):
        return None
    if honorific and honorific[0] == "委員" and text[honorific.end() : honorific.end() + 1] == "会":
        return None
    if honorific is None or _NO_SHI.match(text, place):
        return None
    is_to = text.startswith("様に", place) and _is_surname_before(text, place)
    if (
        not is_to
        and _NO_SAMA.match(text, place)
        and not _FULL_NAME_END.search(text, max(0, place - 8), place)
    ):
        return None
    if "一" <= text[place - 1 : place] <= "龠" and (start := _plain_run(text, place)):
        return _kanji_before(start, place, text[start:place], honorific[0], text)
    low = _run_start(text, place)
    match = None if low is None else _BEFORE.search(text, low, place)
    if match is None:
        return None
    word = honorific[0]
    kind = match.lastgroup if match.lastgroup != "kana" else "surname"
    if kind == "kanji":
        return _kanji_before(match.start(), match.end("kanji"), match["kanji"], word, text)
    if kind == "spaced":
        return _spaced_before(match, word, text)
    if kind == "surname":
        return _mixed_before(match, word, text)
    return _kana_before(match, word)


def _is_surname_before(text: str, place: int) -> bool:
    """Tell whether nothing but a surname stands before a place: 佐藤様に, not 反応様に."""
    start = _plain_run(text, place)
    return start is not None and place - start > 1 and is_surname(text[start:place])


def _is_in_latin_word(text: str, place: int) -> bool:
    """Tell whether Latin letters at a place are part of a word, as the Dr of Drug."""
    end = place
    while end < len(text) and end < place + 8 and text[end].isascii() and text[end].isalpha():
        end += 1
    return (text[place:end] not in HONORIFICS and text[place:end] not in NOTE_HONORIFICS) or (
        text[place - 1 : place].isascii()
        and (text[place - 1 : place].isalnum() or text[place - 1 : place] in ":.#_-/")
    )


def _plain_run(text: str, place: int) -> int | None:
    """Return where the kanji before a place begin, None where more than kanji may be the name."""
    start = place - 1
    while start > 0 and ("一" <= text[start - 1] <= "龠" or text[start - 1] in "々髙﨑ヶ"):
        start -= 1
    before = text[start - 1 : start]
    is_mixed = before == " " or before > "\ud7ff" or before in "ノケツヵ" or "一" > before > "ゟ"
    is_mixed = is_mixed or ("ぁ" <= before <= "ん" and text[place - 1] in "子美江代枝恵香花奈紀")
    return None if is_mixed or place - start > 9 else start


def _run_start(text: str, place: int) -> int | None:
    """Return where the characters begin that may be a name before a place, None without any."""
    end = place - 1 if text[place - 1 : place] == " " else place
    last = text[end - 1 : end]
    if last == "" or last in "、。のる\n\0なたいに":  # noqa: SIM102
        if last not in "のなたい" or text[end - 2 : end - 1] in "こそあどよ、。 \n":
            return None
    if last.isascii():
        return max(0, end - _LONGEST) if last.isalpha() or last == "." else None
    is_kana = "ぁ" <= last <= "ー"  # where ヶ stands among kanji too
    runs = (_KANA_BACK, _KANJI_BACK) if last == "ヶ" else (_KANA_BACK if is_kana else _KANJI_BACK,)
    found = (run.search(text, max(0, end - 20), end) for run in runs)
    return next((match.start() for match in found if match), None)


_KANJI_BACK = re.compile(
    rf"(?:(?:{NAME_KANJI}){{2,4}}[ ]?[ぁ-んァ-ヶー]{{2,4}}[子美江代枝恵香花奈紀]\Z)|(?:(?"
    rf":{NAME_KANJI}){{1,5}}[ ])?(?:{NAME_KANJI}){{1,9}}\Z"
)
_KANA_BACK = re.compile(
    rf"(?:(?:{NAME_KANJI}){{1,5}}[ ]?)?(?<![ぁ-ん])[ぁ-んー]{{1,8}}\Z|(?<![ぁ-ん])"
    rf"[ぁ-んー]{{2,7}}[ ][ぁ-んー]{{2,6}}\Z"
    rf"|(?:(?:{NAME_KANJI}){{1,5}}[ ]?)?(?:[ァ-ヶー]{{1,12}}[ ・=]){{0,2}}[ァ-ヶー]{{1,12}}\Z"
)


def _kanji_before(
    start: int, end: int, run: str, honorific: str, text: str
) -> tuple[int, int] | None:
    after = text[end + len(honorific) : end + len(honorific) + 1]
    skipped = _name_in_run(run, honorific, text[start - 1 : start], after in _AFTER_SAMA)
    return None if skipped is None else (start + skipped, end)


@functools.lru_cache(1 << 15)
def _name_in_run(run: str, honorific: str, before: str, is_free: bool) -> int | None:
    """Return how many kanji before an honorific are no part of the name; None without a name.

    Args:
        run: The kanji before the honorific.
        honorific: The honorific.
        before: The character before the run.
        is_free: Whether a particle or a sign follows the honorific.
    """
    if run in NO_PERSON_BEFORE_HONORIFIC and not _is_one_before_title(run, honorific, before):
        return None
    for i in range(max(0, len(run) - 7), len(run)):
        parts = split_name(run[i:])
        if parts and honorific in ("氏", "君") and is_rare(parts[0]):
            continue
        is_whole = i == 0 and len(run) < 8
        if not parts or len(parts[1]) > 3 or not is_person(run[i:]):
            continue
        after_role = not is_whole and run[i - 1] in _ENDS_A_ROLE
        is_sure = is_listed(parts[0]) or (run[i - 1] in _ENDS_A_PLACE and not parts[1])
        if not (is_whole or (after_role and is_sure and len(run) - i > 1)):
            continue
        if len(parts[0]) > 1 or _is_one_kanji_name(parts, honorific, before, is_free):
            return i
    if _is_one_before_title(run, honorific, before):
        return len(run) - 1
    if _is_rare_surname(run, honorific, is_free):
        return 0
    return 0 if _is_given_name(run, honorific, before, is_free) else None


def _is_one_before_title(run: str, honorific: str, before: str) -> bool:
    """Tell whether one kanji before a title is a surname: 乾先生, 3A病棟李看護師."""
    is_free = before not in tuple("なるいたの") if len(run) == 1 else run[-2] in _ENDS_A_PLACE
    if run[-1] in _LIKE_PREFIXES and honorific not in _CERTAIN_TITLES:  # 前会長, 新院長
        return False
    if honorific in _OF_CLANS or (run[-1] in "大若老" and honorific == "先生"):
        return False
    is_title = honorific in _TITLES or honorific.endswith(("士", "師", "医", "員", "院長", "教授"))
    return is_title and is_free and is_one_kanji_surname(run[-1])


def _is_rare_surname(run: str, honorific: str, is_free: bool) -> bool:
    """Tell whether a word in no list may be a surname, where only a person can stand."""
    if not 2 <= len(run) <= 8 or not may_be_name(run):
        return False
    parts = split_shape(run)
    if NO_NAME.search(run) and (parts is None or len(run) < 3):
        return False
    if honorific in _OF_CLANS:  # 岩松氏, 清和源氏, 足利高氏
        return len(parts[1]) > 1 if parts else not is_surname(run)
    if honorific in ("様", "さん"):  # 硬変様, 刷子縁様
        return is_free and (parts is not None or run[-1] in ENDS_OF_SURNAMES)
    return honorific in _TITLES or honorific.endswith(("士", "医師", "隊長", "園長"))


def _is_given_name(run: str, honorific: str, before: str, is_free: bool) -> bool:
    if len(run) == 1 and honorific == "さん" and before in "「は":  # 名前は修さん
        return is_given(run) and run not in "父母兄姉妹弟妻夫孫嫁娘"
    if len(run) == 1:
        return honorific in ("くん", "ちゃん") and run not in "赤坊嬢父母兄姉猫犬"
    if len(run) > 4 or honorific not in ("さん", "様", "くん", "君", "ちゃん", "さま", "先生"):
        return False
    if honorific == "様" and not (is_free and run[-1] in GIVEN_ENDS):
        return False
    return is_person(run) and not re.search("[者員人客長手屋師士族方業的性]", run)


def _is_one_kanji_name(parts: tuple[str, str], honorific: str, before: str, is_free: bool) -> bool:
    """Tell whether 森 or 森一郎 is a person here: 葉様の構造 and 原子炉主任 are none."""
    if parts[1]:
        is_called = honorific in ("様", "さん", "殿") and len(parts[1]) < 3
        return (
            is_called or parts[1][-1] in GIVEN_ENDS or (honorific == "委員" and is_given(parts[1]))
        )
    if honorific in ("様", "殿"):
        return before not in ("の", "な", "、") and is_free
    return before != "の" or honorific != "氏"


def _is_spaced_name(family: str, given: str) -> bool:
    if is_surname(family) and is_person(family) and is_person(given):
        return True
    is_family = is_one_kanji_surname(family) or (may_be_surname(family) and len(family) > 1)
    return is_family and is_given(given)


def _spaced_before(match: re.Match[str], honorific: str, text: str) -> tuple[int, int] | None:
    surname, _, given = match["spaced"].partition(" ")
    for i in range(len(surname)):
        is_free = i == 0 or surname[i - 1] in _ENDS_A_ROLE
        if is_free and _is_spaced_name(surname[i:], given):
            return match.start() + i, match.end("spaced")
    start = match.end("spaced") - len(given)
    if (
        len(surname) <= 3
        and given[-1] in GIVEN_ENDS
        and is_person(surname)
        and is_person(given)
        and not is_surname(given)
        and honorific in ("様", "さん", "殿", "さま")
    ):
        return match.start(), match.end("spaced")
    return _kanji_before(start, match.end("spaced"), given, honorific, text)


def _mixed_before(match: re.Match[str], honorific: str, text: str) -> tuple[int, int] | None:
    """Read 佐藤さくら; the kana alone, as 父はたろう, where no surname stands before them."""
    surname, kana = match["surname"], match["kana"]
    for i in range(max(0, len(surname) - 4), len(surname)):
        is_free = i == 0 or surname[i - 1] in _ENDS_A_ROLE
        if (
            is_free
            and _may_stand_before_kana(surname[i:], kana.strip())
            and not NO_KATAKANA_NAME.search(kana)
            and not re.match(
                r"(?![ ]?(?:と[しよみめもき]|の[ぞり]|は[なるつ]|も[もとえ]|お[りと])[ぁ-ん]?[子江代美枝]?\Z)[ ]?(?:の|は|が|と|お|に|も|を|から|より|では|です|みな)",
                kana,
            )
        ):
            return match.start() + i, match.end("kana")
    word = kana.strip()
    start = match.end("kana") - len(word)
    if word[0] >= "ァ":
        return _one_kana(start, word, honorific)
    if word[0] in "のはがとにも" and len(word) >= 4 and is_kana_surname(word[1:]):
        return start + 1, match.end("kana")
    if word[0] in "のはがとにも" and honorific in ("ちゃん", "くん") and 3 <= len(word) <= 4:
        return start + 1, match.end("kana")
    return _one_kana(start, word, honorific)


def _may_stand_before_kana(family: str, kana: str) -> bool:
    """Tell whether kanji are the surname of a given name in kana: 佐藤さくら, 畑カヅ子."""
    if len(family) == 1:
        return is_one_kanji_surname(family) and (kana[0] >= "ァ" and is_given(kana))
    return is_surname(family) or (may_be_surname(family) and is_given(kana))


def _one_kana(start: int, word: str, honorific: str) -> tuple[int, int] | None:
    span = start, start + len(word)
    if NO_KATAKANA_NAME.search(word):
        return None
    if is_kana_surname(word):
        return span
    is_katakana = word[0] >= "ァ"
    if honorific in ("ちゃん", "くん", "さーん"):
        return (
            span
            if len(word) <= 5 and not re.match("お|あか|みな|にい|ねえ|ばあ|じい|わん|たく", word)
            else None
        )
    return span if is_katakana and honorific in ("さん", "氏", "君") and len(word) >= 2 else None


def _kana_before(match: re.Match[str], honorific: str) -> tuple[int, int] | None:
    word, kind = match[match.lastgroup or 0], match.lastgroup
    start = match.start()
    if kind == "roman":
        is_name = all(is_roman_name(part) for part in re.split("[ ,.]+", word))
        return (start, start + len(word)) if is_name else None
    if kind == "katakana" and re.search("[ ・=]", word):
        return None if NO_KATAKANA_NAME.search(word) else (start, start + len(word))
    if kind == "hiragana":
        return start, start + len(word)
    return _one_kana(start, word, honorific)
