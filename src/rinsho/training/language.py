"""Training on token shards, and the weights folder it leaves: what pretrain and finetune share."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rinsho.encoding.token_shard import TokenSplit, read_token_split
from rinsho.errors import NothingToLearn
from rinsho.manifest import OpenFolder
from rinsho.model.checkpoint import save_weights
from rinsho.model.decoder import Decoder
from rinsho.tokenizer.tokenizer import Tokenizer, copy_tokenizer
from rinsho.training.batches import TokenBatches
from rinsho.training.figure import write_logs
from rinsho.training.loop import Finished, Loop, last_measure
from rinsho.training.objective import LanguageObjective
from rinsho.training.optimizer import new_optimizer
from rinsho.training.session import Session
from rinsho.training.settings import TrainingConfig
from rinsho.training.state import CheckpointStore, environment


def train_on_tokens(
    decoder: Decoder,
    tokenizer: Tokenizer,
    tokens: Path,
    config: TrainingConfig,
    session: Session,
    folder: OpenFolder,
) -> Finished:
    """Train a decoder on the training split of a tokens folder.

    Raises:
        NothingToLearn: No label of the training split counts, or none that ends a text or answer:
            such a model would never stop.
    """
    train = read_token_split(tokens, "train")
    _require_labels(train, tokenizer, tokens.name)
    batches = TokenBatches(
        train,
        context_length=decoder.config.context_length,
        batch_tokens=config.batch_tokens,
        micro_batch_tokens=config.micro_batch_tokens,
        seed=config.seed,
    )
    validation = read_token_split(tokens, "validation")
    objective = LanguageObjective(
        decoder,
        batches,
        validation,
        tokenizer.n_bytes_per_token,
        max_validation_tokens=config.max_validation_tokens,
    )
    store = CheckpointStore(folder.checkpoints, environment(session.threads, session.precision))
    folder.threads, folder.precision = session.threads, session.precision
    loop = Loop(objective, new_optimizer(decoder, config), config, session, store)
    finished = loop.run("学習", "training")
    folder.count(
        n_train_documents=train.n_documents,
        n_validation_documents=validation.n_documents,
        bits_per_byte=last_measure(finished.log, "bits_per_byte"),
    )
    return finished


def _require_labels(train: TokenSplit, tokenizer: Tokenizer, where: str) -> None:
    counted = train.tokens[train.loss_mask != 0]
    ends = np.isin(counted, (tokenizer.eos_id, tokenizer.end_of_turn_id))
    if not ends.any():
        found = (
            f"{train.n_documents} documents, {len(counted)} labels in the loss, no end of a text"
        )
        expected = "what the folder was encoded from"
        raise NothingToLearn(where=f"{where}, train", expected=expected, found=found)


def write_weights(
    decoder: Decoder, tokenizer: Tokenizer, tokenizer_from: Path, folder: OpenFolder
) -> None:
    """Write decoder and tokenizer as a Hugging Face folder."""
    save_weights(decoder.eval(), folder.path, tokenizer)
    copy_tokenizer(tokenizer_from, folder.path)


def write_record(n_parameters: int, folder: OpenFolder, finished: Finished) -> None:
    """Write logs and figure, and count what a run did."""
    folder.keep_out_of_identity(*write_logs(folder.path, finished))
    folder.count(
        n_parameters=n_parameters,
        n_steps=finished.n_steps,
        n_seen_tokens=finished.n_seen_tokens,
        loss=finished.log[-1]["loss"],
    )
