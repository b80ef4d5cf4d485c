"""Files of benchmarks: found below the data folder, checked against the catalog, read as they are.

A file that is missing or changed is named with the hash that was expected and the way to get it.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from rinsho.datasets.catalog import DataFile, Dataset, read_catalog
from rinsho.errors import BenchmarkChanged, BenchmarkMissing, BrokenRecord, DataFolderMissing
from rinsho.evaluation.benchmark import LETTERS, Item, Sources


@functools.cache
def catalogued_files() -> dict[str, tuple[Dataset, DataFile]]:
    """Return every file of the catalog by its path below the data folder."""
    return {file.path: (dataset, file) for dataset in read_catalog() for file in dataset.files}


def how_to_get(path: str) -> str:
    """Return what a file is and how it comes here, in one line.

    >>> how_to_get("eval/jmed_llm/crade.csv").split(", ")[-1]
    '`rinsho data fetch jmed-llm --to DIR`'
    """
    if path not in catalogued_files():
        return path
    dataset, file = catalogued_files()[path]
    return f"{path}, SHA-256 {file.sha256}, `rinsho data fetch {dataset.name} --to DIR`"


def find_file(sources: Sources, benchmark: str, path: str) -> Path:
    """Return where a benchmark's file lies, its bytes checked where the catalog knows them.

    Raises:
        DataFolderMissing: No data folder was given.
        BenchmarkMissing: The folder lacks the file.
        BenchmarkChanged: Its SHA-256 is not the catalog's.
    """
    if sources.data is None:
        raise DataFolderMissing(where=benchmark)
    file = sources.data / path
    if not file.is_file():
        raise BenchmarkMissing(where=f"{benchmark}: {path}", expected=how_to_get(path))
    if path in catalogued_files():
        dataset, known = catalogued_files()[path]
        found = hashlib.sha256(file.read_bytes()).hexdigest()
        if found != known.sha256:
            where = f"{path} ({dataset.repository}, {dataset.commit[:12]})"
            raise BenchmarkChanged(where=where, expected=known.sha256, found=found)
    return file


def read_lines(sources: Sources, benchmark: str, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (place, object) of a file of JSON lines; the place names file and line, no text.

    Raises:
        BrokenRecord: A line that is no JSON object.
    """
    with find_file(sources, benchmark, path).open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield f"{path} line {number}", _object(line, f"{path} line {number}")


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        value: Any = json.loads(line)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise BrokenRecord(where=where, expected="a JSON object")
    return cast(dict[str, Any], value)


def read_json(sources: Sources, benchmark: str, path: str) -> Any:
    """Return the value of a JSON file.

    Raises:
        BrokenRecord: It is no JSON.
    """
    file = find_file(sources, benchmark, path)
    try:
        return json.loads(file.read_text(encoding="utf-8-sig"))
    except ValueError:
        raise BrokenRecord(where=path, expected="JSON") from None


def read_rows(sources: Sources, benchmark: str, path: str) -> Iterator[tuple[str, list[str]]]:
    """Yield (place, cells) of a CSV file without a header, every cell as the string it is."""
    with find_file(sources, benchmark, path).open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.reader(file), start=1):
            yield f"{path} row {number}", row


def to_letters(answers: Iterable[str], n_choices: int, where: str) -> tuple[str, ...]:
    """Return gold letters in capitals and in order.

    Raises:
        BrokenRecord: One is not the letter of a choice.

    >>> to_letters(["d", "a"], 5, "x")
    ('A', 'D')
    """
    letters = sorted({answer.strip().upper() for answer in answers})
    known = LETTERS[:n_choices]
    if not letters or any(len(letter) != 1 or letter not in known for letter in letters):
        raise BrokenRecord(where=where, expected=f"letters of {known or 'no choices'}")
    return tuple(letters)


def require_unique(benchmark: str, items: tuple[Item, ...]) -> tuple[Item, ...]:
    """Return items whose ids differ.

    Raises:
        BrokenRecord: Two have one id, or there is none.
    """
    seen = set[str]()
    for item in items:
        if item.id in seen:
            raise BrokenRecord(where=f"{benchmark} {item.id}", expected="each id once")
        seen.add(item.id)
    if not items:
        raise BrokenRecord(where=benchmark, expected="at least one item")
    return items


def text_key(*texts: str) -> str:
    """Return a hash of texts: items with equal ones are drawn together."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
