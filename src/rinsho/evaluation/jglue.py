"""JGLUE subsets, the check of what general Japanese was forgotten; medicine is in none of them.

Prompt: lettered options (JCommonsenseQA, JNLI), a number from 0 to 5 (JSTS), words of a passage
(JSQuAD), zero-shot. Metrics: accuracy and macro F1; Pearson and Spearman; exact match and F1 of
characters.
Source:
    yahoojapan/JGLUE, version 1.3, the published validation parts. CC BY-SA 4.0.
Known errors:
    The published figures are of fine-tuned encoders and do not compare with zero-shot answers.
    Sentences about one picture are drawn together. Four HTML entities of JSQuAD stay as they are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rinsho.errors import BrokenRecord
from rinsho.evaluation.benchmark import LETTERS, Benchmark, Form, Item, Sources
from rinsho.evaluation.benchmark_file import read_json, read_lines, require_unique, text_key

RELATIONS = {
    "entailment": "文1が正しければ、文2も必ず正しい（含意）",
    "contradiction": "文1が正しければ、文2は正しくない（矛盾）",
    "neutral": "文1からは、文2が正しいかどうか分からない（中立）",
}
RATING_SCALE = "次の2つの文の意味の近さは？（0：意味がまったく違う〜5：意味が同じ。小数も可）"


def rating_question(first: str, second: str) -> str:
    """Return the question for the similarity of two sentences."""
    return f"{RATING_SCALE}\nS1: {first}\nS2: {second}"


def _commonsense(where: str, row: Mapping[str, Any]) -> Item:
    choices = tuple(str(row[f"choice{number}"]) for number in range(5))
    if row["label"] not in range(5):
        raise BrokenRecord(where=where, expected="a label from 0 to 4")
    question = str(row["question"])
    return Item(
        str(row["q_id"]),
        "choice",
        question,
        choices,
        (LETTERS[row["label"]],),
        document=text_key(question),
        source="jglue",
        wording="ja",
    )


def read_choices(sources: Sources, *, path: str) -> Iterator[Item]:
    """Read the questions of common sense in a file: those of the train part are demonstrations."""
    rows = read_lines(sources, "jglue/jcommonsenseqa", path)
    return (_commonsense(where, row) for where, row in rows)


def _inference(where: str, row: Mapping[str, Any]) -> Item:
    if row["label"] not in RELATIONS:
        raise BrokenRecord(where=where, expected=", ".join(RELATIONS))
    sentences = f"文1: {row['sentence1']}\n文2: {row['sentence2']}"
    return Item(
        str(row["sentence_pair_id"]),
        "choice",
        f"2つの文の関係はどれか。\n{sentences}",
        tuple(RELATIONS.values()),
        (LETTERS[[*RELATIONS].index(row["label"])],),
        document=_picture(row),
        source="jglue",
        wording="ja",
    )


def _similarity(where: str, row: Mapping[str, Any]) -> Item:
    if not 0 <= row["label"] <= 5:
        raise BrokenRecord(where=where, expected="a label from 0 to 5")
    return Item(
        str(row["sentence_pair_id"]),
        "rating",
        rating_question(str(row["sentence1"]), str(row["sentence2"])),
        gold=(str(row["label"]),),
        document=_picture(row),
        source="jglue",
        wording="ja",
    )


def _picture(row: Mapping[str, Any]) -> str:
    return str(row["yjcaptions_id"]).partition("-")[0]


_ROWS: dict[str, Callable[[str, Mapping[str, Any]], Item]] = {
    "jcommonsenseqa": _commonsense,
    "jnli": _inference,
    "jsts": _similarity,
}


def read_task(sources: Sources, *, task: str) -> tuple[Item, ...]:
    """Read the validation part of one task.

    Raises:
        DataFolderMissing, BenchmarkMissing, BenchmarkChanged: The file is not there as published.
        BrokenRecord: A label outside its range.
    """
    name, path = f"jglue/{task}", _path_of(task)
    if task == "jsquad":
        items = tuple(_passages(read_json(sources, name, path)))
    else:
        items = tuple(_ROWS[task](where, row) for where, row in read_lines(sources, name, path))
    return require_unique(name, items)


def _passages(value: Any) -> Iterator[Item]:
    paragraphs = [one for article in value["data"] for one in article["paragraphs"]]
    for paragraph in paragraphs:
        context = str(paragraph["context"]).replace(" [SEP] ", "\n", 1)  # title, then text
        for asked in paragraph["qas"]:
            yield Item(
                str(asked["id"]),
                "passage",
                str(asked["question"]),
                gold=tuple(dict.fromkeys(str(one["text"]) for one in asked["answers"])),
                document=text_key(context),
                source="jglue",
                context=context,
                wording="ja",
            )


def _path_of(task: str) -> str:
    return f"eval/jglue/{task}_valid.json"


def _benchmark(task: str, form: Form, n_items: int, ja: str, en: str) -> Benchmark:
    return Benchmark(
        name=f"jglue/{task}",
        version=1,
        license="CC-BY-SA-4.0",
        source="yahoojapan/JGLUE, 1.3, validation",
        form=form,
        ja=ja,
        en=en,
        needs=f"{_path_of(task)} (--data)",
        load=functools.partial(read_task, task=task),
        known_errors="published figures are of fine-tuned encoders",
        files=(_path_of(task),),
        n_items=n_items,
        leading="accuracy",
        reports_macro_f1=task == "jnli",
    )


JGLUE = (
    _benchmark("jcommonsenseqa", "choice", 1119, "常識の五択", "common sense, 5 choices"),
    _benchmark("jnli", "choice", 2434, "文の含意関係", "inference between sentences"),
    _benchmark("jsts", "rating", 1457, "文の類似度（0–5）", "similarity of sentences, 0 to 5"),
    _benchmark("jsquad", "passage", 4442, "本文からの読解", "reading, answers from a passage"),
)
