"""What `cross_lingual.py` teaches and asks: terms, exam questions and texts in both languages."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from rinsho.corpus.document import Message
from rinsho.evaluation.benchmark import LETTERS, Item
from rinsho.text.normalize import normalize

LANGUAGES = ("ja", "en")
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
