from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STAGES = ["collect", "synthesize", "train-tokenizer", "encode", "pretrain", "finetune"]
COMMANDS = [
    *("demo", "run", "plan", "verify", "trace"),
    *(*STAGES, "label", "answer", "score"),
    *("evaluate", "serve", "generate", "extract", "deidentify", "data"),
]


def rinsho(*words: str, stdin: str = "", cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        [sys.executable, "-m", "rinsho.cli", *words],
        input=stdin,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
        check=False,
    )


def test_help_lists_every_command_of_the_contract_that_is_built() -> None:
    shown = rinsho("--help").stdout
    for command in COMMANDS:
        assert f" {command} " in shown


@pytest.mark.parametrize(
    "words", [["plan", "none.toml", "--lang", "ja"], ["--lang=ja", "verify", "x"]]
)
def test_errors_are_in_the_language_that_was_asked_for_at_any_place(words: list[str]) -> None:
    done = rinsho(*words)
    assert "エラー[D001]" in done.stderr
    assert "対処: " in done.stderr
    assert done.returncode == 1


def test_a_wrong_call_has_another_exit_code_than_a_failed_run() -> None:
    assert rinsho("plan", "runs/demo.toml", "--set", "pretrain.n_stps=3").returncode == 2
    assert rinsho("verify", "nowhere").returncode == 1
    assert rinsho("no-such-command").returncode == 2


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize(
    ("words", "help_of"),
    [
        (["no-such-command"], "rinsho"),
        (["extract", "--as"], "rinsho extract"),
        (["serve", "--port", "x"], "rinsho serve"),
        (["ask", "note.txt"], "rinsho ask"),
        (["draft", "--lnag"], "rinsho draft"),
        (["data", "show"], "rinsho data show"),
    ],
)
def test_a_wrong_call_names_its_help_in_both_languages(
    words: list[str], help_of: str, language: str
) -> None:
    done = rinsho(*words, "--lang", language)
    assert done.returncode == 2
    error, step = done.stderr.splitlines()
    assert error.startswith("エラー[C009]" if language == "ja" else "Error[C009]")
    assert step.startswith("対処: " if language == "ja" else "Next step: ")
    assert f"`{help_of} --help`" in step


def test_a_group_of_commands_alone_shows_its_help() -> None:
    assert "show" in rinsho("data").stdout


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (["check-audit", "nowhere.jsonl"], "nowhere.jsonl"),
        (["codes", "--term", "胃癌", "--data", "nowhere"], "--data"),
    ],
)
def test_what_is_not_there_is_named(words: list[str], place: str) -> None:
    done = rinsho(*words, "--lang", "ja")
    assert done.stderr.startswith("エラー[D001]")
    assert place in done.stderr


def test_a_place_that_cannot_be_written_is_no_fault_of_rinsho(tmp_path: Path) -> None:
    out = tmp_path / "佐藤花子" / "found.jsonl"
    done = rinsho("extract", "--as", "jsonl", "--out", str(out), "--lang", "ja", stdin="発熱")
    assert done.returncode == 1
    assert done.stderr.startswith("エラー[D043]")
    assert "rinsho extract" in done.stderr
    assert "佐藤花子" not in done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["serve", "nowhere", "--precision", "fp8"], "C002"),
        (["serve", "--precision", "int4"], "C011"),
        (["generate", "--model", "nowhere", "--precision", "int8", "none.txt"], "C002"),
        (["ask", "--question", "主訴は", "--precision", "fp8", "none.txt"], "C002"),
        (["ask", "--question", "主訴は", "--precision", "bf16", "none.txt"], "C011"),
        (["draft", "--precision", "int4", "none.txt"], "C011"),
        (["answer", "runs/demo.toml", "--set", "answers-chat.precision=int8"], "C002"),
        (["plan", "runs/demo.toml", "--set", "answers-dictionary.precision=int4"], "C002"),
    ],
    ids=lambda one: " ".join(one[:1]) if isinstance(one, list) else one,
)
def test_a_precision_that_no_model_can_have_is_refused_before_anything_is_read(
    words: list[str], code: str
) -> None:
    done = rinsho(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Error[{code}]") and "precision" in done.stderr


@pytest.mark.parametrize(
    "words", [["--as", "surrogates", "--review", "page.html"], ["--measure", "--as", "spans"]]
)
def test_two_ways_of_deidentifying_in_one_call_are_refused(words: list[str]) -> None:
    done = rinsho("deidentify", *words, stdin="佐藤花子様")
    assert done.returncode == 2
    assert "C002" in done.stderr
    assert done.stdout == ""


def test_extract_works_on_standard_input_without_any_model_and_says_so() -> None:
    done = rinsho("extract", stdin="😀発熱あり、胸痛なし。")
    found = json.loads(done.stdout)
    assert found["engine"] == "dictionary"
    assert [(s["text"], s["start"], s["certainty"]) for s in found["spans"]] == [
        ("発熱", 1, "present"),
        ("胸痛", 6, "negated"),
    ]


def test_what_a_command_has_written_is_told_in_japanese_too(tmp_path: Path) -> None:
    words = ["extract", "--as", "jsonl", "--out", str(tmp_path / "found.jsonl")]
    assert "記録 1 件（本文を含む" in rinsho(*words, "--lang", "ja", stdin="発熱").stdout
    assert "1 notes with their clinical text" in rinsho(*words, stdin="発熱").stdout


def test_show_prints_records_and_writes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "synthetic"
    run_file = ROOT / "runs" / "demo.toml"
    done = rinsho("synthesize", str(run_file), "--show", "2", "--out", str(out), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 2
    assert not list(tmp_path.iterdir())


def test_a_run_skips_what_is_finished_and_refuses_another_config(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("[synthesize]\nn_bytes = 20_000\n", encoding="utf-8")
    first = rinsho("run", str(path), "--out", str(tmp_path / "run"), "--json")
    again = rinsho("run", str(path), "--out", str(tmp_path / "run"), "--json")
    assert "already finished" in again.stderr
    assert first.stdout == again.stdout
    other = rinsho("run", str(path), "--out", str(tmp_path / "run"), "--set", "synthesize.seed=5")
    assert other.returncode == 1
    assert "config.seed: 0 -> 5" in other.stderr


def test_plan_tells_the_cost_of_every_training_step_as_text_and_as_json() -> None:
    shown = rinsho("plan", "runs/demo.toml")
    assert "4,000,000" in shown.stdout
    plan = json.loads(rinsho("plan", "runs/demo.toml", "--json").stdout)
    assert [step["name"] for step in plan["steps"]] == ["weights", "chat", "tagger"]


def test_a_benchmark_says_what_it_is() -> None:
    assert "CC-BY-4.0" in rinsho("data", "show", "jmed-llm/crade").stdout
    unknown = rinsho("data", "show", "jmed-llm/crad")
    assert unknown.returncode == 2
    assert "jmed-llm/crade" in unknown.stderr


def test_a_package_that_is_missing_names_its_extra() -> None:
    code = (
        "import sys\n"
        "sys.modules['torch'] = None\n"  # what an import finds where it is not installed
        "sys.argv = ['rinsho', 'generate', '--model', 'x']\n"
        "from rinsho.cli import main\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, input="", check=False
    )
    assert done.returncode == 2
    assert "rinsho[model]" in done.stderr
