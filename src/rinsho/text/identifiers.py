"""Structured identifiers of persons, found by rules and replaced by typed placeholders.

What has a form of its own (mail, telephone, postal code, address) is found anywhere; what looks
like any other number or word (birth date, record number, name) only beside a cue. The rules find
what is written in the usual ways; they do not make a text anonymous.
"""

from __future__ import annotations

import functools
import importlib.resources
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

IdentifierKind = Literal[
    "mail", "phone", "postal_code", "address", "birth_date", "record_number", "name"
]
IDENTIFIER_KINDS: tuple[IdentifierKind, ...] = get_args(IdentifierKind)
PLACEHOLDERS: dict[IdentifierKind, str] = {
    "mail": "[メールアドレス]",
    "phone": "[電話番号]",
    "postal_code": "[郵便番号]",
    "address": "[住所]",
    "birth_date": "[生年月日]",
    "record_number": "[番号]",
    "name": "[氏名]",
}


@dataclass(frozen=True, slots=True, order=True)
class Identifier:
    """One identifier: `text[start:end]`, half-open, in code points."""

    start: int
    end: int
    kind: IdentifierKind


@dataclass(frozen=True, slots=True)
class Replacement:
    """An identifier of a text and the span of its placeholder in the new text."""

    identifier: Identifier
    start: int
    end: int


_DASH = "[-‐‑‒–—−ー]"
_SEPARATOR = r"[ \t]*(?:[:：】\])）=|]|は|が)?[ \t]*[「『]?"
_COLON = r"(?:[ \t]*[:：】|=][ \t]*|[ \t]+|\t)"
# Flat lists of words: then `re` looks for their first characters alone, three times as fast.
_PREFECTURE = (
    "(?:北海道|東京都|京都府|大阪府|青森県|岩手県|宮城県|秋田県|山形県|福島県|茨城県|栃木県|群馬県"
    "|埼玉県|千葉県|神奈川県|新潟県|富山県|石川県|福井県|山梨県|長野県|岐阜県|静岡県|愛知県|三重県"
    "|滋賀県|兵庫県|奈良県|和歌山県|鳥取県|島根県|岡山県|広島県|山口県|徳島県|香川県|愛媛県|高知県"
    "|福岡県|佐賀県|長崎県|熊本県|大分県|宮崎県|鹿児島県|沖縄県)"
)
_NUMBER = "[0-9一二三四五六七八九十百]"
_PLACE = r"[^\s、。,;:()「」\[\]0-9]"
# 1-2-3, 一丁目2番3号, 12番地の3: what makes a place name an address of a house
_HOUSE = (
    rf"{_NUMBER}+(?:丁目|番地?(?!町)|{_DASH}(?={_NUMBER}))"
    rf"(?:(?:の|{_DASH})?{_NUMBER}+(?:丁目|番地?|号)?)*"
)
_BUILDING = r"(?:[ \t]?[ァ-ヶーA-Za-z一-龠]{2,16}[ \t]?[0-9]{1,4}号?[室館棟]?)?"
_MUNICIPALITY = rf"{_PLACE}{{1,8}}?[市区町村郡]{_PLACE}{{0,20}}?"
_ERA = "(?:明治|大正|昭和|平成|令和|[MTSHR])"
_DATE = (
    rf"(?:(?:{_ERA}[. ]?[0-9元]{{1,2}}|(?:18|19|20)[0-9]{{2}})"
    r"(?:\([^)\n]{1,6}\))?[年./-][ ]?[0-9]{1,2}[月./-][ ]?[0-9]{1,2}日?"
    r"|(?:18|19|20)[0-9]{6}(?![0-9]))"
)
_RECORD_CUE = (
    "(?:患者番号|患者ID|患者コード|カルテ番号|カルテID|カルテNo[.]?|診察券番号|診療録番号|病歴番号"
    "|被保険者番号|被保険者証番号|保険者番号|受給者番号|受診者番号|入院番号|検体番号|住民票コード"
    "|個人番号|マイナンバー|記号番号|記号・番号|MRN|Pt[.]? ?ID|ID(?<![A-Za-z0-9]ID)(?=[ ]?[:：]))"
)
_NAME_CUE = (
    "(?:氏名|名前|患者名|被験者名|受診者名|患者(?=[ ]?[:：])|患者様(?=[ ]?[:：])|ふりがな|フリガナ"
    "|主治医|担当医|執刀医|指導医|紹介医|受持医|当直医|読影医|診断医|麻酔医|病理医|記載者|記録者"
    "|報告者|担当者|担当|看護師|薬剤師|キーパーソン|緊急連絡先|連絡者)"
)
_HONORIFIC = (
    "(?:様|さま|さん|殿|君|くん|ちゃん|先生|医師|看護師|Dr[.]?|技師|薬剤師"
    "|氏(?!反応|病|徴候|法|症候|手術|現象|試験|液|線|帯|管))"  # 沢田氏反応 is a test
)
_KANJI = "[一-龠々〆ヶ𠀀-𯿿﨑髙]"
# No person is called so, though it stands where a name would.
_NO_NAME = re.compile(
    "未定|不明|不詳|なし|無し|同上|同じ|本人|交代|変更|外来|病棟|内科|外科|記載|記入|省略|匿名|あり|有り"
    "|上記|下記|別紙|参照|家族|長男|長女|次男|次女|三男|三女|息子|配偶|両親|父親?$|母親?$|兄弟|姉妹|子供"
    "|患者|医師|看護|病院|医院|診療|施設|センター|クリニック|大学|教授|主治|担当|外国|臨床|電話|住所|生年|年齢|性別"
    "|男性|女性|入院|退院|検査|診断|報告|連絡|説明|相談|指示|確認|以下|以上|部門|学会|学科|委員|事務|薬局"
)


def _cued(cue: str, value: str) -> str:
    return f"(?:{cue}){_SEPARATOR}(?P<value>{value})"


def _compile(*patterns: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in patterns)


_PHONE_CUE = "(?i:TEL|FAX|ファックス|電話(?:番号)?|携帯(?:電話|番号)?|連絡先|ファクシミリ)"
_PATTERNS: tuple[tuple[IdentifierKind, tuple[re.Pattern[str], ...]], ...] = (
    (
        "mail",
        _compile(
            r"[A-Za-z0-9](?<![A-Za-z0-9._%+-].)[A-Za-z0-9._%+-]{0,63}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"
        ),
    ),
    (
        "postal_code",
        _compile(
            rf"〒[ ]?[0-9]{{3}}{_DASH}?[0-9]{{4}}(?![0-9])",
            rf"郵便番号{_SEPARATOR}(?P<value>[0-9]{{3}}{_DASH}?[0-9]{{4}})(?![0-9])",
            rf"[0-9](?<![0-9-].)[0-9]{{2}}{_DASH}[0-9]{{4}}(?=[ \n]?{_PREFECTURE})",
        ),
    ),
    (
        "phone",
        _compile(
            # 10 or 11 digits in three groups, from 0 or +81 on: no date, no laboratory value
            r"(?:\+81[- ]?(?:\(0\))?|\(0|0)[1-9][0-9]{0,3}"
            rf"(?:\)[ ]?|[ ]?\(|{_DASH})[0-9]{{1,4}}(?:\)[ ]?|{_DASH})[0-9]{{3,4}}"
            rf"(?!{_DASH}?[0-9])",
            rf"{_PHONE_CUE}{_SEPARATOR}(?P<value>(?:0[0-9]{{9,10}}|[0-9]{{2,4}}{_DASH}[0-9]{{4}}))"
            rf"(?!{_DASH}?[0-9])",
            rf"(?:内線|PHS){_SEPARATOR}(?P<value>[0-9]{{3,6}})(?![0-9.])",
        ),
    ),
    (
        "address",
        _compile(
            rf"{_PREFECTURE}{_MUNICIPALITY}{_HOUSE}{_BUILDING}",
            rf"(?:現?住所|自宅|居住地|本籍地?){_COLON}(?P<value>{_PREFECTURE}?{_MUNICIPALITY}"
            rf"(?:{_HOUSE}{_BUILDING})?)(?=[\s、。,;)]|$)",
        ),
    ),
    (
        "birth_date",
        _compile(
            _cued("生年月日|誕生日|出生日|(?i:DOB|date of birth)", _DATE),
            rf"(?P<value>{_DATE})(?=[ ]?(?:生まれ|生(?![ぁ-ん一-龠])))",
        ),
    ),
    (
        "record_number",
        _compile(_cued(_RECORD_CUE, r"[A-Za-z]{0,3}[-]?[0-9][0-9-]{2,14}[0-9]")),
    ),
    (
        "name",
        _compile(
            rf"{_NAME_CUE}(?:\([^)\n]{{1,8}}\))?{_COLON}(?P<value>"
            rf"{_KANJI}{{1,4}}(?:[ ]{_KANJI}{{1,4}})?|[ァ-ヶー]{{2,6}}[ ・]?[ァ-ヶー]{{0,6}}"
            rf"|[A-Z][a-z]+ [A-Z][a-z]+)(?=[\s、。,;)(/・様殿氏さ先医]|$|\()",
        ),
    ),
)


_HONORIFIC_PATTERN = re.compile(_HONORIFIC)
_LONGEST_NAME = 9  # characters before an honorific: a surname, a blank and a given name


@functools.cache
def _surname_pattern() -> re.Pattern[str]:
    """Return a pattern for a name that ends where the searched part ends."""
    names = importlib.resources.files("rinsho.demo").joinpath("surnames.txt")
    surnames = sorted(names.read_text(encoding="utf-8").split(), key=len, reverse=True)
    long, short = ("|".join(s for s in surnames if (len(s) > 1) is it) for it in (True, False))
    # A surname of one character needs a space before the given name: 関 is one, 関節様 is not.
    return re.compile(
        rf"(?<![一-龠々ァ-ヶー])(?P<value>(?:{long})(?:[ ]?{_KANJI}{{1,3}})?"
        rf"|(?:{short})(?:[ ]{_KANJI}{{1,3}})?)[ ]?$"
    )


def _names_before_honorifics(text: str) -> Iterator[tuple[int, int]]:
    for honorific in _HONORIFIC_PATTERN.finditer(text):
        end = honorific.start()
        if match := _surname_pattern().search(text, max(0, end - _LONGEST_NAME), end):
            yield match.span("value")


def find_identifiers(
    text: str, kinds: Collection[IdentifierKind] = IDENTIFIER_KINDS
) -> tuple[Identifier, ...]:
    """Return the identifiers of a normalized text in reading order; none overlap.

    Args:
        text: After `normalize`.
        kinds: The kinds to look for.

    >>> text = "患者氏名: 山田 太郎、TEL 03-1234-5678"
    >>> [(text[one.start:one.end], one.kind) for one in find_identifiers(text)]
    [('山田 太郎', 'name'), ('03-1234-5678', 'phone')]
    """
    found: list[Identifier] = []
    covered = bytearray(len(text))
    for candidate in _candidates(text, kinds):
        if not any(covered[candidate.start : candidate.end]):
            covered[candidate.start : candidate.end] = b"\1" * (candidate.end - candidate.start)
            found.append(candidate)
    return tuple(sorted(found))


def _candidates(text: str, kinds: Collection[IdentifierKind]) -> Iterator[Identifier]:
    for kind, patterns in _PATTERNS:
        if kind not in kinds:
            continue
        for pattern in patterns:
            for match in pattern.finditer(text):
                group = "value" if "value" in pattern.groupindex else 0
                if _is_plausible(text, match, group, kind):
                    yield Identifier(match.start(group), match.end(group), kind)
    if "name" in kinds:
        for start, end in _names_before_honorifics(text):
            yield Identifier(start, end, "name")


def _is_plausible(text: str, match: re.Match[str], group: str | int, kind: IdentifierKind) -> bool:
    if kind == "name":
        return _NO_NAME.search(match[group]) is None
    if kind == "phone" and group == 0:
        is_part = re.match(rf"[0-9.]|{_DASH}", text[max(0, match.start() - 1) : match.start()])
        n_digits = sum(c.isdigit() for c in match[0])
        return not is_part and n_digits in ((10, 11, 12) if match[0][0] == "+" else (10, 11))
    return True


def replace_identifiers(
    text: str, kinds: Collection[IdentifierKind] = IDENTIFIER_KINDS
) -> tuple[str, list[Replacement]]:
    """Put a typed placeholder in the place of every identifier.

    Returns:
        The new text, and for each identifier its span in the old and in the new text.

    >>> replace_identifiers("連絡先は090-1234-5678")[0]
    '連絡先は[電話番号]'
    """
    pieces: list[str] = []
    replacements: list[Replacement] = []
    done = n_written = 0
    for identifier in find_identifiers(text, kinds):
        kept, placeholder = text[done : identifier.start], PLACEHOLDERS[identifier.kind]
        start = n_written + len(kept)
        n_written = start + len(placeholder)
        pieces += (kept, placeholder)
        replacements.append(Replacement(identifier, start, n_written))
        done = identifier.end
    return "".join((*pieces, text[done:])), replacements
