from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from rinsho.errors import AnswersIncomplete, WrongKind
from rinsho.evaluation.answer import AnswerConfig, answer
from rinsho.evaluation.bootstrap import mean
from rinsho.evaluation.compare import (
    COLUMNS,
    Marked,
    compare,
    mcnemar,
    read_marks,
    to_csv,
    to_json,
    to_markdown,
    write_comparison,
)
from rinsho.evaluation.evaluate import answer_models
from rinsho.evaluation.score import ScoreConfig, score
from rinsho.manifest import canonical_json, new_folder, write_file

marks = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60)


@given(rows=marks)
def test_mcnemar_is_the_exact_binomial_test(rows: list[tuple[bool, bool]]):
    found = mcnemar([one for one, _ in rows], [other for _, other in rows])
    n_both = found.n_first_alone + found.n_second_alone
    expected = binomtest(found.n_first_alone, n_both).pvalue if n_both else 1.0
    assert found.p == pytest.approx(expected)


def marked(system: str, right: list[bool], benchmark: str = "b", **changes: object) -> Marked:
    items = tuple(f"{benchmark}/{n}" for n in range(len(right)))
    values = {
        "system": system, "benchmark": benchmark, "method": "generation", "items": items,
        "documents": items, "right": tuple(right), "metric": mean("accuracy", right),
    }  # fmt: skip
    return Marked(**(values | changes))  # pyright: ignore[reportArgumentType]


def test_rows_are_paired_by_item_whatever_their_order():
    right = [True, True, False, True, False, False]
    one, other = marked("one", right), marked("other", [True] * 3 + [False] * 3)
    order = [3, 1, 5, 0, 2, 4]
    shuffled = marked(
        "other", [other.right[n] is True for n in order],
        items=tuple(other.items[n] for n in order),
        documents=tuple(other.documents[n] for n in order),
    )  # fmt: skip
    assert compare([one, shuffled], n_draws=200) == compare([one, other], n_draws=200)


def test_p_values_are_corrected_for_the_number_of_tasks():
    tasks = [
        marked(system, right, benchmark)
        for benchmark, n in (("a", 8), ("b", 20))
        for system, right in (("one", [True] * n), ("other", [False] * (n - 1) + [True]))
    ]
    found = {pair.benchmark: pair for pair in compare(tasks, n_draws=200)}
    tests = [found[name].mcnemar for name in ("a", "b")]
    assert all(test is not None for test in tests)
    assert tests[0].p_holm == pytest.approx(tests[0].p)  # the largest of two
    assert tests[1].p_holm == pytest.approx(2 * tests[1].p)
    assert all(pair.p_holm >= pair.difference.p for pair in found.values())


def test_systems_that_were_asked_other_items_are_not_compared():
    one, other = marked("one", [True] * 4), marked("other", [True] * 5)
    with pytest.raises(AnswersIncomplete, match="1 that one alone has"):
        compare([one, other])
    with pytest.raises(AnswersIncomplete):
        compare([one, marked("other", [True] * 4, "c")])


def test_a_method_is_compared_with_another_where_each_has_one_alone():
    pair = compare(
        [marked("one", [True, False]), marked("other", [True, True], method="head")], n_draws=50
    )
    assert [one.method for one in pair] == ["generation / head"]


def test_two_metrics_of_one_method_each_are_compared_across_methods():
    right = [True, False, True]
    marks = [
        marked(system, right, method=method, metric=mean(metric, right))
        for system, method in (("head", "extraction"), ("chat", "generation"))
        for metric in ("f1", "f1_with_certainty")
    ]
    pairs = compare(marks, n_draws=50)
    assert [pair.metric for pair in pairs] == ["f1", "f1_with_certainty"]


def test_answers_and_reports_of_the_same_systems_agree(
    tmp_path: Path, weights_folder: Path, synthetic_folder: Path
):
    folders: list[Path] = []
    for label, length in (("short", 1), ("long", 6)):
        config = AnswerConfig.model_validate(
            {"benchmarks": ["demo-questions"], "label": label, "max_new_tokens": length,
             "max_items": 5, "n_free_generations": 0}
        )  # fmt: skip
        folders.append(tmp_path / label)
        answer(config, out=folders[-1], model=weights_folder, documents=[synthetic_folder])
    documents = [synthetic_folder]
    again = compare(read_marks(folders, documents=documents), n_draws=100)
    score(ScoreConfig(n_draws=10), answers=folders, out=tmp_path / "report", documents=documents)
    written = compare(read_marks([tmp_path / "report"]), n_draws=100)
    assert {(p.first, p.second, p.method) for p in again} == {
        ("short", "long", "generation"),
        ("short", "long", "log-likelihood"),
    }
    assert [p.mcnemar for p in again] == [p.mcnemar for p in written]
    assert [p.difference.n_documents for p in again] == [p.difference.n_documents for p in written]
    with pytest.raises(WrongKind):
        read_marks([folders[0], tmp_path / "report"])


def test_the_table_is_the_same_in_each_form_and_a_name_cannot_break_it(tmp_path: Path):
    pairs = compare([marked("a|b\n", [True, False]), marked('"c"', [True, True])], n_draws=50)
    write_comparison(tmp_path, pairs)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "compare.csv", "compare.json", "compare.md",
    ]  # fmt: skip
    header, row = csv.reader(io.StringIO(to_csv(pairs)))
    assert tuple(header) == COLUMNS
    assert (row[0], row[1], row[7]) == ("a|b\n", '"c"', "-0.500")
    assert len(to_markdown(pairs).splitlines()) == 3
    assert "a\\|b" in to_markdown(pairs)
    (value,) = json.loads(to_json(pairs))
    assert value["mcnemar"]["n_second_alone"] == 1
    assert np.isclose(value["difference"]["value"], -0.5)


def test_models_answer_first_and_spans_are_compared_with_and_without_certainty(tmp_path: Path):
    toml = 'form = "spans"\nfile = "ward.jsonl"\nlicense = "CC0-1.0"\nsource = "ward"\n'
    marks = {"start": 0, "end": 2, "label": "symptom", "certainty": "negated"}
    rows = [
        {"id": f"{n}", "text": f"発熱あり。{n}日目。", "spans": [marks], "split": split}
        for n, split in enumerate(["test", "train", "test", None])
    ]
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "ward.toml").write_text(f'{toml}[columns]\nanswer = "spans"\n', "utf-8")
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (tmp_path / "own" / "ward.jsonl").write_text(lines, encoding="utf-8")
    folders = answer_models(
        ["dictionary", "dictionary"], ["own/ward"], tmp_path / "out", data=tmp_path
    )
    pairs = compare(read_marks(folders, data=tmp_path), n_draws=50)
    assert [(p.first, p.second) for p in pairs] == [("1 dictionary", "2 dictionary")] * 2
    assert {p.metric: p.value_first for p in pairs} == {"f1": 1, "f1_with_certainty": 0}
    assert [p.difference.n_rows for p in pairs] == [2, 2], "the test split alone is asked"


def test_an_empty_file_of_answers_is_an_error(tmp_path: Path):
    out = tmp_path / "answers"
    config = AnswerConfig.model_validate({"benchmarks": ["demo-questions"]})
    with new_folder(out, stage="answer", config=config, inputs={}) as folder:
        write_file(folder.path / "answers.jsonl", b"")
        write_file(folder.path / "asked.json", canonical_json([]))
    with pytest.raises(AnswersIncomplete, match="found 0"):
        read_marks([out])
