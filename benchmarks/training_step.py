"""Ours against other trainers, step by step: forward, backward, clipping and AdamW on equal tokens.

    PYTHONPATH=src PEERS/bin/python benchmarks/training_step.py [--shape 10m|30m|100m] [--rounds 9]
                                                                [--only NAME …]

Every round runs one step of each contender, one after another in this process, so that whatever
slows the machine slows all; a ratio is taken inside its round; the median of the rounds is told,
with their quartiles. All train the same Llama shape in fp32 on the same 8 rows (8 is the batch of
`transformers.Trainer`), clip to norm 1 and step with fused AdamW. Steps take 1 to 5 seconds on two
cores: 10m, 8 rows of 512 (the preset that two cores train in minutes, the one to quote); 30m, 8
rows of 256; 100m, 8 rows of 128, 32k vocabulary. bf16 is measured where the processor has it.

Peers live in an environment of their own, PEERS (`benchmarks/requirements.txt`); one that is
missing is "not measured".
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent))
import training_peers as peers

from rinsho.model import cost
from rinsho.model.compiling import missing_compiler
from rinsho.model.decoder import new_decoder
from rinsho.model.loss import summed_cross_entropy
from rinsho.model.precision import computes_in_bf16
from rinsho.model.presets import PRESETS, DecoderConfig

CPU = torch.device("cpu")
N_ROWS = 8
ROW_LENGTHS = {"10m": 512, "30m": 256, "100m": 128}
# What the table asks for, and what it hopes for, on two cores: (fp32, bf16).
TARGETS = {
    "transformers eager": ((1.2, 1.35), (1.4, 1.6)),
    "transformers Trainer": ((1.25, 1.45), (1.6, 2.0)),
    "litgpt compiled": ((1.05, 1.2), (1.2, 1.4)),
}
Step = Callable[[], float]


@dataclass(frozen=True)
class Setting:
    """What every contender trains."""

    config: DecoderConfig
    tokens_BT: Tensor  # noqa: N815 - one more than the row: labels are shifted by one
    precision: str

    @property
    def n_tokens(self) -> int:
        """Return the labels of a step."""
        return self.tokens_BT.shape[0] * (self.tokens_BT.shape[1] - 1)

    def computing(self) -> Any:
        """Return the context of a forward pass."""
        return torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bf16")


def new_setting(shape: str, precision: str, row: int | None = None) -> Setting:
    """Return a shape with 8 random rows."""
    row = row or ROW_LENGTHS[shape]
    config = PRESETS[shape].model_copy(update={"context_length": row})
    generator = torch.Generator().manual_seed(0)
    tokens_BT = torch.randint(0, config.vocab_size, (N_ROWS, row + 1), generator=generator)
    return Setting(config, tokens_BT, precision)


def our_step(setting: Setting, *, is_compiled: bool, lengths: list[int] | None = None) -> Step:
    """Return a step of our decoder, as the training loop does it."""
    decoder = new_decoder(setting.config, seed=0)
    if is_compiled:
        decoder.compile_blocks()
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=1e-4, fused=True)
    inputs_T = setting.tokens_BT[:, :-1].flatten()
    labels_T, counted_T = setting.tokens_BT[:, 1:].flatten(), torch.ones(setting.n_tokens)
    segment_lengths = lengths or [setting.tokens_BT.shape[1] - 1] * N_ROWS

    def step() -> float:
        with setting.computing():
            hidden_TD = decoder.forward_hidden(inputs_T, segment_lengths)
            total = summed_cross_entropy(hidden_TD, decoder.output_weight, labels_T, counted_T)
        loss = total / setting.n_tokens
        return peers.finish(loss, decoder, optimizer)

    return _deterministic(step)


def _deterministic(step: Step) -> Step:
    """Run a step with the settings of a training session, and leave the peers theirs."""

    def run() -> float:
        torch.use_deterministic_algorithms(True)
        torch.utils.deterministic.fill_uninitialized_memory = False
        try:
            return step()
        finally:
            torch.use_deterministic_algorithms(False)

    return run


def contenders(setting: Setting) -> dict[str, Callable[[], Iterator[None]]]:
    """Return a maker for each contender; what it makes does one step each time it is resumed."""
    makers: dict[str, Callable[[], Iterator[None]]] = {
        "ours eager": lambda: _steps(our_step(setting, is_compiled=False)),
        "ours compiled": lambda: _steps(our_step(setting, is_compiled=True)),
        "transformers eager": lambda: _steps(peers.llama_step(setting)),
        "transformers Trainer": lambda: peers.trainer_steps(setting),
        "litgpt compiled": lambda: _steps(peers.litgpt_step(setting)),
    }
    if missing_compiler(CPU) is not None:
        makers = {name: make for name, make in makers.items() if "compiled" not in name}
    return makers


def _steps(step: Step) -> Iterator[None]:
    while True:
        step()
        yield


def matmul_peak(precision: str, size: int = 2_048) -> Step:
    """Return a function that multiplies two square matrices: the peak that steps are held to."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    left, right = (torch.randn(size, size, dtype=dtype) for _ in range(2))

    def multiply() -> float:
        for _ in range(4):
            torch.mm(left, right)
        return 4 * 2.0 * size**3

    return multiply


def clock(kind: str) -> Callable[[], float]:
    """Return the clock: of the wall, or the CPU seconds of this process on a busy machine."""
    return time.perf_counter if kind == "wall" else time.process_time


def measure_rounds(
    runs: dict[str, Callable[[], object]], n_rounds: int, now: Callable[[], float]
) -> dict[str, list[float]]:
    """Return the seconds of each contender in each round, interleaved."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for index in range(n_rounds):
        names = list(runs) if index % 2 else list(runs)[::-1]  # no place in the round is favoured
        for name in names:
            started = now()
            runs[name]()
            seconds[name].append(now() - started)
    return seconds


def median_ratio(above: list[float], below: list[float]) -> float:
    """Return the median over the rounds of the ratio inside a round."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def quartiles(above: list[float], below: list[float]) -> tuple[float, float, float]:
    """Return lower quartile, median and upper quartile of the ratio inside a round."""
    ratios = [a / b for a, b in zip(above, below, strict=True)]
    if len(ratios) < 2:
        return ratios[0], ratios[0], ratios[0]
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return low, middle, high


def started(
    makers: dict[str, Callable[[], Iterator[None]]], only: list[str]
) -> tuple[dict[str, Callable[[], object]], dict[str, str]]:
    """Warm up what can run; return it, and why the others cannot."""
    runs: dict[str, Callable[[], object]] = {}
    missing: dict[str, str] = {}
    for name, make in makers.items():
        if only and name not in only:
            continue
        try:
            steps = make()
            for _ in range(2):  # the first one compiles
                next(steps)
        except ImportError as error:
            missing[name] = f"not measured: {error}"
            continue
        runs[name] = lambda steps=steps: next(steps)
    return runs, missing


def against_peers(shape: str, precision: str, given: argparse.Namespace) -> dict[str, Any]:
    """Measure every contender at a shape; return medians, ratios and the share of the peak."""
    setting = new_setting(shape, precision, given.row)
    runs, missing = started(contenders(setting), given.only)
    peak = matmul_peak(precision)
    n_flops = peak()
    seconds = measure_rounds({**runs, "matmul": peak}, given.rounds, clock(given.clock))
    row = setting.tokens_BT.shape[1] - 1
    flops = cost.count_flops(setting.config, cost.causal_mean(row)).training * setting.n_tokens
    best = "ours compiled" if "ours compiled" in runs else "ours eager"
    result: dict[str, Any] = {
        "shape": shape, "precision": precision, "rows": N_ROWS, "row": row, "best": best,
        "seconds": {name: statistics.median(s) for name, s in seconds.items()},
        "missing": missing,
    }  # fmt: skip
    if best in runs:
        result["ratios"] = {n: quartiles(seconds[n], seconds[best]) for n in runs if n != best}
        per_flop = [s / n_flops for s in seconds["matmul"]]
        result["share_of_peak"] = quartiles([s * flops for s in per_flop], seconds[best])
    return result


def packed_against_plain(given: argparse.Namespace) -> dict[str, Any]:
    """Measure a row of 2,048 tokens: 8 documents of 256, against one causal row without a mask."""
    setting = new_setting("30m", "fp32", 256)
    is_compiled = missing_compiler(CPU) is None
    steps = {
        name: our_step(setting, is_compiled=is_compiled, lengths=lengths)
        for name, lengths in (("packed", [256] * 8), ("no mask", [2_048]))
    }
    for step in steps.values():
        step()
    seconds = measure_rounds(dict(steps), given.rounds, clock(given.clock))
    return {
        "seconds": {name: statistics.median(s) for name, s in seconds.items()},
        "ratio": quartiles(seconds["no mask"], seconds["packed"]),
    }


def told(ratio: tuple[float, float, float]) -> str:
    """Return the median and, in brackets, the quartiles."""
    low, middle, high = ratio
    return f"{middle:.2f} ({low:.2f}–{high:.2f})"


def report(results: dict[str, Any]) -> None:
    """Print what was measured as a table."""
    for found in results["steps"]:
        print(f"\n{found['shape']}, {found['precision']}, {found['rows']} × {found['row']} tokens")
        for name, seconds in found["seconds"].items():
            ratio = found.get("ratios", {}).get(name)
            asked = TARGETS.get(name, (("", ""),) * 2)[found["precision"] == "bf16"]
            tail = f"  {told(ratio)} × {found['best']}" if ratio else ""
            wanted = f"   (at least {asked[0]}, hope {asked[1]})" if ratio and asked[0] else ""
            print(f"  {name:<22}{seconds:9.3f} s{tail}{wanted}")
        for name, reason in found["missing"].items():
            print(f"  {name:<22}{reason}")
        if "share_of_peak" in found:
            asked = ".22, hope .35" if found["precision"] == "bf16" else ".55, hope .65"
            share = told(found["share_of_peak"])
            print(f"  share of the matmul peak beside it {share}  (at least {asked})")
    if "packed" in results:
        ratio = told(results["packed"]["ratio"])
        print(f"\npacked, 8 × 256, against no mask: {ratio} × (at least 1.0, hope 1.1)")
    print()


def main() -> None:
    """Print tables and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=ROW_LENGTHS, action="append")
    parser.add_argument("--row", type=int, help="tokens of each of the 8 rows")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", action="append", default=[], help="a contender by name")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--part", choices=("all", "steps", "packed"), default="all")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    results: dict[str, Any] = {"threads": given.threads, "torch": torch.__version__, "steps": []}
    precisions = ("fp32", "bf16") if computes_in_bf16(CPU) else ("fp32",)
    if precisions == ("fp32",):
        results["bf16"] = "not applicable: no AMX and no AVX512-BF16"
        print("bf16: " + results["bf16"])
    if given.part != "packed":
        for shape in given.shape or ["10m"]:
            for precision in precisions:
                results["steps"].append(against_peers(shape, precision, given))
    if given.part != "steps":
        results["packed"] = packed_against_plain(given)
    report(results)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
