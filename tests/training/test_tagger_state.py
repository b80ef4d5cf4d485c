"""Checkpoints of taggers: the best weights of before a stop are kept."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch

from rinsho.corpus.document import read_documents
from rinsho.model.checkpoint import load_decoder
from rinsho.model.tagger import Tagger
from rinsho.tokenizer.tokenizer import read_tokenizer
from rinsho.training.examples import from_documents
from rinsho.training.finetune import FinetuneConfig
from rinsho.training.loop import Loop
from rinsho.training.optimizer import new_optimizer
from rinsho.training.session import training_session
from rinsho.training.span_examples import sort_notes
from rinsho.training.state import CheckpointStore, environment
from rinsho.training.tagging import TagBatch, TaggingObjective, tag_sets, to_examples
from rinsho.training.windowed import EpochOrder


class SignalledTagging(TaggingObjective):
    """A tagging objective in one of whose steps SIGTERM comes to this process."""

    signal_at = 0
    n_asked = 0

    def batches(self, epoch: int, step: int) -> list[TagBatch]:
        self.n_asked += 1
        if self.n_asked == self.signal_at:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().batches(epoch, step)


def train_tags(weights: Path, documents: Path, folder: Path, signal_at: int = 0) -> Tagger:
    values = {"form": "tagging", "n_steps": 14, "evaluate_every_steps": 3, "threads": 1}
    sizes = {"batch_tokens": 300, "micro_batch_tokens": 150, "learning_rate": 5e-2}
    config = FinetuneConfig.model_validate({**values, **sizes, "precision": "fp32"})
    notes = sort_notes(from_documents(read_documents(documents)))
    with training_session(config) as session:
        tagger = Tagger(load_decoder(weights), read_tokenizer(weights), tag_sets(notes.train))
        examples = to_examples(notes.train, tagger).examples
        order = EpochOrder([len(example.tokens) for example in examples], config)
        objective = SignalledTagging(tagger, examples, notes.validation, order)
        objective.signal_at = signal_at
        optimizer = new_optimizer(tagger, config, head_learning_rate=1e-2)
        store = CheckpointStore(folder, environment(1, "fp32"))
        Loop(objective, optimizer, config, session, store).run("", "")
    return tagger


def test_a_stopped_tagger_keeps_the_best_weights_of_before_the_stop(
    weights: Path, documents: Path, tmp_path: Path
) -> None:
    for name in ("unbroken", "stopped"):
        (tmp_path / name).mkdir()
    expected = train_tags(weights, documents, tmp_path / "unbroken").state_dict()
    with pytest.raises(KeyboardInterrupt):
        train_tags(weights, documents, tmp_path / "stopped", signal_at=8)
    assert (tmp_path / "stopped" / "step-00000008" / "best.safetensors").is_file()
    found = train_tags(weights, documents, tmp_path / "stopped").state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
