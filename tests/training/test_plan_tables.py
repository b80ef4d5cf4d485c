"""The tables of docs/scaling.md are those that the plan gives."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_the_tables_of_the_scaling_page_are_those_of_the_plan() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "plan_tables.py")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    page = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8").splitlines()
    lines = [line for line in printed.splitlines() if line.startswith("|")]
    assert len(lines) > 20
    assert [line for line in lines if line not in page] == []
