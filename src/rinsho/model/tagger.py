"""The tagger: a decoder that sees both ways, a linear head and a CRF; marks spans in text.

Beside the weights its folder holds `head.safetensors` (head and CRF) and `head.json` (the pairs of
label and certainty, in the order of the tags, and the tokenizer's hash).
"""

# T tokens of all windows one after another, B windows, L longest window, C tags

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from rinsho.errors import ModelCannot, TokenizerMismatch, WeightsMismatch
from rinsho.manifest import open_folder
from rinsho.model.checkpoint import load_decoder, save_weights, write_tensors
from rinsho.model.crf import ConditionalRandomField
from rinsho.model.decoder import Decoder
from rinsho.model.tags import TagSet, blocks, windows
from rinsho.text.spans import Span, sort_spans
from rinsho.tokenizer.tokenizer import Tokenizer, copy_tokenizer, read_tokenizer

HEAD, HEAD_RECORD = "head.safetensors", "head.json"
_MAX_BLOCK = 8_192  # characters that are tokenized at once: bounds memory for very long texts
_TOKENS_PER_BATCH = 4_096


@dataclass(frozen=True, slots=True)
class Window:
    """Tokens of a text that are tagged at once."""

    tokens: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]  # of each token, in code points of the whole text


class Tagger(nn.Module):
    """A decoder with a tagging head; new heads start from zero.

    Args:
        decoder: The trunk.
        tokenizer: The one that the decoder was trained with.
        tags: The pairs of label and certainty.
    """

    def __init__(self, decoder: Decoder, tokenizer: Tokenizer, tags: TagSet) -> None:
        super().__init__()
        self.decoder, self.tokenizer, self.tags = decoder, tokenizer, tags
        self.head = nn.Linear(decoder.config.d_model, tags.n_tags)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.crf = ConditionalRandomField(*tags.allowed())

    def emissions(self, tokens_T: Tensor, segment_lengths: Sequence[int]) -> Tensor:
        """Return the score of each tag for each token, shape (B, L, C), 0 behind a row's end.

        Args:
            tokens_T: Windows one after another, each behind `<s>`.
            segment_lengths: Tokens of each window, `<s>` included.
        """
        hidden_TD = self.decoder.forward_hidden(tokens_T, segment_lengths, is_causal=False)
        rows = self.head(hidden_TD).split(list(segment_lengths))
        return pad_sequence([row[1:] for row in rows], batch_first=True)

    def windows(self, text: str) -> Iterator[Window]:
        """Yield the windows of a text: each fits the context, behind `<s>`."""
        size = self.decoder.config.context_length - 1
        for start, end in blocks(text, _MAX_BLOCK):
            block = text[start:end]
            tokens, offsets = self.tokenizer.encode_with_offsets(block)
            moved = [(start + left, start + right) for left, right in offsets]
            for first, last in windows(block, offsets, size):
                yield Window(tuple(tokens[first:last]), tuple(moved[first:last]))

    def spans(self, text: str) -> tuple[Span, ...]:
        """Return the spans of a text of any length, in reading order."""
        return self.spans_of([text])[0]

    @torch.no_grad()
    def spans_of(self, texts: Sequence[str]) -> list[tuple[Span, ...]]:
        """Return the spans of each text; windows of like length go through the model together."""
        self.eval()
        found: list[list[Span]] = [[] for _ in texts]
        rows = [(i, window) for i, text in enumerate(texts) for window in self.windows(text)]
        rows.sort(key=lambda row: len(row[1].tokens))
        for batch in _in_batches(rows):
            for (i, window), tags in zip(batch, self._best_tags(batch), strict=True):
                found[i] += self.tags.to_spans(tags, window.offsets, texts[i])
        return [sort_spans(spans) for spans in found]

    def _best_tags(self, batch: Sequence[tuple[int, Window]]) -> list[list[int]]:
        bos = self.tokenizer.bos_id
        tokens = [token for _, window in batch for token in (bos, *window.tokens)]
        lengths = [len(window.tokens) for _, window in batch]
        emissions_BLC = self.emissions(torch.tensor(tokens), [1 + n for n in lengths])
        return self.crf.best_tags(emissions_BLC, torch.tensor(lengths))


def _in_batches(rows: Sequence[tuple[int, Window]]) -> Iterator[Sequence[tuple[int, Window]]]:
    start, size = 0, 0
    for end, (_, window) in enumerate(rows):
        if end > start and size + len(window.tokens) > _TOKENS_PER_BATCH:
            yield rows[start:end]
            start, size = end, 0
        size += len(window.tokens)
    if start < len(rows):
        yield rows[start:]


def save_tagger(tagger: Tagger, folder: Path, tokenizer_from: Path) -> None:
    """Write decoder, head, CRF and tokenizer into an existing folder."""
    save_weights(tagger.decoder, folder, tagger.tokenizer)
    copy_tokenizer(tokenizer_from, folder)
    write_tensors(folder / HEAD, _head_state(tagger))
    record = {
        "form": "tagging",
        "tags": [{"label": label, "certainty": sure} for label, sure in tagger.tags.pairs],
        "tokenizer_sha256": tagger.tokenizer.sha256,
    }
    (folder / HEAD_RECORD).write_text(
        json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )


def _head_state(tagger: Tagger) -> dict[str, Tensor]:
    state = tagger.state_dict()
    return {name: t for name, t in state.items() if name.startswith(("head.", "crf."))}


def load_tagger(folder: Path) -> Tagger:
    """Check a folder of `finetune` with form = "tagging", every byte, and load it.

    Raises:
        PathMissing, NotFinished, Corrupt, WrongKind: As `manifest.open_folder`.
        ModelCannot: The folder holds no tagging head.
        TokenizerMismatch: Its tokenizer is not that of the head.
        WeightsMismatch: The head does not fit the decoder.
    """
    opened = open_folder(folder, "pretrain", "finetune")
    if HEAD_RECORD not in opened.manifest.identity.files:
        expected = 'weights of `finetune` with form = "tagging"'
        raise ModelCannot(where=folder.name, found="no tagging head", expected=expected)
    record: dict[str, Any] = json.loads((folder / HEAD_RECORD).read_bytes())
    tokenizer = read_tokenizer(folder)
    if record["tokenizer_sha256"] != tokenizer.sha256:
        found, expected = tokenizer.sha256[:16], str(record["tokenizer_sha256"])[:16]
        raise TokenizerMismatch(
            where=f"{folder.name}/{HEAD_RECORD}", expected=expected, found=found
        )
    pairs = tuple((tag["label"], tag["certainty"]) for tag in record["tags"])
    tagger = Tagger(load_decoder(folder, dtype=torch.float32), tokenizer, TagSet(pairs))
    _load_head(tagger, folder)
    return tagger.eval()


def _load_head(tagger: Tagger, folder: Path) -> None:
    from safetensors.torch import load_file

    tensors, expected = load_file(folder / HEAD), _head_state(tagger)
    shapes = {name: list(tensor.shape) for name, tensor in tensors.items()}
    wanted = {name: list(tensor.shape) for name, tensor in expected.items()}
    if shapes != wanted:
        raise WeightsMismatch(where=f"{folder.name}/{HEAD}", expected=wanted, found=shapes)
    tagger.load_state_dict(tensors, strict=False)
