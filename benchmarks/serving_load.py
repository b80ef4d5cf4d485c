"""The server under load: overload at ten times its capacity, its overhead, and an hour of faults.

    python benchmarks/serving_load.py make WEIGHTS --tokenizer DIR --shape llama-1.2b   # by chance
    python benchmarks/serving_load.py overload WEIGHTS --rounds 4
    python benchmarks/serving_load.py overhead WEIGHTS            # interleaved with the bare engine
    python benchmarks/serving_load.py soak WEIGHTS --minutes 60   # leaks of memory, files, threads

Each starts `rinsho serve WEIGHTS` itself and prints JSON. The client speaks HTTP by hand: it shares
the cores with the server, and must not be what is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

N_TAKEN = 32  # chats that the server works on and lets wait
QUESTION = "咳嗽と発熱を主訴に受診した患者の所見を、三つの文でまとめてください。"


@dataclass
class Replies:
    """What came back: seconds by status, and requests that got no whole answer."""

    seconds: dict[int, list[float]] = field(default_factory=dict)
    answered: list[tuple[float, int]] = field(default_factory=list)  # when, and its tokens
    n_lost: int = 0

    def add(self, status: int, seconds: float, body: bytes) -> None:
        """Count a whole reply."""
        self.seconds.setdefault(status, []).append(seconds)
        if status == 200:
            n_tokens = json.loads(body)["usage"]["completion_tokens"]
            self.answered.append((time.perf_counter(), n_tokens))

    def tokens_per_s(self, started: float, seconds: float) -> float:
        """Return tokens a second of what ended in the last two thirds: the first third fills up."""
        begin, end = started + seconds / 3, started + seconds
        return sum(n for at, n in self.answered if begin < at <= end) / (end - begin)


@contextmanager
def server(weights: Path, precision: str) -> Iterator[tuple[str, int]]:
    """Run the command; yield host and port."""
    words = [sys.executable, "-m", "rinsho.cli", "serve", str(weights), "--port", "0"]
    words += ["--precision", precision]
    with Path("serving_load.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT)
        try:
            while "://" not in (said := Path("serving_load.log").read_text(encoding="utf-8")):
                if process.poll() is not None:
                    raise SystemExit(said)
                time.sleep(0.2)
            host, port = said.split("://")[1].split("/")[0].rsplit(":", 1)
            yield host, int(port)
        finally:
            process.terminate()
            process.wait()


def request_bytes(path: str, body: dict[str, Any] | None) -> bytes:
    """Return a request; the connection ends with it."""
    data = b"" if body is None else json.dumps(body).encode()
    method = "GET" if body is None else "POST"
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    return head.encode() + data


async def ask(address: tuple[str, int], request: bytes) -> tuple[int, bytes]:
    """Send a request; return status and body."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(request)
        reply = await reader.read(-1)
    finally:
        writer.close()
    head, _, body = reply.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), body


async def timed(address: tuple[str, int], request: bytes, replies: Replies) -> None:
    """Send a request and note how it went."""
    started = time.perf_counter()
    try:
        status, body = await ask(address, request)
    except (OSError, IndexError, ValueError):
        replies.n_lost += 1
        return
    replies.add(status, time.perf_counter() - started, body)


def chat(name: str, n_tokens: int, **more: Any) -> bytes:
    """Return a chat request whose answer has a known length, as nearly as the model lets it."""
    messages = [{"role": "user", "content": QUESTION}]
    body = {"model": name, "messages": messages, "max_tokens": n_tokens, "temperature": 1.0}
    return request_bytes("/v1/chat/completions", {**body, **more})


async def model_name(address: tuple[str, int]) -> str:
    """Return the name that requests have to give."""
    _, body = await ask(address, request_bytes("/v1/models", None))
    return str(json.loads(body)["data"][0]["id"])


async def closed_loop(
    address: tuple[str, int], requests: Iterator[bytes], n_clients: int, seconds: float
) -> Replies:
    """Let so many clients ask again and again."""
    replies, end = Replies(), time.perf_counter() + seconds

    async def client() -> None:
        while time.perf_counter() < end:
            await timed(address, next(requests), replies)

    await asyncio.gather(*(client() for _ in range(n_clients)))
    return replies


async def open_loop(
    address: tuple[str, int], requests: Iterator[bytes], rate: float, seconds: float
) -> Replies:
    """Send so many requests a second, whether those before are answered or not."""
    started, replies, sent = time.perf_counter(), Replies(), []
    while (elapsed := time.perf_counter() - started) < seconds:
        for _ in range(int(elapsed * rate) - len(sent)):
            sent.append(asyncio.create_task(timed(address, next(requests), replies)))
        await asyncio.sleep(0.005)
    await asyncio.gather(*sent)
    return replies


async def overload(
    address: tuple[str, int], seconds: float, n_tokens: int, n_rounds: int
) -> dict[str, Any]:
    """Take turns: as many clients as the server takes, then ten times what they got done.

    Answers differ in length, so that they do not end all at once.
    """
    name, draw = await model_name(address), random.Random(0)
    lengths = [draw.randint(n_tokens // 2, n_tokens * 3 // 2) for _ in range(64)]
    requests = cycle([chat(name, n, seed=seed) for seed, n in enumerate(lengths)])
    rates, tokens, refused = list[float](), list[tuple[float, float]](), list[float]()
    by_status, n_lost = Counter[int](), 0
    for _ in range(n_rounds):
        started = time.perf_counter()
        full = await closed_loop(address, requests, N_TAKEN, seconds)
        full_rate = full.tokens_per_s(started, seconds)
        rates.append(full_rate / statistics.mean(lengths))
        started = time.perf_counter()
        more = await open_loop(address, requests, 10 * rates[-1], seconds)
        tokens.append((full_rate, more.tokens_per_s(started, seconds)))
        refused += [x for status, all_ in more.seconds.items() if status != 200 for x in all_]
        by_status += {status: len(all_) for status, all_ in more.seconds.items()}
        n_lost += full.n_lost + more.n_lost
    refused.sort()
    return {
        "capacity_requests_per_s": rates,
        "tokens_per_s_full_and_overloaded": tokens,
        "share_kept": statistics.median(overloaded / full for full, overloaded in tokens),
        "overloaded_by_status": dict(by_status),
        "lost": n_lost,
        "rejection_ms": {
            name: refused[min(len(refused) - 1, int(len(refused) * share))] * 1000
            for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
            if refused
        },
    }


async def overhead(
    address: tuple[str, int], weights: Path, n_rounds: int, n_tokens: int, precision: Any
) -> dict[str, Any]:
    """Time the same answer through the server and by the bare engine, one after the other."""
    from rinsho.corpus.document import Message
    from rinsho.generation.decoder_model import load_language_model
    from rinsho.generation.language_model import Sampling
    from rinsho.generation.reply import reply

    model = load_language_model(weights, precision=precision)
    messages, ratios = [Message("user", QUESTION)], list[float]()
    for seed in range(n_rounds):
        started = time.perf_counter()
        sampling = Sampling(max_new_tokens=n_tokens, temperature=1.0, seed=seed)
        text = "".join(piece.text for piece in reply(model, messages, sampling))
        middle = time.perf_counter()
        _, body = await ask(address, chat(model.name, n_tokens, seed=seed))
        ended = time.perf_counter()
        assert json.loads(body)["choices"][0]["message"]["content"] == text
        ratios.append((ended - middle) / (middle - started) - 1)
    low, high = statistics.quantiles(ratios, n=4)[::2]
    wanted = ("OMP_WAIT_POLICY", "OMP_NUM_THREADS", "GOMP_SPINCOUNT")
    return {
        "median_overhead": statistics.median(ratios),
        "quartiles": [low, high],
        "rounds": n_rounds,
        "both_sides": {name: os.environ.get(name) for name in wanted},
    }


async def soak(address: tuple[str, int], minutes: float, seed: int) -> dict[str, Any]:
    """Mix answers, notes, clients that leave or do not read, and garbage; watch the process."""
    name, rng, kinds = await model_name(address), random.Random(seed), Counter[str]()
    end, gauges = time.perf_counter() + minutes * 60, list[dict[str, float]]()
    note = request_bytes("/v1/extract", {"text": "発熱と咳嗽。肺炎なし。" * 50})

    async def one() -> None:
        kind = rng.choice(["chat", "stream", "leave", "stall", "garbage", "half", "note"])
        kinds[kind] += 1
        try:
            if kind in ("chat", "note"):
                await ask(address, note if kind == "note" else chat(name, rng.randint(1, 40)))
                return
            reader, writer = await asyncio.open_connection(*address)
            if kind == "garbage":
                writer.write(rng.randbytes(rng.randint(1, 4_000)))
            elif kind == "half":
                writer.write(note[: rng.randint(1, len(note) - 1)])
            else:
                writer.write(chat(name, 100, stream=True))
                await reader.read(rng.randint(1, 2_000))
            if kind == "stall":
                await asyncio.sleep(rng.random() * 5)
            if kind == "stream":
                await reader.read(-1)
            writer.transport.abort()
        except OSError:
            kinds["refused"] += 1

    async def client() -> None:
        while time.perf_counter() < end:
            await one()

    async def watch() -> None:
        while time.perf_counter() < end:
            await asyncio.sleep(min(10, minutes * 6))
            _, body = await ask(address, request_bytes("/metrics", None))
            lines = [line.split() for line in body.decode().splitlines() if line[0] != "#"]
            wanted = ("rinsho_resident_memory_bytes", "rinsho_open_files", "rinsho_threads")
            gauges.append({name: float(value) for name, value in lines if name in wanted})

    await asyncio.gather(watch(), *(client() for _ in range(24)))
    half = len(gauges) // 2
    parts = (gauges[len(gauges) // 10 : half], gauges[half:])
    middle = {k: [statistics.median(g[k] for g in part) for part in parts] for k in gauges[0]}
    return {"sent": dict(kinds), "medians_of_both_halves": middle, "last": gauges[-1]}


def make(weights: Path, tokenizer: Path, shape: str) -> None:
    """Write a finished folder of weights drawn by chance: as slow as learned ones."""
    from serving_engine import SHAPES, make_weights

    from rinsho.manifest import new_folder
    from rinsho.runfile import StageConfig
    from rinsho.tokenizer.tokenizer import copy_tokenizer, read_tokenizer

    with new_folder(weights, stage="pretrain", config=StageConfig(), inputs={}) as folder:
        vocab_size = read_tokenizer(tokenizer).vocab_size
        make_weights(folder.path, SHAPES[shape].model_copy(update={"vocab_size": vocab_size}))
        copy_tokenizer(tokenizer, folder.path)


def main() -> None:
    """Read the command line and print what was measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=["make", "overload", "overhead", "soak"])
    parser.add_argument("weights", type=Path)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--tokenizer", type=Path, help="for make")
    parser.add_argument("--shape", default="ncvc-1.2b", help="for make")
    given = parser.parse_args()
    # The command would set the first; both sides of `overhead` have to wait and share work alike.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OMP_NUM_THREADS", str(len(os.sched_getaffinity(0))))
    if given.what == "make":
        make(given.weights, given.tokenizer, given.shape)
        return
    with server(given.weights, given.precision) as address:
        if given.what == "overload":
            result: dict[str, Any] = asyncio.run(
                overload(address, given.seconds, given.tokens, given.rounds)
            )
        elif given.what == "overhead":
            args = (given.weights, given.rounds, given.tokens, given.precision)
            result = dict(asyncio.run(overhead(address, *args)))
        else:
            result = asyncio.run(soak(address, given.minutes, seed=0))
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
