"""Training on token shards, and the weights folder it leaves: what pretrain and finetune share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from rinsho.encoding.token_shard import TokenSplit, read_token_split
from rinsho.errors import InvalidValue, NothingToLearn
from rinsho.manifest import OpenFolder
from rinsho.model.checkpoint import save_weights
from rinsho.model.decoder import Decoder
from rinsho.model.decoder_protocol import TrainableDecoder, as_module
from rinsho.model.presets import DecoderConfig
from rinsho.tokenizer.tokenizer import Tokenizer, copy_tokenizer
from rinsho.training.batches import TokenBatches
from rinsho.training.distributed import check_sizes, make_whole, new_store, shard
from rinsho.training.figure import write_logs
from rinsho.training.held_out import HeldOut
from rinsho.training.journal import Journal
from rinsho.training.loop import Finished, Loop
from rinsho.training.masking import Masking
from rinsho.training.mix import JoinedSplit, MixedSource, new_mix
from rinsho.training.objective import LanguageObjective
from rinsho.training.optimizer import new_optimizer
from rinsho.training.plan_memory import memory_advice
from rinsho.training.recompute import recompute_blocks
from rinsho.training.sampling import new_sampler
from rinsho.training.session import Session
from rinsho.training.settings import TrainingConfig
from rinsho.training.state import environment


def train_on_tokens(
    decoder: TrainableDecoder,
    tokenizer: Tokenizer,
    tokens: Path | Sequence[Path],
    config: TrainingConfig,
    session: Session,
    folder: OpenFolder,
    *,
    context_length: int | None = None,
    mix: Mapping[str, MixedSource] | None = None,
    patience: int | None = None,
    masking: Masking | None = None,
    sample_prompts: Sequence[str] = (),
    n_sample_tokens: int = 64,
) -> Finished:
    """Train a decoder on the training split of tokens folders.

    Args:
        decoder: Trained in place; frozen parameters stay as they are.
        tokenizer: That of the folders.
        tokens: One tokens folder or several.
        config: How long, how fast, how often.
        session: Threads and precision.
        folder: Takes checkpoints and counts.
        context_length: Tokens of a row; the decoder's context when left out.
        mix: Weights and epochs by source; every document once an epoch when left out.
        patience: Stop after so many validations without a better one, and keep the best.
        masking: Which batches are read both ways, with tokens hidden; none when left out.
        sample_prompts, n_sample_tokens: What is continued at each validation, and how far.

    Raises:
        NothingToLearn: No label of the training split counts, or none that ends a text or answer:
            such a model would never stop.
        InvalidValue: The mix has fewer steps than `n_steps`.
    """
    folders = [tokens] if isinstance(tokens, Path) else list(tokens)
    train = {path.name: read_token_split(path, "train") for path in folders}
    _require_labels(train, tokenizer)
    context_length = context_length or decoder.config.context_length
    batches = _batches(train, config, context_length, mix)
    validation = _join([read_token_split(path, "validation") for path in folders])
    held_out = HeldOut(
        validation, tokenizer.n_bytes_per_token, context_length, config.max_validation_tokens
    )
    objective = LanguageObjective(decoder, batches, held_out, masking=masking, seed=config.seed)
    if config.recompute:
        recompute_blocks(as_module(decoder))
    check_sizes(config, session.ranks)
    if session.ranks.n_ranks == 1:
        as_module(decoder).to(session.device)  # of several, each takes its part there
    shard(as_module(decoder), session.ranks, session.precision)
    here = environment(session.threads, session.precision, session.device)
    store = new_store(folder.checkpoints, here, session.ranks, as_module(decoder))
    folder.threads, folder.precision = session.threads, session.precision
    session.memory_advice = lambda: _memory_advice(config, decoder, session)
    loop = Loop(
        objective,
        new_optimizer(as_module(decoder), config),
        config,
        session,
        store,
        journal=Journal(folder.path) if session.ranks.is_main else None,
        sampler=new_sampler(decoder, tokenizer, sample_prompts, n_sample_tokens)
        if sample_prompts
        else None,
    )
    finished = loop.run("学習", "training", patience, keeps_best=patience is not None)
    make_whole(as_module(decoder), session.ranks)
    if session.ranks.n_ranks > 1:
        folder.count(n_ranks=session.ranks.n_ranks)
    folder.count(
        n_train_documents=sum(split.n_documents for split in train.values()),
        n_validation_documents=validation.n_documents,
        bits_per_byte=finished.measures.get("bits_per_byte"),
        sources=_count_sources(batches, held_out, finished),
    )
    return finished


def _memory_advice(config: TrainingConfig, decoder: TrainableDecoder, session: Session) -> str:
    shape, device = decoder.config, session.device
    if not isinstance(shape, DecoderConfig):
        return "micro_batch_tokens"  # an architecture of transformers: no formulas
    is_cuda = device.type == "cuda"
    there_is = torch.cuda.get_device_properties(device).total_memory if is_cuda else None
    return memory_advice(
        config,
        shape,
        precision=session.precision,
        device="cuda" if is_cuda else "cpu",
        available_bytes=there_is,
    )


def _join(splits: Sequence[TokenSplit]) -> TokenSplit | JoinedSplit:
    return splits[0] if len(splits) == 1 else JoinedSplit(splits)


def _batches(
    train: Mapping[str, TokenSplit],
    config: TrainingConfig,
    context_length: int,
    mix: Mapping[str, MixedSource] | None,
) -> TokenBatches:
    split, mixed = _join(list(train.values())), None
    if mix is not None:
        split, mixed = new_mix(mix, train, config.seed)
    batches = TokenBatches(
        split,
        context_length=context_length,
        batch_tokens=config.batch_tokens,
        micro_batch_tokens=config.micro_batch_tokens,
        seed=config.seed,
        mix=mixed,
    )
    if batches.n_epochs is not None and config.n_steps is not None:
        n_steps = sum(batches.n_steps(epoch) for epoch in range(batches.n_epochs))
        if n_steps < config.n_steps:
            expected = f"at most {n_steps}, or more max_epochs in the mix"
            raise InvalidValue(where="n_steps", found=str(config.n_steps), expected=expected)
    return batches


def _require_labels(train: Mapping[str, TokenSplit], tokenizer: Tokenizer) -> None:
    ends = (tokenizer.eos_id, tokenizer.end_of_turn_id)
    n_labels = 0
    for split in train.values():
        counted = split.tokens[split.loss_mask != 0]
        if np.isin(counted, ends).any():
            return
        n_labels += len(counted)
    n_documents = sum(split.n_documents for split in train.values())
    found = f"{n_documents} documents, {n_labels} labels in the loss, no end of a text"
    expected = "what the folder was encoded from"
    raise NothingToLearn(where=f"{', '.join(train)}, train", expected=expected, found=found)


def _count_sources(
    batches: TokenBatches, held_out: HeldOut, finished: Finished
) -> dict[str, dict[str, float | None]]:
    """Return for each source: tokens seen, passes over it, bits per byte on its held-out text."""
    sizes: Counter[str] = Counter()
    for source, length in zip(batches.split.sources, batches.split.lengths, strict=True):
        sizes[source] += max(0, int(length) - 1)
    seen = batches.tokens_by_source(finished.epoch, finished.step_in_epoch)
    counts: dict[str, dict[str, float | None]] = {}
    for source in sorted({*seen, *held_out.split.sources}):
        n_seen = seen.get(source, 0)
        found = finished.measures.get(f"bits_per_byte/{source}")
        passes = round(n_seen / sizes[source], 4) if sizes[source] else 0.0
        counts[source] = {"n_seen_tokens": n_seen, "n_epochs": passes, "bits_per_byte": found}
    return counts


def write_weights(
    decoder: TrainableDecoder, tokenizer: Tokenizer, tokenizer_from: Path, folder: OpenFolder
) -> None:
    """Write decoder and tokenizer as a Hugging Face folder."""
    decoder.eval()
    if isinstance(decoder, Decoder):
        save_weights(decoder, folder.path, tokenizer)
    else:
        from rinsho.model.transformers_decoder import TransformersDecoder, save_transformers_decoder

        assert isinstance(decoder, TransformersDecoder)
        save_transformers_decoder(decoder, folder.path)
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
