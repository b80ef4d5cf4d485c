"""The tutorial runs: every file it shows is written, every command it shows is called."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.campaign
def test_the_tutorial_runs_as_it_stands(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "RINSHO_KEY_FILE": str(tmp_path / "key"),
    }
    environment.pop("RINSHO_DATA", None)
    n_commands = 0
    for language, marks, body in BLOCK.findall((DOCS / "tutorial.md").read_text("utf-8")):
        if match := re.search(r"file=(\S+)", marks):
            (tmp_path / match[1]).write_text(body, encoding="utf-8")
        elif language == "bash" and "no-run" not in marks:
            expected = int(match[1]) if (match := re.search(r"fails=(\d)", marks)) else 0
            done = subprocess.run(
                ["bash", "-euc", body],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == expected, f"{body}\n{done.stdout}\n{done.stderr}"
            n_commands += 1
    assert n_commands >= 5
    assert (tmp_path / "run" / "report" / "report.html").is_file()
