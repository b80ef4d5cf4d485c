"""The lines of `h200.py`: each takes a `Bench` and returns what it saw."""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from h200_measure import Bench, flops, random_decoder, random_tokens, training_step
from torch import Tensor

import rinsho.model.decoder as decoder_module
from rinsho.model.adapter import AdapterSettings, attach_adapter
from rinsho.model.attention import Segments
from rinsho.model.checkpoint import load_decoder, save_weights
from rinsho.model.compiling import missing_compiler
from rinsho.model.decoder import Decoder
from rinsho.model.presets import PRESETS, DecoderConfig

# Qwen2-7B's config.json: 7.6 billion parameters.
QWEN2_7B = DecoderConfig(
    vocab_size=152_064, d_model=3_584, n_layers=28, n_heads=28, n_kv_heads=4, d_head=128,
    d_ff=18_944, rope_theta=1e6, norm_eps=1e-6, tie_embeddings=False, qkv_bias=True,
    context_length=2_048,
)  # fmt: skip
Result = dict[str, Any]


def peak(bench: Bench) -> Result:
    """Multiply square bf16 matrices of random numbers."""
    size = 256 if bench.is_smoke else 8_192
    left, right = (
        torch.randn(size, size, device=bench.device, dtype=torch.bfloat16) for _ in range(2)
    )
    seconds = bench.seconds(lambda: torch.mm(left, right))
    return {"tflops": round(2 * size**3 / seconds / 1e12, 1)}


def _pretraining(bench: Bench, preset: str, n_rows: int) -> Result:
    """Train a preset with fp32 weights, products in bf16, compiled, deterministic."""
    torch.use_deterministic_algorithms(True)
    config = bench.shape(PRESETS[preset])
    row = config.context_length
    decoder = random_decoder(config, bench.device, torch.float32)
    missing = missing_compiler(bench.device)
    if missing is None:
        decoder.compile_blocks()
    n_tokens = n_rows * row
    tokens_T = random_tokens(config, n_tokens, bench.device)
    started = time.perf_counter()
    step = training_step(bench, decoder, tokens_T, [row] * n_rows)
    step()
    first = time.perf_counter() - started
    seconds = bench.seconds(step)
    return {
        "tokens_per_second": round(n_tokens / seconds),
        "tflops": round(flops(config, row, n_tokens) / seconds / 1e12, 2),
        "step_seconds": round(seconds, 4),
        "first_step_seconds": round(first, 1),
        "rows": n_rows,
        "row": row,
        "peak_gb": bench.peak_gb(),
        "compiled": missing is None or f"no: {missing} is missing",
    }


def ncvc(bench: Bench) -> Result:
    """NCVC-slm-1's shape, rows of 2,048."""
    return _pretraining(bench, "ncvc-1.2b", 8)


def small(bench: Bench) -> Result:
    """The 100m preset, rows of 2,048."""
    return _pretraining(bench, "100m", 32)


def varlen(bench: Bench) -> Result:
    """Packed rows of 8 documents by the varlen kernel, against whole rows by the dense one."""
    config = bench.shape(PRESETS["100m"])
    row, n_rows = config.context_length, 16
    decoder = random_decoder(config, bench.device, torch.float32)
    tokens_T = random_tokens(config, n_rows * row, bench.device)
    packed = training_step(bench, decoder, tokens_T, [row // 8] * (8 * n_rows))
    whole = training_step(bench, decoder, tokens_T, [row] * n_rows)
    dense = _without_varlen(whole)
    return {
        "dense_over_packed": round(bench.ratio(dense, packed), 3),
        "dense_over_varlen_of_whole_rows": round(bench.ratio(dense, whole), 3),
        "largest_difference_of_hidden_states": _largest_difference(bench, decoder, tokens_T),
    }


def _without_varlen(step: Callable[[], None]) -> Callable[[], None]:
    """Run a step whose attention does not see that it is on a GPU: the plain SDPA kernel."""

    def on_cpu(lengths: Sequence[int], device: torch.device) -> Segments:
        return Segments(lengths, torch.device("cpu"))

    def run() -> None:
        with mock.patch.object(decoder_module, "Segments", on_cpu):
            step()

    return run


def _largest_difference(bench: Bench, decoder: Decoder, tokens_T: Tensor) -> float:
    """Return how far packed segments are from each segment alone, in bf16."""
    lengths = [len(tokens_T) // 64 - 3, 7, 1, 40]
    tokens_T = tokens_T[: sum(lengths)]
    with torch.no_grad(), bench.computing():
        packed = decoder.forward_hidden(tokens_T, lengths)
        alone = [decoder.forward_hidden(part, [len(part)]) for part in tokens_T.split(lengths)]
    return round(float((packed - torch.cat(alone)).abs().max()), 5)


def resume(bench: Bench) -> Result:
    """Stop a run of the real loop behind half of its steps, take it up, compare the weights."""
    from h200_resume import weights_after

    whole = weights_after(bench, bench.folder / "whole", stops_at=None)
    again = weights_after(bench, bench.folder / "again", stops_at=None)
    resumed = weights_after(bench, bench.folder / "parts", stops_at=4)
    return {"repeats": whole == again, "hash_equal": whole == resumed, "sha256": whole[:16]}


def checkpoint(bench: Bench) -> Result:
    """Write random weights of Qwen2-7B's shape in bf16, which the next lines read."""
    config = bench.shape(QWEN2_7B)
    started = time.perf_counter()
    decoder = random_decoder(config, bench.device, torch.bfloat16)
    folder = _weights(bench)
    folder.mkdir(exist_ok=True)
    save_weights(decoder, folder)
    n_bytes = sum(path.stat().st_size for path in folder.iterdir())
    return {"gb": round(n_bytes / 1e9, 2), "seconds": round(time.perf_counter() - started, 1)}


def _weights(bench: Bench) -> Path:
    return bench.folder / "qwen2-7b"


def _adapted(bench: Bench, decoder: Decoder, *, is_compiled: bool) -> Result:
    """Train an adapter of rank 16 on all linear layers; batch 1."""
    row = decoder.config.context_length
    decoder.requires_grad_(False)
    attach_adapter(decoder, AdapterSettings(rank=16))
    for parameter in decoder.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    decoder.to(bench.device)
    if is_compiled:
        decoder.compile_blocks()
    step = training_step(bench, decoder, random_tokens(decoder.config, row, bench.device), [row])
    seconds = bench.seconds(step)
    return {
        "tokens_per_second": round(row / seconds),
        "step_seconds": round(seconds, 4),
        "peak_gb": bench.peak_gb(),
        "compiled": is_compiled,
    }


def qlora(bench: Bench) -> Result:
    """4-bit base, activations of blocks computed again: what a small card would run."""
    from rinsho.model.four_bits import load_in_four_bits
    from rinsho.training.recompute import recompute_blocks

    decoder = load_in_four_bits(_weights(bench), dtype=torch.bfloat16, device=bench.device)
    recompute_blocks(decoder)
    return _adapted(bench, decoder, is_compiled=False)


def lora(bench: Bench) -> Result:
    """Frozen weights in bf16, blocks compiled where that can be."""
    decoder = load_decoder(_weights(bench), dtype=torch.bfloat16, device=bench.device)
    return _adapted(bench, decoder, is_compiled=missing_compiler(bench.device) is None)


def peft_plain(bench: Bench) -> Result:
    """The same adapter by peft on transformers' class, as their documentation has it."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base: Any = AutoModelForCausalLM.from_pretrained(_weights(bench), dtype=torch.bfloat16)
    settings = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    model: Any = get_peft_model(base.to(bench.device), settings).train()
    row = base.config.max_position_embeddings
    config = bench.shape(QWEN2_7B)
    tokens_BT = random_tokens(config, row, bench.device)[None]
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-5, fused=True)

    def step() -> None:
        with bench.computing():
            loss = model(input_ids=tokens_BT, labels=tokens_BT).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    seconds = bench.seconds(step)
    return {
        "tokens_per_second": round(row / seconds),
        "step_seconds": round(seconds, 4),
        "peak_gb": bench.peak_gb(),
    }


def full(bench: Bench) -> Result:
    """All weights of Qwen2-7B's shape: fp32 with AdamW if that fits, else everything in bf16."""
    config = bench.shape(QWEN2_7B)
    tokens_T = random_tokens(config, config.context_length, bench.device)
    found: Result = {}
    for dtype in (torch.float32, torch.bfloat16):
        name = str(dtype).removeprefix("torch.")
        try:
            found[name] = _full_step(bench, config, tokens_T, dtype)
        except torch.cuda.OutOfMemoryError:
            found[name] = {"not_measured": "out of GPU memory"}
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            continue
        break
    return found


def _full_step(bench: Bench, config: DecoderConfig, tokens_T: Tensor, dtype: torch.dtype) -> Result:
    from rinsho.training.recompute import recompute_blocks

    decoder = random_decoder(config, bench.device, dtype)
    recompute_blocks(decoder)
    step = training_step(bench, decoder, tokens_T, [len(tokens_T)])
    times: list[float] = []
    for _ in range(3):
        started = time.perf_counter()
        step()
        bench.synchronize()
        times.append(time.perf_counter() - started)
    return {"step_seconds": round(statistics.median(times), 3), "peak_gb": bench.peak_gb()}


def sha256(tensors: dict[str, Tensor]) -> str:
    """Return the hash of names and bytes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()
