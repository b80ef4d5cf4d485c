"""Invented values for the fields of a surface form, with check digits where real ones have them.

A template holds fields in braces: `{#4}` four digits, `{A2}` two capitals, `{a6}` small letters,
`{1-30}` a number of that range (`{01-12}` padded), `{x/y/z}` one of these, and names: of a person
(`{family}`, `{given_kana}`, `{family_half}` …), a place (`{pref}{city}{town}`), a date (`{Y}`,
`{E}`, `{mm}` …), a checked number (`{my1}`, `{license}`, `{insurer8}`, `{gtin14}`) or a list of
`pools.toml`. `{my:spaced}` writes a field in the style of that name: see `restyle`.
Within one `Values` all fields speak of the same person, place, date and number.
"""

from __future__ import annotations

import datetime
import random
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_FIELD = re.compile(r"\{([^{}]+)\}")
_RANGE = re.compile(r"(\d+)-(\d+)")
_RANDOM = re.compile(r"([#Aa])(\d*)")
_ALPHABET = {"#": "0123456789", "A": "ABCDEFGHJKLMNPQRSTUVWXYZ", "a": "abcdefghijkmnopqrstuvwxyz"}
_ERAS = (
    (datetime.date(2019, 5, 1), "令和", "R"),
    (datetime.date(1989, 1, 8), "平成", "H"),
    (datetime.date(1926, 12, 25), "昭和", "S"),
    (datetime.date(1912, 7, 30), "大正", "T"),
)
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_KANJI_DIGITS = "〇一二三四五六七八九"
_SPOKEN_DIGITS = ["ゼロ", "イチ", "ニ", "サン", "ヨン", "ゴ", "ロク", "ナナ", "ハチ", "キュウ"]
_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
_HALF_WIDTH_KANA = {
    unicodedata.normalize("NFKC", chr(code)): chr(code) for code in range(0xFF65, 0xFFA0)
} | {"\u3099": "ﾞ", "\u309a": "ﾟ"}
_SHARED = ("family", "given", "pref", "city", "town", "postal3")
# Codes of the public safety commissions that issue driving licenses.
_COMMISSIONS = (10, 20, 22, 30, 40, 43, 44, 45, 46, 49, 51, 54, 60, 61, 62, 63, 70, 73, 82, 90, 96)


@dataclass(frozen=True, slots=True)
class Pools:
    """What values are drawn from.

    Attributes:
        families: Family names: kanji, katakana, Latin letters.
        givens: Given names: kanji, katakana, Latin letters.
        places: Prefecture, municipality, town, first three digits of the postal code.
        lists: Other lists by name.
    """

    families: Sequence[Sequence[str]]
    givens: Sequence[Sequence[str]]
    places: Sequence[Sequence[str]]
    lists: Mapping[str, Sequence[str]]


@dataclass(slots=True)
class Values:
    """Fills templates; the same field gives the same person, place, date or number each time."""

    random: random.Random
    pools: Pools
    is_birth: bool = False
    _shared: dict[str, str] = field(default_factory=dict)
    _own: dict[str, str] = field(default_factory=dict)

    def branch(self, *, is_birth: bool) -> Values:
        """Return values of the same person and place with a date and numbers of their own."""
        return Values(self.random, self.pools, is_birth, self._shared)

    def fill(self, template: str) -> str:
        """Return the template with every field filled."""
        return _FIELD.sub(lambda match: self._value(match[1]), template)

    def _value(self, name: str) -> str:
        name, _, style = name.partition(":")
        if style:
            return restyle(self._value(name), style)
        for fixed in (self._shared, self._own):
            if name in fixed:
                return fixed[name]
        if match := _RANDOM.fullmatch(name):
            return "".join(self.random.choices(_ALPHABET[match[1]], k=int(match[2] or 1)))
        if match := _RANGE.fullmatch(name):
            number = self.random.randint(int(match[1]), int(match[2]))
            return str(number).zfill(len(match[1]))
        if "/" in name:
            return self.random.choice(name.split("/"))
        if name in self.pools.lists:
            return self.fill(self.random.choice(self.pools.lists[name]))
        fixed = self._shared if name.startswith(_SHARED) else self._own
        fixed.update(self._entity(name))
        return fixed[name]

    def _entity(self, name: str) -> dict[str, str]:
        if name.startswith("family"):
            return name_fields("family", *self.random.choice(self.pools.families))
        if name.startswith("given"):
            return name_fields("given", *self.random.choice(self.pools.givens))
        if name in ("pref", "city", "town", "postal3"):
            keys = ("pref", "city", "town", "postal3")
            return dict(zip(keys, self.random.choice(self.pools.places), strict=True))
        if name in ("my", "my1", "my2", "my3"):
            number = with_my_number_digit(self._digits(11))
            return {"my": number, "my1": number[:4], "my2": number[4:8], "my3": number[8:]}
        if name == "license":
            start = f"{self.random.choice(_COMMISSIONS)}{self.random.randint(70, 124) % 100:02}"
            number = with_license_digit(start + self._digits(6))
            return {"license": number + self.random.choice("000012")}
        if name in ("insurer8", "insurer6"):
            return {name: with_insurer_digit(self._digits(int(name[-1]) - 1))}
        if name == "gtin14":
            return {
                name: with_gtin_digit("0" + self.random.choice(("45", "49")) + self._digits(10))
            }
        return self._date()

    def _digits(self, n_digits: int) -> str:
        return "".join(self.random.choices("0123456789", k=n_digits))

    def _date(self) -> dict[str, str]:
        first, last = (1922, 2019) if self.is_birth else (2006, 2025)
        start = datetime.date(first, 1, 1)
        n_days = (datetime.date(last, 12, 28) - start).days
        return date_fields(start + datetime.timedelta(days=self.random.randint(0, n_days)))


def name_fields(key: str, kanji: str, kana: str, roman: str) -> dict[str, str]:
    """Return a name in all its writings.

    >>> name_fields("family", "岡部", "オカベ", "okabe")["family_half"]
    'ｵｶﾍﾞ'
    >>> name_fields("given", "純", "ジュン", "jun")["given_hira"]
    'じゅん'
    """
    marks = unicodedata.normalize("NFD", kana)
    return {
        key: kanji,
        f"{key}_kana": kana,
        f"{key}_roman": roman,
        f"{key}_hira": "".join(chr(ord(c) - 0x60) if "ァ" <= c <= "ヶ" else c for c in kana),
        f"{key}_half": "".join(_HALF_WIDTH_KANA.get(c, c) for c in marks),
        f"{key}_upper": roman.upper(),
        f"{key}_title": roman.capitalize(),
    }


def date_fields(date: datetime.date) -> dict[str, str]:
    """Return the fields of a date.

    >>> fields = date_fields(datetime.date(2019, 5, 7))
    >>> [fields[key] for key in ("Y", "E", "e", "y", "n", "nn", "m", "dd", "w", "dk")]
    ['2019', '令和', 'R', '元', '1', '01', '5', '07', '火', '七']
    """
    start, era, letter = next(one for one in _ERAS if date >= one[0])
    year = date.year - start.year + 1
    return {
        "Y": str(date.year),
        "YY": f"{date.year % 100:02}",
        "E": era,
        "e": letter,
        "k": era[0],
        "c": str("明大昭平令".index(era[0]) + 1),
        "c5": str("明大昭平令".index(era[0]) * 2 + 1),
        "y": "元" if year == 1 else str(year),
        "n": str(year),
        "nn": f"{year:02}",
        "m": str(date.month),
        "mm": f"{date.month:02}",
        "MON": _MONTHS[date.month - 1],
        "d": str(date.day),
        "dd": f"{date.day:02}",
        "w": "月火水木金土日"[date.weekday()],
        "yk": "元" if year == 1 else kanji_number(year),
        "mk": kanji_number(date.month),
        "dk": kanji_number(date.day),
    }


def kanji_number(number: int) -> str:
    """Return 1 to 99 in kanji.

    >>> kanji_number(23), kanji_number(10), kanji_number(7)
    ('二十三', '十', '七')
    """
    tens, ones = divmod(number, 10)
    before = "" if tens == 0 else ("" if tens == 1 else _KANJI_DIGITS[tens]) + "十"
    return before + (_KANJI_DIGITS[ones] if ones else "")


def with_my_number_digit(digits: str) -> str:
    """Return 11 digits and their check digit (総務省令第85号, 2014, article 5).

    >>> with_my_number_digit("12345678901")
    '123456789018'
    """
    weights = [n + 1 if n <= 6 else n - 5 for n in range(1, 12)]
    rest = sum(int(p) * q for p, q in zip(reversed(digits), weights, strict=True)) % 11
    return digits + str(0 if rest <= 1 else 11 - rest)


def with_license_digit(digits: str) -> str:
    """Return the first 10 digits of a driving license and the check digit after them.

    >>> with_license_digit("7299132810")
    '72991328107'
    """
    rest = sum(int(p) * q for p, q in zip(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2), strict=True)) % 11
    return digits + str((11 - rest) % 10)


def with_insurer_digit(digits: str) -> str:
    """Return the digits of an insurer's number and their check digit.

    >>> with_insurer_digit("3934202")
    '39342027'
    """
    products = (int(p) * (2 - i % 2) for i, p in enumerate(reversed(digits)))
    return digits + str(-sum(n // 10 + n % 10 for n in products) % 10)


def with_gtin_digit(digits: str) -> str:
    """Return 13 digits and the check digit of a GTIN-14.

    >>> with_gtin_digit("0498765432109")
    '04987654321094'
    """
    return digits + str(-sum(int(p) * (3 - 2 * (i % 2)) for i, p in enumerate(digits)) % 10)


def restyle(text: str, style: str) -> str:
    """Return the text in kanji digits, spoken, with a space or a bar between signs, or full-width.

    >>> [restyle("2024", style) for style in ("kanji", "spaced", "boxed", "wide", "spoken")]
    ['二〇二四', '2 0 2 4', '2|0|2|4', '２０２４', 'ニゼロニヨン']
    """
    if style == "spoken":
        return text.translate({ord(str(n)): one for n, one in enumerate(_SPOKEN_DIGITS)})
    if style == "kanji":
        return text.translate({ord(str(n)): one for n, one in enumerate(_KANJI_DIGITS)})
    if style == "wide":
        return widen(text)
    return {"spaced": " ", "boxed": "|"}[style].join(text)


def widen(text: str) -> str:
    """Return the text with full-width digits, letters and signs.

    >>> widen("〒160-0023")
    '〒１６０－００２３'
    """
    return text.translate(_FULL_WIDTH)
