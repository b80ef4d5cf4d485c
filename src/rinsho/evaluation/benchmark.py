"""What a benchmark is: items with gold answers, under a license, at a version."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rinsho.corpus.document import Message
from rinsho.manifest import FinishedFolder, canonical_json
from rinsho.text.spans import Relation, Span

Form = Literal[
    "choice", "number", "similarity", "entities", "spans", "text", "pairs", "rating", "passage",
    "relations",
]  # fmt: skip
Method = Literal["generation", "log-likelihood", "official", "extraction", "head", "free"]
Weighting = Literal["plain", "linear", "quadratic"]
LETTERS = "ABCDEFGH"


@dataclass(frozen=True, slots=True)
class Item:
    """One question with its gold answer."""

    id: str  # "<task>/<number>", the same in every run
    form: Form
    question: str  # the text itself where the form is "spans", "relations" or "text"
    choices: tuple[str, ...] = ()
    gold: tuple[str, ...] = ()  # letters of the right choices, or entities in reading order
    gold_spans: tuple[Span, ...] = ()  # of the form "relations": the mentions that are given
    document: str = ""  # items with one key share a text: the bootstrap draws keys, not items
    tag: str = ""
    source: str = ""
    also_right: tuple[tuple[str, ...], ...] = ()  # other answers that count as right
    points: int = 1  # of an exam; 0: the examiners took the question out
    part: str = ""  # of an exam with several pass marks: "required" or "general"
    prohibited: tuple[str, ...] = ()  # letters that a candidate must not choose
    also_prohibited: tuple[str, ...] = ()  # those that the published figures do not read
    has_image: bool = False  # the question shows an image that is not here
    excluded: str = ""  # why corrected figures leave the item out; official ones never do
    context: str = ""  # a passage that the question is about
    published_question: str = ""  # as the publisher wrote it, where `question` is mended
    published_choices: tuple[str, ...] = ()
    gold_pairs: tuple[tuple[str, str], ...] = ()  # (before, after) of the form "pairs"
    wording: Literal["", "ja", "en"] = ""  # of the corrected prompt; empty: JMED-LLM's
    instruction: str = ""  # a system text of its own, instead of the wording's
    is_plain: bool = False  # asked as one text without a chat template, as base models are
    shots: str = ""  # answered questions before it
    shot_ids: tuple[str, ...] = ()  # which ones: they stand in the answers
    gold_relations: tuple[Relation, ...] = ()  # between gold_spans

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
class PassMarks:
    """What a candidate needs: points of both parts, and few enough prohibited choices."""

    required: int
    general: int
    max_prohibited: int = 3


@dataclass(frozen=True, slots=True)
class OfficialProtocol:
    """A published way to ask and to mark, bug for bug; its figures stand under `official` alone.

    Attributes:
        ask: The messages for an item, given every item of the benchmark (demonstrations may come
            from them). A single user message with `is_raw_text` is the prompt itself.
        is_right: Whether the published scorer marks an output as right.
        chosen: The letters that the published scorer reads, to find prohibited ones.
        n_left_out: First items that serve as demonstrations and are not scored.
    """

    name: str
    source: str
    ask: Callable[[Item, tuple[Item, ...]], tuple[Message, ...]]
    is_right: Callable[[Item, str], bool]
    settings: str  # what the publishers generated with
    known_errors: str
    chosen: Callable[[str], tuple[str, ...]] | None = None
    n_left_out: int = 0
    is_raw_text: bool = False  # no chat template
    also_marked: Mapping[str, Callable[[Item, str], bool]] | None = None  # further figures by name
    shuffles: bool = False  # whether the publishers also ask with options in another order


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
    files: tuple[str, ...] = ()  # below the data folder; their hashes stand in the catalog
    n_items: int | None = None  # of the supplied files
    language: Literal["ja", "en"] = "ja"
    official: OfficialProtocol | None = None  # asked by the method "official"
    pass_marks: PassMarks | None = None
    leading: Literal["kappa", "accuracy"] = "kappa"  # of choices: what stands in figures
    reports_published_recall: bool = False  # of pairs, where the publishers count so
    reports_macro_f1: bool = False  # beside accuracy, where the answers are few fixed labels
    methods: tuple[Method, ...] = ()  # the only ones that can answer it; empty: those of its form
    withholds_text: bool = False  # its terms forbid to show the text in a report


# Fields that items have had only since exams are read: left out of the hash where they say nothing,
# so that the items of older benchmarks keep theirs.
_LATER_FIELDS = {
    field.name: field.default
    for field in dataclasses.fields(Item)
    if field.name
    in (
        "also_right",
        "points",
        "part",
        "prohibited",
        "also_prohibited",
        "has_image",
        "excluded",
        "context",
        "published_question",
        "published_choices",
        "gold_pairs",
        "wording",
        "instruction",
        "is_plain",
        "shots",
        "shot_ids",
        "gold_relations",
    )
}


def hash_items(items: Iterable[Item]) -> str:
    """Return the SHA-256 of items: answers and scores must be about the same ones."""
    digest = hashlib.sha256()
    for item in items:
        fields = dataclasses.asdict(item).items()
        said = {k: v for k, v in fields if k not in _LATER_FIELDS or v != _LATER_FIELDS[k]}
        digest.update(canonical_json(said) + b"\n")
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
