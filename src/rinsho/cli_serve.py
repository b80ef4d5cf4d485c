"""The commands around the server: serve, new-key, check-audit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rinsho.cli_options import DataOption, PrecisionOption, checked_precision

server = typer.Typer()
USE = "Use a model"
TlsOption = Annotated[Path | None, typer.Option(help="PEM; both are needed beyond this machine")]


@server.command(rich_help_panel=USE)
def serve(
    model: Annotated[
        Path | None, typer.Argument(help="weights folder to chat with; none: extraction alone")
    ] = None,
    extractor: Annotated[
        Path | None, typer.Option("--extractor", help="as extract --model; none: dictionary")
    ] = None,
    relations: Annotated[
        Path | None, typer.Option("--relations", help="weights: which drug caused what; none: not")
    ] = None,
    host: Annotated[
        str, typer.Option("--host", help="beyond loopback: with keys, TLS and an audit log")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="0 takes a free one")] = 8000,
    keys: Annotated[
        Path | None, typer.Option("--keys", help="file of `rinsho new-key`, mode 600")
    ] = None,
    audit: Annotated[
        Path | None, typer.Option("--audit", help="who asked for what and when, a line each")
    ] = None,
    tls_cert: TlsOption = None,
    tls_key: TlsOption = None,
    trusted_header: Annotated[
        str | None, typer.Option("--trusted-header", help="where your proxy names who signed in")
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None, typer.Option("--trusted-proxy", help="its address (repeatable)")
    ] = None,
    allowed_host: Annotated[
        list[str] | None, typer.Option("--allowed-host", help="name in the browser (repeatable)")
    ] = None,
    master: Annotated[
        list[Path] | None, typer.Option("--master", help="as for `rinsho codes` (repeatable)")
    ] = None,
    precision: PrecisionOption = None,
    data: DataOption = None,
) -> None:
    """Serve an OpenAI-compatible API and a web page, on this machine alone.

    With --keys (or RINSHO_API_KEY) everyone needs a key. Other machines are let in with keys, TLS
    and an audit log, or through a proxy that signs people in.
    """
    checked = checked_precision(precision, model)
    from rinsho.serving.reach import Reach
    from rinsho.serving.serve import serve as serve_until_stopped

    reach = Reach(
        host=host,
        port=port,
        keys=keys,
        audit=audit,
        tls_cert=tls_cert,
        tls_key=tls_key,
        trusted_header=trusted_header,
        trusted_proxies=tuple(trusted_proxy or ()),
        allowed_hosts=tuple(allowed_host or ()),
    )
    serve_until_stopped(
        model, extractor, reach,
        data=data, masters=master or (), precision=checked, relations=relations,
    )  # fmt: skip


@server.command("new-key", rich_help_panel=USE)
def new_key(
    name: Annotated[str, typer.Argument(help="whose it is, as the audit log will say")],
    keys: Annotated[Path, typer.Option("--keys", help="file to add it to")] = Path("keys.toml"),
    role: Annotated[
        str, typer.Option("--role", help="user, or admin: metrics and audit log too")
    ] = "user",
) -> None:
    """Make a key for the server and print it, once: the file holds its hash alone."""
    from rinsho.errors import InvalidValue
    from rinsho.serving.keys import new_key as make

    if role not in ("user", "admin"):
        raise InvalidValue(where="--role", found=role, expected="user or admin")
    print(make(keys, name, role))


@server.command("check-audit", rich_help_panel=USE)
def check_audit(
    logs: Annotated[
        list[Path],
        typer.Argument(help="file of `rinsho serve --audit`; those moved away before it first"),
    ],
    end: Annotated[
        str | None, typer.Option("--end", help="a chain value that you wrote down earlier")
    ] = None,
) -> None:
    """Check every line of an audit log; print how many there are and the chain's end.

    Write the end down elsewhere: only who knows it can tell that later lines were cut off. Several
    files are one log, the oldest first: `rinsho check-audit log.2 log.1 log`.
    """
    from rinsho.corpus.keys import read_key
    from rinsho.errors import PathMissing
    from rinsho.serving.audit import check_chain

    for log in logs:
        if not log.is_file():
            raise PathMissing(where=log.name)
    head = check_chain(logs[-1], read_key(), end, older=logs[:-1])
    print(f"{head.n_lines} {head.chain}")
