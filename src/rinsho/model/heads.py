"""Heads over a whole text or a pair of texts: one class, several labels at once, or a number.

A text goes through the decoder once for all tasks; its vector is the mean of the hidden states of
its tokens, each of them once where windows overlap. The form "pooled" puts a linear layer on it (a
pair is read as one text, a line each); the form "pair" reads both texts apart and puts the layer on
(u, v, |u - v|, u * v). The form "relation" does that with two mentions of one text, which stands
between signs (`text.relations`): u and v are the means over their tokens alone.

Source:
    Reimers & Gurevych 2019, "Sentence-BERT", section 3; u * v: Conneau et al. 2017, "InferSent".
"""

# T tokens of all windows one after another, N texts, D d_model

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from rinsho.model.checkpoint import load_decoder, save_weights
from rinsho.model.decoder import Decoder
from rinsho.model.decoder_protocol import TrainableDecoder
from rinsho.model.head_record import broken_record, load_head, read_head, write_head
from rinsho.model.windows import windows_of
from rinsho.text.relations import marked_places
from rinsho.tokenizer.tokenizer import Tokenizer, copy_tokenizer

TextForm = Literal["pooled", "pair", "relation"]
TaskKind = Literal["label", "labels", "value"]
Text = tuple[str, str | None]  # a text, or a pair
_FEATURES_OF_PAIR = 4
_TOKENS_PER_BATCH = 4_096


@dataclass(frozen=True, slots=True)
class Row:
    """A window of a text behind `<s>`, and the part of it that the text's vector is made of.

    Attributes:
        first, last: Half-open, in tokens; every token of the text lies in the part of one row, and
            `<s>` in that of the first.
    """

    tokens: tuple[int, ...]
    first: int
    last: int

    def __len__(self) -> int:
        """Return the tokens that go through the decoder."""
        return len(self.tokens)


Rows = tuple[Row, ...]  # of one text


@dataclass(frozen=True, slots=True)
class TextTask:
    """One question to a text.

    Attributes:
        labels: In the order of the outputs; none for a number.
        mean, scale: Of the numbers in training; the head learns (number - mean) / scale.
    """

    name: str
    kind: TaskKind
    labels: tuple[str, ...] = ()
    mean: float = 0.0
    scale: float = 1.0

    @property
    def n_outputs(self) -> int:
        """Return the width of the head."""
        return 1 if self.kind == "value" else len(self.labels)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a head says about a text."""

    task: str
    kind: TaskKind
    labels: tuple[str, ...] = ()  # the one class, or every label that is likelier than not
    probabilities: tuple[tuple[str, float], ...] = ()  # of each label of the task
    value: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        if self.kind == "value":
            return {"task": self.task, "value": self.value}
        said = self.labels[0] if self.kind == "label" else list(self.labels)
        return {"task": self.task, self.kind: said, "probabilities": dict(self.probabilities)}


class TextHeads(nn.Module):
    """A decoder with a linear head per task; heads start from zero.

    Args:
        decoder: The trunk.
        tokenizer: The one that the decoder was trained with.
        tasks: The questions.
        form: How texts become vectors.
        is_causal: Whether a token sees only those before it.
    """

    def __init__(
        self,
        decoder: TrainableDecoder,
        tokenizer: Tokenizer,
        tasks: Sequence[TextTask],
        *,
        form: TextForm = "pooled",
        is_causal: bool = False,
    ) -> None:
        super().__init__()
        self.decoder, self.tokenizer, self.is_causal = decoder, tokenizer, is_causal
        self.tasks = tuple(tasks)
        self.form: TextForm = form
        width = decoder.config.d_model * (1 if form == "pooled" else _FEATURES_OF_PAIR)
        self.head = nn.ModuleList([nn.Linear(width, task.n_outputs) for task in tasks])
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)

    def rows(self, text: Text) -> tuple[Rows, ...]:
        """Return the tokens of a text: of both its parts where the form keeps them apart."""
        first, second = text
        if self.form == "pair":
            return self._rows(first), self._rows(second or "")
        if self.form == "relation":
            head, tail = marked_places(first)
            return self._rows(first, head), self._rows(first, tail)
        return (self._rows(first if second is None else f"{first}\n{second}"),)

    def _rows(self, text: str, place: tuple[int, int] | None = None) -> Rows:
        """Return the windows of a text; of a mention at a place, those that hold some of it."""
        size, bos = self.decoder.config.context_length - 1, self.tokenizer.bos_id
        rows: list[Row] = []
        for window in windows_of(self.tokenizer, text, size):
            first = 1 + window.n_before
            part = (first if rows or place else 0, first + window.n_core)
            if place is not None:
                inside = [
                    token
                    for token, (start, end) in enumerate(window.offsets, start=1)
                    if part[0] <= token < part[1] and start < place[1] and place[0] < end
                ]
                if not inside:
                    continue
                part = (inside[0], inside[-1] + 1)
            rows.append(Row((bos, *window.tokens), *part))
        return tuple(rows) or (Row((bos,), 0, 1),)

    def features(self, texts: Sequence[tuple[Rows, ...]]) -> Tensor:
        """Return one vector a text: (N, D), or (N, 4 D) for pairs."""
        parts = [part for text in texts for part in text]
        vectors_ND = self._vectors(parts)
        if self.form == "pooled":
            return vectors_ND
        u_ND, v_ND = vectors_ND[0::2], vectors_ND[1::2]
        return torch.cat((u_ND, v_ND, (u_ND - v_ND).abs(), u_ND * v_ND), dim=-1)

    def _vectors(self, parts: Sequence[Rows]) -> Tensor:
        """Return the mean of the hidden states of each part; no window is computed twice."""
        device = next(self.decoder.parameters()).device
        read = list(dict.fromkeys(row.tokens for part in parts for row in part))
        lengths = [len(tokens) for tokens in read]
        tokens_T = torch.tensor([token for tokens in read for token in tokens], device=device)
        hidden_TD = self.decoder.forward_hidden(tokens_T, lengths, is_causal=self.is_causal)
        pieces = dict(zip(read, hidden_TD.float().split(lengths), strict=True))
        own = ([pieces[row.tokens][row.first : row.last] for row in part] for part in parts)
        return torch.stack([torch.cat(some).mean(dim=0) for some in own])

    def outputs(self, features_N: Tensor) -> list[Tensor]:
        """Return the outputs of each task, shape (N, outputs of the task)."""
        return [cast(nn.Linear, head)(features_N) for head in self.head]

    @torch.no_grad()
    def judge(self, texts: Sequence[Text]) -> list[list[Judgement]]:
        """Answer every task about each text; texts of like length go through together."""
        self.eval()
        rows = [self.rows(text) for text in texts]
        sizes = [n_tokens(row) for row in rows]
        found: list[list[Judgement]] = [[] for _ in texts]
        batch: list[int] = []
        for place in sorted(range(len(texts)), key=sizes.__getitem__):
            if batch and sum(sizes[one] for one in batch) + sizes[place] > _TOKENS_PER_BATCH:
                self._judge_batch(batch, rows, found)
                batch = []
            batch.append(place)
        if batch:
            self._judge_batch(batch, rows, found)
        return found

    def _judge_batch(
        self, places: list[int], rows: list[tuple[Rows, ...]], found: list[list[Judgement]]
    ) -> None:
        outputs = self.outputs(self.features([rows[place] for place in places]))
        for task, output_NK in zip(self.tasks, outputs, strict=True):
            for place, output_K in zip(places, output_NK.float(), strict=True):
                found[place].append(to_judgement(task, output_K))


def n_tokens(rows: Sequence[Rows]) -> int:
    """Return the tokens of all windows of a text, each window once."""
    return sum(map(len, {row.tokens for part in rows for row in part}))


def to_judgement(task: TextTask, output_K: Tensor) -> Judgement:
    """Return what the outputs of a task mean."""
    if task.kind == "value":
        return Judgement(task.name, "value", value=task.mean + task.scale * float(output_K[0]))
    is_label = task.kind == "label"
    shares = (output_K.softmax(0) if is_label else output_K.sigmoid()).tolist()
    pairs = tuple(zip(task.labels, cast(list[float], shares), strict=True))
    best = (task.labels[int(output_K.argmax())],)
    chosen = best if is_label else tuple(label for label, share in pairs if share > 0.5)
    return Judgement(task.name, task.kind, chosen, pairs)


def summed_text_loss(task: TextTask, outputs_NK: Tensor, targets_NK: Tensor) -> Tensor:
    """Return the loss of a task summed over texts.

    Args:
        task: What the outputs stand for.
        outputs_NK: Of the head.
        targets_NK: 1 for each label that holds; of a number: standardized. One row a text.

    Returns:
        "label": cross-entropy in nats. "labels": its mean over the labels. "value": half the
        square of the error.
    """
    if task.kind == "label":
        return functional.cross_entropy(outputs_NK, targets_NK, reduction="sum")
    if task.kind == "labels":
        total = functional.binary_cross_entropy_with_logits(outputs_NK, targets_NK, reduction="sum")
        return total / max(1, len(task.labels))
    return 0.5 * (outputs_NK - targets_NK).square().sum()


def save_text_heads(heads: TextHeads, folder: Path, tokenizer_from: Path) -> None:
    """Write decoder, heads and tokenizer into an existing folder."""
    assert isinstance(heads.decoder, Decoder)
    save_weights(heads.decoder, folder, heads.tokenizer)
    copy_tokenizer(tokenizer_from, folder)
    write_head(
        heads,
        folder,
        form=heads.form,
        is_causal=heads.is_causal,
        tasks=tuple(_describe(task) for task in heads.tasks),
        tokenizer=heads.tokenizer,
    )


def _describe(task: TextTask) -> Mapping[str, Any]:
    said: dict[str, Any] = {"name": task.name, "kind": task.kind, "labels": list(task.labels)}
    return said | ({"mean": task.mean, "scale": task.scale} if task.kind == "value" else {})


def to_task(said: Mapping[str, Any]) -> TextTask:
    """Return the task of an entry of `head.json`."""
    numbers = said.get("mean", 0.0), said.get("scale", 1.0)
    return TextTask(said["name"], said["kind"], tuple(said["labels"]), *numbers)


def load_text_heads(folder: Path, forms: tuple[TextForm, ...] = ("pooled", "pair")) -> TextHeads:
    """Check a folder of `finetune` with a head over texts, every byte, and load it.

    Args:
        folder: The weights folder.
        forms: Which forms may be in it.

    Raises:
        ModelCannot, TokenizerMismatch, WeightsMismatch: As `head_record.read_head`; and what
            `manifest.open_folder` raises.
    """
    record, tokenizer = read_head(folder, *forms)
    try:
        tasks = [to_task(task) for task in record.tasks]
    except (KeyError, TypeError):
        raise broken_record(folder) from None
    decoder = load_decoder(folder, dtype=torch.float32)
    form = cast(TextForm, record.form)
    heads = TextHeads(decoder, tokenizer, tasks, form=form, is_causal=record.is_causal)
    load_head(heads, folder, record)
    return heads.eval()
