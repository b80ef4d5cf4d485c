"""The base of a training run, and what is written at its end: all weights, or an adapter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rinsho.errors import ModelCannot, TokenizerMismatch
from rinsho.manifest import OpenFolder
from rinsho.model.adapter import AdapterSettings, attach_adapter, is_adapter, save_adapter
from rinsho.model.base import Base, load_trainable, open_base
from rinsho.training.settings import TrainingConfig

if TYPE_CHECKING:
    from rinsho.model.decoder_protocol import TrainableDecoder
    from rinsho.tokenizer.tokenizer import Tokenizer
    from rinsho.training.session import Session

_HEAD = "head.json"


def open_training_base(where: Path) -> Base:
    """Find and check the base of a run: rinsho's, a Hugging Face folder or a cached hub id.

    Raises:
        ModelCannot: It is an adapter: that has to be merged first.
        Others as in `open_base`.
    """
    if is_adapter(where):
        expected = "weights; `rinsho export` merges an adapter into its base"
        raise ModelCannot(where=where.name, found="an adapter", expected=expected)
    return open_base(where)


def require_no_head(base: Base) -> None:
    """Refuse a base with a head, which no longer writes.

    Raises:
        ModelCannot
    """
    if (base.path / _HEAD).is_file():
        expected = "weights of pretrain or of finetune for conversations"
        raise ModelCannot(where=base.name, found="weights with a head", expected=expected)


def require_same_tokenizer(base: Base, tokens: Path) -> Tokenizer:
    """Return the tokenizer that a base and a tokens folder share.

    Raises:
        TokenizerMismatch: They have different ones.
    """
    from rinsho.tokenizer.tokenizer import read_tokenizer

    wanted, found = read_tokenizer(base.path), read_tokenizer(tokens)
    if wanted.sha256 != found.sha256:
        raise TokenizerMismatch(
            where=tokens.name, expected=wanted.sha256[:16], found=found.sha256[:16]
        )
    return wanted


def load_base(
    base: Base, config: TrainingConfig, session: Session, adapter: AdapterSettings | None
) -> TrainableDecoder:
    """Load the weights to train: all of them in fp32, or frozen ones with an adapter.

    Frozen weights are held in the precision of the run, and in 4 bits for "qlora".

    Raises:
        MissingDependency: PEFT or bitsandbytes is not installed.
        InvalidValue: The adapter's names match nothing.
        UnknownArchitecture: 4 bits are asked for an architecture that is not ours.
    """
    import torch

    from rinsho.model.precision import DTYPES

    if adapter is None:
        return load_trainable(
            base.path, dtype=torch.float32, dropout=config.dropout, device=session.device
        )
    dtype = DTYPES[session.precision]
    if adapter.kind == "qlora":
        from rinsho.model.four_bits import load_in_four_bits

        decoder: TrainableDecoder = load_in_four_bits(
            base.path, dtype=dtype, dropout=config.dropout, device=session.device
        )
    else:
        decoder = load_trainable(
            base.path, dtype=dtype, dropout=config.dropout, device=session.device
        )
    attach_adapter(decoder, adapter)
    return decoder


def write_result(
    decoder: TrainableDecoder,
    tokenizer: Tokenizer,
    base: Base,
    adapter: AdapterSettings | None,
    folder: OpenFolder,
) -> None:
    """Write what was trained, with the tokenizer's files and the chat template beside it."""
    from rinsho.tokenizer.tokenizer import copy_tokenizer
    from rinsho.training.language import write_weights

    if adapter is None:
        write_weights(decoder, tokenizer, base.path, folder)
    else:
        save_adapter(decoder.eval(), folder.path, adapter, base.name)
        n_trained = sum(p.numel() for p in decoder.parameters() if p.requires_grad)
        folder.count(n_trained_parameters=n_trained)
        copy_tokenizer(base.path, folder.path)
    base.record_license(folder)


def count_weights(decoder: TrainableDecoder) -> int:
    """Return how many weights a decoder has, with its adapter; one in 4 bits is one."""
    from rinsho.model.four_bits import n_weights

    return sum(n_weights(parameter) for parameter in decoder.parameters())
