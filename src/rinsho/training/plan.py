"""What a run will cost, from its run file alone: before anything runs, and without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from rinsho.corpus.synthesize import NOTE_KINDS, SynthesizeConfig
from rinsho.encoding.encode import EncodeConfig
from rinsho.model import cost
from rinsho.model.cost import Parameters, TrainingMemory
from rinsho.model.drawing import draw_architecture
from rinsho.model.presets import DecoderConfig, decoder_config
from rinsho.runfile import RunFile, Step
from rinsho.tokenizer.train_tokenizer import TrainTokenizerConfig
from rinsho.training.finetune import FinetuneConfig, Form, default_form
from rinsho.training.hardware import HARDWARE, HardwareTime
from rinsho.training.plan_text import render_plan
from rinsho.training.pretrain import PretrainConfig

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
    flops_per_token: int
    n_planned_tokens: int  # what the times stand for: the tokens, or a million where unknown
    memory: TrainingMemory
    disk_bytes: int  # the weights and the last two checkpoints
    max_minutes: float | None
    times: tuple[HardwareTime, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The cost of every training step of a run file."""

    name: str
    model: DecoderConfig
    steps: tuple[StepPlan, ...]


def make_plan(run_file: RunFile) -> Plan:
    """Return what the training steps of a run file cost.

    Raises:
        UnknownStage: The run file has no `[pretrain]`, so that no shape is known.
        InvalidValue: The shape is impossible.
    """
    steps = [step for step in run_file.steps if step.stage.verb in ("pretrain", "finetune")]
    model = _shape(run_file, run_file.step("pretrain"))
    return Plan(run_file.name, model, tuple(_plan_step(run_file, step) for step in steps))


def _plan_step(run_file: RunFile, step: Step) -> StepPlan:
    config = cast(PretrainConfig | FinetuneConfig, step.config)
    form = _form(step, config)
    shape = _shape(run_file, step)
    # Tagging sees both ways; full rows are the upper limit: documents do not see each other.
    is_tagging = form in ("tagging", "pooled", "pair")
    seen = shape.context_length if is_tagging else cost.causal_mean(shape.context_length)
    flops_per_token = cost.count_flops(shape, seen, with_output=not is_tagging).training
    tokens = _count_tokens(run_file, step, config)
    n_planned = tokens.n_tokens if tokens.n_tokens is not None else 1_000_000
    precision = "bf16" if config.precision == "bf16" else "fp32"
    memory = cost.training_memory(shape, config.micro_batch_tokens, precision)
    return StepPlan(
        name=step.name,
        form=form,
        parameters=cost.count_parameters(shape),
        tokens=tokens,
        batch_tokens=config.batch_tokens,
        micro_batch_tokens=config.micro_batch_tokens,
        flops_per_token=flops_per_token,
        n_planned_tokens=n_planned,
        memory=memory,
        disk_bytes=cost.weights_bytes(shape, "fp32") + 2 * cost.checkpoint_bytes(shape),
        max_minutes=config.max_minutes,
        times=tuple(
            hardware.time(flops_per_token * n_planned, memory.total) for hardware in HARDWARE
        ),
    )


def _form(step: Step, config: PretrainConfig | FinetuneConfig) -> Form | Literal["pretraining"]:
    if not isinstance(config, FinetuneConfig):
        return "pretraining"
    return config.form or default_form("tokens" in step.inputs, "documents" in step.inputs, ())


def _inputs(run_file: RunFile, step: Step, slot: str) -> list[Step]:
    names = step.inputs.get(slot, ())
    return [earlier for earlier in run_file.steps if earlier.name in names]


def _shape(run_file: RunFile, step: Step) -> DecoderConfig:
    """Return the shape of a step's decoder: its own, or that of the weights it starts from."""
    if isinstance(step.config, PretrainConfig):
        own = decoder_config(step.config.preset).vocab_size
        return step.config.decoder_config(_vocab_size(run_file, step) or own)
    bases = _inputs(run_file, step, "base")
    return _shape(run_file, bases[0] if bases else run_file.step("pretrain"))


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
    limits: list[float | None] = []
    for encode in _inputs(run_file, step, "tokens"):
        config = cast(EncodeConfig, encode.config)
        kinds = _CONVERSATIONS if config.what == "conversations" else ("textbook", *NOTE_KINDS)
        limits += [_count_tokens_of(_inputs(run_file, encode, "documents"), kinds)]
        limits += [config.max_tokens]
    if documents := _inputs(run_file, step, "documents"):
        limits += [_count_tokens_of(documents, NOTE_KINDS)]  # what has gold spans
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
