"""Readers of tables in files that are no text: Parquet, XLSX, XLS."""

from __future__ import annotations

import datetime
import io
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from rinsho.corpus.readers import RawRecord, read_records, sheets
from tests.corpus.tiny_files import SENTENCES, parquet, xlsx


def rules(records: list[RawRecord]) -> list[str | None]:
    return [record.rejection.rule if record.rejection else None for record in records]


def read(path: Path, kind: str) -> list[RawRecord]:
    return list(read_records(path, kind, "utf-8"))  # pyright: ignore[reportArgumentType]


def test_rows_of_parquet_keep_their_types_and_dates_become_text(tmp_path: Path) -> None:
    day = datetime.date(2024, 1, 31)
    rows = [{"text": s, "n": 3, "day": day, "tags": ["a"]} for s in SENTENCES]
    path = tmp_path / "a.parquet"
    path.write_bytes(parquet([*rows, {"text": None, "n": None, "day": None, "tags": None}]))
    records = read(path, "parquet")
    assert records[0].fields == {"text": SENTENCES[0], "n": 3, "day": "2024-01-31", "tags": ["a"]}
    assert records[3].fields["text"] is None
    assert rules(records) == [None] * 4


def test_a_broken_row_group_costs_no_other(tmp_path: Path) -> None:
    marks = ["一" * 300, "二" * 300, "三" * 300]
    data = bytearray(parquet([{"text": mark} for mark in marks], rows_per_group=1))
    at = data.find("二".encode() * 300)
    data[at - 8 : at + 900] = b"\xff" * 908
    path = tmp_path / "a.parquet"
    path.write_bytes(data)
    records = read(path, "parquet")
    assert rules(records) == [None, "broken_row_group", None]
    assert [records[n].fields["text"] for n in (0, 2)] == [marks[0], marks[2]]


def test_bytes_that_are_no_text_cost_their_row(tmp_path: Path) -> None:
    data = parquet([{"text": "first"}, {"text": "zweite"}, {"text": "third"}])
    path = tmp_path / "a.parquet"
    path.write_bytes(data.replace(b"zweite", b"\xff\xfeeite"))
    assert rules(read(path, "parquet")) == [None, "wrong_encoding", None]


@pytest.mark.campaign
def test_a_value_that_many_rows_share_is_in_memory_once(tmp_path: Path) -> None:
    """60 rows of 8 MB are 480 MB; in the file the text stands once."""
    path = tmp_path / "a.parquet"
    path.write_bytes(parquet([{"text": "あ" * 2_700_000}] * 60, rows_per_group=60))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    n_chars = sum(len(r.fields["text"]) for r in read_records(path, "parquet", "utf-8"))
    assert n_chars == 60 * 2_700_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000


def test_every_sheet_has_a_header_of_its_own(tmp_path: Path) -> None:
    day = datetime.datetime(2024, 1, 31)
    first = [(), ("番号", "text", "日付"), (1, SENTENCES[0], day), (), (2.5, SENTENCES[1])]
    second = [("経過", "備考"), (SENTENCES[2], True), ("短い", "a", "列が多い")]
    path = tmp_path / "a.xlsx"
    path.write_bytes(xlsx({"外来": first, "入院": second, "空": []}))
    records = read(path, "xlsx")
    assert rules(records) == [None, None, None, "broken_line"]
    assert [record.fields for record in records[:3]] == [
        {"番号": "1", "text": SENTENCES[0], "日付": "2024-01-31"},
        {"番号": "2.5", "text": SENTENCES[1], "日付": ""},
        {"経過": SENTENCES[2], "備考": "True"},
    ]


def test_strings_that_excel_keeps_apart_are_found(tmp_path: Path) -> None:
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/'
        'content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-'
        'package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/>'
        f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}.sharedStrings+xml"/>'
        "</Types>",
        "_rels/.rels": f'<Relationships xmlns="{package}"><Relationship Id="r1" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}">'
        f'<Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="r2" Type="{office}/sharedStrings" Target="sharedStrings.xml"/>'
        "</Relationships>",
        "xl/sharedStrings.xml": f'<sst xmlns="{main}"><si><t>text</t></si><si><r><t>発熱</t></r>'
        "<r><t>あり</t></r><rPh sb='0' eb='2'><t>ハツネツ</t></rPh></si></sst>",
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData><row r="1">'
        '<c r="A1" t="s"><v>0</v></c></row><row r="2"><c r="A2" t="s"><v>1</v></c></row>'
        '<row r="3"><c r="A3" t="s"><v>9</v></c></row></sheetData></worksheet>',
    }
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w") as file:
        for name, part in parts.items():
            file.writestr(name, part)
    records = read(path, "xlsx")
    assert records[0].fields == {"text": "発熱あり"}  # without the reading above it
    assert rules(records[1:]) == ["broken_sheet"]  # a string that is not there


def repacked(data: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """Return a workbook with its parts changed."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return file.getvalue()


def test_workbooks_that_fill_the_memory_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheets, "MAX_PART_BYTES", 2_000_000)
    monkeypatch.setattr(sheets, "MAX_UNPACKED_BYTES", 8_000_000)
    monkeypatch.setattr(sheets, "MAX_ROW_BYTES", 300_000)
    good = xlsx({"a": [("text",), (SENTENCES[0],)]})
    declared = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><worksheet'
    changes: dict[str, Callable[[str, bytes], bytes]] = {
        "strings": lambda n, d: d.replace(b"</styleSheet>", b"<si/>" * 600_000 + b"</styleSheet>"),
        "rows": lambda n, d: d.replace(b"</sheetData>", b"<row></row>" * 900_000 + b"</sheetData>"),
        "cells": lambda n, d: d.replace(
            b"</row></sheetData>", b"<c/>" * 90_000 + b"</row></sheetData>"
        ),
        "entities": lambda n, d: d.replace(b"<worksheet", declared, 1),
    }
    expected = dict.fromkeys(changes, "record_too_large") | {"entities": "document_type"}
    for name, change in changes.items():
        path = tmp_path / f"{name}.xlsx"
        path.write_bytes(repacked(good, change))
        assert rules(read(path, "xlsx")) == [expected[name]], name


def test_a_sheet_with_a_cell_far_away_ends(tmp_path: Path) -> None:
    """Two cells in the corners of a sheet are no 17 thousand million cells."""
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.cell(1, 1, "text")
    sheet.cell(2, 1, SENTENCES[0])
    sheet.cell(1_000_000, 16_384, "遠い")
    book.save(tmp_path / "a.xlsx")
    records = read(tmp_path / "a.xlsx", "xlsx")
    assert rules(records) == [None, "broken_line"]


def test_what_is_no_workbook_is_refused(tmp_path: Path) -> None:
    for name, data in (
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600),
        ("b.xls", b"x"),
    ):
        (tmp_path / name).write_bytes(data)
        (record,) = read(tmp_path / name, "xls")
        assert rules([record]) == ["broken_file"]
        assert record.n_bytes == len(data)
    (tmp_path / "c.xls").write_bytes(b"")
    assert rules(read(tmp_path / "c.xls", "xls")) == ["empty_file"]


@pytest.mark.data
def test_a_real_workbook_of_excel_is_read_and_survives_damage(
    tmp_path: Path, data_folder: Path
) -> None:
    real = data_folder / "eval" / "ja_clinical_sts" / "dataset_JA_Clinical_STS.xls"
    n_bytes: list[int] = []
    records = list(read_records(real, "xls", "utf-8", n_bytes.append))
    assert len(records) > 3000
    assert rules(records) == [None] * len(records)
    assert sum(n_bytes) == real.stat().st_size
    data = real.read_bytes()
    for n in range(1, 8):
        path = tmp_path / "cut.xls"
        path.write_bytes(data[: len(data) * n // 8])
        assert all(record.rejection or record.fields for record in read(path, "xls"))
