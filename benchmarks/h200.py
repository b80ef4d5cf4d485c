"""Training on one large GPU, line by line: what the table for an H200 asks for.

    PYTHONPATH=src python benchmarks/h200.py [--only LINE …] [--out FILE.json]
    PYTHONPATH=src python benchmarks/h200.py --smoke      # every line once, tiny, on any machine

Needs the repository, torch and pydantic; no network, no data, no weights: random checkpoints of the
true shapes are made in a temporary folder (16 GB). Lines that need peft, transformers or
bitsandbytes are "not measured" without them. Each line is a process of its own with its own limit
in seconds, so that one that fails or runs out of memory takes no other with it; all limits together
are 20 minutes. Figures come with what was asked for; the file holds everything.

Where Python packages are missing and nothing can be fetched, carry them as wheels: pydantic with
pydantic-core, annotated-types and typing-inspection (3 MB), and bitsandbytes (60 MB).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # products repeat to the bit

import torch

sys.path.insert(0, str(Path(__file__).parent))
try:
    import h200_lines as lines
    from h200_measure import Bench
except ModuleNotFoundError as missing:  # without these nothing can be measured
    sys.exit(f"not measured: {missing.name} is missing; the top of {Path(__file__).name} says more")

# Line -> (function, limit in seconds, what is asked for). In this order: later ones need the first.
LINES: dict[str, tuple[Any, int, str]] = {
    "peak": (lines.peak, 60, "the measure of the others"),
    "ncvc-1.2b": (lines.ncvc, 200, "share of peak >= .45, hope .58 (about 46k tokens/s)"),
    "100m": (lines.small, 120, "share of peak >= .35"),
    "varlen": (lines.varlen, 120, "packed with varlen / dense >= .98"),
    "resume": (lines.resume, 100, "hash-equal"),
    "checkpoint": (lines.checkpoint, 150, "random weights of Qwen2-7B's shape on disk"),
    "qlora": (lines.qlora, 120, "peak <= 10 GB, hope 8"),
    "lora": (lines.lora, 120, ">= 9,000 tokens/s"),
    "peft": (lines.peft_plain, 120, "ours / it: speed >= 1.2, memory <= .65"),
    "full": (lines.full, 120, "one full-parameter step, its peak memory"),
}


def run_line(name: str, bench: Bench) -> dict[str, Any]:
    """Measure one line in this process; say why where it cannot be."""
    try:
        return LINES[name][0](bench)
    except ImportError as error:
        return {"not_measured": f"missing: {error.name or error}"}
    except torch.cuda.OutOfMemoryError:
        return {"not_measured": "out of GPU memory"}
    except Exception as error:
        missing = getattr(error, "found", None)  # an extra that is not installed
        return {"not_measured": f"{type(error).__name__}: {str(missing or error)[:300]}"}


def run_in_process(name: str, folder: Path, *, is_smoke: bool) -> dict[str, Any]:
    """Measure one line in a process of its own."""
    command = [sys.executable, __file__, "--line", name, "--folder", str(folder)]
    command += ["--smoke"] if is_smoke else []
    limit = LINES[name][1] * (8 if is_smoke else 1)  # a small machine compiles slowly
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return {"not_measured": f"not done in {limit} s"}
    last = done.stdout.strip().rpartition("\n")[2]
    if done.returncode or not last.startswith("{"):
        tail = done.stderr.strip().rpartition("\n")[2][:300]
        return {"not_measured": f"the process ended with {done.returncode}: {tail}"}
    return json.loads(last)


def add_ratios(found: dict[str, dict[str, Any]]) -> None:
    """Add what is a comparison of two lines."""
    peak = found.get("peak", {}).get("tflops")
    for name in ("ncvc-1.2b", "100m"):
        if peak and "tflops" in found.get(name, {}):
            found[name]["share_of_peak"] = round(found[name]["tflops"] / peak, 3)
    ours, theirs = found.get("lora", {}), found.get("peft", {})
    if "tokens_per_second" in ours and "tokens_per_second" in theirs:
        speed = ours["tokens_per_second"] / theirs["tokens_per_second"]
        found["peft"]["ours_speed_ratio"] = round(speed, 3)
        if theirs.get("peak_gb"):
            memory = ours["peak_gb"] / theirs["peak_gb"]
            found["peft"]["ours_memory_ratio"] = round(memory, 3)


def machine() -> dict[str, str]:
    """Return what the figures were seen on."""
    has_gpu = torch.cuda.is_available()
    return {
        "gpu": torch.cuda.get_device_name() if has_gpu else "none",
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def main() -> None:
    """Run the lines, print a table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=LINES, help="a line; may be repeated")
    parser.add_argument("--out", type=Path, help="a JSON file")
    parser.add_argument("--smoke", action="store_true", help="tiny shapes, to see that it runs")
    parser.add_argument("--line", choices=LINES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.line:
        print(json.dumps(run_line(given.line, Bench(given.folder, is_smoke=given.smoke))))
        return
    if not (torch.cuda.is_available() or given.smoke):
        print("not measured: no GPU (--smoke runs every line with tiny shapes)")
        return
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="h200-") as folder:
        for name in given.only or LINES:
            found[name] = run_in_process(name, Path(folder), is_smoke=given.smoke)
            print(f"{name:<12}{found[name]}", flush=True)
    add_ratios(found)
    result = {"machine": machine(), "is_smoke": given.smoke, "lines": found}
    print()
    for name, values in found.items():
        print(f"{name:<12}{json.dumps(values)}   asked: {LINES[name][2]}")
    if given.out:
        given.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
