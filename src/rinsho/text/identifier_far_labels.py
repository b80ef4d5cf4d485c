"""Numbers told by words some way before them, or behind them, or by their own notation: in notes.

Beside a label a number is read by `identifier_numbers`. Here the number comes first: what looks like
one is read, and then the words before it in the same sentence tell whose it is:
患者番号は、たしか 4303608 だった; 番号 第 309940922310 号; 本体(RV): TDV599852.
"""

from __future__ import annotations

import functools
import re

from rinsho.text.identifier_anchors import Begin, Find, Rule, finder
from rinsho.text.identifier_kinds import IdentifierKind
from rinsho.text.identifier_labels import HEADS, kind_of_key, kind_of_label
from rinsho.text.identifier_numbers import SPLIT, is_time
from rinsho.text.identifier_patterns import DASH, DASHES

_N_BEFORE = 56  # characters before a number where its label may stand
_N_GAP = 26  # characters between label and number
_DIGITS = "0123456789"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TOKEN = re.compile(
    rf"(?<![0-9A-Za-z+{DASHES}])(?<![0-9][/.])(?=[A-Za-z]{{0,5}}{DASH}?[0-9])"
    rf"(?![12][0-9]{{3}}[./{DASHES}][0-9]{{1,2}}(?![0-9])|0[0-9]{{1,3}}{DASH}[0-9]{{1,4}}{DASH}[0-9]{{4}}|0[5-9]0[0-9]{{8}}(?![0-9]))"
    rf"[A-Za-z0-9]{{1,20}}(?:{DASH}[A-Za-z0-9]{{1,12}}){{0,4}}"
    rf"(?![0-9A-Za-z.%{DASHES}]|/[0-9]{{1,3}}(?![0-9]))(?![ ]?(?:[年月日時分秒歳才回円人例件点台個枚本錠包単度倍床階mgμ%℃,]|U|IU|kcal|bpm))"
)
_AFTER = re.compile(
    r"(?:番|号|で(?=す|し|あ|登録|お願|検索|照会|ご|、|。)|だ|の(?=方|患者|件|人|処方|受給|保険|証|も)|[がはをにと、。)」』\]\"'<>|,;:&}】〉》*\s/?!])|$"
)
_FROM_CONTEXT = re.compile(r"[。;｜]|\n[ \t]*\n|[0-9]{5,}|\0(?![ ]?[/・,、-])")
_HEAD = re.compile("|".join(re.escape(one) for one in sorted(HEADS, key=len, reverse=True)))
_GAP = re.compile(
    r"(?:[^0-9\0\n(]|\n(?![^\n]*\n)|\([^()\n\0]{0,16}\)|\((?=[^()\n]{0,16}$)|(?<![0-9])[0-9]{1,2}(?=[,.、)桁]))*\Z"
)
_OTHER_THING = re.compile(
    r"電話|TEL|Tel|FAX|℡|携帯|内線|身長|体重|血圧|脈|体温|生年|年齢|住所|〒|金額|請求|料金|時刻|日時|日付|量|単位|[0-9]{2,}"
    r"|承認|認証|型番|型式|品番|モデル|文献|病名|コード(?!番)"
)


@functools.lru_cache(2)  # the rules of all kinds ask for the same place, one after the other
def _number_at(text: str, place: int) -> tuple[int, int, IdentifierKind] | None:
    """Return the number that begins at a place and the kind that words before it tell."""
    token = _TOKEN.match(text, place)
    if token is None or _AFTER.match(text, token.end()) is None:
        return None
    n_digits = sum(c in _DIGITS for c in token[0])
    if n_digits < 3:
        return None
    low = max(0, place - _N_BEFORE)
    for cut in _FROM_CONTEXT.finditer(text, low, place):
        low = cut.end()
    context = text[low:place]
    if (key := _KEY.search(context)) and (kind := kind_of_key(key[1])):
        return token.start(), token.end(), kind
    kind = _kind_by_shape(context, token[0], n_digits) or (
        _kind_by_label(text, low, place) if n_digits >= 5 else None
    )
    return (token.start(), token.end(), kind) if kind else None


_KEY = re.compile(
    r"(?<![A-Za-z])([A-Za-z][A-Za-z_.-]{1,40}[0-9]?)[\"']?[ ]?[:=>][ ]?[\"'\[]{0,2}\Z"
)
_INSURER = re.compile(
    r"(?:保険者|被保険|保番|被保番|公費|公[1-4①-④]|負担者|受給者|後期高?齢?|国保|社保|協会けんぽ|健保|共済|医療証|保険証|資格確認書"
    r"|高齢受給|限度額|組合員|加入者)(?:[^0-9\0。;]|(?<![0-9])[0-9]{1,2}(?=[,.)桁文])){0,14}\Z"
)
_INSURED_BEFORE = re.compile(
    r"(?:保険|公費|公[1-4①-④]|受給者|後期|国保|社保|記号|HO|KO)[^。;]{0,30}\0+(?:[ ]?[/・,、-][ ]?|\n)\Z"
)
_DEVICE = re.compile(
    r"(?:リード|本体|ジェネレータ|ペースメーカ|PM|ICD|CRT|植込|植え込|ステント|ポンプ|呼吸器|レンズ|人工[一-龠]{1,4}|プレート|カテーテル"
    r"|CPAP|濃縮器|濃縮装置|補聴器|センサー?|機器|装置|デバイス|測定器|モニタ|ワクチン|製剤|UDI|GS1)[^0-9\0。;]{0,16}\Z"
)
_BARE_NUMBER = re.compile(r"(?<![A-Za-z])(?:No|NO|№|#)[.．]?[ :]{0,2}\Z")
_PAPER = re.compile("通知|食発|特許|論文|文献|規格|条約|Fig|Table|Vol|型|品")
_SERIAL = re.compile(r"[A-Z]{2,4}[0-9]{5,10}[A-Z]?|[A-Z][0-9]{6,10}[A-Z]?")


def _kind_by_shape(context: str, value: str, n_digits: int) -> IdentifierKind | None:
    """Return the kind of a number whose shape is one of a kind, by words that name no number."""
    if n_digits >= 4 and (number := _BARE_NUMBER.search(context)):
        if _DEVICE.search(context, 0, number.start()):
            return "device_number"
        return "record_number" if n_digits >= 5 and not _PAPER.search(context) else None
    if value.isdigit():
        if len(value) in (6, 7, 8, 10) and _INSURER.search(context):
            return "insurance_number"
        return None
    return "device_number" if _SERIAL.fullmatch(value) and _DEVICE.search(context) else None


def _kind_by_label(text: str, low: int, place: int) -> IdentifierKind | None:
    """Return the kind of the last label before a place, if nothing else stands between."""
    label, gap = None, max(low, place - _N_GAP)
    for head in _HEAD.finditer(text, low, place):
        if head.end() >= gap and not _is_in_latin_word(text, head.start(), head.end()):
            label = head
    if label is None:
        return None
    between = text[label.end() : place]
    if not _GAP.match(between) or _OTHER_THING.search(between):
        return None
    if "\n" in between and label[0] in _HEADINGS:
        return None
    return kind_of_label(text, label.start(), label.end())


_HEADINGS = frozenset(["カルテ", "診療録", "病理", "国保", "社保", "共済"])


def _is_in_latin_word(text: str, start: int, end: int) -> bool:
    if not text[start].isascii():
        return False
    before, after = text[start - 1 : start], text[end : end + 1]
    return (before.isascii() and before.isalpha()) or (after.isascii() and after.isalpha())


def _second_of_pair(text: str, place: int) -> tuple[int, int] | None:
    """Read the number behind an insurance number that is masked: 39131234 / 1234567."""
    token = _TOKEN.match(text, place)
    if token is None or text[place - 1 : place] not in " \n/・,、-":
        return None
    before = _INSURED_BEFORE.search(text, max(0, place - 64), place)
    if not before or sum(c in _DIGITS for c in token[0]) < 3:
        return None
    is_alone = text[token.end() : token.end() + 1] in ("", "\n")
    return token.span() if is_alone or text[place - 1] != "\n" else None


# ------------------------------------------------------------------------------- twelve digits

_TWELVE = re.compile(
    rf"(?<![0-9A-Za-z.+])(?<![0-9]{DASH})[0-9](?:{SPLIT}[0-9]){{11}}(?![0-9A-Za-z.])(?!{DASH}[0-9])"
)
_TELLING = re.compile(
    r"(?P<license_number>免許|めんきょ|メンキョ|運転経歴|[Ll]icen[cs]e|LICEN[CS]E)"
    r"|(?P<my_number>マイナ(?!保険証)|個人番号|個人識別|共通番号|通知カード|(?i:my[ _]?n(?:o\b|umber))|my_n|kojin|[Ii]ndividual)"
    r"|患者|カルテ|検体|受付|整理|伝票|ロット|シリアル|製造|UDI|口座|アクセッション|オーダ|保険|受給|公費|電話|TEL|携帯|登録番号|診察券|予約|製番|機番|ID"
)
_LICENSE_BEHIND = re.compile(r"(?:[ ]?号[ ]?の?|の|号?[ ]?\()(?:普通)?(?:自動車)?(?:運転)?免許")
_N_TELLING = 44  # characters before twelve digits where a license or a card is named


@functools.lru_cache(2)
def _twelve_at(text: str, place: int) -> tuple[int, int, IdentifierKind] | None:
    """Return twelve digits and whether a license or a card is named before them."""
    match = _TWELVE.match(text, place)
    if match is None or is_time(match[0]):
        return None
    span = match.span()
    if _LICENSE_BEHIND.match(text, span[1]):
        return *span, "license_number"
    low = max(0, place - _N_TELLING)
    for cut in _FROM_TELLING.finditer(text, low, place):
        low = cut.end()
    last = None
    for word in _TELLING.finditer(text, max(0, place - _N_TELLING), place):
        last = word if word.start() >= low else last
    if last is None and _TWELVE_DIGITS.search(text, low, place):
        return *span, "my_number"
    if last is None or last.lastgroup is None:
        return None
    return *span, ("my_number" if last.lastgroup == "my_number" else "license_number")


_TWELVE_DIGITS = re.compile("12桁の?(?:番号|数字)")
_FROM_TELLING = re.compile(r"[。\0]|[0-9]{5,}|\n[ \t]*\n")
_NTH = finder(r"第[ ]?(?P<value>[0-9]{12})(?=[ ]?号)")
_HIBC = re.compile(r"\+[A-Z][0-9A-Z]{3,24}(?:/[$0-9A-Z+.-]{2,40}){1,6}(?![0-9A-Za-z])")


def _far(kind: IdentifierKind) -> Find:
    """Return a function for the numbers of a kind that words before them tell."""

    def find(text: str, place: int) -> tuple[int, int] | None:
        number = _number_at(text, place)
        if number is not None and number[2] == kind:
            return number[:2]
        if kind == "insurance_number":
            return _second_of_pair(text, place)
        return None

    return find


def _twelve(kind: IdentifierKind) -> Find:
    """Return a function for twelve digits of a kind."""

    def find(text: str, place: int) -> tuple[int, int] | None:
        number = _twelve_at(text, place)
        return number[:2] if number is not None and number[2] == kind else None

    return find


def _hibc(text: str, place: int) -> tuple[int, int] | None:
    """Read the bar code of a device in the notation of HIBC: +H123PART/$$420020216LOT."""
    match = _HIBC.match(text, place)
    return match.span() if match else None


_NUMBER = (Begin(_DIGITS, _DIGITS, _DIGITS), Begin(_LETTERS, _LETTERS + _DIGITS + DASHES))
_GROUPS = (Begin(_DIGITS, _DIGITS + " |"),)
_FAR_KINDS: tuple[IdentifierKind, ...] = (
    *("record_number", "insurance_number", "device_number", "license_number", "passport_number"),
)
FAR_LABEL_RULES = (
    Rule("license_number", (Begin("第", _DIGITS + " "),), _NTH, 1),
    Rule("license_number", _GROUPS, _twelve("license_number"), 4),
    Rule("my_number", _GROUPS, _twelve("my_number"), 4),
    Rule("device_number", (Begin("+", _LETTERS),), _hibc, 3),
    *(Rule(kind, _NUMBER, _far(kind), 26) for kind in _FAR_KINDS),
)
