"""Which letter was read where which was right: tables of fixed labels, invalid answers apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rinsho.evaluation.marking import ScoredRow

NO_ANSWER = "–"


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts of answers by gold letter and by the letter that was read."""

    labels: tuple[str, ...]  # of gold
    read: tuple[str, ...]  # the same, and NO_ANSWER last
    names: tuple[str, ...]  # first lines of the choices, where all items share them
    counts: tuple[tuple[int, ...], ...]  # one line a label of gold, one column a label that is read


def confusion_of(rows: Sequence[ScoredRow], *, is_text_shown: bool = True) -> Confusion | None:
    """Return the table of single letters; None where answers are sets, lists, numbers or texts.

    Anything but one letter of the item (nothing, several, too long) counts as no answer.
    """
    items = [row.item for row in rows]
    if not items or any(i.form not in ("choice", "similarity") or len(i.gold) != 1 for i in items):
        return None
    labels = max((item.letters for item in items), key=len)
    read = (*labels, NO_ANSWER)
    counts = [[0] * len(read) for _ in labels]
    for row in rows:
        found = row.prediction[0] if len(row.prediction) == 1 else NO_ANSWER
        place = read.index(found) if found in read else len(labels)
        counts[labels.index(row.item.gold[0])][place] += 1
    choices = {item.choices for item in items}
    is_named = is_text_shown and len(choices) == 1
    names = tuple(one.strip().split("\n")[0] for one in choices.pop()) if is_named else ()
    return Confusion(tuple(labels), read, names, tuple(tuple(line) for line in counts))
