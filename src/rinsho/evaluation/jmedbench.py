"""JMedBench: MedQA and MedMCQA in Japanese translation, read by the form their publishers document.

Their files are not supplied: `rinsho data` does not fetch them, and none of their content was seen.
Who has them puts each test part into `eval/jmedbench/NAME/test.jsonl` below the data folder.

Prompt: lettered options, zero-shot. Parser: one letter. Metrics: accuracy.
Source:
    nii-nlp/med-eval, JMedBench; Jiang et al. 2024, arXiv:2409.13317. One JSON object a line:
    `sample_id`, `question`, `options` (a list), `answer_idx` (from 0), `n_options`, `metadata`.
Known errors:
    Machine translation. JMedBench marks by the loss of option texts: its figures do not compare.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from rinsho.errors import BrokenRecord
from rinsho.evaluation.benchmark import LETTERS, Benchmark, Item, Sources
from rinsho.evaluation.benchmark_file import read_lines, require_unique, text_key


def read_task(sources: Sources, *, task: str) -> tuple[Item, ...]:
    """Read the test part of one task.

    Raises:
        DataFolderMissing, BenchmarkMissing: The file is not there; none is supplied.
        BrokenRecord: A row that lacks a field, or whose answer is no option.
    """
    name = f"jmedbench/{task}"
    rows = read_lines(sources, name, _path_of(task))
    return require_unique(name, tuple(_to_item(where, row) for where, row in rows))


def _to_item(where: str, row: Mapping[str, Any]) -> Item:
    match row:
        case {"sample_id": number, "question": str(question), "options": [_, *_] as options,
              "answer_idx": int(answer)} if 0 <= answer < len(options) <= len(LETTERS):  # fmt: skip
            choices = tuple(str(option) for option in options)
            return Item(
                str(number),
                "choice",
                question,
                choices,
                (LETTERS[answer],),
                document=text_key(question, *choices),
                source="jmedbench",
                wording="ja",
            )
        case _:
            expected = "sample_id, question, options, answer_idx of an option"
            raise BrokenRecord(where=where, expected=expected)


def _path_of(task: str) -> str:
    return f"eval/jmedbench/{task}/test.jsonl"


def _benchmark(task: str, ja: str, en: str) -> Benchmark:
    return Benchmark(
        name=f"jmedbench/{task}",
        version=1,
        license="see the publishers' terms",
        source="nii-nlp/med-eval, JMedBench",
        form="choice",
        ja=f"{ja}（ファイルは配布されていません）",
        en=f"{en} (its file is not supplied)",
        needs=f"{_path_of(task)} (--data)",
        load=functools.partial(read_task, task=task),
        known_errors="its file is not supplied; machine translation",
        files=(_path_of(task),),
        leading="accuracy",
        withholds_text=True,
    )


JMEDBENCH = (
    _benchmark("medqa", "米国医師試験の和訳", "USMLE in Japanese translation"),
    _benchmark("medmcqa", "インド医学部入試の和訳", "Indian entrance exams in translation"),
)
