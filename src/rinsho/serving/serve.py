"""`rinsho serve`: open the port, load the engines, and listen until Ctrl-C."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from rinsho.console import say
from rinsho.errors import InvalidValue, MissingDependency, PortInUse
from rinsho.model.threads import release_helpers
from rinsho.serving.limits import Limits
from rinsho.serving.reach import Reach
from rinsho.serving.reload import reload_on_hangup

if TYPE_CHECKING:
    from collections.abc import Sequence

    import uvicorn
    from fastapi import FastAPI

    from rinsho.clinical.codes import CodeIndex
    from rinsho.clinical.extract import Extractor
    from rinsho.generation.decoder_model import ServedPrecision
    from rinsho.generation.language_model import LanguageModel
    from rinsho.model.relation_finder import RelationFinder

    Loaded = tuple[LanguageModel | None, Extractor, CodeIndex, RelationFinder | None]

MAX_CONNECTIONS = 128  # that are served; as many more are told that they are too many
# Longer than clients keep an idle connection (httpx, and with it openai's: 5 s). Who closes first
# must not be the server: a request that is on its way then is lost.
KEEP_ALIVE_SECONDS = 20
GRACE_SECONDS = 5  # after Ctrl-C, for answers that are on their way


def serve(
    model: Path | None,
    extractor: Path | None,
    reach: Reach | None = None,
    *,
    data: Path | None = None,
    masters: Sequence[Path] = (),
    precision: ServedPrecision = "auto",
    relations: Path | None = None,
) -> None:
    """Serve the API and the page until Ctrl-C.

    Args:
        model: Weights folder of a chat model; None: extraction and de-identification only.
        extractor: A folder that `load_extractor` opens; None: dictionary and rules.
        reach: Where to listen, and who gets in; None: this machine alone, port 8000.
        data: Folder with lists of codes.
        masters: TOML files that describe the user's own.
        precision: Of the chat model, as in `load_language_model`.
        relations: Weights that `load_relations` opens; None: no relations.

    Raises:
        NotLoopback: Other machines would reach it, and something that protects it is missing.
        PortInUse: Said before a model is loaded.
        MissingDependency: fastapi or uvicorn is not installed.
        KeysUnusable, AuditFailed, AuditBroken: As `Reach.sign_in` and `AuditLog`.
        PathMissing, NotFinished, Corrupt, WrongKind: As `manifest.open_folder`.
        RelationsNotLearned: As `load_relations`.
    """
    reach = reach or Reach()
    _check_dependencies()
    sign_in = reach.sign_in()
    with (
        contextlib.closing(open_listener(reach.host, reach.port)) as listener,
        reach.open_audit() as audit,
    ):
        from rinsho.serving.app import Protection, create_app

        loaded = _load(model, extractor, data, masters, precision, relations)
        chat_model, engine, index, finder = loaded
        protection = Protection(sign_in, reach.origins(), audit)
        release_helpers()  # answers are computed in threads of their own
        card = read_cards([one for one in (model, extractor, relations) if one is not None])
        app = create_app(
            chat_model, engine, index=index, protection=protection, card=card, finder=finder
        )
        reload_on_hangup(reach.keys, sign_in.keys, audit)
        _run(app, listener, reach)


def read_cards(folders: Sequence[Path]) -> str | None:
    """Return the model cards of weights folders; None where no folder has one."""
    paths = [folder / "README.md" for folder in folders]
    found = [path.read_text(encoding="utf-8", errors="replace") for path in paths if path.is_file()]
    return "\n\n".join(found) or None


def _check_dependencies() -> None:
    for package in ("fastapi", "uvicorn"):
        if importlib.util.find_spec(package) is None:
            raise MissingDependency(where="rinsho serve", expected="serve", found=package)


def open_listener(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        PortInUse, InvalidValue
    """
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
        if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
            expected = "an address of this machine"
            raise InvalidValue(where="--host", found=host, expected=expected) from None
        raise
    return listener


def _load(
    model: Path | None,
    extractor: Path | None,
    data: Path | None,
    masters: Sequence[Path],
    precision: ServedPrecision,
    relations: Path | None,
) -> Loaded:
    from rinsho.clinical.code_output import open_index
    from rinsho.clinical.extract import load_extractor

    index, chat_model, finder = open_index(data, masters), None, None
    if model is not None:
        from rinsho.generation.decoder_model import load_language_model

        chat_model = load_language_model(model, precision=precision)
    if relations is not None:
        from rinsho.model.relation_finder import load_relations

        finder = load_relations(relations)
    return chat_model, load_extractor(extractor), index, finder


def _run(app: FastAPI, listener: socket.socket, reach: Reach) -> None:
    forbid_core_dumps()
    url = address_of(listener, reach.scheme)
    say(f"{url} で待ち受けています（終了は Ctrl-C）", f"listening on {url} (Ctrl-C ends it)")
    with contextlib.suppress(KeyboardInterrupt):
        new_server(app, reach).run(sockets=[listener])


def new_server(
    app: FastAPI, reach: Reach | None = None, limits: Limits | None = None
) -> uvicorn.Server:
    """Return the server around an application, which writes nothing about a request itself."""
    import uvicorn

    from rinsho.serving.connections import protocol_within

    reach = reach or Reach()
    config = uvicorn.Config(
        app,
        http=protocol_within(limits or Limits(), MAX_CONNECTIONS, 2 * MAX_CONNECTIONS),
        ws="none",
        access_log=False,  # it prints queries, which may hold what a person typed
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        ssl_certfile=reach.tls_cert,
        ssl_keyfile=reach.tls_key,
    )
    return uvicorn.Server(config)


def address_of(listener: socket.socket, scheme: str = "http") -> str:
    """Return the URL under which a browser finds a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}/" if ":" in host else f"{scheme}://{host}:{port}/"


def forbid_core_dumps() -> None:
    """Keep prompts out of core files; there is no such limit on Windows."""
    with contextlib.suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
