"""Learning classes, labels and numbers of texts: targets, batches by text, measures on held-out."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from rinsho.console import say
from rinsho.manifest import OpenFolder
from rinsho.model.heads import (
    Judgement,
    Rows,
    TaskKind,
    TextHeads,
    TextTask,
    load_text_heads,
    n_tokens,
    summed_text_loss,
)
from rinsho.training.examples import Answer, Example
from rinsho.training.finetune import FinetuneConfig
from rinsho.training.loop import Finished
from rinsho.training.session import Session
from rinsho.training.span_examples import Notes, count_unused
from rinsho.training.windowed import EpochOrder, fill, run_head

if TYPE_CHECKING:
    from rinsho.model.decoder_protocol import TrainableDecoder


def text_tasks(examples: Iterable[Example]) -> tuple[TextTask, ...]:
    """Return the questions that examples answer, with the labels that occur in them."""
    answers: dict[tuple[str, TaskKind], list[Answer]] = {}
    for example in examples:
        for (task, kind), answer in example.answers.items():
            if kind not in ("spans", "relations"):
                answers.setdefault((task, kind), []).append(answer)
    return tuple(
        task
        for (name, kind), given in sorted(answers.items())
        if (task := _task(name, kind, given))
    )


def go_on_relating(
    decoder: TrainableDecoder, base: Path, new: TextTask, *, is_causal: bool
) -> TextHeads:
    """Return a head that goes on from that of a base.

    Args:
        decoder: Of the base.
        base: A folder of `finetune` with form = "relation".
        new: The kinds of the examples; those that the base lacks start from nothing.
        is_causal: How the decoder reads from now on.
    """
    known = load_text_heads(base, ("relation",))
    (before,), (theirs,) = known.tasks, known.head
    task = dataclasses.replace(before, labels=tuple(dict.fromkeys((*before.labels, *new.labels))))
    heads = TextHeads(decoder, known.tokenizer, [task], form="relation", is_causal=is_causal)
    (mine,) = heads.head
    with torch.no_grad():
        for name, learned in theirs.named_parameters():
            mine.get_parameter(name)[: len(before.labels)] = learned
    say(
        f"ベースの関係ヘッド（{len(before.labels)} 種類）から続けて学習します",
        f"going on from the relation head of the base ({len(before.labels)} kinds)",
    )
    return heads


def _task(name: str, kind: TaskKind, answers: Sequence[Answer]) -> TextTask | None:
    if kind == "value":
        numbers = [cast(float, answer) for answer in answers]
        spread = statistics.pstdev(numbers)
        return TextTask(name, kind, (), statistics.fmean(numbers), spread or 1.0)
    labels = sorted({label for answer in answers for label in _labels(answer)})
    return TextTask(name, kind, tuple(labels)) if labels else None


def _labels(answer: Answer) -> tuple[str, ...]:
    return (answer,) if isinstance(answer, str) else cast(tuple[str, ...], answer)


def target(task: TextTask, answer: Answer) -> tuple[float, ...] | None:
    """Return the target row of an answer; None where no label of it is known."""
    if task.kind == "value":
        return ((cast(float, answer) - task.mean) / task.scale,)
    given = _labels(answer)
    if task.kind == "label" and given[0] not in task.labels:
        return None
    return tuple(float(label in given) for label in task.labels)


@dataclass(frozen=True, slots=True)
class TextRow:
    """A text as it is learned: its tokens, and a target for each task that was answered."""

    document_id: str
    rows: tuple[Rows, ...]
    targets: Mapping[int, tuple[float, ...]]  # by the task's place


@dataclass(frozen=True, slots=True)
class TextBatch:
    """Texts that go through the model at once."""

    rows: tuple[TextRow, ...]

    @property
    def n_counted(self) -> int:
        """Return the number of answers."""
        return sum(len(row.targets) for row in self.rows)

    @property
    def n_tokens(self) -> int:
        """Return the number of tokens that go through the model."""
        return sum(n_tokens(row.rows) for row in self.rows)

    @property
    def document_ids(self) -> tuple[str, ...]:
        """Return the ids of the texts."""
        return tuple(row.document_id for row in self.rows)


def to_text_rows(examples: Iterable[Example], heads: TextHeads) -> list[TextRow]:
    """Encode texts once for all of their answers."""
    found: list[TextRow] = []
    for example in examples:
        targets = {
            place: row
            for place, task in enumerate(heads.tasks)
            if (answer := example.answers.get((task.name, task.kind))) is not None
            and (row := target(task, answer)) is not None
        }
        if targets:
            found.append(TextRow(example.id, heads.rows((example.text, example.text_b)), targets))
    return found


class TextObjective:
    """The answers to questions about texts.

    Args:
        heads: The model.
        rows: Of the training split.
        validation: Held-out examples.
        order: What is read when.
    """

    def __init__(
        self,
        heads: TextHeads,
        rows: Sequence[TextRow],
        validation: Sequence[Example],
        order: EpochOrder,
    ) -> None:
        self.module, self._rows, self._validation, self._order = heads, rows, validation, order

    def n_steps(self, epoch: int) -> int:
        """Return the steps of an epoch."""
        return self._order.n_steps(epoch)

    def batches(self, epoch: int, step: int) -> list[TextBatch]:
        """Return the batches of a step; texts of like length go together."""
        rows = [self._rows[place] for place in self._order.step(epoch, step)]
        rows.sort(key=lambda row: (n_tokens(row.rows), row.document_id))
        parts = fill([n_tokens(row.rows) for row in rows], self._order.micro_batch_tokens)
        return [TextBatch(tuple(rows[place] for place in part)) for part in parts]

    def summed_loss(self, batch: TextBatch) -> Tensor:
        """Return the loss summed over texts and tasks."""
        outputs = self.module.outputs(self.module.features([row.rows for row in batch.rows]))
        losses: list[Tensor] = []
        for place, (task, outputs_NK) in enumerate(zip(self.module.tasks, outputs, strict=True)):
            answered = [n for n, row in enumerate(batch.rows) if place in row.targets]
            if answered:
                targets = [batch.rows[n].targets[place] for n in answered]
                targets_NK = torch.tensor(targets, device=outputs_NK.device)
                losses.append(summed_text_loss(task, outputs_NK[answered], targets_NK))
        return torch.stack(losses).sum()

    def measure(self) -> Mapping[str, float]:
        """Return how good the heads are on held-out texts, by kind of task."""
        if not self._validation:
            return {}
        said = self.module.judge([(e.text, e.text_b) for e in self._validation])
        return measure_texts(self.module.tasks, self._validation, said)

    def goodness(self, measures: Mapping[str, float]) -> float | None:
        """Keep the weights with the best mean over the measures."""
        return statistics.fmean(measures.values()) if measures else None


def measure_texts(
    tasks: Sequence[TextTask], examples: Sequence[Example], said: Sequence[Sequence[Judgement]]
) -> dict[str, float]:
    """Return means over the tasks of a kind: kappa of classes, micro F1 of labels, r of numbers.

    A label that training has never seen counts as a wrong answer.
    """
    scores: dict[str, list[float]] = {}
    for place, task in enumerate(tasks):
        pairs = [
            (answer, judgements[place])
            for example, judgements in zip(examples, said, strict=True)
            if (answer := example.answers.get((task.name, task.kind))) is not None
        ]
        if not pairs:
            continue
        if task.kind == "label":
            score = _kappa([(cast(str, gold), one.labels[0]) for gold, one in pairs])
        elif task.kind == "labels":
            score = _micro_f1([(set(_labels(gold)), set(one.labels)) for gold, one in pairs])
        else:
            score = _pearson([(cast(float, gold), one.value or 0.0) for gold, one in pairs])
        scores.setdefault(_MEASURES[task.kind], []).append(score)
    return {name: round(statistics.fmean(values), 6) for name, values in scores.items()}


_MEASURES: dict[TaskKind, str] = {"label": "kappa", "labels": "label_f1", "value": "pearson"}


def _kappa(pairs: Sequence[tuple[str, str]]) -> float:
    """Return Cohen's kappa; where all gold answers are one class, the share that is right."""
    gold, said = Counter(g for g, _ in pairs), Counter(s for _, s in pairs)
    observed = sum(g == s for g, s in pairs) / len(pairs)
    expected = sum(n * said[label] for label, n in gold.items()) / len(pairs) ** 2
    if len(gold) == 1 or expected == 1:
        return observed
    return (observed - expected) / (1 - expected)


def _micro_f1(pairs: Sequence[tuple[set[str], set[str]]]) -> float:
    n_both = sum(len(g) + len(s) for g, s in pairs)
    return 2 * sum(len(g & s) for g, s in pairs) / n_both if n_both else 1.0


def _pearson(pairs: Sequence[tuple[float, float]]) -> float:
    """Return the correlation; 0 where one side does not vary."""
    gold, said = [g for g, _ in pairs], [s for _, s in pairs]
    if len(set(gold)) < 2 or len(set(said)) < 2 or not all(map(math.isfinite, said)):
        return 0.0
    return statistics.correlation(gold, said)


def n_unknown_answers(tasks: Sequence[TextTask], examples: Iterable[Example]) -> int:
    """Return how many answers hold a label that no task has."""
    known = {(task.name, task.kind): set(task.labels) for task in tasks if task.kind != "value"}
    return sum(
        not set(_labels(answer)) <= known[key]
        for example in examples
        for key, answer in example.answers.items()
        if key in known
    )


def train_text_heads(
    heads: TextHeads, notes: Notes, config: FinetuneConfig, session: Session, folder: OpenFolder
) -> Finished:
    """Train pooled or pair heads on the training split of some examples."""
    unused = count_unused(notes, is_tagging=False)
    rows = to_text_rows(notes.train, heads)
    n_unknown = n_unknown_answers(heads.tasks, notes.validation)
    if n_unknown:
        say(
            f"検証用の回答 {n_unknown} 件に、学習用にないラベルがあります（誤りと数えます）",
            f"{n_unknown} held-out answers have a label that training lacks: counted as wrong",
        )
    order = EpochOrder([n_tokens(row.rows) for row in rows], config)
    objective = TextObjective(heads, rows, notes.validation, order)
    finished = run_head(objective, config, session, folder, "文の判定の学習", "training heads")
    measured = [line for line in finished.log if set(line) & set(_MEASURES.values())]
    folder.count(
        n_train_documents=len(notes.train),
        n_validation_documents=len(notes.validation),
        n_skipped_documents=dict(notes.n_skipped),
        n_answers=sum(len(row.targets) for row in rows),
        n_unknown_validation_answers=n_unknown,
        **unused,
        **{
            name: max(line[name] for line in measured if name in line)
            for name in _MEASURES.values()
            if any(name in line for line in measured)
        },
    )
    return finished
