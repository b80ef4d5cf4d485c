"""What `rinsho plan` predicts for memory, beside the peak that a real training step has here.

    python benchmarks/plan_check.py [--json] [name …]

Each case runs in a process of its own: three updates of AdamW on random tokens in packed rows. The
peak of its resident memory, less what the process holds before the weights are made, stands beside
the prediction: once with MALLOC_MMAP_THRESHOLD_ set, so that freed memory goes back at once and the
peak is what training needs, once as the C library does by itself. `docs/scaling.md` has the table.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rinsho.model.memory import Tuning, training_memory
from rinsho.model.presets import DecoderConfig, decoder_config

_ONE_PASS = Tuning(accumulates=False)


@dataclass(frozen=True)
class Case:
    """One training step: a shape, tokens at once, passes an update, and what is trained."""

    preset: str
    n_tokens: int
    n_passes: int = 1
    tuning: Tuning = _ONE_PASS
    changes: tuple[tuple[str, Any], ...] = ()

    @property
    def config(self) -> DecoderConfig:
        """Return the shape."""
        base = decoder_config(self.preset).model_dump()
        return DecoderConfig.model_validate(base | dict(self.changes))


CASES = {
    "demo, 4096 tokens": Case("demo", 4_096),
    "10m, 4096 tokens": Case("10m", 4_096),
    "10m, 2048 tokens, accumulated": Case("10m", 2_048, 2, Tuning()),
    "30m, 2048 tokens": Case("30m", 2_048),
    "two-matrix 30m, 2048 tokens": Case("30m", 2_048, changes=(("mlp", "two-matrix"),)),
    "100m, 512 tokens, accumulated": Case("100m", 512, 2, Tuning()),
    "100m, 1024 tokens, LoRA 16": Case("100m", 1_024, 1, Tuning(rank=16, accumulates=False)),
}


def measure(case: Case) -> int:
    """Run the updates in this process; return the bytes of the peak."""
    import torch

    from rinsho.model.adapter import AdapterSettings, attach_adapter
    from rinsho.model.decoder import new_decoder
    from rinsho.model.loss import summed_cross_entropy
    from rinsho.training.optimizer import new_optimizer
    from rinsho.training.settings import TrainingConfig

    _warm_up()
    before = _resident("VmRSS")
    decoder = new_decoder(case.config, seed=0)
    if case.tuning.rank:
        attach_adapter(decoder, AdapterSettings.model_validate({"rank": case.tuning.rank}))
    optimizer = new_optimizer(decoder, TrainingConfig.model_validate({}))
    lengths = [256] * (case.n_tokens // 256)
    for _ in range(3):
        for _ in range(case.n_passes):
            tokens_T = torch.randint(0, case.config.vocab_size, (case.n_tokens,))
            hidden_TD = decoder.forward_hidden(tokens_T, lengths)
            counted_T = torch.ones_like(tokens_T)
            summed_cross_entropy(hidden_TD, decoder.output_weight, tokens_T, counted_T).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return _resident("VmHWM") - before


def _warm_up() -> None:
    """Train a tiny decoder: what torch loads at its first step belongs to the process."""
    import torch

    from rinsho.model.decoder import new_decoder

    tiny = decoder_config("demo", 64).model_copy(update={"n_layers": 1})
    decoder = new_decoder(tiny, seed=0)
    optimizer = torch.optim.AdamW(decoder.parameters(), fused=True)
    decoder.forward_hidden(torch.zeros(64, dtype=torch.int64), [64]).sum().backward()
    optimizer.step()


def _resident(key: str) -> int:
    with Path("/proc/self/status").open(encoding="ascii") as file:
        line = next(line for line in file if line.startswith(key + ":"))
    return 1024 * int(line.split()[1])


def run(name: str) -> dict[str, Any]:
    """Measure a case in a process of its own; return it beside the prediction."""
    case = CASES[name]
    predicted = training_memory(case.config, case.n_tokens, "fp32", case.tuning).peak
    needed = _measure_apart(name, {"MALLOC_MMAP_THRESHOLD_": str(1 << 18)})
    held = _measure_apart(name, {})
    return {
        "case": name,
        "predicted_mb": round(predicted / 1e6),
        "needed_mb": round(needed / 1e6),
        "predicted_by_needed": round(predicted / needed, 3),
        "held_by_default_mb": round(held / 1e6),
    }


def _measure_apart(name: str, variables: dict[str, str]) -> int:
    done = subprocess.run(
        [sys.executable, __file__, "--measure", name],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "2"} | variables,
    )
    return int(done.stdout.split()[-1])


def main() -> None:
    """Print the table, or one measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(CASES))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--measure")
    arguments = parser.parse_args()
    if arguments.measure:
        print(measure(CASES[arguments.measure]))
        return
    print("| case | predicted, MB | needed, MB | ratio | held by default, MB |")
    print("|---|---|---|---|---|")
    rows = list[dict[str, Any]]()
    for name in arguments.names:
        rows.append(run(name))
        print("| " + " | ".join(str(value) for value in rows[-1].values()) + " |", flush=True)
    if arguments.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
