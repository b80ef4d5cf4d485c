"""Choose a part of the documents: spread over all sources, the same in every run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np


class HasId(Protocol):
    """A document, or anything else with an id."""

    @property
    def id(self) -> str:
        """Return the id, the same in every run."""
        ...


def sample_key(document: HasId) -> int:
    """Return a number from 0 to 2**63 - 1, a pure function of the id; unrelated to the split."""
    digest = hashlib.sha256(b"sample:" + document.id.encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def highest_key(keys: Sequence[int], sizes: Sequence[int], limit: int) -> int:
    """Return the key up to which documents are taken: their sizes add up to at most `limit`.

    Args:
        keys: `sample_key` of each document.
        sizes: What each adds: 1 to count documents, or its tokens.
        limit: 0 or more.
    Returns:
        -1 where not even one document fits.

    >>> highest_key([30, 10, 20], [1, 1, 1], limit=2)
    20
    """
    order = np.argsort(np.asarray(keys, dtype=np.int64), kind="stable")
    total = np.cumsum(np.asarray(sizes, dtype=np.int64)[order])
    n_chosen = int(np.searchsorted(total, limit, side="right"))
    return -1 if n_chosen == 0 else int(keys[order[n_chosen - 1]])
