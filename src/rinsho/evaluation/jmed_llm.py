"""JMED-LLM: eight Japanese medical tasks of 100 rows each, zero-shot.

Source:
    sociocom/JMED-LLM, 2024-09-22. CC BY 4.0 (CRADE, SMDIS, MRNER), CC BY-SA 4.0 (JMMLU-Med),
    CC BY-NC-SA 4.0 (JCSTS, NRNER). RRTNM is held out: its file is not supplied.
Known errors:
    The official "partial F1" is set membership, not overlap, and can exceed 1. Official test files
    share case reports with one another (CRADE and MRNER-medicine 42 of 147).
"""

from __future__ import annotations

import csv
import functools
import hashlib
import re
import unicodedata
from collections.abc import Mapping

from rinsho.errors import BrokenRecord
from rinsho.evaluation.benchmark import LETTERS, Benchmark, Form, Item, Sources, Weighting
from rinsho.evaluation.benchmark_file import find_file
from rinsho.evaluation.parse import parse_list

_DOCUMENT = re.compile(r"\n「(.*)」\s*$", re.DOTALL)


def document_text(question: str) -> str:
    """Return the text a question is about: what follows its first line, outer 「」 removed.

    >>> document_text("以下の症例報告において、薬品名は？\\n「発熱のため解熱薬を投与。」")
    '発熱のため解熱薬を投与。'
    """
    if match := _DOCUMENT.search(question):
        return match.group(1)
    return question.partition("\n")[2]


def document_key(question: str) -> str:
    """Return a hash of the text alone: the same text laid out in other lines has the same key.

    White space has to go: CRADE and MRNER break the lines of the same case reports differently.
    """
    text = unicodedata.normalize("NFKC", document_text(question))
    return hashlib.sha256("".join(text.split()).encode()).hexdigest()[:16]


def read_task(sources: Sources, *, task: str, form: Form) -> tuple[Item, ...]:
    """Read one task's file, every cell as a string.

    Raises:
        DataFolderMissing: No data folder was given.
        BenchmarkMissing, BenchmarkChanged: The folder lacks the file, or has another one.
        BrokenRecord: A row without a question or an answer of the right form.
    """
    path = find_file(sources, f"jmed-llm/{task}", _path_of(task))
    with path.open(encoding="utf-8-sig", newline="") as file:
        return tuple(
            _to_item(task, form, number, row)
            for number, row in enumerate(csv.DictReader(file), start=1)
        )


def _path_of(task: str) -> str:
    return f"eval/jmed_llm/{task.replace('-', '_')}.csv"


def _to_item(task: str, form: Form, number: int, row: Mapping[str, str | None]) -> Item:
    question, answer = row.get("question") or "", row.get("answer") or ""
    choices = tuple(choice for letter in LETTERS if (choice := row.get(f"option{letter}")))
    gold = parse_list(answer).entities if form == "entities" else (answer,)
    if not question or not gold or (choices and answer not in LETTERS[: len(choices)]):
        raise BrokenRecord(where=f"{_path_of(task)} row {number}", expected="question, answer")
    name = f"{task}/{number}"
    key = document_key(question) if _DOCUMENT.search(question) else name
    tag = row.get("tag") or ""
    return Item(name, form, question, choices, gold, document=key, tag=tag, source=task)


def _benchmark(
    task: str,
    license: str,
    form: Form,
    ja: str,
    en: str,
    weighting: Weighting = "plain",
    known_errors: str = "",
) -> Benchmark:
    return Benchmark(
        name=f"jmed-llm/{task}",
        version=1,
        license=license,
        source="sociocom/JMED-LLM, 2024-09-22",
        form=form,
        ja=ja,
        en=en,
        needs=f"{_path_of(task)} (--data)",
        load=functools.partial(read_task, task=task, form=form),
        is_noncommercial="-NC-" in license,
        weighting=weighting,
        has_official_protocol=True,
        known_errors=known_errors,
        files=(_path_of(task),),
        n_items=100,
    )


_ENTITIES_ERROR = "official partial F1 is set membership and can exceed 1; gold has no offsets"
JMED_LLM = (
    _benchmark("jmmlu-med", "CC-BY-SA-4.0", "choice", "医学の四択問題", "medical choices"),
    _benchmark(
        "crade",
        "CC-BY-4.0",
        "similarity",
        "症例報告の有害事象の可能性（4段階）",
        "likelihood of an adverse drug event, 4 levels",
        "linear",
        "54 case reports for 100 rows",
    ),
    _benchmark(
        "rrtnm",
        "unknown",
        "choice",
        "読影レポートのTNM分類（ファイルは配布されていません）",
        "TNM stage in radiology reports (its file is not supplied)",
        known_errors="its file is not supplied",
    ),
    _benchmark(
        "smdis",
        "CC-BY-4.0",
        "choice",
        "SNS投稿からの病気・症状の有無",
        "disease or symptom in social media posts",
    ),
    _benchmark(
        "jcsts",
        "CC-BY-NC-SA-4.0",
        "similarity",
        "臨床文の意味の類似度（6段階）",
        "similarity of clinical sentences, 6 levels",
        "linear",
    ),
    _benchmark(
        "mrner-disease",
        "CC-BY-4.0",
        "entities",
        "症例報告・読影レポートの病変・症状の抽出",
        "findings in case and radiology reports",
        known_errors=_ENTITIES_ERROR,
    ),
    _benchmark(
        "mrner-medicine",
        "CC-BY-4.0",
        "entities",
        "症例報告の薬品名・用量の抽出",
        "drugs and doses in case reports",
        known_errors=_ENTITIES_ERROR,
    ),
    _benchmark(
        "nrner",
        "CC-BY-NC-SA-4.0",
        "entities",
        "模擬看護記録の病変・薬品の抽出",
        "findings and drugs in mock nursing records",
        known_errors=_ENTITIES_ERROR,
    ),
)
