"""Cross-entropy that never holds the logits of all tokens at once."""

# T tokens, D d_model, V vocabulary, C tokens of one chunk

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

# Logits of one chunk. CPU: 7M numbers, 28 MB in fp32. More rows make the matrix products faster
# (2,048 tokens, V = 32,768, D = 768: 67, 61, 56 CPU ns a logit at 4M, 8M and 16M, all logits at
# once 71), but from 32 MB on the C library asks the system for new pages each time, which costs a
# step of a small model more than that. GPU: fewer and larger launches.
N_CHUNK_LOGITS = {"cpu": 7 << 20, "cuda": 1 << 26}
_N_ALIGNED = 64  # numbers; rows in memory that begin at odd places take a fifth longer
_BITS_OF_A_NAT = math.log2(math.e)  # 2 to the power of x takes two thirds of the time of e to x


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
    return _walk(hidden_TD, weight_VD, labels_T, None, None)


class _SummedCrossEntropy(torch.autograd.Function):
    """The gradient of a sum is known in the forward pass: (softmax - one-hot) times the inputs."""

    @staticmethod
    def forward(ctx: Any, hidden_TD: Tensor, weight_VD: Tensor, labels_T: Tensor) -> Tensor:
        needs_hidden, needs_weight, _ = ctx.needs_input_grad
        sum_dtype = _sum_dtype(hidden_TD)
        grad_hidden = torch.empty_like(hidden_TD) if needs_hidden else None
        grad_weight = torch.zeros_like(weight_VD, dtype=sum_dtype) if needs_weight else None
        total = _walk(hidden_TD, weight_VD, labels_T, grad_hidden, grad_weight)
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


def _walk(
    hidden_TD: Tensor,
    weight_VD: Tensor,
    labels_T: Tensor,
    grad_hidden: Tensor | None,
    grad_weight: Tensor | None,
) -> Tensor:
    """Return the sum over all chunks, and fill the gradients that are given."""
    compute_dtype = _compute_dtype(hidden_TD)
    hidden_TD, weight_VD = hidden_TD.to(compute_dtype), weight_VD.to(compute_dtype)
    total = hidden_TD.new_zeros((), dtype=_sum_dtype(hidden_TD))
    for part, logits_CV, exact_CV in _chunks(hidden_TD, weight_VD, total.dtype):
        nats, sums_C1 = _loss_and_gradient(exact_CV, labels_T[part, None])
        total += nats
        grad_CV = exact_CV if compute_dtype == total.dtype else logits_CV.copy_(exact_CV)
        if grad_hidden is not None:
            torch.div(grad_CV @ weight_VD, sums_C1, out=grad_hidden[part])
        if grad_weight is not None:
            _add_product(grad_weight, grad_CV.T, (hidden_TD[part] / sums_C1).to(compute_dtype))
    return total


def _chunks(
    hidden_TD: Tensor, weight_VD: Tensor, sum_dtype: torch.dtype
) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Yield parts of the tokens, their logits, and these as they are summed.

    All parts share their memory: new memory would cost more than all that is done between the
    products. A row of it holds one token of the vocabulary: products of few tokens and many words
    are a tenth faster on a CPU this way round.
    """
    n_tokens, vocab_size = len(hidden_TD), len(weight_VD)
    n_logits = N_CHUNK_LOGITS.get(hidden_TD.device.type, N_CHUNK_LOGITS["cpu"])
    n_rows = max(1, min(n_logits // vocab_size, n_tokens))
    if n_rows > _N_ALIGNED:
        n_rows -= n_rows % _N_ALIGNED
    memory_VC = hidden_TD.new_empty(vocab_size, n_rows)
    exact_VC = memory_VC
    if memory_VC.dtype != sum_dtype:
        exact_VC = torch.empty_like(memory_VC, dtype=sum_dtype)
    for start in range(0, n_tokens, n_rows):
        part = slice(start, min(start + n_rows, n_tokens))
        logits_CV, exact_CV = (all_[:, : part.stop - start].T for all_ in (memory_VC, exact_VC))
        torch.mm(hidden_TD[part], weight_VD.T, out=logits_CV)
        yield part, logits_CV, exact_CV if exact_VC is memory_VC else exact_CV.copy_(logits_CV)


def _compute_dtype(hidden_TD: Tensor) -> torch.dtype:
    device = hidden_TD.device.type
    if torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device)
    return hidden_TD.dtype


def _sum_dtype(hidden_TD: Tensor) -> torch.dtype:
    """Return what is summed in: fp64 for fp64, fp32 for anything shorter."""
    return torch.float64 if hidden_TD.dtype == torch.float64 else torch.float32


def _loss_and_gradient(logits_CV: Tensor, labels_C1: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sum of -ln p(label), and leave its gradient in the memory of the logits.

    The gradient is left multiplied by what is returned second, shape (C, 1), the sums that softmax
    divides by: dividing the narrow side of each product spares a pass over the vocabulary.
    """
    of_label_C1 = logits_CV.gather(1, labels_C1)
    shift_C1 = logits_CV.amax(-1, keepdim=True).mul_(-_BITS_OF_A_NAT)
    torch.add(shift_C1, logits_CV, alpha=_BITS_OF_A_NAT, out=logits_CV)
    sums_C1 = logits_CV.exp2_().sum(-1, keepdim=True)
    logits_CV.scatter_add_(1, labels_C1, -sums_C1)
    nats = ((sums_C1.log2() - shift_C1) / _BITS_OF_A_NAT - of_label_C1).sum()
    return nats, sums_C1


def _add_product(sum_VD: Tensor, left_VC: Tensor, right_CD: Tensor) -> None:
    if sum_VD.dtype == right_CD.dtype:
        sum_VD.addmm_(left_VC, right_CD)  # no array between product and sum
    else:
        sum_VD += left_VC @ right_CD
