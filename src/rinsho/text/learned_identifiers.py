"""Identifiers that a small trained network finds beside the rules: forms that no rule foresaw."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rinsho.text.detectors import Detection
from rinsho.text.identifier_dates import is_day
from rinsho.text.identifier_given_names import is_given, is_kana_given
from rinsho.text.identifier_governing_labels import is_of_no_person, with_kinds_of_labels
from rinsho.text.identifier_kinds import IDENTIFIER_KINDS, Identifier, IdentifierKind
from rinsho.text.identifier_network import read_network
from rinsho.text.identifier_shapes import is_ordinary, may_be_name
from rinsho.text.identifier_surnames import is_kana_family
from rinsho.text.identifiers import find_identifiers, mask_placeholders

# How likely a character is of an identifier: all of a span reach the first, its surest character
# the second, or the third in a name that no list or syllable supports; the fourth begins a new span
# within one. Chosen on a set that the network had not been trained on (docs/deidentify.md).
LEAST, SURE, SURE_OF_ODD_NAME, BEGINS = 0.2, 0.5, 0.98, 0.5
_PARTS = re.compile(r"[\s・^,/_|()]+")
_KANA = frozenset(map(chr, range(ord("ぁ"), ord("ヿ"))))
_ROMANIZED = re.compile(
    r"(?:(?:[kgsztdnhbpmyrwfj]|sh|ch|ts|[kgnhbpmr]y)?[aiueo]|n)+", re.IGNORECASE
)
_WORD = re.compile(r"[A-Za-z0-9]+|[ァ-ヶー]+")
_N_LONGEST_WORD = 40
_N_SHORT_WORD = 4  # Latin letters: most of such words are codes and abbreviations
_EDGES = frozenset(" \t\n\0、。,.;:：|｜=・/'\"_-→^「」『』〈〉<>【】[]{}")
_BRACKETS = {"(": ")", ")": "(", "（": "）", "）": "（"}
_DIGIT = re.compile("[0-9〇零一二三四五六七八九十元]|ゼロ|イチ|サン|ヨン|ロク|ナナ|ハチ|キュウ")
_N_LEAST_DIGITS: dict[IdentifierKind, int] = {
    **dict.fromkeys(("phone", "postal_code", "record_number", "device_number", "my_number"), 3),
    **dict.fromkeys(("insurance_number", "license_number", "passport_number"), 3),
}
_DAYS = ("date", "birth_date")
# Two numbers, or so many digits or spoken ones that they hold a day and a month: no year alone.
_DAY = re.compile(
    r"[0-9]{1,4}[^0-9]{1,5}[0-9]|[0-9]{6}|[〇一二三四五六七八九十元]+[^〇一二三四五六七八九十元]{1,5}[〇一二三四五六七八九十]"
    r"|[^0-9]*[0-9]{1,2}[ ]?[A-Za-z]{3}|[A-Za-z]{3}[a-z.]*[ ]?[0-9]|ガツ|がつ"
)
_TIME = re.compile(r"T?[0-2]?[0-9](?::?[0-5][0-9]){0,2}時?分?")
_AT = re.compile(r"[@☆★◎※●]|[ \[(<{_](?:at|AT|At|アット|あっと)[ \])>}_]|アットマーク|あっとまーく")
_SITE = re.compile(r"//|[A-Za-z0-9-]\.[A-Za-z]{2}|ドット|スラッシュ")
_NO_ORGANIZATION = re.compile("[0-9ぁ-ん]+")
_NO_NAME = re.compile("[ぁ-ん]|[^A-Za-zぁ-んァ-ヶー一-龠々\U00020000-\U0002ffff]+|[A-Za-z]")


@dataclass(frozen=True, slots=True)
class LearnedDetector:
    """The network as a detector; `find_with` unites it with others."""

    kinds: Collection[IdentifierKind] = IDENTIFIER_KINDS
    name: str = "network"

    def find(self, text: str) -> Sequence[Detection]:
        """Return what the network finds, each with its mean probability."""
        if not text:
            return ()
        network = read_network()
        masked = mask_placeholders(text)
        likely_NK, begins_N = network.read(text)
        any_N = likely_NK.sum(axis=1)
        any_N[np.fromiter((c == "\0" for c in masked), bool, len(masked))] = 0
        found: list[Detection] = []
        for first, last in _runs(any_N, begins_N):
            start, end = _trim(masked, *_whole_words(masked, first, last))
            if start < end:
                kind = network.kinds[int(likely_NK[start:end].sum(axis=0).argmax())]
                start = _without_label(masked, start, end, kind)
                is_sure = any_N[first:last].max() >= _sure(masked[start:end], kind)
                if is_sure and kind in self.kinds and _is_enough(masked[start:end], kind):
                    score = float(any_N[start:end].mean())
                    found.append(Detection(Identifier(start, end, kind), score))
        return found


@dataclass(frozen=True, slots=True)
class RulesAndNetwork:
    """What `deidentify` looks for identifiers with."""

    kinds: Collection[IdentifierKind] = IDENTIFIER_KINDS
    name: str = "rules and network"

    def find(self, text: str) -> Sequence[Detection]:
        """Return what the rules and the network find, each with score 1."""
        return [Detection(one, 1.0) for one in find_with_network(text, self.kinds)]


def find_with_network(
    text: str, kinds: Collection[IdentifierKind] = IDENTIFIER_KINDS
) -> tuple[Identifier, ...]:
    """Return the identifiers of a normalized text in reading order; none overlap.

    What the rules find keeps its ends; what the network finds beside it is added. Where a label
    says of what kind a number or a date is, it is of that kind.
    """
    found = list(find_identifiers(text, kinds))
    taken = np.zeros(len(text), bool)
    for one in found:
        taken[one.start : one.end] = True
    for detection in LearnedDetector(kinds).find(text):
        for one in _beside(taken, detection.identifier, text):
            if not _is_code(text, one) and not is_of_no_person(text, one):
                found.append(one)
                taken[one.start : one.end] = True
    return with_kinds_of_labels(text, found, kinds)


def _beside(taken: NDArray[np.bool_], one: Identifier, text: str) -> Iterator[Identifier]:
    """Yield a span, or its parts that nobody has taken and that are enough by themselves."""
    edges = np.flatnonzero(np.diff(taken[one.start : one.end], prepend=True, append=True))
    for first, last in edges.reshape(-1, 2):
        start, end = _trim(text, one.start + int(first), one.start + int(last))
        is_whole = (start, end) == (one.start, one.end)
        if is_whole or _is_part(text[start:end], one.kind):
            yield Identifier(start, end, one.kind)


# Around a number of no person: a part of 1.2.392.200119 or of a time, a code of an observation
# in HL7, a line of a claim that holds procedures or drugs.
_BEFORE_CODE = re.compile(
    r"(?:[0-9][.:]|OBX\|[0-9]*\|[A-Z]{2}\||(?:^|[^A-Za-z])(?:SI|IY|TO|SJ|CO|JY|MF),(?:[^,\n]{0,12},){0,9})\Z"
)
_BEHIND_CODE = re.compile(r"\.[0-9]|\^[^|^\n]{1,30}\^[A-Z][A-Z0-9]{1,8}(?![a-z])")
_FRACTION = re.compile(r"[0-9]{1,3}/[0-9]{1,3}")
_N_BEFORE_CODE = 72


def _is_code(text: str, one: Identifier) -> bool:
    """Tell whether what stands around digits says that they are a code, or a part of one."""
    if one.kind not in (*_N_LEAST_DIGITS, *_DAYS):
        return False
    if one.kind in _DAYS and _FRACTION.fullmatch(text[one.start : one.end]):
        return not is_day(text[one.start : one.end])
    if _BEFORE_CODE.search(text, max(0, one.start - _N_BEFORE_CODE), one.start):
        return True
    return _BEHIND_CODE.match(text, one.end) is not None


def _is_part(span: str, kind: IdentifierKind) -> bool:
    """Tell whether what the rules left of a span is more than the time or the words behind it."""
    if len(span) < 2 or not _is_enough(span, kind):
        return False
    if kind in _DAYS:
        return _TIME.fullmatch(span) is None
    return kind != "address" or not "ぁ" <= span[0] <= "ん"


def _runs(any_N: NDArray[np.float32], begins_N: NDArray[np.float32]) -> Iterator[tuple[int, int]]:
    """Yield runs of likely characters, cut where another begins."""
    is_likely = any_N >= LEAST
    is_first = is_likely & (begins_N > BEGINS)
    is_first[1:] |= is_likely[1:] & ~is_likely[:-1]
    is_first[:1] |= is_likely[:1]
    starts = np.flatnonzero(is_first)
    for start, limit in itertools.pairwise([*starts, len(any_N)]):
        stops = np.flatnonzero(~is_likely[start:limit])
        end = start + stops[0] if len(stops) else limit
        yield int(start), int(end)


def _sure(span: str, kind: IdentifierKind) -> float:
    return SURE if kind != "name" or _is_like_name(span) else SURE_OF_ODD_NAME


def _is_like_name(span: str) -> bool:
    """Tell whether a part of a span is a name by its form, or romanized Japanese; no ordinary word.

    >>> [_is_like_name(one) for one in ("豊嶋 操", "ヤマダ", "Toyoshima", "外来", "高血圧", "AIHA")]
    [True, True, True, False, False, False]
    """
    for part in _PARTS.split(span):
        if part and part[0] in _KANA:
            if is_kana_family(part) or is_kana_given(part):
                return True
        elif part.isascii():
            if len(part) > _N_SHORT_WORD and _ROMANIZED.fullmatch(part):
                return True
        elif part and (may_be_name(part) or (is_given(part) and not is_ordinary(part))):
            return True
    return False


def _whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    """Take a word of Latin letters and digits, or of katakana, whole or not at all: by its half."""
    first, last = start, end
    for word in _WORD.finditer(text, max(0, start - _N_LONGEST_WORD), end + _N_LONGEST_WORD):
        a, b = word.span()
        n_inside = min(b, end) - max(a, start)
        if n_inside <= 0 or n_inside == b - a:
            continue
        if 2 * n_inside >= b - a:
            first, last = min(first, a), max(last, b)
        elif a < start:
            first = min(b, end)
        else:
            last = a
    return first, last


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    """Leave out signs at the ends, but for the bracket of a pair."""
    while start < end and _is_edge(text[start], text[start:end]):
        start += 1
    while start < end and _is_edge(text[end - 1], text[start:end]):
        end -= 1
    return start, end


_LABEL_AHEAD = re.compile(
    r"(?:[^0-9A-Za-z〇零一二三四五六七八九]{3,}|[ぁ-んー](?=[0-9A-Z]))"
    r"(?:TEL|No\.?|NO|ID|Lot)?[ :.]*(?=[0-9A-Z])"
)


def _without_label(text: str, start: int, end: int, kind: IdentifierKind) -> int:
    """Return where a number begins before which a label was taken along: 確認済ロットZF9757."""
    label = _LABEL_AHEAD.match(text, start, end) if kind in _N_LEAST_DIGITS else None
    return label.end() if label else start


def _is_edge(sign: str, span: str) -> bool:
    return sign in _EDGES or (sign in _BRACKETS and _BRACKETS[sign] not in span)


def _is_enough(span: str, kind: IdentifierKind) -> bool:
    """Tell whether a span has as many digits or letters as its kind has at least."""
    if kind in _DAYS:
        return _DAY.search(span) is not None
    if kind in _N_LEAST_DIGITS:
        return len(_DIGIT.findall(span)) >= _N_LEAST_DIGITS[kind]
    if kind == "name":
        return _NO_NAME.fullmatch(span) is None
    if kind in ("mail", "url"):
        return len(span) >= 6 and (_AT if kind == "mail" else _SITE).search(span) is not None
    return len(span) > 1 and _NO_ORGANIZATION.fullmatch(span) is None
