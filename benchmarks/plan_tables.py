"""The tables of `docs/scaling.md`, from `rinsho plan`. Nothing is measured and nothing runs.

python benchmarks/plan_tables.py
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rinsho.model.presets import PRESETS
from rinsho.runfile import to_run_file
from rinsho.training.hardware import HardwareTime
from rinsho.training.plan import StepPlan, make_plan

_GB = 1e9
_HARDWARE = ("2 CPU cores", "RTX 4060 8 GB", "RTX 4090 24 GB", "H100 SXM 80 GB", "H200 SXM 141 GB")
_WAYS: dict[str, dict[str, Any]] = {
    "full": {},
    "full, recomputed, AdamW in 8 bits": {"recompute": True, "optimizer": "adamw-8bit"},
    "LoRA": {"adapter": {"rank": 16}},
    "LoRA, recomputed": {"adapter": {"rank": 16}, "recompute": True},
    "QLoRA": {"adapter": {"rank": 16, "kind": "qlora"}},
    "QLoRA, recomputed": {"adapter": {"rank": 16, "kind": "qlora"}, "recompute": True},
}


def pretraining(preset: str, precision: str, **values: Any) -> StepPlan:
    """Plan a thousand million tokens of a preset, in rows of its own context."""
    config = {
        "preset": preset,
        "context_length": PRESETS[preset].context_length,
        "max_tokens": 10**9,
        "n_steps": 10**6,
        "micro_batch_tokens": 8_192,
        "batch_tokens": 65_536,
        "precision": precision,
        **values,
    }
    return make_plan(to_run_file("table", {"pretrain": config})).steps[0]


def adaptation(shape: str, way: str) -> StepPlan:
    """Plan ten million tokens of tuning, in rows of 2,048."""
    config = {
        "form": "generation",
        "context_length": 2_048,
        "max_tokens": 10**7,
        "n_steps": 10**6,
        "micro_batch_tokens": 2_048,
        "batch_tokens": 16_384,
        "precision": "bf16",
        **_WAYS[way],
    }
    return make_plan(to_run_file("table", {"finetune": config}), shape).steps[0]


def pretraining_table() -> Iterator[str]:
    """Yield the lines of the table of presets."""
    yield (
        "| preset | parameters | FLOPs a token | fp32, GB | bf16, GB | bf16 recomputed, GB | "
        "checkpoint, GB | cache, MB | " + " | ".join(_HARDWARE) + " |"
    )
    yield "|---" * (8 + len(_HARDWARE)) + "|"
    for preset in PRESETS:
        plan, half = pretraining(preset, "fp32"), pretraining(preset, "bf16")
        again = pretraining(preset, "bf16", recompute=True)
        cells = [
            f"`{preset}`",
            f"{plan.parameters.total / 1e6:,.1f}M",
            f"{plan.flops_per_token:.3g}",
            *(f"{one.memory.peak / _GB:.1f}" for one in (plan, half, again)),
            f"{plan.memory.checkpoint / _GB:.1f}",
            f"{plan.cache_bytes / 1e6:.0f}",
            *(_hours(time) for time in half.times),
        ]
        yield "| " + " | ".join(cells) + " |"


def adaptation_table(shape: str) -> Iterator[str]:
    """Yield the lines of the table of a base model."""
    yield (
        "| way | trained | weights, GB | AdamW, GB | activations, GB | peak, GB | "
        + " | ".join(_HARDWARE[1:])
        + " |"
    )
    yield "|---" * (5 + len(_HARDWARE)) + "|"
    for way in _WAYS:
        plan = adaptation(shape, way)
        memory = plan.memory
        sizes = (memory.weights, memory.optimizer, memory.activations, memory.peak)
        cells = [
            way,
            f"{plan.n_trained / 1e6:,.1f}M",
            *(f"{size / _GB:.1f}" for size in sizes),
            *(_hours(time) for time in plan.times[1:]),
        ]
        yield "| " + " | ".join(cells) + " |"


def _hours(time: HardwareTime) -> str:
    hours = time.seconds / 3_600
    if not time.fits:
        return "–"
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}"


def main() -> None:
    """Print both tables."""
    print("\n".join(pretraining_table()))
    print()
    for shape in ("qwen2-7b", "llama-3.1-8b"):
        print(shape, "\n".join(adaptation_table(shape)), sep="\n\n")
        print()


if __name__ == "__main__":
    main()
