"""Every format: planted faults are counted, good records survive, and no bytes make an error."""

from __future__ import annotations

import bz2
import functools
import gzip
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from rinsho.corpus.readers import RawRecord, format_of, read_records
from tests.corpus.tiny_files import FILES, SENTENCES

PACK = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}
FORMATS = sorted(FILES)
# Formats where a file is one record; where one that is cut off loses all of it.
WHOLE = ("text", "html", "pdf", "xlsx", "xml", "ss-mix2")


def write(folder: Path, kind: str, packing: str = "") -> Path:
    path = folder / f"{FILES[kind][0]}{packing}"
    path.write_bytes(PACK[packing](made(kind)))
    return path


@functools.cache  # some formats hold the time they were made at
def made(kind: str) -> bytes:
    return FILES[kind][1](SENTENCES)


def read(path: Path, kind: Any) -> tuple[list[RawRecord], int]:
    n_bytes: list[int] = []
    records = list(read_records(path, kind, "utf-8", n_bytes.append))
    return records, sum(n_bytes)


def texts(records: list[RawRecord]) -> str:
    return "\n".join(r.fields["text"] for r in records if r.rejection is None)


def rules(records: list[RawRecord]) -> list[str]:
    return [record.rejection.rule for record in records if record.rejection is not None]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_good_file_gives_every_text_and_tells_every_byte(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, kind)
    records, n_bytes = read(path, kind)
    assert rules(records) == []
    assert all(sentence in texts(records) for sentence in SENTENCES)
    assert len(records) == (1 if kind in (*WHOLE[:3], "xml", "ss-mix2") else len(SENTENCES))
    assert n_bytes == path.stat().st_size
    assert all(record.n_bytes > 0 for record in records)


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "ss-mix2"])
def test_the_name_of_a_good_file_tells_its_format(kind: str) -> None:
    name = FILES[kind][0]
    assert format_of(Path(name)) == ("jsonl" if kind == "fhir" else kind)
    assert format_of(Path(f"{name}.bz2")) == ("jsonl" if kind == "fhir" else kind)


@pytest.mark.parametrize("packing", [".gz", ".bz2", ".zst"])
@pytest.mark.parametrize("kind", [k for k in FORMATS if k not in ("parquet", "ss-mix2")])
def test_packed_files_read_the_same_and_cut_off_ones_say_so(
    tmp_path: Path, kind: str, packing: str
) -> None:
    path = write(tmp_path, kind, packing)
    records, n_bytes = read(path, kind)
    assert rules(records) == []
    assert all(sentence in texts(records) for sentence in SENTENCES)
    assert n_bytes == path.stat().st_size
    path.write_bytes(path.read_bytes()[:-5])
    assert rules(read(path, kind)[0])[-1:] == ["truncated_file"]
    assert rules(read(path, kind)[0]).count("truncated_file") == 1


@pytest.mark.parametrize("kind", FORMATS)
def test_an_empty_file_gives_a_rejection_or_nothing(tmp_path: Path, kind: str) -> None:
    path = tmp_path / FILES[kind][0]
    path.write_bytes(b"")
    records, n_bytes = read(path, kind)
    lines = ("jsonl", "csv", "tsv", "oscar", "fhir")
    expected = [] if kind in (*lines, "text") else ["empty_file"]
    assert (rules(records), n_bytes) == (expected, 0)
    assert texts(records) == ""


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_that_ends_anywhere_gives_records_and_never_an_error(
    tmp_path: Path, kind: str
) -> None:
    path = write(tmp_path, kind)
    data = path.read_bytes()
    for n in range(0, len(data), max(1, len(data) // 40)):
        path.write_bytes(data[:n])
        records, n_bytes = read(path, kind)
        assert n_bytes == n
        assert all(r.rejection is None or not r.fields for r in records)


@pytest.mark.parametrize("kind", FORMATS)
@settings(max_examples=15)
@given(data=st.data())
def test_changed_bytes_give_records_and_never_an_error(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    path = write(tmp_path_factory.mktemp("changed"), kind)
    changed = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(changed)
    for record in read(path, kind)[0]:
        assert (record.rejection is None) == bool(record.fields)


@pytest.mark.parametrize("kind", FORMATS)
@settings(max_examples=15)
@given(data=st.binary(max_size=300))
def test_any_bytes_give_records_and_never_an_error(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("bytes") / FILES[kind][0]
    path.write_bytes(data)
    assert read(path, kind)[1] == len(data)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_in_another_encoding_is_refused_and_not_quoted(tmp_path: Path, kind: str) -> None:
    name, make = FILES[kind]
    if kind in ("parquet", "xlsx", "pdf", "html", "warc"):
        pytest.skip("the file says its own encoding, or is tried in several")
    text = make(SENTENCES).decode("iso-2022-jp" if kind == "hl7" else "utf-8")
    path = tmp_path / name
    path.write_bytes(text.encode("euc-jp"))
    records, _ = read(path, kind)
    assert set(rules(records)) == {"wrong_encoding"}
    assert not any(sentence[:4] in repr(records) for sentence in SENTENCES)
