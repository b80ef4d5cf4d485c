"""Cross-entropy that never holds the logits of all tokens at once."""

# T tokens, D d_model, V vocabulary, C tokens of one chunk

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

# Logits of one chunk: 2M numbers, 8 MB in fp32, which stay in a CPU's last cache: at 2 to the power
# of 18 … 23, seconds for 4,096 tokens were .49 .46 .42 .40 .45 .47 (V = 4,096; all at once: .52).
N_CHUNK_LOGITS = 1 << 21


def summed_cross_entropy(
    hidden_TD: Tensor, weight_VD: Tensor, labels_T: Tensor, loss_mask_T: Tensor
) -> Tensor:
    """Return the sum of -ln p(label) over the tokens whose mask is not 0, in nats.

    The logits are made, used and dropped chunk by chunk, gradients included: memory is that of
    one chunk instead of T times V. Tokens with mask 0 cost nothing. Twice differentiable it is not.

    Args:
        hidden_TD: Hidden states behind the last norm.
        weight_VD: The output matrix.
        labels_T: Next token ids, int64.
        loss_mask_T: 1 where the label counts, any integer or bool type.

    Returns:
        A scalar, fp32; divide by the number of counted tokens of the whole batch.
    """
    counted = loss_mask_T != 0
    if not bool(counted.all()):
        hidden_TD, labels_T = hidden_TD[counted], labels_T[counted]
    if torch.is_grad_enabled() and (hidden_TD.requires_grad or weight_VD.requires_grad):
        return _SummedCrossEntropy.apply(hidden_TD, weight_VD, labels_T)
    total = hidden_TD.new_zeros((), dtype=torch.float32)
    for part in _chunks(hidden_TD, weight_VD):
        logits_CV = functional.linear(hidden_TD[part], weight_VD).float()
        total += functional.cross_entropy(logits_CV, labels_T[part], reduction="sum")
    return total


def _chunks(hidden_TD: Tensor, weight_VD: Tensor) -> Iterator[slice]:
    n_rows = max(1, N_CHUNK_LOGITS // weight_VD.shape[0])
    for start in range(0, hidden_TD.shape[0], n_rows):
        yield slice(start, start + n_rows)


class _SummedCrossEntropy(torch.autograd.Function):
    """The gradient of a sum is known in the forward pass: (softmax - one-hot) times the inputs."""

    @staticmethod
    def forward(ctx: Any, hidden_TD: Tensor, weight_VD: Tensor, labels_T: Tensor) -> Tensor:
        needs_hidden, needs_weight, _ = ctx.needs_input_grad
        total = hidden_TD.new_zeros((), dtype=torch.float32)
        grad_hidden = torch.empty_like(hidden_TD) if needs_hidden else None
        grad_weight = torch.zeros_like(weight_VD, dtype=torch.float32) if needs_weight else None
        for part in _chunks(hidden_TD, weight_VD):
            logits_CV = functional.linear(hidden_TD[part], weight_VD)
            compute_dtype = logits_CV.dtype  # under autocast not that of the inputs
            log_probs_CV = logits_CV.float().log_softmax(-1)
            labels_C1 = labels_T[part, None]
            total -= log_probs_CV.gather(1, labels_C1).sum()
            grad_CV = log_probs_CV.exp_()
            grad_CV.scatter_add_(1, labels_C1, -torch.ones_like(labels_C1, dtype=grad_CV.dtype))
            grad_CV = grad_CV.to(compute_dtype)
            if grad_hidden is not None:
                grad_hidden[part] = grad_CV @ weight_VD.to(compute_dtype)
            if grad_weight is not None:
                grad_weight += grad_CV.T @ hidden_TD[part].to(compute_dtype)
        ctx.save_for_backward(grad_hidden, grad_weight)
        ctx.weight_dtype = weight_VD.dtype
        return total

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        grad_hidden, grad_weight = ctx.saved_tensors
        scale = grad_outputs[0]
        if grad_hidden is not None:
            grad_hidden = grad_hidden * scale.to(grad_hidden.dtype)
        if grad_weight is not None:
            grad_weight = (grad_weight * scale).to(ctx.weight_dtype)
        return grad_hidden, grad_weight, None
