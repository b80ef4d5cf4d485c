"""The commands of supervised evaluation: what leaks where, splits by document, a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from rinsho.cli_data import data, public, require_folder
from rinsho.cli_options import (
    BaseOption,
    DataOption,
    JsonOption,
    NoncommercialOption,
    OutOption,
    SetOption,
    print_json,
)
from rinsho.cli_use import USE

if TYPE_CHECKING:
    from rinsho.evaluation.benchmark import Sources
    from rinsho.training.finetune import FinetuneConfig

supervised = typer.Typer()


@data.command("leaks")
def show_leaks(
    training: Annotated[
        list[Path] | None,
        typer.Option("--training", help="examples (CSV, JSONL) or a documents folder (repeatable)"),
    ] = None,
    benchmark: Annotated[
        list[str] | None, typer.Option("--benchmark", help="tests that --training must not hold")
    ] = None,
    data: DataOption = None,
    noncommercial: NoncommercialOption = False,
    json: JsonOption = False,
) -> None:
    """Count what pools of JMED-LLM give away of its official tests, and tests of one another.

    With --training and --benchmark: list which test documents stand in your training data, and end
    with exit code 1 if one does. Texts are compared, not ids: there are none. No text is printed.
    """
    from rinsho.evaluation.benchmark import Sources
    from rinsho.evaluation.leaks import find_leaks, shared_documents

    sources = Sources(require_folder(data, "rinsho data leaks"), noncommercial=noncommercial)
    if training or benchmark:
        _check_training(training or [], benchmark or ["jmed-llm"], sources, json)
        return
    for leak in find_leaks(sources):
        if json:
            print_json(public(leak))
        else:
            print(
                f"{leak.test:<15} in {leak.pool:<6} {leak.n_test_rows_in_pool:>4} rows there, "
                f"{leak.n_test_rows_leaking:>3} leak; without its documents {leak.n_rows_left} of "
                f"{leak.n_pool_rows} rows are left"
            )
    for (one, other), n_shared in shared_documents(sources, is_linked=True).items():
        if json:
            print_json({"test": one, "other_test": other, "n_shared_documents": n_shared})
        else:
            print(f"{one} and {other} share {n_shared} documents")


@data.command("memory")
def show_memory(
    model: Annotated[Path, typer.Argument(help="weights or Hugging Face folder, or an adapter")],
    benchmark: Annotated[
        list[str] | None, typer.Option("--benchmark", help="name or group of choices (repeatable)")
    ] = None,
    max_items: Annotated[int, typer.Option("--max-items", min=2, help="the first of each")] = 200,
    base: BaseOption = None,
    data: DataOption = None,
    noncommercial: NoncommercialOption = False,
    json: JsonOption = False,
) -> None:
    """Look for signs that a model has seen a benchmark: it knows its order, or its next words.

    Likelihood of the file's order of options and of items against others, and questions that it
    writes on as they stand. No sign is no proof that it has not. No text is printed.
    """
    from rinsho.evaluation.benchmark import Sources
    from rinsho.evaluation.catalogue import expand_names, load_benchmark
    from rinsho.evaluation.memory import complete_questions, item_order, option_order
    from rinsho.generation.decoder_model import load_language_model

    sources = Sources(require_folder(data, "rinsho data memory"), noncommercial=noncommercial)
    opened = load_language_model(model, base)
    for name in expand_names(benchmark or ["jmmlu/medical"]):
        items = load_benchmark(name, sources).items[:max_items]
        options, order = option_order(opened, items), item_order(opened, items)
        written = complete_questions(opened, items)
        if json:
            found = {"options": options, "items": order, "completions": written}
            print_json({"benchmark": name, **{k: public(v) for k, v in found.items()}})
            continue
        p = "–" if order.p is None else f"{order.p:.4f}"
        print(f"{name}")
        print(
            f"  options: the file's order is the likeliest of {options.n_orders} in "
            f"{options.n_likeliest} of {options.n_items} items (p {options.p:.4f})"
        )
        print(
            f"  items: {order.mean_gain:+.3f} nats a shard over {order.n_orders} other orders, "
            f"{order.n_shards} shards (p {p})"
        )
        print(
            f"  completions: {written.n_exact} of {written.n_items} second halves word by word; "
            f"{written.mean_prefix:.3f} of one from its beginning, "
            f"{written.mean_longest:.3f} in one piece"
        )


@data.command("years")
def show_years(
    folders: Annotated[list[Path], typer.Argument(help="answers folders, or reports")],
    model_date: Annotated[
        str, typer.Option("--model-date", help="when the model's training text ended: 2023-09")
    ],
    data: DataOption = None,
    noncommercial: NoncommercialOption = False,
    json: JsonOption = False,
) -> None:
    """Show examinations by year, before and after a model's date, side by side.

    What was asked after that date cannot stand in the model's training text.
    """
    from rinsho.evaluation.compare import read_marks
    from rinsho.evaluation.exam_years import by_year, to_table

    rows = by_year(read_marks(folders, data=data, noncommercial=noncommercial), model_date)
    if json:
        print_json([public(row) for row in rows])
    else:
        print(to_table(rows), end="")


def _check_training(
    training: Sequence[Path], benchmarks: Sequence[str], sources: Sources, json: bool
) -> None:
    from rinsho.evaluation.catalogue import expand_names, load_benchmark
    from rinsho.evaluation.leaks import find_training_leaks, refuse_training_leaks
    from rinsho.evaluation.training_texts import read_training_texts

    texts = [pair for path in training for pair in read_training_texts(path)]
    found = {
        name: find_training_leaks(texts, load_benchmark(name, sources).items)
        for name in expand_names(benchmarks)
    }
    for name, leaks in found.items():
        for item in dict.fromkeys(leak.item for leak in leaks):
            same = [leak for leak in leaks if leak.item == item]
            records = [leak.training for leak in same]
            if json:
                value = {"item": item, "n_items": same[0].n_items, "training": records}
                print_json({"benchmark": name, **value})
            else:
                more = f" and {len(records) - 1} more" if len(records) > 1 else ""
                print(f"{name} {item} ({same[0].n_items} rows) stands in {records[0]}{more}")
    every = [leak for leaks in found.values() for leak in leaks]
    refuse_training_leaks(every, ", ".join(name for name, leaks in found.items() if leaks))
    print(f"0 of {len(texts)} training texts hold a test document")


@data.command("splits")
def write_splits(
    tasks: Annotated[
        list[str],
        typer.Argument(help="smdis, crade, nrner, mrner-disease, mrner-medicine, jcsts, own/NAME"),
    ],
    out: OutOption = Path("out/splits"),
    setting: Annotated[
        list[str] | None,
        typer.Option("--setting", help="official, grouped or disjoint (repeatable); none: all"),
    ] = None,
    folds: Annotated[int, typer.Option("--folds", min=2, help="of the cross-validation")] = 5,
    across: Annotated[
        bool,
        typer.Option("--across", help="disjoint from the official tests of all these tasks"),
    ] = False,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    data: DataOption = None,
    noncommercial: NoncommercialOption = False,
) -> None:
    """Split pools by document for `supervise`, `finetune` and `encode`; print what leaks where.

    official: the published test, the rest of the pool to learn; leaks, and says how much. grouped:
    cross-validation, no document in two folds. disjoint: the published test, and rows to learn
    that share no document with it. `split/NAME` is the benchmark of a split, with --data OUT.
    """
    from rinsho.evaluation.split import SplitConfig, split
    from rinsho.evaluation.split_folder import read_omitted, read_records
    from rinsho.manifest import open_folder

    values = {
        "tasks": tasks,
        "n_folds": folds,
        "disjoint_from": "all" if across else "own",
        "seed": seed,
        **({"settings": setting} if setting else {}),
    }
    config = _checked(SplitConfig, values)
    folder = require_folder(data, "rinsho data splits")
    split(config, out=out, data=folder, noncommercial=noncommercial)
    made = open_folder(out, "split")
    for record in read_records(made):
        rows = ", ".join(f"{part} {count.n_rows}" for part, count in record.parts.items())
        given = "".join(f"; {n} of {name}" for name, n in record.gives_away.items())
        print(
            f"{record.name:<24} {rows}; {record.n_leaking_test_rows} test rows leak, "
            f"documents of other tests in training: {given.lstrip('; ') or 0}"
        )
    for name, reason in read_omitted(made).items():
        print(f"{name:<24} left out: {reason}")


def _checked(config_class: Any, values: dict[str, Any]) -> Any:
    from rinsho.runfile import to_config

    return to_config(config_class, values, "rinsho data splits")


@supervised.command(rich_help_panel=USE)
def supervise(
    splits: Annotated[Path, typer.Argument(help="folder of `rinsho data splits`")],
    tuning: Annotated[
        Path | None,
        typer.Argument(help="run file that tunes heads (finetune); none: defaults"),
    ] = None,
    out: OutOption = Path("out/supervised"),
    base: Annotated[
        list[Path] | None, typer.Option("--base", help="weights to tune a head over (repeatable)")
    ] = None,
    encoder: Annotated[
        list[Path] | None,
        typer.Option("--encoder", help="local Hugging Face encoder to tune (repeatable)"),
    ] = None,
    split: Annotated[
        list[str] | None, typer.Option("--split", help="beginning of a name; none: every split")
    ] = None,
    system: Annotated[
        list[str] | None,
        typer.Option("--system", help="constant, tf-idf, dictionary, character-crf, head, …"),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="trainings of a model")] = 5,
    grouped_seeds: Annotated[
        int, typer.Option("--grouped-seeds", min=1, help="of the cross-validation, all folds each")
    ] = 1,
    set_: SetOption = None,
    noncommercial: NoncommercialOption = False,
) -> None:
    """Tune and measure models and plain baselines on splits, over seeds, in one table.

    A killed run goes on where it stopped. Prints the table; OUT/table has it as JSON and Markdown.
    """
    from rinsho.evaluation.supervise import SuperviseConfig, run_supervised
    from rinsho.runfile import read_run_file, to_run_file

    overrides = [o if o.startswith("finetune.") else f"finetune.{o}" for o in set_ or ()]
    run_file = (
        read_run_file(tuning, overrides)
        if tuning
        else to_run_file("supervise", {"finetune": {}}, overrides)
    )
    run_supervised(
        SuperviseConfig(
            splits=tuple(split or ()),
            systems=tuple(system or ()),
            n_seeds=seeds,
            n_grouped_seeds=grouped_seeds,
        ),
        splits=splits,
        out=out,
        tuning=cast("FinetuneConfig", run_file.step("finetune").config),
        bases=_called("head", base),
        encoders=_called("encoder", encoder),
        noncommercial=noncommercial,
    )
    print((out / "table" / "table.md").read_text(encoding="utf-8"))


def _called(kind: str, paths: Sequence[Path] | None) -> dict[str, Path]:
    """Return names for the table: the kind alone, or with the folder's name where there are two."""
    one_only = len(paths or ()) == 1
    return {kind if one_only else f"{kind}-{path.name}": path for path in paths or ()}
