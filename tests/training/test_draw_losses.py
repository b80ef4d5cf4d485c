"""Several runs in one figure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rinsho.manifest import Manifest, open_folder
from rinsho.training.draw_losses import DrawLossesConfig, draw_losses
from rinsho.training.pretrain import PretrainConfig, pretrain


@pytest.fixture(scope="module")
def runs(text_tokens: Path, config: PretrainConfig) -> list[Path]:
    rates = (1e-5, 1e-2)
    folders = [text_tokens.with_name(f"variant-learning_rate={rate:g}") for rate in rates]
    for rate, folder in zip(rates, folders, strict=True):
        short = config.model_copy(update={"learning_rate": rate, "n_steps": 8})
        pretrain(short, tokens=text_tokens, out=folder)
    return folders


@pytest.fixture(scope="module")
def drawn(runs: list[Path]) -> tuple[Path, Manifest]:
    out = runs[0].with_name("variant-grid")
    return out, draw_losses(DrawLossesConfig(), weights=runs, out=out)


def test_the_best_run_stands_first_with_what_it_came_to(
    runs: list[Path], drawn: tuple[Path, Manifest]
) -> None:
    out, manifest = drawn
    rows = json.loads((out / "runs.json").read_text())
    assert [row["name"] for row in rows] == ["learning_rate=0.01", "learning_rate=1e-05"]
    best = open_folder(runs[1]).manifest
    assert rows[0]["bits_per_byte"] == best.counts["bits_per_byte"]
    assert rows[0]["identity"] == best.identity_hash
    assert manifest.counts == {"n_runs": 2, "best": "learning_rate=0.01"}


def test_the_figure_is_there_and_no_part_of_the_identity(drawn: tuple[Path, Manifest]) -> None:
    out, manifest = drawn
    assert set(manifest.run["files"]) == {"loss.svg", "loss.png"}
    assert (out / "loss.png").read_bytes().startswith(b"\x89PNG")
