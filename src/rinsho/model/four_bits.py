"""A decoder with frozen matrices in 4 bits: NF4 with double quantisation, by bitsandbytes.

Source:
    Dettmers et al. 2023, QLoRA, arXiv 2305.14314.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from rinsho.errors import MissingDependency
from rinsho.model.checkpoint import empty_decoder, stored_tensors
from rinsho.model.decoder import Decoder
from rinsho.model.tensor_file import read_tensor


def load_in_four_bits(
    folder: Path,
    *,
    dtype: torch.dtype,
    dropout: float = 0.0,
    device: torch.device | str | None = None,
) -> Decoder:
    """Read a weights folder; all matrices of the blocks are frozen and held in 4 bits.

    Tensor by tensor: memory holds what is quantised so far, and one matrix as it is stored.

    Args:
        folder: As in `load_decoder`.
        dtype: Of products, and of what stays as it is: embeddings, norms, biases.
        dropout: As in `Decoder`.
        device: Where the weights go; None is the CPU.

    Raises:
        MissingDependency: bitsandbytes is not installed.
        Others as in `load_decoder`.
    """
    layer_class, parameter_class = _bitsandbytes()
    decoder = empty_decoder(folder, dropout)
    matrices = {
        f"{name}.weight": module
        for name, module in decoder.model.named_modules(prefix="model")
        if isinstance(module, nn.Linear)
    }
    stored_names = stored_tensors(decoder, folder)
    rest: dict[str, Tensor] = {}
    for name, stored in stored_names.items():
        tensor = read_tensor(stored).to(device=device, dtype=dtype)
        if name not in matrices:
            rest[name] = tensor
            continue
        old = matrices[name]
        with torch.device("meta"):
            layer: Any = layer_class(
                old.in_features,
                old.out_features,
                bias=f"{name.removesuffix('weight')}bias" in stored_names,
                compute_dtype=dtype,
            )
        # It would pack weights anew in evaluation, and train on those.
        layer.support_avx512bf16_for_cpu = False
        parameter: Any = parameter_class(
            tensor, requires_grad=False, quant_type="nf4", compress_statistics=True, module=layer
        )
        layer.weight = parameter.to(tensor.device)  # quantises
        decoder.set_submodule(name.removesuffix(".weight"), layer)
    decoder.load_state_dict(rest, strict=False, assign=True)
    return decoder.requires_grad_(False)


def _bitsandbytes() -> tuple[Any, Any]:
    try:
        import bitsandbytes
    except ModuleNotFoundError:
        found, expected = "bitsandbytes", "adapt"
        raise MissingDependency(where="qlora", found=found, expected=expected) from None
    layers: Any = bitsandbytes.nn
    return layers.Linear4bit, layers.Params4bit


def n_weights(parameter: nn.Parameter) -> int:
    """Return how many weights a parameter stands for; one in 4 bits holds two in a byte."""
    state: Any = getattr(parameter, "quant_state", None)
    return parameter.numel() if state is None else math.prod(cast("tuple[int, ...]", state.shape))
