"""Packing: documents into rows of at most `context_length` tokens, with nothing cropped away.

A pure function of (lengths, context_length, seed, epoch): it does not know how often a run stopped.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Piece:
    """Tokens `start:end` of a document; the labels it teaches are `start + 1` to `end - 1`.

    So the inputs are `tokens[start : end - 1]` and the labels `tokens[start + 1 : end]`. The next
    piece of a long document starts at `end - 1`: each label is taught once.
    """

    document: int
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


Row = tuple[Piece, ...]  # sum of len(piece) <= context_length; pieces do not see each other


def pack(
    lengths: Sequence[int] | NDArray[np.int64],
    *,
    context_length: int,
    seed: int,
    epoch: int,
    documents: Sequence[int] | NDArray[np.int64] | None = None,
) -> list[Row]:
    """Return the rows of one epoch, in training order.

    Documents are shuffled anew in each epoch, cut only where one is longer than the context, and
    put where they leave the least room (best fit). A document of fewer than two tokens has no label
    and is in no row.

    Args:
        lengths: Tokens of each document.
        context_length: Most tokens of a row, 2 or more.
        seed: Of the run, 0 or more.
        epoch: 0 or more.
        documents: The documents of this epoch, some of them perhaps twice; every one when left out.

    >>> for row in pack([3, 5], context_length=4, seed=0, epoch=0):
    ...     print([(piece.document, piece.start, piece.end) for piece in row])
    [(1, 0, 4)]
    [(0, 0, 3)]
    [(1, 3, 5)]
    """
    pieces = [
        piece
        for document in (range(len(lengths)) if documents is None else documents)
        for piece in _cut(int(document), int(lengths[document]), context_length)
    ]
    random = np.random.default_rng([seed, epoch])
    rows = _best_fit([pieces[i] for i in random.permutation(len(pieces))], context_length)
    return [rows[i] for i in random.permutation(len(rows))]


def _cut(document: int, length: int, context_length: int) -> list[Piece]:
    step = context_length - 1
    return [
        Piece(document, start, min(start + context_length, length))
        for start in range(0, length - 1, step)
    ]


def _best_fit(pieces: Sequence[Piece], context_length: int) -> list[Row]:
    rows: list[list[Piece]] = []
    room: list[tuple[int, int]] = []  # (free tokens, row), sorted; full rows are not in it
    for piece in pieces:
        at = bisect_left(room, (len(piece), -1))
        if at < len(room):
            free, row = room.pop(at)
        else:
            free, row = context_length, len(rows)
            rows.append([])
        rows[row].append(piece)
        if free - len(piece) >= 2:
            insort(room, (free - len(piece), row))
    return [tuple(row) for row in rows]
