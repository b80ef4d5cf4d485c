"""Benchmarks asked in another way: `NAME@shuffle-2` in another order, `NAME@3-shot` after examples.

`NAME@shuffles` stands for the order of the file and four others. Options are drawn into another
order by item and number alone, so that every system sees the same ones. Ordered scales keep theirs,
and so do options that name one another or are nothing but labels: a variant holds the items whose
order means nothing.
"""

from __future__ import annotations

import dataclasses
import functools
import random
import re
import unicodedata
from collections.abc import Callable, Sequence

from rinsho.errors import ModelCannot, UnknownBenchmark
from rinsho.evaluation.benchmark import LETTERS, Benchmark, Item, Sources
from rinsho.evaluation.prompts import plain_question
from rinsho.evaluation.shots import draw_shots

SHUFFLES = ("shuffle-1", "shuffle-2", "shuffle-3", "shuffle-4")
ALL_SHUFFLES = "shuffles"
Loader = Callable[[Sources], tuple[Item, ...]]
SEED = 0  # of the orders and of the demonstrations; another one would be another benchmark
_SHOTS = re.compile(r"([0-9])-shot")
_NAMES_OTHERS = re.compile(
    r"上記|いずれも|どれも|すべて|全て|以上の|該当(?:なし|する)|[A-Ha-h①-⑧][とか,、]\s*[A-Ha-h①-⑧]"
    r"|\b(?:all|none|both|neither|either|any) of (?:the|these|them|above)\b"
    r"|\bof the above\b|\b[A-H] (?:and|or) [A-H]\b",
    re.IGNORECASE,
)
_LABEL = re.compile(r"\W*(?:[A-Za-z]|[0-9]{1,2}|[ア-オ])\W*")


def split_name(name: str) -> tuple[str, str]:
    """Return a benchmark's name and its variant, which may be empty.

    >>> split_name("jmmlu/medical@shuffle-1"), split_name("jmmlu/medical")
    (('jmmlu/medical', 'shuffle-1'), ('jmmlu/medical', ''))
    """
    base, _, variant = name.partition("@")
    return base, variant


def join_name(base: str, variant: str) -> str:
    """Return the name of a benchmark's variant."""
    return f"{base}@{variant}" if variant else base


def expand_variant(variant: str) -> tuple[str, ...]:
    """Return the variants that a word after the @ stands for; the file's own order is ''."""
    return ("", *SHUFFLES) if variant == ALL_SHUFFLES else (variant,)


def vary(benchmark: Benchmark, variant: str) -> Benchmark:
    """Return a benchmark as its variant asks it.

    Raises:
        UnknownBenchmark: There is no such variant.
        ModelCannot: The variant is not one of that form of benchmark.
    """
    if variant in SHUFFLES:
        return _shuffled(benchmark, int(variant.rpartition("-")[2]))
    if match := _SHOTS.fullmatch(variant):
        return _with_shots(benchmark, int(match.group(1)))
    known = ", ".join((*SHUFFLES, ALL_SHUFFLES, "0-shot", "3-shot", "5-shot"))
    raise UnknownBenchmark(found=f"{benchmark.name}@{variant}", expected=known)


# ------------------------------------------------------------------------------- other orders


def _shuffled(benchmark: Benchmark, number: int) -> Benchmark:
    if benchmark.form != "choice":
        found = f"@shuffle of the form {benchmark.form}"
        raise ModelCannot(where=benchmark.name, found=found, expected="form choice")
    official = benchmark.official if benchmark.official and benchmark.official.shuffles else None
    return dataclasses.replace(
        benchmark,
        name=f"{benchmark.name}@shuffle-{number}",
        ja=f"{benchmark.ja}（選択肢の並べ替え {number}）",
        en=f"{benchmark.en}, options in order {number}",
        load=functools.partial(
            _load_shuffled, load=benchmark.load, number=number, takes_all=official is not None
        ),
        n_items=None,
        has_official_protocol=False,
        official=official,
        pass_marks=None,
    )


def _load_shuffled(
    sources: Sources, *, load: Loader, number: int, takes_all: bool
) -> tuple[Item, ...]:
    items = load(sources)
    return tuple(shuffle(item, number) for item in items if takes_all or is_free_of_order(item))


def is_free_of_order(item: Item) -> bool:
    """Say whether the options of an item mean the same in every order."""
    if item.form != "choice" or len(item.choices) < 2:
        return False
    folded = [unicodedata.normalize("NFKC", choice) for choice in item.choices]
    names_others = any(_NAMES_OTHERS.search(choice) for choice in folded)
    return not names_others and not all(_LABEL.fullmatch(choice) for choice in folded)


def order_of(item: Item, number: int) -> tuple[int, ...]:
    """Return the place in the file of each option as it is shown; order 0 is the file's."""
    places = list(range(len(item.choices)))
    if number:
        random.Random(f"{SEED}:{item.id}:{number}").shuffle(places)
    return tuple(places)


def shuffle(item: Item, number: int) -> Item:
    """Return an item with its options in another order, and every letter of gold moved with them.

    Gold keeps the order in which the file lists it: the legacy harness joins its texts before it
    shuffles.
    """
    places = order_of(item, number)

    def move(letters: Sequence[str]) -> tuple[str, ...]:
        return tuple(LETTERS[places.index(LETTERS.index(letter))] for letter in letters)

    return dataclasses.replace(
        item,
        choices=tuple(item.choices[place] for place in places),
        gold=move(item.gold),
        also_right=tuple(tuple(sorted(move(letters))) for letters in item.also_right),
        prohibited=tuple(sorted(move(item.prohibited))),
        also_prohibited=tuple(sorted(move(item.also_prohibited))),
    )


def letters_in_file(item: Item, number: int, shown: Sequence[str]) -> tuple[str, ...]:
    """Return letters of a shuffled item as the letters of the file's order."""
    places = order_of(item, number)
    return tuple(sorted(LETTERS[places[LETTERS.index(letter)]] for letter in shown))


# ------------------------------------------------------------------------------- after examples


def _with_shots(benchmark: Benchmark, n_shots: int) -> Benchmark:
    """Return a benchmark asked as one plain text, as base models are, answered by likelihood."""
    if benchmark.form not in ("choice", "similarity"):
        found = f"@{n_shots}-shot of the form {benchmark.form}"
        raise ModelCannot(where=benchmark.name, found=found, expected="form choice, similarity")
    return dataclasses.replace(
        benchmark,
        name=f"{benchmark.name}@{n_shots}-shot",
        ja=f"{benchmark.ja}（例示 {n_shots} 問、平文）",
        en=f"{benchmark.en}, plain text after {n_shots} examples",
        load=functools.partial(_load_with_shots, benchmark=benchmark, n_shots=n_shots),
        has_official_protocol=False,
        official=None,
        methods=("log-likelihood",),
    )


def _load_with_shots(sources: Sources, *, benchmark: Benchmark, n_shots: int) -> tuple[Item, ...]:
    items = benchmark.load(sources)
    shots = draw_shots(benchmark, items, sources, n_shots)
    return tuple(
        dataclasses.replace(
            item,
            wording=item.wording or "ja",
            shots="".join(plain_question(shot, shot.gold) for shot in shots),
            shot_ids=tuple(shot.id for shot in shots),
            is_plain=True,
        )
        for item in items
    )
