"""What doses and results say, part by part: `5mg 1日3回` is a dose and a frequency.

The mentions stay whole; their parts are read from the words, with the grammar that finds mentions
and a few forms more. Parts say what is written: whether 3T of `3T 分3` is for a day is not judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rinsho.text.normalize import Normalized, normalize_with_offsets
from rinsho.text.quantities import AMOUNT, DURATION, FREQUENCY, MEAL, NUMBER, RAISED, UNIT
from rinsho.text.spans import FIRST_LABELS, Span
from rinsho.wanted import while_wanted

PartKind = Literal["dose", "route", "frequency", "duration", "value", "unit"]
_BELONGS = {"drug": "dose", "test": "value"}
_QUANTIFIED = ("drug", "dose", "test", "value")
_N_READ = 200  # characters of a mention: no dose or result is longer, and time stays linear
_N_BETWEEN = 8  # characters from a mention to the next of the same drug or test
# Longer names first. Unlike in `find_doses` they count in 点滴開始 as well: a dose is beside them.
_ROUTE = (
    r"(?:(?:持続|急速|緩徐)?(?:点滴)?(?:静脈内|静脈|皮下|筋肉内|筋肉|硝子体内|関節内|腹腔内|髄腔内)(?:注射|投与|注入|注)"
    r"|(?:持続|急速|緩徐)?(?:点滴)?静注|持続点滴|点滴|皮下注|皮下|筋注|髄注|局注|内服|服用|経口|舌下|外用|貼付|塗布|噴霧"
    r"|吸入|点眼|点鼻|点耳|坐薬|坐剤|挿肛|腟内|胃管|自己注射|経管|経鼻(?:カニューレ|カニュラ)?|(?:リザーバー(?:付き)?)?マスク"
    r"|鼻?カニュ(?:ー?レ|ラ)|\b(?:div|DIV|iv|IV|im|sc|po)\b)"
)
_WHEN_NEEDED = (
    r"[一-鿿]{0,3}(?:痛|熱|不安|不眠|不穏|便秘|悪心|嘔気|嘔吐|発作|咳嗽|掻痒|症状|必要)時"
)
AS_NEEDED = re.compile(rf"頓[用服]|{_WHEN_NEEDED}")
_FREQUENCY = (
    rf"(?:{FREQUENCY}|{MEAL}|{_WHEN_NEEDED}"
    r"|\d+回(?![目量分\d]))"
)
_DOSE = rf"(?:{AMOUNT}|\d[\d,.]* ?個|\d[\d,.]* ?[A-Za-zμ]+/h)"
_STEP = re.compile(
    rf"(?P<frequency>{_FREQUENCY}(?:[ ・]{{0,2}}{_FREQUENCY})*)|(?P<duration>{DURATION})"
    rf"|(?P<dose>{_DOSE})|(?P<route>{_ROUTE})"
)
_ROUTE_BEFORE = re.compile(rf"[^。、,\n]{{0,4}}?(?P<route>{_ROUTE})[^。、,\n]{{0,4}}$")
_GAP = re.compile(r"(?:[ ・]|を|で|にて|の|緩徐に|急速に|初回){0,3}")
_N_BEHIND = 16  # characters behind a dose that are still read: 5mg 緩徐に静注
_PREFIX = re.compile(r"(?:各|1(?:回|日)量? ?)(?=\d)")
_PER = re.compile(rf"(?:AUC ?)?(?P<numbers>{NUMBER}(?:[-〜~]{NUMBER})*)(?P<unit>.*)$")
_ONE = rf"[<>≦≧≤≥]? ?{NUMBER}"
# A mention may end inside its unit (9.8万, 62 μg/g) and begins behind a sign.
_PER_AMOUNT = r"/\d{0,2}(?:[A-Za-zμ]{1,4}|[日時分])"
_UNIT_BEHIND = re.compile(rf"万(?:/μL)?|{RAISED}{{0,3}}(?:{_PER_AMOUNT})?")
_SIGN = re.compile(r"(?<![\dA-Za-z.)])[-−+－＋]$")
_RESULT_UNIT = (
    rf"(?: ?[×x] ?10(?:\^?\d+|{RAISED}+)(?:/[A-Za-zμ]+)?|万(?:/μL)?"
    rf"|{UNIT}(?:{_PER_AMOUNT})?)"
)
_RESULT = re.compile(
    rf"(?P<value>[-−+]?{_ONE}(?:(?: ?{UNIT})?[^\d.]{{1,3}}{_ONE}){{0,5}}?)"
    rf" ?(?P<unit>{_RESULT_UNIT})?"
)
_NUMBER = re.compile(NUMBER)


@dataclass(frozen=True, slots=True)
class Part:
    """What `text[start:end]` says of a quantity, and its numbers and unit where it has some."""

    kind: PartKind
    start: int
    end: int
    numbers: tuple[float, ...] = ()  # two of a range, a change or 118/64
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Quantity:
    """One dosage of a drug or one result of a test, from its first mention to the last."""

    start: int
    end: int
    parts: tuple[Part, ...]

    def to_json(self, text: str) -> dict[str, Any]:
        """Return the parts by kind, each with its words."""
        value: dict[str, Any] = {"start": self.start, "end": self.end}
        for part in self.parts:
            fields = {"start": part.start, "end": part.end, "text": text[part.start : part.end]}
            numbers = {"numbers": list(part.numbers)} if part.numbers else {}
            unit = {"unit": part.unit} if part.unit else {}
            value.setdefault(part.kind, []).append({**fields, **numbers, **unit})
        return value


def find_quantities(text: str, spans: Iterable[Span]) -> dict[Span, tuple[Quantity, ...]]:
    """Return the dosages of each drug and the results of each test that have some.

    They are the doses (values) that follow at once, with no other mention, 。 or line end between.
    `4mg→8mg` is two dosages; `50mgを1日3回` is one.

    >>> text = "セレコキシブ 100mg 2T 分2を内服。"
    >>> found = find_quantities(text, [Span(0, 6, "drug"), Span(7, 18, "dose")])
    >>> [(p.kind, text[p.start:p.end], p.unit) for p in found[Span(0, 6, "drug")][0].parts][:2]
    [('dose', '100mg', 'mg'), ('dose', '2T', 'T')]
    """
    ordered = [span for span in sorted(spans) if span.label in FIRST_LABELS]
    found: dict[Span, tuple[Quantity, ...]] = {}
    for at, span in while_wanted(enumerate(ordered)):
        if not (own := list(_own(text, ordered, at))):
            continue
        if span.label == "test":
            found[span] = tuple(_result(text, value) for value in own)
        else:
            later = (ordered[i] for i in range(at + len(own) + 1, len(ordered)))
            limit = next((one.start for one in later if one.label in _QUANTIFIED), len(text))
            found[span] = tuple(_dosages(text, span, own, limit))
    return found


def _own(text: str, spans: Sequence[Span], at: int) -> Iterator[Span]:
    """Yield the doses or values right behind a mention."""
    wanted = _BELONGS.get(spans[at].label)
    for number in range(at + 1, len(spans)):
        span = spans[number]
        gap = text[spans[number - 1].end : span.start]
        is_far = number > at + 1 and (len(gap) > _N_BETWEEN or gap == "で")
        if span.label != wanted or is_far or re.search(r"[。\r\n]", gap):
            return
        yield span


def _dosages(text: str, drug: Span, doses: Sequence[Span], limit: int) -> Iterator[Quantity]:
    ends = [*(dose.start for dose in doses[1:]), limit]
    groups: list[tuple[int, int, list[Part]]] = []
    for dose, end in zip(doses, ends, strict=True):
        parts = [*_steps(text, dose), *_behind(text, dose.end, min(end, dose.end + _N_BEHIND))]
        is_same = groups and not any(part.kind == "dose" for part in parts)
        start, _, before = groups.pop() if is_same else (dose.start, 0, [])
        before += parts
        groups.append((start, dose.end, before))
    start, _, parts = groups[0]
    if start - drug.end <= _N_BETWEEN:
        parts[:0] = _before(text, drug.end, start)
    for start, end, parts in groups:
        edges = [start, end, *(edge for part in parts for edge in (part.start, part.end))]
        yield Quantity(min(edges), max(edges), tuple(parts))


def _before(text: str, start: int, end: int) -> Iterator[Part]:
    """Yield the route between a drug and its dose: 静注 in フロセミド静注20mg."""
    normalized = normalize_with_offsets(text[start:end])
    if match := _ROUTE_BEFORE.match(normalized.text):
        yield _part(match, normalized, start)


def _steps(text: str, dose: Span) -> Iterator[Part]:
    normalized = normalize_with_offsets(text[dose.start : min(dose.end, dose.start + _N_READ)])
    for match in _STEP.finditer(normalized.text):
        yield _part(match, normalized, dose.start)


def _behind(text: str, start: int, end: int) -> Iterator[Part]:
    """Yield what goes on right behind a dose, where its mention ends too early."""
    normalized = normalize_with_offsets(text[start:end])
    at = 0
    while (gap := _GAP.match(normalized.text, at)) and (
        match := _STEP.match(normalized.text, gap.end())
    ):
        yield _part(match, normalized, start)
        at = match.end()


def _part(match: re.Match[str], normalized: Normalized, offset: int) -> Part:
    kind: Any = match.lastgroup
    start, end = normalized.to_original(*match.span(kind))
    numbers, unit = _amount(match[kind]) if kind == "dose" else ((), "")
    return Part(kind, offset + start, offset + end, numbers, unit)


def _amount(words: str) -> tuple[tuple[float, ...], str]:
    match = _PER.match(words, prefix.end() if (prefix := _PREFIX.match(words)) else 0)
    return (_numbers(match["numbers"]), match["unit"].strip()) if match else ((), "")


def _numbers(words: str) -> tuple[float, ...]:
    sign = -1.0 if words[:1] in ("-", "−") else 1.0
    first, *others = (float(number.replace(",", "")) for number in _NUMBER.findall(words))
    return sign * first, *others


def _result(text: str, value: Span) -> Quantity:
    sign = _SIGN.search(text[max(0, value.start - 2) : value.start])
    start = value.start - (1 if sign else 0)
    behind = normalize_with_offsets(text[value.end : value.end + _N_BETWEEN])
    more = _UNIT_BEHIND.match(behind.text)
    end = value.end + (behind.to_original(0, more.end())[1] if more and more[0] else 0)
    normalized = normalize_with_offsets(text[start:end])
    match = _RESULT.fullmatch(normalized.text) if end - start <= _N_READ else None
    if match is None:
        return Quantity(value.start, value.end, (Part("value", value.start, value.end),))
    first, last = normalized.to_original(*match.span("value"))
    unit = match["unit"] or ""
    part = Part("value", start + first, start + last, _numbers(match["value"]), unit.strip())
    if not unit:
        return Quantity(start, end, (part,))
    first, last = normalized.to_original(*match.span("unit"))
    return Quantity(start, end, (part, Part("unit", start + first, start + last)))
