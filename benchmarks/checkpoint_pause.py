"""How long a checkpoint keeps training from going on: the state of a preset in fp32 AdamW.

    python benchmarks/checkpoint_pause.py [--preset 100m] [--rounds 7] [--folder DIR]

A pause is what the loop waits for: the copy of weights and optimizer, the look for numbers that
are none, and the thread that takes the copy over. The writing overlaps with the steps behind it;
how much it slows them is measured by small steps while a checkpoint is written and while none is,
in turn. Shares are those of one checkpoint every five minutes. `--folder` should lie on a disk.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from rinsho.model.decoder import Decoder, new_decoder
from rinsho.model.decoder_protocol import as_module
from rinsho.model.loss import summed_cross_entropy
from rinsho.model.presets import decoder_config
from rinsho.training.state import CheckpointStore, TrainingState, environment, take_snapshot
from rinsho.training.trained import Trained

EVERY_SECONDS = 300.0
VOCAB_SIZE, STEP_TOKENS = 32_768, 256


def new_step(decoder: Decoder, optimizer: torch.optim.Optimizer) -> Callable[[], float]:
    """Return a small training step, which tells its seconds."""
    tokens = torch.randint(VOCAB_SIZE, (STEP_TOKENS + 1,), generator=torch.Generator())
    mask = torch.ones(STEP_TOKENS, dtype=torch.uint8)

    def step() -> float:
        clock = time.perf_counter()
        hidden_TD = decoder.forward_hidden(tokens[:-1], [STEP_TOKENS])
        loss = summed_cross_entropy(hidden_TD, decoder.output_weight, tokens[1:], mask)
        (loss / STEP_TOKENS).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return time.perf_counter() - clock

    return step


@dataclass(frozen=True, slots=True)
class Round:
    """One checkpoint, in seconds."""

    pause: float
    writing: float
    slower: float  # what the steps beside the writing took more than the one before it


def measure(
    decoder: Decoder, optimizer: torch.optim.Optimizer, folder: Path, n_rounds: int
) -> list[Round]:
    """Take checkpoints with steps before and beside each."""
    step, trained = new_step(decoder, optimizer), Trained(as_module(decoder), optimizer)
    step()  # the optimizer has its state only now
    rounds: list[Round] = []
    with CheckpointStore(folder, environment(torch.get_num_threads(), "fp32")) as store:
        for number in range(n_rounds):
            quiet = statistics.median(step() for _ in range(3))
            clock = time.perf_counter()
            snapshot = take_snapshot(trained, TrainingState(step=number), {})
            assert snapshot.is_finite()
            store.save(snapshot)
            del snapshot
            paused = time.perf_counter()
            beside = [step()]
            while store.is_writing:
                beside.append(step())
            written = time.perf_counter()
            store.wait()
            slower = sum(beside) - len(beside) * quiet
            rounds.append(Round(paused - clock, written - paused, slower))
    return rounds


def main() -> None:
    """Take checkpoints between small steps, and print the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="100m")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    decoder = new_decoder(decoder_config(options.preset, VOCAB_SIZE, 512), seed=0)
    optimizer = torch.optim.AdamW(as_module(decoder).parameters(), lr=1e-6, fused=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        rounds = measure(decoder, optimizer, Path(folder), options.rounds)
    n_bytes = 3 * 4 * sum(p.numel() for p in as_module(decoder).parameters())
    pause = statistics.median(one.pause for one in rounds)
    slower = max(0.0, statistics.median(one.slower for one in rounds))
    row = {
        "preset": options.preset,
        "state_gb": round(n_bytes / 1e9, 2),
        "rounds": options.rounds,
        "pause_seconds": round(pause, 3),
        "pause_share": round(pause / EVERY_SECONDS, 5),
        "writing_seconds": round(statistics.median(one.writing for one in rounds), 2),
        "slower_seconds": round(slower, 2),
        "pause_and_slower_share": round((pause + slower) / EVERY_SECONDS, 5),
    }
    print(f"state of {options.preset}: {row['state_gb']} GB, {options.rounds} checkpoints")
    print(f"pause                    {pause:8.2f} s  {pause / EVERY_SECONDS:7.2%} of 300 s")
    print(f"steps slower by writing  {slower:8.2f} s  {slower / EVERY_SECONDS:7.2%} of 300 s")
    print(f"pauses: {', '.join(f'{one.pause:.2f}' for one in rounds)} s")
    print(json.dumps(row))


if __name__ == "__main__":
    main()
