"""What a run will cost, from its run file alone: before anything runs, and without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast, get_args

from rinsho.corpus.synthesize import NOTE_KINDS, SynthesizeConfig
from rinsho.encoding.encode import EncodeConfig
from rinsho.errors import InvalidValue, MissingInput
from rinsho.model import cost
from rinsho.model.adapter import AdapterSettings
from rinsho.model.architecture import from_transformers, read_config_file
from rinsho.model.cost import Parameters
from rinsho.model.drawing import draw_architecture
from rinsho.model.memory import (
    Device,
    Precision,
    TrainingMemory,
    Tuning,
    checkpoint_bytes,
    count_trained,
    training_memory,
)
from rinsho.model.presets import OPEN_SHAPES, DecoderConfig, decoder_config
from rinsho.runfile import RunFile, Step
from rinsho.tokenizer.train_tokenizer import TrainTokenizerConfig
from rinsho.training.finetune import (
    LANGUAGE_FORMS,
    FinetuneConfig,
    Form,
    HeadForm,
    default_form,
)
from rinsho.training.hardware import HARDWARE, Hardware, HardwareTime
from rinsho.training.plan_memory import first_that_fits, longest_row, tuning_of
from rinsho.training.plan_text import render_plan
from rinsho.training.pretrain import PretrainConfig
from rinsho.training.settings import TrainingConfig

__all__ = ["Plan", "StepPlan", "TokenCount", "draw_architecture", "make_plan", "render_plan"]

Basis = Literal["config", "estimate", "unknown"]

# Medical text and 16,384 pieces: docs/tokenizer.md. A tokenizer's measure.json has its own figure.
_BYTES_PER_TOKEN = 3.9
_TRAIN_SHARE = 0.96  # the other 4% are the validation and the test split
_CONVERSATIONS = ("exam_question", "instruction")


@dataclass(frozen=True, slots=True)
class TokenCount:
    """How many tokens a step trains on, epochs included, and where the number comes from."""

    n_tokens: int | None
    basis: Basis


@dataclass(frozen=True, slots=True)
class StepPlan:
    """The cost of one training step of a run file."""

    name: str
    form: Form | Literal["pretraining"]
    parameters: Parameters
    tokens: TokenCount
    batch_tokens: int
    micro_batch_tokens: int
    n_trained: int  # parameters that are trained: all, or those of an adapter
    method: Literal["full", "lora", "qlora"]
    precision: Precision
    flops_per_token: int
    n_planned_tokens: int  # what the times stand for: the tokens, or a million where unknown
    memory: TrainingMemory
    recomputed_bytes: int  # activations where each block is computed again going backward
    cache_bytes: int  # keys and values of one full context, bf16
    disk_bytes: int  # what is written in the end, and the last two checkpoints
    max_minutes: float | None
    times: tuple[HardwareTime, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The cost of every training step of a run file."""

    name: str
    model: DecoderConfig
    steps: tuple[StepPlan, ...]


def make_plan(run_file: RunFile, base: str | Path | None = None) -> Plan:
    """Return what the training steps of a run file cost.

    Args:
        run_file: What will run.
        base: Weights that come from outside it: a model folder, or a name of `OPEN_SHAPES`.

    Raises:
        UnknownStage: The run file trains nothing.
        MissingInput: A step starts from weights that no step makes, and there is no `base`.
        PathMissing, UnknownArchitecture, WeightsMismatch: The base is no folder that can be read.
        InvalidValue: The shape is impossible.
    """
    steps = [step for step in run_file.steps if step.stage.verb in ("pretrain", "finetune")]
    if not steps:
        run_file.step("pretrain")
    outside = None if base is None else base_shape(base)
    shapes = [_shape(run_file, step, outside) for step in steps]
    planned = [_plan_step(run_file, *pair) for pair in zip(steps, shapes, strict=True)]
    return Plan(run_file.name, shapes[0], tuple(planned))


def base_shape(base: str | Path) -> DecoderConfig:
    """Return the shape of a base model: by its name, or from a folder's config.json."""
    if str(base) in OPEN_SHAPES:
        return OPEN_SHAPES[str(base)]
    folder = Path(base)
    if not folder.is_dir():
        raise InvalidValue(
            where="--base", found=folder.name, expected=f"a folder, or {', '.join(OPEN_SHAPES)}"
        )
    return from_transformers(read_config_file(folder), where=f"{folder.name}/config.json")


def _plan_step(run_file: RunFile, step: Step, shape: DecoderConfig) -> StepPlan:
    config = cast(PretrainConfig | FinetuneConfig, step.config)
    adapter = cast(AdapterSettings | None, getattr(config, "adapter", None))
    tuning, form = tuning_of(config), _form(step, config)
    flops_per_token = _flops_per_token(config, shape, form, tuning)
    tokens = _count_tokens(run_file, step, config)
    n_planned = tokens.n_tokens if tokens.n_tokens is not None else 1_000_000
    memories = {kind: _memory(config, shape, tuning, kind) for kind in ("cpu", "cuda")}
    precision: Precision = "bf16" if config.precision == "bf16" else "fp32"
    memory = memories["cuda" if precision == "bf16" else "cpu"]
    again = replace(tuning, recomputes=True)
    recomputed = training_memory(shape, config.micro_batch_tokens, precision, again)
    return StepPlan(
        name=step.name,
        form=form,
        parameters=cost.count_parameters(shape),
        tokens=tokens,
        batch_tokens=config.batch_tokens,
        micro_batch_tokens=config.micro_batch_tokens,
        n_trained=count_trained(shape, tuning),
        method=adapter.kind if adapter else "full",
        precision=precision,
        flops_per_token=flops_per_token,
        n_planned_tokens=n_planned,
        memory=memory,
        recomputed_bytes=recomputed.activations,
        cache_bytes=cost.cache_bytes(shape, shape.context_length, "bf16"),
        disk_bytes=4 * count_trained(shape, tuning) + 2 * checkpoint_bytes(shape, tuning),
        max_minutes=config.max_minutes,
        times=tuple(
            _time(
                hardware,
                flops_per_token * n_planned,
                memories[hardware.kind],
                config,
                shape,
                can_adapt=form in LANGUAGE_FORMS,
            )
            for hardware in HARDWARE
        ),
    )


def _time(
    hardware: Hardware,
    flops: float,
    memory: TrainingMemory,
    config: TrainingConfig,
    shape: DecoderConfig,
    *,
    can_adapt: bool,
) -> HardwareTime:
    """Return how long so many FLOPs take there, and what to change where memory does not do."""
    time, limit = hardware.time(flops, memory.peak), hardware.limit_bytes
    if time.fits or limit is None:
        return time
    precision = _precision(config, hardware.kind)
    need = first_that_fits(
        config,
        shape,
        precision=precision,
        device=hardware.kind,
        limit=limit,
        can_adapt=can_adapt,
    )
    return replace(time, remedy=str(need) if need.n_bytes <= limit else None)


def _memory(
    config: TrainingConfig, shape: DecoderConfig, tuning: Tuning, device: Device
) -> TrainingMemory:
    precision = _precision(config, device)
    return training_memory(shape, config.micro_batch_tokens, precision, tuning, device)


def _precision(config: TrainingConfig, device: Device) -> Precision:
    """Return what a run computes in: "auto" is bf16 on a GPU."""
    is_bf16 = config.precision == "bf16" or (config.precision == "auto" and device == "cuda")
    return "bf16" if is_bf16 else "fp32"


def _flops_per_token(
    config: PretrainConfig | FinetuneConfig,
    shape: DecoderConfig,
    form: Form | Literal["pretraining"],
    tuning: Tuning,
) -> int:
    """Count full rows, the upper limit: documents do not see each other. Heads see both ways."""
    has_head = form in get_args(HeadForm)
    row = min(longest_row(config, shape), config.micro_batch_tokens)
    seen = row if has_head else cost.causal_mean(row)
    return training_flops(shape, seen, tuning, with_output=not has_head)


def training_flops(
    shape: DecoderConfig, n_seen_tokens: float, tuning: Tuning, *, with_output: bool = True
) -> int:
    """Return the FLOPs of forward and backward for one token that attends to so many.

    Recomputing costs a second forward pass of the blocks; the output matrix has none.
    """
    flops = cost.count_flops(shape, n_seen_tokens, with_output=with_output)
    again = cost.count_flops(shape, n_seen_tokens, with_output=False).forward * tuning.recomputes
    if not tuning.rank:
        return flops.training + again
    parameters = cost.count_parameters(shape)
    share = count_trained(shape, tuning) / (parameters.attention + parameters.mlp)
    return round(flops.training_of(share)) + again


def _form(step: Step, config: PretrainConfig | FinetuneConfig) -> Form | Literal["pretraining"]:
    if not isinstance(config, FinetuneConfig):
        return "pretraining"
    return config.form or default_form("tokens" in step.inputs, "documents" in step.inputs, ())


def _inputs(run_file: RunFile, step: Step, slot: str) -> list[Step]:
    names = step.inputs.get(slot, ())
    return [earlier for earlier in run_file.steps if earlier.name in names]


def _shape(run_file: RunFile, step: Step, outside: DecoderConfig | None) -> DecoderConfig:
    """Return the shape of a step's decoder: its own, or that of the weights it starts from."""
    bases = _inputs(run_file, step, "base")
    if bases:
        return _shape(run_file, bases[0], outside)
    if outside is not None:
        return outside
    if isinstance(step.config, PretrainConfig):
        own = decoder_config(step.config.preset).vocab_size
        return step.config.decoder_config(_vocab_size(run_file, step) or own)
    raise MissingInput(where=f"rinsho plan, {step.name}", expected="base")


def _vocab_size(run_file: RunFile, step: Step) -> int | None:
    """Follow the inputs back to the tokenizer; a small corpus can give fewer tokens than that."""
    if isinstance(step.config, TrainTokenizerConfig):
        return step.config.vocab_size
    sources = _inputs(run_file, step, "tokens") or _inputs(run_file, step, "tokenizer")
    return _vocab_size(run_file, sources[0]) if sources else None


def _count_tokens(
    run_file: RunFile, step: Step, config: PretrainConfig | FinetuneConfig
) -> TokenCount:
    """Return the tokens of all epochs, the smallest of the limits that are set."""
    if config.n_steps is not None:
        n_tokens = config.n_steps * config.batch_tokens
        return TokenCount(min(n_tokens, config.max_tokens or n_tokens), "config")
    estimate = _estimate_epoch(run_file, step)
    if estimate is None:
        return TokenCount(config.max_tokens, "config" if config.max_tokens else "unknown")
    n_tokens = round(estimate * config.max_epochs)
    if config.max_tokens is not None and config.max_tokens <= n_tokens:
        return TokenCount(config.max_tokens, "config")
    return TokenCount(n_tokens, "estimate")


def _estimate_epoch(run_file: RunFile, step: Step) -> float | None:
    """Return about how many tokens the train split has; None where only a run can tell."""
    if isinstance(step.config, FinetuneConfig) and step.config.form == "relation":
        return None  # how many pairs of mentions stand near each other
    limits: list[float | None] = []
    for encode in _inputs(run_file, step, "tokens"):
        config = cast(EncodeConfig, encode.config)
        kinds = _CONVERSATIONS if config.what == "conversations" else ("textbook", *NOTE_KINDS)
        limits += [_count_tokens_of(_inputs(run_file, encode, "documents"), kinds)]
        limits += [config.max_tokens]
    if documents := _inputs(run_file, step, "documents"):
        limits += [
            _count_tokens_of(documents, (*NOTE_KINDS, "adverse_event"))
        ]  # what has gold spans
    known = [limit * _TRAIN_SHARE for limit in limits if limit is not None]
    return min(known, default=None)


def _count_tokens_of(documents: list[Step], kinds: Sequence[str]) -> float | None:
    """Return the tokens of synthesized documents; what `collect` will find is not known."""
    n_bytes = 0.0
    for step in documents:
        config = step.config
        if not isinstance(config, SynthesizeConfig) or config.n_bytes is None or config.lexicons:
            return None
        share = sum(config.shares.get(kind, 0.0) for kind in kinds) / sum(config.shares.values())
        n_bytes += config.n_bytes * share
    return n_bytes / _BYTES_PER_TOKEN if documents else None
