"""What `rinsho plan` predicts for memory and time, beside what a real training step takes here.

    python benchmarks/plan_check.py [--json] [name …]

Each case runs in processes of its own: updates of AdamW on random tokens in packed rows, on two
threads. The peak of the resident memory, less what the process holds before the weights are made,
stands beside the prediction, with MALLOC_MMAP_THRESHOLD_ set: freed memory goes back at once, and
the peak is what training needs. The second process leaves the C library as it is: what it holds,
and the seconds of an update, the median of four after the first. The machine has to be quiet.
`docs/scaling.md` has the table.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rinsho.model.cost import causal_mean
from rinsho.model.memory import TrainingMemory, Tuning, training_memory
from rinsho.model.presets import DecoderConfig, decoder_config
from rinsho.training.hardware import HARDWARE
from rinsho.training.plan import training_flops

N_CORES = 2  # what a plan calls "2 CPU cores"
_ONE_PASS = Tuning(accumulates=False)
_RECOMPUTED = Tuning(accumulates=False, recomputes=True)


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
    "10m, 4096 tokens, recomputed": Case("10m", 4_096, 1, _RECOMPUTED),
    "10m, 2048 tokens, two passes": Case("10m", 2_048, 2, Tuning()),
    "30m, 1024 tokens": Case("30m", 1_024),
    "30m, 1024 tokens, recomputed": Case("30m", 1_024, 1, _RECOMPUTED),
    "30m, two-matrix MLP, 1024 tokens": Case("30m", 1_024, changes=(("mlp", "two-matrix"),)),
    "100m, 512 tokens": Case("100m", 512),
    "100m, 512 tokens, recomputed": Case("100m", 512, 1, _RECOMPUTED),
    "100m, 512 tokens, LoRA of rank 16": Case("100m", 512, 1, Tuning(16, accumulates=False)),
}


def measure(case: Case, n_updates: int) -> dict[str, float]:
    """Run the updates in this process; return bytes at the peak and seconds."""
    import torch

    from rinsho.model.adapter import AdapterSettings, attach_adapter
    from rinsho.model.decoder import new_decoder
    from rinsho.model.loss import summed_cross_entropy
    from rinsho.training.optimizer import new_optimizer
    from rinsho.training.recompute import recompute_blocks
    from rinsho.training.settings import TrainingConfig

    torch.set_num_threads(N_CORES)
    _warm_up()
    before = _resident("VmRSS")
    decoder = new_decoder(case.config, seed=0)
    if case.tuning.rank:
        attach_adapter(decoder, AdapterSettings.model_validate({"rank": case.tuning.rank}))
    if case.tuning.recomputes:
        recompute_blocks(decoder)
    optimizer = new_optimizer(decoder, TrainingConfig.model_validate({}))
    lengths = [256] * (case.n_tokens // 256)
    seconds = list[float]()
    for _ in range(n_updates):
        started = time.perf_counter()
        for _ in range(case.n_passes):
            tokens_T = torch.randint(0, case.config.vocab_size, (case.n_tokens,))
            hidden_TD = decoder.forward_hidden(tokens_T, lengths)
            counted_T = torch.ones_like(tokens_T)
            summed_cross_entropy(hidden_TD, decoder.output_weight, tokens_T, counted_T).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        seconds.append(time.perf_counter() - started)
    return {"bytes": _resident("VmHWM") - before, "seconds": statistics.median(seconds[1:])}


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


def predict(case: Case) -> tuple[TrainingMemory, float]:
    """Return what a plan says of the memory, and of the seconds of an update on two cores."""
    memory = training_memory(case.config, case.n_tokens, "fp32", case.tuning)
    cpu = HARDWARE[0]
    per_token = training_flops(case.config, causal_mean(256), case.tuning)
    flops = per_token * case.n_tokens * case.n_passes
    return memory, flops / cpu.flops_per_second


def run(name: str) -> dict[str, Any]:
    """Measure a case in processes of its own; return it beside the prediction."""
    memory, seconds = predict(CASES[name])
    needed = _measure_apart(name, 2, {"MALLOC_MMAP_THRESHOLD_": str(1 << 18)})["bytes"]
    default = _measure_apart(name, 5, {})
    return {
        "case": name,
        "predicted, MB": round(memory.peak / 1e6),
        "measured, MB": round(needed / 1e6),
        "memory ratio": f"{memory.peak / needed:.2f}",
        "held by default, MB": round(default["bytes"] / 1e6),
        "predicted, s": f"{seconds:.2f}",
        "measured, s": f"{default['seconds']:.2f}",
        "time ratio": f"{seconds / default['seconds']:.2f}",
    }


def _measure_apart(name: str, n_updates: int, variables: dict[str, str]) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "--measure", name, "--updates", str(n_updates)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ
        | {"OMP_NUM_THREADS": str(N_CORES), "OMP_WAIT_POLICY": "PASSIVE"}
        | variables,
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print the table, or one measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(CASES))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--measure")
    parser.add_argument("--updates", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(CASES[arguments.measure], arguments.updates)))
        return
    rows = list[dict[str, Any]]()
    for name in arguments.names:
        rows.append(run(name))
        if len(rows) == 1:
            print("| " + " | ".join(rows[0]) + " |")
            print("|---" * len(rows[0]) + "|")
        print("| " + " | ".join(str(value) for value in rows[-1].values()) + " |", flush=True)
    if arguments.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
