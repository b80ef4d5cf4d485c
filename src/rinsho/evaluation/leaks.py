"""Which documents of official tests stand in the pools, and in one another: found by their text.

There are no document ids. The key of a row is its text without its first line and all white space,
under NFKC; keys whose texts are alike to 0.99 are one document (three case reports differ by a few
punctuation marks between files).
"""

from __future__ import annotations

import csv
import difflib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rinsho.errors import TrainingHoldsTest
from rinsho.evaluation.benchmark import Item, Sources
from rinsho.evaluation.benchmark_file import find_file
from rinsho.evaluation.jmed_llm import document_key, document_text

_ALIKE = 0.99
_SHORTEST_PART = 20  # characters: shorter test texts stand in others by chance
# test file, pool file
PAIRS = (
    ("crade", "CRADE"),
    ("mrner_disease", "CRNER"),
    ("mrner_disease", "RRNER"),
    ("mrner_medicine", "CRNER"),
    ("nrner", "NRNER"),
    ("smdis", "SMDIS"),
)
CASE_REPORT_TESTS = ("crade", "mrner_disease", "mrner_medicine")


@dataclass(frozen=True, slots=True)
class PoolRow:
    """One row of a test or pool file: what it asks, what is right, which text it is about."""

    question: str
    answer: str
    document: str

    @property
    def pair(self) -> tuple[str, str]:
        """Return what makes a test row the same as a row of a pool."""
        return (self.question, self.answer)


@dataclass(frozen=True, slots=True)
class Leak:
    """How much of a test file stands in a pool."""

    test: str
    pool: str
    n_pool_rows: int
    n_pool_documents: int
    n_test_rows_in_pool: int  # same question and answer
    n_test_rows_leaking: int  # their document also occurs in the other rows of the pool
    n_rows_left: int  # of the pool, without any document of the test
    n_documents_left: int


def read_rows(sources: Sources, name: str) -> tuple[PoolRow, ...]:
    """Read `crade` (a test file) or `all/CRADE` (a pool).

    Raises:
        DataFolderMissing, BenchmarkMissing, BenchmarkChanged: The file is not there as published.
    """
    path = find_file(sources, "leaks", f"eval/jmed_llm/{name}.csv")
    with path.open(encoding="utf-8-sig", newline="") as file:
        return tuple(
            PoolRow(row["question"], row["answer"], document_key(row["question"]))
            for row in csv.DictReader(file)
        )


def find_leak(test: str, pool: str, rows: Sequence[PoolRow], pool_rows: Sequence[PoolRow]) -> Leak:
    """Count what a pool gives away of a test file."""
    asked = {row.pair for row in rows}
    tested = {row.document for row in rows}
    others = {row.document for row in pool_rows if row.pair not in asked}
    in_pool = {row.pair for row in pool_rows}
    found = [row for row in rows if row.pair in in_pool]
    left = [row for row in pool_rows if row.document not in tested]
    return Leak(
        test=test,
        pool=pool,
        n_pool_rows=len(pool_rows),
        n_pool_documents=len({row.document for row in pool_rows}),
        n_test_rows_in_pool=len(found),
        n_test_rows_leaking=sum(row.document in others for row in found),
        n_rows_left=len(left),
        n_documents_left=len({row.document for row in left}),
    )


def find_leaks(sources: Sources) -> tuple[Leak, ...]:
    """Return the leaks between test files and pools; non-commercial ones where they are allowed."""
    return tuple(
        find_leak(test, pool, read_rows(sources, test), read_rows(sources, f"all/{pool}"))
        for test, pool in PAIRS
        if sources.noncommercial or test != "nrner"
    )


def link_documents(groups: Sequence[Sequence[PoolRow]]) -> dict[str, str]:
    """Return one key for each document key: alike texts share the first one of them.

    Only texts whose lengths and characters allow it are compared.
    """
    texts = {row.document: _folded(document_text(row.question)) for rows in groups for row in rows}
    keys = sorted(texts, key=lambda key: (len(texts[key]), key))
    linked = {key: key for key in keys}
    for place, key in enumerate(keys):
        for other in keys[place + 1 :]:
            if len(texts[other]) * _ALIKE > len(texts[key]) / _ALIKE:
                break
            if linked[other] == other and _is_alike(texts[key], texts[other]):
                linked[other] = linked[key]
    return linked


def _is_alike(one: str, other: str) -> bool:
    matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
    quick = matcher.real_quick_ratio() >= _ALIKE and matcher.quick_ratio() >= _ALIKE
    return quick and matcher.ratio() >= _ALIKE


def shared_documents(sources: Sources, *, is_linked: bool) -> Mapping[tuple[str, str], int]:
    """Return how many documents each two official case-report tests share.

    Args:
        sources: Where the files lie.
        is_linked: Whether nearly equal texts are one document; else only equal ones are.
    """
    groups = {name: read_rows(sources, name) for name in CASE_REPORT_TESTS}
    linked = link_documents([*groups.values()]) if is_linked else {}
    documents = {
        name: {linked.get(row.document, row.document) for row in rows}
        for name, rows in groups.items()
    }
    names = CASE_REPORT_TESTS
    return {
        (one, other): len(documents[one] & documents[other])
        for place, one in enumerate(names)
        for other in names[place + 1 :]
    }


# -------------------------------------------------------------------------- any training data


@dataclass(frozen=True, slots=True)
class TrainingLeak:
    """A test document that stands in a training text."""

    item: str  # the first test item about it
    n_items: int  # of the test, about the same document
    training: str  # the id of the training text


def find_training_leaks(
    texts: Iterable[tuple[str, str]], items: Sequence[Item]
) -> list[TrainingLeak]:
    """Return where training texts are, hold or nearly equal the document of a test item.

    Args:
        texts: Ids and training texts: documents, or whole prompts that hold them.
        items: The test; an item without a document is its question.
    """
    of_document: dict[str, list[Item]] = {}
    for item in items:
        document = _folded(document_text(item.question)) or _folded(item.question)
        of_document.setdefault(document, []).append(item)
    return [
        TrainingLeak(tested[0].id, len(tested), id_)
        for id_, text in texts
        for training in [_folded(document_text(text) if "\n「" in text else text)]
        for document, tested in of_document.items()
        if _stands_in(document, training)
    ]


def refuse_training_leaks(leaks: Sequence[TrainingLeak], where: str) -> None:
    """Refuse training data that hold a test document.

    Raises:
        TrainingHoldsTest: There is a leak; the message counts, and names no text.
    """
    if leaks:
        n_rows = sum({leak.item: leak.n_items for leak in leaks}.values())
        n_records = len({leak.training for leak in leaks})
        raise TrainingHoldsTest(where=where, found=n_rows, expected=n_records)


def _stands_in(document: str, training: str) -> bool:
    if document == training:
        return True
    if len(document) < _SHORTEST_PART:
        return False
    is_near = len(document) * _ALIKE <= len(training) <= len(document) / _ALIKE
    return document in training or (is_near and _is_alike(document, training))


def _folded(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split())
