"""Overlap with benchmarks, against a search for every substring."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rinsho.corpus.benchmark_cells import read_cells
from rinsho.corpus.benchmark_runs import sort_by_hash
from rinsho.corpus.contamination import (
    OverlapIndex,
    drop_passages,
    dropped_share,
    index_benchmarks,
    open_index,
    without_overlaps,
)
from rinsho.corpus.coverage import Coverage
from rinsho.text.normalize import normalize

LETTERS = "患者は歳男性主訴発熱咳嗽呼吸困難既往高血圧糖尿病現歴入院時所見液検査胸部線左下肺野浸潤影"


def item(seed: int, n_chars: int = 120) -> str:
    return "".join(random.Random(seed).choices(LETTERS, k=n_chars))


def index_of(folder: Path, n_chars: int = 50) -> OverlapIndex:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return index_benchmarks([(folder, files)], n_chars=n_chars)


def found(index: OverlapIndex, text: str) -> set[str]:
    return {overlap.benchmark for overlap in index.find(text)}


@pytest.fixture(scope="module")
def benchmarks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "eval"
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


@pytest.fixture(scope="module")
def index(benchmarks: Path) -> OverlapIndex:
    return index_of(benchmarks)


# -------------------------------------------------------------------------------------- finding


@pytest.mark.parametrize(
    ("seed", "benchmark"),
    [
        *((1, "quiz"), (2, "quiz"), (3, "quiz"), (4, "tables"), (5, "notes"), (6, "notes")),
        *((7, "sheets"), (8, "packed")),
    ],
)
def test_an_item_is_found_in_a_document_whatever_file_it_came_from(
    index: OverlapIndex, seed: int, benchmark: str
) -> None:
    text = item(100, 300) + item(seed)[10:70] + item(101, 300)
    assert found(index, text) == {benchmark}


@given(st.integers(1, 8), st.integers(0, 70), st.integers(30, 60), st.integers(0, 30))
def test_fifty_shared_characters_are_always_found_and_forty_two_never(
    index: OverlapIndex, seed: int, start: int, n_chars: int, n_before: int
) -> None:
    shared = item(seed)[start : start + n_chars]
    text = "－" * n_before + shared + "－" * 20
    if len(shared) >= 50:
        assert len(index.find(text)) == 1
    if len(shared) < index.run_chars:
        assert index.find(text) == []


@given(st.integers(1, 8), st.integers(0, 60), st.integers(50, 60), st.integers(10, 40))
def test_an_overlap_lies_in_the_shared_passage_and_misses_at_most_seven_at_each_end(
    index: OverlapIndex, seed: int, start: int, n_chars: int, width: int
) -> None:
    shared = item(seed)[start : start + n_chars]
    broken = "\n 　".join(shared[i : i + width] for i in range(0, len(shared), width))
    text = "－－\n" + broken + " －－"
    (overlap,) = index.find(text)
    passage = "".join(text[overlap.start : overlap.end].split())
    assert passage in shared
    assert shared.index(passage) <= 7
    assert len(shared) - len(passage) - shared.index(passage) <= 7
    assert text[overlap.start] == passage[0] and text[overlap.end - 1] == passage[-1]


def test_the_documents_that_overlap_are_those_that_a_search_finds(index: OverlapIndex) -> None:
    generator = random.Random(0)
    for _ in range(100):
        start, n_chars = generator.randrange(60), generator.randrange(20, 61)
        text = item(300, 80) + item(1)[start : start + n_chars] + item(301, 80)
        runs = {item(1)[i : i + 50] for i in range(71)}
        if any(text[i : i + 50] in runs for i in range(len(text) - 49)):
            assert found(index, text) == {"quiz"}
        shorter = {item(1)[i : i + 43] for i in range(78)}
        if not any(text[i : i + 43] in shorter for i in range(len(text) - 42)):
            assert index.find(text) == []


def test_a_run_across_the_parts_that_are_hashed_at_once_is_found(index: OverlapIndex) -> None:
    for n_before in range(2**14 - 60, 2**14 + 10, 7):
        text = "－" * n_before + item(1) + "－" * 100
        (overlap,) = index.find(text)
        assert (overlap.start, overlap.end) == (n_before, n_before + 115)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=60))
def test_pairs_are_sorted_as_by_lexsort(pairs: list[tuple[int, int]]) -> None:
    hashes = np.array([pair[0] for pair in pairs], dtype=np.uint64)
    items = np.array([pair[1] for pair in pairs], dtype=np.int32)
    order = sort_by_hash(hashes, items)
    assert sorted(order.tolist()) == list(range(len(pairs)))
    assert [pairs[place] for place in order.tolist()] == sorted(pairs)


def test_documentation_holds_no_items(index: OverlapIndex) -> None:
    assert index.find(item(9)) == []
    assert index.n_unread == 1


def test_instructions_and_rules_of_dots_are_no_overlap(tmp_path: Path) -> None:
    (tmp_path / "exam").mkdir()
    instruction = item(50, 60)
    rows = [json.dumps({"q": item(400 + i, i) + instruction + item(200 + i)}) for i in range(25)]
    rows.append(json.dumps({"q": "・-" * 40}))
    (tmp_path / "exam" / "a.jsonl").write_text("\n".join(rows), encoding="utf-8")
    index = index_of(tmp_path)
    assert index.find(instruction) == []
    assert index.find("・-" * 60) == []
    assert found(index, item(205)) == {"exam"}


def test_a_text_in_two_benchmarks_is_found_in_both_and_one_in_two_files_counts_once(
    tmp_path: Path,
) -> None:
    for name in ("first/a.txt", "first/b.txt", "second/a.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(item(1), encoding="utf-8")
    index = index_of(tmp_path)
    assert [overlap.benchmark for overlap in index.find(item(1))] == ["first", "second"]
    assert index.first_items.tolist() == [0, 1, 2]


def test_an_index_without_runs_finds_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("短い", encoding="utf-8")
    index = index_of(tmp_path)
    assert index.find(item(1)) == []
    assert index.sizes() == {}


def test_a_saved_index_finds_the_same(index: OverlapIndex, tmp_path: Path) -> None:
    index.save(tmp_path)
    opened = open_index(tmp_path)
    text = item(100) + item(1)[5:80] + item(2)[:50]
    assert opened.find(text) == index.find(text) != []
    assert opened.sizes() == index.sizes()
    assert opened.run_chars == 43


# ------------------------------------------------------------------------------------- dropping


def test_only_the_sentence_that_overlaps_goes(index: OverlapIndex) -> None:
    text = f"第一条 目的を定める。\n第二条 次による。{item(1)[:60]}。ただし書き。\n附則。"
    left, n_passages = drop_passages(text, index.find(text))
    assert left == "第一条 目的を定める。\n第二条 次による。ただし書き。\n附則。"
    assert n_passages == 1
    assert dropped_share(text, left) == pytest.approx(61 / len(text))


def test_lines_that_are_empty_afterwards_go_too(index: OverlapIndex) -> None:
    lines = [item(1)[i : i + 20] for i in range(0, 120, 20)]
    text = "\n".join(["前の行。", *lines, "後の行。"])
    assert drop_passages(text, index.find(text)) == ("前の行。\n後の行。", 1)


def test_a_last_line_that_goes_leaves_no_line_end(index: OverlapIndex) -> None:
    text = f"前の行。\n{item(1)}"
    assert drop_passages(text, index.find(text)) == ("前の行。", 1)


def test_two_passages_are_counted_apart(index: OverlapIndex) -> None:
    text = f"{item(1)}。間の文である。{item(2)}。"
    assert drop_passages(text, index.find(text)) == ("間の文である。", 2)


def test_of_a_text_without_stops_only_the_part_goes(index: OverlapIndex) -> None:
    cells = [item(500 + i, 30) for i in range(20)]
    text = "、".join([*cells[:10], item(1), *cells[10:]])
    assert drop_passages(text, index.find(text)) == ("、".join(cells), 1)


PIECES = st.one_of(
    st.tuples(st.integers(1, 8), st.integers(0, 119), st.integers(1, 120)).map(
        lambda piece: item(piece[0])[piece[1] : piece[1] + piece[2]]
    ),
    st.sampled_from(["。", "\n", "、", " ", "「", "」", "別の文である。", "表\n\n", "." * 30]),
)


@pytest.fixture(scope="module")
def short_index(benchmarks: Path) -> OverlapIndex:
    return index_of(benchmarks, n_chars=10)


@given(st.lists(PIECES, max_size=30).map("".join))
def test_nothing_overlaps_afterwards_and_what_is_left_is_in_order(
    index: OverlapIndex, short_index: OverlapIndex, text: str
) -> None:
    for one in (index, short_index):
        left, n_passages, overlaps = without_overlaps(one, text)
        assert one.find(left) == []
        letters = iter(text)
        assert all(letter in letters for letter in left)  # a subsequence
        assert (n_passages > 0) == (len(overlaps) > 0) == (left != text)


def test_many_texts_are_told_as_each_alone_and_none_joins_its_neighbour(
    index: OverlapIndex,
) -> None:
    shared = item(4)[20:70]
    planted = [item(300, n) + shared + item(301, 9) for n in range(12)]
    texts = [planted[0], "", item(302), "𠮷\n" * 30, shared[:25], shared[25:], *planted[1:]]
    assert index.tell(texts) == [True, False, False, False, False, False, *([True] * 11)]
    assert [bool(index.find(text)) for text in texts] == index.tell(texts)


# ------------------------------------------------------------------------------------- coverage


def test_coverage_counts_items_and_runs_of_each_benchmark(index: OverlapIndex) -> None:
    coverage = Coverage(len(index.hashes))
    coverage.add(index.find(item(1) + item(4)[:60]))
    report = coverage.report(index)
    assert report["quiz"].to_json() == {
        "n_items": 3,
        "n_items_found": 1,
        "n_runs": 30,
        "n_runs_found": 10,
        "share_of_items": 0.3333,
        "share_of_runs": 0.3333,
    }
    assert report["tables"].n_runs_found == 3
    assert report["sheets"].n_items_found == 0


# ------------------------------------------------------------------------------------- real data


def share_found(index: OverlapIndex, file: Path, benchmark: str) -> float:
    """Return the share of a file's strings of 60 or more characters that stand in a benchmark."""
    cells = [normalize(cell) for cell in read_cells(file)]
    long = [cell for cell in cells if len("".join(cell.split())) >= 60]
    assert len(long) >= 5
    return sum(benchmark in found(index, cell) for cell in long) / len(long)


@pytest.mark.data
def test_benchmarks_known_to_overlap_are_found_in_each_other(data_folder: Path) -> None:
    folder = data_folder / "eval"
    others = ("ja_clinical_sts", "keepha_ja", "pubmedqa")
    files = [path for name in others for path in sorted((folder / name).rglob("*.*"))]
    index = index_benchmarks([(folder, files)], n_chars=50)
    assert share_found(index, folder / "medllm_qa/pubmedqa_en.jsonl", "pubmedqa") > 0.99
    assert share_found(index, folder / "jmed_llm/crade.csv", "keepha_ja") > 0.25
    assert share_found(index, folder / "jmed_llm/jmmlu_med.csv", "pubmedqa") < 0.02


@pytest.mark.data
def test_strings_of_a_binary_sheet_are_found_as_a_reader_of_sheets_reads_them(
    data_folder: Path,
) -> None:
    xlrd = pytest.importorskip("xlrd")
    path = data_folder / "eval/ja_clinical_sts/dataset_JA_Clinical_STS.xls"
    index = index_benchmarks([(path.parent, [path])], n_chars=50)
    sheet = xlrd.open_workbook(path).sheet_by_index(0)
    values = [value for row in range(sheet.nrows) for value in sheet.row_values(row)]
    texts = {normalize(value) for value in values if isinstance(value, str)}
    long = [text for text in texts if len("".join(text.split())) >= 50]
    assert len(long) > 900
    assert sum(bool(index.find(text)) for text in long) / len(long) > 0.97
