"""A local encoder of transformers that classifies tokens, as a tagger: its own labels, our offsets.

The folder has to be here; nothing is downloaded, no program of a model is run, no pickle is read.
Labels are those of its `id2label`, in BIO; rules judge the certainty of "disease" and "symptom".
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rinsho.errors import MissingDependency, ModelCannot
from rinsho.manifest import MANIFEST
from rinsho.model.architecture import read_config_file
from rinsho.model.base import open_base
from rinsho.model.windows import Window, join_spans
from rinsho.text.certainty import judge_certainty
from rinsho.text.history import judge_history
from rinsho.text.spans import Span
from rinsho.wanted import while_wanted

_STRIDE = 32  # tokens that neighbouring windows share
_MOST_TOKENS = 512
_N_TOGETHER = 8  # windows


class EncoderTagger:
    """A tagger around a token classifier."""

    tasks = ("",)

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model, self._tokenizer = model.eval(), tokenizer
        self._tags = [str(model.config.id2label[i]) for i in range(model.config.num_labels)]
        longest = int(getattr(model.config, "max_position_embeddings", _MOST_TOKENS))
        self._limit = min(_MOST_TOKENS, longest)

    def spans(self, text: str) -> tuple[Span, ...]:
        """Return the spans of a text of any length, in reading order."""
        if not text.strip():
            return ()
        found = self._tokenizer(
            text, truncation=True, max_length=self._limit, stride=min(_STRIDE, self._limit // 4),
            padding=True, return_overflowing_tokens=True, return_offsets_mapping=True,
            return_tensors="pt",
        )  # fmt: skip
        offsets = [
            [(start, end) for start, end in row if end > start]
            for row in found["offset_mapping"].tolist()
        ]
        windows = _windows(offsets, len(text))
        marked = [
            (window, spans_of_tokens(tags, window.offsets))
            for window, tags in zip(windows, self._best(found), strict=True)
        ]
        return tuple(judge_history(text, judge_certainty(text, join_spans(marked))))

    def spans_by_task(self, texts: Sequence[str]) -> list[dict[str, tuple[Span, ...]]]:
        """Return the spans of each text, under the one task there is."""
        return [{"": self.spans(text)} for text in texts]

    def _best(self, found: Any) -> list[list[str]]:
        """Return the likeliest tag of each token that stands for characters, by window."""
        import torch

        rows: list[list[str]] = []
        with torch.no_grad():
            for first in while_wanted(range(0, len(found["input_ids"]), _N_TOGETHER)):
                part = slice(first, first + _N_TOGETHER)
                inputs = {name: found[name][part] for name in ("input_ids", "attention_mask")}
                best = self._model(**inputs).logits.argmax(-1).tolist()
                places = found["offset_mapping"][part].tolist()
                rows += [
                    [self._tags[tag] for tag, (start, end) in zip(*row, strict=True) if end > start]
                    for row in zip(best, places, strict=True)
                ]
        return rows


def _windows(offsets: Sequence[Sequence[tuple[int, int]]], length: int) -> list[Window]:
    """Return windows whose cores meet in the middle of what neighbours share."""
    rows = [row or [(0, 1)] for row in offsets]
    cuts = [(after[0][0] + row[-1][1]) // 2 for row, after in itertools.pairwise(rows)]
    borders = [0, *cuts, length]
    return [Window((), tuple(row), (borders[i], borders[i + 1])) for i, row in enumerate(rows)]


def spans_of_tokens(tags: Sequence[str], offsets: Sequence[tuple[int, int]]) -> list[Span]:
    """Return the spans of BIO tags; an I without a span of its label before it starts one.

    >>> spans_of_tokens(["B-D", "I-D", "O"], [(0, 1), (1, 3), (3, 4)])
    [Span(start=0, end=3, label='D', certainty='present')]
    """
    found: list[Span] = []
    open_label = ""
    for tag, (start, end) in zip(tags, offsets, strict=False):
        kind, _, label = tag.partition("-")
        if kind == "I" and found and open_label == label:
            found[-1] = Span(found[-1].start, end, label)
        elif kind in ("B", "I"):
            found.append(Span(start, end, label))
        open_label = label if kind in ("B", "I") else ""
    return found


def is_encoder(folder: Path) -> bool:
    """Say whether a folder holds a token classifier of another project; reads config.json alone."""
    if (folder / MANIFEST).is_file() or not (folder / "config.json").is_file():
        return False
    names = read_config_file(folder).get("architectures") or [""]
    return str(names[0]).endswith("ForTokenClassification")


def load_encoder_tagger(folder: Path) -> EncoderTagger:
    """Load a local token classifier.

    Raises:
        PathMissing, PickleRefused, ProgramRefused, WeightsMismatch: As `open_base`.
        ModelCannot: Its labels are no BIO, or its tokenizer does not say where tokens stand.
        MissingDependency: transformers is not installed.
    """
    open_base(folder)
    try:
        import transformers
    except ImportError:
        raise MissingDependency(where="encoder", found="transformers", expected="adapt") from None
    known = {"local_files_only": True, "trust_remote_code": False}
    classes: Any = transformers
    model = classes.AutoModelForTokenClassification.from_pretrained(
        folder, use_safetensors=True, **known
    )
    tags = [str(tag) for tag in model.config.id2label.values()]
    if not all(tag == "O" or tag[:2] in ("B-", "I-") for tag in tags):
        raise ModelCannot(where=folder.name, found="other labels", expected="B-…, I-… and O")
    tokenizer = classes.AutoTokenizer.from_pretrained(folder, **known)
    if not tokenizer.is_fast:
        expected = "a tokenizer that says where tokens stand (tokenizer.json)"
        raise ModelCannot(where=folder.name, found="a tokenizer without offsets", expected=expected)
    return EncoderTagger(model, tokenizer)
