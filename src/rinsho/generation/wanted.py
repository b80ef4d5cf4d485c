"""Whether anybody still waits for an answer: asked before each layer of a prompt.

A chunk of a prompt can take seconds, a layer of 1.2B parameters a tenth of one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

# Set by who asks for items while an answer begins; the answer keeps what it finds.
is_wanted: ContextVar[Callable[[], bool]] = ContextVar("is_wanted", default=lambda: True)


class NotWanted(Exception):
    """Nobody waits for an answer any more."""
