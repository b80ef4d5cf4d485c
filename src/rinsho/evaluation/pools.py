"""The pools that official tests were drawn from: what a model can be tuned and measured on.

A pool row is an item like a row of the test. `document` is the key of its text, the same for texts
that are alike to 0.99 wherever they stand (three case reports differ between files).

Source:
    sociocom/JMED-LLM, 2024-09-22, folder `all`; JA-Clinical-STS for JCSTS, whose own pool is not
    supplied. That of RRTNM is held out.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rinsho.errors import InvalidValue, ModelCannot
from rinsho.evaluation.benchmark import LETTERS, Benchmark, Item, Sources
from rinsho.evaluation.benchmark_file import find_file
from rinsho.evaluation.catalogue import describe_benchmark, load_benchmark
from rinsho.evaluation.clinical_sts import read_pairs
from rinsho.evaluation.jmed_llm import document_key
from rinsho.evaluation.leaks import PoolRow, link_documents
from rinsho.evaluation.parse import parse_list
from rinsho.text.normalize import normalize

# The files of each task's pool, and the tags that the task asks for (empty: all).
POOLS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "jmed-llm/smdis": (("SMDIS",), ()),
    "jmed-llm/crade": (("CRADE",), ()),
    "jmed-llm/mrner-disease": (("CRNER", "RRNER"), ("d",)),
    "jmed-llm/mrner-medicine": (("CRNER",), ("m-key", "m-val")),
    "jmed-llm/nrner": (("NRNER",), ()),
    "jmed-llm/jcsts": ((), ()),
}
_FORMS = ("choice", "similarity", "entities")


@dataclass(frozen=True, slots=True)
class Pool:
    """Every row of a task, and which of them are its official test."""

    benchmark: Benchmark
    items: tuple[Item, ...]
    official: tuple[Item, ...] = ()  # empty: there is no official test


def read_pools(names: Sequence[str], sources: Sources) -> tuple[Pool, ...]:
    """Read pools; documents are linked across all of them and their tests.

    A benchmark that has no pool of its own (`own/NAME`) is one: every item of it.

    Raises:
        UnknownBenchmark, NoncommercialRefused, BenchmarkMissing, BenchmarkChanged: As benchmarks.
        ModelCannot: Its form is not one that heads and baselines learn.
        MissingDependency: xlrd, which reads JA-Clinical-STS, is not installed.
    """
    pools = [_read_pool(name, sources) for name in dict.fromkeys(names)]
    linked = _links(item for pool in pools for item in (*pool.items, *pool.official))
    return tuple(
        dataclasses.replace(
            pool, items=_relink(pool.items, linked), official=_relink(pool.official, linked)
        )
        for pool in pools
    )


def _read_pool(name: str, sources: Sources) -> Pool:
    benchmark = describe_benchmark(name, sources)
    if benchmark.form not in _FORMS:
        raise ModelCannot(where=name, found=f"form {benchmark.form}", expected=", ".join(_FORMS))
    test = load_benchmark(name, sources).items
    if name not in POOLS:
        if several := sum(len(item.gold) > 1 for item in test if item.form != "entities"):
            found = f"{several} questions with several right answers"
            raise ModelCannot(where=name, found=found, expected="questions with one right answer")
        return Pool(benchmark, tuple(_tagged(item) for item in test))
    if name == "jmed-llm/jcsts":
        items = _read_pairs(sources, test)
        keys = _sentence_keys((*items, *test))
        return Pool(benchmark, _relink(items, keys, by_id=True), _relink(test, keys, by_id=True))
    files, tags = POOLS[name]
    items = tuple(item for file in files for item in _read_rows(sources, file, benchmark, tags))
    return Pool(benchmark, items, test)


def _tagged(item: Item) -> Item:
    """Give entities without a tag one: heads know their questions by it."""
    needs_tag = item.form == "entities" and not item.tag
    return dataclasses.replace(item, tag="entities") if needs_tag else item


def _read_rows(
    sources: Sources, name: str, benchmark: Benchmark, tags: Sequence[str]
) -> Iterable[Item]:
    path = find_file(sources, benchmark.name, f"eval/jmed_llm/all/{name}.csv")
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=1):
            if tags and row["tag"] not in tags:
                continue
            choices = tuple(cell for letter in LETTERS if (cell := row.get(f"option{letter}")))
            gold = (row["answer"],) if choices else parse_list(row["answer"]).entities
            yield Item(
                f"{name}/{number}",
                benchmark.form,
                row["question"],
                choices,
                gold,
                document=document_key(row["question"]),
                tag=row["tag"],
                source=name,
            )


# ------------------------------------------------------------------------- pairs of sentences


def _read_pairs(sources: Sources, test: Sequence[Item]) -> tuple[Item, ...]:
    """Read JA-Clinical-STS in the words of JCSTS; a pair that stands there twice is one item."""
    pairs = {(first, second): score for first, second, score in read_pairs(sources)}
    lead = test[0].question.partition("\n")[0]
    return tuple(
        Item(
            f"JCSTS/{number}",
            "similarity",
            f"{lead}\nS1: {first}\nS2: {second}",
            test[0].choices,
            ("ABCDEF"[5 - score],),
            source="JA-Clinical-STS",
        )
        for number, ((first, second), score) in enumerate(pairs.items(), start=1)
    )


def _sentence_keys(items: Sequence[Item]) -> dict[str, str]:
    """Return a key for each item: pairs that share a sentence, over any number of steps, share it.

    A sentence counts as the same without its white space and widths.
    """
    root: dict[str, str] = {}

    def find(sentence: str) -> str:
        while root.setdefault(sentence, sentence) != sentence:
            sentence = root[sentence]
        return sentence

    both = {item.id: [_letters(part) for part in item.question.split("\n")[1:]] for item in items}
    for first, *others in both.values():
        for other in others:
            root[find(first)] = find(other)
    return {id_: hashlib.sha256(find(s[0]).encode()).hexdigest()[:16] for id_, s in both.items()}


def _letters(line: str) -> str:
    return "".join(normalize(line.partition(": ")[2]).split())


# --------------------------------------------------------------------------------- documents


def _links(items: Iterable[Item]) -> dict[str, str]:
    """Return one key for alike texts; only long ones can be alike to 0.99 without being equal."""
    rows = {item.document: PoolRow(item.question, "", item.document) for item in items}
    return link_documents([[row for row in rows.values() if len(row.question) > 100]])


def _relink(
    items: Sequence[Item], linked: dict[str, str], *, by_id: bool = False
) -> tuple[Item, ...]:
    return tuple(
        dataclasses.replace(
            item, document=linked.get(item.id if by_id else item.document, item.document)
        )
        for item in items
    )


def full_name(name: str) -> str:
    """Return the benchmark's name of a task: `smdis` is short for `jmed-llm/smdis`.

    Raises:
        InvalidValue: A name of no benchmark.
    """
    if "/" in name:
        return name
    if f"jmed-llm/{name}" in POOLS:
        return f"jmed-llm/{name}"
    expected = ", ".join(short for short in (one.partition("/")[2] for one in POOLS))
    raise InvalidValue(where="tasks", found=name, expected=expected)
