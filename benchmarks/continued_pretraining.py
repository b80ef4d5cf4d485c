"""Continued pre-training: what medical text gains and what general text loses.

    python benchmarks/continued_pretraining.py RUN --results FILE [--shares 0 0.3] [--seeds 0 1 2]
    python benchmarks/continued_pretraining.py --results FILE            # the tables alone

RUN is what `rinsho run runs/real-small.toml --data DIR --out RUN` leaves: documents and a
tokenizer. A small base learns the general sources alone; then `pretrain --base`
learns the medical ones, with a share of general text mixed in. Held-out documents (validation and
test splits; no model learned them) are scored before and after in bits per byte. A finished model
is one JSON line in FILE, so the run can be stopped and goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rinsho.corpus.document import read_documents
from rinsho.corpus.splits import split_of
from rinsho.encoding.encode import EncodeConfig, encode
from rinsho.evaluation.benchmark import Item
from rinsho.evaluation.bootstrap import Estimate, Metric, estimate, ratio
from rinsho.evaluation.model_engine import ModelEngine
from rinsho.evaluation.text_metrics import bits_per_byte
from rinsho.generation.decoder_model import load_language_model
from rinsho.training.pretrain import PretrainConfig, pretrain

SOURCES = {
    "general": ("aozora_nonfiction", "aozora_fiction", "kyoto_wikipedia", "wikinews"),
    # The laws of 2013 are outdated and would be half of all medical text: left out.
    "medical": (
        "mhlw_nanbyo", "mhlw_fee_schedule", "health_laws_2026", "book_of_ohdsi_ja",
        "gov_covid19_2020", "medical_ai_course", "med_student_notes",
    ),
}  # fmt: skip
SHAPE = {"d_model": 192, "n_layers": 3, "n_heads": 3, "n_kv_heads": 1, "d_ff": 512}
Row = dict[str, Any]


def is_finished(folder: Path) -> bool:
    """Say whether a stage has made its folder."""
    return (folder / "manifest.json").is_file()


def make_tokens(run: Path, scratch: Path) -> None:
    """Encode the documents of each domain into a tokens folder of its own."""
    for domain, sources in SOURCES.items():
        if not is_finished(scratch / domain):
            config = EncodeConfig(include_sources=sources)
            encode(
                config,
                documents=[run / "documents"],
                tokenizer=run / "tokenizer",
                out=scratch / domain,
            )


def make_base(scratch: Path, given: argparse.Namespace) -> Path:
    """Pre-train the base on general text alone."""
    out = scratch / "base"
    config = new_config(given, 0, max_tokens=given.base_tokens, learning_rate=2e-3)
    if not is_finished(out):
        pretrain(config, tokens=scratch / "general", out=out)
    return out


def continue_base(scratch: Path, share: float, seed: int, given: argparse.Namespace) -> Path:
    """Go on from the base on medical text, with a share of general text."""
    out = scratch / f"share-{share}-seed-{seed}"
    mix = {"medical": {"weight": 1 - share}}
    if share:
        mix["general"] = {"weight": share}
    rate = given.learning_rate
    config = new_config(given, seed, mix=mix, max_tokens=given.tokens, learning_rate=rate)
    if not is_finished(out):
        tokens = [scratch / "medical", scratch / "general"]
        pretrain(config, base=scratch / "base", tokens=tokens, out=out)
    return out


def new_config(given: argparse.Namespace, seed: int, **more: Any) -> PretrainConfig:
    """Return the settings that base and continuation share."""
    same = {
        "preset": "demo", "model": SHAPE, "context_length": 512, "batch_tokens": 2_048,
        "micro_batch_tokens": 2_048,
        "max_epochs": 20, "threads": given.threads, "evaluate_every_steps": 100_000, "seed": seed,
        "max_validation_tokens": 2_048,
    }  # fmt: skip
    return PretrainConfig.model_validate(same | more)


def held_out(run: Path, max_chars: int) -> Iterator[tuple[str, Item]]:
    """Yield the domain and the beginning of each document that no model learned."""
    domains = {source: domain for domain, sources in SOURCES.items() for source in sources}
    for document in read_documents(run / "documents"):
        is_plain = document.messages is None and document.source in domains
        if is_plain and document.text and split_of(document) != "train":
            key = hashlib.sha256((document.group or document.id).encode()).hexdigest()[:16]
            text = document.text[:max_chars]
            item = Item(document.id, "text", text, document=key, source=document.source)
            yield domains[document.source], item


def score(weights: Path, run: Path, max_chars: int) -> list[Row]:
    """Return nats and bytes of every held-out document."""
    engine = ModelEngine(load_language_model(weights), 1, 0)
    rows: list[Row] = []
    for domain, item in held_out(run, max_chars):
        answer = engine.answer("held-out", item, "log-likelihood")
        rows.append(
            {
                "document": item.document, "domain": domain, "source": item.source,
                "nats": round(-answer.log_likelihoods[0], 4), "bytes": len(item.question.encode()),
            }
        )  # fmt: skip
    return rows


def measure(given: argparse.Namespace) -> None:
    """Make and score every model that FILE does not have."""
    make_tokens(given.run, given.scratch)
    done = {result["model"] for result in read_results(given.results)}
    models = [("base", None, 0)]
    models += [(f"{s:.0%} general", s, seed) for seed in given.seeds for s in given.shares]
    for name, share, seed in models:
        key = f"{name}, seed {seed}"
        if key in done:
            continue
        if share is None:
            weights = make_base(given.scratch, given)
        else:
            weights = continue_base(given.scratch, share, seed, given)
        counts = json.loads((weights / "manifest.json").read_text())["identity"]["counts"]
        trained = {k: counts[k] for k in ("n_parameters", "n_steps", "n_seen_tokens")}
        rows = score(weights, given.run, given.max_chars)
        result = {"model": key, "name": name, "seed": seed, **trained, "rows": rows}
        with given.results.open("a") as file:
            file.write(json.dumps(result) + "\n")


def read_results(path: Path) -> list[dict[str, Any]]:
    """Return the finished models of FILE."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


# ------------------------------------------------------------------------------- the tables


def change(before: Sequence[Row], after: Sequence[Row]) -> Estimate:
    """Return by what share the bits per byte of the same documents changed."""
    counts = np.array([(a["nats"], b["nats"]) for a, b in zip(after, before, strict=True)])
    metric = Metric("change", counts, lambda s_DK: ratio(s_DK[:, 0], s_DK[:, 1]) - 1)
    return estimate(metric, [row["document"] for row in before], seed=0)


def level(rows: Sequence[Row]) -> Estimate:
    """Return bits per byte."""
    metric = bits_per_byte([-row["nats"] for row in rows], [row["bytes"] for row in rows])
    return estimate(metric, [row["document"] for row in rows], seed=0)


def print_tables(results: Sequence[dict[str, Any]]) -> None:
    """Print bits per byte of each model by domain and by source, and the change from the base."""
    base = next(result for result in results if result["name"] == "base")
    for column in ("domain", "source"):
        print(f"\n| model | tokens | {column} | bits per byte (95%) | change (95%) | documents |")
        print("|---|---|---|---|---|---|")
        for result in results:
            for name in dict.fromkeys(row[column] for row in result["rows"]):
                before, after = (
                    [row for row in one["rows"] if row[column] == name] for one in (base, result)
                )
                found, changed = level(after), change(before, after)
                cells = [result["model"], f"{result['n_seen_tokens']:,}", name]
                cells.append(f"{found.value:.3f} ({found.low:.3f}–{found.high:.3f})")
                is_base = result is base
                edges = f"({changed.low:+.1%} to {changed.high:+.1%})"
                cells.append("" if is_base else f"{changed.value:+.1%} {edges}")
                print("| " + " | ".join([*cells, str(found.n_documents)]) + " |")


def main() -> None:
    """Run what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, nargs="?")
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, default=Path("continued"))
    parser.add_argument("--base-tokens", type=int, default=400_000)
    parser.add_argument("--tokens", type=int, default=60_000)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.3, 0.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--max-chars", type=int, default=500, help="of a held-out document")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    if given.run is not None:
        measure(given)
    print_tables(read_results(given.results))


if __name__ == "__main__":
    main()
