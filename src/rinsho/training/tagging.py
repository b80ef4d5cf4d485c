"""Learning to tag: gold spans to rows of tags, batches of them, and span F1 on held-out notes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from rinsho.corpus.document import Document
from rinsho.corpus.sample import sample_key
from rinsho.corpus.splits import split_of
from rinsho.manifest import OpenFolder
from rinsho.model.tagger import Tagger
from rinsho.model.tags import TagSet
from rinsho.text.spans import Span
from rinsho.training.finetune import FinetuneConfig
from rinsho.training.loop import Finished, Loop
from rinsho.training.optimizer import new_optimizer
from rinsho.training.session import Session
from rinsho.training.state import CheckpointStore, environment


@dataclass(slots=True)
class Notes:
    """The annotated documents of the two splits that training uses."""

    train: list[Document] = field(default_factory=list[Document])
    validation: list[Document] = field(default_factory=list[Document])
    n_skipped: Counter[str] = field(default_factory=Counter[str])  # by reason


def sort_notes(documents: Iterable[Document], max_documents: int | None = None) -> Notes:
    """Sort documents by split; those without annotation and the test split are skipped, counted.

    Args:
        documents: Of every split.
        max_documents: Of the training split, chosen by a hash of their ids.
    """
    notes = Notes()
    for document in documents:
        split = split_of(document)
        if document.spans is None:
            notes.n_skipped["not annotated"] += 1
        elif split == "test":
            notes.n_skipped["test split"] += 1
        else:
            (notes.train if split == "train" else notes.validation).append(document)
    if max_documents is not None and len(notes.train) > max_documents:
        notes.n_skipped["max_documents"] = len(notes.train) - max_documents
        notes.train = sorted(notes.train, key=sample_key)[:max_documents]
    return notes


def tag_set(documents: Iterable[Document]) -> TagSet:
    """Return the tags for every pair of label and certainty in some documents."""
    return TagSet(tuple(sorted({(s.label, s.certainty) for d in documents for s in d.spans or ()})))


@dataclass(frozen=True, slots=True)
class TagExample:
    """One window of a document: its tokens behind `<s>`, and a tag for each of them."""

    document_id: str
    tokens: tuple[int, ...]  # with `<s>`
    tags: tuple[int, ...]  # without


@dataclass(frozen=True, slots=True)
class TagExamples:
    """All windows of the training split, and how well spans fit tokens."""

    examples: tuple[TagExample, ...]
    n_spans: int
    n_misaligned: int
    n_lost: int


def to_examples(documents: Iterable[Document], tagger: Tagger) -> TagExamples:
    """Cut documents into windows and tag their tokens; a span over two windows counts as lost."""
    examples: list[TagExample] = []
    n_spans = n_misaligned = n_found = 0
    for document in documents:
        spans = document.spans or ()
        n_spans += len(spans)
        for window in tagger.windows(document.text):
            start, end = window.offsets[0][0], window.offsets[-1][1]
            inside = [s for s in spans if start <= s.start and s.end <= end]
            tagged = tagger.tags.to_tags(inside, window.offsets, document.text)
            n_misaligned += tagged.n_misaligned
            n_found += len(inside) - tagged.n_lost
            tokens = (tagger.tokenizer.bos_id, *window.tokens)
            examples.append(TagExample(document.id, tokens, tagged.tags))
    return TagExamples(tuple(examples), n_spans, n_misaligned, n_spans - n_found)


@dataclass(frozen=True, slots=True)
class TagBatch:
    """Windows that go through the model at once."""

    tokens: Tensor  # (T,), int64
    segment_lengths: tuple[int, ...]  # `<s>` included
    tags: Tensor  # (B, L), int64, 0 behind a row's end
    lengths: Tensor  # (B,), int64, without `<s>`
    document_ids: tuple[str, ...]

    @property
    def n_counted(self) -> int:
        """Return the number of tags."""
        return int(self.lengths.sum())

    @property
    def n_tokens(self) -> int:
        """Return the number of tokens that go through the model."""
        return len(self.tokens)


def to_tag_batch(examples: Sequence[TagExample]) -> TagBatch:
    """Return the batch of some windows."""
    return TagBatch(
        torch.tensor([token for example in examples for token in example.tokens]),
        tuple(len(example.tokens) for example in examples),
        pad_sequence([torch.tensor(example.tags) for example in examples], batch_first=True),
        torch.tensor([len(example.tags) for example in examples]),
        tuple(dict.fromkeys(example.document_id for example in examples)),
    )


class TaggingObjective:
    """The tags of annotated documents.

    Args:
        tagger: The model.
        examples: Windows of the training split.
        validation: Held-out documents with spans.
        batch_tokens: Tokens of a step, at most; one window at least.
        micro_batch_tokens: Tokens of a batch, at most; one window at least.
        seed: Of the run.
    """

    def __init__(
        self,
        tagger: Tagger,
        examples: Sequence[TagExample],
        validation: Sequence[Document],
        *,
        batch_tokens: int,
        micro_batch_tokens: int,
        seed: int,
    ) -> None:
        self.module, self._examples, self._validation = tagger, examples, validation
        self._batch_tokens, self._micro_batch_tokens = batch_tokens, micro_batch_tokens
        self._seed = seed
        self._steps: tuple[int, list[list[TagExample]]] = (-1, [])

    def _epoch(self, epoch: int) -> list[list[TagExample]]:
        if self._steps[0] != epoch:
            order = np.random.default_rng([self._seed, epoch]).permutation(len(self._examples))
            self._steps = (epoch, _fill([self._examples[i] for i in order], self._batch_tokens))
        return self._steps[1]

    def n_steps(self, epoch: int) -> int:
        """Return the steps of an epoch."""
        return len(self._epoch(epoch))

    def batches(self, epoch: int, step: int) -> list[TagBatch]:
        """Return the batches of a step; windows of like length go together."""
        examples = sorted(self._epoch(epoch)[step], key=lambda e: (len(e.tokens), e.document_id))
        return [to_tag_batch(some) for some in _fill(examples, self._micro_batch_tokens)]

    def summed_loss(self, batch: TagBatch) -> Tensor:
        """Return -ln p(tags) summed over the windows, in nats."""
        emissions_BLC = self.module.emissions(batch.tokens, batch.segment_lengths)
        return self.module.crf.summed_loss(emissions_BLC, batch.tags, batch.lengths)

    def measure(self) -> Mapping[str, float]:
        """Return micro F1 of exact spans, label and certainty included, on held-out documents."""
        if not self._validation:
            return {}
        found = self.module.spans_of([document.text for document in self._validation])
        gold = [document.spans or () for document in self._validation]
        return {"span_f1": round(span_f1(gold, found), 6)}

    def goodness(self, measures: Mapping[str, float]) -> float | None:
        """Keep the weights with the best F1."""
        return measures.get("span_f1")


def _fill(examples: Sequence[TagExample], n_tokens: int) -> list[list[TagExample]]:
    filled: list[list[TagExample]] = []
    room = 0
    for example in examples:
        if len(example.tokens) > room:
            filled.append([])
            room = n_tokens
        filled[-1].append(example)
        room -= len(example.tokens)
    return filled


def span_f1(gold: Sequence[Iterable[Span]], found: Sequence[Iterable[Span]]) -> float:
    """Return micro F1 over documents: a span is right if borders, label and certainty are.

    >>> span_f1([[Span(0, 2, "drug"), Span(3, 4, "dose")]], [[Span(0, 2, "drug")]])
    0.6666666666666666
    """
    n_right = sum(len(set(a) & set(b)) for a, b in zip(gold, found, strict=True))
    n_both = sum(len(set(spans)) for spans in (*gold, *found))
    return 2 * n_right / n_both if n_both else 1.0


def train_tagger(
    tagger: Tagger, notes: Notes, config: FinetuneConfig, session: Session, folder: OpenFolder
) -> Finished:
    """Train a tagger on the training split of some notes."""
    examples = to_examples(notes.train, tagger)
    objective = TaggingObjective(
        tagger,
        examples.examples,
        notes.validation,
        batch_tokens=config.batch_tokens,
        micro_batch_tokens=config.micro_batch_tokens,
        seed=config.seed,
    )
    optimizer = new_optimizer(tagger, config, head_learning_rate=config.head_learning_rate)
    store = CheckpointStore(folder.checkpoints, environment(session.threads, session.precision))
    folder.threads, folder.precision = session.threads, session.precision
    loop = Loop(objective, optimizer, config, session, store)
    finished = loop.run("タグ付けの学習", "training to tag", config.patience)
    folder.count(
        n_train_documents=len(notes.train),
        n_validation_documents=len(notes.validation),
        n_skipped_documents=dict(notes.n_skipped),
        n_spans=examples.n_spans,
        n_misaligned_spans=examples.n_misaligned,
        n_lost_spans=examples.n_lost,
        span_f1=max((line["span_f1"] for line in finished.log if "span_f1" in line), default=None),
    )
    return finished
