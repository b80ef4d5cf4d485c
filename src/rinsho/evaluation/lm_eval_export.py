"""Benchmarks as tasks of lm-evaluation-harness: a YAML file, its items as JSONL, and the terms.

Prompts are the corrected ones, word for word; the system text is the task's `description`. What the
harness has no figure for (spans, pairs, ratings) is refused rather than marked by another rule.
Source:
    EleutherAI/lm-evaluation-harness, docs/task_guide.md and docs/new_task_guide.md (0.4).
"""

from __future__ import annotations

import importlib.resources
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rinsho.errors import InvalidValue, NothingToRead
from rinsho.evaluation.benchmark import Item, Sources
from rinsho.evaluation.benchmark_file import catalogued_files
from rinsho.evaluation.catalogue import LoadedBenchmark, expand_names, load_benchmark
from rinsho.evaluation.prompts import messages_of
from rinsho.manifest import write_file

ENTITIES_MODULE = "lm_eval_metrics"
_KINDS = {
    "choice": "choice",
    "similarity": "choice",
    "number": "generation",
    "entities": "entities",
    "passage": "passage",
    "text": "text",
}
_GREEDY = {"until": ["\n\n"], "do_sample": False, "max_gen_toks": 512}


@dataclass(frozen=True, slots=True)
class ExportedTask:
    """What was written for one benchmark."""

    task: str
    benchmark: str
    output_type: str
    n_items: int
    n_left_out: int  # excluded by the corrected rules


def export_tasks(name: str, sources: Sources, out: Path) -> list[ExportedTask]:
    """Write the tasks of a benchmark or group into a folder; return what was written.

    Args:
        name: A benchmark or a group of them.
        sources: Where its files are, and whether non-commercial ones may be used.
        out: Gets `TASK.yaml`, `TASK.jsonl` and `TASK.terms.md`; made where it is missing.

    Raises:
        UnknownBenchmark: No benchmark has that name.
        NoncommercialRefused: Its license asks for `--noncommercial`.
        InvalidValue: The harness has no figure for answers of its form.
    """
    loaded = [load_benchmark(one, sources) for one in expand_names([name])]
    for one in loaded:
        if one.benchmark.form not in _KINDS:
            forms = ", ".join(_KINDS)
            raise InvalidValue(where=one.name, found=one.benchmark.form, expected=forms)
    is_private = any(one.is_text_withheld for one in loaded)
    out.mkdir(parents=True, exist_ok=True, mode=0o700 if is_private else 0o777)
    return [_export(one, out) for one in loaded]


def task_name(benchmark: str) -> str:
    """Return the name of a benchmark's task.

    >>> task_name("jmed-llm/crade")
    'rinsho_jmed_llm_crade'
    """
    return "rinsho_" + re.sub(r"[^0-9A-Za-z]+", "_", benchmark)


def _export(loaded: LoadedBenchmark, out: Path) -> ExportedTask:
    items = [item for item in loaded.items if not item.excluded]
    if not items:
        raise NothingToRead(where=loaded.name, expected="items that count")
    kind = _kind_of(loaded, items)
    task = task_name(loaded.name)
    description = _shared_instruction(items)
    lines = [json.dumps(_line(item, kind, description), ensure_ascii=False) for item in items]
    config = _config(loaded, task, kind, description, len(items))
    write_file(out / f"{task}.jsonl", "".join(f"{line}\n" for line in lines).encode())
    write_file(out / f"{task}.yaml", "".join(_yaml_lines(config)).encode())
    write_file(out / f"{task}.terms.md", _terms(loaded, task).encode())
    if kind == "entities":
        module = importlib.resources.files("rinsho.evaluation") / f"{ENTITIES_MODULE}.py"
        write_file(out / f"{ENTITIES_MODULE}.py", module.read_bytes())
    n_left_out = len(loaded.items) - len(items)
    return ExportedTask(task, loaded.name, config["output_type"], len(items), n_left_out)


def _kind_of(loaded: LoadedBenchmark, items: Sequence[Item]) -> str:
    """Return how the harness can ask: several right letters, or numbers, have to be generated."""
    kind = _KINDS[loaded.benchmark.form]
    has_one_letter = all(item.choices and len(item.gold) == 1 for item in items)
    return "generation" if kind == "choice" and not has_one_letter else kind


# ---------------------------------------------------------------------------------- items


def _shared_instruction(items: Sequence[Item]) -> str:
    """Return the system text, where all items have the same one."""
    if items[0].form == "text":
        return ""
    systems = {messages_of(item)[0].content for item in items}
    return systems.pop() if len(systems) == 1 else ""


def _line(item: Item, kind: str, description: str) -> dict[str, Any]:
    if kind == "text":
        return {"id": item.id, "text": item.question}
    system, user = (message.content for message in messages_of(item))
    prompt = user if description else f"{system}\n\n{user}"
    line: dict[str, Any] = {"id": item.id, "tag": item.tag, "prompt": prompt}
    if kind == "choice":
        return line | {"letters": list(item.letters), "gold": item.letters.index(item.gold[0])}
    if kind == "entities":
        return line | {"entities": list(item.gold), "target": repr(list(item.gold))}
    if kind == "passage":
        return line | {"targets": list(item.gold)}
    return line | {"target": ",".join(sorted(item.gold))}


# ---------------------------------------------------------------------------------- YAML


def _config(
    loaded: LoadedBenchmark, task: str, kind: str, description: str, n_items: int
) -> dict[str, Any]:
    benchmark = loaded.benchmark
    config: dict[str, Any] = {
        "task": task,
        "tag": [f"rinsho_{re.sub(r'[^0-9A-Za-z]+', '_', benchmark.name.partition('/')[0])}"],
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": f"{task}.jsonl"}},
        "test_split": "test",
        "num_fewshot": 0,
        **_asking(kind),
        "metadata": {
            "version": float(benchmark.version),
            "benchmark": benchmark.name,
            "items_sha256": loaded.sha256,
            "license": benchmark.license,
            "source": benchmark.source,
            "n_items": n_items,
            "n_left_out": len(loaded.items) - n_items,
        },
    }
    if description:
        config["description"] = f"{description}\n\n"
    return config


def _asking(kind: str) -> dict[str, Any]:
    """Return what is asked and how it is marked; a value that is a column's name is that column."""
    if kind == "choice":
        return {
            "output_type": "multiple_choice",
            "doc_to_text": "prompt",
            "doc_to_choice": "letters",
            "doc_to_target": "gold",
            "target_delimiter": "",
            "metric_list": [_mean("acc")],
        }
    if kind == "text":
        return {
            "output_type": "loglikelihood_rolling",
            "doc_to_text": "",
            "doc_to_target": "text",
            "metric_list": [{"metric": "bits_per_byte"}],
        }
    generated: dict[str, Any] = {
        "output_type": "generate_until",
        "doc_to_text": "prompt",
        "doc_to_target": "targets" if kind == "passage" else "target",
        "generation_kwargs": _GREEDY,
    }
    if kind == "entities":
        marker = _Function(f"{ENTITIES_MODULE}.process_results")
        return {**generated, "process_results": marker, "metric_list": [_mean("exact_f1")]}
    return {**generated, "metric_list": [{**_mean("exact_match"), "ignore_case": False}]}


def _mean(metric: str) -> dict[str, Any]:
    return {"metric": metric, "aggregation": "mean", "higher_is_better": True}


@dataclass(frozen=True, slots=True)
class _Function:
    """A function of a Python file beside the YAML, which the harness reads by `!function`."""

    path: str


def _yaml_lines(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield one line a key; values in the flow style of YAML, which is JSON."""
    for name, value in config.items():
        is_function = isinstance(value, _Function)
        shown = f"!function {value.path}" if is_function else json.dumps(value, ensure_ascii=False)
        yield f"{name}: {shown}\n"


def _terms(loaded: LoadedBenchmark, task: str) -> str:
    benchmark = loaded.benchmark
    datasets = {
        dataset.name: dataset
        for path in benchmark.files
        if path in catalogued_files()
        for dataset, _ in [catalogued_files()[path]]
    }
    origins = "".join(
        f"- {one.name}: {one.repository} at commit {one.commit}; {one.license_as_stated}\n"
        for one in datasets.values()
    )
    noncommercial = "yes" if benchmark.is_noncommercial else "no"
    return (
        f"# {task}\n\n{benchmark.ja}\n\n{benchmark.en}\n\n"
        f"- license: {benchmark.license}\n- non-commercial purposes only: {noncommercial}\n"
        f"- source: {benchmark.source}\n{origins}"
        f"- known errors: {benchmark.known_errors or 'none known'}\n\n"
        "The items keep these terms. Marked by the harness: letters by log-likelihood (`acc`), "
        "generated answers by equal text (`exact_match`), entity lists by `exact_f1`; rinsho's own "
        "figures (kappa, partial F1, points, prohibited choices) are not among its metrics.\n\n"
        f"Run in this folder: `lm_eval --include_path . --tasks {task}` "
        "(with a chat model: `--apply_chat_template`).\n"
    )
