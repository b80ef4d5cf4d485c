"""JSON lines under zstd: the form of every folder that holds records.

zstandard is imported where a file is opened: the training loop runs on a machine without it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rinsho.errors import BrokenRecord


def write_json_lines(path: Path, values: Iterable[Mapping[str, Any]]) -> int:
    """Write JSON lines, zstd-compressed, the same bytes for the same values; return how many."""
    import zstandard

    n_lines = 0
    compressor = zstandard.ZstdCompressor(level=6, write_content_size=False)
    with path.open("wb") as file, compressor.stream_writer(file) as stream:
        for value in values:
            stream.write(json.dumps(value, ensure_ascii=False).encode() + b"\n")
            n_lines += 1
    return n_lines


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file that `write_json_lines` wrote."""
    import zstandard

    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
        for number, line in enumerate(io.TextIOWrapper(stream, encoding="utf-8"), start=1):
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                place = f"{path.name} line {number}"
                raise BrokenRecord(where=place, found="not JSON", expected="JSON") from None
