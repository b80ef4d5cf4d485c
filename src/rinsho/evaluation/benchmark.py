"""What a benchmark is: items with gold answers, under a license, at a version."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rinsho.manifest import FinishedFolder, canonical_json
from rinsho.text.spans import Span

Form = Literal["choice", "similarity", "entities", "spans", "text"]
Weighting = Literal["plain", "linear", "quadratic"]
LETTERS = "ABCDEFGH"


@dataclass(frozen=True, slots=True)
class Item:
    """One question with its gold answer."""

    id: str  # "<task>/<number>", the same in every run
    form: Form
    question: str  # the text itself where the form is "spans" or "text"
    choices: tuple[str, ...] = ()
    gold: tuple[str, ...] = ()  # letters of the right choices, or entities in reading order
    gold_spans: tuple[Span, ...] = ()
    document: str = ""  # items with one key share a text: the bootstrap draws keys, not items
    tag: str = ""
    source: str = ""

    @property
    def letters(self) -> str:
        """Return the letters of the choices: "ABCD" for four."""
        return LETTERS[: len(self.choices)]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where benchmarks may read: the data folder, documents folders, and under which terms."""

    data: Path | None = None
    documents: tuple[FinishedFolder, ...] = ()
    noncommercial: bool = False

    @property
    def is_private(self) -> bool:
        """Say whether a documents folder holds private text."""
        return any(folder.manifest.identity.is_private for folder in self.documents)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A gold set with its version, license and source."""

    name: str
    version: int  # rises when the items or their scoring change
    license: str
    source: str
    form: Form
    ja: str
    en: str
    needs: str  # what has to be there: a file below the data folder, a kind of documents folder
    load: Callable[[Sources], tuple[Item, ...]]
    is_noncommercial: bool = False
    weighting: Weighting = "plain"  # of the kappa that stands first
    has_official_protocol: bool = False  # a published protocol whose figures can be compared
    is_from_documents: bool = False  # its texts are the user's own
    known_errors: str = ""


def hash_items(items: Iterable[Item]) -> str:
    """Return the SHA-256 of items: answers and scores must be about the same ones."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(canonical_json(dataclasses.asdict(item)) + b"\n")
    return digest.hexdigest()


def choose_items(items: tuple[Item, ...], max_items: int | None, seed: int) -> tuple[Item, ...]:
    """Return a seeded sample in the order of the benchmark, or all where there are no more.

    An item's place in the draw depends on the seed and its id alone, so that a larger sample
    holds the smaller one.
    """
    if max_items is None or len(items) <= max_items:
        return items
    drawn = sorted(items, key=lambda item: hashlib.sha256(f"{seed}:{item.id}".encode()).digest())
    chosen = {item.id for item in drawn[:max_items]}
    return tuple(item for item in items if item.id in chosen)
