"""A LoRA step over a base in 4 bits (NF4), against one over the same base unquantised.

    python benchmarks/training_adapter.py [--row 512] [--layers 4] [--rounds 9] [--clock cpu]
                                          [--precision bf16|fp32]

The base has the width of a 1B model, few layers and a vocabulary that has the share of the work
that 32k have in 24 layers; rank 16 on all linear layers, one row, both ways in each round. The
unquantised base is in bf16 where the processor multiplies in it; elsewhere that line is "not
applicable", and both compute in fp32. Needs peft and bitsandbytes (the `adapt` extra).
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
from training_step import Step, clock, measure_rounds, quartiles

from rinsho.model.adapter import AdapterSettings, attach_adapter
from rinsho.model.checkpoint import load_decoder, save_weights
from rinsho.model.decoder import Decoder, new_decoder
from rinsho.model.four_bits import load_in_four_bits
from rinsho.model.loss import summed_cross_entropy
from rinsho.model.precision import computes_in_bf16
from rinsho.model.presets import PRESETS

DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}


def new_step(decoder: Decoder, row: int, precision: str) -> Step:
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
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            hidden_TD = decoder.forward_hidden(tokens_T[:-1], [row])
            weight_VD = decoder.output_weight
            total = summed_cross_entropy(hidden_TD, weight_VD, tokens_T[1:], counted_T)
        return finish(total / row, decoder, optimizer)

    return step


def main() -> None:
    """Print the ratio and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--row", type=int, default=512)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--precision", choices=DTYPES)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    precision = given.precision or ("bf16" if computes_in_bf16(torch.device("cpu")) else "fp32")
    if given.precision is None and precision == "fp32":
        print("bf16: not applicable: no AMX and no AVX512-BF16")
    dtype, vocab_size = DTYPES[precision], 32_768 * given.layers // 24
    shape = PRESETS["ncvc-1.2b"].model_copy(
        update={"n_layers": given.layers, "mlp": "gated", "vocab_size": vocab_size}
    )
    with tempfile.TemporaryDirectory() as folder:
        save_weights(new_decoder(shape, seed=0), Path(folder), dtype=dtype)
        plain = new_step(load_decoder(Path(folder), dtype=dtype), given.row, precision)
        nf4 = new_step(load_in_four_bits(Path(folder), dtype=dtype), given.row, precision)
    steps = {precision: plain, "nf4": nf4}
    losses = {name: step() for name, step in steps.items()}
    seconds = measure_rounds(dict(steps), given.rounds, clock(given.clock))
    low, ratio, high = quartiles(seconds["nf4"], seconds[precision])
    told = f"{ratio:.2f} ({low:.2f}–{high:.2f})"
    print(f"NF4 LoRA step / {precision} LoRA step: {told}  (at most 1.5, hope 1.3)")
    medians = {name: statistics.median(s) for name, s in seconds.items()}
    print(
        json.dumps({"ratio": ratio, "row": given.row, "seconds": medians, "first_losses": losses})
    )


if __name__ == "__main__":
    main()
