"""What fewer bits cost: bits per byte of real text, fp32 against bf16 and int4, ours and torch's.

    python benchmarks/int4_quality.py WEIGHTS --data DIR [--lines 3000]

The text is that of `gguf_proof.py`: lines of each file in turns. Prints JSON.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from pathlib import Path

import torch
from gguf_proof import read_lines
from torch import nn

from rinsho.model.checkpoint import load_decoder
from rinsho.model.decoder import Decoder
from rinsho.model.quantize import Int4Linear, fits_int4, load_half_decoder
from rinsho.text.normalize import normalize
from rinsho.tokenizer.tokenizer import Tokenizer, read_tokenizer


def main() -> None:
    """Print the figures and what is lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--lines", type=int, default=3_000)
    args = parser.parse_args()
    tokenizer = read_tokenizer(args.weights)
    lines = itertools.islice(read_lines(args.data), args.lines)
    ids = tokenizer.encode("\n".join(map(normalize, lines)))
    found = {"fp32": bits_per_byte(load_fp32(args.weights), tokenizer, ids)}
    found["bf16"] = bits_per_byte(load_half_decoder(args.weights), tokenizer, ids)
    for name, ours in (("int4, ours", True), ("int4, torch's", False)):
        decoder = pack(load_fp32(args.weights), ours=ours)
        found[name] = bits_per_byte(decoder, tokenizer, ids)
    lost = {f"{name}, lost": f"{bits / found['fp32'] - 1:+.3%}" for name, bits in found.items()}
    print(json.dumps({"tokens": len(ids), **found, **lost}))


def load_fp32(folder: Path) -> Decoder:
    """Load weights as they are."""
    return load_decoder(folder, dtype=torch.float32).eval()


def pack(decoder: Decoder, *, ours: bool) -> Decoder:
    """Pack every matrix of the blocks, and the head where it is one of its own."""
    for name, module in list(decoder.named_modules()):
        if isinstance(module, nn.Linear) and fits_int4(module.weight):
            decoder.set_submodule(name, Int4Linear(module.weight.data, module.bias, ours=ours))
    return decoder


@torch.inference_mode()
def bits_per_byte(decoder: Decoder, tokenizer: Tokenizer, ids: list[int]) -> float:
    """Return the bits per byte of a text in rows of the context's length, BOS before each."""
    width, nats = decoder.config.context_length - 1, 0.0
    for first in range(0, len(ids), width):
        row_T = torch.tensor([tokenizer.bos_id, *ids[first : first + width]])
        logits_TV = decoder(row_T[None, :-1])[0].float()
        nats += float(nn.functional.cross_entropy(logits_TV, row_T[1:], reduction="sum"))
    n_bytes = sum(len(tokenizer.token_bytes(id_)) for id_ in ids)
    return round(nats / math.log(2) / n_bytes, 5)


if __name__ == "__main__":
    main()
