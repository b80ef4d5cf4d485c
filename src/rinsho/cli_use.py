"""The commands that measure and draw: evaluate, compare, draw-embeddings, draw-losses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rinsho.cli_options import (
    BaseOption,
    CacheOption,
    DataOption,
    DocumentsOption,
    JsonOption,
    NoncommercialOption,
    OutOption,
    RemoteOption,
    ShareOption,
)

if TYPE_CHECKING:
    pass

use = typer.Typer()
USE = "Use a model"


@use.command(rich_help_panel=USE)
def evaluate(
    model: Annotated[
        str, typer.Argument(help="weights or Hugging Face folder, adapter, model.gguf, or address")
    ],
    benchmark: Annotated[
        list[str] | None, typer.Option("--benchmark", help="name or group (repeatable)")
    ] = None,
    out: OutOption = Path("out/evaluation"),
    documents: DocumentsOption = None,
    max_items: Annotated[int | None, typer.Option("--max-items", min=1)] = None,
    max_new_tokens: Annotated[
        int, typer.Option("--max-new-tokens", min=1, help="of one answer, thoughts included")
    ] = 512,
    official: Annotated[
        bool, typer.Option("--official", help="also ask by the publishers' own prompts")
    ] = False,
    share: ShareOption = None,
    data: DataOption = None,
    noncommercial: NoncommercialOption = False,
    base: BaseOption = None,
    thinking: Annotated[
        bool | None,
        typer.Option("--thinking/--no-thinking", help="switch of the chat template, if it has one"),
    ] = None,
    model_name: Annotated[
        str, typer.Option("--model-name", help="which model of an address; none: its only one")
    ] = "",
    key_variable: Annotated[
        str | None, typer.Option("--key-variable", help="variable that holds an address's key")
    ] = None,
    allow_remote: RemoteOption = False,
    cache: CacheOption = None,
) -> None:
    """Answer and score benchmarks in one go; the report opens offline.

    MODEL may be an OpenAI-compatible address: http://127.0.0.1:8000/v1. Questions can be clinical:
    only this machine and the local network are asked, unless --allow-remote is given. A killed run
    goes on where it stopped.
    """
    from rinsho.evaluation.evaluate import evaluate_model

    evaluate_model(
        model,
        benchmark or ["jmed-llm" if data else "demo-notes"],
        out,
        documents=documents or (),
        data=data,
        noncommercial=noncommercial,
        max_items=max_items,
        max_new_tokens=max_new_tokens,
        is_official=official,
        share=share,
        base=base,
        thinking=None if thinking is None else "on" if thinking else "off",
        model_name=model_name,
        key_variable=key_variable,
        allow_remote=allow_remote,
        cache=cache,
    )
    print(out / "report" / "report.html")


@use.command(rich_help_panel=USE)
def compare(
    folders: Annotated[
        list[str],
        typer.Argument(help="answers folders, or reports; with --benchmark: models, dictionary"),
    ],
    benchmark: Annotated[
        list[str] | None,
        typer.Option("--benchmark", help="let models answer it first (repeatable); needs --out"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="also write compare.json, .csv and .md there")
    ] = None,
    documents: DocumentsOption = None,
    data: DataOption = None,
    noncommercial: NoncommercialOption = False,
    draws: Annotated[int, typer.Option("--draws", min=1, help="bootstrap resamples")] = 10_000,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    json: JsonOption = False,
) -> None:
    """Compare systems on the same items: paired bootstrap, McNemar's test, Holm's correction.

    Answers are marked again, by the leading metric of each benchmark (they need --data where the
    benchmark does); reports need nothing, and compare their rows. With --benchmark the systems are
    models, which answer first: `rinsho compare OLD NEW --benchmark own/corrected --data DATA --out
    OUT`. Prints a table in Markdown; the difference is the first less the second.
    """
    from rinsho.errors import MissingInput
    from rinsho.evaluation.compare import compare as compare_marks
    from rinsho.evaluation.compare import read_marks, to_json, to_markdown, write_comparison

    answers = [Path(folder) for folder in folders]
    if benchmark:
        from rinsho.evaluation.evaluate import answer_models

        if out is None:
            raise MissingInput(where="rinsho compare --benchmark", expected="out")
        answers = answer_models(
            folders, benchmark, out, documents=documents or (), data=data,
            noncommercial=noncommercial, seed=seed,
        )  # fmt: skip
    marks = read_marks(answers, documents=documents or (), data=data, noncommercial=noncommercial)
    compared = compare_marks(marks, seed=seed, n_draws=draws)
    if out is not None:
        write_comparison(out, compared)
    print(to_json(compared) if json else to_markdown(compared), end="")


@use.command("draw-embeddings", rich_help_panel=USE)
def draw_embeddings(
    model: Annotated[Path, typer.Argument(help="weights folder")],
    out: OutOption = Path("out/embeddings"),
    lexicon: Annotated[
        str | None, typer.Option("--lexicon", help="folder of lexicon tables; none: embedded")
    ] = None,
    max_term_tokens: Annotated[
        int, typer.Option("--max-term-tokens", min=1, help="longer terms are left out")
    ] = 2,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
) -> None:
    """Draw diseases, drugs, body parts and symptoms by their embeddings: t-SNE and UMAP.

    Writes tsne.svg, tsne.png, umap.svg, umap.png and the positions; needs the extra `report`.
    """
    from rinsho.evaluation.draw_embeddings import DrawEmbeddingsConfig
    from rinsho.evaluation.draw_embeddings import draw_embeddings as draw

    config = DrawEmbeddingsConfig.model_validate(
        {"lexicon": lexicon, "max_term_tokens": max_term_tokens, "seed": seed}
    )
    draw(config, model=model, out=out)
    print(out)


@use.command("draw-losses", rich_help_panel=USE)
def draw_losses(
    weights: Annotated[list[Path], typer.Argument(help="weights folders to compare")],
    out: OutOption = Path("out/losses"),
) -> None:
    """Draw the losses and held-out measures of several runs in one figure.

    Writes loss.svg, loss.png and runs.json, the best run first. `\\[pretrain.grid]` in a run file
    makes variants and this figure by itself.
    """
    from rinsho.training.draw_losses import DrawLossesConfig
    from rinsho.training.draw_losses import draw_losses as draw

    draw(DrawLossesConfig(), weights=weights, out=out)
    print(out)
