"""The tasks of `finetune_forms.py`: items of the pools, folds that share no document, and cells."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rinsho.evaluation.benchmark import LETTERS, Item, choose_items
from rinsho.evaluation.jmed_llm import document_key
from rinsho.evaluation.parse import parse_list
from rinsho.text.normalize import normalize

N_FOLDS = 5
TAGGING, CHOICE = ("nrner", "mrner-disease"), ("smdis", "sts")
FORMS = {
    "nrner": ("dictionary", "character-crf", "generation", "tagging", "tagging-causal"),
    "mrner-disease": ("dictionary", "character-crf", "generation", "tagging", "tagging-causal"),
    "smdis": ("tf-idf", "generation", "label-scoring", "pooled", "pooled-causal"),
    "sts": ("n-grams", "generation", "label-scoring", "pooled", "pair", "pair-causal"),
}


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def read_items(task: str, data: Path) -> list[Item]:
    """Return every row of a pool as an item; rows that share a text share `document`."""
    pool = data / "eval" / "jmed_llm" / "all"
    if task == "sts":
        return read_pairs(data)
    files = {"nrner": ("NRNER",), "smdis": ("SMDIS",), "mrner-disease": ("CRNER", "RRNER")}[task]
    items: list[Item] = []
    for name in files:
        for number, row in enumerate(read_rows(pool / f"{name}.csv"), start=1):
            if task == "mrner-disease" and row["tag"] != "d":
                continue
            choices = tuple(row[f"option{x}"] for x in LETTERS if row.get(f"option{x}"))
            gold = (row["answer"],) if choices else parse_list(row["answer"]).entities
            form = "choice" if choices else "entities"
            key, tag = document_key(row["question"]), row["tag"]
            items.append(
                Item(f"{name}/{number}", form, row["question"], choices, gold, (), key, tag)
            )
    return items


def read_pairs(data: Path) -> list[Item]:
    """Return the pairs of JA-Clinical-STS in the words of JCSTS; pairs that share a sentence, and
    those that share one with these, are one document.
    """
    import xlrd

    path = data / "eval" / "ja_clinical_sts" / "dataset_JA_Clinical_STS.xls"
    sheet = xlrd.open_workbook(str(path)).sheet_by_index(0)
    rows = (sheet.row_values(number) for number in range(sheet.nrows))
    pairs = {(str(first), str(second)): int(score) for first, second, score in rows}
    root: dict[str, str] = {}

    def find(sentence: str) -> str:
        while root.setdefault(sentence, sentence) != sentence:
            sentence = root[sentence]
        return sentence

    keys = {pair: tuple("".join(normalize(s).split()) for s in pair) for pair in pairs}
    for first, second in keys.values():
        root[find(first)] = find(second)
    example = read_rows(data / "eval" / "jmed_llm" / "jcsts.csv")[0]
    choices = tuple(example[f"option{x}"].partition("\n")[0] for x in "ABCDEF")
    return [
        Item(
            f"sts/{number}",
            "similarity",
            f"以下の2つの文の意味の類似度は？\nS1: {pair[0]}\nS2: {pair[1]}",
            choices,
            ("ABCDEF"[5 - score],),
            (),
            hashlib.sha256(find(keys[pair][0]).encode()).hexdigest()[:16],
        )
        for number, (pair, score) in enumerate(pairs.items(), start=1)
    ]


def fold_of(item: Item) -> int:
    """Return the fold of an item's document."""
    return int(hashlib.sha256(f"fold:{item.document}".encode()).hexdigest(), 16) % N_FOLDS


def is_validation(item: Item) -> bool:
    """Say whether a training item is held out to choose the weights: a tenth of the documents."""
    return int(hashlib.sha256(f"validation:{item.document}".encode()).hexdigest(), 16) % 10 == 0


@dataclass(frozen=True)
class Cell:
    """A task, a form and a seed, with what is learned and what is asked."""

    task: str
    form: str
    seed: int
    train: Sequence[Item]
    test: Sequence[Item]


def to_cell(task: str, form: str, seed: int, items: Sequence[Item], max_test: int) -> Cell:
    """Split the items; the test rows are drawn by a hash, the same for every form."""
    held = tuple(item for item in items if fold_of(item) == seed % N_FOLDS)
    test = choose_items(held, max_test * (3 if task in CHOICE else 1), seed)
    train = [item for item in items if fold_of(item) != seed % N_FOLDS]
    return Cell(task, form, seed, train, test)
