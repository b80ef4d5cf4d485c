"""Fixtures of the corpus room: a key of its own, and small files in real Japanese."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key file that no test shares with the user's own."""
    path = tmp_path / "key-folder" / "key"
    monkeypatch.setenv("RINSHO_KEY_FILE", str(path))
    return path
