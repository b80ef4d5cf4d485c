"""Build `kernels.c` where there is a C compiler; without it rinsho uses torch's products."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# No library is linked: the threads are those of torch's own OpenMP, which is loaded before.
FLAGS = ("-O3", "-fPIC", "-fopenmp", "-ffp-contract=off")


class CompileKernel(BuildHookInterface[Any]):
    """Compiles before the wheel, or the editable install, is made."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Put the library beside its source."""
        source = Path(self.root, "src/rinsho/model/kernels.c")
        library = source.with_name("libkernels.so")
        compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("cc")
        if (
            self.target_name != "wheel"
            or compiler is None
            or not compile_kernel(compiler, source, library)
        ):
            return
        build_data["artifacts"].append("src/rinsho/model/*.so")
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"


def compile_kernel(compiler: str, source: Path, library: Path) -> bool:
    """Compile and link; return whether there is a library."""
    made, linked = source.with_suffix(".o"), library.with_suffix(".new")
    steps = (
        [compiler, *FLAGS, "-c", str(source), "-o", str(made)],
        [compiler, "-shared", str(made), "-o", str(linked)],
    )
    try:
        for words in steps:
            subprocess.run(words, check=True, capture_output=True)
        linked.replace(library)
    except (OSError, subprocess.CalledProcessError):
        return False
    finally:
        made.unlink(missing_ok=True)
        linked.unlink(missing_ok=True)
    return True
