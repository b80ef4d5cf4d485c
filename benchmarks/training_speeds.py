"""Tokens per second of our step by preset: forward, backward and AdamW, fp32, not compiled.

`python benchmarks/training_step.py --speeds` prints it. Rows of 512 tokens packed with documents of
200 tokens on average. CPU seconds are counted, not seconds of the clock, so that other programs on
the machine matter little. `rinsho plan` takes its "2 CPU cores" from here.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable

import torch

from rinsho.model import cost
from rinsho.model.decoder import new_decoder
from rinsho.model.loss import summed_cross_entropy
from rinsho.model.presets import PRESETS, DecoderConfig

N_TOKENS, ROW, MEAN_DOCUMENT, N_REPEATS = 4_096, 512, 200, 3


def packed_lengths(seed: int = 0) -> list[int]:
    """Return the segment lengths of a micro-batch; none crosses the end of a row."""
    draw, lengths = random.Random(seed), list[int]()
    while (n_left := N_TOKENS - sum(lengths)) > 0:
        wanted = max(20, int(draw.expovariate(1 / MEAN_DOCUMENT)))
        lengths.append(min(wanted, ROW - sum(lengths) % ROW, n_left))
    return lengths


def new_step(config: DecoderConfig) -> Callable[[], None]:
    """Return a function that trains one step on random tokens."""
    decoder = new_decoder(config, seed=0)
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=1e-3, fused=True)
    tokens_T = torch.randint(0, config.vocab_size, (N_TOKENS,))
    loss_mask_T, lengths = torch.ones(N_TOKENS, dtype=torch.uint8), packed_lengths()

    def step() -> None:
        hidden_TD = decoder.forward_hidden(tokens_T, lengths)
        total = summed_cross_entropy(hidden_TD, decoder.output_weight, tokens_T, loss_mask_T)
        (total / N_TOKENS).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def measure(preset: str) -> dict[str, float | str]:
    """Return speed and use of the FLOPs of a preset, the best of some steps."""
    config, seconds = PRESETS[preset], list[float]()
    step, lengths = new_step(config), packed_lengths()
    for _ in range(N_REPEATS):
        started = time.process_time()
        step()
        seconds.append(time.process_time() - started)
    seen = sum(n * cost.causal_mean(n) for n in lengths) / N_TOKENS
    flops = cost.count_flops(config, seen).training * N_TOKENS
    return {
        "preset": preset,
        "parameters": cost.count_parameters(config).total,
        "tokens_per_cpu_second": round(N_TOKENS / min(seconds)),
        "flops_per_cpu_second": round(flops / min(seconds)),
    }


def print_speeds(threads: int) -> None:
    """Print a table and a JSON line."""
    rows = [measure(preset) for preset in ("demo", "10m")]
    print(f"{'preset':<10}{'parameters':>14}{'tokens/CPU s':>14}{'FLOP/CPU s':>12}")
    for row in rows:
        speed = f"{row['tokens_per_cpu_second']:>14,}{row['flops_per_cpu_second']:>12.2e}"
        print(f"{row['preset']:<10}{row['parameters']:>14,}{speed}")
    print(json.dumps({"threads": threads, "torch": torch.__version__, "rows": rows}))
