"""Answer and score in one go, for `rinsho evaluate`; the two stages still meet on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rinsho.evaluation.answer import AnswerConfig, answer
from rinsho.evaluation.engines import EngineName
from rinsho.evaluation.score import ScoreConfig, score
from rinsho.manifest import Manifest, open_folder


def evaluate_model(
    model: Path,
    benchmarks: Sequence[str],
    out: Path,
    *,
    documents: Sequence[Path] = (),
    data: Path | None = None,
    noncommercial: bool = False,
    max_items: int | None = None,
    max_new_tokens: int = 512,
    n_free_generations: int = 20,
    is_official: bool = False,
    share: bool | None = None,
    seed: int = 0,
) -> Manifest:
    """Answer benchmarks with a weights folder and write the report; return its manifest.

    Args:
        model: A weights folder; its head answers where it has one; one that was tuned for label
            scoring answers by log-likelihood alone.
        benchmarks: Names of benchmarks or groups.
        out: Gets `answers/` and `report/`.
        documents: Folders that the demo's own benchmarks read.
        data: The data folder that holds `eval/`.
        noncommercial: Whether benchmarks under non-commercial terms may be used.
        max_items: Items of each benchmark, drawn by seed; None: all.
        max_new_tokens: Of one generated answer.
        n_free_generations: Seeded generations without a gold answer.
        is_official: Whether benchmarks are also asked by their publishers' own prompt.
        share: Whether texts stay out of the report; None: non-commercial and private ones do.
        seed: Of the draw of items, the free generations and the bootstrap.

    Raises:
        ModelCannot: The model cannot answer a benchmark of that form.
    """
    config = AnswerConfig(
        benchmarks=tuple(benchmarks),
        engine=engine_of(model),
        methods=(*methods_of(model), *(("official",) if is_official else ())),
        max_items=max_items,
        max_new_tokens=max_new_tokens,
        n_free_generations=n_free_generations,
        seed=seed,
    )
    answer(
        config,
        out=out / "answers",
        model=model,
        documents=documents,
        data=data,
        noncommercial=noncommercial,
    )
    return score(
        ScoreConfig(seed=seed, share=share),
        answers=[out / "answers"],
        out=out / "report",
        documents=documents,
        weights=[model],
        data=data,
        noncommercial=noncommercial,
    )


def engine_of(model: Path) -> EngineName:
    """Return what answers from a weights folder: its head where it has one."""
    if not (model / "head.json").is_file():
        return "model"
    from rinsho.model.head_record import form_of

    return "tagger" if form_of(model) == "tagging" else "head"


def methods_of(model: Path) -> tuple[Literal["generation", "log-likelihood"], ...]:
    """Return how a model is asked: as it was tuned."""
    manifest = open_folder(model, "pretrain", "finetune", "extend-weights").manifest
    if manifest.identity.config.get("form") == "label-scoring":
        return ("log-likelihood",)
    return ("generation", "log-likelihood")
