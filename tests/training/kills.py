"""Kill a pre-training at random moments, again and again; started by a test of the campaign.

    python kills.py TOKENS FOLDER PRECISION N_KILLS DROPOUT

Without dropout, fp32 runs on our own attention; with it, on torch's, and draws random numbers.

Torch is imported once; every run is a fork of this process, which SIGKILL ends as it ends any
other. A moment is a random step, and a random part of a step's time (or of a checkpoint's) behind
it. A run that ends is compared with one that nothing stopped, and the next one begins.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import random
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rinsho.errors import RinshoError
from rinsho.manifest import open_folder
from rinsho.training.pretrain import PretrainConfig, pretrain

N_STEPS = 40
IMPORTED_ONCE = ("rinsho.training.language", "torch._dynamo")  # what a run imports late
MOST_STEPS_AHEAD = 16  # from the newest checkpoint to a kill
CONFIG = {
    "preset": "demo",
    "model": {"d_model": 32, "n_layers": 2, "n_heads": 2, "d_ff": 64},
    "context_length": 64,
    "batch_tokens": 256,
    "micro_batch_tokens": 128,
    "n_steps": N_STEPS,
    "n_warmup_steps": 2,
    "learning_rate": 1e-2,
    "ema_decay": 0.9,
    "threads": 1,
    "evaluate_every_steps": 10,
    "max_validation_tokens": 500,
    "checkpoint_every_steps": 3,
}


@dataclass(slots=True)
class Counts:
    """What the campaign saw."""

    n_kills: int = 0
    n_starts: int = 0
    n_finished: int = 0
    n_equal: int = 0


def begin(config: PretrainConfig, tokens: Path, out: Path) -> int:
    """Fork a process that trains; return its id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        with (out.parent / "log.txt").open("ab") as log:
            os.dup2(log.fileno(), 2)
        pretrain(config, tokens=tokens, out=out)
        code = 0
    except RinshoError as error:
        os.write(2, f"{error}\n".encode())
    finally:
        os._exit(code)


def end_of(child: int, *, wait: bool) -> int | None:
    """Return how a process ended, as `subprocess` writes it; None while it runs."""
    done, status = os.waitpid(child, 0 if wait else os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


def n_lines(out: Path) -> int:
    """Return the steps that a run has logged so far."""
    log = out.with_name(out.name + ".partial") / "result" / "loss.jsonl"
    with contextlib.suppress(FileNotFoundError):
        return log.read_bytes().count(b"\n")
    return 0


def kill_at(child: int, out: Path, step: int, seconds: float) -> int:
    """Kill a run some time behind a step; return how it ended."""
    while n_lines(out) < step:
        if (code := end_of(child, wait=False)) is not None:
            return code
        time.sleep(0.001)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)  # of a process that ended by itself: not yet waited for
    code = end_of(child, wait=True)
    assert code is not None
    return code


def same_bytes(one: Path, other: Path) -> bool:
    """Return whether two finished runs have one identity, the same weights and the same log."""
    identities = {open_folder(path).manifest.identity_hash for path in (one, other)}
    files = ("model.safetensors", "loss.jsonl")
    return len(identities) == 1 and all(
        (one / name).read_bytes() == (other / name).read_bytes() for name in files
    )


def main(tokens: Path, folder: Path, precision: str, n_kills: int, dropout: float) -> Counts:
    changes = {"precision": precision, "dropout": dropout}
    config = PretrainConfig.model_validate({**CONFIG, **changes})
    expected, killed = folder / "expected", folder / "killed"
    partial = killed.with_name("killed.partial")
    moments, counts = random.Random(0), Counts()
    for module in IMPORTED_ONCE:
        importlib.import_module(module)
    sys.modules["matplotlib"] = None  # pyright: ignore[reportArgumentType]; no figures
    assert end_of(begin(config, tokens, expected), wait=True) == 0
    while counts.n_kills < n_kills or killed.exists() or partial.exists():
        child = begin(config, tokens, killed)
        counts.n_starts += 1
        if counts.n_kills < n_kills:
            step = max(0, n_lines(killed) - 3) + moments.randrange(MOST_STEPS_AHEAD)
            code = kill_at(child, killed, step, moments.uniform(0, 0.1))
        else:
            code = end_of(child, wait=True)
        assert code in (0, -signal.SIGKILL), (folder / "log.txt").read_text()[-2_000:]
        counts.n_kills += code == -signal.SIGKILL
        if code == 0:
            counts.n_finished += 1
            counts.n_equal += same_bytes(expected, killed)
            shutil.rmtree(killed)
    return counts


if __name__ == "__main__":
    given, out, kind, number, rate = sys.argv[1:]
    found = main(Path(given), Path(out), kind, int(number), float(rate))
    print(json.dumps({name: getattr(found, name) for name in Counts.__slots__}))
