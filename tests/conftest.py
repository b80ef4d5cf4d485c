"""Fixtures that every room uses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real data; tests that need it are marked `data`."""
    if not (folder := os.environ.get("RINSHO_DATA")):
        pytest.skip("RINSHO_DATA is not set: real data not tested")
    return Path(folder)
