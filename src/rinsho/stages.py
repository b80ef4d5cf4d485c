"""Every stage: its function, the folders it reads, and what its own is called."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rinsho.runfile import StageConfig


@dataclass(frozen=True, slots=True)
class Slot:
    """One kind of folder that a stage reads."""

    name: str  # the flag: --documents
    kinds: tuple[str, ...]  # the stages that make such folders
    is_many: bool = False
    is_required: bool = True
    takes_last: bool = False  # of many, only the last one where the run file names none
    is_replaceable: bool = False  # a required one that a stage's own files can stand for


@dataclass(frozen=True, slots=True)
class Stage:
    """One verb: where its function and config are, what it reads, how its folder is called."""

    verb: str
    module: str
    folder: str
    slots: tuple[Slot, ...] = ()
    takes_data: bool = False  # reads files below --data
    takes_remote: bool = False  # may ask an endpoint: --allow-remote
    takes_terms: bool = False  # asks whether the licenses of its inputs allow the run

    @property
    def function_name(self) -> str:
        """The verb as Python writes it."""
        return self.verb.replace("-", "_")

    @property
    def config_name(self) -> str:
        """The name of the config class."""
        return "".join(word.title() for word in self.verb.split("-")) + "Config"

    def config_class(self) -> type[StageConfig]:
        """Import the stage's module (never torch) and return its config class."""
        return getattr(importlib.import_module(self.module), self.config_name)


_DOCUMENTS = ("collect", "synthesize")
_WEIGHTS = ("pretrain", "finetune", "extend-weights")
STAGES: dict[str, Stage] = {
    stage.verb: stage
    for stage in (
        Stage(
            "collect",
            "rinsho.corpus.collect",
            "documents",
            (Slot("labels", ("label",), is_required=False),),
            takes_data=True,
        ),
        Stage(
            "synthesize",
            "rinsho.corpus.synthesize",
            "synthetic",
            takes_data=True,
            takes_remote=True,
        ),
        Stage(
            "label",
            "rinsho.corpus.label",
            "labels",
            (Slot("documents", _DOCUMENTS, is_many=True),),
            takes_remote=True,
        ),
        Stage(
            "train-tokenizer",
            "rinsho.tokenizer.train_tokenizer",
            "tokenizer",
            (Slot("documents", _DOCUMENTS, is_many=True),),
            takes_data=True,
        ),
        Stage(
            "encode",
            "rinsho.encoding.encode",
            "tokens",
            (
                Slot("documents", _DOCUMENTS, is_many=True, is_replaceable=True),
                Slot("tokenizer", ("train-tokenizer", "extend-tokenizer", *_WEIGHTS)),
            ),
            takes_data=True,
        ),
        Stage(
            "measure-tokenizer",
            "rinsho.tokenizer.measure_tokenizer",
            "tokenizer-measure",
            (
                Slot("documents", _DOCUMENTS, is_many=True),
                Slot("tokenizer", ("train-tokenizer",), is_many=True, is_required=False),
            ),
            takes_data=True,
        ),
        Stage(
            "extend-tokenizer",
            "rinsho.tokenizer.extend_tokenizer",
            "extended-tokenizer",
            (
                Slot("base", ("train-tokenizer", *_WEIGHTS)),
                Slot("documents", _DOCUMENTS, is_many=True),
            ),
            takes_data=True,
        ),
        Stage(
            "extend-weights",
            "rinsho.model.extend_weights",
            "extended-weights",
            (Slot("base", _WEIGHTS), Slot("tokenizer", ("extend-tokenizer",))),
        ),
        Stage(
            "pretrain",
            "rinsho.training.pretrain",
            "weights",
            (
                Slot("tokens", ("encode",), is_many=True, takes_last=True),
                Slot("base", (*_WEIGHTS, "export"), is_required=False),
            ),
            takes_terms=True,
        ),
        Stage(
            "finetune",
            "rinsho.training.finetune",
            "finetuned",
            (
                Slot("base", (*_WEIGHTS, "export")),
                Slot("tokens", ("encode",), is_required=False),
                Slot("documents", _DOCUMENTS, is_many=True, is_required=False),
            ),
            takes_data=True,
        ),
        Stage(
            "train-crf",
            "rinsho.training.train_crf",
            "crf",
            (Slot("documents", _DOCUMENTS, is_many=True, is_required=False),),
            takes_data=True,
        ),
        Stage(
            "draw-losses",
            "rinsho.training.draw_losses",
            "losses",
            (Slot("weights", ("pretrain", "finetune"), is_many=True),),
        ),
        Stage(
            "export",
            "rinsho.model.export",
            "exported",
            (Slot("base", _WEIGHTS), Slot("adapter", ("pretrain", "finetune"), is_required=False)),
        ),
        Stage(
            "draw-embeddings",
            "rinsho.evaluation.draw_embeddings",
            "embeddings",
            (Slot("model", _WEIGHTS),),
        ),
        Stage(
            "answer",
            "rinsho.evaluation.answer",
            "answers",
            (
                Slot("model", (*_WEIGHTS, "train-crf"), is_required=False),
                Slot("documents", _DOCUMENTS, is_many=True, is_required=False),
            ),
            takes_data=True,
            takes_remote=True,
        ),
        Stage(
            "score",
            "rinsho.evaluation.score",
            "report",
            (
                Slot("answers", ("answer",), is_many=True),
                Slot("documents", _DOCUMENTS, is_many=True, is_required=False),
                Slot("weights", _WEIGHTS, is_many=True, is_required=False),
            ),
            takes_data=True,
        ),
    )
}
