"""Benchmarks as tasks of lm-evaluation-harness: the same prompts, the same gold, the terms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rinsho.errors import InvalidValue, NoncommercialRefused
from rinsho.evaluation.benchmark import Sources
from rinsho.evaluation.catalogue import load_benchmark
from rinsho.evaluation.entity_metrics import f1, normalize_entities
from rinsho.evaluation.lm_eval_export import export_tasks
from rinsho.evaluation.lm_eval_metrics import process_results
from rinsho.evaluation.parse import parse_list
from rinsho.evaluation.prompts import prompt_of

WORDS = st.lists(st.sampled_from(["発熱", "ＣＲＰ", "CRP", " CRP", "咳嗽", "", "肺炎"]), max_size=6)


def read_task(folder: Path, task: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read a YAML file whose values are JSON or a `!function`, and the items beside it."""
    config: dict[str, Any] = {}
    for line in (folder / f"{task}.yaml").read_text(encoding="utf-8").splitlines():
        name, value = line.split(": ", 1)
        config[name] = value if value.startswith("!function ") else json.loads(value)
    lines = (folder / f"{task}.jsonl").read_text(encoding="utf-8").splitlines()
    return config, [json.loads(line) for line in lines]


def test_choices_are_asked_word_for_word_and_hold_the_place_of_the_right_letter(
    tmp_path: Path,
) -> None:
    (written,) = export_tasks("demo-similarity", Sources(), tmp_path)
    config, lines = read_task(tmp_path, written.task)
    items = load_benchmark("demo-similarity", Sources()).items
    assert config["output_type"] == "multiple_choice"
    assert config["dataset_kwargs"] == {"data_files": {"test": f"{written.task}.jsonl"}}
    assert config["target_delimiter"] == ""
    assert [config["description"] + line["prompt"] for line in lines] == [*map(prompt_of, items)]
    chosen = [line[config["doc_to_choice"]][line[config["doc_to_target"]]] for line in lines]
    assert chosen == [item.gold[0] for item in items]
    terms = (tmp_path / f"{written.task}.terms.md").read_text(encoding="utf-8")
    assert "CC0-1.0" in terms


def test_entity_lists_bring_their_own_figure(tmp_path: Path) -> None:
    (written,) = export_tasks("demo-notes-entities", Sources(), tmp_path)
    config, lines = read_task(tmp_path, written.task)
    assert config["process_results"] == "!function lm_eval_metrics.process_results"
    assert (tmp_path / "lm_eval_metrics.py").is_file()
    assert all(process_results(one, [one["target"]])["exact_f1"] == 1.0 for one in lines)


@given(gold=WORDS, found=WORDS)
def test_the_figure_beside_the_task_is_the_corrected_one(gold: list[str], found: list[str]) -> None:
    one, other = {*normalize_entities(gold)}, {*normalize_entities(found)}
    truth = f1(len(one & other), len(other), len(one))
    assert process_results({"entities": gold}, [repr(found)]) == {"exact_f1": truth}


@given(
    output=st.text(max_size=40) | st.sampled_from(["[1, 'a']", "exit()", "['a'] * 9", "[" * 999])
)
def test_any_output_is_read_as_the_corrected_parser_reads_it(output: str) -> None:
    gold = ["a"]
    found = {*normalize_entities(parse_list(output).entities)}
    truth = f1(len({"a"} & found), len(found), 1)
    assert process_results({"entities": gold}, [output]) == {"exact_f1": truth}


def test_plain_text_is_measured_in_bits_per_byte(tmp_path: Path) -> None:
    (written,) = export_tasks("notes-text", Sources(), tmp_path)
    config, lines = read_task(tmp_path, written.task)
    assert config["metric_list"] == [{"metric": "bits_per_byte"}]
    assert len(lines) == written.n_items == 48


def test_forms_without_a_figure_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue):
        export_tasks("demo-notes", Sources(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.data
def test_noncommercial_items_are_written_with_the_switch_alone(
    tmp_path: Path, data_folder: Path
) -> None:
    with pytest.raises(NoncommercialRefused):
        export_tasks("jmed-llm/jcsts", Sources(data_folder), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (written,) = export_tasks(
        "jmed-llm/jcsts", Sources(data_folder, noncommercial=True), tmp_path / "out"
    )
    assert written.n_items == 100
    assert (tmp_path / "out").stat().st_mode & 0o077 == 0
    terms = (tmp_path / "out" / f"{written.task}.terms.md").read_text(encoding="utf-8")
    assert "non-commercial purposes only: yes" in terms


@pytest.mark.data
def test_several_right_letters_are_generated_and_what_does_not_count_is_left_out(
    tmp_path: Path, data_folder: Path
) -> None:
    (written,) = export_tasks("igakuqa/2018", Sources(data_folder), tmp_path)
    assert (written.output_type, written.n_items + written.n_left_out) == ("generate_until", 400)
    _, lines = read_task(tmp_path, written.task)
    items = {item.id: item for item in load_benchmark("igakuqa/2018", Sources(data_folder)).items}
    assert all(line["target"] == ",".join(sorted(items[line["id"]].gold)) for line in lines)
