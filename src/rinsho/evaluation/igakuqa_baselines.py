"""The published outputs for IgakuQA, marked by the same code that marks ours.

GPT-3, ChatGPT (Japanese and translated input), GPT-4 and the majority of students, 1,600 questions
each: reference rows, and the proof that the official scorer is the publishers'.
"""

from __future__ import annotations

from rinsho.errors import BrokenRecord
from rinsho.evaluation.answer_record import Answer
from rinsho.evaluation.benchmark import Item, Sources
from rinsho.evaluation.benchmark_file import read_lines
from rinsho.evaluation.catalogue import load_benchmark
from rinsho.evaluation.igakuqa import EXAMS, SECTIONS, benchmark_name
from rinsho.evaluation.scoring import ScoredEntry, score_entry

RUNS = ("gpt3", "chatgpt", "chatgpt-en", "gpt4", "student-majority")


def run_path(year: int, section: str, run: str) -> str:
    """Return where the outputs of one run for one section lie below the data folder."""
    name = f"translate_{run}" if run == "chatgpt-en" else run
    return f"eval/igakuqa/baseline_results/{year}/{EXAMS[year]}-{section}_{name}.jsonl"


def read_run(sources: Sources, year: int, run: str) -> dict[str, str]:
    """Return the published prediction for each question of one year.

    Raises:
        DataFolderMissing, BenchmarkMissing, BenchmarkChanged: The files are not as published.
    """
    rows = (
        row
        for section in SECTIONS
        for _, row in read_lines(sources, "igakuqa-baselines", run_path(year, section, run))
    )
    return {str(row["problem_id"]): str(row["prediction"]) for row in rows}


def score_run(sources: Sources, year: int, run: str) -> ScoredEntry:
    """Mark a published run: officially, and by the corrected rules on the same outputs.

    Raises:
        BrokenRecord: The run does not answer the questions of that year.
    """
    loaded = load_benchmark(benchmark_name(year, "ja"), sources)
    outputs = read_run(sources, year, run)
    if outputs.keys() != {item.id for item in loaded.items}:
        raise BrokenRecord(where=f"{run} {year}", expected="an output for each question")
    pairs = [(item, _answer(loaded.name, item, outputs[item.id])) for item in loaded.items]
    return score_entry(run, loaded, "official", pairs)


def _answer(benchmark: str, item: Item, output: str) -> Answer:
    return Answer(benchmark, item.id, "official", prompt_sha256="", output=output)
