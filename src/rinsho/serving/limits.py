"""What a request has to pass before the application sees it: origin, size, form, and no traces.

Each class is a small ASGI application around the next one; `app.create_app` puts them in order.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rinsho.console import say
from rinsho.errors import (
    BadRequest,
    Busy,
    OriginRefused,
    RequestTooLarge,
    RinshoError,
    ServerFault,
    TooManyConnections,
)
from rinsho.serving.metrics import Metrics
from rinsho.serving.replies import error_response

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one server takes."""

    max_body_bytes: int = 8_000_000  # 1,000,000 characters fit, also where JSON writes \\uXXXX
    max_held_bytes: int = 64_000_000  # all bodies that are being read or worked on
    max_json_depth: int = 32
    max_head_seconds: float = 10.0  # a request line with headers that comes more slowly
    max_body_seconds: float = 30.0  # a body that comes more slowly is cut off
    max_stall_seconds: float = 30.0  # a client that reads nothing for so long is cut off
    max_waiting: int = 16  # requests in the queue of one engine
    max_running: int = 16  # chats that a model works on at the same time
    max_note_characters: int = 1_000_000
    max_relation_pairs: int = (
        1_000  # of a drug and an event near it; the demo's size asks 70 a second
    )
    max_batch_bytes: int = 32_000_000
    max_batch_lines: int = 20_000
    max_batches: int = 4  # of one caller, done or not
    max_batch_seconds: float = 3_600.0  # results are forgotten after that


SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


OVERLOADED = "overloaded"  # key of a request's state: how many connections there are, and may be
METHODS = ("GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS")


class Envelope:
    """Adds the security headers, turns every exception into a reply, and writes the access log.

    A line of the log has the route, never a path, a query, a body or an address: paths can hold
    what a person typed.
    """

    def __init__(self, app: App, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def send_sealed(event: Event) -> None:
            nonlocal status
            if event["type"] == "http.response.start":
                status = event["status"]
                sealed = [(k.lower().encode(), v.encode()) for k, v in SECURITY_HEADERS.items()]
                event["headers"] = [*event.get("headers", ()), *sealed]
            await send(event)

        try:
            _check_connections(scope)
            await self._app(scope, receive, send_sealed)
        except Exception as error:  # nothing may reach the server's own log, which prints it all
            known = error if isinstance(error, RinshoError) else _fault(error)
            self._metrics.count_error(known.code)
            if not status:
                await error_response(known)(scope, receive, send_sealed)
        finally:
            self._write_down(scope, status, time.perf_counter() - started)

    def _write_down(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "-")
        method = scope["method"] if scope["method"] in METHODS else "-"
        self._metrics.count_request(method, route, status, seconds)
        line = f"{method} {route} {status or 'left'} {seconds * 1000:.0f} ms"
        say(line, line)


def _check_connections(scope: Scope) -> None:
    """Refuse a request that came over one connection too many.

    Raises:
        TooManyConnections
    """
    if (counts := scope.get("state", {}).get(OVERLOADED)) is not None:
        found, expected = counts
        raise TooManyConnections(where="connections", found=found, expected=expected)


def _fault(error: Exception) -> ServerFault:
    """Return the class and the line of an unexpected exception, not its message."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "?"
    fault = ServerFault(where=f"{type(error).__name__} {place}")
    say(fault.text("ja"), fault.text("en"))
    return fault


@dataclass(frozen=True, slots=True)
class Origins:
    """Under which names a server is reached: this machine's own, and those given.

    Attributes:
        hosts: Further host names, in lower case, without a port.
        schemes: http, https, or both where a proxy takes the TLS off.
    """

    hosts: frozenset[str] = frozenset()
    schemes: tuple[str, ...] = ("http",)

    def check(self, scope: Scope) -> None:
        """Refuse a foreign host name, and what another site's page sends.

        Raises:
            OriginRefused
        """
        host = header_of(scope, b"host")
        name = _without_port(host).lower()
        if not (is_loopback(name) or name in self.hosts):
            known = min(self.hosts, default="127.0.0.1")
            raise OriginRefused(where="Host", expected=f"{self.schemes[0]}://{known}")
        own = [f"{scheme}://{host}" for scheme in self.schemes]
        origin = header_of(scope, b"origin")
        if origin and origin not in own:
            raise OriginRefused(where="Origin", expected=own[0])
        is_foreign = header_of(scope, b"sec-fetch-site") in ("cross-site", "same-site")
        if is_foreign and scope["path"] != "/":  # a link to the page is no danger
            raise OriginRefused(where="Sec-Fetch-Site", expected=own[0])


class SameOrigin:
    """Refuses what another site's page sends, and every host name but the server's own.

    The second half stops DNS rebinding: a foreign name that resolves to 127.0.0.1 stays foreign.
    """

    def __init__(self, app: App, origins: Origins) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] == "http":
            self._origins.check(scope)
        await self._app(scope, receive, send)


def _without_port(host: str) -> str:
    return re.sub(r":\d*$", "", host).removeprefix("[").removesuffix("]")


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine's own, without asking a resolver.

    >>> is_loopback("localhost"), is_loopback("127.0.0.1"), is_loopback("example.test")
    (True, True, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def header_of(scope: Scope, name: bytes) -> str:
    """Return a header; of two with one name, both, which no rule accepts."""
    return ",".join(value.decode("latin-1") for key, value in scope["headers"] if key == name)


BATCH_PATH = "/v1/batch"
JSON_TYPES = ("application/json",)
JSONL_TYPES = ("application/jsonl", "application/x-ndjson")


class BodyLimit:
    """Reads the body of a request whole, within the limits, before the application is called."""

    def __init__(self, app: App, limits: Limits) -> None:
        self._app = app
        self._limits = limits
        self._n_held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "DELETE"):
            await self._app(scope, receive, send)
            return
        is_batch = scope["path"] == BATCH_PATH
        limits = self._limits
        max_bytes = limits.max_batch_bytes if is_batch else limits.max_body_bytes
        _check_declared(scope, JSONL_TYPES if is_batch else JSON_TYPES, max_bytes)
        body = bytearray()
        try:
            await self._read(receive, body, max_bytes)
            if not is_batch:  # whose lines are checked one by one
                check_json(bytes(body), limits.max_json_depth)
            await self._app(scope, _replay(bytes(body), receive), send)
        finally:
            self._n_held_bytes -= len(body)

    async def _read(self, receive: Receive, body: bytearray, max_bytes: int) -> None:
        seconds = self._limits.max_body_seconds
        try:
            async with asyncio.timeout(seconds):
                async for part in _parts(receive):
                    self._n_held_bytes += len(part)
                    body += part
                    self._check(len(body), max_bytes)
        except TimeoutError:
            expected = f"a body within {seconds:.0f} s"
            raise BadRequest(where="body", found="too slow", expected=expected) from None

    def _check(self, n_bytes: int, max_bytes: int) -> None:
        if n_bytes > max_bytes:
            raise _too_large(n_bytes, max_bytes)
        most = self._limits.max_held_bytes
        if self._n_held_bytes > most:
            raise Busy(where="body bytes", expected=most, found=self._n_held_bytes)


def _check_declared(scope: Scope, types: tuple[str, ...], max_bytes: int) -> None:
    """Refuse by the headers alone, before a byte is read."""
    declared = header_of(scope, b"content-length")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise _too_large(int(declared), max_bytes)
    kind = header_of(scope, b"content-type").partition(";")[0].strip().lower()
    if kind not in types:
        expected = f"Content-Type: {types[0]}"
        raise BadRequest(where="Content-Type", found="another type", expected=expected)


def _too_large(n_bytes: int, max_bytes: int) -> RequestTooLarge:
    limit = f"{max_bytes:,} bytes"
    return RequestTooLarge(where="body", found=f"{n_bytes:,} bytes", expected=limit)


async def _parts(receive: Receive) -> AsyncIterator[bytes]:
    is_more = True
    while is_more:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise BadRequest(where="body", found="the client left", expected="the whole body")
        yield event.get("body", b"")
        is_more = event.get("more_body", False)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the whole body first, then what the connection gives."""
    is_given = False

    async def replay() -> Event:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


# Possessive, and an open string ends with the body: one pass over the bytes, whatever they are.
_JSON_STRING = re.compile(rb'"[^"\\]*+(?:\\.?[^"\\]*+)*+(?:"|\Z)', re.DOTALL)


def check_json(body: bytes, max_depth: int) -> None:
    """Refuse a body that is not UTF-8 or is nested too deeply, before it is parsed.

    Raises:
        BadRequest: With the depth that was found.

    >>> check_json('{"text": "[[[["}'.encode(), max_depth=1)
    """
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest(where="body", found="not UTF-8", expected="JSON in UTF-8") from None
    rest = np.frombuffer(_JSON_STRING.sub(b"", body), dtype=np.uint8)
    opened = np.isin(rest, list(b"[{")).astype(np.int32)
    closed = np.isin(rest, list(b"]}")).astype(np.int32)
    depth = int(np.cumsum(opened - closed).max(initial=0))
    if depth > max_depth:
        expected = f"at most {max_depth} levels"
        raise BadRequest(where="body", found=f"{depth} levels of nesting", expected=expected)
