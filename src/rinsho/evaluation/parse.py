"""From a model's output to a prediction: the official rules to the letter, and stricter ones.

Output is hostile: nothing here evaluates it, and no output makes it fail.
"""

from __future__ import annotations

import ast
import json
import re
import unicodedata
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, cast

from rinsho.text.spans import (
    CERTAINTIES,
    LABELS,
    Relation,
    Span,
    relations_from_json,
    relations_to_json,
    sort_spans,
)

NO_LETTER = "None"  # what the official parser returns; it sorts after every letter
# A list of the longest JMED document has a few thousand characters; beyond this it is no answer.
MAX_CHARACTERS = 100_000


def official_letter(output: str) -> str:
    """Return the first half-width capital A-F of the output, wherever it stands, or "None".

    Source:
        JMED-LLM (2024-09-22): letters beyond the row's options count as predictions.

    >>> official_letter("ADEの可能性は低い"), official_letter("回答はＢです")
    ('A', 'None')
    """
    return next((character for character in output if character in "ABCDEF"), NO_LETTER)


_THINKING = re.compile(r"<(/?)(?:think|thinking|thoughts)>", re.IGNORECASE)


def has_thinking(output: str) -> bool:
    """Say whether an output has a tag of thinking."""
    return bool(_THINKING.search(output))


def without_thinking(output: str) -> str | None:
    """Return an output without its closed blocks of thinking, or None where one is left open.

    A block that the prompt opened ends at the first closing tag.

    >>> without_thinking("<think>Aか？</think>B"), without_thinking("A?</think>B")
    ('B', 'B')
    >>> without_thinking("A<think>B") is None
    True
    """
    kept, at, is_open = list[str](), 0, False
    for tag in _THINKING.finditer(output):
        if tag.group(1):
            if not is_open:
                kept.clear()
            at, is_open = tag.end(), False
        elif not is_open:
            kept.append(output[at : tag.start()])
            is_open = True
    return None if is_open else "".join(kept) + output[at:]


@dataclass(frozen=True, slots=True)
class ParsedLetters:
    """The letters of an answer; none where it is invalid."""

    letters: tuple[str, ...]
    is_strict: bool  # the raw output already had the form that was asked for

    @property
    def is_valid(self) -> bool:
        """Say whether there is an answer."""
        return bool(self.letters)


_MARKER = re.compile(r"答え|回答|正解|ANSWER")
_SEPARATORS = r"[\s,、,・.。:;()\[\]「」*と]*"


ANY_NUMBER = 0  # of letters: すべて選べ


def parse_letters(output: str, letters: str, n_letters: int = 1) -> ParsedLetters:
    """Return the chosen letters by the corrected protocol.

    NFKC and upper case; then the first that has an answer: the text after the last 答え, 回答, 正解
    or Answer; a line of nothing but letters and separators; the whole text. A letter with an ASCII
    letter or digit beside it (the A of ADE) never counts, unless the run has just as many letters
    as were asked for. Too many, too few or foreign letters make the answer invalid; where a
    question asks for all that are right, every number of letters is one that was asked for.

    >>> parse_letters("正解はBです", "ABCD").letters, parse_letters("ADEの可能性", "ABCD").letters
    (('B',), ())
    """
    is_strict = _is_strict(output.strip(), letters, n_letters)
    text = unicodedata.normalize("NFKC", output[:MAX_CHARACTERS]).upper()
    for part in _parts(text):
        if found := _letters_in(part, n_letters):
            is_right_form = n_letters in (ANY_NUMBER, len(found)) and set(found) <= set(letters)
            return ParsedLetters(tuple(sorted(found)) if is_right_form else (), is_strict)
    return ParsedLetters((), is_strict=False)


def _is_strict(output: str, letters: str, n_letters: int) -> bool:
    """Say whether an output is nothing but letters, several of them with commas between."""
    pieces = output.split(",")
    return len(pieces) == max(n_letters, 1) and all(
        len(piece) == 1 and piece in letters for piece in pieces
    )


# Translators also wrote "What are the two tests …?"; what "What three factors regulate …?" asks for
# is one option.
_ASKED_IN_ENGLISH = re.compile(
    r"(?:select|choose|what are(?: the)?|which(?= \w+ (?:of|blood)\b)|what(?= \w+ \w+ should\b))"
    r"\s+(two|three)\b",
    re.IGNORECASE,
)


def asked_letters(question: str) -> int:
    """Return how many choices a question asks for, by its own words; 1 where it does not say.

    >>> asked_letters("誤っているのはどれか。２つ選べ。"), asked_letters("正しいのはどれか。")
    (2, 1)
    >>> asked_letters("What are the two tests that should be performed next?")
    2
    >>> asked_letters("正しいのはどれか。すべて選べ。") == ANY_NUMBER
    True
    """
    folded = unicodedata.normalize("NFKC", question)
    if re.search(r"すべて選|全て選", folded):
        return ANY_NUMBER
    if found := re.search(r"([2-9])\s*つ\s*選", folded):
        return int(found.group(1))
    found = _ASKED_IN_ENGLISH.search(folded)
    return {"two": 2, "three": 3}[found.group(1).lower()] if found else 1


def why_unanswerable(question: str, gold: tuple[str, ...]) -> str:
    """Return why no honest answer can be right: the words ask for another number of answers.

    >>> why_unanswerable("正しいのはどれか。2つ選べ。", ("A", "B"))
    ''
    """
    n_asked = asked_letters(question)
    if n_asked in (ANY_NUMBER, len(gold)):
        return ""
    return "asks for another number of answers than are published"


def _parts(text: str) -> list[str]:
    markers = list(_MARKER.finditer(text))
    after = [_first_sentence(text[markers[-1].end() :])] if markers else []
    bare = [line for line in text.splitlines() if _is_bare(line)]
    return [*after, *bare[:1], text]


def _first_sentence(text: str) -> str:
    """Cut before the reasons: an explanation may name other letters."""
    stripped = text.lstrip(" :\n\t")
    return re.split(r"[。\n]", stripped, maxsplit=1)[0]


def _is_bare(line: str) -> bool:
    return bool(re.fullmatch(rf"{_SEPARATORS}(?:[A-H]{_SEPARATORS})+", line))


def _letters_in(text: str, n_letters: int) -> set[str]:
    runs = re.findall(r"(?<![A-Z0-9])[A-H]+(?![A-Z0-9])", text)
    is_free = n_letters == ANY_NUMBER
    return {letter for run in runs if is_free or len(run) in (1, n_letters) for letter in run}


_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


def parse_number(output: str) -> Decimal | None:
    """Return the first number after the last 答え or Answer, or of the whole text, or None.

    NFKC; commas between digits are dropped.

    >>> parse_number("答えは１，２００円です"), parse_number("不明")
    (Decimal('1200'), None)
    """
    text = unicodedata.normalize("NFKC", output[:MAX_CHARACTERS]).upper()
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    markers = list(_MARKER.finditer(text))
    for part in [text[markers[-1].end() :], text] if markers else [text]:
        if found := _NUMBER.search(part):
            return Decimal(found.group()[:_MAX_DIGITS])
    return None


_MAX_DIGITS = 40  # a longer number is no answer to anything, and exact arithmetic on it is slow


def is_same_number(found: Decimal | None, gold: str) -> bool:
    """Compare with the digits that gold is given in: 7.2 and 7.204 are 7.20, 7.3 is not.

    >>> is_same_number(Decimal("7.204"), "7.20"), is_same_number(Decimal("7.3"), "7.20")
    (True, False)
    """
    if found is None or not _NUMBER.fullmatch(gold) or abs(found) >= Decimal(10) ** 20:
        return False
    wanted = Decimal(gold)
    return found.quantize(wanted, rounding=ROUND_HALF_UP) == wanted


@dataclass(frozen=True, slots=True)
class ParsedList:
    """The strings of a list that a model wrote as a Python literal."""

    entities: tuple[str, ...]
    is_valid: bool  # the output was a list
    is_expression: bool = False  # Python, but not a literal: the official parser would run it
    n_dropped: int = 0  # elements that are not strings


def parse_list(output: str) -> ParsedList:
    """Return the list in an output; anything else is an empty one.

    The official parser calls Python's `eval` on the raw output. `ast.literal_eval` gives the same
    on every list of literals and runs nothing; expressions are counted and give an empty list.

    >>> parse_list("['胃癌', '走行異常']  # 2").entities, parse_list("exit()").is_expression
    (('胃癌', '走行異常'), True)
    """
    if len(output) > MAX_CHARACTERS:
        return ParsedList((), is_valid=False)
    try:
        with warnings.catch_warnings():  # a warning about an odd escape would print the output
            warnings.simplefilter("ignore")
            value: Any = ast.literal_eval(output)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return ParsedList((), is_valid=False, is_expression=_is_expression(output))
    if not isinstance(value, list):
        return ParsedList((), is_valid=False)
    elements = cast(list[Any], value)
    strings = tuple(element for element in elements if isinstance(element, str))
    return ParsedList(strings, is_valid=True, n_dropped=len(elements) - len(strings))


def _is_expression(output: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(output.lstrip(" \t"), mode="eval")
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class ParsedSpans:
    """The spans of an output, and whether it had the right form."""

    spans: tuple[Span, ...]
    is_valid: bool


def parse_spans(output: str, n_characters: int) -> ParsedSpans:
    """Return spans written as a JSON list of [start, end, label, certainty].

    One span that is out of the text or has an unknown label makes the whole output invalid.

    >>> parse_spans('[[0, 2, "symptom", "negated"]]', 10).spans
    (Span(start=0, end=2, label='symptom', certainty='negated'),)
    """
    try:
        rows: Any = json.loads(output)
    except (ValueError, RecursionError):
        return ParsedSpans((), is_valid=False)
    if not isinstance(rows, list):
        return ParsedSpans((), is_valid=False)
    spans = [_to_span(row, n_characters) for row in cast(list[Any], rows)]
    if any(span is None for span in spans):
        return ParsedSpans((), is_valid=False)
    return ParsedSpans(sort_spans(span for span in spans if span), is_valid=True)


def _to_span(row: Any, n_characters: int) -> Span | None:
    match row:
        case [int(start), int(end), str(label), str(certainty)]:
            is_inside = 0 <= start < end <= n_characters
            is_known = label in LABELS and certainty in CERTAINTIES
            return Span(start, end, label, certainty) if is_inside and is_known else None
        case _:
            return None


def format_spans(spans: tuple[Span, ...]) -> str:
    """Write spans in the form that `parse_spans` reads."""
    rows = [[span.start, span.end, span.label, span.certainty] for span in spans]
    return json.dumps(rows, ensure_ascii=False)


def parse_relations(output: str, spans: tuple[Span, ...]) -> tuple[Relation, ...] | None:
    """Return relations written as a JSON list, head and tail by their places among the mentions.

    None where the output has another form, or names a mention that is not there.

    >>> spans = (Span(0, 5, "drug"), Span(6, 8, "symptom"))
    >>> output = '[{"kind": "caused", "head": 0, "tail": 1}]'
    >>> [one.tail.start for one in parse_relations(output, spans)]
    [6]
    """
    try:
        return relations_from_json(json.loads(output), spans)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def format_relations(relations: Iterable[Relation], spans: tuple[Span, ...]) -> str:
    """Write relations in the form that `parse_relations` reads."""
    return json.dumps(relations_to_json(relations, spans), ensure_ascii=False)
