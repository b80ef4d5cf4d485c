"""A folder of splits on disk: which items are learned and asked, by name, with their hashes.

`splits.json` lists the splits; each has a folder with `items.jsonl.gz` (every item and its part),
`examples.jsonl.gz` (for `finetune` with a head) and `conversations.jsonl.gz` (for `encode`).
`split/NAME` is the benchmark of a split's test items, with the splits folder as `--data`.
"""

from __future__ import annotations

import dataclasses
import functools
import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rinsho.errors import BenchmarkMissing, DataFolderMissing
from rinsho.evaluation.benchmark import Benchmark, Item, Sources
from rinsho.manifest import FinishedFolder, canonical_json, open_folder, write_file

PREFIX = "split/"
SPLITS, ITEMS = "splits.json", "items.jsonl.gz"
EXAMPLES, CONVERSATIONS = "examples.jsonl.gz", "conversations.jsonl.gz"
Setting = Literal["official", "grouped", "disjoint"]
Part = Literal["train", "validation", "test"]
# How the report names the settings.
SETTINGS: dict[Setting, str] = {
    "official": "official split, leaky",
    "grouped": "document-grouped cross-validation",
    "disjoint": "document-disjoint",
}
_FIELDS = ("id", "form", "question", "choices", "gold", "document", "tag", "source", "wording",
           "instruction")  # fmt: skip
_DESCRIPTION = ("version", "license", "source", "form", "ja", "en", "is_noncommercial", "weighting",
                "has_official_protocol", "known_errors", "language", "leading",
                "withholds_text")  # fmt: skip


@dataclass(frozen=True, slots=True)
class PartCount:
    """How large a part is, and the SHA-256 of the ids of its items."""

    n_rows: int
    n_documents: int
    sha256: str


@dataclass(frozen=True, slots=True)
class SplitRecord:
    """One split: a task, a setting, a fold of it, and what its training gives away."""

    name: str
    benchmark: str
    setting: Setting
    fold: int
    description: Mapping[str, Any]  # of the benchmark
    parts: Mapping[str, PartCount]
    n_leaking_test_rows: int  # their document also stands in training
    n_leaking_documents: int
    gives_away: Mapping[str, int]  # other official tests: documents of theirs in training


@dataclass(frozen=True, slots=True)
class Split:
    """A split with its items."""

    record: SplitRecord
    train: tuple[Item, ...]
    validation: tuple[Item, ...]
    test: tuple[Item, ...]


def count_part(items: Iterable[Item]) -> PartCount:
    """Count the rows and documents of a part."""
    rows = list(items)
    ids = "\n".join(item.id for item in rows)
    sha256 = hashlib.sha256(ids.encode()).hexdigest()
    return PartCount(len(rows), len({item.document for item in rows}), sha256)


def describe(benchmark: Benchmark) -> dict[str, Any]:
    """Return what a split keeps of its benchmark."""
    return {name: getattr(benchmark, name) for name in _DESCRIPTION}


# ----------------------------------------------------------------------------------- writing


def write_splits(folder: Path, splits: Iterable[SplitRecord], omitted: Mapping[str, str]) -> None:
    """Write the list of splits, and why others were left out."""
    value = {"splits": [dataclasses.asdict(one) for one in splits], "omitted": dict(omitted)}
    write_file(folder / SPLITS, canonical_json(value) + b"\n")


def write_items(path: Path, split: Split) -> None:
    """Write the items of a split, each with its part."""
    parts: dict[Part, tuple[Item, ...]] = {
        "train": split.train, "validation": split.validation, "test": split.test,
    }  # fmt: skip
    write_lines(path, ({"part": p, **_to_line(i)} for p, items in parts.items() for i in items))


def _to_line(item: Item) -> dict[str, Any]:
    return {name: value for name in _FIELDS if (value := getattr(item, name))}


def write_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> int:
    """Write records as gzipped JSON lines, the same bytes every time; return how many."""
    lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in records]
    path.parent.mkdir(exist_ok=True)
    write_file(path, gzip.compress("".join(lines).encode(), compresslevel=6, mtime=0))
    return len(lines)


# ----------------------------------------------------------------------------------- reading


def read_records(folder: FinishedFolder) -> tuple[SplitRecord, ...]:
    """Return the splits of a folder that `split` made."""
    listed: dict[str, Any] = json.loads((folder.path / SPLITS).read_bytes())
    return tuple(_to_record(one) for one in listed["splits"])


def _to_record(fields: dict[str, Any]) -> SplitRecord:
    parts = {name: PartCount(**part) for name, part in fields.pop("parts").items()}
    return SplitRecord(parts=parts, **fields)


def read_omitted(folder: FinishedFolder) -> dict[str, str]:
    """Return which splits were left out, with the reasons."""
    return json.loads((folder.path / SPLITS).read_bytes())["omitted"]


def read_split(folder: FinishedFolder, record: SplitRecord) -> Split:
    """Read the items of a split."""
    parts: dict[str, list[Item]] = {"train": [], "validation": [], "test": []}
    with gzip.open(folder.path / record.name / ITEMS, "rt", encoding="utf-8") as lines:
        for line in lines:
            fields: dict[str, Any] = json.loads(line)
            part = fields.pop("part")
            fields |= {key: tuple(fields[key]) for key in ("choices", "gold") if key in fields}
            parts[part].append(Item(**fields))
    return Split(record, *(tuple(parts[part]) for part in ("train", "validation", "test")))


def to_benchmark(record: SplitRecord, folder: FinishedFolder) -> Benchmark:
    """Return the test items of a split as a benchmark."""
    return Benchmark(
        name=PREFIX + record.name,
        needs=f"{record.name}/{ITEMS} (--data: a folder of splits)",
        load=functools.partial(_load_test, folder=folder, record=record),
        n_items=record.parts["test"].n_rows,
        **record.description,
    )


def _load_test(
    sources: Sources, *, folder: FinishedFolder, record: SplitRecord
) -> tuple[Item, ...]:
    return read_split(folder, record).test


def describe_split(name: str, sources: Sources) -> Benchmark:
    """Return the benchmark `split/NAME` of the splits folder that is given as data.

    Raises:
        DataFolderMissing: No folder was given.
        NotFinished, Corrupt, WrongKind: It is no finished folder of splits.
        BenchmarkMissing: It has no split of that name.
    """
    if sources.data is None:
        raise DataFolderMissing(where=name)
    folder = open_folder(sources.data, "split")
    for record in read_records(folder):
        if PREFIX + record.name == name:
            return to_benchmark(record, folder)
    raise BenchmarkMissing(where=name, expected=name.removeprefix(PREFIX))
