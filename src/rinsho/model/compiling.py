"""torch.compile: whether it works here, whether it pays, and regions of a model compiled once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Literal, TypeVar

import torch

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])
_compiled: dict[Callable[..., Any], Any] = {}

# A run shorter than this ends before the minute of compiling is won back: on two CPU cores this is
# a quarter of an hour, on an H200 half a minute.
_MIN_FLOPS = {"cpu": 1e14, "cuda": 1e16}


def missing_compiler(device: torch.device) -> str | None:
    """Return what torch.compile lacks on this machine, None where it has everything."""
    if device.type == "cuda":
        return None if find_spec("triton") else "triton"
    compiler = os.environ.get("CXX", "g++")  # as torch's inductor chooses it
    return None if shutil.which(compiler) else compiler


def pays(device: torch.device, n_parameters: int, n_tokens: int) -> bool:
    """Return whether a run of so many tokens is long enough to win back the compiling."""
    return 6 * n_parameters * n_tokens >= _MIN_FLOPS.get(device.type, float("inf"))


def resolve_compile(
    asked: Literal["auto"] | bool, device: torch.device, n_parameters: int, n_tokens: int
) -> bool:
    """Turn "auto" into whether to compile; a function of machine and run alone, so that a run that
    is taken up again decides as before.
    """
    if asked == "auto":
        return pays(device, n_parameters, n_tokens) and missing_compiler(device) is None
    return asked


def compile_region(function: FunctionT) -> FunctionT:
    """Return a compiled form of a function of modules and tensors, for any number of tokens.

    All layers of one shape share what is compiled. Compiled code is kept in torch's own folder in
    the temporary directory (`TORCHINDUCTOR_CACHE_DIR`), so that the next run starts sooner.
    """
    if function not in _compiled:
        _compiled[function] = torch.compile(function, dynamic=True)
    return _compiled[function]
