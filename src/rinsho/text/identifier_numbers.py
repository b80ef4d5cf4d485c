"""Numbers given to a person or a thing: official ones by their form, all others beside a label."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from rinsho.text.check_digits import is_my_number
from rinsho.text.identifier_anchors import Begin, Find, Rule, WordsAt, begins, finder, first_of
from rinsho.text.identifier_kinds import IdentifierKind
from rinsho.text.identifier_labels import HEADS, TAIL, kind_of_label
from rinsho.text.identifier_patterns import DASH, DASHES, FAR_GAP, GAP

_DIGITS = "0123456789"
_CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ENDS = rf"(?![0-9A-Za-z])(?!{DASH}[0-9])"
_NTH = r"\(??(?:第[ ]?)?"


def _digits(value: str) -> str:
    return "".join(c for c in value if c in _DIGITS)


# ----------------------------------------------------------------------- values by their kind

SPLIT = rf"(?:[ ]?(?:{DASH}|[.・/|の])[ ]?|[ ]{{1,3}}|)"
_ANY_SPLIT = rf"(?:[ ]?(?:{DASH}|[.・/|の_、,:\n])[ ]?|[ ]{{1,3}}|)"  # beside a label
_DIGIT_OR_KANJI = "[0-9〇零一二三四五六七八九]"
_TWELVE = rf"{_DIGIT_OR_KANJI}(?:{_ANY_SPLIT}{_DIGIT_OR_KANJI}){{11}}"  # in any groups
_EVEN_TWELVE = (  # without a label: in groups alike, as nobody writes four measurements
    rf"(?:[0-9]{{12}}|[0-9]{{4}}(?P<s>{SPLIT})[0-9]{{4}}(?P=s)[0-9]{{4}}"
    rf"|[0-9]{{6}}{SPLIT}[0-9]{{6}}|[0-9](?:[ |][0-9]){{11}})"
)

_LICENSE = (
    rf"{_TWELVE}|[0-9]{{2}}{DASH}[0-9]{{3,6}}|[0-9]{{5,12}}|[一-龠ぁ-んァ-ヶ]{{1,4}}[医薬歯][ ]?[0-9]{{4,6}}"
    rf"|[A-Z]{{1,3}}{DASH}?[0-9]{{4,10}}|[0-9]{{2,4}}{DASH}[0-9]{{2,8}}(?:{DASH}[0-9]{{1,6}})?"
)
_PASSPORT = rf"(?i:[A-Z]{_ANY_SPLIT}[A-Z]){_ANY_SPLIT}[0-9](?:{_ANY_SPLIT}[0-9]){{6}}|[A-Z]{{1,2}}[ ]?[0-9]{{6,9}}[A-Z]?|[A-Z]{{2}}[〇零一二三四五六七八九]{{7}}"

_SYMBOL = r"[A-Za-z一-龠ァ-ヶぁ-んー]{1,8}[ ]?"
_NO_SYMBOL = r"(?![^0-9]{0,6}日)(?!(?:確認|利用|持参|提示|変更|更新|忘れ|未|法|施設|等|制度|番号|記号|枝番|被保|保険|本人|家族|なし|不明|種類|区分|第))"
_JOINT = rf"(?:[ ]?[・･][ ]?|/|の(?=[0-9]{{3,10}}(?![0-9年月日]))|[ ]?{DASH}[ ]?|:|[ ](?=[0-9]{{1,10}}(?![0-9(_{DASHES}])))"
_NEXT_SYMBOL = rf"(?:{DASH}|[・:])[一-龠ァ-ヶぁ-んA-Z]{{1,4}}{DASH}?[0-9]{{1,10}}"
_INSURANCE = (
    rf"(?:[0-9]{{4,8}}(?::(?:[ぁ-んァ-ヶ一-龠A-Za-z]{{1,8}}|[0-9]{{1,10}})){{1,3}}"
    rf"|[0-9](?:[ |][0-9]){{5,9}}|{_NO_SYMBOL}{_SYMBOL}(?:{DASH}|[・･])?[ ]?[0-9]{{1,10}}(?:{_JOINT}[0-9]{{1,10}}){{0,3}}"
    rf"|[〇零一二三四五六七八九]{{4,12}}(?![一-龠])|[0-9]{{1,14}}(?:{_JOINT}[0-9]{{1,10}}|{_NEXT_SYMBOL}){{0,4}}(?:\(枝番?:?[ ]?[0-9]{{2}}\)|[ ]?\([0-9]{{4,10}}\))?)"
    rf"(?![0-9A-Za-z割円%歳点年月日])(?!{DASH}[0-9])(?!\.[0-9])"
)

_MONTH = "(?:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_NO_CODE = r"(?!NCT|jRCT|UMIN|JapicCTI|ISBN|ISSN|DOI|PMID|COVID|CD[0-9]|https?)"
_PART = rf"{_NO_CODE}[A-Za-z0-9]{{1,20}}+"
_BETWEEN = (
    rf"(?:[ ]?{DASH}[ ]?|[/_.:](?=[0-9A-Z])|[ ](?=[0-9]{{2,6}}(?![0-9/.年月日{DASHES}]|[ ]{_MONTH}))"
    r"|の(?=[0-9]))"
)
_RECORD = (
    rf"(?=[A-Za-z]{{0,8}}(?:[ ]?[#_/.{DASHES}][ ]?[A-Za-z]{{0,8}}){{0,3}}[ ]?[0-9]"
    r"|[〇一-龠ぁ-んァ-ヶ(])"
    r"(?![0-9]{4}年|[0-9]{1,3}(?:[歳年月日回件例名人点円号床階度時分週か]|[ ](?:歳|回|件|例|円|点)))"
    r"(?![0-9]{5}[A-Z]{3}[0-9]{8}|[0-9]{2}[AB][0-9]X|DX-)"
    r"(?![0-9.]+[ ]?(?:mg|mL|ml|g/|%|mm|cm|kg|U/|IU|bpm|kcal|点|件|例|人|円|万|億))"
    r"(?![0-9]{1,3}[条項章節頁巻])(?!(?:18|19|20)[0-9]{2}[/年.-][0-9]{1,2}[/月.-][0-9]{1,2}(?![0-9-]))"
    r"(?!0[0-9]{1,3}[ の-][0-9]{1,4}[ の-][0-9]{4}(?![0-9-]))"
    rf"(?:[一-龠ぁ-んァ-ヶ]{{1,2}}{DASH}?(?=[0-9A-Z])|\([一-龠]{{1,2}}\)(?=[0-9]))?"
    rf"(?:[0-9](?:[ |][0-9]){{4,15}}|{_PART}(?:{_BETWEEN}{_PART}){{0,6}}"
    r"|[〇零一二三四五六七八九]{4,12}(?![一-龠]))"
)
_DEVICE_PART = r"[A-Za-z0-9]{1,48}+"
_DEVICE = (
    r"(?:[ ]?\([0-9]{2,4}\)[ ]?[A-Za-z0-9./+_-]{1,20}){1,6}"
    r"|[A-Z]{0,3}[0-9](?:[ |][0-9]){4,15}(?![0-9])"
    rf"|(?=[A-Za-z]{{0,8}}(?:[ ]?[/_.{DASHES}]?[ ]?[A-Za-z]{{1,8}}){{0,3}}[ ]?[/_.{DASHES}]?[0-9])"
    rf"(?!(?:18|19|20)[0-9]{{2}}[/年.][0-9]{{1,2}})"
    rf"{_DEVICE_PART}(?:(?:[ ]?{DASH}[ ]?|[/_.:](?=[0-9A-Za-z])|[ ](?=[0-9]{{2,12}}(?![0-9年月./"
    rf"{DASHES}]|[ ]{_MONTH})|(?![MTSHR][0-9]{{1,2}}[./年])[A-Z]{{1,4}}[0-9])){_DEVICE_PART}){{0,6}}"
)


def _has_two(value: str) -> bool:
    return len(_digits(value)) >= 2 or not value.isascii()


def _is_record(value: str) -> bool:
    """Tell whether a value beside a label has digits enough to be somebody's number."""
    n_digits = len(value) if value.isnumeric() else len(_digits(value))
    return n_digits >= 3 or (n_digits == 2 and re.search(rf"[A-Z]|{DASH}", value) is not None)


def _is_insurance(value: str) -> bool:
    return _has_two(value) and not (len(value) == 12 and value.isdigit())  # a license or a card


_TIME = re.compile(
    r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[ ]?(?:[01][0-9]|2[0-3])[ ]?[0-5][0-9]"
)


def is_time(value: str) -> bool:
    """Tell whether twelve digits are a day and a time: 200904291438."""
    return _TIME.fullmatch(value) is not None


def _is_device(value: str) -> bool:
    return len(value) >= 3 and len(_digits(value)) >= 2


# ------------------------------------------------------------------------ beside a label

_HEADS = WordsAt(HEADS)
_DIGIT = re.compile("[0-9〇一二三四五六七八九]")
_N_TO_DIGIT = 64  # characters: the longest tail, gap and symbol before the first digit
_MORE_SIGN = r"(?:(?:No[.]?|NO[.]?|№|#|(?:ID|S/N|SN)(?=[ :.]))[ ]?:?[ ]?)?"


def _labelled(
    kind: IdentifierKind, value: str, is_right: Callable[[str], bool], gap: str = GAP
) -> Find:
    """Return a function for the numbers of a kind beside a label of that kind.

    Args:
        kind: The kind that the label has to announce.
        value: A pattern of the value.
        is_right: A last check of the value.
        gap: What may stand between label and value.
    """
    pattern = re.compile(rf"{TAIL}{gap}{_NTH}{_MORE_SIGN}(?P<value>{value})(?![0-9A-Za-z])")

    def find(text: str, place: int) -> tuple[int, int] | None:
        for end, kind_there in _labels_at(text, place):
            match = pattern.match(text, end) if kind_there == kind else None
            if match and is_right(match["value"]) and not _is_heading(text, place, end, match):
                return match.span("value")
        return None

    return find


_TITLES = ("カルテ", "診療録", "病理")


def _is_heading(text: str, place: int, end: int, match: re.Match[str]) -> bool:
    """Tell whether a label is the title of a note and what follows it the note's text."""
    if "\n" not in text[end : match.start("value")] or text[place:end] not in _TITLES:
        return False
    return match.start("value") - end > 2 or len(_digits(match["value"])) < 5


@functools.lru_cache(2)  # the rules of all kinds ask for the same place, one after the other
def _labels_at(text: str, place: int) -> tuple[tuple[int, IdentifierKind | None], ...]:
    """Return where the labels end whose heads begin at a place, with their kinds."""
    if _DIGIT.search(text, place, place + _N_TO_DIGIT) is None:
        return ()
    ends = [end for end in _HEADS.ends(text, place) if not _is_inside_word(text, place, end)]
    return tuple((end, kind_of_label(text, place, end)) for end in ends)


_GLUED = frozenset(("ID", "No", "S/N", "SN", "Lot", "LOT"))
_CODE = re.compile(rf"[A-Z]{{1,2}}{DASH}?[0-9]{{3}}")


def _is_inside_word(text: str, start: int, end: int) -> bool:
    """Tell whether a head in Latin letters is part of a word: patientNo is a label, NOx is none."""
    first, before, after = text[start], text[start - 1 : start], text[end : end + 1]
    if first == "P" and text.startswith("PID|", start):  # a message's segment, no label
        return True
    if after.isdigit() and text[start:end] in ("DL", "PP"):  # lot_no: DL06668
        return True
    if text[end - 1].isascii() and text[end - 1].isalpha() and after.isascii() and after.isalpha():
        is_value = text[start:end] in _GLUED and _CODE.match(text, end)
        return not is_value or (before.isascii() and before.isalpha())
    is_word = first.isascii() and first.isalpha() and before.isascii() and before.isalpha()
    return is_word and not (first.isupper() and before.islower())


_FAR_LICENSE = rf"(?:{FAR_GAP}(?=(?:第[ ]?)?{_TWELVE}{_ENDS})|{GAP})"
_FAR_PASSPORT = rf"(?:{GAP}|{FAR_GAP}(?=[A-Za-z]{{2}}))"
_FAR = rf"(?:{GAP}|{FAR_GAP})"
_MAC = r"[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}"
_NETWORK = finder(
    rf"(?<![A-Za-z])(?:MAC|IP)(?:v4)?[ ]?(?:アドレス|address|Address)?{GAP}"
    rf"(?P<value>{_MAC}|[0-9]{{1,3}}(?:\.[0-9]{{1,3}}){{3}})(?![0-9.:])"
)
_UDI = r"\(01\)[ ]?[0-9]{14}(?:[ ]?\((?:1[017]|2[01]|[0-9]{3})\)[A-Za-z0-9./+_-]{1,20}){1,5}"
_APPLICATION = r"(?<![0-9A-Za-z)])\((?:10|21)\)[ ]?(?P<value>[A-Z0-9]{4,20})(?![0-9A-Za-z])"
_INSURER = r"保険[ ]?:?[ ]?(?P<value>[0-9]{8}|[0-9]{6})(?![0-9A-Za-z.,])"
_SYMBOL_IN_WORDS = (
    r"記[ ]?号[ ]?[:=]?[ ]?(?P<value>[一-龠ぁ-んァ-ヶ]{1,5})(?=[ 、,・/\n]{1,4}番[ ]?号)"
)
_BEFORE_LABEL = re.compile(
    rf"(?<![0-9A-Za-z{DASHES}])(?P<value>{_TWELVE})(?:号[ ]?\(?|[ ]?\()(?:普通)?(?:自動車)?(?:運転)?\Z"
)


def _before_license(text: str, place: int) -> tuple[int, int] | None:
    """Read the number before its label: 第123456789012号(運転免許証)."""
    if not text.startswith("免許", place):
        return None
    match = _BEFORE_LABEL.search(text, max(0, place - 30), place)
    return match.span("value") if match else None


_IN_BRACKETS = finder(
    r"(?<=\0)\((?:ID[ :]?)?(?!0[0-9]{9,10}\)|0[0-9]{1,3}-)(?P<value>[0-9]{5,10}|[0-9]{2,4}-[0-9]{3,6}(?:-[0-9]{1,4})?)\)"
)
_SECOND = finder(r"(?<=\0)と(?P<value>[A-Z]{0,2}[0-9]{5,12})(?=の|、|が|で|に|。|は)")
_IN_ROOM = finder(r"号室[ \t]{1,3}(?P<value>[0-9]{5,10})(?![0-9/.-])")
_OF_CASE = finder(
    r"(?<=[症験患])[例者][ ]?(?P<value>[A-Z]{1,4}-[0-9]{2,5}(?:-[0-9]{1,5})?)(?![0-9A-Za-z-])"
)
_BEFORE_FILE = re.compile(r"(?<![0-9A-Za-z])(?P<value>[0-9]{5,12})\Z")
_FILE = re.compile(r"_(?:[A-Z][A-Za-z]{1,14}_[A-Z]|[一-龠]{2})")


def _before_file_name(text: str, place: int) -> tuple[int, int] | None:
    """Read the number before a name in the name of a file: 00123456_YAMADA_TARO_CT.dcm."""
    before = _BEFORE_FILE.search(text, max(0, place - 14), place)
    return before.span("value") if before and _FILE.match(text, place) else None


_LABELS = begins(_HEADS.words)
NUMBER_RULES = (
    Rule(
        "record_number",
        (
            Begin("(", _DIGITS + "I", _DIGITS + "D", "\0"),
            Begin("と", _DIGITS + _CAPITALS, "", "\0"),
            Begin("号", "室", " \t"),
            Begin("例者", _CAPITALS + " ", _CAPITALS + "-"),
            Begin("_", "", "", _DIGITS),
        ),
        first_of(_IN_BRACKETS, _SECOND, _IN_ROOM, _OF_CASE, _before_file_name),
        6,
    ),
    Rule("my_number", _LABELS, _labelled("my_number", _TWELVE, _has_two, _FAR), 2),
    Rule(
        "passport_number",
        _LABELS,
        _labelled("passport_number", _PASSPORT, _has_two, _FAR_PASSPORT),
        2,
    ),
    Rule(
        "license_number", _LABELS, _labelled("license_number", _LICENSE, _has_two, _FAR_LICENSE), 3
    ),
    Rule("insurance_number", _LABELS, _labelled("insurance_number", _INSURANCE, _is_insurance), 3),
    Rule("device_number", _LABELS, _labelled("device_number", _DEVICE, _is_device), 4),
    Rule("record_number", _LABELS, _labelled("record_number", _RECORD, _is_record), 5),
    Rule(
        "insurance_number",
        (Begin("記", "号 ", " :=号"), Begin("保", "険", " :0123456789")),
        first_of(finder(_SYMBOL_IN_WORDS), finder(_INSURER)),
        6,
    ),
    Rule("license_number", (Begin("免", "許", "証)、 "),), _before_license, 4),
    Rule(
        "device_number",
        (Begin("(", "012", "01"), *begins(["MAC", "IP"])),
        first_of(finder(_UDI), finder(_APPLICATION, _is_device), _NETWORK),
        4,
    ),
    Rule(
        "my_number",
        (Begin(_DIGITS, _DIGITS, _DIGITS, '\n 　,、。(|\t":;はが「[/の'),),
        finder(
            rf"(?<![0-9A-Za-z.+{DASHES}])(?<![0-9][ ]){_EVEN_TWELVE}(?![0-9A-Za-z.{DASHES}])",
            lambda value: is_my_number(_digits(value)) and not is_time(value),
        ),
        10,
    ),
    Rule(
        "passport_number",
        (Begin("TMNR", _CAPITALS, _DIGITS),),
        finder(rf"(?<![0-9A-Za-z_.{DASHES}])[TMN][A-Z][0-9]{{7}}(?![0-9A-Za-z.]|{DASH}[0-9])"),
        4,
    ),
)
