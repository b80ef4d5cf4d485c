"""A real decoder that says one thing whatever it is asked: what it says is all that is not real."""

from __future__ import annotations

import torch

from rinsho.model.decoder import Decoder, new_decoder
from rinsho.model.presets import DecoderConfig
from rinsho.tokenizer.tokenizer import Tokenizer


def decoder_that_says(text: str, tokenizer: Tokenizer, context_length: int) -> Decoder:
    """All rows of its tied embedding point one way; those of a text's tokens are the longest."""
    shape = DecoderConfig(
        vocab_size=tokenizer.vocab_size, d_model=32, n_layers=1, n_heads=2, n_kv_heads=2,
        d_head=16, d_ff=48, context_length=context_length,
    )  # fmt: skip
    decoder = new_decoder(shape, seed=0)
    with torch.no_grad():
        for name, parameter in decoder.named_parameters():
            parameter.fill_(1 if "norm" in name or "embed" in name else 0)
        decoder.output_weight[tokenizer.encode(text)] = 2
    return decoder.eval()
