"""Readers: every record is read or counted with its reason, whatever the bytes are."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from rinsho.corpus.readers import RawRecord, format_of, read_records
from rinsho.corpus.readers import record as limits

LINES = [{"text": f"{day}日目、発熱なし。食事摂取良好。"} for day in range(50)]
JSON_LINES = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in LINES)


def rules(records: list[RawRecord]) -> list[str | None]:
    return [record.rejection.rule if record.rejection else None for record in records]


def texts(records: list[RawRecord]) -> list[str]:
    return [record.fields["text"] for record in records if record.rejection is None]


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
@pytest.mark.parametrize("encoding", ["utf-8", "cp932"])
def test_json_lines_are_read_plain_and_packed_in_both_encodings(
    tmp_path: Path, suffix: str, encoding: str
) -> None:
    pack = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}[suffix]
    path = tmp_path / f"notes.jsonl{suffix}"
    path.write_bytes(pack(JSON_LINES.encode(encoding)))
    records = list(read_records(path, "jsonl", encoding))  # pyright: ignore[reportArgumentType]
    assert texts(records) == [line["text"] for line in LINES]


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    for name, kind in (("a.jsonl", "jsonl"), ("a.txt", "text"), ("a.csv", "csv")):
        body = {"jsonl": '{"text": "発熱"}', "text": "発熱", "csv": "text\r\n発熱\r\n"}[kind]
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + body.encode())
        (record,) = read_records(tmp_path / name, kind, "utf-8")  # pyright: ignore[reportArgumentType]
        assert record.fields == {"text": "発熱"}


def test_broken_lines_are_counted_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    lines = [
        b'{"text": "one"}',
        b'{"text": ',
        '{"text": "発熱"}'.encode("cp932"),
        b'["text"]',
        b"",
        b"[" * 200_000,
        b'{"text": "last"}',
    ]
    path.write_bytes(b"\n".join(lines))
    records = list(read_records(path, "jsonl", "utf-8"))
    expected = [None, "broken_line", "wrong_encoding", "broken_line", "broken_line", None]
    assert rules(records) == expected
    assert texts(records) == ["one", "last"]
    assert sum(record.n_bytes for record in records) == sum(map(len, lines))


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_packed_file_that_is_cut_off_gives_what_it_has_and_one_rejection(
    tmp_path: Path, suffix: str
) -> None:
    pack = {".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}[suffix]
    noise = "".join(chr(0x4E00 + i * i % 5000) for i in range(40_000))
    body = "".join(f'{{"text": "{noise[i * 40 : i * 40 + 40]}"}}\n' for i in range(1000))
    packed = pack(body.encode())
    path = tmp_path / f"notes.jsonl{suffix}"
    path.write_bytes(packed[: len(packed) // 2])
    records = list(read_records(path, "jsonl", "utf-8"))
    assert rules(records)[-1] == "truncated_file"
    assert rules(records)[:-1] == [None] * (len(records) - 1)
    path.write_bytes(packed[:-4])
    assert rules(list(read_records(path, "jsonl", "utf-8")))[-1] == "truncated_file"


def test_packed_parts_one_after_another_are_one_file(tmp_path: Path) -> None:
    first, second = b'{"text": "a"}\n', b'{"text": "b"}\n'
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(first) + gzip.compress(second) + b"\0" * 9)
    compress = zstandard.ZstdCompressor().compress
    (tmp_path / "a.jsonl.zst").write_bytes(compress(first) + compress(second))
    for name in ("a.jsonl.gz", "a.jsonl.zst"):
        assert texts(list(read_records(tmp_path / name, "jsonl", "utf-8"))) == ["a", "b"]


def test_a_table_in_cp932_gives_rows_and_counts_broken_ones(tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    rows = [
        "患者番号,text",
        '1,"発熱あり。\r\n""38.5℃""、①咳嗽"',
        "2,腹痛,多い",
        "3,経過良好。髙橋",
    ]
    path.write_bytes("\r\n".join(rows).encode("cp932") + b"\r\n4,\x81\r\n5,end\r\n")
    records = list(read_records(path, "csv", "cp932"))
    assert rules(records) == [None, "broken_line", None, "wrong_encoding", None]
    assert texts(records) == ['発熱あり。\r\n"38.5℃"、①咳嗽', "経過良好。髙橋", "end"]
    assert records[0].fields["患者番号"] == "1"


def test_an_open_quote_is_a_broken_line(tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    path.write_text('text\nfirst\n"never closed\n', encoding="utf-8")
    assert rules(list(read_records(path, "csv", "utf-8"))) == [None, "broken_line"]


def test_a_text_file_is_one_document(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_bytes("S: 頭痛\r\nO: 麻痺なし".encode("cp932"))
    assert texts(list(read_records(path, "text", "cp932"))) == ["S: 頭痛\r\nO: 麻痺なし"]
    assert rules(list(read_records(path, "text", "utf-8"))) == ["wrong_encoding"]


def test_a_line_beyond_the_limit_is_counted_and_the_next_one_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_RECORD_BYTES", 100_000)
    path = tmp_path / "notes.jsonl"
    path.write_bytes(b"x" * 300_000 + b'\n{"text": "next"}\n' + b"y" * 200_000)
    records = list(read_records(path, "jsonl", "utf-8"))
    assert rules(records) == ["record_too_large", None, "record_too_large"]
    assert [records[0].n_bytes, records[2].n_bytes] == [300_000, 200_000]


@settings(max_examples=60)
@given(data=st.binary(max_size=300), kind=st.sampled_from(["jsonl", "csv", "tsv", "text"]))
def test_any_bytes_give_records_and_never_an_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, kind: str
) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    for suffix in ("", ".gz", ".zst"):
        path = folder / f"file{suffix}"
        path.write_bytes(data)
        for encoding in ("utf-8", "cp932", "euc-jp", "iso-2022-jp"):
            for record in read_records(path, kind, encoding):  # pyright: ignore[reportArgumentType]
                assert record.rejection is not None or isinstance(record.fields, dict)


def test_the_name_tells_the_format() -> None:
    names = ("a.jsonl", "a.JSONL.GZ", "b.csv.zst", "c.tsv", "d.txt", "e.dcm", "f.gz", "g")
    assert [format_of(Path(name)) for name in names] == [
        *("jsonl", "jsonl", "csv", "tsv", "text", None, None, None)
    ]
