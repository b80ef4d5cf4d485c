"""A two-matrix decoder as an equal Llama: for programs that run Llama and not Arcee with SiLU.

silu(gate(x)) * up(x) is silu(gate(x)) where up has weight 0 and bias 1. The price is a matrix of
zeros in every MLP.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rinsho.model.decoder import Decoder


def as_llama(decoder: Decoder) -> Decoder:
    """Return a gated decoder with the same logits; a gated one is returned as it is.

    The tensors that both have are shared, not copied.
    """
    if decoder.config.mlp == "gated":
        return decoder
    config = decoder.config.model_copy(update={"mlp": "gated", "mlp_bias": True})
    with torch.device("meta"):
        llama = Decoder(config, dropout=decoder.dropout)
    tensors: dict[str, Tensor] = {}
    for name, tensor in decoder.state_dict().items():
        tensors[name.replace(".up_proj.", ".gate_proj.")] = tensor
    like = decoder.output_weight
    for name, parameter in llama.state_dict().items():
        if name not in tensors:
            is_one = name.endswith(".up_proj.bias")
            tensors[name] = torch.full(
                parameter.shape, float(is_one), dtype=like.dtype, device=like.device
            )
    llama.load_state_dict(tensors, assign=True)
    return llama.train(decoder.training)
