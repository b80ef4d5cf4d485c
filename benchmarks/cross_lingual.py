"""Which language of the tuning data helps in which language, in small.

    python benchmarks/cross_lingual.py --data DIR --results FILE [--seeds 0 1 2]
    python benchmarks/cross_lingual.py --results FILE              # the tables alone

A small English-heavy base (nine tenths of its text is English) is tuned on questions in Japanese,
in English, or half in each: on equal tokens. Most ask for the kind of a term of
`wikidata_medical_en_ja.csv`, the same terms in both languages; the others are of the train parts of
question sets (YakugakuQA 2012–2019, PubMedQA without its test ids). Asked are terms of a quarter
that nobody learned, in both languages (the likeliest of four kinds), YakugakuQA 2020 (a development
part) and PubMedQA train rows that were held out (the likeliest letter); texts in both languages are
scored in bits per byte. A model is one JSON line in FILE, so that the run can be stopped and goes
on where it was.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from cross_lingual_questions import (
    LANGUAGES,
    answers_of,
    asked_questions,
    base_texts,
    held_out_texts,
    learned_questions,
    prompt_of,
)

from rinsho.corpus.document import Document, Message, write_documents
from rinsho.encoding.encode import EncodeConfig, encode
from rinsho.evaluation.benchmark import LETTERS, Item
from rinsho.evaluation.bootstrap import difference, estimate, mean
from rinsho.evaluation.model_engine import ModelEngine
from rinsho.evaluation.text_metrics import bits_per_byte
from rinsho.generation.decoder_model import load_language_model
from rinsho.generation.language_model import LanguageModel
from rinsho.manifest import new_folder
from rinsho.runfile import StageConfig
from rinsho.text.normalize import normalize
from rinsho.tokenizer.train_tokenizer import TrainTokenizerConfig, train_tokenizer
from rinsho.training.finetune import FinetuneConfig, finetune
from rinsho.training.pretrain import PretrainConfig, ShapeConfig, pretrain

ARMS = {"ja": ("ja",), "en": ("en",), "both": ("ja", "en")}
SHAPE = {"d_model": 192, "n_layers": 3, "n_heads": 3, "n_kv_heads": 1, "d_ff": 512}


# -------------------------------------------------------------------------------- the models


def write_folder(path: Path, documents: Iterable[Document]) -> Path:
    """Write a documents folder, as `collect` would."""
    if not (path / "manifest.json").is_file():
        with new_folder(path, stage="collect", config=StageConfig(), inputs={}) as folder:
            folder.licenses.update(("CC-BY-2.0", "CC-BY-SA-4.0", "CC0-1.0", "MIT"))
            write_documents(folder.path, documents)
    return path


def base_documents(data: Path) -> Iterator[Document]:
    """Yield the base's texts as documents."""
    for number, (source, text) in enumerate(base_texts(data)):
        yield Document(f"{source}/{number}", normalize(text), source, "MIT")


def conversations(data: Path, language: str) -> Iterator[Document]:
    """Yield the questions of a language with their answers."""
    for item in learned_questions(data, language):
        gold = answers_of(item)[LETTERS.index(item.gold[0])]
        messages = (prompt_of(item), Message("assistant", gold))
        text = "\n".join(message.content for message in messages)
        source = item.id.partition("/")[0]
        yield Document(item.id, text, source, "MIT", group=item.document, messages=messages)


def make_inputs(given: argparse.Namespace) -> None:
    """Make documents, the tokenizer and tokens."""
    root, data = given.scratch, given.data
    base = write_folder(root / "documents", base_documents(data))
    tuning = [write_folder(root / language, conversations(data, language)) for language in ARMS if
              language in LANGUAGES]  # fmt: skip
    if not (root / "tokenizer/manifest.json").is_file():
        config = TrainTokenizerConfig(vocab_size=given.vocab_size, max_measured_bytes=50_000)
        train_tokenizer(config, documents=[base, *tuning], out=root / "tokenizer")
    wanted = {"base": ("text", [base])}
    for arm, languages in ARMS.items():
        wanted[arm] = ("conversations", [root / language for language in languages])
    for name, (what, documents) in wanted.items():
        out = root / f"{name}-tokens"
        if not (out / "manifest.json").is_file():
            config = EncodeConfig.model_validate({"what": what})
            encode(config, documents=documents, tokenizer=root / "tokenizer", out=out)


def make_base(given: argparse.Namespace) -> Path:
    """Pre-train the English-heavy base."""
    out = given.scratch / "base"
    config = PretrainConfig(
        preset="demo", model=ShapeConfig.model_validate(SHAPE), context_length=512,
        batch_tokens=2_048, micro_batch_tokens=2_048,
        max_tokens=given.base_tokens, max_epochs=4, learning_rate=2e-3, threads=given.threads,
        evaluate_every_steps=100_000, max_validation_tokens=2_048,
    )  # fmt: skip
    if not (out / "manifest.json").is_file():
        pretrain(config, tokens=given.scratch / "base-tokens", out=out)
    return out


def tune(arm: str, seed: int, given: argparse.Namespace) -> Path:
    """Tune the base on the questions of an arm."""
    out = given.scratch / f"{arm}-{seed}"
    config = FinetuneConfig(
        form="label-scoring", max_tokens=given.tokens, max_epochs=20, seed=seed, batch_tokens=512,
        threads=given.threads, evaluate_every_steps=100_000, max_validation_tokens=2_048,
    )  # fmt: skip
    if not (out / "manifest.json").is_file():
        tokens = given.scratch / f"{arm}-tokens"
        finetune(config, base=given.scratch / "base", tokens=tokens, out=out)
    return out


def choose(model: LanguageModel, item: Item) -> str:
    """Return the letter of the most likely answer; its end counts, for answers differ in length."""
    tokenizer = model.tokenizer
    prompt = tokenizer.render([prompt_of(item)], add_generation_prompt=True)
    end = [tokenizer.end_of_turn_id]
    answers = [(prompt, [*tokenizer.encode(answer), *end]) for answer in answers_of(item)]
    scored = [one.log_likelihood for one in model.log_likelihoods(answers)]
    return item.letters[scored.index(max(scored))]


def score(weights: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Return one row an item: right or not; and one a text: nats and bytes."""
    model = load_language_model(weights)
    rows: dict[str, Any] = {"questions": {}, "texts": {}}
    for name, items in asked_questions(given.data, given.n_terms).items():
        rows["questions"][name] = [
            {"document": item.document, "is_right": choose(model, item) == item.gold[0],
             "chance": 1 / len(item.choices), "gold": item.gold[0]}
            for item in items
        ]  # fmt: skip
    engine = ModelEngine(model, 1, 0)
    for name, texts in held_out_texts(given.data).items():
        rows["texts"][name] = []
        for text in map(normalize, texts):
            answer = engine.answer(name, Item("text", "text", text), "log-likelihood")
            nats = round(-answer.log_likelihoods[0], 4)
            row = {"nats": nats, "bytes": len(text.encode()), "tokens": answer.n_tokens}
            rows["texts"][name].append(row)
    return rows


def measure(given: argparse.Namespace) -> None:
    """Make and score every model that FILE does not have."""
    given.scratch.mkdir(parents=True, exist_ok=True)
    make_inputs(given)
    done = {(result["arm"], result["seed"]) for result in read_results(given.results)}
    models = [("none", 0), *((arm, seed) for seed in given.seeds for arm in ARMS)]
    for arm, seed in models:
        if (arm, seed) in done:
            continue
        weights = make_base(given) if arm == "none" else tune(arm, seed, given)
        counts = json.loads((weights / "manifest.json").read_text())["identity"]["counts"]
        trained = {k: counts[k] for k in ("n_parameters", "n_steps", "n_seen_tokens")}
        result = {"arm": arm, "seed": seed, **trained, **score(weights, given)}
        with given.results.open("a") as file:
            file.write(json.dumps(result) + "\n")


def read_results(path: Path) -> list[dict[str, Any]]:
    """Return the finished models of FILE."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


# -------------------------------------------------------------------------------- the tables


def rows_of(results: Sequence[dict[str, Any]], arm: str, name: str) -> list[dict[str, Any]]:
    """Return the rows of an arm, all seeds one after another."""
    return [row for one in results if one["arm"] == arm for row in one["questions"][name]]


def print_accuracy(results: Sequence[dict[str, Any]]) -> None:
    """Print how often each arm is right, intervals over items with all seeds together."""
    print("| asked | tuned on | accuracy (95%) | by seed | chance; always the most frequent | n |")
    print("|---|---|---|---|---|---|")
    for name in results[0]["questions"]:
        for arm in ("none", *ARMS):
            rows = rows_of(results, arm, name)
            if not rows:
                continue
            found = estimate(mean("accuracy", [row["is_right"] for row in rows]),
                             [row["document"] for row in rows], seed=0)  # fmt: skip
            seeds = [
                statistics.mean(row["is_right"] for row in one["questions"][name])
                for one in results if one["arm"] == arm
            ]  # fmt: skip
            golds = [row["gold"] for row in rows]
            most = max(golds.count(letter) for letter in set(golds)) / len(golds)
            chance = statistics.mean(row["chance"] for row in rows)
            print(
                f"| {name} | {arm} | {found.value:.3f} ({found.low:.3f}–{found.high:.3f}) | "
                f"{' '.join(f'{value:.3f}' for value in seeds)} | {chance:.2f}; {most:.2f} | "
                f"{found.n_documents} |"
            )


def print_differences(results: Sequence[dict[str, Any]]) -> None:
    """Print paired differences between arms."""
    print("\n| asked | arms | difference in accuracy (95%) |")
    print("|---|---|---|")
    for name in results[0]["questions"]:
        for first, second in (("ja", "en"), ("both", "ja"), ("both", "en")):
            pair = [rows_of(results, arm, name) for arm in (first, second)]
            n = min(map(len, pair))
            if not n:
                continue
            metrics = [mean("accuracy", [row["is_right"] for row in rows[:n]]) for rows in pair]
            keys = [row["document"] for row in pair[0][:n]]
            found = difference(metrics[0], metrics[1], keys, seed=0)
            edges = f"({found.low:+.3f} to {found.high:+.3f})"
            print(f"| {name} | {first} − {second} | {found.value:+.3f} {edges} |")


def print_texts(results: Sequence[dict[str, Any]]) -> None:
    """Print bits per byte of held-out texts, intervals over texts."""
    print("\n| text | tuned on | bits per byte (95%) | bytes per token | texts |")
    print("|---|---|---|---|---|")
    for name in results[0]["texts"]:
        for arm in ("none", *ARMS):
            rows = [
                {**row, "key": str(number)}
                for one in results if one["arm"] == arm
                for number, row in enumerate(one["texts"][name])
            ]  # fmt: skip
            if not rows:
                continue
            metric = bits_per_byte([-row["nats"] for row in rows], [row["bytes"] for row in rows])
            found = estimate(metric, [row["key"] for row in rows], seed=0)
            density = sum(row["bytes"] for row in rows) / sum(row["tokens"] for row in rows)
            print(
                f"| {name} | {arm} | {found.value:.3f} ({found.low:.3f}–{found.high:.3f}) | "
                f"{density:.2f} | {found.n_documents} |"
            )


def main() -> None:
    """Run what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, default=Path("cross-lingual"))
    parser.add_argument("--vocab-size", type=int, default=6_000)
    parser.add_argument("--base-tokens", type=int, default=300_000)
    parser.add_argument("--tokens", type=int, default=20_000, help="of each tuning")
    parser.add_argument("--n-terms", type=int, default=160, help="asked in each language")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    if given.data is not None:
        measure(given)
    results = read_results(given.results)
    print_accuracy(results)
    print_differences(results)
    print_texts(results)


if __name__ == "__main__":
    main()
