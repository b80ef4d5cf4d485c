"""SogoCheck: find what changed between two versions of a pharmacopoeia text; easy and medium.

Prompt: both texts, zero-shot, one `- before → after` a line (corrected). Parser: bullets cut at
their arrow. Metrics: F1, precision and recall of pairs, and the publishers' recall beside them.
Source:
    EQUES-Inc/pharma-LLM-eval, IJCNLP 2025 long.72. CC BY-SA 4.0.
Known errors:
    492 of 1,844 easy and 235 of 1,125 medium pairs have equal texts and do not count; 24 and 11 of
    the rest repeat another one of their row. Only 1,011 of 1,352 and 306 of 890 have both texts in
    the documents as they are: no quotation finds the others. The published
    score is recall alone, which listing everything satisfies, and the script shows one text inside
    a printed list. Its three demonstrations stand in that script, not among the files: the
    published prompt is not reproduced.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from rinsho.errors import BrokenRecord
from rinsho.evaluation.benchmark import Benchmark, Item, Sources
from rinsho.evaluation.benchmark_file import read_lines, require_unique, text_key

_BEFORE = {"easy": "in", "medium": "original"}  # the publishers compare these with "out"


def read_level(sources: Sources, *, level: str) -> tuple[Item, ...]:
    """Read one level.

    Raises:
        DataFolderMissing, BenchmarkMissing, BenchmarkChanged: The file is not there as published.
        BrokenRecord: A row whose lists of texts differ in length.
    """
    name, path = f"sogocheck/{level}", _path_of(level)
    rows = read_lines(sources, name, path)
    return require_unique(name, tuple(_to_item(level, where, row) for where, row in rows))


def _path_of(level: str) -> str:
    return f"eval/sogocheck/{level}.jsonl"


def _to_item(level: str, where: str, row: Mapping[str, Any]) -> Item:
    before, after = row["before"], row["after"]
    if len(before) != len(after):
        raise BrokenRecord(where=where, expected="as many texts before as after")
    pairs = ((str(old), str(new)) for old, new in zip(before, after, strict=True))
    first, second = str(row[_BEFORE[level]]), str(row["out"])
    return Item(
        str(row["id"]),
        "pairs",
        f"\n文書1（変更前）:\n{first}\n\n文書2（変更後）:\n{second}",
        document=text_key(str(row["name"])),
        tag=str(row.get("doc_type", "")),
        source="sogocheck",
        gold_pairs=tuple(pair for pair in pairs if pair[0] != pair[1]),
        wording="ja",
    )


def _benchmark(level: str, n_items: int, ja: str, en: str) -> Benchmark:
    return Benchmark(
        name=f"sogocheck/{level}",
        version=1,
        license="CC-BY-SA-4.0",
        source="EQUES-Inc/pharma-LLM-eval, SogoCheck",
        form="pairs",
        ja=ja,
        en=en,
        needs=f"{_path_of(level)} (--data)",
        load=functools.partial(read_level, level=level),
        known_errors="many gold texts do not stand in the documents as they are; the published "
        "score is recall alone; the published prompt is not reproduced",
        files=(_path_of(level),),
        n_items=n_items,
        reports_published_recall=True,
    )


SOGOCHECK = (
    _benchmark("easy", 200, "薬局方文書の変更箇所（易）", "changes in pharmacopoeia texts, easy"),
    _benchmark(
        "medium", 162, "薬局方文書の変更箇所（中）", "changes in pharmacopoeia texts, medium"
    ),
)
