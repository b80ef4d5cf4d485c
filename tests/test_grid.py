"""Grids in run files: one table, many steps, one figure."""

from __future__ import annotations

from typing import Any

import pytest

from rinsho.errors import InvalidValue, UnknownKey
from rinsho.runfile import RunFile, to_run_file
from rinsho.training.pretrain import PretrainConfig

BEFORE: dict[str, Any] = {"synthesize": {"n_documents": 9}, "train-tokenizer": {}, "encode": {}}


def run_file(pretrain: dict[str, Any], *overrides: str) -> RunFile:
    return to_run_file("grid", {**BEFORE, "pretrain": pretrain}, overrides)


def configs(run: RunFile) -> list[PretrainConfig]:
    return [step.config for step in run.steps if isinstance(step.config, PretrainConfig)]


def test_every_combination_is_a_step_and_the_figure_reads_all_of_them() -> None:
    grid = {"learning_rate": [1e-3, 2e-3], "model": {"n_layers": [2, 4]}}
    run = run_file({"n_steps": 5, "model": {"d_ff": 64}, "grid": grid})
    names = [step.name for step in run.steps[3:-1]]
    assert names == [
        "weights-learning_rate=0.001-n_layers=2",
        "weights-learning_rate=0.001-n_layers=4",
        "weights-learning_rate=0.002-n_layers=2",
        "weights-learning_rate=0.002-n_layers=4",
    ]
    found = [(c.learning_rate, c.model.n_layers, c.model.d_ff, c.n_steps) for c in configs(run)]
    assert found == [(1e-3, 2, 64, 5), (1e-3, 4, 64, 5), (2e-3, 2, 64, 5), (2e-3, 4, 64, 5)]
    assert (run.steps[-1].stage.verb, run.steps[-1].name) == ("draw-losses", "weights-grid")
    assert run.steps[-1].inputs == {"weights": tuple(names)}
    assert {step.inputs["tokens"] for step in run.steps[3:-1]} == {("tokens",)}


def test_a_variant_has_the_config_of_a_table_without_a_grid() -> None:
    variant = configs(run_file({"n_steps": 5, "grid": {"seed": [3]}}))[0]
    assert variant == configs(run_file({"n_steps": 5, "seed": 3}))[0]


def test_overrides_reach_every_variant_and_the_grid_itself() -> None:
    table = {"n_steps": 5, "grid": {"seed": [1, 2]}}
    assert [c.n_steps for c in configs(run_file(table, "pretrain.n_steps=7"))] == [7, 7]
    assert [c.seed for c in configs(run_file(table, "pretrain.grid.seed=[4]"))] == [4]


@pytest.mark.parametrize("grid", [{}, 3, {"seed": 1}, {"seed": []}, {"model": {"d_ff": 64}}])
def test_a_grid_without_lists_is_refused(grid: Any) -> None:
    with pytest.raises(InvalidValue, match=r"\[pretrain\.grid\]"):
        run_file({"n_steps": 5, "grid": grid})


def test_a_key_that_no_config_has_is_refused() -> None:
    with pytest.raises(UnknownKey, match="seed"):
        run_file({"n_steps": 5, "grid": {"sede": [1, 2]}})
