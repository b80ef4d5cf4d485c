"""Overlap with benchmarks, against a search for every substring."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest

from rinsho.corpus.contamination import OverlapIndex, index_benchmarks

LETTERS = "患者は歳男性主訴発熱咳嗽呼吸困難既往高血圧糖尿病現歴入院時所見液検査胸部線左下肺野浸潤影"


def item(seed: int, n_chars: int = 120) -> str:
    return "".join(random.Random(seed).choices(LETTERS, k=n_chars))


def index_of(folder: Path) -> OverlapIndex:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return index_benchmarks([(folder, files)], n_chars=50)


@pytest.fixture
def benchmarks(tmp_path: Path) -> Path:
    folder = tmp_path / "eval"
    for name in ("quiz", "tables", "notes", "sheets", "packed"):
        (folder / name).mkdir(parents=True)
    quiz = {"id": "1", "question": item(1), "choices": [item(2), "短い"]}
    (folder / "quiz" / "a.jsonl").write_text(json.dumps(quiz) + "\nnot json\n", encoding="utf-8")
    (folder / "quiz" / "b.json").write_text(json.dumps({"x": [{"y": item(3)}]}), encoding="utf-8")
    (folder / "tables" / "c.csv").write_text(f'1,"{item(4)}",A\n', encoding="utf-8-sig")
    tagged = item(5)[:60] + "<c>" + item(5)[60:] + "</c>"
    (folder / "notes" / "d.xml").write_text(f"<r>{tagged}</r>", encoding="utf-8")
    (folder / "notes" / "e.txt").write_bytes(item(6).encode("cp932"))
    (folder / "sheets" / "f.xls").write_bytes(b"\xd0\xcf\x11" + item(7).encode("utf-16-le"))
    packed = gzip.compress(json.dumps({"text": item(8)}).encode())
    (folder / "packed" / "g.jsonl.gz").write_bytes(packed)
    (folder / "notes" / "README.md").write_text(item(9), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("seed", "benchmark"),
    [
        *((1, "quiz"), (2, "quiz"), (3, "quiz"), (4, "tables"), (5, "notes"), (6, "notes")),
        *((7, "sheets"), (8, "packed")),
    ],
)
def test_an_item_is_found_in_a_document_whatever_file_it_came_from(
    benchmarks: Path, seed: int, benchmark: str
) -> None:
    index = index_of(benchmarks)
    text = item(100, 300) + item(seed)[10:70] + item(101, 300)
    assert index.shared(text) == {benchmark: 11}


def test_fifty_characters_are_an_overlap_and_forty_nine_are_none(benchmarks: Path) -> None:
    index = index_of(benchmarks)
    assert index.shared("記録:" + item(1)[:50] + "以上") == {"quiz": 1}
    assert index.shared("記録:" + item(1)[:49] + "以上") == {}


def test_width_and_line_breaks_do_not_hide_an_overlap(benchmarks: Path) -> None:
    index = index_of(benchmarks)
    broken = "\n 　".join(item(1)[i : i + 10] for i in range(0, 60, 10))
    assert index.shared(broken) == {"quiz": 11}


def test_documentation_holds_no_items(benchmarks: Path) -> None:
    index = index_of(benchmarks)
    assert index.shared(item(9)) == {}
    assert index.n_unread == 1


def test_instructions_and_rules_of_dots_are_no_overlap(tmp_path: Path) -> None:
    (tmp_path / "exam").mkdir()
    instruction = item(50, 60)
    rows = [json.dumps({"q": instruction + item(200 + i, 60)}) for i in range(25)]
    rows.append(json.dumps({"q": "・-" * 40}))
    (tmp_path / "exam" / "a.jsonl").write_text("\n".join(rows), encoding="utf-8")
    index = index_of(tmp_path)
    assert index.shared(instruction) == {}
    assert index.shared("・-" * 60) == {}
    assert index.shared(item(205, 60)) == {"exam": 11}


def test_the_runs_that_are_shared_are_those_that_a_search_finds(benchmarks: Path) -> None:
    index = index_of(benchmarks)
    generator = random.Random(0)
    for _ in range(50):
        start, n_chars = generator.randrange(60), generator.randrange(40, 61)
        text = item(300, 80) + item(1)[start : start + n_chars] + item(301, 80)
        runs = {item(1)[i : i + 50] for i in range(71)}
        n_found = sum(text[i : i + 50] in runs for i in range(len(text) - 49))
        assert index.shared(text) == ({"quiz": n_found} if n_found else {})
