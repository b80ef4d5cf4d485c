"""A GGUF file behind llama.cpp's own server: another process on loopback, ended with its user."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Generator
from pathlib import Path

from rinsho.errors import EndpointFailed, MissingDependency, PathMissing, default_language

PROGRAM = "llama-server"
VARIABLE = "RINSHO_LLAMA_SERVER"  # the program, where it does not stand on the path
_HOW_TO_GET = {
    "ja": f"{PROGRAM} を入れてください（`brew install llama.cpp`、`conda install -c conda-forge "
    "llama.cpp`、または llama.cpp のソースで `cmake -B build && cmake --build build --target "
    f"{PROGRAM}`）。PATH に無い場合は {VARIABLE} に場所を書きます",
    "en": f"install {PROGRAM} (`brew install llama.cpp`, `conda install -c conda-forge llama.cpp`, "
    "or in the sources of llama.cpp `cmake -B build && cmake --build build --target "
    f"{PROGRAM}`); {VARIABLE} says where it is, if not on the path",
}
_SECONDS_TO_LOAD = 600.0
_SECONDS_TO_END = 10.0


def find_llama_server(where: str) -> str:
    """Return the program.

    Raises:
        MissingDependency: It is not installed; says how to get it.
    """
    found = shutil.which(os.environ.get(VARIABLE) or PROGRAM)
    if found is None:
        hint = _HOW_TO_GET[default_language()]
        raise MissingDependency(where=where, found=PROGRAM, expected=PROGRAM, hint=hint)
    return found


@contextlib.contextmanager
def llama_server(
    model: Path,
    *,
    context_length: int = 0,
    threads: int | None = None,
    seconds: float = _SECONDS_TO_LOAD,
) -> Generator[str, None, None]:
    """Start the server on a free port of loopback; yield the address of its API.

    It answers one question at a time, so that an answer does not depend on others, and what it
    prints goes nowhere: it may hold prompts.

    Args:
        model: A GGUF file.
        context_length: The most tokens of a question with its answer; 0: as the model was trained.
        threads: CPU threads; None: the server's choice.
        seconds: To load the model in.

    Raises:
        PathMissing: There is no such file.
        MissingDependency: llama-server is not installed.
        EndpointFailed: The server ended, or did not load the model in time.
    """
    if not model.is_file():
        raise PathMissing(where=model.name)
    program, port = find_llama_server(model.name), _free_port()
    command = [
        program, "--model", str(model), "--host", "127.0.0.1", "--port", str(port),
        "--ctx-size", str(context_length), "--parallel", "1", "--jinja",
    ]  # fmt: skip
    command += ["--threads", str(threads)] if threads else []
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_until_loaded(process, port, model.name, seconds)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        try:
            process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_until_loaded(
    process: subprocess.Popen[bytes], port: int, name: str, seconds: float
) -> None:
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with (
            contextlib.closing(connection),
            contextlib.suppress(OSError, http.client.HTTPException),
        ):
            connection.request("GET", "/health")
            if connection.getresponse().status == http.client.OK:
                return
        time.sleep(0.1)
    code = process.poll()
    found = f"not loaded in {seconds:g} s" if code is None else f"{PROGRAM} ended with {code}"
    raise EndpointFailed(where=name, found=found, expected="GGUF, RAM")
