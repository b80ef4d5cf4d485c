"""Identifiers of persons, found by rules and replaced by typed placeholders.

What has a form of its own (mail, telephone, postal code, address, date) is found anywhere; what
looks like any other number or word (birth date, record number, name) only beside a cue. The rules
find what is written in the usual ways; they do not make a text anonymous.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from rinsho.text.identifier_addresses import ADDRESS_RULES
from rinsho.text.identifier_anchors import N_RULES_AT_MOST, Anchors, Begin, Rule
from rinsho.text.identifier_contacts import CONTACT_RULES
from rinsho.text.identifier_dates import DATE_RULES
from rinsho.text.identifier_far_labels import FAR_LABEL_RULES
from rinsho.text.identifier_full_names import FULL_NAME_RULES
from rinsho.text.identifier_kinds import (
    IDENTIFIER_KINDS,
    PLACEHOLDERS,
    PUBLIC_TEXT_KINDS,
    Identifier,
    IdentifierKind,
    Replacement,
)
from rinsho.text.identifier_messages import MESSAGE_RULES
from rinsho.text.identifier_names import NAME_RULES
from rinsho.text.identifier_numbers import NUMBER_RULES
from rinsho.text.identifier_organizations import ORGANIZATION_RULES
from rinsho.text.identifier_patterns import MASK
from rinsho.text.identifier_tables import LABELS, find_in_tables, is_label
from rinsho.wanted import while_wanted

__all__ = [
    "IDENTIFIER_KINDS",
    "PLACEHOLDERS",
    "PUBLIC_TEXT_KINDS",
    "Identifier",
    "IdentifierKind",
    "Replacement",
    "find_identifiers",
    "find_in_all",
    "mask_placeholders",
    "replace_identifiers",
    "replace_in_all",
]
RULES: tuple[Rule, ...] = (
    *CONTACT_RULES,
    *NUMBER_RULES,
    *DATE_RULES,
    *ADDRESS_RULES,
    *ORGANIZATION_RULES,
    *NAME_RULES,
    *MESSAGE_RULES,
)


def _find_nothing(text: str, place: int) -> tuple[int, int] | None:
    """Find nothing: the rule only marks places."""
    return None


# Finds nothing itself: it tells where tables are.
_TABLE = Rule(
    "name", tuple(Begin(*label[:3], before='\n"|,;\t ') for label in LABELS), _find_nothing, 0
)
# With a value right behind it a placeholder is a label in brackets: [生年月日]1950/3/4.
_PLACEHOLDER = re.compile(
    rf"\[(?:{'|'.join(name[1:-1] for name in PLACEHOLDERS.values())})\]"
    r"(?![0-9]|[一-龠]{2,3}[都道府県市区郡])"
)
_N_NEAR = 48  # characters: so far from a mask may a cue stand that was read in vain before
_BESIDE_MASK = '、,/・&と (→"'
Place = tuple[int, tuple[Rule, ...]]
_N_ROUNDS = 6  # found ones are masked and the rest is read again: seldom more than twice


def _rules_of(kinds: frozenset[IdentifierKind]) -> list[Rule]:
    """Return the rules of some kinds: in public text a name without a cue is an author's."""
    is_note = kinds != frozenset(PUBLIC_TEXT_KINDS)
    rules = (*RULES, *(_note_rules(kinds) if is_note else ()))
    return [rule for rule in rules if rule.kind in kinds]


def _note_rules(kinds: frozenset[IdentifierKind]) -> tuple[Rule, ...]:
    names: tuple[Rule, ...] = ()
    if "name" in kinds:  # a tenth of a second of compiling that others do without
        from rinsho.text.identifier_note_names import NOTE_NAME_RULES

        names = NOTE_NAME_RULES
    return (*FULL_NAME_RULES, *names, *FAR_LABEL_RULES)


@functools.cache
def _anchors(kinds: frozenset[IdentifierKind]) -> tuple[Anchors, ...]:
    rules = [_TABLE, *_rules_of(kinds)]
    parts = [rules[i : i + N_RULES_AT_MOST] for i in range(0, len(rules), N_RULES_AT_MOST)]
    return tuple(Anchors(part) for part in parts)


def find_identifiers(
    text: str, kinds: Collection[IdentifierKind] = IDENTIFIER_KINDS
) -> tuple[Identifier, ...]:
    """Return the identifiers of a normalized text in reading order; none overlap.

    A placeholder is no identifier, and none of its words is a cue. What is found once the others
    are taken away is found too, so that a text with its identifiers replaced holds none.

    Args:
        text: After `normalize`.
        kinds: The kinds to look for.

    >>> text = "患者氏名: 山田 太郎、TEL 03-1234-5678"
    >>> [(text[one.start:one.end], one.kind) for one in find_identifiers(text)]
    [('山田 太郎', 'name'), ('03-1234-5678', 'phone')]
    """
    return find_in_all([text], kinds)[0]


def find_in_all(
    texts: Sequence[str], kinds: Collection[IdentifierKind] = IDENTIFIER_KINDS
) -> list[tuple[Identifier, ...]]:
    """Return `find_identifiers` of each text; quicker for many short ones."""
    wanted = frozenset(kinds)
    masked = [mask_placeholders(text) for text in texts]
    by_anchors = [anchors.places(masked) for anchors in _anchors(wanted)]
    return [
        _find(text, list(itertools.chain(*places)), wanted)
        for text, *places in zip(masked, *by_anchors, strict=True)
    ]


def _find(
    masked: str, places: list[Place], wanted: frozenset[IdentifierKind]
) -> tuple[Identifier, ...]:
    found: list[Identifier] = []
    candidates = _candidates(masked, places, wanted)
    for _ in range(_N_ROUNDS):
        new = _choose(candidates, len(masked))
        if not new:
            break
        found += new
        masked = _masked(masked, new)
        candidates = _candidates(masked, _places_near(places, masked, new, wanted), wanted)
    return tuple(sorted(found))


def _places_near(
    places: list[Place], text: str, new: Collection[Identifier], kinds: frozenset[IdentifierKind]
) -> Iterator[Place]:
    """Yield the places where a rule may find more now that some identifiers are masked."""
    spans = sorted(new)
    at = before = 0
    for place, rules in places:
        if place < before:  # the rules are asked in several parts, each in order
            at = 0
        before = place
        while at < len(spans) and spans[at].end + _N_NEAR < place:
            at += 1
        if at < len(spans) and spans[at].start - _N_NEAR <= place and text[place] != MASK:
            yield place, rules
    beside = _rules_beside_mask(kinds)
    for one in spans:
        for place in (one.start - 1, one.end):
            if 0 <= place < len(text) and text[place] in _BESIDE_MASK:
                yield place, beside


@functools.cache
def _rules_beside_mask(kinds: frozenset[IdentifierKind]) -> tuple[Rule, ...]:
    return tuple(r for r in _rules_of(kinds) if any(MASK in b.before + b.second for b in r.begins))


def mask_placeholders(text: str) -> str:
    """Return the text with NUL for every character of a placeholder."""
    if "[" not in text:
        return text
    return _PLACEHOLDER.sub(lambda match: MASK * len(match[0]), text)


def _candidates(
    text: str, places: Iterable[Place], kinds: frozenset[IdentifierKind]
) -> Iterator[tuple[int, Identifier]]:
    labels: list[int] = []
    for place, rules in while_wanted(places):
        for rule in rules:
            if rule is _TABLE:
                if is_label(text, place):
                    labels.append(place)
            elif (span := rule.find(text, place)) is not None:
                yield rule.priority, Identifier(*span, rule.kind)
    if len(labels) > 1:
        yield from ((-1, one) for one in find_in_tables(text, labels, kinds))


def _choose(candidates: Iterator[tuple[int, Identifier]], length: int) -> list[Identifier]:
    """Keep, of those that overlap, the one of the best priority, then the longest."""
    ordered = sorted(
        candidates, key=lambda pair: (pair[0], pair[1].start - pair[1].end, pair[1].start)
    )
    if not ordered:
        return []
    covered = bytearray(length)
    chosen: list[Identifier] = []
    for _, one in ordered:
        if not any(covered[one.start : one.end]):
            covered[one.start : one.end] = b"\1" * (one.end - one.start)
            chosen.append(one)
    return chosen


def _masked(text: str, identifiers: Collection[Identifier]) -> str:
    pieces: list[str] = []
    done = 0
    for one in sorted(identifiers):
        pieces += (text[done : one.start], MASK * (one.end - one.start))
        done = one.end
    return "".join((*pieces, text[done:]))


def replace_identifiers(
    text: str, kinds: Collection[IdentifierKind] = IDENTIFIER_KINDS
) -> tuple[str, list[Replacement]]:
    """Put a typed placeholder in the place of every identifier.

    Returns:
        The new text, and for each identifier its span in the old and in the new text.

    >>> replace_identifiers("連絡先は090-1234-5678")[0]
    '連絡先は[電話番号]'
    """
    return replace_in_all([text], kinds)[0]


def replace_in_all(
    texts: Sequence[str], kinds: Collection[IdentifierKind] = IDENTIFIER_KINDS
) -> list[tuple[str, list[Replacement]]]:
    """Return `replace_identifiers` of each text; quicker for many short ones."""
    return list(map(_replaced, texts, find_in_all(texts, kinds)))


def _replaced(text: str, identifiers: Iterable[Identifier]) -> tuple[str, list[Replacement]]:
    pieces: list[str] = []
    replacements: list[Replacement] = []
    done = n_written = 0
    for identifier in identifiers:
        kept, placeholder = text[done : identifier.start], PLACEHOLDERS[identifier.kind]
        start = n_written + len(kept)
        n_written = start + len(placeholder)
        pieces += (kept, placeholder)
        replacements.append(Replacement(identifier, start, n_written))
        done = identifier.end
    return "".join((*pieces, text[done:])), replacements
