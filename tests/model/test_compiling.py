"""Compiled blocks against plain ones; without a compiler, the decision to compile alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from rinsho.errors import InvalidValue
from rinsho.model.compiling import compile_decoders, missing_compiler, pays
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


@needs_compiler
def test_the_decoder_in_another_module_is_compiled_where_it_is_asked_for() -> None:
    decoder = new_decoder(SMALL, seed=0)
    holder = nn.ModuleList([decoder])
    assert not compile_decoders(holder, asked="auto", device=CPU, n_tokens=1_000)
    assert not compile_decoders(holder, asked=False, device=CPU, n_tokens=10**15)
    assert not any(block.is_compiled for block in decoder.model.layers)
    assert compile_decoders(holder, asked=True, device=CPU, n_tokens=1)
    assert all(block.is_compiled for block in decoder.model.layers)
    assert not compile_decoders(nn.Linear(2, 2), asked=True, device=CPU, n_tokens=1)


def test_auto_compiles_long_runs_alone() -> None:
    assert not pays(CPU, 10_000_000, 800_000)
    assert pays(CPU, 10_000_000, 8_000_000)
    assert not pays(torch.device("mps"), 10_000_000, 8_000_000)


def test_auto_compiles_nothing_where_the_clock_ends_a_run_soon() -> None:
    assert not pays(CPU, 10_000_000, 8_000_000, max_minutes=6)
    assert pays(CPU, 10_000_000, 8_000_000, max_minutes=60)


def test_without_a_compiler_auto_says_so_and_a_wish_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CXX", "a-compiler-that-is-not-there")
    decoder = new_decoder(SMALL, seed=0)
    assert not compile_decoders(decoder, asked="auto", device=CPU, n_tokens=10**15)
    assert "a-compiler-that-is-not-there" in capsys.readouterr().err
    with pytest.raises(InvalidValue):
        compile_decoders(decoder, asked=True, device=CPU, n_tokens=1)
