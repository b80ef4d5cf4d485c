"""What a person sees while rinsho works: lines and progress bars on standard error.

Standard output carries results alone, so that it can be piped.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Generator
from typing import Protocol

from rinsho.errors import Language, default_language

_language: Language = default_language()
_is_silent = False


def set_language(language: Language) -> None:
    """Choose the language of everything that is printed."""
    global _language
    _language = language


def language() -> Language:
    """Return the language of everything that is printed."""
    return _language


@contextlib.contextmanager
def only_errors(is_silent: bool) -> Generator[None, None, None]:
    """Print no lines and no bars while several processes do one thing and another tells of it."""
    global _is_silent
    before, _is_silent = _is_silent, is_silent or _is_silent
    try:
        yield
    finally:
        _is_silent = before


def say(ja: str, en: str) -> None:
    """Print one line for a person on standard error."""
    if _is_silent:
        return
    print(ja if _language == "ja" else en, file=sys.stderr, flush=True)  # noqa: T201


class Progress(Protocol):
    """Advance a bar by some units; the text after it tells loss, speed and the like."""

    def __call__(self, n: float = 1, text: str = "") -> None:
        """Advance by `n` units."""
        ...


@contextlib.contextmanager
def progress(
    ja: str, en: str, total: float | None, unit: str = ""
) -> Generator[Progress, None, None]:
    """Show a progress bar on a terminal, and a line every 30 seconds elsewhere.

    Args:
        ja, en: What is being done.
        total: Units in all, None where that is not known.
        unit: What is counted, for the reader.
    """
    name = ja if _language == "ja" else en
    if _is_silent:
        yield lambda n=1, text="": None
    elif sys.stderr.isatty():
        with _bar(name, total, unit) as advance:
            yield advance
    else:
        yield _lines(name, total, unit)


def _lines(name: str, total: float | None, unit: str) -> Progress:
    n_done, said = 0.0, time.monotonic()

    def advance(n: float = 1, text: str = "") -> None:
        nonlocal n_done, said
        n_done += n
        if time.monotonic() - said >= 30:
            said = time.monotonic()
            share = f"{n_done:,.0f}" + (f"/{total:,.0f}" if total else "")
            print(f"{name}: {share} {unit} {text}".rstrip(), file=sys.stderr, flush=True)  # noqa: T201

    return advance


@contextlib.contextmanager
def _bar(name: str, total: float | None, unit: str) -> Generator[Progress, None, None]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:,.0f} " + unit),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}"),
    )
    with RichProgress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(name, total=total, text="")

        def advance(n: float = 1, text: str = "") -> None:
            bars.update(task, advance=n, text=text or bars.tasks[task].fields["text"])

        yield advance
