"""Where a rule may begin: up to six characters in a row, looked up for all rules in one pass.

A rule says with which characters it begins. One table per place holds a bit per rule, so that two
look-ups and an AND over the whole text leave a few places for the costly patterns.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rinsho.text import kernels
from rinsho.text.identifier_kinds import IdentifierKind
from rinsho.text.identifier_name_words import in_any_case

N_RULES_AT_MOST = 64  # bits of a table entry
_N_BITS = 17  # of a hash: some thousands of the entries are taken
# Odd; the high bits of the sum are the hash.
_FACTORS = np.array(
    (0x9E3779B1, 0x85EBCA6B, 0xC2B2AE35, 0x27D4EB2F, 0x165667B1, 0x9E3779F9), dtype=np.uint32
)
_HASH_SHIFT = np.uint32(32 - _N_BITS)
_N_CODES = 0x10000  # characters beyond share the last entry, which every rule takes
_N_AHEAD = kernels.N_AHEAD  # characters that a rule looks ahead; one back
_BETWEEN = "\n" * _N_AHEAD  # texts
_CHUNK = 2**14  # characters: they stay in the cache
_NONE = "\ue000"  # a character for private use: instead of an empty set, which is any character
# Of a character: it may begin a rule; it may stand second; what follows it as the first is free.
_FIRST, _SECOND, _ALONE = 1, 2, 4

_LATER = ("fourth", "fifth", "sixth")

Find = Callable[[str, int], tuple[int, int] | None]


@dataclass(frozen=True, slots=True)
class Begin:
    """Characters that a rule begins with, as sets; an empty set is any character.

    Attributes:
        first, second, third: At the place, and the two after it.
        before: At the place before it.
        fourth, fifth, sixth: At the places after these; each only beside the one before.
    """

    first: str
    second: str = ""
    third: str = ""
    before: str = ""
    fourth: str = ""
    fifth: str = ""
    sixth: str = ""

    @property
    def row(self) -> list[str]:
        """The sets of the characters from the place on, as far as it names them."""
        sets = (self.first, self.second, self.third, self.fourth, self.fifth, self.sixth)
        return [one for one in sets if one]


@dataclass(frozen=True, slots=True)
class Rule:
    """Identifiers of one kind that begin, or have their cue, at certain characters.

    Attributes:
        kind: What is found.
        begins: Where to look.
        find: Takes the text and a place; returns the span of an identifier or None.
        priority: Of two that overlap the one with the lower number stays.
        not_after, not_before: Characters right before a begin, and right behind one of up to five
            characters, beside which `find` finds nothing: it is not asked there.
    """

    kind: IdentifierKind
    begins: tuple[Begin, ...]
    find: Find
    priority: int
    not_after: str = ""
    not_before: str = ""


def begins(words: Iterable[str]) -> tuple[Begin, ...]:
    """Return the begins of fixed words."""
    return tuple(Begin(*word[:3], **dict(zip(_LATER, word[3:], strict=False))) for word in words)


def finder(pattern: str | re.Pattern[str], is_right: Callable[[str], bool] | None = None) -> Find:
    """Return a function that matches a pattern at a place; its group `value` is the span.

    Args:
        pattern: Looked for at the place itself, never further on.
        is_right: A last check of the value.
    """
    compiled: re.Pattern[str] | None = None  # most rules are never asked in most texts

    def find(text: str, place: int) -> tuple[int, int] | None:
        nonlocal compiled
        compiled = compiled or re.compile(pattern)
        match = compiled.match(text, place)
        if match is None:
            return None
        group = "value" if "value" in compiled.groupindex else 0
        return match.span(group) if is_right is None or is_right(match[group]) else None

    return find


def first_of(*finds: Find) -> Find:
    """Return a function that tries others in order: one rule costs less than several."""

    def find(text: str, place: int) -> tuple[int, int] | None:
        for one in finds:
            if span := one(text, place):
                return span
        return None

    return find


class Anchors:
    """The places of a text where any of the rules may begin."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        """Build the tables; at most `N_RULES_AT_MOST` rules."""
        if len(rules) > N_RULES_AT_MOST:
            raise ValueError(f"{len(rules)} rules, at most {N_RULES_AT_MOST}")
        self._class, self._pairs = _pairs([begin for rule in rules for begin in rule.begins])
        self._marks = _marks([begin for rule in rules for begin in rule.begins])
        self._first, self._second, self._before = (
            _table([[getattr(begin, place) for begin in rule.begins] for rule in rules])
            for place in ("first", "second", "before")
        )
        self._before &= ~_table([[rule.not_after or _NONE] for rule in rules])
        self._next = ~_table([[rule.not_before or _NONE] for rule in rules])
        self._one = _table([[b.first for b in r.begins if not b.second] or [_NONE] for r in rules])
        self._longer = [_hashed(rules, length) for length in range(2, _N_AHEAD + 2)]
        self._rules = tuple(rules)
        self._of_bits: dict[int, tuple[Rule, ...]] = {}
        characters = (self._one, self._first, self._second, self._before, self._next)
        self.tables = kernels.AnchorTables(
            self._marks, self._class, self._pairs, characters, self._longer
        )

    def places(self, texts: Sequence[str]) -> list[list[tuple[int, tuple[Rule, ...]]]]:
        """Return for each text the places in order with the rules that may begin there.

        Many short texts in one call cost little more than one long one.
        """
        found, rules = self._found(self.codes_of(texts))
        lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
        starts = np.cumsum(lengths + len(_BETWEEN)) - lengths - len(_BETWEEN)
        firsts, lasts = (found.searchsorted(one).tolist() for one in (starts, starts + lengths))
        return [
            list(zip((found[first:last] - start).tolist(), rules[first:last], strict=True))
            if first < last
            else []
            for start, first, last in zip(starts.tolist(), firsts, lasts, strict=True)
        ]

    @staticmethod
    def codes_of(texts: Sequence[str]) -> NDArray[np.uint16]:
        """Return one number per character of texts in a row, line ends between and behind them."""
        text = _BETWEEN.join(texts) + _BETWEEN
        coded = text.encode("utf-16-le", "surrogatepass")
        if len(coded) == 2 * len(text):
            return np.frombuffer(coded, dtype=np.uint16)
        return _numbers(text).astype(np.uint16)

    def _found(self, codes: NDArray[np.uint16]) -> tuple[NDArray[Any], list[tuple[Rule, ...]]]:
        """Return all places where a rule may begin, and the rules of each."""
        found, bits = (self.tables if kernels.are_here() else self).find(codes)
        rules = [self._of_bits.get(some) or self._remember(some) for some in bits.tolist()]
        return found, rules

    def find(self, codes: NDArray[np.uint16]) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """Return what `kernels.AnchorTables.find` does."""
        found = self._pairs_in(codes)
        first = codes.take(found).astype(np.uint32)
        later = [codes.take(found + n) for n in range(1, _N_AHEAD + 1)]
        bits = self._one.take(first) & self._next.take(later[0])
        sums = first * _FACTORS[0]
        for n, table in enumerate(self._longer):
            sums += later[n] * _FACTORS[n + 1]
            begun = table.take(sums >> _HASH_SHIFT)
            if n + 1 < _N_AHEAD:  # longer words were cut
                begun &= self._next.take(later[n + 1])
            bits |= begun
        bits &= self._first.take(first) & self._second.take(later[0])  # hashes alone do not tell
        bits &= self._before.take(codes.take(found - 1, mode="wrap"))  # of the first: a line end
        kept = bits.nonzero()[0]
        return found[kept], bits[kept]

    def _pairs_in(self, codes: NDArray[np.uint16]) -> NDArray[np.int64]:
        """Return where two characters in a row may begin a rule.

        Marks of single characters, a byte each, leave a few places for the table of pairs.
        """
        chunks = [np.empty(0, dtype=np.int64)]
        last = len(codes) - _N_AHEAD + 1
        for start in range(0, last - 1, _CHUNK):
            marks = self._marks.take(codes[start : min(start + _CHUNK + 1, last)])
            is_next_right = (marks[1:] & _SECOND) | (marks[:-1] & _ALONE) >> 1
            is_maybe = is_next_right & marks[:-1] << 1
            chunks.append(is_maybe.nonzero()[0] + start)
        found = np.concatenate(chunks)
        pairs = self._class.take(codes.take(found)) * self._pairs.shape[0]
        pairs += self._class.take(codes.take(found + 1))
        return found[self._pairs.ravel().take(pairs)]

    def _remember(self, bits: int) -> tuple[Rule, ...]:
        rules = tuple(rule for i, rule in enumerate(self._rules) if bits >> i & 1)
        self._of_bits[bits] = rules
        return rules


def _numbers(characters: str) -> NDArray[np.uint32]:
    """Return one number for each character."""
    codes = np.frombuffer(characters.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    return np.minimum(codes, np.uint32(_N_CODES - 1))


def _pairs(begins: Sequence[Begin]) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
    """Return a number for each character that any begin names, and which pairs may begin one."""
    used = _numbers("".join(sorted({c for begin in begins for c in begin.first + begin.second})))
    classes = np.zeros(_N_CODES, dtype=np.uint32)
    classes[used] = np.arange(1, 1 + len(used))
    pairs = np.zeros((len(used) + 1, len(used) + 1), dtype=np.bool_)
    words = [begin for begin in begins if len(begin.first) == len(begin.second) == 1]
    firsts, seconds = (
        "".join(one) for one in ((b.first for b in words), (b.second for b in words))
    )
    pairs[classes[_numbers(firsts)], classes[_numbers(seconds)]] = True
    for begin in begins:
        rows = classes[_numbers(begin.first)]
        if not begin.second:
            pairs[rows] = True
        elif len(begin.first) > 1 or len(begin.second) > 1:
            pairs[np.ix_(rows, classes[_numbers(begin.second)])] = True
    return classes, pairs


def _marks(begins: Sequence[Begin]) -> NDArray[np.uint8]:
    """Return for each character whether it may be the first of a begin, or the second."""
    marks = np.zeros(_N_CODES, dtype=np.uint8)
    marks[_numbers("".join(b.first for b in begins))] |= _FIRST
    marks[_numbers("".join(b.first for b in begins if not b.second))] |= _ALONE
    marks[_numbers("".join(b.second for b in begins))] |= _SECOND
    return marks


def _hashed(rules: Sequence[Rule], length: int) -> NDArray[np.uint64]:
    """Return the bits of the rules that begin with so many characters, by their hash."""
    table = np.zeros(1 << _N_BITS, dtype=np.uint64)
    factors = _FACTORS[:length]
    for number, rule in enumerate(rules):
        rows = [row for begin in rule.begins if len(row := begin.row) == length]
        words = "".join("".join(row) for row in rows if max(map(len, row)) == 1)
        codes = [(_numbers(words).reshape(-1, length) * factors).sum(axis=1, dtype=np.uint32)]
        for row in rows:
            if max(map(len, row)) > 1:
                terms = [_numbers(one) * factor for one, factor in zip(row, factors, strict=True)]
                codes.append(functools.reduce(np.add.outer, terms).ravel())
        table[np.concatenate(codes) >> _HASH_SHIFT] |= np.uint64(1 << number)
    return table


def _table(sets_of_rules: Sequence[Sequence[str]]) -> NDArray[np.uint64]:
    """Return the bits of the rules that take each character at one place."""
    table = np.zeros(_N_CODES, dtype=np.uint64)
    for number, sets in enumerate(sets_of_rules):
        bit = np.uint64(1 << number)
        if "" in sets:
            table |= bit
        else:
            table[_numbers("".join(sets))] |= bit
    return table


_DIGIT = re.compile("[0-9〇一二三四五六七八九十元]")
_IN_WORD = re.compile(r"[A-Za-z][A-Za-z]")  # patientNo is a cue, the No in it is none
_NEAR = 64  # characters: the longest cue, gap and symbol before the first digit


def cued(
    kind: IdentifierKind,
    words: Iterable[str],
    rest: str,
    is_right: Callable[[str], bool] | None = None,
    *,
    priority: int,
    before: str = "",
    has_digit: bool = False,
) -> Rule:
    """Return a rule for what stands beside one of some words.

    Args:
        kind: Of what is found.
        words: The cues; each begins the match.
        rest: The pattern after the cue, with the group `value`.
        is_right: A last check of the value.
        priority: As in `Rule`.
        before: A look-behind before the cue.
        has_digit: Whether every value has one: without one nearby nothing is tried.
    """
    cues = WordsAt(in_any_case(list(words)))
    value: re.Pattern[str] | None = None

    def find(text: str, place: int) -> tuple[int, int] | None:
        nonlocal value
        if has_digit and _DIGIT.search(text, place, place + _NEAR) is None:
            return None
        if place and text[place].isascii() and _IN_WORD.match(text, place - 1):
            return None
        value = value or re.compile(rest)
        for end in cues.ends(text, place):
            match = value.match(text, end)
            if match and (is_right is None or is_right(match["value"])):
                is_free = not before or re.compile(before).match(text, place)
                return match.span("value") if is_free else None
        return None

    return Rule(kind, begins(cues.words), find, priority)


class WordsAt:
    """Fixed words, looked up at a place of a text by their lengths: faster than alternatives."""

    def __init__(self, words: Iterable[str]) -> None:
        """Keep the words."""
        self.words = frozenset(words)
        self._of_three = _lengths(self.words, 3)
        self._of_pair = {word for word in self.words if len(word) == 2}
        self._of_first = {word for word in self.words if len(word) == 1}

    def ends(self, text: str, place: int) -> list[int]:
        """Return where the words end that begin at a place, the longest first."""
        three = text[place : place + 3]
        found: list[int] = []
        for length in self._of_three.get(three, ()):
            end = place + length
            if text[place:end] in self.words and end <= len(text):
                found.append(end)
        if three[:2] in self._of_pair:
            found.append(place + 2)
        if three[:1] in self._of_first:
            found.append(place + 1)
        return found


def _lengths(words: Iterable[str], n: int) -> dict[str, tuple[int, ...]]:
    """Return the lengths of the words of n characters or more by their first n, longest first."""
    lengths: dict[str, set[int]] = {}
    for word in words:
        if len(word) >= n:
            lengths.setdefault(word[:n], set()).add(len(word))
    return {key: tuple(sorted(some, reverse=True)) for key, some in lengths.items()}
