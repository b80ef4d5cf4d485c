"""Procedures: listed names, and names by their last part."""

from __future__ import annotations

import pytest

from rinsho.text.procedures import find_procedures


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("腹腔鏡下胆嚢摘出術を施行", ["腹腔鏡下胆嚢摘出術"]),
        ("右人工股関節全置換術を予定", ["右人工股関節全置換術"]),
        ("全身麻酔下に左上葉切除術", ["全身麻酔", "左上葉切除術"]),
        ("腰椎穿刺は行わず、血液透析を継続", ["腰椎穿刺", "血液透析"]),
        ("緊急PCIを施行し、IABPを挿入", ["緊急PCI", "IABP"]),
        ("術前化学療法、抜糸", ["術前化学療法", "抜糸"]),
        ("手術室へ搬送。透析患者。牽引痛あり。技術。本術後", []),
        ("胃全摘術後、左乳房切除術前日、虫垂切除術中", ["胃全摘術", "左乳房切除術", "虫垂切除術"]),
        ("子宮全摘後、胆摘後、腎移植後3年", ["子宮全摘", "胆摘", "腎移植"]),
        ("胃全摘術後胆嚢摘出術", ["胃全摘術", "胆嚢摘出術"]),
        ("大腸癌術後、白内障術後、心臓術前、術後創部", []),  # a disease or a site, no operation
    ],
)
def test_a_procedure_is_its_whole_name(text: str, found: list[str]) -> None:
    spans = find_procedures(text)
    assert [text[span.start : span.end] for span in spans] == found
    assert {span.label for span in spans} <= {"procedure"}
