"""Whether anybody still waits for what is computed: asked on the way, so that it can stop.

A chunk of a prompt can take seconds, a layer of 1.2B parameters a tenth of one, a note of a million
characters half a minute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")

# Set by who asks for items while an answer begins; the answer keeps what it finds.
is_wanted: ContextVar[Callable[[], bool]] = ContextVar("is_wanted", default=lambda: True)


class NotWanted(Exception):
    """Nobody waits for an answer any more."""


def check_wanted() -> None:
    """Stop on the way.

    Raises:
        NotWanted: Whoever asked has left.
    """
    if not is_wanted.get()():
        raise NotWanted


def while_wanted(items: Iterable[T]) -> Iterator[T]:
    """Yield items as long as somebody waits; errors as `check_wanted`."""
    for item in items:
        check_wanted()
        yield item
