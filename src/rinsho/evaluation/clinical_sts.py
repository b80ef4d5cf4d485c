"""JA-Clinical-STS: how close two sentences of case reports are in meaning, 0 to 5; 3,670 pairs.

Prompt: both sentences and the scale, a number as the answer. Parser: the first number. Metrics:
Pearson, Spearman, mean distance.
Source:
    sociocom/Japanese-Clinical-STS; Mutinda et al. 2021. CC BY-NC-SA 4.0.
Known errors:
    29 pairs stand there twice, 27 of them with another score. The 100 pairs of JMED-LLM's JCSTS are
    drawn from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rinsho.errors import BrokenRecord, MissingDependency
from rinsho.evaluation.benchmark import Benchmark, Item, Sources
from rinsho.evaluation.benchmark_file import find_file, require_unique, text_key
from rinsho.evaluation.jglue import rating_question

_PATH = "eval/ja_clinical_sts/dataset_JA_Clinical_STS.xls"
NAME = "ja-clinical-sts"


def read_pairs(sources: Sources) -> Iterator[tuple[str, str, int]]:
    """Yield the sentences and the score of each row of the spreadsheet.

    Raises:
        DataFolderMissing, BenchmarkMissing, BenchmarkChanged: The file is not there as published.
        MissingDependency: xlrd is not installed.
        BrokenRecord: A row that is not two sentences and a score from 0 to 5.
    """
    path = find_file(sources, NAME, _PATH)
    try:
        import xlrd
    except ImportError:
        raise MissingDependency(where=NAME, found="xlrd", expected="sources") from None
    sheet = xlrd.open_workbook(str(path)).sheet_by_index(0)
    for number in range(sheet.nrows):
        row: Any = sheet.row_values(number)
        match row:
            case [str(first), str(second), float(score)] if score in range(6):
                yield first, second, int(score)
            case _:
                raise BrokenRecord(where=f"{_PATH} row {number + 1}", expected="a score of 0 to 5")


def read_items(sources: Sources) -> tuple[Item, ...]:
    """Read every pair as a question for a number; pairs with one first sentence are drawn together.

    Raises:
        As `read_pairs`.
    """
    items = (
        Item(
            f"pair/{number}",
            "rating",
            rating_question(first, second),
            gold=(str(score),),
            document=text_key(first.strip()),
            source=NAME,
            wording="ja",
        )
        for number, (first, second, score) in enumerate(read_pairs(sources), start=1)
    )
    return require_unique(NAME, tuple(items))


JA_CLINICAL_STS = Benchmark(
    name=NAME,
    version=1,
    license="CC-BY-NC-SA-4.0",
    source="sociocom/Japanese-Clinical-STS",
    form="rating",
    ja="症例報告の文の類似度（0–5）",
    en="similarity of sentences of case reports, 0 to 5",
    needs=f"{_PATH} (--data)",
    load=read_items,
    is_noncommercial=True,
    known_errors="29 pairs stand there twice, 27 with another score; JCSTS is drawn from it",
    files=(_PATH,),
    n_items=3670,
)
