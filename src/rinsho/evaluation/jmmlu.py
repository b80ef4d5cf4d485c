"""JMMLU: Japanese four-choice questions of 51 subjects; 12 of them medicine and health.

Prompt: lettered options, zero-shot. Parser: one letter. Metrics: accuracy, mean over subjects.
Source:
    nlp-waseda/JMMLU, CC BY-SA 4.0. Files have no header; 50 of 51 begin with a byte-order mark.
Known errors:
    Cells hold line breaks (360 rows); 22 rows have two equal options and 14 rows are there twice;
    nutrition/66 asks for two answers and has one. 306 rows have four numbers as options: every
    cell is read as the string it is.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

from rinsho.errors import BrokenRecord
from rinsho.evaluation.benchmark import Benchmark, Item, Sources
from rinsho.evaluation.benchmark_file import (
    catalogued_files,
    read_rows,
    require_unique,
    text_key,
    to_letters,
)
from rinsho.evaluation.parse import why_unanswerable

_FOLDER = "eval/jmmlu"
MEDICAL = (
    "anatomy",
    "clinical_knowledge",
    "college_biology",
    "college_medicine",
    "high_school_biology",
    "human_aging",
    "human_sexuality",
    "medical_genetics",
    "nutrition",
    "professional_medicine",
    "professional_psychology",
    "virology",
)


@functools.cache
def subject_files(*, is_medical: bool) -> tuple[str, ...]:
    """Return the files of the medical subjects, or of the others, by name."""
    paths = sorted(path for path in catalogued_files() if path.startswith(f"{_FOLDER}/"))
    return tuple(path for path in paths if (_subject_of(path) in MEDICAL) == is_medical)


def _subject_of(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".csv")


def read_subjects(sources: Sources, *, name: str, is_medical: bool) -> tuple[Item, ...]:
    """Read the subjects, each a tag.

    Raises:
        DataFolderMissing, BenchmarkMissing, BenchmarkChanged: The files are not there as published.
        BrokenRecord: A row that has not six cells, or whose letter is no choice.
    """
    paths = subject_files(is_medical=is_medical)
    items = tuple(item for path in paths for item in _read_subject(sources, name, path))
    return require_unique(name, items)


def _read_subject(sources: Sources, name: str, path: str) -> Iterable[Item]:
    subject = _subject_of(path)
    for number, (where, row) in enumerate(read_rows(sources, name, path), start=1):
        if len(row) != 6:
            raise BrokenRecord(where=where, expected="6 cells", found=f"{len(row)} cells")
        question, *choices, letter = row
        gold = to_letters([letter], 4, where)
        yield Item(
            f"{subject}/{number}",
            "choice",
            question,
            tuple(choices),
            gold,
            document=text_key(question, *choices),
            tag=subject,
            source="jmmlu",
            excluded=why_unanswerable(question, gold),
            wording="ja",
        )


def _benchmark(name: str, ja: str, en: str, n_items: int, *, is_medical: bool) -> Benchmark:
    return Benchmark(
        name=name,
        version=1,
        license="CC-BY-SA-4.0",
        source="nlp-waseda/JMMLU",
        form="choice",
        ja=ja,
        en=en,
        needs=f"{_FOLDER} (--data)",
        load=functools.partial(read_subjects, name=name, is_medical=is_medical),
        known_errors="22 rows have two equal options; 14 rows are there twice",
        files=subject_files(is_medical=is_medical),
        n_items=n_items,
        leading="accuracy",
    )


JMMLU = (
    _benchmark(
        "jmmlu/medical", "医学・健康の12科目", "12 subjects of medicine", 1701, is_medical=True
    ),
    _benchmark(
        "jmmlu/general", "その他の39科目（忘却の確認）", "39 other subjects", 5096, is_medical=False
    ),
)
