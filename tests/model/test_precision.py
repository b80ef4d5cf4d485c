"""Where "auto" leads: bf16 only where the device computes in it."""

from __future__ import annotations

import torch

from rinsho.model.precision import best_device, computes_in_bf16, resolve_precision

CPU = torch.device("cpu")


def test_a_wish_is_left_alone() -> None:
    assert resolve_precision("fp32", CPU) == "fp32"
    assert resolve_precision("bf16", CPU) == "bf16"


def test_auto_on_a_cpu_follows_its_instruction_set() -> None:
    with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
        flags = next((line for line in file if line.startswith(("flags", "Features"))), "").split()
    has_bf16 = bool({"avx512_bf16", "amx_bf16"} & set(flags))
    assert computes_in_bf16(CPU) is has_bf16
    assert resolve_precision("auto", CPU) == ("bf16" if has_bf16 else "fp32")


def test_the_device_is_one_that_is_there() -> None:
    assert torch.zeros(1, device=best_device()).device.type in ("cpu", "cuda")
