"""What can answer: a language model, the dictionary, a trained head, a character 5-gram."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from rinsho.errors import MissingInput, NothingToRead
from rinsho.evaluation.answer_record import Answer, Method
from rinsho.evaluation.benchmark import Form, Item
from rinsho.evaluation.jmed_llm import document_text
from rinsho.evaluation.kneser_ney import KneserNey, train_kneser_ney
from rinsho.evaluation.parse import format_relations, format_spans
from rinsho.evaluation.prompts import hash_prompt
from rinsho.evaluation.texts import training_texts
from rinsho.manifest import MANIFEST, FinishedFolder, read_manifest
from rinsho.model.relation_finder import RelationFinder, load_relations
from rinsho.text.normalize import normalize_with_offsets
from rinsho.text.relations import CAUSED, nearest_in_sentence
from rinsho.text.spans import STATED, Relation, Span, sort_spans

EngineName = Literal["model", "endpoint", "dictionary", "tagger", "head", "relations", "kneser-ney"]
# Which methods an engine has for each form of benchmark; what is not listed it cannot do.
METHODS: dict[EngineName, dict[Form, tuple[Method, ...]]] = {
    "model": {
        "choice": ("generation", "log-likelihood", "official"),
        "similarity": ("generation", "log-likelihood"),
        "entities": ("generation",),
        "pairs": ("generation",),
        "rating": ("generation",),
        "passage": ("generation",),
        "text": ("log-likelihood",),
    },
    "endpoint": {
        "choice": ("generation", "log-likelihood", "official"),
        "similarity": ("generation", "log-likelihood"),
        "entities": ("generation",),
        "pairs": ("generation",),
        "rating": ("generation",),
        "passage": ("generation",),
    },
    "dictionary": {
        "spans": ("extraction",),
        "entities": ("extraction",),
        "relations": ("extraction",),
    },
    "tagger": {"spans": ("extraction",), "entities": ("extraction",)},
    "head": {"choice": ("head",), "similarity": ("head",)},
    "relations": {"relations": ("head",)},
    "kneser-ney": {"text": ("log-likelihood",)},
}
_N_TEXTS_REMEMBERED = 1_024  # the questions about a document are often far from each other
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


class TaskTagger(SpanTagger, Protocol):
    """A trained tagger: it knows which spans belong to which of its tasks."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """Return the names of the tasks."""
        ...

    def spans_by_task(self, texts: Sequence[str]) -> list[dict[str, tuple[Span, ...]]]:
        """Return the spans of each text."""
        ...


class OneTask:
    """The spans of one task of a tagger."""

    def __init__(self, tagger: TaskTagger, task: str) -> None:
        self._tagger, self._task = tagger, task

    def spans(self, text: str) -> tuple[Span, ...]:
        """Return the spans of a text."""
        return self._tagger.spans_by_task([text])[0][self._task]


class EachTextOnce:
    """A tagger that reads a document once for all of its questions."""

    def __init__(self, tagger: TaskTagger) -> None:
        self._tagger, self.tasks = tagger, tagger.tasks
        self._by_task = functools.lru_cache(_N_TEXTS_REMEMBERED)(self._read)

    def _read(self, text: str) -> dict[str, tuple[Span, ...]]:
        return self._tagger.spans_by_task([text])[0]

    def spans(self, text: str) -> tuple[Span, ...]:
        """Return the spans of a text, those of all tasks together."""
        return sort_spans(span for spans in self._by_task(text).values() for span in spans)

    def spans_by_task(self, texts: Sequence[str]) -> list[dict[str, tuple[Span, ...]]]:
        """Return the spans of each text."""
        return [self._by_task(text) for text in texts]


class SpanEngine:
    """Finds spans in the original text, by way of the normalized one."""

    def __init__(self, tagger: SpanTagger, tasks: Mapping[str, SpanTagger] | None = None) -> None:
        self._tagger, self._tasks = tagger, tasks or {}

    def answer(self, benchmark: str, item: Item, method: Method) -> Answer:
        """Answer with spans, or the list that an entity question asks for; relations by a rule."""
        if item.form == "spans":
            output = format_spans(self.spans(item.question))
        elif item.form == "relations":
            pairs = nearest_in_sentence(item.question, item.gold_spans)
            output = format_relations((Relation(CAUSED, *p) for p in pairs), item.gold_spans)
        else:
            output = self._entities(document_text(item.question), item.tag)
        return Answer(benchmark, item.id, method, hash_prompt(item), output)

    def spans(self, text: str) -> tuple[Span, ...]:
        """Return spans with offsets into the text as it was given."""
        return _spans(self._tagger, text)

    def _entities(self, text: str, tag: str) -> str:
        """Return the list of a tag: of the task called like it, or of the labels it asks for."""
        if tag in self._tasks:
            spans = _spans(self._tasks[tag], text)
        else:
            labels = _LABELS_OF_TAG[tag]
            spans = [span for span in self.spans(text) if span.label in labels]
        found = [text[span.start : span.end] for span in spans if span.certainty in STATED]
        return repr(list(dict.fromkeys(found)))


def _spans(tagger: SpanTagger, text: str) -> tuple[Span, ...]:
    normalized = normalize_with_offsets(text)
    found: list[Span] = []
    for span in tagger.spans(normalized.text):
        start, end = normalized.to_original(span.start, span.end)
        found.append(Span(start, end, span.label, span.certainty))
    return sort_spans(found)


class RelationEngine:
    """Relates the mentions that an item gives."""

    def __init__(self, finder: RelationFinder) -> None:
        self._finder = finder

    def answer(self, benchmark: str, item: Item, method: Method) -> Answer:
        """Return the relations between an item's mentions."""
        found = self._finder.relations(item.question, item.gold_spans)
        output = format_relations(found, item.gold_spans)
        return Answer(benchmark, item.id, method, hash_prompt(item), output)


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
    """Return the longest-match dictionary over the embedded lexicon, with its rules.

    Of relations its rule is the nearest drug of the sentence.
    """
    from rinsho.text.mentions import embedded_tagger

    return SpanEngine(embedded_tagger())


def open_tagger(folder: Path) -> Engine:
    """Return what marks spans: a head of `finetune`, CRFs, or a chat model held to quotes."""
    tagger = EachTextOnce(load_span_tagger(folder))
    return SpanEngine(tagger, {task: OneTask(tagger, task) for task in tagger.tasks if task})


def load_span_tagger(folder: Path) -> TaskTagger:
    """Load a tagging head, CRFs, a local token classifier, or a model that was tuned to answer.

    Raises:
        ModelCannot: The folder holds neither; and what loading each of them raises.
    """
    from rinsho.model.crf_tagger import is_crf, load_crf_tagger

    if is_crf(folder):
        return load_crf_tagger(folder)
    from rinsho.model.encoder_tagger import is_encoder, load_encoder_tagger

    if is_encoder(folder):
        return load_encoder_tagger(folder)
    from rinsho.model.head_record import form_of

    if form_of(folder) is None and is_chat(folder):
        from rinsho.generation.decoder_model import load_language_model
        from rinsho.generation.quoting_tagger import QuotingTagger

        return QuotingTagger(load_language_model(folder))
    from rinsho.model.tagger import load_tagger

    return load_tagger(folder)


def is_chat(folder: Path) -> bool:
    """Say whether a folder of `finetune` was tuned to answer; checks nothing."""
    if not (folder / MANIFEST).is_file():
        return False
    identity = read_manifest(folder).identity
    return identity.stage == "finetune" and identity.config.get("form") == "generation"


def open_head(folder: Path) -> Engine:
    """Return a trained head over texts or pairs."""
    from rinsho.evaluation.head_engine import HeadEngine
    from rinsho.model.heads import load_text_heads

    return HeadEngine(load_text_heads(folder))


def open_relations(folder: Path) -> Engine:
    """Return a trained head that relates mentions."""
    return RelationEngine(load_relations(folder))


OPEN_HEAD: dict[EngineName, Callable[[Path], Engine]] = {
    "tagger": open_tagger,
    "head": open_head,
    "relations": open_relations,
}


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
