"""How `h200.py` measures: a device, sizes full or tiny, steps timed, memory at its highest."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rinsho.model import cost
from rinsho.model.decoder import Decoder
from rinsho.model.loss import summed_cross_entropy
from rinsho.model.presets import DecoderConfig

TINY = {
    "vocab_size": 512, "d_model": 64, "n_layers": 2, "n_heads": 4, "n_kv_heads": 2, "d_head": 16,
    "d_ff": 128, "context_length": 64,
}  # fmt: skip


@dataclass(frozen=True)
class Bench:
    """Where a line runs, and whether with tiny shapes."""

    folder: Path  # of random checkpoints
    is_smoke: bool

    @property
    def device(self) -> torch.device:
        """Return the GPU; the CPU only for a trial run."""
        is_cpu = self.is_smoke and not torch.cuda.is_available()
        return torch.device("cpu" if is_cpu else "cuda")

    @property
    def n_rounds(self) -> int:
        """Return how many steps are timed."""
        return 2 if self.is_smoke else 11

    def shape(self, config: DecoderConfig) -> DecoderConfig:
        """Return a shape, or a tiny one of the same kind."""
        return config.model_copy(update=TINY) if self.is_smoke else config

    def computing(self) -> Any:
        """Return the context of a forward pass: products in bf16, weights as they are."""
        return torch.autocast(self.device.type, torch.bfloat16)

    def synchronize(self) -> None:
        """Wait for the GPU."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def seconds(self, step: Callable[[], object], *, n_warm: int = 3) -> float:
        """Return the median time of a step behind some that are not counted."""
        for _ in range(n_warm):
            step()
        times: list[float] = []
        for _ in range(self.n_rounds):
            self.synchronize()
            started = time.perf_counter()
            step()
            self.synchronize()
            times.append(time.perf_counter() - started)
        return statistics.median(times)

    def ratio(self, above: Callable[[], object], below: Callable[[], object]) -> float:
        """Return the median over rounds of time / time, both steps in each round."""
        pairs: list[float] = []
        for index in range(self.n_rounds + 3):
            times: list[float] = []
            for step in (above, below):
                self.synchronize()
                started = time.perf_counter()
                step()
                self.synchronize()
                times.append(time.perf_counter() - started)
            if index >= 3:
                pairs.append(times[0] / times[1])
        return statistics.median(pairs)

    def peak_gb(self) -> float | None:
        """Return the most memory that tensors took since the start, in 10^9 bytes."""
        if self.device.type != "cuda":
            return None
        return round(torch.cuda.max_memory_allocated() / 1e9, 2)


def random_decoder(config: DecoderConfig, device: torch.device, dtype: torch.dtype) -> Decoder:
    """Return a decoder with random weights, drawn on the device."""
    with torch.device("meta"):
        decoder = Decoder(config).to(dtype)
    decoder.to_empty(device=device)
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in decoder.named_parameters():
            if name.endswith("norm.weight"):
                parameter.fill_(1.0)
            else:
                parameter.normal_(0.0, 0.02)
    return decoder


def random_tokens(config: DecoderConfig, n_tokens: int, device: torch.device) -> Tensor:
    """Return token ids, shape (n_tokens,)."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, config.vocab_size, (n_tokens,), generator=generator).to(device)


def training_step(
    bench: Bench, decoder: Decoder, tokens_T: Tensor, lengths: list[int]
) -> Callable[[], None]:
    """Return one whole step, as the training loop does it, over what takes a gradient."""
    trained = [parameter for parameter in decoder.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-5, fused=True)
    counted_T = torch.ones(len(tokens_T), dtype=torch.uint8, device=tokens_T.device)
    labels_T = tokens_T.roll(-1)
    decoder.train()

    def step() -> None:
        with bench.computing():
            hidden_TD = decoder.forward_hidden(tokens_T, lengths)
            total = summed_cross_entropy(hidden_TD, decoder.output_weight, labels_T, counted_T)
        (total / len(tokens_T)).backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def flops(config: DecoderConfig, length: int, n_tokens: int) -> float:
    """Return the FLOPs of a step of causal rows of one length; recomputing counts nothing."""
    return float(cost.count_flops(config, cost.causal_mean(length)).training * n_tokens)
