"""Learning to tag: gold spans to rows of tags, and batches of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from rinsho.console import say
from rinsho.manifest import OpenFolder
from rinsho.model.tagger import Tagger, load_tagger_over
from rinsho.model.tags import TagSet
from rinsho.text.spans import Span
from rinsho.training.examples import Example
from rinsho.training.finetune import FinetuneConfig
from rinsho.training.loop import Finished
from rinsho.training.session import Session
from rinsho.training.span_examples import Notes, count_unused, span_f1, spans_of
from rinsho.training.windowed import EpochOrder, fill, run_head

if TYPE_CHECKING:
    from rinsho.model.decoder_protocol import TrainableDecoder


def tag_sets(examples: Iterable[Example]) -> dict[str, TagSet]:
    """Return for each task the tags of every pair of label and certainty in its spans."""
    pairs: dict[str, set[tuple[str, str]]] = {}
    for example in examples:
        for task, spans in spans_of(example).items():
            pairs.setdefault(task, set()).update((s.label, s.certainty) for s in spans)
    return {task: TagSet(tuple(sorted(found))) for task, found in sorted(pairs.items()) if found}


def go_on_tagging(
    decoder: TrainableDecoder, base: Path, new: Mapping[str, TagSet], *, is_causal: bool
) -> Tagger:
    """Return a tagger that goes on from the heads of a base.

    Args:
        decoder: Of the base.
        base: A folder of `finetune` with form = "tagging".
        new: The tags of the examples, by task; those that the base lacks start from nothing.
        is_causal: How the decoder reads from now on.
    """
    known = load_tagger_over(decoder, base)
    before = {task: head.tags for task, head in known.heads.items()}
    pairs = {
        task: {pair for tags in (before.get(task), new.get(task)) if tags for pair in tags.pairs}
        for task in {**before, **new}
    }
    sets = {task: TagSet(tuple(sorted(found))) for task, found in sorted(pairs.items())}
    tagger = Tagger(decoder, known.tokenizer, sets, is_causal=is_causal)
    for task, head in known.heads.items():
        tagger.heads[task].continue_from(head)
    n_pairs = sum(len(tags.pairs) for tags in before.values())
    say(
        f"ベースのタグ付けヘッド（{n_pairs} 種類）から続けて学習します",
        f"going on from the tagging head of the base ({n_pairs} kinds)",
    )
    return tagger


@dataclass(frozen=True, slots=True)
class TagExample:
    """One window of a text: its tokens behind `<s>`, and for each task a tag for each of them."""

    document_id: str
    tokens: tuple[int, ...]  # with `<s>`
    tags: Mapping[str, tuple[int, ...]]  # without


@dataclass(frozen=True, slots=True)
class TagExamples:
    """All windows of the training split, and how well spans fit tokens."""

    examples: tuple[TagExample, ...]
    n_spans: int
    n_misaligned: int
    n_lost: int


def to_examples(examples: Iterable[Example], tagger: Tagger) -> TagExamples:
    """Cut texts into windows and tag their tokens.

    A span that two windows see is counted by the one whose core it begins in; one that is whole in
    no window counts as lost.
    """
    rows: list[TagExample] = []
    n_spans = n_misaligned = n_found = 0
    for example in examples:
        by_task = {t: spans for t, spans in spans_of(example).items() if t in tagger.heads}
        n_spans += sum(len(spans) for spans in by_task.values())
        whole: dict[str, set[Span]] = {task: set() for task in by_task}
        for window in tagger.windows(example.text):
            start, end = window.offsets[0][0], window.offsets[-1][1]
            tags: dict[str, tuple[int, ...]] = {}
            for task, spans in by_task.items():
                inside = [s for s in spans if start <= s.start and s.end <= end]
                new = [s for s in inside if s not in whole[task]]
                tagged = tagger.heads[task].tags.to_tags(inside, window.offsets, example.text)
                tags[task] = tagged.tags
                whole[task].update(inside)
                n_found += max(0, len(new) - tagged.n_lost)
                n_misaligned += min(len(new), tagged.n_misaligned)
            tokens = (tagger.tokenizer.bos_id, *window.tokens)
            rows.append(TagExample(example.id, tokens, tags))
    return TagExamples(tuple(rows), n_spans, n_misaligned, n_spans - n_found)


@dataclass(frozen=True, slots=True)
class TaskTags:
    """The tags of one task in a batch."""

    rows: Tensor  # (R,), int64: windows of the batch that the task looked at
    tags: Tensor  # (R, L), int64, 0 behind a row's end


@dataclass(frozen=True, slots=True)
class TagBatch:
    """Windows that go through the model at once."""

    tokens: Tensor  # (T,), int64
    segment_lengths: tuple[int, ...]  # `<s>` included
    lengths: Tensor  # (B,), int64, without `<s>`
    tasks: Mapping[str, TaskTags]
    document_ids: tuple[str, ...]

    @property
    def n_counted(self) -> int:
        """Return the number of tags."""
        return sum(int(self.lengths[task.rows].sum()) for task in self.tasks.values())

    @property
    def n_tokens(self) -> int:
        """Return the number of tokens that go through the model."""
        return len(self.tokens)


def to_tag_batch(examples: Sequence[TagExample]) -> TagBatch:
    """Return the batch of some windows."""
    longest = max(len(example.tokens) - 1 for example in examples)
    tasks = sorted({task for example in examples for task in example.tags})
    return TagBatch(
        torch.tensor([token for example in examples for token in example.tokens]),
        tuple(len(example.tokens) for example in examples),
        torch.tensor([len(example.tokens) - 1 for example in examples]),
        {task: _task_tags(task, examples, longest) for task in tasks},
        tuple(dict.fromkeys(example.document_id for example in examples)),
    )


def _task_tags(task: str, examples: Sequence[TagExample], longest: int) -> TaskTags:
    rows = [place for place, example in enumerate(examples) if task in example.tags]
    tags = [torch.tensor(examples[place].tags[task]) for place in rows]
    padded = pad_sequence([*tags, torch.zeros(longest, dtype=torch.int64)], batch_first=True)
    return TaskTags(torch.tensor(rows), padded[:-1])


class TaggingObjective:
    """The tags of annotated texts.

    Args:
        tagger: The model.
        examples: Windows of the training split.
        validation: Held-out texts with spans.
        order: What is read when.
    """

    def __init__(
        self,
        tagger: Tagger,
        examples: Sequence[TagExample],
        validation: Sequence[Example],
        order: EpochOrder,
    ) -> None:
        self.module, self._examples, self._validation = tagger, examples, validation
        self._order = order

    def n_steps(self, epoch: int) -> int:
        """Return the steps of an epoch."""
        return self._order.n_steps(epoch)

    def batches(self, epoch: int, step: int) -> list[TagBatch]:
        """Return the batches of a step; windows of like length go together."""
        rows = [self._examples[place] for place in self._order.step(epoch, step)]
        rows.sort(key=lambda e: (len(e.tokens), e.document_id))
        sizes = [len(row.tokens) for row in rows]
        parts = fill(sizes, self._order.micro_batch_tokens)
        return [to_tag_batch([rows[place] for place in part]) for part in parts]

    def summed_loss(self, batch: TagBatch) -> Tensor:
        """Return -ln p(tags) summed over windows and tasks, in nats."""
        hidden_BLD = self.module.hidden(batch.tokens, batch.segment_lengths)
        losses = [
            self.module.heads[task].summed_loss(
                hidden_BLD[given.rows], given.tags, batch.lengths[given.rows]
            )
            for task, given in batch.tasks.items()
        ]
        return torch.stack(losses).sum()

    def measure(self) -> Mapping[str, float]:
        """Return micro F1 of exact spans, label and certainty included, on held-out texts."""
        if not self._validation:
            return {}
        found = self.module.spans_by_task([example.text for example in self._validation])
        pairs = [
            (spans, by_task.get(task, ()))
            for example, by_task in zip(self._validation, found, strict=True)
            for task, spans in spans_of(example).items()
        ]
        return {"span_f1": round(span_f1([g for g, _ in pairs], [f for _, f in pairs]), 6)}

    def goodness(self, measures: Mapping[str, float]) -> float | None:
        """Keep the weights with the best F1."""
        return measures.get("span_f1")


def train_tagger(
    tagger: Tagger, notes: Notes, config: FinetuneConfig, session: Session, folder: OpenFolder
) -> Finished:
    """Train a tagger on the training split of some texts."""
    unused = count_unused(notes, is_tagging=True)
    examples = to_examples(notes.train, tagger)
    order = EpochOrder([len(example.tokens) for example in examples.examples], config)
    objective = TaggingObjective(tagger, examples.examples, notes.validation, order)
    finished = run_head(objective, config, session, folder, "タグ付けの学習", "training to tag")
    folder.count(
        n_train_documents=len(notes.train),
        n_validation_documents=len(notes.validation),
        n_skipped_documents=dict(notes.n_skipped),
        n_spans=examples.n_spans,
        n_misaligned_spans=examples.n_misaligned,
        n_lost_spans=examples.n_lost,
        span_f1=max((line["span_f1"] for line in finished.log if "span_f1" in line), default=None),
        **unused,
    )
    return finished
