"""The figure of the architecture: the numbers of the shape, and the same bytes each time."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from rinsho.model.drawing import draw_architecture
from rinsho.model.presets import PRESETS


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_the_figure_has_the_same_bytes_each_time(ending: str, tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.{ending}" for name in ("first", "second")]
    for path in paths:
        draw_architecture(PRESETS["demo"], path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert paths[0].stat().st_size > 10_000


@pytest.mark.parametrize("preset", PRESETS)
def test_the_font_has_every_character_of_the_figure(preset: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_architecture(PRESETS[preset], tmp_path / "figure.png")


def test_another_shape_is_another_figure(tmp_path: Path) -> None:
    draw_architecture(PRESETS["demo"], tmp_path / "demo.svg")
    draw_architecture(PRESETS["ncvc-1.2b"], tmp_path / "ncvc.svg")
    assert (tmp_path / "demo.svg").read_bytes() != (tmp_path / "ncvc.svg").read_bytes()
