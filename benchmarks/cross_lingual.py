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
import csv
import gzip
import hashlib
import json
import statistics
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

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

LANGUAGES = ("ja", "en")
ARMS = {"ja": ("ja",), "en": ("en",), "both": ("ja", "en")}
# The categories of the export are noisy: its "enzyme" rows are chemical compounds, its "hormone"
# rows proteins. These four hold what their names say.
KINDS = {
    "disease": 0, "anatomical structure": 1, "medication": 2, "enzyme": 2, "hormone": 3,
    "protein family": 3, "gene": 3, "protein": 3,
}  # fmt: skip
KIND_NAMES = {
    "en": ("disease", "part of the body", "substance", "protein"),
    "ja": ("病気", "体の部分", "物質", "タンパク質"),
}
SHAPE = {"d_model": 192, "n_layers": 3, "n_heads": 3, "n_kv_heads": 1, "d_ff": 512}
PER_KIND, EXAM_QUESTIONS = 760, 80
SENTENCES_PER_DOCUMENT = 20


def share_of(*key: object) -> float:
    """Return a number from 0 to 1 that depends on the key alone."""
    digest = hashlib.sha256(":".join(map(str, key)).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


# ----------------------------------------------------------------------------- the questions


def read_terms(data: Path) -> list[dict[str, str]]:
    """Return as many terms of each kind, drawn by a hash."""
    with (data / "lexicon/wikidata_medical_en_ja.csv").open(encoding="utf-8-sig") as file:
        rows = [row for row in csv.DictReader(file) if row["category"] in KINDS]
    rows = [row for row in rows if row["label_en"].lower() != row["label_ja"].lower()]
    rows.sort(key=lambda row: share_of("term", row["qid"]))
    kinds = range(len(KIND_NAMES["en"]))
    return [r for k in kinds for r in [r for r in rows if KINDS[r["category"]] == k][:PER_KIND]]


def is_test_term(row: dict[str, str]) -> bool:
    """Say whether a term is asked and never learned."""
    return share_of("test", row["qid"]) < 0.25


def term_question(row: dict[str, str], language: str) -> Item:
    """Ask for the kind of a term."""
    gold = LETTERS[KINDS[row["category"]]]
    text = normalize(row[f"label_{language}"])
    choices = KIND_NAMES[language]
    return Item(f"terms-{language}/{row['qid']}", "choice", text, choices, (gold,), (), row["qid"])


def pharmacist_questions(data: Path, years: Iterable[int]) -> Iterator[Item]:
    """Yield the questions of YakugakuQA with one right answer and no picture."""
    for year in years:
        for path in sorted((data / "eval/yakugakuqa" / str(year)).glob("[0-9]*.jsonl")):
            for line in path.read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                choices = tuple(normalize(str(choice)) for choice in row["choices"])
                n_chars = len(row["problem_text"]) + sum(map(len, choices))
                is_plain = row["text_only"] and len(row["answer"]) == 1 and len(choices) == 5
                if is_plain and n_chars < 300 and str(row["answer"][0]) in "12345":
                    gold = LETTERS[int(row["answer"][0]) - 1]
                    question, key = normalize(row["problem_text"]), f"yakugaku/{row['problem_id']}"
                    yield Item(key, "choice", question, choices, (gold,), (), key)


def pubmed_rows(data: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the labelled abstracts of PubMedQA that are no test rows."""
    rows = json.loads((data / "eval/pubmedqa/ori_pqal.json").read_text(encoding="utf-8"))
    test = json.loads((data / "eval/pubmedqa/test_ground_truth.json").read_text(encoding="utf-8"))
    yield from ((key, row) for key, row in rows.items() if key not in test)


def is_test_abstract(key: str) -> bool:
    """Say whether an abstract is asked and never learned."""
    return share_of("pubmed", key) < 0.3


def pubmed_question(key: str, row: dict[str, Any]) -> Item:
    """Ask a research question behind the end of its results."""
    text = normalize(" ".join(row["CONTEXTS"])[-400:] + "\n" + row["QUESTION"])
    choices = ("yes", "no", "maybe")
    gold = LETTERS[choices.index(row["final_decision"])]
    return Item(f"pubmed/{key}", "choice", text, choices, (gold,), (), f"pubmed/{key}")


def learned_questions(data: Path, language: str) -> Iterator[Item]:
    """Yield what is tuned on in a language."""
    terms = read_terms(data)
    yield from (term_question(row, language) for row in terms if not is_test_term(row))
    if language == "ja":
        exam = pharmacist_questions(data, range(2012, 2020))
    else:
        rows = pubmed_rows(data)
        exam = (pubmed_question(key, row) for key, row in rows if not is_test_abstract(key))
    yield from islice(exam, EXAM_QUESTIONS)


def asked_questions(data: Path, n_terms: int) -> dict[str, list[Item]]:
    """Return what is asked."""
    terms = [row for row in read_terms(data) if is_test_term(row)]
    terms.sort(key=lambda row: share_of("asked", row["qid"]))
    asked = {
        f"terms, {language}": [term_question(row, language) for row in terms[:n_terms]]
        for language in LANGUAGES
    }
    asked["YakugakuQA 2020, ja"] = list(pharmacist_questions(data, [2020]))[:60]
    held = [pubmed_question(k, row) for k, row in pubmed_rows(data) if is_test_abstract(k)]
    return {**asked, "PubMedQA, en": held[:60]}


def is_term(item: Item) -> bool:
    """Say whether a kind is asked for; its name is the answer, and no choices are shown."""
    return item.id.startswith("terms-")


def answers_of(item: Item) -> Sequence[str]:
    """Return what may be answered: the names of the kinds, or letters."""
    return item.choices if is_term(item) else item.letters


def prompt_of(item: Item) -> Message:
    """Return a term, or a question with its choices."""
    if is_term(item):
        return Message("user", item.question)
    options = "\n".join(f"{x}. {c}" for x, c in zip(item.letters, item.choices, strict=True))
    return Message("user", f"{item.question}\n{options}")


# --------------------------------------------------------------------------------- the texts


def tanaka(data: Path, split: str) -> Iterator[tuple[int, str, str]]:
    """Yield number, English and Japanese of the sentence pairs of a split."""
    with gzip.open(data / "text/parallel/tanaka_enja.tsv.gz", "rt", encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    pairs = [row for row in rows if row[0] == split]
    yield from ((number, en, ja) for number, (_, en, ja) in enumerate(pairs))


def base_texts(data: Path) -> Iterator[tuple[str, str]]:
    """Yield (source, text): English, and one Japanese text for ten English ones."""
    blocks: dict[str, list[str]] = {"en": [], "ja": []}
    for number, en, ja in tanaka(data, "train"):
        is_japanese = number // SENTENCES_PER_DOCUMENT % 7 == 0  # no pair stands in both languages
        language, sentence = ("ja", ja) if is_japanese else ("en", en)
        blocks[language].append(sentence)
    for language, sentences in blocks.items():
        for start in range(0, len(sentences), SENTENCES_PER_DOCUMENT):
            joined = "\n".join(sentences[start : start + SENTENCES_PER_DOCUMENT])
            yield f"tanaka-{language}", joined
    for key, row in pubmed_rows(data):
        if not is_test_abstract(key):
            yield "pubmed-en", "\n".join([*row["CONTEXTS"], row["LONG_ANSWER"]])
    terms = (row for row in read_terms(data) if not is_test_term(row))
    facts = [f"{row['label_en']}: {row['description_en']}" for row in terms]
    for start in range(0, len(facts), SENTENCES_PER_DOCUMENT):
        yield "wikidata-en", "\n".join(facts[start : start + SENTENCES_PER_DOCUMENT])


def held_out_texts(data: Path) -> dict[str, list[str]]:
    """Return texts that no model learned: sentences, and abstracts or disease sheets."""
    sentences: dict[str, list[str]] = {"en": [], "ja": []}
    for _, en, ja in tanaka(data, "dev"):
        sentences["en"].append(en)
        sentences["ja"].append(ja)
    abstracts = [" ".join(row["CONTEXTS"]) for k, row in pubmed_rows(data) if is_test_abstract(k)]
    path = data / "text/medical/mhlw_nanbyo.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        sheets = [json.loads(line)["text"] for line in file][:20]
    return {
        "sentences, ja": ["\n".join(sentences["ja"][i : i + 10]) for i in range(0, 150, 10)],
        "sentences, en": ["\n".join(sentences["en"][i : i + 10]) for i in range(0, 150, 10)],
        "disease sheets, ja": [text[:400] for text in sheets],
        "abstracts, en": [text[:800] for text in abstracts[:20]],
    }


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
