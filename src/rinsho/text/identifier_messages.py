"""Names and numbers in messages between machines: HL7, DICOM, XML and JSON."""

from __future__ import annotations

import functools
import re

from rinsho.text.identifier_anchors import Begin, Find, Rule, begins, finder, first_of
from rinsho.text.identifier_kinds import IdentifierKind
from rinsho.text.identifier_name_reading import is_roman_name, read_name
from rinsho.text.identifier_patterns import DASH
from rinsho.text.identifier_surnames import is_kana_surname, is_surname

_DIGITS = "0123456789"
_CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_WORD = r"[一-龠々〆ヶ﨑髙ぁ-んァ-ヶーA-Za-z'-]"
_BEFORE_CARET = re.compile(rf"(?<![^\s|~=:\[\"'(>,])(?P<family>{_WORD}{{1,16}})\Z")
_GROUP = rf"{_WORD}{{1,16}}\^{_WORD}{{1,16}}"
_AFTER_CARET = re.compile(rf"\^(?P<given>{_WORD}{{1,16}})(?:\^{{0,4}}=(?:{_GROUP})?){{0,2}}")
_N_BEFORE = 80  # characters before a name in Latin letters where a label of persons stands
_OF_PERSON = re.compile(r"PID\||NK1\||PV1\||\bPN\b|[Nn]ame|NAME|[Pp]atient|PATIENT|氏名|患者|医師")


def _around_caret(text: str, place: int) -> tuple[int, int] | None:
    """Read family name, caret and given name, with the same in other letters after `=`."""
    if text[place + 1 : place + 2] in ("^", "|") or not text[place - 1 : place].strip():
        return None
    if text[place] != "^":
        return None
    before = _BEFORE_CARET.search(text, max(0, place - 18), place)
    after = before and _AFTER_CARET.match(text, place)
    if not before or not after:
        return None
    family, given = before["family"], after["given"]
    if family.isascii() != given.isascii():
        return None
    if family.isascii():
        is_name = is_roman_name(family) and is_roman_name(given) and len(family) > 1
        is_name &= "=" in after[0] or bool(
            _OF_PERSON.search(text, max(0, place - _N_BEFORE), before.start())
        )
    elif family[0] < "一":
        is_name = is_kana_surname(family) or "=" in after[0] or text.startswith("^^", after.end())
    else:
        is_name = is_surname(family)
    end = after.end()
    while text[end - 1] in "=^":
        end -= 1
    return (before.start(), end) if is_name else None


_NO_PERSON = (
    "(?i:[a-z_:]*(?:hospital|facility|organi|institut|drug|product|medic|file|depart|ward|disease"
    "|test|code|item|place|company|school|city|device|host|domain|class|type|event|table|column))"
)
_NAME_KEY = (
    rf"(?!{_NO_PERSON})(?:[A-Za-z]{{1,12}}[:.])?[A-Za-z_]{{0,24}}?(?:[Nn]ame|NAME|[Ff]amily|"
    rf"[Gg]iven"
    r"|[Kk]ana|[Kk]anji)(?:_?[Ii]n_?[A-Z][a-z]{3,8}|Kana|Kanji|_kana|_kanji|[0-9])?"
)
_KEY = re.compile(
    rf"<(?:family|given)[ ]value=\"|<{_NAME_KEY}(?:[ ][^<>\n]{{0,60}})?>[ \n]?|\"{_NAME_KEY}\"[ ]?:[ ]?\[?[ ]?\""
)
_BARE_KEY = re.compile(r"[<\"](?:name|Name|NAME)\b")


def _in_key(text: str, place: int) -> tuple[int, int] | None:
    """Read the value of an element or a key that is called after a name."""
    key = _KEY.match(text, place)
    if key is None:
        return None
    end = read_name(text, key.end(), "surname" if _BARE_KEY.match(text, place) else "firm")
    if end is None and (one := _ONE_KANJI.match(text, key.end())):
        end = one.end()
    return (key.end(), end) if end and text[end : end + 1] in ("<", '"') else None


_ONE_KANJI = re.compile('[一-龠](?=[<"])')


# ---------------------------------------------------------------------- fields of HL7 version 2

_SEGMENT = re.compile(r"(?:PID|NK1|PV1|IN1|GT1|MRG|ORC|OBR|PD1|ROL|STF|SPM)\|")
_N_SEGMENT = 500  # characters of a segment that are read back
# Fields of each segment that hold a kind; a field's number as in the standard, from 1.
_FIELDS: dict[IdentifierKind, dict[str, frozenset[int]]] = {
    "record_number": {
        "PID": frozenset((2, 3, 4, 18)),
        "PV1": frozenset((19,)),
        "MRG": frozenset((1, 3, 5)),
        "ORC": frozenset((2, 3)),
        "OBR": frozenset((2, 3)),
        "SPM": frozenset((2, 3)),
    },
    "insurance_number": {"IN1": frozenset((3, 8, 10, 36, 49)), "PID": frozenset((19,))},
    "birth_date": {"PID": frozenset((7,)), "NK1": frozenset((16,)), "IN1": frozenset((18,))},
    "phone": {
        "PID": frozenset((13, 14)),
        "NK1": frozenset((5, 6, 31)),
        "GT1": frozenset((6, 7)),
        "STF": frozenset((10,)),
        "ORC": frozenset((14, 23)),
    },
    "address": {
        "PID": frozenset((11,)),
        "NK1": frozenset((4, 32)),
        "IN1": frozenset((19,)),
        "GT1": frozenset((5,)),
        "ORC": frozenset((22, 24)),
        "STF": frozenset((11,)),
    },
    "name": {
        "PID": frozenset((5, 6, 9)),
        "NK1": frozenset((2, 30)),
        "PV1": frozenset((7, 8, 9, 17, 52)),
        "IN1": frozenset((16,)),
        "GT1": frozenset((3, 4)),
        "MRG": frozenset((7,)),
        "ORC": frozenset((10, 11, 12, 19)),
        "OBR": frozenset((16, 28, 32, 34)),
        "PD1": frozenset((4,)),
        "ROL": frozenset((4,)),
        "STF": frozenset((3,)),
    },
    "workplace": {"NK1": frozenset((13,)), "GT1": frozenset((16, 51)), "IN1": frozenset((11,))},
}
_FIELDS["postal_code"] = _FIELDS["address"]
_LETTERS = r"[一-龠々〆ヶ﨑髙ぁ-んァ-ヶーA-Za-z'’-]"
_VALUES: dict[IdentifierKind, re.Pattern[str]] = {
    "record_number": re.compile(r"(?=[0-9A-Za-z-]{0,20}[0-9])[0-9A-Za-z-]{3,24}"),
    "insurance_number": re.compile(r"(?=[^|^~]{0,12}[0-9])[0-9A-Za-z一-龠・-]{4,24}"),
    "birth_date": re.compile(
        r"(?P<value>(?:18|19|20)[0-9]{2}[-/]?[0-9]{2}[-/]?[0-9]{2})(?:T?[0-9:.+]{4,15})?"
    ),
    "phone": re.compile(r"(?=[^|^~]{9})[0-9()+ -]{9,18}"),
    "postal_code": re.compile(rf"〒?(?P<value>[0-9]{{3}}{DASH}?[0-9]{{4}})"),
    "address": re.compile(
        r"(?=[^|^~]{0,40}[都道府県市区町村郡0-9])(?![0-9]{3}-?[0-9]{4}[ ]?[|^~\n])(?:〒?[0-9]{3}-[0-9]{4}[ ]?)?"
        r"(?=[^|^~\n]{0,40}[一-龠A-Za-z]{2})(?!JPN|JP\b|[HB](?:[|^~ ]|$))(?P<value>(?:(?! [|/ ]|  )[^|^~\n\0&\t/、;｜]){2,80}"
        r"(?:\^{1,3}[一-龠ぁ-んァ-ヶ]{1,12}[都道府県市区町村郡])*)"
    ),
    "name": re.compile(rf"{_LETTERS}{{1,16}}(?:[ ^]{_LETTERS}{{1,16}})?"),
    "workplace": re.compile(r"(?=[^|^~]{0,20}[一-龠ァ-ヶA-Za-z])[^|^~\n\0]{2,40}"),
}
_END_OF_FIELD = frozenset("|^~&\n")
_EMPTY = _END_OF_FIELD | frozenset(" -:")
_NO_NAME = re.compile(
    r"(?:[A-Z]{1,4}[0-9]*|Dr|MD|I|P|L|MR|PI|JPN|HL7[0-9]*|本人|妻|夫|父|母|子|長男|長女)"
    r"(?=[|^~]|$)|[A-Z]{1,3}\^"
)


@functools.lru_cache(2)
def _has_segments(text: str) -> bool:
    return _SEGMENT.search(text) is not None


def _field_of(text: str, place: int) -> tuple[str, int, int]:
    """Return segment and field of the component that begins behind a sign, and where the field is.

    The segment is empty where the sign is part of no message.
    """
    low = max(0, place - _N_SEGMENT, text.rfind("\n", 0, place) + 1)
    starts = list(_SEGMENT.finditer(text, low, place + 1))
    if not starts:
        return "", 0, place
    segment = starts[-1]
    number = text.count("|", segment.start(), place + 1)
    return segment[0][:3], number, text.rfind("|", segment.start(), place + 1) + 1


def _component(kind: IdentifierKind) -> Find:
    """Return a function that reads a component of a field that holds a kind."""
    fields, value = _FIELDS[kind], _VALUES[kind]
    is_one = kind in ("record_number", "birth_date", "insurance_number", "workplace")

    def find(text: str, place: int) -> tuple[int, int] | None:
        if text[place] not in "|^~" or (text[place] == "^" and is_one):
            return None
        if text[place + 1 : place + 2] in _EMPTY or not _has_segments(text):
            return None
        segment, number, start = _field_of(text, place)
        if number not in fields.get(segment, ()):
            return None
        match = value.match(text, place + 1)
        if match is None or text[match.end() : match.end() + 1] not in _ENDS:
            return None
        if kind == "name" and not _is_name_component(text, start, place, match):
            return None
        return match.span("value") if "value" in match.groupdict() else match.span()

    return find


_ENDS = frozenset((*_END_OF_FIELD, "", " ", "\t", "、", "。", ",", "/"))


def _is_name_component(text: str, start: int, place: int, match: re.Match[str]) -> bool:
    """Tell whether a component of a name's field is one: no code of its type or its table."""
    if text[place] == "^" and not (text[start:place].isalnum() or "=" in text[start:place]):
        return False  # only behind the number of a member of staff: 284^小倉^酉蔵
    return not _NO_NAME.match(text, match.start()) and match.end() - match.start() > 1


_CLAIM_VALUE = re.compile("[0-9]{2,10}(?=[,\n]|$)")
_CLAIM = re.compile(r"(?<![A-Za-z])(?:HO|KO),(?:[^,\n]{1,12},){0,2}\Z")


def _in_claim(text: str, place: int) -> tuple[int, int] | None:
    """Read insurer, symbol and number of a line of a claim: HO,06139992,1234,56789."""
    match = _CLAIM_VALUE.match(text, place + 1)
    if (
        text[place] != ","
        or match is None
        or _CLAIM.search(text, max(0, place - 32), place + 1) is None
    ):
        return None
    return match.span()


_TAGS: dict[str, IdentifierKind] = {  # of DICOM
    "0010,0010": "name",
    "0010,0020": "record_number",
    "0010,0030": "birth_date",
    "0010,1000": "record_number",
    "0010,1001": "name",
    "0010,1040": "address",
    "0010,1060": "name",
    "0010,2154": "phone",
    "0008,0050": "record_number",
    "0008,0080": "hospital",
    "0008,0081": "address",
    "0008,0090": "name",
    "0008,1048": "name",
    "0008,1050": "name",
    "0008,1060": "name",
    "0008,1070": "name",
    "0018,1000": "device_number",
    "0018,1002": "device_number",
    "0020,0010": "record_number",
    "0038,0010": "record_number",
    "0008,0020": "date",
    "0008,0021": "date",
    "0008,0022": "date",
    "0008,0023": "date",
}
_TAGGED_KINDS: tuple[IdentifierKind, ...] = (
    *(
        "name",
        "record_number",
        "birth_date",
        "address",
        "phone",
        "hospital",
        "device_number",
        "date",
    ),
)
_TAGGED = re.compile(
    r"\((?P<tag>00[0-9]{2},[ ]?[0-9]{4})\)[ ]{0,3}(?:[A-Z]{2}[ ]{1,2})?(?:[A-Z][A-Za-z']{1,24}(?:[ ][A-Z][A-Za-z']{1,20}){0,3}(?![0-9A-Za-z^])[ ]?)?(?:[A-Z]{2}(?:[ ]{1,2}|(?=[\[\"'])))?[:=]?[ ]?"
    r"[\[\"']?(?P<value>[^\]\"'\n\0]{2,64}?)(?=[\]\"'\n]|[ ]{2}|$)"
)


def _tagged(kind: IdentifierKind) -> Find:
    """Return a function that reads the value behind a tag of DICOM: (0010,0020) LO [41619545]."""

    def find(text: str, place: int) -> tuple[int, int] | None:
        match = _TAGGED.match(text, place)
        if match is None or _TAGS.get(match["tag"].replace(" ", "")) != kind:
            return None
        return match.span("value")

    return find


_IN_MESSAGE = (Begin("|"), Begin("^", "", "", ""), Begin("~"))
_MESSAGE_PHONE = finder(r"(?:PH|CP|FX)\^{1,12}(?P<value>[0-9(+][0-9()-]{8,16})(?![0-9])")
_MESSAGE_POSTAL = finder(r"\^(?P<value>[0-9]{3}-?[0-9]{4})(?=\^(?:JPN|JP)?\^?)")
_TYPED: dict[IdentifierKind, Find] = {  # AB1234567^^^JPN^PPN: the type of a number behind it
    "passport_number": finder(r"[|^~](?P<value>[A-Z]{1,2}[0-9]{6,9})\^[^|~\n\0]{0,24}?\bPPN\b"),
    "license_number": finder(r"[|^~](?P<value>[0-9]{10,12})\^[^|~\n\0]{0,24}?\bDL\b"),
}
_EXTENSION = finder(r"<id[ ][^<>\n]{0,60}?extension=\"(?P<value>[0-9A-Za-z-]{3,24})\"")
# Insurers, symbols and insured persons, in Japanese CDA and FHIR.
_OF_INSURANCE = re.compile(
    r"1\.2\.392\.(?:200119\.6\.(?:101|20[45])|100495\.20\.3\.6[1-3])(?![0-9.])"
    r"(?:\"[^<>0-9\"]{0,40}\"?(?:value|extension)\"?[ ]?[:=][ ]?\"(?P<value>[^\"<>\n\0]{2,24})\")?"
)
_BEFORE_ROOT = re.compile(
    r"(?:extension|value)=\"(?P<value>[^\"<>\n\0]{2,24})\"[^<>\n0-9]{0,24}root=\"(?:urn:oid:)?\Z"
)


def _of_insured(text: str, place: int) -> tuple[int, int] | None:
    """Read the value beside the number of a list of insurers or insured persons."""
    match = _OF_INSURANCE.match(text, place)
    before = match and _BEFORE_ROOT.search(text, max(0, place - 80), place)
    one = before or match
    return one.span("value") if one and one["value"] else None


_PRESCRIBED = re.compile(r"[^,\n\0]{2,20}")
_BEFORE_PRESCRIBED = re.compile(r"\n2(?:2,|3,(?:[^,\n]{0,19},)?)\Z")


def _in_prescription(text: str, place: int) -> tuple[int, int] | None:
    """Read insurer, symbol and number of an electronic prescription: 22,06139992 and 23,1234,56789."""
    low = max(0, place - 24)
    if text[place] != "," or not _BEFORE_PRESCRIBED.search(text, low, place + 1):
        return None
    value = _PRESCRIBED.match(text, place + 1)
    is_one = value is not None and any(c in _DIGITS for c in value[0])
    return value.span() if value and is_one and "JAHIS" in text[:place] else None


_IDENTIFIER = finder(
    r"[\"<]identifiers?[\">][^\0]{0,160}?[\"< ]value[\"]?[ ]?[:=>][ ]?\"?"
    r"(?P<value>(?=[A-Za-z-]{0,8}[0-9])[0-9A-Za-z-]{3,24})(?=[\"<])"
)
_REFERENCE = finder(
    r"(?:[Pp]atients?|Encounter|Practitioner)/(?P<value>(?=[A-Za-z-]{0,12}[0-9])[0-9A-Za-z-]{3,36})"
    r"(?![0-9A-Za-z])"
)
_FINDS: dict[IdentifierKind, tuple[tuple[Begin, ...], Find]] = {
    "record_number": (
        begins(
            ["<id ", "<id\t", '"identif', "<identif", "Patient", "patient", "Encount", "Practit"]
        ),
        first_of(_component("record_number"), _EXTENSION, _IDENTIFIER, _REFERENCE),
    ),
    "phone": (begins(["PH^", "CP^", "FX^"]), first_of(_component("phone"), _MESSAGE_PHONE)),
    "postal_code": (
        (Begin("^", _DIGITS, _DIGITS),),
        first_of(_component("postal_code"), _MESSAGE_POSTAL),
    ),
    "insurance_number": (
        (Begin(",", _DIGITS, _DIGITS, "O" + _DIGITS),),
        first_of(_component("insurance_number"), _in_claim, _in_prescription),
    ),
}
MESSAGE_RULES = (
    Rule("name", (Begin("^"), Begin('<"')), first_of(_around_caret, _in_key), 19),
    *(
        Rule(kind, (*_IN_MESSAGE, *more), find, 1)
        for kind in _FIELDS
        for more, find in [_FINDS.get(kind, ((), _component(kind)))]
    ),
    Rule(
        "passport_number",
        (Begin("|^~", _CAPITALS, _CAPITALS + _DIGITS),),
        _TYPED["passport_number"],
        0,
    ),
    Rule("license_number", (Begin("|^~", _DIGITS, _DIGITS),), _TYPED["license_number"], 0),
    Rule("insurance_number", begins(["1.2.392.200119", "1.2.392.100495"]), _of_insured, 0),
    *(Rule(kind, (Begin("(", "0", "0"),), _tagged(kind), 1) for kind in _TAGGED_KINDS),
)
