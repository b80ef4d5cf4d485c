"""The commands of the stages: one run-file table, one output folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rinsho.cli_options import (
    BaseOption,
    CacheOption,
    DataOption,
    DocumentsOption,
    ModelOption,
    NameOption,
    NoncommercialOption,
    OutOption,
    RemoteOption,
    RunFileArgument,
    SetOption,
    ShareOption,
    ShowOption,
    TokenizerOption,
    TokensOption,
)

if TYPE_CHECKING:
    from rinsho.runfile import Step

stages = typer.Typer()
STAGE = "Stages (one command, one output folder)"


@stages.command(rich_help_panel=STAGE)
def collect(
    run_file: RunFileArgument,
    out: OutOption = Path("out/documents"),
    labels: Annotated[
        Path | None, typer.Option("--labels", help="labels folder: its scorer judges quality")
    ] = None,
    set_: SetOption = None,
    name: NameOption = None,
    data: DataOption = None,
    noncommercial: NoncommercialOption = False,
    show: ShowOption = 0,
    workers: Annotated[
        int | None, typer.Option(min=1, help="processes at a time; none: every core")
    ] = None,
    engine: Annotated[
        str, typer.Option(help="local: processes here; ray: a cluster (RAY_ADDRESS)")
    ] = "local",
    shard: Annotated[
        int | None, typer.Option(min=0, help="make share I of --of N alone (Slurm array job I)")
    ] = None,
    of: Annotated[int | None, typer.Option(min=1, help="how many shares there are")] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="put together what every --shard has made")
    ] = False,
) -> None:
    """Read files, normalize, filter, de-duplicate and de-identify them into documents.

    The result has the same identity whatever the workers, the engine and the shares. A run that was
    cut off goes on where it was.

        rinsho collect RUN.toml --out DIR --shard $SLURM_ARRAY_TASK_ID --of 8   # jobs 0 to 7
        rinsho collect RUN.toml --out DIR --merge
    """
    from rinsho.errors import InvalidValue

    if engine not in ("local", "ray"):
        raise InvalidValue(where="--engine", found=engine, expected="local, ray")
    options: dict[str, Any] = {"engine": engine, "n_workers": workers}
    if shard is None and of is None and not (show and merge):
        inputs = {"labels": labels}
        options["only_merge"] = merge
        _stage(
            "collect",
            run_file,
            out,
            set_,
            name,
            inputs=inputs,
            data=data,
            noncommercial=noncommercial,
            show=show,
            options=options,
        )
        return
    if shard is None or of is None or shard >= of or merge or show:
        expected = "--shard I --of N with 0 <= I < N; --merge and --show by themselves"
        given = {"--shard": shard, "--of": of, "--merge": merge or None, "--show": show or None}
        found = " ".join(name for name, value in given.items() if value is not None)
        raise InvalidValue(where="rinsho collect", found=found, expected=expected)
    _collect_share(
        _read_step("collect", run_file, set_, name).config,
        share=shard,
        n_shares=of,
        out=out,
        labels=labels,
        data=data,
        noncommercial=noncommercial,
        **options,
    )


def _collect_share(config: Any, **arguments: Any) -> None:
    from rinsho.console import say
    from rinsho.corpus.collect import make_share

    n_parts = make_share(config, **arguments)
    share, n_shares = arguments["share"], arguments["n_shares"]
    if (arguments["out"] / "manifest.json").is_file():
        say(
            f"{arguments['out']} はもう結合されています: 作る部分はありません",
            f"{arguments['out']} is merged already: there is nothing to make",
        )
        return
    say(
        f"分割 {share}/{n_shares}: {n_parts} 個の部分ができました",
        f"share {share} of {n_shares}: {n_parts} parts are done",
    )


@stages.command(rich_help_panel=STAGE)
def synthesize(
    run_file: RunFileArgument,
    out: OutOption = Path("out/synthetic"),
    set_: SetOption = None,
    name: NameOption = None,
    data: DataOption = None,
    noncommercial: NoncommercialOption = False,
    allow_remote: RemoteOption = False,
    show: ShowOption = 0,
) -> None:
    """Write textbooks, notes with gold spans, questions and instructions from the grammar.

    With `lexicons`, the documents are about the entries of published lists below --data: sections,
    questions with worked answers and instructions that say only what the lists say. With
    `writer = "endpoint"` and a table `synthesize.asking` a model behind an OpenAI-compatible API
    writes them, checked and de-duplicated; `--show N` then prints the questions and asks nothing.
    """
    _stage(
        "synthesize",
        run_file,
        out,
        set_,
        name,
        data=data,
        noncommercial=noncommercial,
        allow_remote=allow_remote,
        show=show,
    )


@stages.command(rich_help_panel=STAGE)
def label(
    run_file: RunFileArgument,
    out: OutOption = Path("out/labels"),
    documents: DocumentsOption = None,
    set_: SetOption = None,
    name: NameOption = None,
    allow_remote: RemoteOption = False,
    show: ShowOption = 0,
) -> None:
    """Label a sample of documents by quality, and fit the fast scorer that collect uses.

    The table `label` names who labels: an endpoint that is shown the rubric (url, model), a
    transformer `classifier` folder, files of `people`, or `rules`. Agreement on held-out labels is
    written beside the scorer. `--show N` prints what would be asked, and asks nothing.
    """
    inputs = {"documents": documents}
    _stage("label", run_file, out, set_, name, inputs=inputs, show=show, allow_remote=allow_remote)


@stages.command("train-tokenizer", rich_help_panel=STAGE)
def train_tokenizer(
    run_file: RunFileArgument,
    out: OutOption = Path("out/tokenizer"),
    documents: DocumentsOption = None,
    set_: SetOption = None,
    name: NameOption = None,
    data: DataOption = None,
    noncommercial: NoncommercialOption = False,
    measure: Annotated[
        bool, typer.Option("--measure", help="print what it measures on held-out documents")
    ] = False,
) -> None:
    """Train a Unigram tokenizer whose pieces respect morphemes.

    `--measure` prints bytes per token, crossed morphemes, terms and round trips; measure.json,
    measure.txt and the figure lie in the folder either way. A finished folder is not trained again.
    """
    inputs = {"documents": documents}
    _stage(
        "train-tokenizer",
        run_file,
        out,
        set_,
        name,
        data=data,
        noncommercial=noncommercial,
        inputs=inputs,
    )
    if measure:
        print((out / "measure.txt").read_text(encoding="utf-8"), end="")


@stages.command("measure-tokenizer", rich_help_panel=STAGE)
def measure_tokenizer(
    run_file: RunFileArgument,
    out: OutOption = Path("out/tokenizer-measure"),
    documents: DocumentsOption = None,
    tokenizer: Annotated[
        list[Path] | None, typer.Option("--tokenizer", help="tokenizer folder (repeatable)")
    ] = None,
    set_: SetOption = None,
    name: NameOption = None,
    data: DataOption = None,
    noncommercial: NoncommercialOption = False,
) -> None:
    """Compare tokenizers on the same held-out text: JSON, a table and a figure.

    Those of other projects are named in the table: `others = { qwen = "tokenizer.json" }`.
    """
    inputs = {"documents": documents, "tokenizer": tokenizer}
    _stage(
        "measure-tokenizer",
        run_file,
        out,
        set_,
        name,
        data=data,
        noncommercial=noncommercial,
        inputs=inputs,
    )
    print((out / "measure.txt").read_text(encoding="utf-8"), end="")


@stages.command("extend-tokenizer", rich_help_panel=STAGE)
def extend_tokenizer(
    run_file: RunFileArgument,
    out: OutOption = Path("out/extended-tokenizer"),
    base: Annotated[
        Path | None,
        typer.Option("--base", help="folder with a tokenizer: rinsho's, or tokenizer.json"),
    ] = None,
    documents: DocumentsOption = None,
    set_: SetOption = None,
    name: NameOption = None,
    data: DataOption = None,
    noncommercial: NoncommercialOption = False,
) -> None:
    """Add medical pieces to a tokenizer, for continued pre-training; no id of the base changes.

    Then give the weights their new rows with `extend-weights`, and encode with the new folder.
    """
    inputs = {"base": base, "documents": documents}
    _stage(
        "extend-tokenizer",
        run_file,
        out,
        set_,
        name,
        data=data,
        noncommercial=noncommercial,
        inputs=inputs,
    )
    print((out / "measure.txt").read_text(encoding="utf-8"), end="")


@stages.command("extend-weights", rich_help_panel=STAGE)
def extend_weights(
    run_file: RunFileArgument,
    out: OutOption = Path("out/extended-weights"),
    base: BaseOption = None,
    tokenizer: TokenizerOption = None,
    set_: SetOption = None,
    name: NameOption = None,
) -> None:
    """Give weights a row for each token of an extended tokenizer: the mean of its parts' rows."""
    inputs = {"base": base, "tokenizer": tokenizer}
    _stage("extend-weights", run_file, out, set_, name, inputs=inputs)


@stages.command(rich_help_panel=STAGE)
def encode(
    run_file: RunFileArgument,
    out: OutOption = Path("out/tokens"),
    documents: DocumentsOption = None,
    tokenizer: TokenizerOption = None,
    set_: SetOption = None,
    name: NameOption = None,
    data: DataOption = None,
    noncommercial: NoncommercialOption = False,
    show: ShowOption = 0,
) -> None:
    """Turn documents or conversations into memory-mapped tokens with a loss mask.

    Tables `encode.files` name tuning data: Alpaca, messages or ShareGPT, or questions with choices
    in Japanese, English or both. `--show 3` prints what is learned of three, token by token.
    """
    inputs = {"documents": documents, "tokenizer": tokenizer}
    _stage(
        "encode",
        run_file,
        out,
        set_,
        name,
        inputs=inputs,
        show=show,
        data=data,
        noncommercial=noncommercial,
    )


@stages.command(rich_help_panel=STAGE)
def pretrain(
    run_file: RunFileArgument,
    out: OutOption = Path("out/weights"),
    tokens: Annotated[
        list[Path] | None, typer.Option("--tokens", help="tokens folder (repeatable)")
    ] = None,
    base: BaseOption = None,
    set_: SetOption = None,
    name: NameOption = None,
    noncommercial: NoncommercialOption = False,
) -> None:
    """Train a decoder on tokens: from scratch, or from --base (continued pre-training).

    `\\[pretrain.mix]` weighs sources, or the tokens folders that are given. A run that was stopped
    goes on where it was and gives the same bytes.
    """
    inputs = {"tokens": tokens, "base": base}
    _stage("pretrain", run_file, out, set_, name, noncommercial=noncommercial, inputs=inputs)


@stages.command(rich_help_panel=STAGE)
def finetune(
    run_file: RunFileArgument,
    out: OutOption = Path("out/finetuned"),
    base: BaseOption = None,
    tokens: TokensOption = None,
    documents: DocumentsOption = None,
    set_: SetOption = None,
    name: NameOption = None,
    data: DataOption = None,
    noncommercial: NoncommercialOption = False,
) -> None:
    """Tune weights: to answer, to mark spans, or to judge texts and pairs of texts.

    form = "generation" or "label-scoring" learns conversations (--tokens); "tagging" learns spans
    and "relation" relations between them (--documents, or the tables finetune.examples), "pooled"
    and "pair" classes, labels and numbers (finetune.examples). Left out, the input decides.
    docs/finetuning.md has examples.
    """
    inputs = {"base": base, "tokens": tokens, "documents": documents}
    _stage(
        "finetune", run_file, out, set_, name, data=data, noncommercial=noncommercial, inputs=inputs
    )


@stages.command(rich_help_panel=STAGE)
def export(
    run_file: RunFileArgument,
    out: OutOption = Path("out/exported"),
    base: BaseOption = None,
    adapter: Annotated[
        Path | None, typer.Option("--adapter", help="adapter folder to merge into --base")
    ] = None,
    for_: Annotated[
        str | None, typer.Option("--for", help="the program: transformers, vllm or gguf")
    ] = None,
    set_: SetOption = None,
    name: NameOption = None,
) -> None:
    """Write weights for another program: its form, its precision, in shards, logits proved.

    `--base` is a weights folder, a Hugging Face folder or a hub id in the local cache. `--adapter`
    is merged into it (alone, as `--base`, an adapter finds its base beside it). `--for vllm` turns
    the two-matrix MLP into an equal Llama; `--for gguf` writes one file for llama.cpp, in fp16 or
    with `--set dtype="q8_0"`. Tokenizer and chat template go along as they are, byte for byte;
    export.json tells how far the logits lie apart.
    """
    chosen = [*(set_ or []), *([f"runtime={for_}"] if for_ else [])]
    inputs = {"base": base, "adapter": adapter}
    _stage("export", run_file, out, chosen, name, inputs=inputs)


@stages.command("train-crf", rich_help_panel=STAGE)
def train_crf(
    run_file: RunFileArgument,
    out: OutOption = Path("out/crf"),
    documents: DocumentsOption = None,
    set_: SetOption = None,
    name: NameOption = None,
    data: DataOption = None,
    noncommercial: NoncommercialOption = False,
) -> None:
    """Train character CRFs that mark spans: no base, no tokenizer, minutes on one core.

    They learn what `finetune` with form = "tagging" learns: --documents with spans, or the tables
    train-crf.examples. `extract --model OUT`, `serve` and `evaluate` open the folder.
    """
    inputs = {"documents": documents}
    _stage(
        "train-crf", run_file, out, set_, name, data=data, noncommercial=noncommercial,
        inputs=inputs,
    )  # fmt: skip


@stages.command(rich_help_panel=STAGE)
def answer(
    run_file: RunFileArgument,
    out: OutOption = Path("out/answers"),
    model: ModelOption = None,
    documents: DocumentsOption = None,
    set_: SetOption = None,
    name: NameOption = None,
    data: DataOption = None,
    noncommercial: NoncommercialOption = False,
    base: BaseOption = None,
    allow_remote: RemoteOption = False,
    cache: CacheOption = None,
) -> None:
    """Ask a model the questions of benchmarks; scoring is a stage of its own.

    MODEL is a weights folder, a Hugging Face folder, an adapter (with --base, where the base does
    not lie beside it) or, with engine = "endpoint", a GGUF file; [answer.endpoint] names a server.
    """
    inputs = {"model": model, "documents": documents}
    _stage(
        "answer", run_file, out, set_, name, data=data, noncommercial=noncommercial,
        allow_remote=allow_remote, inputs=inputs, options={"base": base, "cache": cache},
    )  # fmt: skip


@stages.command(rich_help_panel=STAGE)
def score(
    run_file: RunFileArgument,
    out: OutOption = Path("out/report"),
    answers: Annotated[
        list[Path] | None, typer.Option("--answers", help="answers folder (repeatable)")
    ] = None,
    documents: DocumentsOption = None,
    weights: Annotated[
        list[Path] | None, typer.Option("--weights", help="weights folder (repeatable)")
    ] = None,
    share: ShareOption = None,
    set_: SetOption = None,
    name: NameOption = None,
    data: DataOption = None,
    noncommercial: NoncommercialOption = False,
) -> None:
    """Score answers, with intervals, into a report that opens offline.

    report.html has everything; scores, differences and confusion also as CSV and Markdown.
    `--share` makes a report that may be passed on: figures and marks, no text.
    """
    chosen = [*(set_ or []), *([] if share is None else [f"share={str(share).lower()}"])]
    inputs = {"answers": answers, "documents": documents, "weights": weights}
    _stage(
        "score", run_file, out, chosen, name, data=data, noncommercial=noncommercial, inputs=inputs
    )


def _stage(
    verb: str,
    run_file: Path,
    out: Path,
    overrides: Sequence[str] | None,
    name: str | None,
    *,
    inputs: Mapping[str, list[Path] | Path | None] | None = None,
    data: Path | None = None,
    noncommercial: bool = False,
    allow_remote: bool = False,
    show: int = 0,
    options: Mapping[str, Any] | None = None,
) -> None:
    """Run one table of a run file, or show what it would do."""
    from rinsho.console import say
    from rinsho.run import run_stage
    from rinsho.training.ranks import place

    step = _read_step(verb, run_file, overrides, name)
    given = {
        slot: value if isinstance(value, list) else [value]
        for slot, value in (inputs or {}).items()
        if value
    }
    if show:
        _show(step, given, show, data, noncommercial)
        return
    manifest = run_stage(
        step.stage,
        step.config,
        inputs=given,
        out=out,
        data=data,
        noncommercial=noncommercial,
        allow_remote=allow_remote,
        options=options,
    )
    if place().rank > 0:
        return  # rank 0 of a run on many devices tells of it
    seconds, identity = manifest.run["seconds"], manifest.identity_hash[:12]
    say(
        f"完了: {out}（{seconds:.1f} 秒、{identity}）", f"done: {out} ({seconds:.1f} s, {identity})"
    )
    print(out)


def _read_step(
    verb: str, run_file: Path, overrides: Sequence[str] | None, name: str | None
) -> Step:
    from rinsho.runfile import read_run_file

    # The stage is known, so --set may leave its name out: n_steps=20 for pretrain.n_steps=20.
    full = [f"{name or verb}.{o}" if "." not in o.partition("=")[0] else o for o in overrides or ()]
    return read_run_file(run_file, full).step(verb, name)


def _show(
    step: Step,
    inputs: dict[str, list[Path]],
    n_records: int,
    data: Path | None,
    noncommercial: bool,
) -> None:
    """Print what a stage would do with its first records."""
    import importlib

    module = importlib.import_module(step.stage.module)
    arguments: dict[str, Any] = {}
    for slot in step.stage.slots:
        if folders := inputs.get(slot.name):
            arguments[slot.name] = folders if slot.is_many else folders[0]
    if step.stage.takes_data:
        arguments.update(data=data, noncommercial=noncommercial)
    if step.stage.takes_terms:
        arguments.update(noncommercial=noncommercial)
    shown = getattr(module, f"show_{step.stage.function_name}")
    for record in shown(step.config, n_records, **arguments):
        print(record)
