"""Generation on a CPU: tokens a second, the share of the memory's speed, users at once, 4 bits.

    python benchmarks/serving_engine.py SCRATCH --shape ncvc-1.2b --precision fp32 --precision int4
    python benchmarks/serving_engine.py SCRATCH --shape qwen2-7b --precision int4 --rounds 1
    python benchmarks/serving_engine.py SCRATCH --shape llama-1.2b --precision int4 --llama-cpp

Random weights of the true shape are made in SCRATCH once. Precisions are timed in turns in one
process, the memory's speed beside them (a matrix far larger than the caches, read by a product with
one row), llama.cpp's server with q4_K_M in its turn (`serving_peer.py`). Decoding is at the fixed
width, whatever the number of users; `1 user` and `8 users` are tokens a second of all together. The
prompt is 512 tokens in the server's chunks of 64.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import statistics
import time
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path

import torch

from rinsho.generation.batch import Batch
from rinsho.generation.language_model import Sampling
from rinsho.generation.llama_server import llama_server
from rinsho.model.architecture import to_transformers
from rinsho.model.checkpoint import load_decoder, write_shards
from rinsho.model.decoder import Decoder
from rinsho.model.kernels import are_here, plain_product, use_for_decoding
from rinsho.model.presets import PRESETS, DecoderConfig
from rinsho.model.quantize import load_half_decoder, load_int4_decoder

N_DECODED, N_PROMPT, N_USERS = 12, 512, 8
QWEN2_7B = DecoderConfig(
    vocab_size=152_064, d_model=3_584, n_layers=28, n_heads=28, n_kv_heads=4, d_head=128,
    d_ff=18_944, context_length=2_048, qkv_bias=True, tie_embeddings=False, rope_theta=1e6,
)  # fmt: skip
# About as many weights as ncvc-1.2b, in the gated form that llama.cpp has.
LLAMA = PRESETS["ncvc-1.2b"].model_copy(update={"mlp": "gated", "d_ff": 5_632})
SHAPES = {**PRESETS, "qwen2-7b": QWEN2_7B, "llama-1.2b": LLAMA}


class Plain:
    """As much of a tokenizer as choosing tokens needs: no token ends an answer."""

    end_of_turn_id = eos_id = -1


def main() -> None:
    """Print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--shape", default="ncvc-1.2b")
    parser.add_argument("--precision", action="append", choices=["fp32", "bf16", "int4"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--layers", type=int, help="fewer, for a trial")
    parser.add_argument("--llama-cpp", action="store_true", help="beside llama.cpp's server")
    args = parser.parse_args()
    config = SHAPES[args.shape]
    if args.layers:
        config = config.model_copy(update={"n_layers": args.layers})
    folder = args.scratch / f"{args.shape}-{config.n_layers}"
    make_weights(folder, config)
    decoders: dict[str, Decoder] = {}
    loading: dict[str, float] = {}
    for precision in args.precision or ["fp32", "int4"]:
        began = time.perf_counter()
        decoders[precision] = load(folder, precision)
        loading[precision] = round(time.perf_counter() - began, 1)
        print(f"{precision}: loaded in {loading[precision]} s, peak {peak_gb():.1f} GB", flush=True)
    with contextlib.ExitStack() as stack:
        peer = stack.enter_context(llama_cpp(folder, config)) if args.llama_cpp else None
        rounds = [measure_all(decoders, peer) for _ in range(args.rounds)]
    keys = rounds[0].keys()
    figures = {key: statistics.median(one[key] for one in rounds) for key in keys}
    for key, value in figures.items():
        print(f"{key:32} {value:10.3f}")
    about = {"shape": args.shape, "layers": config.n_layers, "threads": torch.get_num_threads()}
    print(json.dumps({**about, **figures, "loading_s": loading, "peak_gb": round(peak_gb(), 2)}))


def make_weights(folder: Path, config: DecoderConfig) -> None:
    """Write bf16 weights of a shape, drawn from a normal distribution, tensor by tensor."""
    if (folder / "config.json").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with torch.device("meta"):
        shapes = {name: p.shape for name, p in Decoder(config).state_dict().items()}
    write_shards(folder, Drawn(shapes))
    (folder / "config.json").write_text(json.dumps(to_transformers(config)), encoding="utf-8")


class Drawn(Mapping[str, torch.Tensor]):
    """Weights that are drawn when they are asked for: a shard of them is in memory, not all."""

    def __init__(self, shapes: Mapping[str, torch.Size]) -> None:
        self._shapes = shapes

    def __getitem__(self, name: str) -> torch.Tensor:
        """Draw a tensor, ones for a norm."""
        drawn = torch.empty(self._shapes[name], dtype=torch.bfloat16)
        return drawn.fill_(1.0) if name.endswith("norm.weight") else drawn.normal_(0.0, 0.02)

    def __iter__(self) -> Iterator[str]:
        """Go through the names."""
        return iter(self._shapes)

    def __len__(self) -> int:
        """Count the tensors."""
        return len(self._shapes)


def load(folder: Path, precision: str) -> Decoder:
    """Load weights as the server does."""
    if precision == "int4":
        return load_int4_decoder(folder)
    if precision == "bf16":
        return load_half_decoder(folder)
    decoder = load_decoder(folder, dtype=torch.float32).eval()
    use_for_decoding(decoder)
    return decoder


def peak_gb() -> float:
    """Return the most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


@contextlib.contextmanager
def llama_cpp(folder: Path, config: DecoderConfig) -> Generator[str, None, None]:
    """Serve the shape by llama.cpp with as many threads; yield the address."""
    from serving_peer import write_q4_k_m

    path = folder / "q4_k_m.gguf"
    if not path.is_file():
        write_q4_k_m(path, config)
    with llama_server(path, context_length=2_048, threads=torch.get_num_threads()) as address:
        yield address


def measure_all(decoders: dict[str, Decoder], peer: str | None) -> dict[str, float]:
    """Return one round of every figure."""
    found = {"memory GB/s": memory_speed()}
    if peer:
        from serving_peer import peer_speed

        found["llama.cpp tokens/s, 1 user"] = peer_speed(
            peer, [5, 7], N_DECODED, "predicted_per_second"
        )
        prompt = [5 + n % 1_000 for n in range(N_PROMPT)]
        found["llama.cpp prompt tokens/s"] = peer_speed(peer, prompt, 1, "prompt_per_second")
    for name, decoder in decoders.items():
        one = decode_speed(decoder, 1)
        found[f"{name} tokens/s, 1 user"] = one
        found[f"{name} tokens/s, {N_USERS} users"] = decode_speed(decoder, N_USERS)
        found[f"{name} prompt tokens/s"] = prompt_speed(decoder)
        share = one * weight_bytes(decoder) / 1e9 / found["memory GB/s"]
        found[f"{name} share of memory speed"] = share
    return found


def weight_bytes(decoder: Decoder) -> int:
    """Return the bytes that one step reads: all but the rows of the embedding."""
    tensors = [*decoder.named_parameters(), *decoder.named_buffers()]
    return sum(
        tensor.numel() * tensor.itemsize
        for name, tensor in tensors
        if not name.endswith("embed_tokens.weight") or not hasattr(decoder, "lm_head")
    )


def memory_speed() -> float:
    """Return how fast a large matrix is read, in GB/s: the best of five."""
    matrix = torch.ones(16_384, 8_192)
    x = torch.ones(1, 8_192)
    times = []
    for _ in range(5):
        began = time.perf_counter()
        plain_product(x, matrix) if are_here() else x @ matrix.T
        times.append(time.perf_counter() - began)
    return matrix.numel() * 4 / min(times) / 1e9


def answers(decoder: Decoder, n_users: int) -> Iterator[int]:
    """Yield a number for every token of users that are asked in turns."""
    batch = Batch(decoder, Plain())  # pyright: ignore[reportArgumentType]
    sampling = Sampling(max_new_tokens=N_DECODED)
    rows = [batch.tokens([5, 7 + n], N_DECODED, sampling) for n in range(n_users)]
    while rows:
        for row in list(rows):
            token = next(row, "end")
            if token == "end":
                rows.remove(row)
            elif token is not None:
                yield 1


def decode_speed(decoder: Decoder, n_users: int) -> float:
    """Return tokens a second of all users, without the first of each."""
    each = answers(decoder, n_users)
    for _ in range(2 * n_users):
        next(each)
    began = time.perf_counter()
    n_tokens = sum(each)
    return n_tokens / (time.perf_counter() - began)


def prompt_speed(decoder: Decoder) -> float:
    """Return tokens of a prompt a second, until its first answer token."""
    batch = Batch(decoder, Plain())  # pyright: ignore[reportArgumentType]
    prompt = [5 + n % 1_000 for n in range(N_PROMPT)]
    began = time.perf_counter()
    row = batch.tokens(prompt, 1, Sampling())
    while next(row, "end") is None:
        pass
    return N_PROMPT / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
