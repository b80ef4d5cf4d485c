"""Readers: one file to raw records, streaming; what cannot be read is a record with its reason."""

from __future__ import annotations

import csv
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import zstandard

from rinsho.corpus.document import Rejection

FileFormat = Literal["jsonl", "csv", "tsv", "text"]
Encoding = Literal["utf-8", "cp932", "euc-jp", "iso-2022-jp"]
FORMATS: dict[str, FileFormat] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "text",
}
_CHUNK_BYTES = 2**16
_ZSTD_CHUNK_BYTES = 2**12  # small: four bytes of zstd can unpack to 128 KB
MAX_RECORD_BYTES = 64 * 2**20  # a longer line or text file is no document
_UTF8_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class RawRecord:
    """What one line, row or file held: fields as they were written, or why there are none."""

    n_bytes: int
    fields: Mapping[str, Any]
    rejection: Rejection | None = None


class _Unreadable(Exception):
    """The rest of a file cannot be unpacked."""


class _Unpacker(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def format_of(path: Path) -> FileFormat | None:
    """Return the format that a name tells, with or without .gz or .zst; None for any other."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in (".gz", ".zst"):
        suffixes.pop()
    return FORMATS.get(suffixes[-1]) if suffixes else None


def read_records(
    path: Path,
    file_format: FileFormat,
    encoding: Encoding,
    on_read: Callable[[int], None] = lambda n_bytes: None,
) -> Iterator[RawRecord]:
    """Yield every record of a file, in order, without holding the file in memory.

    Args:
        path: A plain, .gz or .zst file.
        file_format: One record per JSON line, per row of a table with a header, or per file.
        encoding: Of the text; a byte order mark is skipped.
        on_read: Called with the number of bytes read from disk.
    """
    chunks = _unpacked(path, on_read)
    if file_format == "jsonl":
        return _read_json_lines(_lines(chunks), encoding)
    if file_format == "text":
        return _read_text(chunks, encoding)
    return _read_table(_lines(chunks), encoding, "\t" if file_format == "tsv" else ",")


# ---------------------------------------------------------------------------------- bytes


def _unpacked(path: Path, on_read: Callable[[int], None]) -> Iterator[bytes]:
    """Yield the unpacked bytes; raise `_Unreadable` where a packed file is cut off or broken."""
    kind = path.suffix.lower()
    with path.open("rb") as file:
        n_bytes = _ZSTD_CHUNK_BYTES if kind == ".zst" else _CHUNK_BYTES
        chunks = iter(lambda: file.read(n_bytes), b"")
        if kind == ".gz":
            yield from _unpack(_counted(chunks, on_read), lambda: zlib.decompressobj(31))
        elif kind == ".zst":
            new = cast(
                Callable[[], _Unpacker], lambda: zstandard.ZstdDecompressor().decompressobj()
            )
            yield from _unpack(_counted(chunks, on_read), new)
        else:
            yield from _counted(chunks, on_read)


def _counted(chunks: Iterable[bytes], on_read: Callable[[int], None]) -> Iterator[bytes]:
    for chunk in chunks:
        on_read(len(chunk))
        yield chunk


def _unpack(chunks: Iterable[bytes], new: Callable[[], _Unpacker]) -> Iterator[bytes]:
    unpacker: _Unpacker | None = None  # a file may hold several packed parts, one after another
    for chunk in chunks:
        while chunk:
            unpacker = unpacker or new()
            try:
                yield unpacker.decompress(chunk)
            except (zlib.error, zstandard.ZstdError):
                raise _Unreadable from None
            chunk = b""
            if unpacker.eof:
                chunk, unpacker = unpacker.unused_data.lstrip(b"\0"), None
    if unpacker is not None:
        raise _Unreadable


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes | Rejection]:
    """Yield lines without their end; a line that is too long, or a lost rest, as a rejection."""
    parts: list[bytes] = []  # of the line that is being read; empty once it is too long
    n_bytes = 0
    try:
        for chunk in chunks:
            *ended, rest = chunk.split(b"\n")
            for piece in ended:
                yield _line([*parts, piece], n_bytes + len(piece))
                parts, n_bytes = [], 0
            n_bytes += len(rest)
            parts.append(rest)
            if n_bytes > MAX_RECORD_BYTES:
                parts.clear()
    except _Unreadable:
        yield Rejection("truncated_file", n_bytes, "a whole file")
        return
    if n_bytes:
        yield _line(parts, n_bytes)


def _line(parts: list[bytes], n_bytes: int) -> bytes | Rejection:
    if n_bytes > MAX_RECORD_BYTES:
        return Rejection("record_too_large", n_bytes, MAX_RECORD_BYTES)
    return b"".join(parts)


def _refused(rejection: Rejection) -> RawRecord:
    return RawRecord(int(rejection.measured), {}, rejection)


# -------------------------------------------------------------------------------- formats


def _read_json_lines(lines: Iterator[bytes | Rejection], encoding: Encoding) -> Iterator[RawRecord]:
    is_first = True
    for line in lines:
        if isinstance(line, Rejection):
            yield _refused(line)
            continue
        if is_first:
            line, is_first = line.removeprefix(_UTF8_BOM), False
        if line.strip():
            yield _to_record(line, encoding)


def _to_record(line: bytes, encoding: Encoding) -> RawRecord:
    try:
        text = line.decode(encoding)
    except UnicodeDecodeError as error:
        rejection = Rejection("wrong_encoding", f"byte {error.start}", encoding)
        return RawRecord(len(line), {}, rejection)
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        rejection = Rejection("broken_line", f"character {error.pos}", "JSON")
        return RawRecord(len(line), {}, rejection)
    except (ValueError, RecursionError):
        return RawRecord(len(line), {}, Rejection("broken_line", "number or nesting", "JSON"))
    if not isinstance(value, dict):
        return RawRecord(len(line), {}, Rejection("broken_line", "no object", "JSON object"))
    return RawRecord(len(line), cast(dict[str, Any], value))


def _read_text(chunks: Iterator[bytes], encoding: Encoding) -> Iterator[RawRecord]:
    parts: list[bytes] = []
    n_bytes = 0
    try:
        for chunk in chunks:
            n_bytes += len(chunk)
            if n_bytes <= MAX_RECORD_BYTES:
                parts.append(chunk)
    except _Unreadable:
        yield _refused(Rejection("truncated_file", n_bytes, "a whole file"))
        return
    if n_bytes > MAX_RECORD_BYTES:
        yield _refused(Rejection("record_too_large", n_bytes, MAX_RECORD_BYTES))
        return
    try:
        text = b"".join(parts).removeprefix(_UTF8_BOM).decode(encoding)
    except UnicodeDecodeError as error:
        rejection = Rejection("wrong_encoding", f"byte {error.start}", encoding)
        yield RawRecord(n_bytes, {}, rejection)
        return
    yield RawRecord(n_bytes, {"text": text})


class _DecodedLines:
    """Lines of a table as text, and how many bytes the reader took since it was last asked."""

    def __init__(self, lines: Iterator[bytes | Rejection], encoding: Encoding) -> None:
        self._lines = lines
        self._encoding: Encoding = encoding
        self._n_bytes, self._is_first = 0, True
        self.lost: list[Rejection] = []

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            if isinstance(line, Rejection):
                self.lost.append(line)
                continue
            if self._is_first:
                line, self._is_first = line.removeprefix(_UTF8_BOM), False
            self._n_bytes += len(line) + 1
            yield _decode_visibly(line, self._encoding) + "\n"

    def take(self) -> int:
        """Return the bytes read since the last call."""
        n_bytes, self._n_bytes = self._n_bytes, 0
        return n_bytes


def _decode_visibly(line: bytes, encoding: Encoding) -> str:
    """Decode a line; what is not in the encoding becomes surrogates, by which its row is refused.

    Commas and quotes stay, so that the rows around it are read.
    """
    try:
        return line.decode(encoding)
    except UnicodeDecodeError:
        text = line.decode("ascii", "surrogateescape").replace("\x1b", "\udcff")
        return text if not text.isascii() else "\udcff" * len(text)


def _read_table(
    lines: Iterator[bytes | Rejection], encoding: Encoding, delimiter: str
) -> Iterator[RawRecord]:
    csv.field_size_limit(MAX_RECORD_BYTES)
    decoded = _DecodedLines(lines, encoding)
    rows = csv.reader(iter(decoded), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    while True:
        try:
            row = next(rows)
        except StopIteration:
            break
        except csv.Error:
            yield RawRecord(decoded.take(), {}, Rejection("broken_line", "quotes", "CSV"))
            continue
        n_bytes = decoded.take()
        if header is None:
            header = [name.strip() for name in row]
        elif row:
            yield _to_row(header, row, n_bytes, encoding)
    yield from map(_refused, decoded.lost)


def _to_row(header: list[str], row: list[str], n_bytes: int, encoding: Encoding) -> RawRecord:
    try:
        "".join(row).encode()
    except UnicodeEncodeError:
        return RawRecord(n_bytes, {}, Rejection("wrong_encoding", "row", encoding))
    if len(row) != len(header):
        return RawRecord(n_bytes, {}, Rejection("broken_line", len(row), len(header)))
    return RawRecord(n_bytes, dict(zip(header, row, strict=True)))
