"""What can answer: a language model, the dictionary, a trained tagger, a character 5-gram."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Protocol

from rinsho.errors import MissingInput, NothingToRead
from rinsho.evaluation.answer_record import Answer, Method
from rinsho.evaluation.benchmark import Form, Item
from rinsho.evaluation.jmed_llm import document_text
from rinsho.evaluation.kneser_ney import KneserNey, train_kneser_ney
from rinsho.evaluation.parse import format_spans
from rinsho.evaluation.prompts import hash_prompt
from rinsho.evaluation.texts import training_texts
from rinsho.manifest import FinishedFolder
from rinsho.text.normalize import normalize_with_offsets
from rinsho.text.spans import Span, sort_spans

EngineName = Literal["model", "dictionary", "tagger", "kneser-ney"]
# Which methods an engine has for each form of benchmark; what is not listed it cannot do.
METHODS: dict[EngineName, dict[Form, tuple[Method, ...]]] = {
    "model": {
        "choice": ("generation", "log-likelihood"),
        "similarity": ("generation", "log-likelihood"),
        "entities": ("generation",),
        "text": ("log-likelihood",),
    },
    "dictionary": {"spans": ("extraction",), "entities": ("extraction",)},
    "tagger": {"spans": ("extraction",), "entities": ("extraction",)},
    "kneser-ney": {"text": ("log-likelihood",)},
}
# What each tag of the entity tasks asks for, in the labels of spans.
_LABELS_OF_TAG = {"d": ("disease", "symptom"), "m-key": ("drug",), "m-val": ("dose",)}


class Engine(Protocol):
    """Answers one item at a time, so that an answer never depends on its neighbours."""

    def answer(self, benchmark: str, item: Item, method: Method) -> Answer:
        """Answer one item."""
        ...


class SpanTagger(Protocol):
    """Finds spans in normalized text: the dictionary or a trained tagger."""

    def spans(self, text: str) -> tuple[Span, ...]:
        """Return the spans of a text."""
        ...


class SpanEngine:
    """Finds spans in the original text, by way of the normalized one."""

    def __init__(self, tagger: SpanTagger) -> None:
        self._tagger = tagger

    def answer(self, benchmark: str, item: Item, method: Method) -> Answer:
        """Answer with spans, or with the list of those that an entity question asks for."""
        if item.form == "spans":
            output = format_spans(self.spans(item.question))
        else:
            output = self._entities(document_text(item.question), item.tag)
        return Answer(benchmark, item.id, method, hash_prompt(item), output)

    def spans(self, text: str) -> tuple[Span, ...]:
        """Return spans with offsets into the text as it was given."""
        normalized = normalize_with_offsets(text)
        found: list[Span] = []
        for span in self._tagger.spans(normalized.text):
            start, end = normalized.to_original(span.start, span.end)
            found.append(Span(start, end, span.label, span.certainty))
        return sort_spans(found)

    def _entities(self, text: str, tag: str) -> str:
        labels = _LABELS_OF_TAG[tag]
        found = [
            text[span.start : span.end]
            for span in self.spans(text)
            if span.label in labels and span.certainty == "present"
        ]
        return repr(list(dict.fromkeys(found)))


class KneserNeyEngine:
    """Scores texts with a character 5-gram."""

    def __init__(self, model: KneserNey) -> None:
        self._model = model

    def answer(self, benchmark: str, item: Item, method: Method) -> Answer:
        """Return the log-likelihood of a text, its end left out."""
        score = self._model.log_likelihood(item.question)
        return Answer(
            benchmark,
            item.id,
            method,
            hash_prompt(item),
            log_likelihoods=(score,),
            n_tokens=len(item.question),
        )


def open_dictionary() -> Engine:
    """Return the longest-match dictionary over the embedded lexicon, with its rules."""
    from rinsho.text.lexicon import read_demo_lexicon
    from rinsho.text.mentions import DictionaryTagger

    return SpanEngine(DictionaryTagger(read_demo_lexicon()))


def open_tagger(folder: Path) -> Engine:
    """Return a trained tagger."""
    from rinsho.model.tagger import load_tagger

    return SpanEngine(load_tagger(folder))


def open_kneser_ney(documents: tuple[FinishedFolder, ...], max_characters: int) -> Engine:
    """Train the 5-gram on the train split of documents, conversations left out.

    Raises:
        MissingInput: No documents folder was given.
        NothingToRead: None has a document in the train split.
    """
    if not documents:
        raise MissingInput(where="engine kneser-ney", expected="documents")
    texts = list(_first_characters(documents, max_characters))
    if not texts:
        raise NothingToRead(where="engine kneser-ney", expected="documents of the train split")
    return KneserNeyEngine(train_kneser_ney(texts))


def _first_characters(documents: tuple[FinishedFolder, ...], max_characters: int) -> Iterator[str]:
    n_left = max_characters
    for text in training_texts(documents, conversations=False):
        yield text[:n_left]
        n_left -= len(text)
        if n_left <= 0:
            return
