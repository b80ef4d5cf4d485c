"""Connections that waste no place: slow headers, slow readers and too many of them are cut off.

uvicorn times a connection only after its first answer; here the clock runs from the beginning. Slow
bodies are `limits.BodyLimit`'s.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from rinsho.serving.limits import OVERLOADED, App, Limits, Receive, Send

MIN_READ_BYTES = 10_000  # what a client has to read while it is waited for
Timer = asyncio.TimerHandle | None


def protocol_within(
    limits: Limits, max_served: int, max_connections: int
) -> type[asyncio.Protocol]:
    """Return uvicorn's HTTP/1.1 protocol with deadlines."""

    class Protocol(TimedProtocol):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.limits, self.max_connections = limits, max_connections
            self.max_served, self.served = max_served, self.app
            self.app = self.serve_or_refuse

    return Protocol


class TimedProtocol(H11Protocol):
    """One connection.

    Attributes:
        limits: How long headers may take, and how long a client may read nothing.
        max_served: With one connection more, requests get 503 as any other error: in the API's
            form, with every header, counted and written down. (uvicorn's own limit answers before
            the application does, in plain text.)
        max_connections: One more is closed before it says a word.
        served: The application.
    """

    limits: Limits
    max_served: int
    max_connections: int
    served: App
    _head_timer: Timer = None
    _write_timer: Timer = None

    async def serve_or_refuse(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serve a request, or let the application say that there are too many connections."""
        n_connections = len(self.connections)
        if n_connections > self.max_served:
            scope["state"][OVERLOADED] = (n_connections, self.max_served)
        await self.served(scope, receive, send)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock of the first request's head."""
        if len(self.connections) >= self.max_connections:
            transport.abort()
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Take a part: a whole head stops its clock, the next one's first byte starts it."""
        super().data_received(data)
        self._await_head()

    def on_response_complete(self) -> None:
        """Go on to the next request; what the client does not read has a deadline."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._watch_reader()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, as soon as its client has read the rest."""
        super().timeout_keep_alive_handler()
        self._watch_reader()

    def pause_writing(self) -> None:
        """Wait for a client that reads too slowly, but not for ever."""
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        """Go on with a client that reads again."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._write_timer = _stopped(self._write_timer)

    def _watch_reader(self) -> None:
        n_unread = self.transport.get_write_buffer_size()
        if n_unread and self._write_timer is None:
            self._write_timer = self._later(
                self.limits.max_stall_seconds, lambda: self._check_reader(n_unread)
            )

    def _check_reader(self, n_unread_before: int) -> None:
        """Cut a client off that has not read its share; nothing was added while it was waited for.

        Of the last bytes before the end, all have to be read.
        """
        self._write_timer = None
        n_unread = self.transport.get_write_buffer_size()
        if n_unread > max(0, n_unread_before - MIN_READ_BYTES):
            self._cut_off()
        else:
            self._watch_reader()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop every clock."""
        super().connection_lost(exc)
        self._head_timer = _stopped(self._head_timer)
        self._write_timer = _stopped(self._write_timer)

    def _await_head(self) -> None:
        is_waiting = self.conn.their_state is h11.IDLE
        if not is_waiting:
            self._head_timer = _stopped(self._head_timer)
        elif self._head_timer is None:
            self._head_timer = self._later(self.limits.max_head_seconds, self._cut_off)

    def _cut_off(self) -> None:
        """Close at once; the kernel keeps nothing for a client that does not read."""
        connection = self.transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def _later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        return self.loop.call_later(seconds, call)


def _stopped(timer: Timer) -> None:
    if timer is not None:
        timer.cancel()
