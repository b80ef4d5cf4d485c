"""Signs that a model has seen a benchmark: it prefers its order, or goes on with its questions.

They show that a test was learned, where they are strong; where they are absent, nothing is shown.
Only models on this machine can be asked: an address gives no likelihood of a text.
"""

from __future__ import annotations

import difflib
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from rinsho.errors import MissingDependency
from rinsho.evaluation.benchmark import Item
from rinsho.evaluation.prompts import plain_question
from rinsho.evaluation.variants import is_free_of_order, shuffle
from rinsho.generation.language_model import LanguageModel, Sampling
from rinsho.text.normalize import normalize

SEED = 0
_MIN_CHARACTERS = 40  # of a question that is completed: half of a shorter one says too little
_MOST_IN_SHARD = 8  # items; more hardly fit the context of a small model


@dataclass(frozen=True, slots=True)
class OptionOrder:
    """Whether the order of options in the file is the likeliest of several.

    Attributes:
        n_items: Items whose order means nothing and that fit the context.
        n_orders: Orders of each, that of the file among them.
        n_likeliest: Items of which the file's order is the likeliest.
        p: One-sided, binomial: that so many are by chance.

    Source:
        Ni et al. 2024, "Training on the Benchmark Is Not All You Need", arXiv 2409.01790.
    """

    n_items: int
    n_orders: int
    n_likeliest: int
    p: float


@dataclass(frozen=True, slots=True)
class ItemOrder:
    """Whether the order of items in the file is likelier than others, shard by shard.

    Attributes:
        n_shards: Runs of neighbours that fit the context together.
        n_orders: Other orders of each.
        mean_gain: Of the file's order over the mean of the others, nats a shard.
        p: One-sided t-test over shards; None below three of them.

    Source:
        Oren et al. 2023, "Proving Test Set Contamination in Black Box Language Models",
        arXiv 2310.17623, section 3.2 (the sharded test).
    """

    n_shards: int
    n_orders: int
    mean_gain: float
    p: float | None


@dataclass(frozen=True, slots=True)
class Completions:
    """How far a model goes on with the second half of questions, word by word.

    Attributes:
        n_items: Questions of 40 characters or more that fit the context.
        n_exact: Those whose second half it wrote as it stands.
        mean_prefix: Mean share of the second half that its text begins with.
        mean_longest: Mean share of the second half that stands in its text in one piece.
        exact: Ids of those that it wrote as they stand.

    Source:
        Golchin and Surdeanu 2024, "Time Travel in LLMs", arXiv 2308.08493: the exact match, by a
        plain continuation instead of an instruction.
    """

    n_items: int
    n_exact: int
    mean_prefix: float
    mean_longest: float
    exact: tuple[str, ...] = field(default=())


def option_order(model: LanguageModel, items: Iterable[Item], *, n_orders: int = 4) -> OptionOrder:
    """Compare the likelihood of options in the file's order with that in others."""
    requests: list[list[tuple[Sequence[int], Sequence[int]]]] = []
    for item in items:
        if is_free_of_order(item):
            pairs = [_split(model, one) for one in _orders(item, n_orders)]
            longest = max(len(prompt) + len(options) for prompt, options in pairs)
            if len(pairs) > 1 and longest <= model.context_length:
                requests.append(pairs)
    scored = iter(model.log_likelihoods([pair for pairs in requests for pair in pairs]))
    values = [[next(scored).log_likelihood for _ in pairs] for pairs in requests]
    n_likeliest = sum(own > max(others) for own, *others in values)
    chances = [1 / len(one) for one in values]
    return OptionOrder(len(values), n_orders + 1, n_likeliest, _at_least(n_likeliest, chances))


def _orders(item: Item, n_orders: int) -> list[Item]:
    """Return an item in the file's order and, where they differ from it and another, in others."""
    drawn = [shuffle(item, number) for number in range(1, n_orders + 1)]
    others = {one.choices: one for one in drawn if one.choices != item.choices}
    return [item, *others.values()]


def _split(model: LanguageModel, item: Item) -> tuple[Sequence[int], Sequence[int]]:
    """Return the tokens before the options, which all orders share, and those of the options."""
    text = plain_question(item)
    options = text[text.index("\nA. ") + 1 :]
    encode, bos = model.tokenizer.encode, model.tokenizer.bos_id
    question = normalize(text[: len(text) - len(options)])
    return [bos, *encode(question)], encode(normalize(options))


def _at_least(n_found: int, chances: Sequence[float]) -> float:
    """Return how likely so many or more of independent events of these chances are.

    >>> round(_at_least(2, [0.5, 0.5]), 3), _at_least(0, [0.2])
    (0.25, 1.0)
    """
    by_count = [1.0]
    for chance in chances:
        grown = [0.0, *(p * chance for p in by_count)]
        by_count = [a + b * (1 - chance) for a, b in zip(grown, [*by_count, 0.0], strict=True)]
    return min(1.0, math.fsum(by_count[n_found:]))


def item_order(
    model: LanguageModel, items: Sequence[Item], *, n_orders: int = 10, max_shards: int = 50
) -> ItemOrder:
    """Compare the likelihood of neighbours in the file's order with that in others.

    Raises:
        MissingDependency: scipy is not installed.
    """
    try:
        from scipy import stats
    except ModuleNotFoundError:
        raise MissingDependency(where="item order", found="scipy", expected="report") from None
    gains: list[float] = []
    for number, shard in enumerate(_shards(model, items)):
        if number == max_shards:
            break
        gains.append(_gain(model, shard, n_orders, random.Random(f"{SEED}:{number}")))
    mean_gain = math.fsum(gains) / len(gains) if gains else 0.0
    p = None
    if len(gains) > 2 and len(set(gains)) > 1:
        result: Any = stats.ttest_1samp(gains, 0.0, alternative="greater")
        p = float(result.pvalue)
    return ItemOrder(len(gains), n_orders, mean_gain, p)


def _shards(model: LanguageModel, items: Sequence[Item]) -> Iterator[list[list[int]]]:
    """Yield the tokens of neighbours that fit the context together, two or more."""
    shard: list[list[int]] = []
    for item in items:
        tokens = model.tokenizer.encode(normalize(plain_question(item) + "\n\n"))
        n_tokens = 1 + len(tokens) + sum(map(len, shard))
        if n_tokens > model.context_length or len(shard) == _MOST_IN_SHARD:
            if len(shard) > 1:
                yield shard
            shard = []
        if 1 + len(tokens) <= model.context_length:
            shard.append(tokens)
    if len(shard) > 1:
        yield shard


def _gain(
    model: LanguageModel, shard: list[list[int]], n_orders: int, chance: random.Random
) -> float:
    orders = [shard]
    while len(orders) <= n_orders:
        orders.append(chance.sample(shard, len(shard)))
    prompt = [model.tokenizer.bos_id]
    texts = [[token for tokens in order for token in tokens] for order in orders]
    own, *others = (
        one.log_likelihood for one in model.log_likelihoods([(prompt, text) for text in texts])
    )
    return own - math.fsum(others) / len(others)


def complete_questions(model: LanguageModel, items: Iterable[Item]) -> Completions:
    """Let a model go on behind the first half of each question, greedily."""
    prefixes, longest, exact = list[float](), list[float](), list[str]()
    for item in items:
        text = normalize(item.question).strip()
        half = len(text) // 2
        reference = model.tokenizer.encode(text[half:])
        prompt = [model.tokenizer.bos_id, *model.tokenizer.encode(text[:half])]
        is_fitting = len(prompt) + len(reference) <= model.context_length
        if len(text) < _MIN_CHARACTERS or not is_fitting:
            continue
        sampling = Sampling(max_new_tokens=len(reference), seed=SEED)
        written = model.tokenizer.decode(list(model.generate(prompt, sampling)))
        n_same = _n_common(text[half:], written)
        matcher = difflib.SequenceMatcher(None, text[half:], written, autojunk=False)
        prefixes.append(n_same / len(text[half:]))
        longest.append(matcher.find_longest_match().size / len(text[half:]))
        if n_same == len(text[half:]):
            exact.append(item.id)
    n_items = len(prefixes)
    means = [math.fsum(values) / n_items if n_items else 0.0 for values in (prefixes, longest)]
    return Completions(n_items, len(exact), means[0], means[1], tuple(exact))


def _n_common(one: str, other: str) -> int:
    """Return how many first characters two texts share.

    >>> _n_common("発熱と咳", "発熱が続く")
    2
    """
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
