"""The strings of a benchmark file of any make: what a corpus may not contain."""

from __future__ import annotations

import csv
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rinsho.errors import BrokenRecord

_DOCUMENTATION = (".md", ".conf", ".ann")  # not items: readme, settings, stand-off labels
_TAG = re.compile(r"<[^<>]{0,200}>")
# Runs of text in a file of unknown make: .xls holds strings as UTF-16, plain ASCII as bytes.
_WIDE_RUN = re.compile(
    "[ -~\u00a1-\u00ff\u0370-\u04ff\u2000-\u26ff"
    "\u3000-\u33ff\u4e00-\u9fff\uf900-\ufaff\uff01-\uffef]{10,}"
)
_ASCII_RUN = re.compile(rb"[ -~]{10,}")


def holds_items(path: Path) -> bool:
    """Whether a file of a benchmark may hold items: not a readme, settings or labels."""
    return path.suffix.lower() not in _DOCUMENTATION


def benchmark_name(file: Path, folder: Path) -> str:
    """Return the folder below `folder` that a file lies in, or that folder's own name.

    >>> benchmark_name(Path("eval/jglue/jsquad.json"), Path("eval"))
    'jglue'
    """
    parts = file.relative_to(folder).parts if file != folder else ()
    return parts[0] if len(parts) > 1 else (folder if parts else folder.parent).name


def read_cells(path: Path, least: int = 0) -> Iterator[str]:
    """Yield the strings of a file: cells of CSV, values of JSON, text of XML, lines of text.

    Values of JSON with fewer than `least` characters are left out: a file may hold a million. What
    is not UTF-8 or not the format its name tells is read as what it can be: nothing that stands
    in a benchmark may be missed because its file is odd.
    """
    raw = path.read_bytes()
    kind = path.suffix.lower()
    if kind == ".gz":
        raw, kind = _unpack(path, raw), Path(path.stem).suffix.lower()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        yield from _wide_runs(raw)
        return
    if kind in (".json", ".jsonl"):
        yield from _json_cells(text, least)
    elif kind in (".csv", ".tsv"):
        csv.field_size_limit(2**31 - 1)
        delimiter = "\t" if kind == ".tsv" else ","
        for row in csv.reader(text.splitlines(keepends=True), delimiter=delimiter):
            yield from row
    else:
        yield _TAG.sub("", text)


def _unpack(path: Path, raw: bytes) -> bytes:
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error):
        where = f"{path.parent.name}/{path.name}"
        raise BrokenRecord(where=where, found="gzip", expected="a whole file") from None


def _json_cells(text: str, least: int) -> Iterator[str]:
    try:
        yield from _strings(json.loads(text), least)
    except json.JSONDecodeError:
        for line in text.splitlines():
            if len(line) < least:
                continue
            try:
                yield from _strings(json.loads(line), least)
            except json.JSONDecodeError:
                yield line


def _strings(value: Any, least: int) -> Iterator[str]:
    """Yield the strings in a value, those of one table or list together, outer ones first."""
    lists: list[Any] = [[value]]
    for values in lists:  # grows as it is read
        for one in values:
            kind = type(one)
            if kind is str:
                if len(one) >= least:
                    yield one
            elif kind is dict:
                lists.append(one.values())
            elif kind is list:
                lists.append(one)


def _wide_runs(raw: bytes) -> Iterator[str]:
    try:
        yield raw.decode("cp932")
    except UnicodeDecodeError:
        for shift in (0, 1):
            yield from _WIDE_RUN.findall(raw[shift:].decode("utf-16-le", "replace"))
        yield from (run.decode("ascii") for run in _ASCII_RUN.findall(raw))
