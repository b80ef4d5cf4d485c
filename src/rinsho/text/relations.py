"""Pairs of mentions that a text may relate, drug and event, and a text with one pair marked.

Source:
    Zhou & Chen 2021, "An Improved Baseline for Sentence-level Relation Extraction"
    (arXiv:2102.01373): typed entity markers made of signs and words that a tokenizer knows.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import islice

from rinsho.text.sentences import split_sentences
from rinsho.text.spans import Span

CAUSED = "caused"  # the kind that the grammar writes: a drug, and an event that it is said to cause
NO_RELATION = "none"  # the class of a pair that is in no relation
MAX_BETWEEN = 150  # characters between the mentions of a pair: a paragraph of a note
N_AROUND = 60  # characters that are read on both sides of a pair
_HEADS = ("drug",)
_TAILS = ("disease", "symptom", "disorder")  # KEEPHA writes DRUG and DISORDER
_HEAD_SIGNS, _TAIL_SIGNS = ("@*薬*", "@"), ("#^症状^", "#")
_HEAD, _TAIL = re.compile(r"@\*薬\*(.+?)@", re.DOTALL), re.compile(r"#\^症状\^(.+?)#", re.DOTALL)

Pair = tuple[Span, Span]  # head, tail


def candidate_pairs(spans: Iterable[Span], most: int | None = None) -> tuple[Pair, ...]:
    """Return every drug with every disease or symptom near it, in reading order.

    Near: at most 150 characters between them. What is negated did not happen: nothing caused it.

    Args:
        spans: The mentions of a text.
        most: How many pairs are wanted, the first ones; None: all. A text may have very many.
    """
    return tuple(islice(_pairs(sorted(spans)), most))


def _pairs(spans: list[Span]) -> Iterator[Pair]:
    tails = [s for s in spans if s.label.lower() in _TAILS and s.certainty != "negated"]
    longest = max((tail.end - tail.start for tail in tails), default=0)
    for head in spans:
        if head.label.lower() in _HEADS:
            first = bisect_left(tails, head.start - MAX_BETWEEN - longest, key=lambda s: s.start)
            for tail in islice(tails, first, None):
                if tail.start > head.end + MAX_BETWEEN:
                    break
                if 0 <= gap((head, tail)) <= MAX_BETWEEN:
                    yield head, tail


def nearest_in_sentence(text: str, spans: Iterable[Span]) -> tuple[Pair, ...]:
    """Return each event with the drug nearest to it, where both stand in one sentence.

    The rule that what is learned has to beat.

    >>> spans = (Span(0, 5, "drug"), Span(6, 8, "symptom"), Span(9, 11, "symptom"))
    >>> [tail.start for _, tail in nearest_in_sentence("ロキソニンで眠気。頭痛。", spans)]
    [6]
    """
    best: dict[Span, Pair] = {}
    for pair in candidate_pairs(spans):
        if pair[1] not in best or gap(pair) < gap(best[pair[1]]):
            best[pair[1]] = pair
    sentences = split_sentences(text)
    return tuple(sorted(pair for pair in best.values() if is_in_one(sentences, pair)))


def is_in_one(sentences: Iterable[tuple[int, int]], pair: Pair) -> bool:
    """Say whether both mentions of a pair lie in one of the sentences, given by their places."""
    first, last = min(pair).start, max(span.end for span in pair)
    return any(start <= first and last <= end for start, end in sentences)


def gap(pair: Pair) -> int:
    """Return the characters between two mentions; below 0 where they share some."""
    head, tail = pair
    return max(tail.start - head.end, head.start - tail.end)


def mark_pair(text: str, pair: Pair) -> str:
    """Return the part of a text around a pair, its mentions between signs that say what they are.

    >>> mark_pair("ロキソニンで眠気。", (Span(0, 5, "drug"), Span(6, 8, "symptom")))
    '@*薬*ロキソニン@で#^症状^眠気#。'
    """
    head, tail = pair
    first, last = max(0, min(pair).start - N_AROUND), max(head.end, tail.end) + N_AROUND
    parts: list[str] = []
    for span in sorted(pair):
        before, after = _HEAD_SIGNS if span == head else _TAIL_SIGNS
        parts += [text[first : span.start], before, text[span.start : span.end], after]
        first = span.end
    return "".join(parts) + text[first:last]


def marked_places(marked: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return where head and tail stand in what `mark_pair` made; the whole text where unmarked.

    >>> marked_places("@*薬*ロキソニン@で#^症状^眠気#。")
    ((4, 9), (16, 18))
    """
    found = _HEAD.search(marked), _TAIL.search(marked)
    head, tail = (match.span(1) if match else (0, len(marked)) for match in found)
    return head, tail
