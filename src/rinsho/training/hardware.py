"""How long FLOPs take on named hardware: measured here, or the data sheet and an assumption."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

_GIB = 2**30
# Assumed, not measured: what CUDA itself takes of a card, and what lies unused between tensors.
_CONTEXT_BYTES, _HELD_TOGETHER = 600_000_000, 1.05


@dataclass(frozen=True, slots=True)
class HardwareTime:
    """The time of a training step on one kind of hardware."""

    name: str
    seconds: float
    is_measured: bool
    fits: bool  # whether weights, optimizer and activations fit its memory, as far as known
    remedy: str | None = None  # where not: the keys to lower so that it does, if any do


@dataclass(frozen=True, slots=True)
class Hardware:
    """A device and what share of its peak training is expected to use."""

    name: str
    flops_per_second: float
    utilization: float
    memory_bytes: int | None  # None: whatever the machine has
    is_measured: bool
    source: str
    kind: Literal["cpu", "cuda"] = "cuda"

    @property
    def limit_bytes(self) -> int | None:
        """Return how much of its memory training can use; None where that is not known."""
        if self.memory_bytes is None:
            return None
        return int((self.memory_bytes - _CONTEXT_BYTES) / _HELD_TOGETHER)

    def time(self, flops: float, memory_bytes: int) -> HardwareTime:
        """Return how long so many FLOPs take, and whether so many bytes fit."""
        seconds = flops / (self.flops_per_second * self.utilization)
        fits = self.limit_bytes is None or memory_bytes <= self.limit_bytes
        return HardwareTime(self.name, seconds, self.is_measured, fits)


# Dense bf16 without sparsity. The share of the peak is an assumption, common for models of a
# billion parameters and more; small models use less of a GPU.
HARDWARE = (
    Hardware(
        "2 CPU cores",
        9.2e10,
        1.0,
        None,
        True,
        "EPYC (Zen 3, AVX2, 2.4 GHz), fp32, by the clock: benchmarks/plan_check.py",
        "cpu",
    ),
    Hardware(
        "RTX 4060 8 GB",
        3.0e13,
        0.4,
        8 * _GIB,
        False,
        "24 of the 4090's 128 processors at 2.46 GHz: NVIDIA Ada architecture paper",
    ),
    Hardware("RTX 4090 24 GB", 1.652e14, 0.4, 24 * _GIB, False, "NVIDIA Ada architecture paper"),
    Hardware("H100 SXM 80 GB", 9.89e14, 0.4, 80 * _GIB, False, "NVIDIA H100 data sheet"),
    Hardware("H200 SXM 141 GB", 9.89e14, 0.4, 141 * 10**9, False, "NVIDIA H200 data sheet"),
)
