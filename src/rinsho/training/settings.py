"""What every training run is told: sizes of a step, length, optimizer, precision, checkpoints."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Literal

from pydantic import Field

from rinsho.errors import MissingDependency
from rinsho.runfile import StageConfig


def later_key(default: Any, **more: Any) -> Any:
    """Return the field of a key that older folders do not have: its default is in no identity."""
    return Field(default, exclude_if=lambda value: value == default, **more)


class TrainingConfig(StageConfig):
    """The keys that `pretrain` and `finetune` share; one loop reads them."""

    batch_tokens: int = Field(8_192, gt=0, description="tokens per optimizer update, at most")
    micro_batch_tokens: int = Field(
        4_096, gt=0, description="tokens that go through the model at once, at most"
    )
    n_steps: int | None = Field(None, gt=0, description="optimizer updates; left out: max_epochs")
    max_epochs: int = Field(1, gt=0, description="passes over the training split")
    max_tokens: int | None = Field(None, gt=0, description="stop before more tokens than this")
    max_minutes: float | None = Field(
        None, gt=0, description="stop after this time; such a run is not reproducible"
    )
    learning_rate: float = Field(1e-3, gt=0, description="peak, after the warm-up")
    final_learning_rate: float = Field(
        0.1, ge=0, le=1, description="share of the peak that the rate ends with"
    )
    n_warmup_steps: int = Field(20, ge=0, description="steps in which the rate rises linearly")
    weight_decay: float = Field(0.1, ge=0, description="of matrices; norms and embeddings have 0")
    beta1: float = Field(0.9, ge=0, lt=1, description="AdamW: memory of the mean gradient")
    beta2: float = Field(0.95, ge=0, lt=1, description="AdamW: memory of its square")
    grad_clip: float = Field(1.0, gt=0, description="largest norm of the gradient of a step")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of activations set to 0")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="of matrix products; auto: bf16 where the processor computes in it"
    )
    device: Literal["auto", "cpu", "cuda"] = later_key(
        "auto", description="where a language model is trained; auto: a GPU where there is one"
    )
    compile: Literal["auto"] | bool = later_key(
        "auto", description="fuse blocks with torch.compile; auto: where a run is long enough"
    )
    threads: int | None = Field(
        None, gt=0, description="CPU threads, part of the identity; left out: every core"
    )
    schedule: Literal["cosine", "wsd"] = later_key(
        "cosine", description="after the warm-up: a cosine, or stable and a decay at the end"
    )
    decay_share: float = later_key(
        0.2, gt=0, le=1, description="wsd: share of the steps in which the rate falls, at the end"
    )
    optimizer: Literal["adamw", "adamw-8bit"] = later_key(
        "adamw", description="adamw-8bit: its memories take a quarter (bitsandbytes)"
    )
    recompute: bool = later_key(
        False, description="compute activations again going backward: less memory, a third slower"
    )
    ema_decay: float | None = later_key(
        None, gt=0, lt=1, description="running average of the weights: share a step keeps (.999)"
    )
    data_workers: int = Field(
        0, ge=0, le=16, exclude=True, description="threads that make batches ahead; changes no byte"
    )
    rank_timeout: float = Field(
        600, gt=0, exclude=True, description="seconds that ranks wait for each other; then it ends"
    )
    seed: int = Field(0, ge=0, description="of weights, data order and dropout")
    checkpoint_every_steps: int = Field(100, gt=0, description="steps between checkpoints")
    evaluate_every_steps: int = Field(100, gt=0, description="steps between validations")
    max_validation_tokens: int = Field(
        100_000, gt=0, description="tokens of the validation split that are measured, at most"
    )


def require_torch(stage: str) -> None:
    """Check that torch is there.

    Raises:
        MissingDependency: With the extra that brings it.
    """
    if find_spec("torch") is None:
        raise MissingDependency(where=stage, expected="model", found="torch")
