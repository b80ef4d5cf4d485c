"""Compiled blocks against plain ones; without a compiler, the decision to compile alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from rinsho.model.compiling import missing_compiler, pays, resolve_compile
from rinsho.model.decoder import Decoder, new_decoder
from rinsho.model.loss import summed_cross_entropy
from rinsho.model.presets import DecoderConfig

CPU = torch.device("cpu")
SMALL = DecoderConfig(
    vocab_size=61, d_model=32, n_layers=2, n_heads=4, n_kv_heads=2, d_head=8, d_ff=40,
    context_length=64,
)  # fmt: skip
needs_compiler = pytest.mark.skipif(
    missing_compiler(CPU) is not None, reason="torch.compile needs a C++ compiler"
)


def gradients(decoder: Decoder, lengths: list[int]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(sum(lengths))
    tokens = torch.randint(0, 61, (sum(lengths) + 1,), generator=generator)
    decoder.zero_grad()
    hidden = decoder.forward_hidden(tokens[:-1], lengths)
    mask = torch.ones(sum(lengths))
    summed_cross_entropy(hidden, decoder.output_weight, tokens[1:], mask).backward()
    return {name: p.grad for name, p in decoder.named_parameters() if p.grad is not None}


@needs_compiler
def test_compiled_blocks_give_the_gradients_of_plain_ones_and_compile_once() -> None:
    plain, compiled = new_decoder(SMALL, seed=0), new_decoder(SMALL, seed=0)
    compiled.compile_blocks()
    assert list(compiled.state_dict()) == list(plain.state_dict())
    for index, lengths in enumerate(([20, 9], [13], [5, 5, 30], [2, 3])):
        with torch._dynamo.config.patch(error_on_recompile=index > 0):
            ours = gradients(compiled, lengths)
        for name, gradient in gradients(plain, lengths).items():
            assert_close(ours[name], gradient, atol=1e-5, rtol=1e-4)


@needs_compiler
def test_a_compiled_run_repeats_to_the_bit() -> None:
    runs: list[dict[str, Tensor]] = []
    for _ in range(2):
        decoder = new_decoder(SMALL, seed=1, dropout=0.1)
        decoder.compile_blocks()
        torch.manual_seed(3)
        runs.append(gradients(decoder, [7, 12]))
    assert all(torch.equal(gradient, runs[1][name]) for name, gradient in runs[0].items())


def test_auto_compiles_long_runs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not pays(CPU, 10_000_000, 800_000)
    assert pays(CPU, 10_000_000, 8_000_000)
    assert not pays(torch.device("mps"), 10_000_000, 8_000_000)
    assert not resolve_compile("auto", CPU, 1_000, 1_000)
    monkeypatch.setenv("CXX", "a-compiler-that-is-not-there")
    assert missing_compiler(CPU) == "a-compiler-that-is-not-there"
    assert not resolve_compile("auto", CPU, 10_000_000, 8_000_000)


def test_a_wish_to_compile_or_not_is_left_alone() -> None:
    assert resolve_compile(asked=True, device=CPU, n_parameters=1, n_tokens=1)
    assert not resolve_compile(asked=False, device=CPU, n_parameters=10**9, n_tokens=10**9)
