"""The template language of the grammar: text with choices, slots and inline marks.

    [a|b|]                one of the alternatives, an empty one too
    {36.0-39.5}           a number of the range, with as many decimals as the bounds
    {発熱|symptom|negated} a marked mention (label, certainty; present is left out)
    {symptom}             a slot, filled and marked from the case; {symptom|negated} says how it is
    {symptom*}            two to four of them, joined in one style
    {@opening}            a template of the rule `opening`; {@exam+} of the department's own
    {@exam*2-4}           so many different templates of the rule, as sentences, lines or bullets
    {$bullet}             a rule that is drawn once and stays the same in the whole text

Brackets nest; a backslash takes a character as it is, and before n it makes a new line. A template
is compiled once into functions that write onto a page; offsets are what the page has when a mark
begins and ends.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rinsho.errors import BrokenRecord
from rinsho.text.spans import CERTAINTIES, LABELS

if TYPE_CHECKING:
    from rinsho.corpus.page import Page

Write = Callable[["Page"], None]
_NUMBER = re.compile(r"(\d+(?:\.(\d+))?)-(\d+(?:\.\d+)?)")
_RULE = re.compile(r"@(\w+)(\+?)(?:\*(\d+)-(\d+)([pl]?))?")
_SLOT = re.compile(r"(\w+)(\*?)")
_NAMED = re.compile(r"\{([a-z_]+)[|}]")
_STOPS = {"": "", "[": "|]", "{": "|}"}


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """A compiled template, and what its literal marks say, so that no text contradicts itself."""

    source: str
    writes: tuple[Write, ...]
    asserted: frozenset[str]  # surfaces of literal marks that are present
    denied: frozenset[str]  # surfaces of literal marks that are negated
    demand: tuple[tuple[str, int], ...]  # slots it fills more than once, and how often

    def write(self, page: Page) -> None:
        """Write the template onto a page."""
        for write in self.writes:
            write(page)


class _Parser:
    """Recursive descent over one template."""

    def __init__(self, source: str) -> None:
        self.source, self.place = source, 0
        self.asserted: set[str] = set()
        self.denied: set[str] = set()

    def sequence(self, opener: str = "") -> list[Write]:
        writes: list[Write] = []
        text: list[str] = []
        stops = _STOPS[opener]
        while self.place < len(self.source) and (c := self.source[self.place]) not in stops:
            self.place += 1
            if c in "[{":
                _flush(text, writes)
                writes += [self.choice()] if c == "[" else self.braces()
            else:
                if c == "\\":
                    c = self.take().replace("n", "\n")
                    c = "\n" if c == "n" else c
                text.append(c)
        _flush(text, writes)
        if opener and self.place >= len(self.source):
            raise BrokenRecord(where="grammar", found=f"open {opener}", expected="closed brackets")
        return writes

    def take(self) -> str:
        self.place += 1
        return self.source[self.place - 1]

    def choice(self) -> Write:
        options = [tuple(self.sequence("["))]
        while self.take() == "|":
            options.append(tuple(self.sequence("[")))
        return _choice(tuple(options))

    def braces(self) -> list[Write]:
        start = self.place
        body = self.sequence("{")
        raw = self.source[start : self.place]
        fields: list[str] = []
        while self.take() == "|":
            at = self.place
            self.sequence("{")
            fields.append(self.source[at : self.place])
        if fields and fields[0] in LABELS:
            return [self.mark(raw, body, fields)]
        return [_insert(raw, fields)]

    def mark(self, raw: str, body: list[Write], fields: list[str]) -> Write:
        certainty = fields[1] if len(fields) > 1 else "present"
        if certainty not in CERTAINTIES or len(fields) > 2:
            raise BrokenRecord(where="grammar", found=certainty, expected=", ".join(CERTAINTIES))
        if not set(raw) & set("[{"):
            (self.denied if certainty == "negated" else self.asserted).add(raw)
        return _mark(tuple(body), fields[0], certainty)


def parse_template(source: str) -> Template:
    """Compile a template.

    Raises:
        BrokenRecord: A bracket is open, or a mark has no such label, certainty or form.
    """
    parser = _Parser(source)
    writes = parser.sequence()
    told = (frozenset(parser.asserted), frozenset(parser.denied))
    named = Counter(_NAMED.findall(source))
    demand = tuple((name, n) for name, n in named.items() if n > 1)
    return Template(source, tuple(writes), *told, demand)


def _flush(text: list[str], writes: list[Write]) -> None:
    if text:
        writes.append(_text("".join(text)))
        text.clear()


def _text(text: str) -> Write:
    return lambda page: page.add(text)


def _choice(options: tuple[tuple[Write, ...], ...]) -> Write:
    n = len(options)

    def write(page: Page) -> None:
        for one in options[int(page.random() * n)]:
            one(page)

    return write


def _mark(body: tuple[Write, ...], label: str, certainty: str) -> Write:
    def write(page: Page) -> None:
        start = page.length
        for one in body:
            one(page)
        page.mark(start, label, certainty)

    return write


def _insert(raw: str, fields: list[str]) -> Write:
    """Return the writer of a number, a rule, a style or a slot."""
    if number := _NUMBER.fullmatch(raw):
        return _number(float(number[1]), float(number[3]), len(number[2] or ""))
    if rule := _RULE.fullmatch(raw):
        name, by_department, low, high, form = rule.groups()
        if low is None:
            return lambda page: page.write_rule(name, by_department == "+")
        n_low, n_high = int(low), int(high)
        return lambda page: page.write_several(name, by_department == "+", n_low, n_high, form)
    if raw.startswith("$"):
        return lambda page: page.write_style(raw[1:])
    certainty = fields[0] if fields else None
    slot = _SLOT.fullmatch(raw)
    if slot is None or certainty not in (None, *CERTAINTIES) or len(fields) > 1:
        raise BrokenRecord(where="grammar", found="an unknown mark", expected="the template form")
    name, is_many = slot[1], bool(slot[2])
    if is_many:
        return lambda page: page.fill_several(name, certainty)
    return lambda page: page.fill(name, certainty)


def _number(low: float, high: float, decimals: int) -> Write:
    scale = 10**decimals
    first, n = round(low * scale), round((high - low) * scale) + 1

    def write(page: Page) -> None:
        value = first + int(page.random() * n)
        page.add(str(value) if decimals == 0 else f"{value / scale:.{decimals}f}")

    return write
