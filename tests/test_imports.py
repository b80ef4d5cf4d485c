from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "rinsho"
ROOMS = [
    "demo",
    "datasets",
    "text",
    "corpus",
    "tokenizer",
    "encoding",
    "model",
    "training",
    "generation",
    "evaluation",
    "clinical",
    "serving",
]
DOORS = [
    "corpus/collect",
    "corpus/synthesize",
    "corpus/label",
    "tokenizer/train_tokenizer",
    "tokenizer/measure_tokenizer",
    "tokenizer/extend_tokenizer",
    "model/extend_weights",
    "encoding/encode",
    "training/pretrain",
    "training/finetune",
    "training/train_crf",
    "training/draw_losses",
    "evaluation/draw_embeddings",
    "evaluation/answer",
    "evaluation/score",
    "evaluation/split",
    "evaluation/tabulate",
]
SEE_EVERY_DOOR = {
    "cli.py",
    "cli_data.py",
    "cli_notes.py",
    "trace.py",
    "cli_serve.py",
    "cli_stages.py",
    "cli_supervised.py",
    "cli_use.py",
    "run.py",
    "tour.py",
}
MODULES = sorted(SOURCE.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Every rinsho module that a file imports, at any depth of the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("rinsho"):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {a.name for a in node.names if a.name.startswith("rinsho")}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_go_one_way(path: Path) -> None:
    room = path.relative_to(SOURCE).parts[0]
    if path.parent == SOURCE and room in SEE_EVERY_DOOR:
        return
    order = ROOMS.index(room) if room in ROOMS else -1
    for name in imported(path):
        parts = name.split(".")
        if len(parts) > 1 and parts[1] in ROOMS:
            assert ROOMS.index(parts[1]) <= order, f"{path.name} imports {name}"


@pytest.mark.parametrize("name", DOORS)
def test_a_door_never_calls_a_door(name: str) -> None:
    doors = {f"rinsho.{other.replace('/', '.')}.{other.rpartition('/')[2]}" for other in DOORS}
    own = f"rinsho.{name.replace('/', '.')}.{name.rpartition('/')[2]}"
    assert not imported(SOURCE / f"{name}.py") & (doors - {own})


HEAVY = [
    "torch",
    "transformers",
    "fugashi",
    "matplotlib",
    "fastapi",
    "uvicorn",
    "playwright",
    "sklearn",
]
WITHOUT = f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {HEAVY!r}: raise ImportError(name + " is not installed")
sys.meta_path.insert(0, Refuse())
from rinsho.cli import main
sys.argv[0] = "rinsho"
main()
"""


@pytest.mark.parametrize(
    "words", [["--help"], ["pretrain", "--help"], ["serve", "--help"], ["plan", "runs/demo.toml"]]
)
def test_help_and_plan_run_with_no_heavy_package_installed(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *words],
        capture_output=True,
        text=True,
        cwd=SOURCE.parent.parent,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_page_of_the_architecture_names_every_module() -> None:
    page = (SOURCE.parent.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    for path in MODULES:
        if path.name != "__init__.py":
            assert f" {path.name} " in page, path.name
