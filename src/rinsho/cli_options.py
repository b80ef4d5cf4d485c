"""Options that mean the same in every command, and how results are printed for machines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

RunFileArgument = Annotated[Path, typer.Argument(help="run file (TOML), e.g. runs/demo.toml")]
OutOption = Annotated[Path, typer.Option("--out", help="folder that the stage makes")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="override a value: TABLE.KEY=VALUE or KEY=VALUE (repeatable)"),
]
NameOption = Annotated[
    str | None, typer.Option("--name", help="which table, where the stage stands more than once")
]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", envvar="RINSHO_DATA", help="folder of real data and benchmarks"),
]
NoncommercialOption = Annotated[
    bool, typer.Option("--noncommercial", help="allow data under non-commercial licenses")
]
RemoteOption = Annotated[
    bool,
    typer.Option(
        "--allow-remote",
        help="let an endpoint lie beyond the local network; private documents never go there",
    ),
]
ShowOption = Annotated[
    int, typer.Option("--show", min=0, help="print what would be done with N records, write none")
]
JsonOption = Annotated[bool, typer.Option("--json", help="print the result as JSON")]
ShareOption = Annotated[
    bool | None,
    typer.Option(
        "--share/--no-share",
        help="leave the text of items and answers out of the report, or put all of it in; given "
        "neither: non-commercial and private texts are left out",
    ),
]
DocumentsOption = Annotated[
    list[Path] | None, typer.Option("--documents", help="documents folder (repeatable)")
]
TokenizerOption = Annotated[
    Path | None, typer.Option("--tokenizer", help="tokenizer folder (or weights that have one)")
]
TokensOption = Annotated[Path | None, typer.Option("--tokens", help="tokens folder")]
BaseOption = Annotated[Path | None, typer.Option("--base", help="weights folder to start from")]
CacheOption = Annotated[
    Path | None,
    typer.Option("--cache", help="folder of answers by model, prompt and settings; runs share it"),
]
ModelOption = Annotated[Path | None, typer.Option("--model", help="weights folder to ask")]


def print_json(value: object) -> None:
    """Print one value as one line of JSON; dataclasses as objects."""
    import dataclasses
    import json

    from pydantic import BaseModel

    def plain(one: Any) -> Any:
        if dataclasses.is_dataclass(one) and not isinstance(one, type):
            return dataclasses.asdict(one)
        return one.model_dump() if isinstance(one, BaseModel) else str(one)

    print(json.dumps(value, ensure_ascii=False, default=plain))


PrecisionOption = Annotated[
    str | None,
    typer.Option(
        "--precision", help="of the model: auto (default), fp32, bf16, int4: 1/6 of fp32's memory"
    ),
]


def checked_precision(value: str | None, model: Path | None) -> Any:
    """Return a known precision.

    Raises:
        InvalidValue: It is none.
        ModelNeeded: There is no model that could have it.
    """
    from rinsho.errors import InvalidValue, ModelNeeded

    known = ("auto", "fp32", "bf16", "int4")
    if value is not None and value not in known:
        raise InvalidValue(where="--precision", found=value, expected=" / ".join(known))
    if value is not None and model is None:
        raise ModelNeeded(where="--precision")
    return value or "auto"
