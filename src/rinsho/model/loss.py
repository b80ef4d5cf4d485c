"""Cross-entropy that never holds the logits of all tokens at once."""

# T tokens, D d_model, V vocabulary, C tokens of one chunk

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

# Logits of one chunk. CPU: 4M numbers, 16 MB in fp32, which a last cache holds: both passes over
# 1,024 tokens, V = 16,384, D = 256 took 415, 408, 422 CPU ms at 128, 256 and 512 rows; the three
# matrix products alone take 390, all logits at once 547. GPU: fewer and larger launches.
N_CHUNK_LOGITS = {"cpu": 1 << 22, "cuda": 1 << 26}


def summed_cross_entropy(
    hidden_TD: Tensor, weight_VD: Tensor, labels_T: Tensor, loss_mask_T: Tensor
) -> Tensor:
    """Return the sum of -ln p(label) over the tokens whose mask is not 0, in nats.

    The logits are made, used and dropped chunk by chunk, gradients included: memory is that of
    one chunk instead of T times V. Tokens with mask 0 cost nothing. One backward pass only.

    Args:
        hidden_TD: Hidden states behind the last norm.
        weight_VD: The output matrix.
        labels_T: Next token ids, int64.
        loss_mask_T: 1 where the label counts, any integer or bool type.

    Returns:
        A scalar, fp32 (fp64 of fp64); divide by the number of counted tokens of the whole batch.
    """
    counted = loss_mask_T != 0
    if not bool(counted.all()):
        hidden_TD, labels_T = hidden_TD[counted], labels_T[counted]
    if torch.is_grad_enabled() and (hidden_TD.requires_grad or weight_VD.requires_grad):
        return _SummedCrossEntropy.apply(hidden_TD, weight_VD, labels_T)
    total = _zero(hidden_TD)
    for part in _chunks(hidden_TD, weight_VD):
        logits_CV = functional.linear(hidden_TD[part], weight_VD).to(total.dtype)
        total += functional.cross_entropy(logits_CV, labels_T[part], reduction="sum")
    return total


def _chunks(hidden_TD: Tensor, weight_VD: Tensor) -> Iterator[slice]:
    n_logits = N_CHUNK_LOGITS.get(hidden_TD.device.type, N_CHUNK_LOGITS["cpu"])
    n_rows = max(1, n_logits // weight_VD.shape[0])
    for start in range(0, hidden_TD.shape[0], n_rows):
        yield slice(start, start + n_rows)


class _SummedCrossEntropy(torch.autograd.Function):
    """The gradient of a sum is known in the forward pass: (softmax - one-hot) times the inputs."""

    @staticmethod
    def forward(ctx: Any, hidden_TD: Tensor, weight_VD: Tensor, labels_T: Tensor) -> Tensor:
        needs_hidden, needs_weight, _ = ctx.needs_input_grad
        total = _zero(hidden_TD)
        grad_hidden = torch.empty_like(hidden_TD) if needs_hidden else None
        grad_weight = torch.zeros_like(weight_VD, dtype=total.dtype) if needs_weight else None
        for part in _chunks(hidden_TD, weight_VD):
            logits_CV = functional.linear(hidden_TD[part], weight_VD)
            compute_dtype = logits_CV.dtype  # under autocast not that of the inputs
            nats, grad_CV = _loss_and_gradient(logits_CV.to(total.dtype), labels_T[part, None])
            total += nats
            grad_CV = grad_CV.to(compute_dtype)
            if grad_hidden is not None:
                grad_hidden[part] = grad_CV @ weight_VD.to(compute_dtype)
            if grad_weight is not None:
                _add_product(grad_weight, grad_CV.T, hidden_TD[part].to(compute_dtype))
        ctx.gradients, ctx.weight_dtype = (grad_hidden, grad_weight), weight_VD.dtype
        return total

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        (grad_hidden, grad_weight), ctx.gradients = ctx.gradients, None  # scaled in place: once
        scale = grad_outputs[0]
        if grad_hidden is not None:
            grad_hidden.mul_(scale.to(grad_hidden.dtype))
        if grad_weight is not None:
            grad_weight = grad_weight.mul_(scale).to(ctx.weight_dtype)
        return grad_hidden, grad_weight, None


def _zero(hidden_TD: Tensor) -> Tensor:
    """Return the start of a sum: in fp64 for fp64, in fp32 for anything shorter."""
    dtype = torch.float64 if hidden_TD.dtype == torch.float64 else torch.float32
    return hidden_TD.new_zeros((), dtype=dtype)


def _loss_and_gradient(logits_CV: Tensor, labels_C1: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sum of -ln p(label), and its gradient in the memory of the logits."""
    highest_C1, of_label_C1 = logits_CV.amax(-1, keepdim=True), logits_CV.gather(1, labels_C1)
    sums_C1 = logits_CV.sub_(highest_C1).exp_().sum(-1, keepdim=True)
    nats = (sums_C1.log() + highest_C1 - of_label_C1).sum()
    grad_CV = logits_CV.div_(sums_C1)
    grad_CV.scatter_add_(1, labels_C1, -torch.ones_like(sums_C1))
    return nats, grad_CV


def _add_product(sum_VD: Tensor, left_VC: Tensor, right_CD: Tensor) -> None:
    if sum_VD.dtype == right_CD.dtype:
        sum_VD.addmm_(left_VC, right_CD)  # no array between product and sum
    else:
        sum_VD += left_VC @ right_CD
