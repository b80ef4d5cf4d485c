"""What a step costs with a constraint, and how soon the engine is free when a client leaves.

    python benchmarks/serving_latency.py constraint WEIGHTS --precision int4
    python benchmarks/serving_latency.py leaving WEIGHTS --precision int4

`constraint` takes decoding steps of one answer in turns with and without a JSON schema, a regular
expression and quotes of a note, in one process; what a constraint adds is timed by itself, because
the difference of two steps is noisier than it. `leaving` starts `rinsho serve WEIGHTS`, closes the
socket in the middle of a prompt and of an answer, and asks `/metrics` until nothing runs. Weights
of a true shape drawn by chance do (`serving_load.py make`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from serving_load import ask, model_name, request_bytes, server

NOTE = "主訴：発熱、咳嗽。11/3に発熱し受診。CRP 12.3mg/dL。胸部X線で浸潤影。肺炎疑い。" * 8
SCHEMA = {
    "type": "object",
    "properties": {
        "diseases": {"type": "array", "items": {"type": "string"}, "minItems": 40},
        "is_admitted": {"type": "boolean"},
    },
    "required": ["diseases", "is_admitted"],
    "additionalProperties": False,
}
N_WARM_UP = 1
PAUSE_S = 0.003  # between two questions to /metrics


def measure_constraints(weights: Path, precision: Any, n_steps: int) -> list[dict[str, Any]]:
    """Return for each kind of constraint what it adds to a step, in ms and in percent."""
    import rinsho.generation.constraint as made
    from rinsho.generation.decoder_model import DecoderModel, load_language_model

    model = load_language_model(weights, precision=precision)
    assert isinstance(model, DecoderModel)
    # A batch each: answers of one batch take their steps together.
    other = DecoderModel(model._decoder, model.tokenizer, "constrained")  # pyright: ignore[reportPrivateUsage]
    kinds = {
        "json_schema": made.json_schema(SCHEMA),
        "regex": made.regex("[ぁ-んァ-ヶ一-龠]{2000}"),
        "quotes": made.quotes(NOTE),
    }
    clock = _Clock(made.ConstrainedChoice)
    rows: list[dict[str, Any]] = []
    for name, constraint in kinds.items():
        clock.seconds.clear()
        prompt = model.tokenizer.encode("所見をまとめてください。")
        free, bound = _Steps(model, prompt, None), _Steps(other, prompt, constraint)
        while len(bound.seconds) < n_steps:
            free.take()
            bound.take()
        extra, step = list(clock.per_step()), statistics.median(free.seconds)
        rows.append(
            {
                "constraint": name,
                "steps": n_steps,
                "step_ms": 1000 * step,
                "with_it_ms": 1000 * statistics.median(bound.seconds),
                "constraint_ms": 1000 * statistics.median(extra),
                "constraint_p99_ms": 1000 * sorted(extra)[int(len(extra) * 0.99)],
                "share_percent": 100 * statistics.median(extra) / step,
            }
        )
    return rows


class _Steps:
    """Steps of answers, one after another; the first ones of each, which read the prompt, not."""

    def __init__(self, model: Any, prompt: list[int], constraint: Any) -> None:
        self._model, self._prompt, self._constraint = model, prompt, constraint
        self.seconds: list[float] = []
        self._n_answers, self._n_taken = 0, 0
        self._answer: Iterator[int] = iter(())

    def take(self) -> None:
        """Take one step; an answer that has ended is followed by another."""
        from rinsho.generation.language_model import Sampling

        started = time.perf_counter()
        if next(self._answer, None) is not None:
            self._n_taken += 1
            if self._n_taken > N_WARM_UP:
                self.seconds.append(time.perf_counter() - started)
            return
        self._n_taken, self._n_answers = 0, self._n_answers + 1
        self._answer = self._model.generate(
            self._prompt,
            Sampling(
                max_new_tokens=400, temperature=1.0, seed=self._n_answers,
                constraint=self._constraint,
            ),
        )  # fmt: skip


class _Clock:
    """Times what a constraint does for a token: its mask, and going on behind the token."""

    def __init__(self, choice: Any) -> None:
        self.seconds: list[tuple[str, float]] = []
        for name in ("mask", "accept"):
            setattr(choice, name, self._timed(name, getattr(choice, name)))

    def _timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*values: Any) -> Any:
            started = time.perf_counter()
            found = call(*values)
            self.seconds.append((name, time.perf_counter() - started))
            return found

        return timed

    def per_step(self) -> Iterator[float]:
        """Yield the mask and the step behind it together."""
        masks = [s for name, s in self.seconds if name == "mask"]
        accepted = [s for name, s in self.seconds if name == "accept"]
        return (one + other for one, other in zip(masks, accepted, strict=False))


async def measure_leaving(
    address: tuple[str, int], n_rounds: int, most_s: float, n_characters: int
) -> list[dict[str, Any]]:
    """Return how long the engine goes on behind a closed socket, in ms."""
    name, chance = await model_name(address), random.Random(0)
    rows: list[dict[str, Any]] = []
    for where in ("prompt", "answer"):
        found: list[float] = []
        while len(found) < n_rounds:
            text = (NOTE * 9)[:n_characters] if where == "prompt" else "所見をまとめてください。"
            wait = chance.random() * most_s
            seconds = await _leave(address, name, text, wait, is_answering=where == "answer")
            found += [seconds] if seconds is not None else []
        rows.append(
            {
                "client leaves in the": where,
                "rounds": n_rounds,
                "median_ms": 1000 * statistics.median(found),
                "max_ms": 1000 * max(found),
            }
        )
    return rows


async def _leave(
    address: tuple[str, int], name: str, text: str, wait: float, *, is_answering: bool
) -> float | None:
    """Close the connection at a random moment; return the seconds until nothing runs.

    None where the engine was faster than the client: the answer, or the prompt, was over.
    """
    body = {
        "model": name, "messages": [{"role": "user", "content": text}], "stream": True,
        "max_tokens": 400, "temperature": 1.0, "seed": int(wait * 1e6),
    }  # fmt: skip
    reader, writer = await asyncio.open_connection(*address)
    writer.write(request_bytes("/v1/chat/completions", body))
    first = asyncio.ensure_future(_first_word(reader))
    if is_answering:
        await first
    await asyncio.sleep(wait)
    is_in_time = await _n_running(address) > 0 and (is_answering or not first.done())
    first.cancel()
    started = time.perf_counter()
    writer.transport.abort()
    while await _n_running(address):
        await asyncio.sleep(PAUSE_S)
    return time.perf_counter() - started if is_in_time else None


async def _first_word(reader: asyncio.StreamReader) -> None:
    """Wait for the first words of an answer, or its end."""
    while line := await reader.readline():
        if line.startswith(b"data: {") and json.loads(line[6:])["choices"][0]["delta"].get(
            "content"
        ):
            return


async def _n_running(address: tuple[str, int]) -> float:
    _, body = await ask(address, request_bytes("/metrics", None))
    lines = [line.rsplit(" ", 1) for line in body.decode().splitlines()]
    return sum(float(v) for key, v in lines if key == 'rinsho_running{engine="chat"}')


def main() -> None:
    """Read the command line; print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=["constraint", "leaving"])
    parser.add_argument("weights", type=Path)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--wait", type=float, default=2.0, help="seconds at most, of leaving")
    parser.add_argument("--prompt", type=int, default=1_500, help="characters, of leaving")
    given = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command does
    if given.what == "constraint":
        rows = measure_constraints(given.weights, given.precision, given.steps)
    else:
        with server(given.weights, given.precision) as address:
            rows = asyncio.run(measure_leaving(address, given.rounds, given.wait, given.prompt))
    print(" | ".join(rows[0]))
    for row in rows:
        print(" | ".join(f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values()))
    print(json.dumps({"weights": given.weights.name, "precision": given.precision, "rows": rows}))


if __name__ == "__main__":
    main()
