"""Pre-training: tokens in, a decoder with fresh weights trained on them out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationError

from rinsho.errors import InvalidValue, SequenceTooLong, TokenizerMismatch
from rinsho.manifest import FinishedFolder, Manifest, OpenFolder, door, open_folder
from rinsho.model.adapter import AdapterSettings
from rinsho.model.base import Base
from rinsho.model.card import write_model_card
from rinsho.model.presets import DecoderConfig, decoder_config
from rinsho.runfile import StageConfig
from rinsho.training.base import open_training_base
from rinsho.training.mix import MixedSource
from rinsho.training.ranks import Ranks, joined_ranks, joint_folder
from rinsho.training.settings import TrainingConfig, later_key, require_torch

if TYPE_CHECKING:
    from rinsho.model.decoder_protocol import TrainableDecoder
    from rinsho.tokenizer.tokenizer import Tokenizer
    from rinsho.training.masking import Masking
    from rinsho.training.session import Session


class ShapeConfig(StageConfig):
    """Numbers of the decoder's shape that replace those of the preset."""

    d_model: int | None = Field(None, gt=0, description="width of the residual stream")
    n_layers: int | None = Field(None, gt=0, description="blocks")
    n_heads: int | None = Field(None, gt=0, description="query heads")
    n_kv_heads: int | None = Field(None, gt=0, description="key and value heads")
    d_head: int | None = Field(None, gt=0, description="width of a head; d_model / n_heads")
    d_ff: int | None = Field(None, gt=0, description="inner width of the MLP")
    mlp: Literal["gated", "two-matrix"] | None = Field(None, description="kind of MLP")
    rope_theta: float | None = Field(None, gt=0, description="base of the rotary frequencies")
    norm_eps: float | None = Field(None, gt=0, description="added to the mean square in RMSNorm")
    tie_embeddings: bool | None = Field(None, description="one matrix for input and output")
    qkv_bias: bool | None = Field(None, description="biases on queries, keys and values")
    qk_norm: bool | None = Field(None, description="RMSNorm on each query and key head")


class PretrainConfig(TrainingConfig):
    """Keys of `[pretrain]`."""

    preset: str = Field("demo", description="shape: demo, 10m, 30m, 100m or ncvc-1.2b")
    model: ShapeConfig = Field(
        default_factory=lambda: ShapeConfig.model_validate({}),
        description="changes to the preset",
    )
    context_length: int = Field(512, gt=1, description="tokens per row")
    mix: dict[str, MixedSource] | None = later_key(
        None, description="source (or tokens folder) -> weight and max_epochs; left out: everything"
    )
    masked_share: float = later_key(
        0.0, ge=0, lt=1, description="share of batches read both ways, predicting hidden tokens"
    )
    masked_rate: float = later_key(
        0.15, gt=0, lt=1, description="share of the tokens of such a batch that are hidden"
    )
    sample_prompts: tuple[str, ...] = later_key(
        (), description="beginnings of texts that are continued at each validation: samples.jsonl"
    )
    n_sample_tokens: int = later_key(64, gt=0, description="tokens of such a text, at most")
    patience: int | None = later_key(
        None, gt=0, description="stop after so many validations without fewer bits per byte"
    )
    adapter: AdapterSettings | None = later_key(
        None, description="continued pre-training: train an adapter beside the frozen base"
    )

    def decoder_config(self, vocab_size: int) -> DecoderConfig:
        """Return the shape of the decoder for a vocabulary.

        Raises:
            InvalidValue: The preset is unknown, or the changes do not fit together.
        """
        base = decoder_config(self.preset, vocab_size, self.context_length)
        changes = self.model.model_dump(exclude_none=True)
        if {"d_model", "n_heads"} & changes.keys() and "d_head" not in changes:
            width, n_heads = ({**base.model_dump(), **changes}[k] for k in ("d_model", "n_heads"))
            changes["d_head"] = width // n_heads
        if "n_heads" in changes and "n_kv_heads" not in changes:
            changes["n_kv_heads"] = changes["n_heads"]
        try:
            return DecoderConfig(**{**base.model_dump(), **changes})
        except ValidationError as error:
            problem = error.errors(include_input=False, include_url=False)[0]
            key = ".".join(["model", *(str(part) for part in problem["loc"])])
            raise InvalidValue(
                where=f"[pretrain] {key}", found=problem["type"], expected=problem["msg"]
            ) from None


@door
def pretrain(
    config: PretrainConfig,
    *,
    tokens: Path | Sequence[Path],
    out: Path,
    base: Path | None = None,
    noncommercial: bool = False,
) -> Manifest:
    """Train a decoder on tokens folders: with fresh weights, or those of a base.

    Args:
        config: `[pretrain]` of the run file.
        tokens: One finished folder of `encode`, or several with the same tokenizer.
        out: The weights folder to write. An unfinished run of the same config is taken up.
        base: Weights to go on from (continued pre-training): a folder of rinsho's, a Hugging Face
            folder or a hub id in the cache. `preset` and `model` say nothing then.
        noncommercial: Whether a base of a non-commercial license may be used.

    Raises:
        NothingToLearn: The training split, or a source of the mix, is empty.
        TokenizerMismatch: The folders do not have one tokenizer, or the base has another.
        SequenceTooLong: Rows are longer than the context of the base.
        InvalidValue: An adapter without a base, or over several processes.
        ModelCannot: The base is an adapter: that has to be merged first.
        LossNotFinite, OutOfMemory, ResumeRefused: As said in the training loop.
    """
    folders = [tokens] if isinstance(tokens, Path) else list(tokens)
    sources = [open_folder(path, "encode") for path in folders]
    opened = None if base is None else open_training_base(base)
    if config.adapter is not None and opened is None:
        where, expected = "[pretrain] adapter", "weights to put it on: --base"
        raise InvalidValue(where=where, found="no base", expected=expected)
    if opened is not None:
        opened.check_license((), noncommercial=noncommercial)
    _check_tokenizers(sources, opened)
    inputs = {
        "tokens": sources[0] if len(sources) == 1 else sources,  # as in folders of one
        **({} if opened is None else {"base": opened.source}),
    }
    finished = None if opened is None else opened.finished
    used = [*sources, *([] if finished is None else [finished])]
    new = {"stage": "pretrain", "config": config, "inputs": inputs, "can_resume": True}
    with joined_ranks(config.rank_timeout) as ranks, joint_folder(ranks, out, **new) as folder:
        if opened is not None:
            opened.record_license(folder)
        _pretrain(config, sources, opened, folder, ranks)
        if ranks.is_main:
            write_model_card(folder, "pretrain", used)
    assert folder.manifest is not None
    return folder.manifest


def _check_tokenizers(sources: Sequence[FinishedFolder], base: Base | None) -> None:
    from rinsho.tokenizer.tokenizer import read_tokenizer

    first, *rest = [*([] if base is None else [base]), *sources]
    wanted = read_tokenizer(first.path).sha256
    for source in rest:
        found = read_tokenizer(source.path).sha256
        if found != wanted:
            raise TokenizerMismatch(where=source.path.name, expected=wanted[:16], found=found[:16])


def _pretrain(
    config: PretrainConfig,
    sources: Sequence[FinishedFolder],
    base: Base | None,
    folder: OpenFolder,
    ranks: Ranks,
) -> None:
    require_torch("pretrain")
    from rinsho.tokenizer.tokenizer import read_tokenizer
    from rinsho.training.base import count_weights, write_result
    from rinsho.training.language import train_on_tokens, write_record, write_weights
    from rinsho.training.session import training_session

    if config.adapter is not None and ranks.n_ranks > 1:
        where, expected = "[pretrain] adapter", "one process, or all weights"
        raise InvalidValue(where=where, found=f"{ranks.n_ranks} ranks", expected=expected)
    tokenizer = read_tokenizer(sources[0].path)
    with training_session(config, ranks) as session:
        decoder = _decoder(config, tokenizer.vocab_size, base, session)
        finished = train_on_tokens(
            decoder,
            tokenizer,
            [source.path for source in sources],
            config,
            session,
            folder,
            context_length=config.context_length,
            mix=config.mix,
            patience=config.patience,
            masking=_masking(config, tokenizer),
            sample_prompts=config.sample_prompts,
            n_sample_tokens=config.n_sample_tokens,
        )
    if not ranks.is_main:
        return
    if base is not None:
        write_result(decoder, tokenizer, base, config.adapter, folder)
    else:
        write_weights(decoder, tokenizer, sources[0].path, folder)
    write_record(count_weights(decoder), folder, finished)


def _masking(config: PretrainConfig, tokenizer: Tokenizer) -> Masking | None:
    from rinsho.training.masking import Masking

    if not config.masked_share:
        return None
    return Masking(config.masked_share, config.masked_rate, tokenizer.unk_id)


def _decoder(
    config: PretrainConfig, vocab_size: int, base: Base | None, session: Session
) -> TrainableDecoder:
    import torch

    from rinsho.model.base import load_trainable
    from rinsho.model.decoder import new_decoder
    from rinsho.training.base import load_base

    if base is None:
        shape = config.decoder_config(vocab_size)
        return new_decoder(shape, seed=config.seed, dropout=config.dropout)
    if config.adapter is not None:
        decoder = load_base(base, config, session, config.adapter)
    else:
        decoder = load_trainable(base.path, dtype=torch.float32, dropout=config.dropout)
    longest = decoder.config.context_length
    if config.context_length > longest:
        raise SequenceTooLong(
            where="[pretrain] context_length", expected=longest, found=config.context_length
        )
    return decoder
