"""From an answer to a mark: each output is parsed by the corrected rules of its form."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from rinsho.evaluation.answer_record import Answer
from rinsho.evaluation.benchmark import Item
from rinsho.evaluation.entity_metrics import f1, normalize_entities
from rinsho.evaluation.pair_metrics import Pair, count_pairs, distinct, holds, parse_pairs
from rinsho.evaluation.parse import (
    asked_letters,
    is_same_number,
    parse_letters,
    parse_list,
    parse_number,
    parse_relations,
    parse_spans,
    without_thinking,
)
from rinsho.evaluation.short_answer_metrics import fold_answer, is_exact, to_rating
from rinsho.evaluation.text_metrics import bits_per_byte
from rinsho.text.spans import Relation, Span


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """One answer, parsed and marked."""

    item: Item
    answer: Answer
    prediction: tuple[str, ...] = ()  # letters or entities; empty where the output is invalid
    spans: tuple[Span, ...] = ()
    pairs: tuple[Pair, ...] = ()
    relations: tuple[Relation, ...] = ()
    is_valid: bool = True
    is_strict: bool = True
    is_expression: bool = False
    is_unclosed: bool = False  # still thinking where the output ends
    is_right: bool | None = None  # None: there is no right or wrong (plain text)


def mark(item: Item, answer: Answer) -> ScoredRow:
    """Parse one answer by the corrected rules; what did not fit the context is wrong.

    Closed blocks of thinking are no part of the answer, and an open one leaves none. The row keeps
    the raw output, which published rules read.
    """
    said = without_thinking(answer.output)
    if said is None:
        return ScoredRow(
            item, answer, is_valid=False, is_strict=False, is_right=False, is_unclosed=True
        )
    row = _mark(item, dataclasses.replace(answer, output=said))
    return dataclasses.replace(row, answer=answer)


def _mark(item: Item, answer: Answer) -> ScoredRow:
    match item.form:
        case "choice" | "similarity":
            return _mark_choice(item, answer)
        case "number":
            return _mark_number(item, answer)
        case "entities":
            return _mark_entities(item, answer)
        case "pairs":
            return _mark_pairs(item, answer)
        case "rating":
            return _mark_rating(item, answer)
        case "passage":
            is_said = bool(fold_answer(answer.output))
            is_right = is_exact(item.gold, answer.output)
            said = (answer.output,) if is_said else ()
            return ScoredRow(item, answer, said, is_valid=is_said, is_right=is_right)
        case "spans":
            parsed = parse_spans(answer.output, len(item.question))
            is_right = set(parsed.spans) == set(item.gold_spans)
            return ScoredRow(
                item, answer, spans=parsed.spans, is_valid=parsed.is_valid, is_right=is_right
            )
        case "relations":
            related = parse_relations(answer.output, item.gold_spans)
            is_right = related is not None and set(related) == set(item.gold_relations)
            said = tuple(in_words(item, one) for one in related or ())
            return ScoredRow(
                item, answer, said, relations=related or (), is_valid=related is not None,
                is_right=is_right,
            )  # fmt: skip
        case "text":
            return ScoredRow(item, answer)


def in_words(item: Item, relation: Relation) -> str:
    """Return what a relation says, by the words of the text."""
    head, tail = (item.question[one.start : one.end] for one in (relation.head, relation.tail))
    return f"{head} → {tail}"


def _mark_choice(item: Item, answer: Answer) -> ScoredRow:
    is_unscored = answer.method == "log-likelihood" and not answer.log_likelihoods
    if answer.is_too_long or is_unscored:
        return ScoredRow(item, answer, is_valid=False, is_strict=False, is_right=False)
    n_letters = asked_letters(item.question)
    if answer.method == "log-likelihood":
        letters = _likeliest(item, answer.log_likelihoods, max(n_letters, 1))
        return ScoredRow(item, answer, letters, is_right=_is_right(item, letters))
    parsed = parse_letters(answer.output, item.letters, n_letters)
    return ScoredRow(
        item,
        answer,
        parsed.letters,
        is_valid=parsed.is_valid,
        is_strict=parsed.is_strict,
        is_right=_is_right(item, parsed.letters),
    )


def _likeliest(item: Item, log_likelihoods: Sequence[float], n_letters: int) -> tuple[str, ...]:
    """Return as many letters as the question's own words ask for, the likeliest ones."""
    places = sorted(range(len(item.choices)), key=lambda place: -log_likelihoods[place])
    return tuple(sorted(item.letters[place] for place in places[:n_letters]))


def _is_right(item: Item, letters: tuple[str, ...]) -> bool:
    return letters in (tuple(sorted(item.gold)), *item.also_right)


def _mark_number(item: Item, answer: Answer) -> ScoredRow:
    """Mark a number; a model that only scores letters has none, and that is wrong."""
    found = None if answer.is_too_long else parse_number(answer.output)
    is_right = is_same_number(found, item.gold[0])
    prediction = () if found is None else (str(found),)
    is_strict = answer.output.strip() == str(found)
    return ScoredRow(
        item, answer, prediction, is_valid=bool(prediction), is_strict=is_strict, is_right=is_right
    )


def _mark_rating(item: Item, answer: Answer) -> ScoredRow:
    """Mark a number of the scale; right is what lies within half a point of gold."""
    rating = to_rating(parse_number(answer.output))
    if rating is None:
        return ScoredRow(item, answer, is_valid=False, is_strict=False, is_right=False)
    is_strict = answer.output.strip() in (str(rating), f"{rating:g}")
    is_right = abs(rating - float(item.gold[0])) <= 0.5
    return ScoredRow(item, answer, (str(rating),), is_strict=is_strict, is_right=is_right)


def _mark_entities(item: Item, answer: Answer) -> ScoredRow:
    parsed = parse_list(answer.output)
    is_right = {*normalize_entities(parsed.entities)} == {*normalize_entities(item.gold)}
    return ScoredRow(
        item,
        answer,
        parsed.entities,
        is_valid=parsed.is_valid,
        is_strict=parsed.is_valid,
        is_expression=parsed.is_expression,
        is_right=is_right and parsed.is_valid,
    )


def _mark_pairs(item: Item, answer: Answer) -> ScoredRow:
    parsed = parse_pairs(answer.output)
    gold = distinct(item.gold_pairs)
    n_matched = count_pairs(gold, parsed.pairs, holds)
    return ScoredRow(
        item,
        answer,
        tuple(" → ".join(pair) for pair in parsed.pairs),
        pairs=parsed.pairs,
        is_valid=parsed.is_valid,
        is_strict=parsed.is_strict,
        is_right=n_matched == len(parsed.pairs) == len(gold),
    )


def row_score(row: ScoredRow) -> float | None:
    """Return one figure for one row: exact F1 of lists and spans, bits per byte of a text."""
    match row.item.form:
        case "entities":
            gold, found = (
                {*normalize_entities(entities)} for entities in (row.item.gold, row.prediction)
            )
            return f1(len(gold & found), len(found), len(gold))
        case "spans":
            gold, found = set(row.item.gold_spans), set(row.spans)
            return f1(len(gold & found), len(found), len(gold))
        case "relations":
            related, said = set(row.item.gold_relations), set(row.relations)
            return f1(len(related & said), len(said), len(related))
        case "text":
            n_bytes = len(row.item.question.encode())
            return bits_per_byte([row.answer.log_likelihoods[0]], [n_bytes]).value
        case _:
            return None
