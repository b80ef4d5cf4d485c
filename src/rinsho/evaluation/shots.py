"""Demonstrations for base models: drawn once for a benchmark, and never from what it tests.

Where a benchmark has a train part or a pool in the data folder, they come from it; elsewhere from
the three questions that the publishers of IgakuQA and of YakugakuQA show before theirs (of the
100th examination, and invented ones): no benchmark here asks them.
"""

from __future__ import annotations

import collections
import random
from collections.abc import Iterable, Sequence

from rinsho.errors import ShotsMissing
from rinsho.evaluation.benchmark import LETTERS, Benchmark, Item, Sources
from rinsho.evaluation.benchmark_file import read_json, text_key
from rinsho.evaluation.igakuqa import DEMONSTRATIONS
from rinsho.evaluation.jglue import read_choices
from rinsho.evaluation.yakugakuqa import DEMONSTRATIONS as PHARMACIST_DEMONSTRATIONS

SEED = 0


def draw_shots(
    benchmark: Benchmark, items: Sequence[Item], sources: Sources, n_shots: int
) -> tuple[Item, ...]:
    """Return the demonstrations of a benchmark, the same for each of its items.

    Drawn by a fixed seed, each from another document, with answers that are as different as can
    be; none shares its document or its question with an item.

    Raises:
        ShotsMissing: The pool has fewer.
        DataFolderMissing, BenchmarkMissing, BenchmarkChanged: Its file is not there as published.
    """
    if not n_shots:
        return ()
    tested = {item.document for item in items} | {item.question.strip() for item in items}
    pool = [
        one
        for one in read_pool(benchmark, sources)
        if not {one.document, one.question.strip()} & tested
    ]
    random.Random(f"{SEED}:{benchmark.name}").shuffle(pool)
    n_documents = len({one.document for one in pool})
    if n_documents < n_shots:
        raise ShotsMissing(where=benchmark.name, expected=n_shots, found=n_documents)
    return _with_different_answers(pool, n_shots)


def _with_different_answers(pool: Sequence[Item], n_shots: int) -> tuple[Item, ...]:
    """Take, time and again, the first row of a new document with the answer shown least so far."""
    taken, left = list[Item](), list(pool)
    for _ in range(n_shots):
        n_with = collections.Counter(one.gold for one in taken)
        taken.append(min(left, key=lambda one: n_with[one.gold]))
        left = [one for one in left if one.document != taken[-1].document]
    return tuple(taken)


def read_pool(benchmark: Benchmark, sources: Sources) -> Iterable[Item]:
    """Return what demonstrations of a benchmark may be drawn from."""
    match benchmark.name.split("/"):
        case ["medllm-qa", "pubmedqa"]:
            return _abstracts(sources)
        case ["jglue", "jcommonsenseqa"]:
            return read_choices(sources, path="eval/jglue/jcommonsenseqa_train.json")
        case ["jmed-llm", "smdis" | "crade" | "jcsts"]:
            return _left_of_pool(benchmark.name, sources)
        case ["yakugakuqa", _]:
            return _shown("yakugakuqa", PHARMACIST_DEMONSTRATIONS)
        case _:
            return _shown("igakuqa", DEMONSTRATIONS[benchmark.language])


def _left_of_pool(name: str, sources: Sources) -> Iterable[Item]:
    """Return the rows of a pool whose documents the official test does not hold."""
    from rinsho.evaluation.pools import read_pools  # it reads the table of benchmarks, as this does

    (pool,) = read_pools([name], sources)
    tested = {item.document for item in pool.official}
    return [item for item in pool.items if item.document not in tested]


def _shown(source: str, demonstrations: Iterable[tuple[str, Sequence[str], str]]) -> list[Item]:
    """Return published demonstrations; their answers are letters or numbers between commas."""
    items = list[Item]()
    for number, (question, choices, answer) in enumerate(demonstrations, start=1):
        gold = tuple(
            LETTERS[int(one) - 1] if one.isdigit() else one.upper() for one in answer.split(",")
        )
        key = text_key(question)
        name = f"{source}-demonstration/{number}"
        items.append(Item(name, "choice", question, tuple(choices), gold, document=key))
    return items


def _abstracts(sources: Sources) -> Iterable[Item]:
    """Yield the labelled questions on abstracts that are not in the test."""
    tested = read_json(sources, "medllm-qa/pubmedqa", "eval/pubmedqa/test_ground_truth.json")
    rows = read_json(sources, "medllm-qa/pubmedqa", "eval/pubmedqa/ori_pqal.json")
    choices = ("yes", "no", "maybe")
    for number, row in rows.items():
        if number not in tested:
            yield Item(
                number,
                "choice",
                str(row["QUESTION"]),
                choices,
                (LETTERS[choices.index(row["final_decision"])],),
                document=number,
                context=" ".join(row["CONTEXTS"]),
                wording="en",
            )
