"""Pairs of texts, before and after: read from bullets, matched one to one, counted both ways."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rinsho.evaluation.bootstrap import Floats, Metric, ratio
from rinsho.evaluation.entity_metrics import max_matching
from rinsho.evaluation.parse import MAX_CHARACTERS

Pair = tuple[str, str]
_BULLET = re.compile(r"^[-・*•‐–]\s*|^\d+[.)]\s*")
_ARROW = re.compile(r"→|->|⇒")
_QUOTED = re.compile(r"「(.*?)」")
_FOLDED = str.maketrans("．，", "。、")


@dataclass(frozen=True, slots=True)
class ParsedPairs:
    """The pairs of an output; none where it is invalid."""

    pairs: tuple[Pair, ...]
    is_strict: bool  # every line was `- before → after`

    @property
    def is_valid(self) -> bool:
        """Say whether there is an answer."""
        return bool(self.pairs)


def parse_pairs(output: str) -> ParsedPairs:
    """Return the pair of each line that has one.

    A line is cut at its arrow, the middle one of three (the texts may hold arrows of their own), or
    has exactly two 「…」. Lines without a pair are passed over, and repetitions count once.

    >>> parse_pairs("- 5 mL(1 → 50) → 9 mL(1 → 50)").pairs
    (('5 mL(1 → 50)', '9 mL(1 → 50)'),)
    """
    lines = [line for one in output[:MAX_CHARACTERS].splitlines() if (line := one.strip())]
    found = [_pair_in(_BULLET.sub("", line)) for line in lines]
    pairs = tuple(dict.fromkeys(pair for pair in found if pair))
    is_strict = all(pair and line[:2] == "- " for line, pair in zip(lines, found, strict=True))
    return ParsedPairs(pairs, bool(pairs) and is_strict)


def _pair_in(line: str) -> Pair | None:
    arrows = list(_ARROW.finditer(line))
    if len(arrows) % 2:
        middle = arrows[len(arrows) // 2]
        before, after = line[: middle.start()].strip(), line[middle.end() :].strip()
        return (before, after) if before and after else None
    quoted = _QUOTED.findall(line) if not arrows else []
    return (quoted[0], quoted[1]) if len(quoted) == 2 else None


def published_pairs(output: str) -> tuple[Pair, ...]:
    """Return the pairs that SogoCheck's own script reads: one arrow a bullet, or two 「…」.

    >>> published_pairs("- a → b - c → d → e\\n- 「f」が「g」")
    (('a ', ' b '), ('f', 'g'))
    """
    pairs: list[Pair] = []
    for bullet in output[:MAX_CHARACTERS].split("- ")[1:]:
        sides = bullet.split("→") if "→" in bullet else _QUOTED.findall(bullet)
        if len(sides) == 2:
            pairs.append((sides[0], sides[1]))
    return tuple(pairs)


@functools.lru_cache(4_096)
def fold(text: str) -> str:
    """Return a text without blanks and with one kind of full stop and comma.

    >>> fold("0.5 g ，減圧．")
    '0.5g、減圧。'
    """
    return "".join(text.split()).translate(_FOLDED)


def holds(predicted: Pair, gold: Pair) -> bool:
    """Say whether both texts of a gold pair stand in the predicted pair, blanks aside."""
    return fold(gold[0]) in fold(predicted[0]) and fold(gold[1]) in fold(predicted[1])


def is_same_pair(predicted: Pair, gold: Pair) -> bool:
    """Say whether two pairs have equal texts, blanks aside."""
    return fold(gold[0]) == fold(predicted[0]) and fold(gold[1]) == fold(predicted[1])


def distinct(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """Return pairs without those that another one repeats, blanks aside."""
    return tuple({(fold(before), fold(after)): (before, after) for before, after in pairs}.values())


def count_pairs(
    gold: Sequence[Pair], predicted: Sequence[Pair], agrees: Callable[[Pair, Pair], bool]
) -> int:
    """Return the size of a maximum one-to-one matching of gold and predicted pairs."""
    edges = [[at for at, pair in enumerate(predicted) if agrees(pair, one)] for one in gold]
    return max_matching(edges)


@dataclass(frozen=True, slots=True)
class PairRow:
    """One row: the text that was shown, the gold pairs, the predicted ones, the raw output."""

    document: str
    gold: tuple[Pair, ...]
    prediction: tuple[Pair, ...]
    output: str


def pair_metrics(rows: Sequence[PairRow], *, reports_published: bool) -> tuple[Metric, ...]:
    """Return F1, precision and recall of one-to-one matched pairs, sums over all rows, and more.

    A predicted pair agrees where it holds both gold texts, so that more context is no error; but it
    takes one gold pair alone, so that naming the whole document finds one of them. A gold pair that
    stands in a row twice counts once.

    `pair_exact_f1` asks for equal texts; `pair_recall_in_text` leaves out gold pairs whose texts do
    not stand in what was shown; `published_recall` is the publishers' rule, many to one, which
    listing everything satisfies, repetitions included, on the outputs that there are.
    """
    table_RK = np.array([_count(row) for row in rows], dtype=np.float64).reshape(-1, 8)

    def over(name: str, right: int, columns: tuple[int, ...], times: int = 1) -> Metric:
        def statistic(sums_DK: Floats) -> Floats:
            return ratio(times * sums_DK[:, right], sums_DK[:, columns].sum(axis=1))

        return Metric(name, table_RK, statistic)

    published = (over("published_recall", 6, (7,)),) if reports_published else ()
    return (
        over("pair_f1", 0, (2, 3), times=2),
        over("pair_recall", 0, (3,)),
        over("pair_precision", 0, (2,)),
        over("pair_exact_f1", 1, (2, 3), times=2),
        over("pair_recall_in_text", 4, (5,)),
        *published,
    )


def _count(row: PairRow) -> tuple[int, ...]:
    shown, gold = fold(row.document), distinct(row.gold)
    standing = [pair for pair in gold if all(fold(text) in shown for text in pair)]
    published = published_pairs(row.output)
    return (
        count_pairs(gold, row.prediction, holds),
        count_pairs(gold, row.prediction, is_same_pair),
        len(row.prediction),
        len(gold),
        count_pairs(standing, row.prediction, holds),
        len(standing),
        sum(any(holds(pair, one) for pair in published) for one in row.gold),
        len(row.gold),
    )
