"""Build rinsho's C sources where there is a C compiler; without it torch and numpy do the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOMS = ("text", "corpus", "model")  # with C sources
# No library is linked: the threads are those of torch's own OpenMP, which is loaded before.
FLAGS = ("-O3", "-fPIC", "-fopenmp", "-ffp-contract=off")


class CompileKernel(BuildHookInterface[Any]):
    """Compiles before the wheel, or the editable install, is made."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Put the libraries beside their sources."""
        compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("cc")
        if self.target_name != "wheel" or compiler is None:
            return
        folders = [Path(self.root, "src/rinsho", room) for room in ROOMS]
        made = [compile_library(compiler, folder) for folder in folders]
        if not any(made):
            return
        build_data["artifacts"].append("src/rinsho/*/libkernels.so")
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"


def compile_library(compiler: str, folder: Path) -> bool:
    """Compile and link what lies in the folder; return whether there is a library."""
    sources = sorted(folder.glob("*.c"))
    made = [source.with_suffix(".o") for source in sources]
    linked = folder / "libkernels.new"
    each = zip(sources, made, strict=True)
    steps = [[compiler, *FLAGS, "-c", str(one), "-o", str(to)] for one, to in each]
    steps.append([compiler, "-shared", *map(str, made), "-o", str(linked)])
    try:
        for words in steps:
            subprocess.run(words, check=True, capture_output=True)
        linked.replace(folder / "libkernels.so")
    except (OSError, subprocess.CalledProcessError):
        return False
    finally:
        for left in (*made, linked):
            left.unlink(missing_ok=True)
    return True
