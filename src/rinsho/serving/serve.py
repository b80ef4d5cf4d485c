"""`rinsho serve`: open the port, load the engines, and listen on this machine alone."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from rinsho.console import say
from rinsho.errors import InvalidValue, MissingDependency, NotLoopback, PortInUse
from rinsho.serving.limits import is_loopback

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

MAX_CONNECTIONS = 128
GRACE_SECONDS = 5  # after Ctrl-C, for answers that are on their way


def serve(
    model: Path | None,
    extractor: Path | None,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
) -> None:
    """Serve the API and the page until Ctrl-C.

    Args:
        model: Weights folder of a chat model; None: extraction and de-identification only.
        extractor: Weights folder with a head over texts; None: dictionary and rules.
        host: A loopback address.
        port: 0 takes a free one; the line that is printed has it.

    Raises:
        NotLoopback: Other machines would reach it.
        PortInUse: Said before a model is loaded.
        MissingDependency: fastapi or uvicorn is not installed.
        PathMissing, NotFinished, Corrupt, WrongKind: As `manifest.open_folder`.
    """
    _check_dependencies()
    listener = open_listener(host, port)
    with contextlib.closing(listener):
        _run(model, extractor, listener)


def _check_dependencies() -> None:
    for package in ("fastapi", "uvicorn"):
        if importlib.util.find_spec(package) is None:
            raise MissingDependency(where="rinsho serve", expected="serve", found=package)


def open_listener(host: str, port: int) -> socket.socket:
    """Return a listening socket on this machine's own address.

    Raises:
        NotLoopback, PortInUse, InvalidValue
    """
    if not is_loopback(host):
        raise NotLoopback(where=host)
    if not 0 <= port < 65_536:
        raise InvalidValue(where="--port", found=port, expected="0 … 65535")
    address = "127.0.0.1" if host == "localhost" else host
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    if os.name == "posix":  # elsewhere the option lets two programs share a port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
        listener.listen(MAX_CONNECTIONS)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(where=f"{host}:{port}") from None
        if error.errno == errno.EACCES:
            raise InvalidValue(where="--port", found=port, expected="1024 … 65535") from None
        raise
    return listener


def _run(model: Path | None, extractor: Path | None, listener: socket.socket) -> None:
    from rinsho.clinical.extract import load_extractor
    from rinsho.serving.app import create_app

    language_model = None
    if model is not None:
        from rinsho.generation.decoder_model import load_language_model

        language_model = load_language_model(model)
    app = create_app(language_model, load_extractor(extractor))
    _forbid_core_dumps()
    url = address_of(listener)
    say(f"{url} で待ち受けています（終了は Ctrl-C）", f"listening on {url} (Ctrl-C ends it)")
    with contextlib.suppress(KeyboardInterrupt):
        new_server(app).run(sockets=[listener])


def new_server(app: FastAPI) -> uvicorn.Server:
    """Return the server around an application, which writes nothing about a request itself."""
    import uvicorn

    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        access_log=False,  # it prints queries, which may hold what a person typed
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return uvicorn.Server(config)


def address_of(listener: socket.socket) -> str:
    """Return the URL under which a browser finds a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _forbid_core_dumps() -> None:
    """Keep prompts out of core files; there is no such limit on Windows."""
    with contextlib.suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
