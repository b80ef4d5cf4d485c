"""The tagger: a decoder, and per task a linear layer and a CRF; marks spans in text.

Tasks are lists of spans that were annotated apart (diseases in some documents, drugs in others); a
window goes through the decoder once for all of them. `head_record` says what lies on disk.
"""

# T tokens of all windows one after another, B windows, L longest window, D d_model, C tags

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from rinsho.model.checkpoint import load_decoder, save_weights
from rinsho.model.crf import ConditionalRandomField
from rinsho.model.decoder import Decoder
from rinsho.model.decoder_protocol import TrainableDecoder
from rinsho.model.head_record import broken_record, load_head, read_head, write_head
from rinsho.model.tags import OUTSIDE, TagSet
from rinsho.model.windows import Window, in_batches, join_spans, windows_of
from rinsho.text.spans import Span, sort_spans
from rinsho.tokenizer.tokenizer import Tokenizer, copy_tokenizer
from rinsho.wanted import while_wanted

ONLY_TASK = ""  # the name of the task where there is one


class TagHead(nn.Module):
    """From hidden states to tags; starts from zero.

    Args:
        d_model: Width of a hidden state.
        tags: The pairs of label and certainty.
    """

    def __init__(self, d_model: int, tags: TagSet) -> None:
        super().__init__()
        self.tags = tags
        self.linear = nn.Linear(d_model, tags.n_tags)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)
        self.crf = ConditionalRandomField(*tags.allowed())

    @torch.no_grad()
    def continue_from(self, known: TagHead) -> None:
        """Take over what another head has learned; all its pairs have to be among this one's."""
        at = [OUTSIDE]
        for pair in known.tags.pairs:
            begin = 1 + 2 * self.tags.pairs.index(pair)
            at += [begin, begin + 1]
        self.linear.weight[at] = known.linear.weight
        self.linear.bias[at] = known.linear.bias
        self.crf.transitions[torch.tensor(at)[:, None], torch.tensor(at)] = known.crf.transitions
        self.crf.start[at], self.crf.end[at] = known.crf.start, known.crf.end

    def summed_loss(self, hidden_BLD: Tensor, tags_BL: Tensor, lengths_B: Tensor) -> Tensor:
        """Return -ln p(tags) summed over the rows, in nats; shapes as in the CRF."""
        return self.crf.summed_loss(self.linear(hidden_BLD), tags_BL, lengths_B)

    def best_tags(self, hidden_BLD: Tensor, lengths_B: Tensor) -> list[list[int]]:
        """Return the most likely tags of each row."""
        return self.crf.best_tags(self.linear(hidden_BLD), lengths_B)


class Tagger(nn.Module):
    """A decoder with tagging heads.

    Args:
        decoder: The trunk.
        tokenizer: The one that the decoder was trained with.
        tasks: The tags of each task.
        is_causal: Whether a token sees only those before it.
    """

    def __init__(
        self,
        decoder: TrainableDecoder,
        tokenizer: Tokenizer,
        tasks: Mapping[str, TagSet],
        *,
        is_causal: bool = False,
    ) -> None:
        super().__init__()
        self.decoder, self.tokenizer, self.is_causal = decoder, tokenizer, is_causal
        self.tasks = tuple(tasks)
        heads = [TagHead(decoder.config.d_model, tags) for tags in tasks.values()]
        self.head = nn.ModuleList(heads)
        self.heads = dict(zip(tasks, heads, strict=True))

    def hidden(self, tokens_T: Tensor, segment_lengths: Sequence[int]) -> Tensor:
        """Return the hidden state of each token, shape (B, L, D), 0 behind a row's end.

        Args:
            tokens_T: Windows one after another, each behind `<s>`.
            segment_lengths: Tokens of each window, `<s>` included.
        """
        hidden_TD = self.decoder.forward_hidden(tokens_T, segment_lengths, is_causal=self.is_causal)
        rows = hidden_TD.split(list(segment_lengths))
        return pad_sequence([row[1:] for row in rows], batch_first=True)

    def windows(self, text: str) -> list[Window]:
        """Return the windows of a text: each fits the context, behind `<s>`."""
        return windows_of(self.tokenizer, text, self.decoder.config.context_length - 1)

    def spans(self, text: str) -> tuple[Span, ...]:
        """Return the spans of a text of any length, in reading order."""
        return self.spans_of([text])[0]

    def spans_of(self, texts: Sequence[str]) -> list[tuple[Span, ...]]:
        """Return the spans of each text, those of all tasks together."""
        return [
            sort_spans(span for spans in by_task.values() for span in spans)
            for by_task in self.spans_by_task(texts)
        ]

    @torch.no_grad()
    def spans_by_task(self, texts: Sequence[str]) -> list[dict[str, tuple[Span, ...]]]:
        """Return the spans of each text; windows of like length go through the model together."""
        self.eval()
        found: list[dict[str, list[tuple[Window, Sequence[Span]]]]] = [
            {task: [] for task in self.tasks} for _ in texts
        ]
        rows = [(i, window) for i, text in enumerate(texts) for window in self.windows(text)]
        rows.sort(key=lambda row: len(row[1].tokens))
        for batch in while_wanted(in_batches(rows)):
            for task, tags in self._best_tags(batch).items():
                to_spans = self.heads[task].tags.to_spans
                for (i, window), row in zip(batch, tags, strict=True):
                    spans = to_spans(row, window.offsets, texts[i])
                    found[i][task].append((window, spans))
        return [
            {task: tuple(join_spans(windows)) for task, windows in by_task.items()}
            for by_task in found
        ]

    def _best_tags(self, batch: Sequence[tuple[int, Window]]) -> dict[str, list[list[int]]]:
        bos, device = self.tokenizer.bos_id, next(self.decoder.parameters()).device
        tokens = [token for _, window in batch for token in (bos, *window.tokens)]
        lengths = [len(window.tokens) for _, window in batch]
        hidden_BLD = self.hidden(torch.tensor(tokens, device=device), [1 + n for n in lengths])
        lengths_B = torch.tensor(lengths, device=device)
        return {task: head.best_tags(hidden_BLD, lengths_B) for task, head in self.heads.items()}


def save_tagger(tagger: Tagger, folder: Path, tokenizer_from: Path) -> None:
    """Write decoder, heads and tokenizer into an existing folder."""
    assert isinstance(tagger.decoder, Decoder)
    save_weights(tagger.decoder, folder, tagger.tokenizer)
    copy_tokenizer(tokenizer_from, folder)
    tasks = tuple(_describe(task, head.tags) for task, head in tagger.heads.items())
    write_head(
        tagger,
        folder,
        form="tagging",
        is_causal=tagger.is_causal,
        tasks=tasks,
        tokenizer=tagger.tokenizer,
    )


def _describe(task: str, tags: TagSet) -> dict[str, Any]:
    pairs = [{"label": label, "certainty": sure} for label, sure in tags.pairs]
    return {"name": task, "kind": "spans", "tags": pairs}


def load_tagger(folder: Path) -> Tagger:
    """Check a folder of `finetune` with form = "tagging", every byte, and load it.

    Raises:
        ModelCannot, TokenizerMismatch, WeightsMismatch: As `head_record.read_head`; and what
            `manifest.open_folder` raises.
    """
    read_head(folder, "tagging")
    return load_tagger_over(load_decoder(folder, dtype=torch.float32), folder).eval()


def load_tagger_over(decoder: TrainableDecoder, folder: Path) -> Tagger:
    """Put the heads of a folder over a decoder that was loaded from it. Errors as `load_tagger`."""
    record, tokenizer = read_head(folder, "tagging")
    try:
        tasks = {
            task["name"]: TagSet(tuple((tag["label"], tag["certainty"]) for tag in task["tags"]))
            for task in record.tasks
        }
    except (KeyError, TypeError):
        raise broken_record(folder) from None
    tagger = Tagger(decoder, tokenizer, tasks, is_causal=record.is_causal)
    load_head(tagger, folder, record)
    return tagger
