"""Head and loss at a vocabulary of 32k: chunk by chunk, against all logits at once.

    python benchmarks/training_loss.py [--tokens 4096] [--width 768] [--rounds 9] [--clock cpu]

Time: forward and backward, gradients of hidden states and of the output matrix included, both in
each round. Memory: the most that torch's allocator held above the inputs, counted allocation by
allocation; the two gradients, which both need, are told beside it and taken off both.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile
from training_step import clock, measure_rounds, median_ratio

from rinsho.model.loss import summed_cross_entropy


def highest_bytes(run: Callable[[], object]) -> int:
    """Return the most bytes that were held at once during a call, above those before it."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        run()
    results = profiler.profiler.kineto_results  # type: ignore[union-attr]
    allocations = [event for event in results.events() if event.name() == "[memory]"]
    held = highest = 0
    for event in sorted(allocations, key=lambda event: event.start_ns()):
        held += event.nbytes()  # negative where memory is given back
        highest = max(highest, held)
    return highest


def new_runs(n_tokens: int, width: int, vocab_size: int) -> dict[str, Callable[[], Tensor]]:
    """Return both ways over the same random inputs."""
    hidden_TD = torch.randn(n_tokens, width).requires_grad_()
    weight_VD = (torch.randn(vocab_size, width) * 0.02).requires_grad_()
    labels_T, mask_T = torch.randint(0, vocab_size, (n_tokens,)), torch.ones(n_tokens)

    def finish(loss: Tensor) -> Tensor:
        hidden_TD.grad = weight_VD.grad = None
        loss.backward()
        return loss.detach()

    return {
        "full": lambda: finish(
            functional.cross_entropy(functional.linear(hidden_TD, weight_VD), labels_T)
        ),
        "chunked": lambda: finish(
            summed_cross_entropy(hidden_TD, weight_VD, labels_T, mask_T) / n_tokens
        ),
    }


def main() -> None:
    """Print both ratios and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=4_096)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--vocabulary", type=int, default=32_768)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    runs = new_runs(given.tokens, given.width, given.vocabulary)
    values = [float(run()) for run in runs.values()]
    memory = {name: highest_bytes(run) for name, run in runs.items()}
    seconds = measure_rounds(dict(runs), given.rounds, clock(given.clock))
    gradients = 4 * given.width * (given.tokens + given.vocabulary)
    result = {
        "losses": values, "tokens": given.tokens, "width": given.width,
        "seconds": {name: statistics.median(s) for name, s in seconds.items()},
        "time_ratio": median_ratio(seconds["chunked"], seconds["full"]),
        "bytes": memory, "bytes_of_gradients": gradients,
        "memory_ratio": (memory["chunked"] - gradients) / (memory["full"] - gradients),
        "memory_ratio_with_gradients": memory["chunked"] / memory["full"],
    }  # fmt: skip
    print(f"time, chunked / full: {result['time_ratio']:.3f}  (at most 1.0, hope .75)")
    print(f"memory: {result['memory_ratio']:.3f}  (at most .15, hope .08)")
    print(f"memory, gradients included: {result['memory_ratio_with_gradients']:.3f}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
