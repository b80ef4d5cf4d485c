"""What adapters learn: LoRA and QLoRA against full tuning on instructions of the grammar.

    python benchmarks/adapters_learning.py BASE --results FILE [--scratch DIR] [--threads 1]
    python benchmarks/adapters_learning.py --results FILE            # the table alone

BASE is a weights folder of `pretrain`, as that of the demo. A cell is a form and a seed; the seed
draws the order and the adapter's start. Every form gets the same instructions and the same number
of tokens, and answers the same held-out ones: documents about entries that no training document is
about. A finished cell is one line of FILE, so the run can be stopped and goes on where it was; one
row of it is a key of a document with sums. Intervals are bootstrapped over documents, all seeds
together and paired with full tuning; the spread over seeds stands beside them.

The learning rates were chosen with `--seeds 100 --split validation` (docs/results.md).
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rinsho.corpus.document import Document, read_documents
from rinsho.corpus.splits import split_of
from rinsho.corpus.synthesize import SynthesizeConfig, synthesize
from rinsho.encoding.conversation import encode_conversation
from rinsho.encoding.encode import EncodeConfig, encode
from rinsho.evaluation.bootstrap import Metric, difference, estimate, ratio
from rinsho.model.adapted import load_any
from rinsho.model.decoder import Decoder
from rinsho.model.loss import summed_cross_entropy
from rinsho.tokenizer.tokenizer import Tokenizer, read_tokenizer
from rinsho.training.finetune import FinetuneConfig, finetune

ADAPTER = {"rank": 16, "alpha": 32.0}
# form -> settings of `finetune`; None: the base as it is
FORMS: dict[str, dict[str, Any] | None] = {
    "base": None,
    "full": {"learning_rate": 1e-3},
    "lora": {"learning_rate": 4e-3, "adapter": {"kind": "lora", **ADAPTER}},
    "qlora": {"learning_rate": 4e-3, "adapter": {"kind": "qlora", **ADAPTER}},
}
_SHORT = 16  # tokens of an answer that is asked for word by word


# ------------------------------------------------------------------------------------ data


def make_data(arguments: argparse.Namespace) -> Path:
    """Write instructions, and the tokens that every cell learns; once."""
    root = arguments.scratch
    config = SynthesizeConfig(
        seed=77, n_bytes=6_000_000, shares={"instruction": 2.0, "exam_question": 1.0}
    )
    synthesize(config, out=root / "instructions")
    what = EncodeConfig(what="conversations")
    documents, tokens = [root / "instructions"], root / "tokens"
    encode(what, documents=documents, tokenizer=arguments.base, out=tokens)
    return root


def held_out(root: Path, split: str, n_documents: int) -> list[Document]:
    """Return the first conversations of a split that have one answer."""
    found = (d for d in read_documents(root / "instructions") if split_of(d) == split)
    asked = [d for d in found if d.messages and sum(m.role == "assistant" for m in d.messages) == 1]
    return asked[:n_documents]


# ------------------------------------------------------------------------------------ cells


def run_cell(form: str, seed: int, root: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Tune one form and measure it; return what is kept of it."""
    cpu, settings, counts = time.process_time(), FORMS[form], dict[str, Any]()
    with tempfile.TemporaryDirectory(dir=root) as folder:
        out = arguments.base
        if settings is not None:
            out = Path(folder) / "tuned"
            if arguments.learning_rate:
                settings = settings | {"learning_rate": arguments.learning_rate}
            values = {
                "seed": seed,
                "max_epochs": 20,
                "max_tokens": arguments.max_tokens,
                "batch_tokens": 1_024,
                "threads": arguments.threads,
                "precision": "fp32",
                "evaluate_every_steps": 100_000,
                "checkpoint_every_steps": 100_000,
            }
            config = FinetuneConfig.model_validate(values | settings)
            counts = finetune(
                config, base=arguments.base, tokens=root / "tokens", out=out
            ).identity.counts
        trained = time.process_time() - cpu
        weights, decoder = load_any(out, arguments.base if settings else None, dtype=torch.float32)
        assert isinstance(decoder, Decoder)
        tokenizer = read_tokenizer(weights)
        documents = held_out(root, arguments.split, arguments.n_documents)
        rows = [to_row(decoder.eval(), tokenizer, document) for document in documents]
        n_bytes = sum(p.stat().st_size for p in out.iterdir() if p.suffix == ".safetensors")
    return {
        "form": form,
        "seed": seed,
        "split": arguments.split,
        "learning_rate": (settings or {}).get("learning_rate"),
        "max_tokens": arguments.max_tokens,
        "n_trained": counts.get("n_trained_parameters", counts.get("n_parameters", 0)),
        "n_bytes": n_bytes,
        "cpu_seconds_training": round(trained, 1),
        "rows": rows,
    }


@torch.inference_mode()
def to_row(decoder: Decoder, tokenizer: Tokenizer, document: Document) -> list[Any]:
    """Return key, nats and bytes of the answer, and of a short one: asked, exact, ended."""
    assert document.messages is not None
    encoded = encode_conversation(tokenizer, document.messages)
    tokens_T = torch.tensor(encoded.tokens)
    hidden_TD = decoder.forward_hidden(tokens_T[:-1], [len(tokens_T) - 1])
    mask_T = torch.tensor(encoded.loss_mask[1:], dtype=torch.float32)
    nats = float(summed_cross_entropy(hidden_TD, decoder.output_weight, tokens_T[1:], mask_T))
    key = document.group or document.id
    first = encoded.loss_mask.index(1)
    if encoded.n_learned > _SHORT:
        return [key, nats, encoded.n_bytes, 0, 0, 0]
    answer = [token for token, m in zip(encoded.tokens, encoded.loss_mask, strict=True) if m]
    said = greedy(decoder, encoded.tokens[:first], tokenizer.end_of_turn_id)
    return [key, nats, encoded.n_bytes, 1, int(said == answer), int(len(said) <= _SHORT)]


def greedy(decoder: Decoder, prompt: list[int], end: int) -> list[int]:
    """Return the greedy answer up to its end; one token more than `_SHORT` where it has none."""
    cache, tokens, said = decoder.new_cache(1, len(prompt) + _SHORT + 1), prompt, list[int]()
    while len(said) <= _SHORT and end not in said:
        said.append(int(decoder.next_logits(torch.tensor([tokens]), cache)[0].argmax()))
        tokens = said[-1:]
    return said


# ---------------------------------------------------------------------------------- figures


def metrics(rows: Sequence[Sequence[Any]]) -> list[Metric]:
    """Return bits per byte of answers, and the share of short ones that are exact, and that end."""
    sums_RK = np.array([row[1:] for row in rows], dtype=np.float64)
    return [
        Metric("bits per byte", sums_RK, lambda s: ratio(s[:, 0], math.log(2) * s[:, 1]), False),
        Metric("exact", sums_RK, lambda s: ratio(s[:, 3], s[:, 2])),
        Metric("ended", sums_RK, lambda s: ratio(s[:, 4], s[:, 2])),
    ]


def table(results: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield (
        "| form | trained parameters, folder | bits per byte of answers | against full | "
        "short answers exact | against full | ended | by seed |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    cells = {form: [r for r in results if r["form"] == form] for form in FORMS}
    for form, own in cells.items():
        if not own:
            continue
        rows = [row for cell in own for row in cell["rows"]]
        keys = [row[0] for row in rows]
        bits, exact, ended = metrics(rows)
        others = {c["seed"]: c for c in cells["full"]}
        paired = [(c, others[c["seed"]]) for c in own if c["seed"] in others and form != "full"]
        against = ["", ""]
        if paired:
            mine, theirs = ([r for p in paired for r in p[side]["rows"]] for side in (0, 1))
            found = [
                difference(a, b, [row[0] for row in mine], seed=0)
                for a, b in zip(metrics(mine)[:2], metrics(theirs)[:2], strict=True)
            ]
            against = [f"{d.value:+.3f} ({d.low:+.3f} to {d.high:+.3f})" for d in found]
        figures = [estimate(m, keys, seed=0) for m in (bits, exact, ended)]
        shown = [f"**{e.value:.3f}** ({e.low:.3f}–{e.high:.3f})" for e in figures]
        by_seed = [metrics(cell["rows"])[0].value for cell in own]
        spread = f" ± {statistics.stdev(by_seed):.3f}" if len(by_seed) > 1 else ""
        yield (
            f"| {form} | {own[0]['n_trained']:,}, {own[0]['n_bytes'] / 1e6:.1f} MB | {shown[0]} | "
            f"{against[0]} | {shown[1]} | {against[1]} | {figures[2].value:.3f} | "
            f"{', '.join(f'{v:.3f}' for v in by_seed)}{spread} |"
        )
    if results:
        rows = results[0]["rows"]
        n_short = sum(row[3] for row in rows)
        n_groups = len({row[0] for row in rows})
        yield f"\n{len(rows)} held-out answers, {n_short} short, about {n_groups} entries."


def read_results(path: Path) -> list[dict[str, Any]]:
    """Return the finished cells."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def main() -> None:
    """Run what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", type=Path, nargs="?")
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, help="where data and weights lie")
    parser.add_argument("--forms", nargs="*", default=list(FORMS), choices=list(FORMS))
    parser.add_argument("--seeds", type=int, nargs="*", default=list(range(5)))
    parser.add_argument("--split", choices=("validation", "test"), default="test")
    parser.add_argument("--max-tokens", type=int, default=110_000, help="of training, a cell")
    parser.add_argument("--learning-rate", type=float, help="instead of the form's own")
    parser.add_argument("--n-documents", type=int, default=300, help="held out, at most")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.base is not None:
        torch.set_num_threads(arguments.threads)
        if arguments.scratch is None:
            arguments.scratch = arguments.results.parent / "adapters"
        run_missing(arguments)
    print("\n".join(table(read_results(arguments.results))))


def run_missing(arguments: argparse.Namespace) -> None:
    """Run the cells that the results lack, seed by seed; the base has no seed."""
    root = make_data(arguments)
    for seed in arguments.seeds:
        for form in arguments.forms:
            done = {(r["form"], r["seed"]) for r in read_results(arguments.results)}
            if (form, seed) in done or (form == "base" and seed != arguments.seeds[0]):
                continue
            result = run_cell(form, seed, root, arguments)
            with arguments.results.open("a") as file:
                file.write(json.dumps(result) + "\n")
            found = ", ".join(f"{m.name} {m.value:.3f}" for m in metrics(result["rows"]))
            print(f"{form} seed {seed}: {found} ({result['cpu_seconds_training']} s)", flush=True)


if __name__ == "__main__":
    main()
