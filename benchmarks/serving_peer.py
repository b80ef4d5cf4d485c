"""llama.cpp beside our decoder: the same shape, as a file of the kind q4_K_M, in its own server.

The weights are drawn by chance, as ours are: a block of Q4_K or Q6_K is its numbers and a small
scale. As `llama-quantize` does for q4_K_M, the output matrix and half of `attn_v` and `ffn_down`
are Q6_K. `RINSHO_LLAMA_SERVER` says where the server is (`benchmarks/llama_server.py`).
"""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from rinsho.model.gguf_file import write_shape
from rinsho.model.presets import DecoderConfig

_SCALE = np.array([1e-4], dtype=np.float16).view(np.uint8)
_Q4_K_SCALES, _Q6_K_SCALE = slice(0, 4), slice(208, 210)  # bytes of a block: d and dmin; d


def write_q4_k_m(path: Path, config: DecoderConfig) -> None:
    """Write a Llama file of a gated shape; rows must be multiples of 256."""
    writer = gguf.GGUFWriter(path, "llama")
    write_shape(writer, config)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_K_M)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_tokenizer_model("t5")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([f"t{n}".encode() for n in range(config.vocab_size)])
    writer.add_token_scores([-10.0] * config.vocab_size)
    writer.add_token_types([2 if n == 0 else 1 for n in range(config.vocab_size)])
    writer.add_unk_token_id(0)
    random = np.random.default_rng(0)
    d, kv = config.d_model, config.n_kv_heads * config.d_head
    _add(writer, random, "token_embd.weight", (config.vocab_size, d), "Q4_K")
    _add(writer, random, "output.weight", (config.vocab_size, d), "Q6_K")
    writer.add_tensor("output_norm.weight", np.ones(d, np.float32))
    for n in range(config.n_layers):
        more = "Q6_K" if n % 2 else "Q4_K"
        shapes = {
            "attn_q": ((config.n_heads * config.d_head, d), "Q4_K"),
            "attn_k": ((kv, d), "Q4_K"),
            "attn_v": ((kv, d), more),
            "attn_output": ((d, config.n_heads * config.d_head), "Q4_K"),
            "ffn_gate": ((config.d_ff, d), "Q4_K"),
            "ffn_up": ((config.d_ff, d), "Q4_K"),
            "ffn_down": ((d, config.d_ff), more),
        }
        for name, (shape, kind) in shapes.items():
            _add(writer, random, f"blk.{n}.{name}.weight", shape, kind)
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{n}.{name}.weight", np.ones(d, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add(
    writer: Any, random: np.random.Generator, name: str, shape: tuple[int, int], kind: str
) -> None:
    stored = gguf.GGMLQuantizationType[kind]
    n_weights, n_bytes = gguf.GGML_QUANT_SIZES[stored]
    blocks = random.integers(0, 256, (shape[0], shape[1] // n_weights, n_bytes), dtype=np.uint8)
    if kind == "Q4_K":
        blocks[..., _Q4_K_SCALES] = np.tile(_SCALE, 2)
    else:
        blocks[..., _Q6_K_SCALE] = _SCALE
    writer.add_tensor(name, blocks.reshape(shape[0], -1), raw_dtype=stored)


def peer_speed(address: str, prompt: list[int], n_new: int, key: str) -> float:
    """Return what the server itself measured: `prompt_per_second` or `predicted_per_second`."""
    body = {"prompt": prompt, "n_predict": n_new, "temperature": 0, "cache_prompt": False,
            "ignore_eos": True}  # fmt: skip
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(
        address.removesuffix("/v1") + "/completion", json.dumps(body).encode(), headers
    )
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)["timings"][key]
