"""What stands beside a model in every supervised table: plain methods, fitted to the same rows.

Each is an engine, so that its answers are marked like a model's. None has any pre-training, and
none chooses anything on validation rows, so they learn these too. Nothing fitted is stored.
"""

from __future__ import annotations

import collections
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from rinsho.errors import MissingDependency, ModelCannot
from rinsho.evaluation.answer_record import Answer, Method
from rinsho.evaluation.benchmark import Form, Item
from rinsho.evaluation.engines import Engine
from rinsho.evaluation.head_engine import text_of
from rinsho.evaluation.jmed_llm import document_text
from rinsho.evaluation.prompts import hash_prompt
from rinsho.model.character_crf import train_character_crf
from rinsho.text.normalize import normalize
from rinsho.training.examples import find_entities

Say = Callable[[Item], str]
_NAMED = re.compile(r"「([^」]*)」")
_AROUND = 30  # characters before and behind a named word that are read
_NGRAMS = (1, 2, 3, 4)


class FittedEngine:
    """Answers with a function of the item alone."""

    def __init__(self, say: Say) -> None:
        self._say = say

    def answer(self, benchmark: str, item: Item, method: Method) -> Answer:
        """Answer one item: a letter, or a list."""
        return Answer(benchmark, item.id, method, hash_prompt(item), self._say(item))


def fit_baseline(name: str, train: Sequence[Item], seed: int = 0) -> Engine:
    """Fit a baseline to training items.

    Raises:
        ModelCannot: The baseline does not answer items of that form.
        MissingDependency: scikit-learn or python-crfsuite is not installed.
    """
    forms, fit = BASELINES[name]
    if not fits(name, train):
        raise ModelCannot(where=name, found=f"form {train[0].form}", expected=", ".join(forms))
    return FittedEngine(fit(train, seed))


def fits(name: str, items: Sequence[Item]) -> bool:
    """Say whether a baseline answers such items."""
    is_pair = text_of(items[0])[1] is not None
    return items[0].form in BASELINES[name][0] and (is_pair or name != "similarity-boosting")


def fit_constant(train: Sequence[Item], seed: int) -> Say:
    """Answer a question always with its most frequent answer, entities with the likeliest one."""
    by_tag = _by_tag(train)
    said: dict[str, str] = {}
    for tag, items in by_tag.items():
        counts = collections.Counter(gold for item in items for gold in item.gold)
        best = min(counts, key=lambda one: (-counts[one], one))
        said[tag] = repr([best]) if items[0].form == "entities" else best
    return lambda item: said.get(item.tag, "")


def fit_dictionary(train: Sequence[Item], seed: int) -> Say:
    """Mark every longest match of an entity of the training rows."""
    words = {tag: {g for item in items for g in item.gold} for tag, items in _by_tag(train).items()}

    def say(item: Item) -> str:
        text = document_text(item.question)
        spans = find_entities(text, words.get(item.tag, ()), item.tag)
        return repr(list(dict.fromkeys(text[span.start : span.end] for span in spans)))

    return say


def fit_character_crf(train: Sequence[Item], seed: int) -> Say:
    """Tag characters with a linear-chain CRF, one for each question."""
    taggers = {
        tag: train_character_crf(
            (text, [(s.start, s.end) for s in find_entities(text, item.gold, tag)])
            for item in items
            for text in [document_text(item.question)]
        )
        for tag, items in _by_tag(train).items()
    }

    def say(item: Item) -> str:
        text = document_text(item.question)
        spans = taggers[item.tag](text) if item.tag in taggers else []
        return repr(list(dict.fromkeys(text[start:end] for start, end in spans)))

    return say


def fit_tf_idf(train: Sequence[Item], seed: int) -> Say:
    """Fit logistic regression over TF-IDF of character 1- to 4-grams, one for each question."""
    text_features, linear = _sklearn("feature_extraction.text"), _sklearn("linear_model")
    models: dict[str, tuple[Any, Any]] = {}
    for tag, items in _by_tag(train).items():
        vectors = text_features.TfidfVectorizer(
            analyzer="char", ngram_range=(1, 4), sublinear_tf=True
        )
        matrix = vectors.fit_transform([_readable(item) for item in items])
        model = linear.LogisticRegression(C=30, max_iter=1_000, class_weight="balanced")
        models[tag] = vectors, model.fit(matrix, [item.gold[0] for item in items])

    def say(item: Item) -> str:
        if item.tag not in models:
            return ""
        vectors, model = models[item.tag]
        return str(model.predict(vectors.transform([_readable(item)]))[0])

    return say


def _readable(item: Item) -> str:
    """Return what TF-IDF reads: where the question names a word, what stands around it.

    The word itself becomes a mark, beside its own letters.
    """
    text, other = text_of(item)
    named = _NAMED.search(item.question.partition("\n")[0])
    if named is None:
        return text if other is None else f"{text}\n{other}"
    word, document = normalize(named.group(1)), normalize(document_text(item.question))
    places = [match.start() for match in re.finditer(re.escape(word), document)]
    around = (
        f"{document[max(0, place - _AROUND) : place]}\0"
        f"{document[place + len(word) : place + len(word) + _AROUND]}"
        for place in places
    )
    return "\n".join([word, *around])


def fit_similarity_boosting(train: Sequence[Item], seed: int) -> Say:
    """Fit gradient-boosted trees on how two sentences overlap; the nearest level is the answer."""
    ensemble = _sklearn("ensemble")
    model = ensemble.HistGradientBoostingRegressor(
        learning_rate=0.05, max_iter=200, max_leaf_nodes=15, random_state=seed
    )
    levels = [item.letters.index(item.gold[0]) for item in train]
    model.fit(np.array([_overlaps(item) for item in train]), np.array(levels))

    def say(item: Item) -> str:
        level = float(model.predict(np.array([_overlaps(item)]))[0])
        return item.letters[min(len(item.choices) - 1, max(0, round(level)))]

    return say


def _overlaps(item: Item) -> list[float]:
    """Return the overlap of n-grams both ways, of numbers, of edges, and the lengths."""
    first, second = (part or "" for part in text_of(item))
    found: list[float] = []
    for n in _NGRAMS:
        a, b = ({text[i : i + n] for i in range(len(text) - n + 1)} for text in (first, second))
        both = len(a & b)
        found += [both / max(1, len(a | b)), both / max(1, len(a)), both / max(1, len(b))]
    numbers = [set(re.findall(r"\d+(?:\.\d+)?", text)) for text in (first, second)]
    found.append(len(numbers[0] & numbers[1]) / max(1, len(numbers[0] | numbers[1])))
    found += [_shared_prefix(first, second), _shared_prefix(first[::-1], second[::-1])]
    lengths = sorted((len(first), len(second)))
    return [*found, lengths[0] / max(1, lengths[1]), float(lengths[1])]


def _shared_prefix(first: str, second: str) -> float:
    n_shared = next(
        (n for n, (a, b) in enumerate(zip(first, second, strict=False)) if a != b),
        min(len(first), len(second)),
    )
    return n_shared / max(1, min(len(first), len(second)))


def _by_tag(items: Iterable[Item]) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = collections.defaultdict(list)
    for item in items:
        found[item.tag].append(item)
    return dict(sorted(found.items()))


def _sklearn(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(f"sklearn.{module}")
    except ImportError:
        raise MissingDependency(
            where="baselines", found="scikit-learn", expected="baselines"
        ) from None


_CHOICES: tuple[Form, ...] = ("choice", "similarity")
Fit = Callable[[Sequence[Item], int], Say]
BASELINES: dict[str, tuple[tuple[Form, ...], Fit]] = {
    "constant": ((*_CHOICES, "entities"), fit_constant),
    "tf-idf": (_CHOICES, fit_tf_idf),
    "similarity-boosting": (_CHOICES, fit_similarity_boosting),
    "dictionary": (("entities",), fit_dictionary),
    "character-crf": (("entities",), fit_character_crf),
}
