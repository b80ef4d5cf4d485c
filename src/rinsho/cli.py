"""The commands. Nothing of a stage is imported before its command is called."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from rinsho.cli_data import data as data_commands
from rinsho.cli_notes import over_notes
from rinsho.cli_options import (
    DataOption,
    JsonOption,
    NoncommercialOption,
    RemoteOption,
    RunFileArgument,
    SetOption,
    print_json,
)
from rinsho.cli_serve import server
from rinsho.cli_stages import stages
from rinsho.cli_supervised import supervised
from rinsho.cli_use import use
from rinsho.errors import (
    FileRefused,
    Language,
    MissingDependency,
    RinshoError,
    WrongCall,
    default_language,
)

app = typer.Typer(
    name="rinsho",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Build, adapt, measure and serve small Japanese clinical language models on your own "
    "machines: from raw text to a local answer, with no clinical text leaving the building.",
    epilog="Start with `rinsho demo`. `--lang ja|en` works with every command; "
    "errors carry a code that docs/errors.md explains.",
)

RUN = "Runs"


# ----------------------------------------------------------------------------------- runs


@app.command(rich_help_panel=RUN)
def demo(
    out: Annotated[Path, typer.Option("--out", help="folder of the run")] = Path("out/demo"),
) -> None:
    """Run the whole flow on embedded data: minutes on two cores, offline.

    Ends with one answered question, one extraction, a report and how to open the page.
    """
    from rinsho.run import run_all
    from rinsho.runfile import read_run_file
    from rinsho.tour import show_demo

    run_file = read_run_file(Path(__file__).parent / "demo" / "demo.toml")
    run_all(run_file, out)
    for line in show_demo(out):
        print(line)


@app.command(rich_help_panel=RUN)
def run(
    run_file: RunFileArgument,
    out: Annotated[Path | None, typer.Option("--out", help="default: out/<run file>")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="start at this stage")] = None,
    only: Annotated[str | None, typer.Option("--only", help="run this stage alone")] = None,
    set_: SetOption = None,
    data: DataOption = None,
    noncommercial: NoncommercialOption = False,
    allow_remote: RemoteOption = False,
    base: Annotated[
        Path | None,
        typer.Option("--base", help="a model from outside: a folder, or a hub id in the cache"),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Run every stage of a run file; finished ones are skipped, unfinished ones resume.

    `--base` is for run files that adapt a model: steps without a base or a tokenizer take it.
    """
    from rinsho.run import run_all
    from rinsho.runfile import read_run_file

    checked = read_run_file(run_file, set_ or ())
    root = out or Path("out") / checked.name
    manifests = run_all(
        checked,
        root,
        data=data,
        noncommercial=noncommercial,
        allow_remote=allow_remote,
        base=base,
        first=from_,
        only=only,
    )
    if json:
        print_json([{"stage": m.identity.stage, "identity": m.identity_hash} for m in manifests])


@app.command(rich_help_panel=RUN)
def plan(
    run_file: RunFileArgument,
    set_: SetOption = None,
    figure: Annotated[
        Path | None, typer.Option("--figure", help="draw the architecture (SVG or PNG)")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option("--base", help="weights from outside: a model folder, or a name: qwen2-7b"),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Tell parameters, tokens, FLOPs, memory, disk and hours before anything runs."""
    from rinsho.console import language
    from rinsho.runfile import read_run_file
    from rinsho.training.plan import draw_architecture, make_plan, render_plan

    made = make_plan(read_run_file(run_file, set_ or ()), base)
    if figure is not None:
        draw_architecture(made.model, figure)
    if json:
        print_json(made)
    else:
        print(render_plan(made, language()))


@app.command(rich_help_panel=RUN)
def verify(
    folder: Annotated[Path, typer.Argument(help="a finished folder, or a run's folder")],
    json: JsonOption = False,
) -> None:
    """Check every byte below a folder against its manifests, and the chain of inputs."""
    from rinsho.verify import verify as verify_below

    for one in verify_below(folder):
        if json:
            print_json(one)
            continue
        missing = f"  (not here: {', '.join(one.missing_inputs)})" if one.missing_inputs else ""
        identity = one.identity_hash[:12]
        print(f"ok  {identity}  {one.stage:<16} {one.folder}  {one.n_files} files{missing}")


@app.command(rich_help_panel=RUN)
def trace(
    folder: Annotated[Path, typer.Argument(help="a run's folder")],
    document: Annotated[str | None, typer.Option("--document", help="id of a document")] = None,
    group: Annotated[
        str | None, typer.Option("--group", help="a group, as documents say it")
    ] = None,
    json: JsonOption = False,
) -> None:
    """List every folder that a document or a patient went into, and what it has of it.

    --group takes a group as documents say it, or the patient number itself, which is hashed with
    the key of this machine. What `holds` or `learned` it has to be made again without it.
    """
    from rinsho.console import language
    from rinsho.errors import InvalidValue
    from rinsho.trace import describe
    from rinsho.trace import trace as trace_below

    if (document is None) == (group is None):
        raise InvalidValue(where="rinsho trace", found="?", expected="--document ID or --group ID")
    groups = _names_of_group(group) if group else ()
    for one in trace_below(folder, document=document, group=groups):
        if json:
            print_json(one.to_json())
        else:
            words = describe(one, is_japanese=language() == "ja")
            print(f"{one.identity_hash[:12]:<12}  {one.stage:<16} {one.folder}  {words}")


def _names_of_group(group: str) -> list[str]:
    """Return a group as it is and as the keyed hash that stands for a patient number."""
    from rinsho.corpus.keys import key_path, keyed_hash, read_key
    from rinsho.text.normalize import normalize

    if not key_path().exists():
        return [group]
    return [group, keyed_hash(read_key(), normalize(group).strip())]


app.add_typer(stages)
app.add_typer(use)
app.add_typer(over_notes)
app.add_typer(server)
app.add_typer(supervised)
app.add_typer(data_commands, name="data", rich_help_panel="Data")


def main() -> None:
    """Run a command; turn errors into two lines a person can act on, and an exit code."""
    from rinsho.console import set_language

    # Threads that wait by spinning slow torch by up to 8 times when anything else runs beside it.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    arguments, asked = _take_language(sys.argv[1:])
    language: Language = asked if asked in ("ja", "en") else default_language()
    set_language(language)
    try:
        sys.exit(app(arguments, prog_name="rinsho", standalone_mode=False))
    except RinshoError as error:
        _report(error, language)
    except KeyboardInterrupt:
        sys.exit(130)
    except ModuleNotFoundError as error:
        _report_missing(error, language)
    except BrokenPipeError:  # the reader of a pipe had enough: `rinsho … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if refused := _refusal(error, " ".join(["rinsho", *arguments[:1]])):
            _report(refused, language)
        _report_fault(error, language)
        sys.exit(1)


def _report(error: RinshoError, language: Language) -> NoReturn:
    print(error.text(language), file=sys.stderr)
    sys.exit(error.exit_code)


# What the system says of files that a person named; other failures are faults of rinsho.
_OF_FILES = (
    *(errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.EEXIST),
    *(errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENAMETOOLONG, errno.ELOOP),
)


def _refusal(error: Exception, command: str) -> RinshoError | None:
    """Return what a wrong call or a refused file is called; None for a fault of rinsho itself."""
    if isinstance(error, OSError) and error.errno in _OF_FILES:
        return FileRefused(where=command, found=error.strerror)  # no path: it may name a patient
    usage: Any = error  # typer's own class has moved between versions
    if not hasattr(usage, "format_message"):
        return None
    if type(usage).__name__ == "NoArgsIsHelpError":
        usage.show()
        sys.exit(usage.exit_code)
    context = getattr(usage, "ctx", None)
    where = context.command_path if context else command
    return WrongCall(where=where, found=usage.format_message().rstrip("."))


# Which extra brings a package, for the one error that every late import can raise.
_EXTRAS = {
    **dict.fromkeys(("torch", "jinja2", "httpx", "llguidance"), "model"),
    **dict.fromkeys(("fugashi", "ipadic"), "corpus"),
    **dict.fromkeys(("fastapi", "uvicorn", "starlette"), "serve"),
    **dict.fromkeys(("matplotlib", "matplotlib_fontja", "sklearn", "umap"), "report"),
    **dict.fromkeys(("lxml", "lxml_html_clean", "mwparserfromhell", "openpyxl"), "sources"),
    **dict.fromkeys(("pyarrow", "pypdfium2", "trafilatura", "warcio", "xlrd"), "sources"),
    "transformers": "adapt",
}


def _report_missing(error: ModuleNotFoundError, language: Language) -> NoReturn:
    package = (error.name or "?").partition(".")[0]
    if package not in _EXTRAS:
        _report_fault(error, language)
        sys.exit(1)
    command = "rinsho " + " ".join(sys.argv[1:2])
    missing = MissingDependency(where=command, expected=_EXTRAS[package], found=package)
    _report(missing, language)


def _report_fault(error: Exception, language: Language) -> None:
    """Name a fault of rinsho itself by type and place: its message could quote a document."""
    if os.environ.get("RINSHO_DEBUG"):
        raise error
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else "?"
    ja = (
        f"エラー[R999]: rinsho の不具合です: {place} の {type(error).__name__}\n"
        "対処: この行を添えて報告してください。RINSHO_DEBUG=1 で経過がすべて表示されます"
        "（文書の一部を含むことがあるので、送る前に確かめてください）"
    )
    en = (
        f"Error[R999]: {type(error).__name__} at {place}\n"
        "Next step: please report this; RINSHO_DEBUG=1 shows the whole traceback "
        "(it may quote a document: look before you send it)"
    )
    print(ja if language == "ja" else en, file=sys.stderr)


def _take_language(arguments: list[str]) -> tuple[list[str], str]:
    """Split `--lang ja` off: it works at any place of any command.

    >>> _take_language(["run", "--lang", "ja", "x.toml"])
    (['run', 'x.toml'], 'ja')
    """
    rest, language = list(arguments), ""
    for index, word in enumerate(arguments):
        if word == "--lang" and index + 1 < len(arguments):
            language = arguments[index + 1]
            del rest[index : index + 2]
            break
        if word.startswith("--lang="):
            language = word.partition("=")[2]
            del rest[index]
            break
    return rest, language


if __name__ == "__main__":
    main()
