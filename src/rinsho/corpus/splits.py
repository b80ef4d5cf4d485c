"""Which split a document belongs to: by group where there is one, the same everywhere."""

from __future__ import annotations

import hashlib
from typing import Literal, get_args

from rinsho.corpus.document import Document

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
VALIDATION_SHARE, TEST_SHARE = 0.02, 0.02


def split_of(document: Document) -> Split:
    """Return the split of a document: a pure function of its group, or of its id without one.

    Every document of a group lands in the same split, in every run and every stage.
    """
    key = document.group or document.id
    share = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64
    if share < TEST_SHARE:
        return "test"
    return "validation" if share < TEST_SHARE + VALIDATION_SHARE else "train"
