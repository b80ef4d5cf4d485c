"""What to change where memory does not suffice, and by how much: by the formulas of a plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import cast

from rinsho.model.adapter import AdapterSettings
from rinsho.model.memory import Device, Precision, Tuning, training_memory
from rinsho.model.presets import DecoderConfig
from rinsho.training.settings import TrainingConfig

_FEWEST_TOKENS = 128  # of a micro batch where no row is longer


@dataclass(frozen=True, slots=True)
class Need:
    """A setting of a run, as changes to what it has, and the bytes that training takes with it."""

    changes: Mapping[str, str]
    n_bytes: int

    def __str__(self) -> str:
        """Return the keys as a run file writes them, and the memory."""
        keys = ", ".join(f"{key} = {value}" for key, value in self.changes.items())
        return f"{keys} (≈ {self.n_bytes / 1e9:.1f} GB)"


def tuning_of(config: TrainingConfig) -> Tuning:
    """Return what a run trains, in the words of the memory's formulas."""
    adapter = cast(AdapterSettings | None, getattr(config, "adapter", None))
    return Tuning(
        rank=adapter.rank if adapter else 0,
        targets=adapter.targets if adapter else (),
        modules_to_save=adapter.modules_to_save if adapter else (),
        is_quantized=adapter is not None and adapter.kind == "qlora",
        has_8bit_optimizer=config.optimizer == "adamw-8bit",
        recomputes=config.recompute,
        accumulates=config.batch_tokens > config.micro_batch_tokens,
        has_average=config.ema_decay is not None,
    )


def memory_advice(
    config: TrainingConfig,
    shape: DecoderConfig,
    *,
    precision: Precision,
    device: Device,
    available_bytes: int | None = None,
    can_adapt: bool = False,
) -> str:
    """Return which keys to lower, to what, and the memory of a step before and after.

    The first of these that fits is told: fewer tokens at once, which changes no result; activations
    computed again; an optimizer in 8 bits; an adapter; an adapter over 4 bits. Where none fits, it
    is the last of them.

    Args:
        config: `[pretrain]` or `[finetune]`.
        shape: Of the decoder that is trained.
        precision: Of the run.
        device: Where it runs.
        available_bytes: What there is for training; None: half of what the run takes now.
        can_adapt: Whether it starts from weights that an adapter could be trained beside.
    """
    now = _bytes(config, shape, tuning_of(config), config.micro_batch_tokens, precision, device)
    limit = available_bytes if available_bytes is not None else now // 2
    found = first_that_fits(
        config, shape, precision=precision, device=device, limit=limit, can_adapt=can_adapt
    )
    return f"{found}; now ≈ {now / 1e9:.1f} GB"


def first_that_fits(
    config: TrainingConfig,
    shape: DecoderConfig,
    *,
    precision: Precision,
    device: Device,
    limit: int,
    can_adapt: bool = False,
) -> Need:
    """Return the mildest change with which a step takes at most `limit` bytes, or the hardest."""
    last: Need | None = None
    for tuning, changes in _ways(config, can_adapt=can_adapt):
        for n_tokens in _fewer(config.micro_batch_tokens, longest_row(config, shape)):
            n_bytes = _bytes(config, shape, tuning, n_tokens, precision, device)
            fewer = {"micro_batch_tokens": str(n_tokens)}
            is_lower = n_tokens < config.micro_batch_tokens
            last = Need((fewer if is_lower else {}) | changes, n_bytes)
            if last.changes and n_bytes <= limit:
                return last
    assert last is not None  # there is always the way of the config itself
    return last


def _ways(config: TrainingConfig, *, can_adapt: bool) -> Iterator[tuple[Tuning, dict[str, str]]]:
    """Yield what can be changed beside the tokens at once, each with all before it."""
    tuning, changes = tuning_of(config), dict[str, str]()
    yield tuning, changes
    if not tuning.recomputes:
        tuning, changes = replace(tuning, recomputes=True), {"recompute": "true"}
        yield tuning, changes
    if not tuning.has_8bit_optimizer:
        tuning = replace(tuning, has_8bit_optimizer=True)
        changes = {**changes, "optimizer": '"adamw-8bit"'}
        yield tuning, changes
    if not can_adapt:
        return
    changes = {key: value for key, value in changes.items() if key != "optimizer"}
    tuning = replace(tuning, rank=tuning.rank or 16, has_8bit_optimizer=False)
    if not tuning_of(config).rank:
        yield tuning, {**changes, "adapter.kind": '"lora"'}
    if not tuning.is_quantized:
        yield replace(tuning, is_quantized=True), {**changes, "adapter.kind": '"qlora"'}


def longest_row(config: TrainingConfig, shape: DecoderConfig) -> int:
    """Return the most tokens of a row; less than a row never goes through the model."""
    own = cast(int | None, getattr(config, "context_length", None))
    return min(own or shape.context_length, shape.context_length)


def _fewer(n_tokens: int, row: int) -> Iterator[int]:
    """Yield a number of tokens and its halves, down to a row.

    >>> list(_fewer(4_096, 1_024)), list(_fewer(1_000, 2_048))
    ([4096, 2048, 1024], [1000])
    """
    yield n_tokens
    while n_tokens // 2 >= max(row, _FEWEST_TOKENS):
        n_tokens //= 2
        yield n_tokens


def _bytes(
    config: TrainingConfig,
    shape: DecoderConfig,
    tuning: Tuning,
    n_tokens: int,
    precision: Precision,
    device: Device,
) -> int:
    told = replace(tuning, accumulates=config.batch_tokens > n_tokens)
    return training_memory(shape, n_tokens, precision, told, device).peak
