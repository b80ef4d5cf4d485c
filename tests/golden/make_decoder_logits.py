"""Write decoder_logits.json: logits that transformers computes for a seeded decoder.

    python tests/golden/make_decoder_logits.py

Made with transformers 5.23.0 and torch 2.13.0 (LlamaForCausalLM, fp32, eager attention).
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

from rinsho.model.checkpoint import save_weights
from rinsho.model.decoder import new_decoder
from rinsho.model.presets import DecoderConfig

CONFIG = DecoderConfig(
    vocab_size=37, d_model=16, n_layers=2, n_heads=4, n_kv_heads=2, d_head=4, d_ff=24,
    context_length=32,
)  # fmt: skip
SEED, TOKENS = 7, [1, 5, 36, 0, 12, 12, 30, 2]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        save_weights(new_decoder(CONFIG, seed=SEED), Path(folder))
        model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").double()
        with torch.no_grad():
            logits_TV = model(torch.tensor([TOKENS])).logits[0]
    value = {
        "config": CONFIG.model_dump(),
        "seed": SEED,
        "tokens": TOKENS,
        "logits": [[round(x, 8) for x in row] for row in logits_TV.tolist()],
    }
    path = Path(__file__).with_name("decoder_logits.json")
    path.write_text(json.dumps(value, indent=1) + "\n")


if __name__ == "__main__":
    main()
