"""The commands of the catalog: what data there are, whether they are here, how they come here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rinsho.cli_options import DataOption, JsonOption, NoncommercialOption, print_json

if TYPE_CHECKING:
    from rinsho.datasets.catalog import DataFile, Dataset
    from rinsho.datasets.fetch import Fetched
    from rinsho.evaluation.benchmark import Benchmark

data = typer.Typer(
    help="Known texts, lexicons, tuning sets and benchmarks: their terms, their source, whether "
    "they are here. Only `fetch` goes out to the network.",
    no_args_is_help=True,
)
NamesArgument = Annotated[
    list[str] | None, typer.Argument(help="names from `rinsho data list`; none: every dataset")
]
NetworkOption = Annotated[
    str,
    typer.Option(
        "--mirror",
        envvar="RINSHO_MIRROR",
        help="a copy of the publishers' files: MIRROR/<owner>/<repository>/<commit>/<path>",
    ),
]


@data.command("list")
def list_data(data: DataOption = None, json: JsonOption = False) -> None:
    """List every dataset and benchmark with its terms; with --data also whether it is here."""
    from rinsho.datasets.catalog import read_catalog
    from rinsho.evaluation.catalogue import list_benchmarks

    if data is not None:
        require_folder(data, "rinsho data list")
    for dataset in read_catalog():
        if json:
            print_json({"entry": "dataset", **_summary(dataset, data)})
        else:
            print(_line(dataset, data))
    for benchmark in list_benchmarks():
        if json:
            print_json({"entry": "benchmark", **public(benchmark)})
        else:
            terms = f"{benchmark.license}{' (NC)' if benchmark.is_noncommercial else ''}"
            print(f"{benchmark.name:<26} {benchmark.form:<11} {terms}")


@data.command("show")
def show_data(
    name: Annotated[str, typer.Argument(help="a dataset or a benchmark")],
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Print what a dataset or benchmark is: terms, source, processing, cautions, here or not."""
    from rinsho.datasets.catalog import read_catalog
    from rinsho.errors import UnknownDataset
    from rinsho.evaluation.catalogue import BENCHMARKS
    from rinsho.runfile import nearest

    datasets = {dataset.name: dataset for dataset in read_catalog()}
    if name.partition("@")[0] in BENCHMARKS or name.startswith(("own/", "split/")):
        shown = _benchmark(name, data)
    elif (dashed := name.replace("_", "-")) in datasets:
        shown = _full(datasets[dashed], data)
    else:
        raise UnknownDataset(found=name, expected=nearest(name, [*datasets, *BENCHMARKS]))
    if json:
        print_json(shown)
        return
    for key, value in shown.items():
        print(f"{key:<18} {_in_words(value)}")


@data.command("check")
def check_data(
    names: NamesArgument = None, data: DataOption = None, json: JsonOption = False
) -> None:
    """Check presence, size and SHA-256 of every file below --data; exit code 1 on a difference.

    Without names, files that the catalog does not list are a difference, too.
    """
    from rinsho.console import progress
    from rinsho.datasets.catalog import find_datasets
    from rinsho.datasets.presence import check_files, unknown_files

    folder = require_folder(data, "rinsho data check")
    datasets = find_datasets(names or ())
    total = sum(dataset.n_bytes for dataset in datasets) / 2**20
    with progress("確認中", "checking", total, "MiB") as advance:
        checked = list(check_files(datasets, folder, lambda f: advance(f.n_bytes / 2**20)))
    unknown = [] if names else unknown_files(folder)
    wrong = [(one.state, one.path) for one in checked if not one.is_right]
    wrong += [("unknown", path) for path in unknown]
    if json:
        for one in checked:
            print_json(one)
        for path in unknown:
            print_json({"dataset": None, "path": path, "state": "unknown"})
    else:
        _print_differences(wrong, len(checked))
    if wrong:
        raise typer.Exit(1)


@data.command("export")
def export_data(
    name: Annotated[str, typer.Argument(help="a benchmark or a group of them")],
    out: Annotated[Path, typer.Option("--out", help="folder for the tasks")] = Path("out/lm-eval"),
    data: DataOption = None,
    noncommercial: NoncommercialOption = False,
    json: JsonOption = False,
) -> None:
    """Write a benchmark as tasks of lm-evaluation-harness: YAML, items as JSONL, and its terms.

    Choices with one right letter are compared by log-likelihood, several letters, numbers and
    entity lists are generated. Spans, pairs and ratings have no figure there and are refused.
    """
    from rinsho.evaluation.benchmark import Sources
    from rinsho.evaluation.lm_eval_export import export_tasks

    for task in export_tasks(name, Sources(data, noncommercial=noncommercial), out):
        if json:
            print_json(task)
        else:
            left_out = f", {task.n_left_out} left out" if task.n_left_out else ""
            print(f"{out / task.task}.yaml  {task.output_type}, {task.n_items} items{left_out}")


@data.command("fetch")
def fetch_data(
    names: Annotated[list[str], typer.Argument(help="names from `rinsho data list`")],
    to: Annotated[Path, typer.Option("--to", help="data folder to fill; pass it on as --data")],
    yes: Annotated[bool, typer.Option("--yes", help="accept the terms without a question")] = False,
    noncommercial: NoncommercialOption = False,
    mirror: NetworkOption = "",
    json: JsonOption = False,
) -> None:
    """Download publishers' files at their pinned commits, convert and check them.

    The one command that goes out. Terms are shown first. Files that are already right are
    skipped, so that the same command goes on where it stopped.
    """
    from rinsho.console import language, progress
    from rinsho.datasets.catalog import find_datasets
    from rinsho.datasets.download import PUBLISHERS, open_mirror
    from rinsho.datasets.fetch import fetch_dataset, refuse_terms

    datasets = find_datasets(names)
    refuse_terms(datasets, noncommercial=noncommercial)
    for dataset in datasets:
        _show_terms(dataset)
    _ask(yes)
    results: list[Fetched] = []
    n_files = sum(len(dataset.files) for dataset in datasets)
    with (
        open_mirror(mirror or PUBLISHERS) as host,
        progress("取得中", "fetching", n_files, "files") as advance,
    ):
        for dataset in datasets:

            def on_file(file: DataFile) -> None:
                advance(1, file.path.rpartition("/")[2])

            results.append(fetch_dataset(dataset, host, to, on_file))
    for result in results:
        _print_fetched(result, json)
        for error in result.failed:
            typer.echo(error.text(language()), err=True)
    if not all(result.is_complete for result in results):
        raise typer.Exit(1)


# ---------------------------------------------------------------------------------- terms


def _show_terms(dataset: Dataset) -> None:
    """Print the terms on standard error, before anything is asked for."""
    from rinsho.console import say

    ja = {"yes": "可", "no": "不可", "unclear": "明記なし（手元の評価にとどめてください）"}
    en = {"yes": "yes", "no": "no", "unclear": "not stated (evaluate locally only)"}
    kind = dataset.commercial
    say(f"{dataset.name}: {dataset.ja}", f"{dataset.name}: {dataset.en}")
    say(f"  ライセンス: {dataset.license}", f"  license: {dataset.license}")
    say(f"  商用利用: {ja[kind]}", f"  commercial use: {en[kind]}")
    say(f"  根拠: {dataset.license_evidence}", f"  evidence: {dataset.license_evidence}")
    if dataset.caution_en:
        say(f"  注意: {dataset.caution_ja}", f"  caution: {dataset.caution_en}")
    say(f"  出典: {dataset.repository}", f"  attribution: {dataset.repository}")


def _ask(yes: bool) -> None:
    import sys

    from rinsho.console import language
    from rinsho.errors import InvalidValue

    if yes:
        return
    if not sys.stdin.isatty():
        raise InvalidValue(where="rinsho data fetch", found="no terminal", expected="--yes")
    ja, en = "この条件で取得しますか", "Fetch under these terms"
    typer.confirm(ja if language() == "ja" else en, abort=True, err=True)


# ------------------------------------------------------------------------------- printing


def _line(dataset: Dataset, data: Path | None) -> str:
    mark = {"yes": "", "no": " (NC)", "unclear": " (?)"}[dataset.commercial]
    size = f"{dataset.n_bytes / 1e6:8.2f} MB"
    present = "" if data is None else f"  {_presence(dataset, data)}"
    return f"{dataset.name:<26} {dataset.kind:<11} {dataset.license + mark:<28} {size}{present}"


def _presence(dataset: Dataset, data: Path) -> str:
    from rinsho.datasets.presence import n_present

    n_here, n_files = n_present(dataset, data), len(dataset.files)
    if n_here in (0, n_files):
        return "present" if n_here else "missing"
    return f"{n_here} of {n_files} files"


def _summary(dataset: Dataset, data: Path | None) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "kind": dataset.kind,
        "ja": dataset.ja,
        "en": dataset.en,
        "licenses": dataset.licenses,
        "commercial": dataset.commercial,
        "repository": dataset.repository,
        "n_files": len(dataset.files),
        "n_rows": dataset.n_rows,
        "n_bytes": dataset.n_bytes,
        "present": None if data is None else _presence(dataset, data),
    }


def _full(dataset: Dataset, data: Path | None) -> dict[str, Any]:
    from rinsho.datasets.conversions import is_known

    paths = [file.path for file in dataset.files]
    readers = _benchmarks_on(paths)
    return {
        **_summary(dataset, data),
        "license_as_stated": dataset.license_as_stated,
        "license_evidence": dataset.license_evidence,
        "caution_ja": dataset.caution_ja,
        "caution_en": dataset.caution_en,
        "known_errors": {b.name: b.known_errors for b in readers if b.known_errors},
        "commit": dataset.commit,
        "processing": dataset.processing or "verbatim",
        "source_paths": dataset.source_paths or "as listed",
        "can_be_fetched": is_known(dataset.conversion),
        "benchmarks": [benchmark.name for benchmark in readers],
        "files": paths,
    }


def _benchmark(name: str, data: Path | None) -> dict[str, Any]:
    """Return what the file of a benchmark says, and what each of its data files must be."""
    from rinsho.evaluation.benchmark import Sources
    from rinsho.evaluation.benchmark_file import how_to_get
    from rinsho.evaluation.catalogue import describe_benchmark

    benchmark = describe_benchmark(name, Sources(data))
    shown = public(benchmark)
    if benchmark.official:
        shown["official"] = public(benchmark.official)
    if benchmark.pass_marks:
        shown["pass_marks"] = public(benchmark.pass_marks)
    shown["files"] = [how_to_get(path) for path in benchmark.files]
    if data is not None:
        shown["n_present"] = sum((data / path).is_file() for path in benchmark.files)
    return shown


def _benchmarks_on(paths: Sequence[str]) -> list[Benchmark]:
    from rinsho.evaluation.catalogue import list_benchmarks

    return [
        b
        for b in list_benchmarks()
        if {*b.files} & {*paths} or any(path in b.needs for path in paths)
    ]


def public(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that can be printed."""
    import dataclasses

    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    hidden = ("official", "also_marked")
    return {
        name: field
        for name, field in fields.items()
        if not callable(field) and not (name in hidden and field is not None)
    }


def _in_words(value: Any) -> str:
    if isinstance(value, list | tuple):
        first = [str(one) for one in value[:8]]
        return ", ".join(first) + (f" … ({len(value)})" if len(value) > 8 else "")
    if isinstance(value, dict):
        return "; ".join(f"{key}: {one}" for key, one in value.items()) or "–"
    return "–" if value in (None, "") else str(value)


def _print_differences(wrong: Sequence[tuple[str, str]], n_checked: int) -> None:
    from rinsho.console import say

    for state, path in wrong:
        print(f"{state:<8} {path}")
    say(
        f"{n_checked} ファイルを確認、相違 {len(wrong)} 件",
        f"{n_checked} files checked, {len(wrong)} differences",
    )


def _print_fetched(result: Fetched, json: bool) -> None:
    if json:
        codes = [{"code": error.code, "where": error.where} for error in result.failed]
        print_json({**public(result), "failed": codes, "is_complete": result.is_complete})
        return
    done = f"{result.n_fetched} fetched ({result.n_bytes / 1e6:.2f} MB), {result.n_present} there"
    left = f", {len(result.failed)} failed" if result.failed else ""
    left += f", {result.n_left} not tried" if result.n_left else ""
    print(f"{result.dataset}: {done}{left}, of {result.n_files} files")


def require_folder(data: Path | None, where: str) -> Path:
    """Return the data folder; refuse to go on without one."""
    from rinsho.errors import DataFolderMissing, PathMissing

    if data is None:
        raise DataFolderMissing(where=where)
    if not data.is_dir():
        raise PathMissing(where=f"--data {data.name}")
    return data
