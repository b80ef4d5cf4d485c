"""Files of examples: their forms, what is joined, how they are split, and what is refused."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rinsho.errors import (
    BrokenRecord,
    LicenseRefused,
    NothingToRead,
    NotText,
    PathMissing,
    SplitOverlap,
)
from rinsho.text.spans import Span
from rinsho.training.examples import ExampleFile, find_entities, find_example_files, read_examples


def write(path: Path, *records: object) -> list[Path]:
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [path]


def test_records_with_the_same_text_are_one_example_with_several_answers(tmp_path: Path) -> None:
    paths = write(
        tmp_path / "a.jsonl",
        {"text": "熱がある", "task": "fever", "label": "A"},
        {"text": "熱がある", "task": "cough", "label": "B"},
        {"text": "咳が出る", "task": "cough", "label": "A"},
    )
    first, second = read_examples(paths)
    assert first.answers == {("fever", "label"): "A", ("cough", "label"): "B"}
    assert second.answers == {("cough", "label"): "A"}


def test_csv_and_jsonl_give_the_same_examples(tmp_path: Path) -> None:
    table = "text_a,text_b,value\n熱あり,発熱あり,4\n咳,頭痛,0\n"
    (tmp_path / "a.csv").write_text(table, encoding="utf-8-sig")
    paths = write(
        tmp_path / "a.jsonl",
        {"text_a": "熱あり", "text_b": "発熱あり", "value": 4, "id": "a/2"},
        {"text_a": "咳", "text_b": "頭痛", "value": 0, "id": "a/3"},
    )
    assert read_examples([tmp_path / "a.csv"]) == read_examples(paths)


def test_labels_are_a_list_in_json_and_divided_by_bars_in_csv(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,labels\n熱と咳,fever|cough\n平熱,[]\n", encoding="utf-8")
    answers = [e.answers["", "labels"] for e in read_examples([tmp_path / "a.csv"])]
    assert answers == [("cough", "fever"), ()]


def test_entities_are_found_where_they_stand_and_spans_follow_normalization(tmp_path: Path) -> None:
    paths = write(
        tmp_path / "a.jsonl",
        {"text": "ＣＲＰ上昇。肺炎。", "task": "d", "entities": ["ＣＲＰ上昇", "肺炎"]},
        {"text": "ﾊﾟﾆｯｸ障害", "spans": [{"start": 0, "end": 7, "label": "disease"}]},
    )
    first, second = read_examples(paths)
    assert first.text == "CRP上昇。肺炎。"
    assert first.answers["d", "spans"] == (Span(0, 5, "d"), Span(6, 8, "d"))
    assert second.text == "パニック障害"
    assert second.answers["", "spans"] == (Span(0, 6, "disease"),)


@given(st.text("胃癌進行", max_size=20), st.lists(st.text("胃癌", min_size=1, max_size=3)))
def test_entities_never_overlap_and_are_what_was_asked_for(text: str, entities: list[str]) -> None:
    spans = find_entities(text, entities, "d")
    assert all(text[s.start : s.end] in entities for s in spans)
    assert all(a.end <= b.start for a, b in itertools.pairwise(spans))


def test_a_group_or_a_text_never_lies_on_both_sides(tmp_path: Path) -> None:
    records = [{"text": f"文{n}", "label": "A", "group": f"case {n // 4}"} for n in range(200)]
    examples = read_examples(write(tmp_path / "a.jsonl", *records), validation_share=0.3)
    splits = [{e.split for e in examples[n : n + 4]} for n in range(0, 200, 4)]
    assert all(len(one) == 1 for one in splits)
    assert {"train"} in splits and {"validation"} in splits
    lines = ("熱 あり", "熱\nあり")  # the same text in other lines
    laid_out = [{"text": text, "label": "A", "task": str(n)} for n, text in enumerate(lines)]
    assert len({e.split for e in read_examples(write(tmp_path / "b.jsonl", *laid_out))}) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"text": "a", "split": "train"}, {"text": "a", "task": "t", "split": "test"}),
        (
            {"text": "a", "group": "g", "split": "train"},
            {"text": "b", "group": "g", "split": "validation"},
        ),
    ],
)
def test_one_text_or_group_in_two_splits_is_refused(
    tmp_path: Path, first: dict[str, str], second: dict[str, str]
) -> None:
    paths = write(tmp_path / "a.jsonl", first | {"label": "A"}, second | {"label": "A"})
    with pytest.raises(SplitOverlap):
        read_examples(paths)


@pytest.mark.parametrize(
    "record",
    [
        {"text": "秘密の文"},
        {"text": "", "label": "A"},
        {"text": "  ", "label": "A"},
        {"label": "A"},
        {"text": "秘密の文", "label": "A", "value": 3},
        {"text": "秘密の文", "value": "高い"},
        {"text": "秘密の文", "value": float("inf")},
        {"text": "秘密の文", "spans": [{"start": 0, "end": 99, "label": "d"}]},
        {"text": "秘密の文", "label": "A", "split": "dev"},
        {"text": "秘密の文", "labels": 3},
        ["秘密の文"],
    ],
)
def test_a_record_of_another_form_is_named_by_its_line_and_not_quoted(
    tmp_path: Path, record: object
) -> None:
    paths = write(tmp_path / "a.jsonl", {"text": "良い", "label": "A"}, record)
    with pytest.raises(BrokenRecord, match=r"examples\[0\] line 2") as raised:
        read_examples(paths)
    assert "秘密" not in str(raised.value)


def test_two_answers_to_one_question_are_refused(tmp_path: Path) -> None:
    records = [{"text": "熱", "label": "A"}, {"text": "熱", "label": "B"}]
    with pytest.raises(BrokenRecord, match="another answer"):
        read_examples(write(tmp_path / "a.jsonl", *records))


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("text,label\n")
    with pytest.raises(NothingToRead):
        read_examples([tmp_path / "empty.csv"])
    (tmp_path / "sjis.csv").write_bytes("text,label\n発熱,A\n".encode("cp932"))
    with pytest.raises(NotText):
        read_examples([tmp_path / "sjis.csv"])


def test_a_noncommercial_file_needs_the_word_of_a_person(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", {"text": "熱", "label": "A"})
    file = ExampleFile(path="a.jsonl", license="CC-BY-NC-SA-4.0")
    with pytest.raises(LicenseRefused):
        find_example_files([file], tmp_path, (), noncommercial=False)
    assert find_example_files([file], tmp_path, (), noncommercial=True) == [tmp_path / "a.jsonl"]
    missing = file.model_copy(update={"path": "b.jsonl"})
    with pytest.raises(PathMissing):
        find_example_files([missing], tmp_path, (), noncommercial=True)
