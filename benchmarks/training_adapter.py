"""A LoRA step over a base in 4 bits (NF4), against one over the same base in bf16.

    python benchmarks/training_adapter.py [--row 128] [--layers 4] [--rounds 9] [--clock cpu]

The base has the width of a 1B model and few layers; rank 16 on all linear layers, one row, both
ways in each round. Needs peft and bitsandbytes (the `adapt` extra).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path

import torch
from training_peers import finish
from training_step import Step, clock, measure_rounds, median_ratio

from rinsho.model.adapter import AdapterSettings, attach_adapter
from rinsho.model.checkpoint import load_decoder, save_weights
from rinsho.model.decoder import Decoder, new_decoder
from rinsho.model.four_bits import load_in_four_bits
from rinsho.model.loss import summed_cross_entropy
from rinsho.model.presets import PRESETS


def new_step(decoder: Decoder, row: int) -> Step:
    """Return a step over the adapter alone."""
    decoder.requires_grad_(False)
    torch.manual_seed(0)
    attach_adapter(decoder, AdapterSettings(rank=16))
    trained = [parameter for parameter in decoder.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, fused=True)
    tokens_T = torch.arange(row + 1) % decoder.config.vocab_size
    counted_T = torch.ones(row)
    decoder.train()

    def step() -> float:
        with torch.autocast("cpu", torch.bfloat16):
            hidden_TD = decoder.forward_hidden(tokens_T[:-1], [row])
            weight_VD = decoder.output_weight
            total = summed_cross_entropy(hidden_TD, weight_VD, tokens_T[1:], counted_T)
        return finish(total / row, decoder, optimizer)

    return step


def main() -> None:
    """Print the ratio and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--row", type=int, default=128)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    shape = PRESETS["ncvc-1.2b"].model_copy(update={"n_layers": given.layers, "mlp": "gated"})
    with tempfile.TemporaryDirectory() as folder:
        save_weights(new_decoder(shape, seed=0), Path(folder), dtype=torch.bfloat16)
        bf16 = new_step(load_decoder(Path(folder), dtype=torch.bfloat16), given.row)
        nf4 = new_step(load_in_four_bits(Path(folder), dtype=torch.bfloat16), given.row)
    steps = {"bf16": bf16, "nf4": nf4}
    losses = {name: step() for name, step in steps.items()}
    seconds = measure_rounds(dict(steps), given.rounds, clock(given.clock))
    ratio = median_ratio(seconds["nf4"], seconds["bf16"])
    print(f"NF4 LoRA step / bf16 LoRA step: {ratio:.2f}  (at most 1.5, hope 1.3)")
    medians = {name: statistics.median(s) for name, s in seconds.items()}
    print(json.dumps({"ratio": ratio, "seconds": medians, "first_losses": losses}))


if __name__ == "__main__":
    main()
