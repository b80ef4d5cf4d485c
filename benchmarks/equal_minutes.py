"""Our pre-training against `transformers.Trainer` for equal minutes on the same real text.

    python benchmarks/equal_minutes.py RUN [--tokenizer NAME] [--minutes 5] [--out FOLDER]

RUN is what `rinsho run runs/real-small.toml --data DIR --out RUN` leaves: documents and a
tokenizer. They are encoded once, below FOLDER. Both train the 10m preset's shape from fresh weights
on the same train split, on the same threads, each in a process of its own, one after another:

    rinsho                `pretrain` with its defaults
    trainer               Trainer with its defaults (batch 8, rate 5e-5, linear decay); documents
                          concatenated and cut into rows of 512, as its run_clm.py does
    trainer, our rate     the same with the peak rate of `pretrain`, 1e-3

The clock starts when training starts: neither imports nor building counts, compiling would. The
Trainer's decay ends with the time: its steps are counted from the speed of 4 steps before. Both are
then scored by one program in bits per byte on the same held-out documents (test split).
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from rinsho.corpus.document import read_documents
from rinsho.corpus.splits import split_of
from rinsho.encoding.encode import EncodeConfig, encode
from rinsho.encoding.token_shard import read_token_split
from rinsho.evaluation.benchmark import Item
from rinsho.evaluation.bootstrap import difference, estimate
from rinsho.evaluation.model_engine import ModelEngine
from rinsho.evaluation.text_metrics import bits_per_byte
from rinsho.generation.decoder_model import DecoderModel
from rinsho.model.checkpoint import load_decoder
from rinsho.model.presets import decoder_config
from rinsho.tokenizer.tokenizer import read_tokenizer
from rinsho.training.pretrain import PretrainConfig, pretrain

ROW = 512
RATES = {"trainer": None, "trainer, our rate": 1e-3}
CONTENDERS = ("rinsho", *RATES)


def train_ours(tokens: Path, out: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Train with the defaults of `pretrain`."""
    config = PretrainConfig(preset="10m", max_minutes=given.minutes, threads=given.threads)
    counts = pretrain(config, tokens=tokens, out=out).identity.counts
    timing = [json.loads(line) for line in (out / "timing.jsonl").read_text().splitlines()]
    kept = ("n_steps", "n_seen_tokens", "n_parameters")
    return {**{name: counts[name] for name in kept}, "seconds": timing[-1]["seconds"]}


class Rows(torch.utils.data.Dataset[Any]):
    """Documents one after another, cut into rows of equal length."""

    def __init__(self, tokens: Path) -> None:
        self._tokens = read_token_split(tokens, "train").tokens

    def __len__(self) -> int:
        """Return the number of whole rows."""
        return len(self._tokens) // ROW

    def __getitem__(self, index: int) -> dict[str, list[int]]:
        """Return a row; its labels are its tokens (the model shifts them)."""
        row = self._tokens[index * ROW : (index + 1) * ROW].astype("int64").tolist()
        return {"input_ids": row, "labels": row}


def train_theirs(tokens: Path, out: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Train with the defaults of `transformers.Trainer`, but for the number of steps."""
    from transformers import Trainer, TrainerCallback, TrainingArguments, set_seed

    class Watch(TrainerCallback):
        """Notes the end of each step, and ends training by the clock."""

        def __init__(self, seconds: float) -> None:
            self.seconds, self.ends, self.started = seconds, list[float](), 0.0

        def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            self.started = time.perf_counter()

        def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            self.ends.append(time.perf_counter() - self.started)
            control.should_training_stop |= self.ends[-1] >= self.seconds

    rate, rows = RATES[given.contender], Rows(tokens)
    more = {} if rate is None else {"learning_rate": rate}

    def run(max_steps: int, seconds: float) -> tuple[Any, Watch]:
        set_seed(0)
        model, watch = new_llama(tokens), Watch(seconds)
        arguments = TrainingArguments(
            output_dir=str(out / "trainer"), max_steps=max_steps, use_cpu=True, report_to=[],
            disable_tqdm=True, save_strategy="no", **more,
        )  # fmt: skip
        torch.set_num_threads(given.threads)
        Trainer(model, arguments, train_dataset=rows, callbacks=[watch]).train()
        return model, watch

    ends = run(4, float("inf"))[1].ends
    step = statistics.median(b - a for a, b in itertools.pairwise(ends))
    model, watch = run(max(1, int(60 * given.minutes / step)), 60 * given.minutes)
    model.save_pretrained(out)
    return {
        "n_steps": len(watch.ends), "n_seen_tokens": len(watch.ends) * 8 * ROW,
        "n_parameters": model.num_parameters(), "seconds": round(watch.ends[-1], 3),
    }  # fmt: skip


def new_llama(tokens: Path) -> Any:
    """Return transformers' Llama of the shape of the 10m preset, with its fresh weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    c = decoder_config("10m", read_tokenizer(tokens).vocab_size, ROW)
    config = LlamaConfig(
        vocab_size=c.vocab_size, hidden_size=c.d_model, intermediate_size=c.d_ff,
        num_hidden_layers=c.n_layers, num_attention_heads=c.n_heads,
        num_key_value_heads=c.n_kv_heads, head_dim=c.d_head, rms_norm_eps=c.norm_eps,
        tie_word_embeddings=c.tie_embeddings, max_position_embeddings=ROW,
        rope_theta=c.rope_theta, use_cache=False, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def score(weights: Path, tokens: Path, run: Path, max_chars: int) -> list[dict[str, Any]]:
    """Return nats and bytes of the beginning of each held-out document."""
    decoder = load_decoder(weights, dtype=torch.float32)
    engine = ModelEngine(DecoderModel(decoder, read_tokenizer(tokens), weights.name), 1, 0)
    rows: list[dict[str, Any]] = []
    for document in read_documents(run / "documents"):
        if document.messages is None and document.text and split_of(document) == "test":
            text = document.text[:max_chars]
            answer = engine.answer("test", Item(document.id, "text", text), "log-likelihood")
            key = hashlib.sha256(document.id.encode()).hexdigest()[:16]
            nats = -answer.log_likelihoods[0]
            rows.append({"document": key, "nats": nats, "bytes": len(text.encode())})
    return rows


def run_contender(given: argparse.Namespace) -> None:
    """Train and score one contender in this process; print a JSON line."""
    torch.set_num_threads(given.threads)
    tokens, out = given.out / "tokens", given.out / given.contender.replace(", ", "-")
    out = out.with_name(out.name.replace(" ", "-"))
    for old in (out, out.with_name(out.name + ".partial")):  # of another call
        shutil.rmtree(old, ignore_errors=True)
    train = train_ours if given.contender == "rinsho" else train_theirs
    trained = train(tokens, out, given)
    rows = score(out, tokens, given.run, given.max_chars)
    print(json.dumps({"contender": given.contender, **trained, "rows": rows}))


def in_process(name: str) -> dict[str, Any]:
    """Run this script again for one contender; return what it printed last."""
    command = [sys.executable, *sys.argv, "--contender", name]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    last = done.stdout.strip().rpartition("\n")[2]
    if done.returncode or not last.startswith("{"):
        return {"contender": name, "not_measured": f"the process ended with {done.returncode}"}
    return json.loads(last)


def report(results: list[dict[str, Any]]) -> None:
    """Print a table, and the differences from ours over the same documents."""
    print("| contender | steps | tokens | seconds | bits per byte (95%) | ours − it (95%) |")
    print("|---|---|---|---|---|---|")
    first = None
    for result in results:
        if "not_measured" in result:
            print(f"| {result['contender']} | {result['not_measured']} | | | | |")
            continue
        rows = result["rows"]
        keys = [row["document"] for row in rows]
        metric = bits_per_byte([-row["nats"] for row in rows], [row["bytes"] for row in rows])
        found = estimate(metric, keys, seed=0)
        cells = [result["contender"], f"{result['n_steps']:,}", f"{result['n_seen_tokens']:,}"]
        cells += [
            f"{result['seconds']:.0f}",
            f"{found.value:.3f} ({found.low:.3f}–{found.high:.3f})",
        ]
        if first is None:
            first, last = metric, ""
        else:
            d = difference(first, metric, keys, seed=0)
            last = f"{d.value:+.3f} ({d.low:+.3f} to {d.high:+.3f})"
        print("| " + " | ".join([*cells, last]) + " |")
    print(f"{max(len(result.get('rows', ())) for result in results)} documents")


def main() -> None:
    """Run every contender and print the table and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--tokenizer", default="tokenizer", help="its folder's name in RUN")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--out", type=Path, default=Path("equal-minutes"))
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--max-chars", type=int, default=1_000, help="of a held-out document")
    parser.add_argument("--only", action="append", choices=CONTENDERS)
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.contender:
        run_contender(given)
        return
    given.out.mkdir(parents=True, exist_ok=True)
    tokens = given.out / "tokens"
    if not (tokens / "manifest.json").is_file():
        documents, tokenizer = [given.run / "documents"], given.run / given.tokenizer
        encode(EncodeConfig(), documents=documents, tokenizer=tokenizer, out=tokens)
    results = [in_process(name) for name in given.only or CONTENDERS]
    report(results)
    for result in results:
        result.pop("rows", None)
    print(json.dumps({"minutes": given.minutes, "threads": given.threads, "results": results}))


if __name__ == "__main__":
    main()
