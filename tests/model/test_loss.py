"""The chunked loss against torch's own cross-entropy over all logits at once."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

from rinsho.model import loss as loss_module
from rinsho.model.loss import summed_cross_entropy


def batch(n_tokens: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(n_tokens, 8, generator=generator).requires_grad_(),
        torch.randn(23, 8, generator=generator).requires_grad_(),
        torch.randint(0, 23, (n_tokens,), generator=generator),
        torch.randint(0, 2, (n_tokens,), generator=generator, dtype=torch.uint8),
    )


def whole(hidden: Tensor, weight: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    each = functional.cross_entropy(hidden @ weight.T, labels, reduction="none")
    return (each * mask).sum()


@settings(max_examples=30)
@given(n_tokens=st.integers(1, 40), n_rows=st.integers(1, 50), seed=st.integers(0, 99))
def test_value_and_gradients_are_those_of_the_whole(n_tokens: int, n_rows: int, seed: int) -> None:
    ours, theirs = batch(n_tokens, seed), batch(n_tokens, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(loss_module.N_CHUNK_LOGITS, "cpu", n_rows * 23)
        summed = summed_cross_entropy(*ours)
    expected = whole(*theirs)
    assert_close(summed, expected, rtol=1e-5, atol=1e-5)
    (summed / 7).backward()
    (expected / 7).backward()
    for our_input, their_input in zip(ours[:2], theirs[:2], strict=True):
        assert our_input.grad is not None
        assert_close(our_input.grad, their_input.grad, rtol=1e-4, atol=1e-5)


def test_in_double_precision_the_gradient_is_that_of_torch() -> None:
    ours, theirs = ([t.detach().double() for t in batch(40, 3)[:2]] for _ in range(2))
    _, _, labels, mask = batch(40, 3)
    for tensor in (*ours, *theirs):
        tensor.requires_grad_()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(loss_module.N_CHUNK_LOGITS, "cpu", 3 * 23)
        summed_cross_entropy(ours[0], ours[1], labels, mask).backward()
    whole(theirs[0], theirs[1], labels, mask).backward()
    for our_input, their_input in zip(ours, theirs, strict=True):
        assert_close(our_input.grad, their_input.grad, rtol=1e-12, atol=1e-12)


def test_large_logits_do_not_overflow() -> None:
    hidden, weight, labels, mask = batch(6, 4)
    ours = summed_cross_entropy(hidden * 1e3, weight * 1e3, labels, mask)
    assert_close(ours, whole(hidden * 1e3, weight * 1e3, labels, mask), rtol=1e-5, atol=1.0)


def test_without_gradients_the_value_is_the_same() -> None:
    inputs = batch(30, 0)
    with torch.no_grad():
        assert_close(summed_cross_entropy(*inputs), whole(*inputs))


def test_a_frozen_output_matrix_gets_no_gradient() -> None:
    hidden, weight, labels, mask = batch(30, 0)
    weight.requires_grad_(False)
    summed_cross_entropy(hidden, weight, labels, mask).backward()
    assert weight.grad is None
    assert hidden.grad is not None


def test_in_bf16_the_loss_stays_near_the_exact_one() -> None:
    inputs = batch(200, 1)
    expected = whole(*inputs).item()
    with torch.autocast("cpu", torch.bfloat16):
        summed = summed_cross_entropy(*inputs)
    summed.backward()
    assert summed.dtype == torch.float32
    assert summed.item() == pytest.approx(expected, rel=0.01)
    assert inputs[1].grad is not None
    assert inputs[1].grad.dtype == torch.float32


def test_nothing_counted_is_zero() -> None:
    hidden, weight, labels, mask = batch(5, 0)
    loss = summed_cross_entropy(hidden, weight, labels, mask * 0)
    loss.backward()
    assert loss.item() == 0
    assert hidden.grad is not None
    assert not hidden.grad.any()
