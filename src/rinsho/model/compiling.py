"""torch.compile: whether it works here, whether it pays, and regions of a model compiled once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Literal, TypeVar

import torch
from torch import nn

from rinsho.console import say
from rinsho.errors import InvalidValue

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])
_compiled: dict[Callable[..., Any], Any] = {}

# A run shorter than this ends before the minute of compiling is won back: on two CPU cores this is
# a quarter of an hour, on an H200 half a minute.
_MIN_FLOPS = {"cpu": 1e14, "cuda": 1e16}
_MIN_MINUTES = {"cpu": 15.0, "cuda": 2.0}  # the same, of a run that ends by the clock


def missing_compiler(device: torch.device) -> str | None:
    """Return what torch.compile lacks on this machine, None where it has everything."""
    if device.type == "cuda":
        return None if find_spec("triton") else "triton"
    compiler = os.environ.get("CXX", "g++")  # as torch's inductor chooses it
    return None if shutil.which(compiler) else compiler


def pays(
    device: torch.device, n_parameters: int, n_tokens: int, max_minutes: float | None = None
) -> bool:
    """Return whether a run is long enough to win back the compiling."""
    never = float("inf")
    if max_minutes is not None and max_minutes < _MIN_MINUTES.get(device.type, never):
        return False
    return 6 * n_parameters * n_tokens >= _MIN_FLOPS.get(device.type, never)


def compile_decoders(
    module: nn.Module,
    asked: Literal["auto"] | bool,
    device: torch.device,
    n_tokens: int,
    max_minutes: float | None = None,
) -> bool:
    """Compile the decoders in a module if that is asked for; return whether it was done.

    "auto" depends on the machine and the length of the whole run alone, so that a run that is taken
    up again decides as before.

    Args:
        module: A decoder, or what holds one; other modules stay as they are.
        asked: The key `compile`.
        device: Where it is trained.
        n_tokens: Of the whole run.
        max_minutes: When it ends at the latest, if the clock ends it.

    Raises:
        InvalidValue: It is asked for and the machine has no compiler.
    """
    decoders = [part for part in module.modules() if hasattr(part, "compile_blocks")]
    n_parameters = sum(parameter.numel() for parameter in module.parameters())
    wanted = asked
    if asked == "auto":
        wanted = pays(device, n_parameters, n_tokens, max_minutes)
    if not (wanted and decoders):
        return False
    missing = missing_compiler(device)
    if missing is not None and asked != "auto":
        expected = f'"auto" or false, or install {missing}'
        raise InvalidValue(where="compile", expected=expected, found="true")
    if missing is not None:
        say(
            f"{missing} がないため、torch.compile を使わずに学習します",
            f"training without torch.compile: {missing} is not installed",
        )
        return False
    for decoder in decoders:
        decoder.compile_blocks()  # type: ignore[operator]
    return True


def compile_region(function: FunctionT) -> FunctionT:
    """Return a compiled form of a function of modules and tensors, for any number of tokens.

    All layers of one shape share what is compiled. Compiled code is kept in torch's own folder in
    the temporary directory (`TORCHINDUCTOR_CACHE_DIR`), so that the next run starts sooner.
    """
    if function not in _compiled:
        _compiled[function] = torch.compile(function, dynamic=True)
    return _compiled[function]
