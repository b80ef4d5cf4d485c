"""Log-likelihoods of choices: rinsho against lm-evaluation-harness, the same model and questions.

    python -m venv --system-site-packages PEERS && PEERS/bin/pip install lm-eval
    RINSHO_DATA=DIR PEERS/bin/python benchmarks/log_likelihood.py --shape tiny --items 200
    RINSHO_DATA=DIR PEERS/bin/python benchmarks/log_likelihood.py --shape 100m --items 24

Both get texts: JMED-LLM's instruction, as it stands before every question there, a question of
JMMLU (medical) or, without the data folder, of the embedded lexicon, and its choices as letters or
as their texts. Every item's argmax has to agree and log-likelihoods to lie within 1e-4. Rounds are
interleaved; the time is that of the process, one thread, and the harness has the batch size at
which it is fastest. Prints a table and one JSON line.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sentencepiece
import torch

from rinsho.evaluation.benchmark import Sources
from rinsho.evaluation.catalogue import load_benchmark
from rinsho.evaluation.prompts import CHOICE_SYSTEM, lettered
from rinsho.generation.decoder_model import DecoderModel
from rinsho.model.checkpoint import save_weights
from rinsho.model.decoder import new_decoder
from rinsho.model.presets import DecoderConfig
from rinsho.text.lexicon import read_demo_lexicon
from rinsho.tokenizer.tokenizer import (
    BOS,
    END_OF_TURN,
    EOS,
    PAD,
    ROLE_TOKENS,
    UNK,
    Tokenizer,
)
from rinsho.tokenizer.tokenizer_json import tokenizer_config, tokenizer_json

SHAPES: dict[str, dict[str, int]] = {
    "tiny": {"n_layers": 2, "d_model": 64, "n_heads": 4, "n_kv_heads": 2, "d_head": 16,
             "d_ff": 160},
    "100m": {"n_layers": 12, "d_model": 768, "n_heads": 12, "n_kv_heads": 4, "d_head": 64,
             "d_ff": 2_048},
}  # fmt: skip
# Rows of the output matrix, as in real models; the tokenizer uses the first of them.
VOCAB_SIZE = {"tiny": 4_096, "100m": 32_768}
BATCH_SIZES = (1, 8, 32)
FORMS = ("letters", "texts")
Request = tuple[str, str]
MOST_CHARACTERS = 300  # a tokenizer of few questions spells much as bytes, and texts have to fit


def main() -> None:
    """Compare, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--shape", choices=SHAPES, default="tiny")
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=FORMS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    questions = read_questions(given.items)
    with tempfile.TemporaryDirectory() as folder:
        model = make_model(given.shape, questions, Path(folder))
        for form in given.forms:
            result = compare(model, Path(folder), to_requests(questions, form), given.rounds)
            print(f"{given.shape}, {form}:", *(f"{k} {v}" for k, v in result.items()), sep="\n  ")
            print(json.dumps({"shape": given.shape, "form": form, **result}))


def read_questions(n_items: int) -> list[tuple[str, tuple[str, ...]]]:
    """Return questions with four choices or more."""
    if data := os.environ.get("RINSHO_DATA"):
        items = load_benchmark("jmmlu/medical", Sources(Path(data))).items
        items = [item for item in items if len(item.question) <= MOST_CHARACTERS]
        step = max(1, len(items) // n_items)
        return [(item.question, item.choices) for item in items[::step][:n_items]]
    terms = [entry.name for entry in read_demo_lexicon().entries]
    return [
        (f"{terms[n]}と同じ診療科で診ることが多いものはどれか。" * 3, tuple(terms[n + 1 : n + 5]))
        for n in range(min(n_items, len(terms) - 5))
    ]


def to_requests(questions: list[tuple[str, tuple[str, ...]]], form: str) -> list[list[Request]]:
    """Return (context, continuation) for each choice of each question."""
    requests: list[list[Request]] = []
    for question, choices in questions:
        context = f"{CHOICE_SYSTEM}\n\n質問: {question}\n選択肢:\n{lettered(choices)}回答:"
        answers = "ABCDEFGH"[: len(choices)] if form == "letters" else choices
        requests.append([(context, f" {answer.strip()}") for answer in answers])
    return requests


def make_model(shape: str, questions: list[Any], folder: Path) -> DecoderModel:
    """Write a random decoder with a tokenizer as a Hugging Face folder; return it opened."""
    lines = [line for q, choices in questions for line in (q.replace("\n", ""), *choices)]
    raw = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=raw, vocab_size=4_000,
        hard_vocab_limit=False, byte_fallback=True, add_dummy_prefix=False,
        remove_extra_whitespaces=False, normalization_rule_name="identity",
        pad_id=0, bos_id=1, eos_id=2, unk_id=3,
        pad_piece=PAD, bos_piece=BOS, eos_piece=EOS, unk_piece=UNK,
        control_symbols=[*ROLE_TOKENS.values(), END_OF_TURN], user_defined_symbols=["\n"],
        num_threads=1, minloglevel=2,
    )  # fmt: skip
    tokenizer = Tokenizer(raw.getvalue())
    sizes = {
        "vocab_size": VOCAB_SIZE[shape],
        "context_length": 2_048,
        **SHAPES[shape],
        "tie_embeddings": shape == "100m",
    }
    decoder = new_decoder(DecoderConfig.model_validate(sizes), seed=0)
    with torch.no_grad():  # so that choices lie apart
        for parameter in decoder.parameters():
            if parameter.ndim > 1:
                parameter.mul_(3.0)
    save_weights(decoder, folder)
    (folder / "tokenizer.model").write_bytes(raw.getvalue())
    (folder / "tokenizer.json").write_bytes(tokenizer_json(raw.getvalue()))
    (folder / "tokenizer_config.json").write_bytes(tokenizer_config())
    print(f"{shape}: {sum(p.numel() for p in decoder.parameters()) / 1e6:.1f}M parameters")
    return DecoderModel(decoder, tokenizer, shape)


def compare(
    model: DecoderModel, folder: Path, requests: list[list[Request]], n_rounds: int
) -> dict[str, Any]:
    """Return how far the two lie apart, and how many items each does in a second."""
    harness = fastest_harness(folder, requests)
    flat = [request for item in requests for request in item]
    ours, theirs = list[float](), list[float]()
    times: dict[str, list[float]] = {"rinsho": [], "lm-eval": []}
    for _ in range(n_rounds):
        times["rinsho"].append(timed(lambda: ours.__setitem__(slice(None), score(model, flat))))
        times["lm-eval"].append(timed(lambda: theirs.__setitem__(slice(None), harness(flat))))
    at, n_same = 0, 0
    for item in requests:
        part = slice(at, at + len(item))
        n_same += argmax(ours[part]) == argmax(theirs[part])
        at += len(item)
    medians = {name: statistics.median(found) for name, found in times.items()}
    return {
        "n_items": len(requests),
        "n_same_argmax": n_same,
        "largest_difference": max(abs(a - b) for a, b in zip(ours, theirs, strict=True)),
        "items_per_s_rinsho": round(len(requests) / medians["rinsho"], 2),
        "items_per_s_lm_eval": round(len(requests) / medians["lm-eval"], 2),
        "ratio": round(medians["lm-eval"] / medians["rinsho"], 2),
    }


def argmax(values: list[float]) -> int:
    """Return the place of the largest."""
    return max(range(len(values)), key=values.__getitem__)


def timed(work: Callable[[], object]) -> float:
    """Return the seconds of the process that something takes."""
    start = time.process_time()
    work()
    return time.process_time() - start


def score(model: DecoderModel, requests: list[Request]) -> list[float]:
    """Score texts with rinsho: tokenizing counts."""
    encode, bos = model.tokenizer.encode, model.tokenizer.bos_id
    contexts = {context: (bos, *encode(context)) for context, _ in requests}
    pairs = [(contexts[context], encode(more)) for context, more in requests]
    return [one.log_likelihood for one in model.log_likelihoods(pairs)]


def fastest_harness(
    folder: Path, requests: list[list[Request]]
) -> Callable[[list[Request]], list[float]]:
    """Open the harness at the batch size at which it is fastest on some of the questions."""
    few = [request for item in requests[:8] for request in item]
    opened = {size: open_harness(folder, size) for size in BATCH_SIZES}
    for harness in opened.values():
        harness(few[:4])
    seconds = {size: timed(lambda h=h: h(few)) for size, h in opened.items()}
    best = min(seconds, key=seconds.__getitem__)
    print(f"  lm-eval is fastest at batch size {best}")
    return opened[best]


def open_harness(folder: Path, batch_size: int) -> Callable[[list[Request]], list[float]]:
    """Return what scores texts by lm-evaluation-harness."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    harness = HFLM(
        pretrained=str(folder),
        device="cpu",
        dtype="float32",
        batch_size=batch_size,
        add_bos_token=True,
    )

    def run(requests: list[Request]) -> list[float]:
        instances = [Instance("loglikelihood", {}, one, n) for n, one in enumerate(requests)]
        return [float(found[0]) for found in harness.loglikelihood(instances, disable_tqdm=True)]

    return run


if __name__ == "__main__":
    main()
