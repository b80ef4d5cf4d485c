"""Who calls, by a key or by the sign-in of a trusted proxy, and how much each may ask for."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field

from rinsho.errors import KeyLimit, KeyRefused, RinshoError, RoleRefused
from rinsho.serving.audit import AuditLog
from rinsho.serving.keys import Key, Keys, Role, is_name
from rinsho.serving.limits import App, Receive, Scope, Send, header_of, is_loopback

ADMIN_PATHS = ("/metrics", "/v1/audit")
REFUSALS_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request.

    Attributes:
        name: As the log has it; empty where the server was started without keys.
        max_new_tokens: Of one answer; None: as many as fit.
    """

    name: str
    role: Role
    max_new_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class SignIn:
    """What identifies a caller; without keys and header, everyone on this machine is let in.

    Attributes:
        header: Where a proxy says who signed in; believed from `proxies` alone.
        proxies: Addresses of such proxies.
        is_plain: No TLS of our own, so that beyond loopback only the proxies may connect.
        person: What a person who came through the proxy may use; its name is not used.
    """

    keys: Keys | None = None
    header: str | None = None
    proxies: tuple[str, ...] = ()
    is_plain: bool = True
    person: Key = field(default_factory=lambda: Key(name="person", sha256="0" * 64))

    @property
    def is_open(self) -> bool:
        """Return whether nobody has to identify themselves."""
        return self.keys is None and self.header is None

    def identify(self, scope: Scope) -> Key | None:
        """Return whose request it is, None for nobody's."""
        if self.header is not None and _peer(scope) in self.proxies:
            name = header_of(scope, self.header.lower().encode())
            if is_name(name):
                return self.person.model_copy(update={"name": name})
        kind, _, given = header_of(scope, b"authorization").partition(" ")
        if self.keys is None or kind.lower() != "bearer":
            return None
        return self.keys.find(given.strip())

    def check_peer(self, scope: Scope) -> None:
        """Refuse plain text that comes from another machine than the proxy.

        Raises:
            KeyRefused
        """
        peer = _peer(scope)
        if self.is_plain and not (is_loopback(peer) or peer in self.proxies):
            raise KeyRefused(where="a connection without TLS")


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "127.0.0.1"  # no address: not a network's connection


@dataclass(slots=True)
class _Use:
    """What a caller has used: a bucket of requests that fills up again over a minute."""

    n_left: float
    checked_seconds: float
    n_running: int = 0


class Access:
    """Lets nobody in without a key, where there are keys, and nobody beyond the key's limits.

    Args:
        open_paths: What everyone may read: the page's files, which hold nothing, and the health.
        audit: Gets a line a minute at most about requests without a right key.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        app: App,
        sign_in: SignIn,
        open_paths: frozenset[str],
        audit: AuditLog | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._sign_in = sign_in
        self._open_paths = open_paths
        self._clock = clock
        self._audit = audit
        self._uses: dict[str, _Use] = {}
        self._n_refused, self._told_seconds = 0, -math.inf

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._sign_in.is_open:
            _name_caller(scope, Caller("", "admin"))
            await self._app(scope, receive, send)
            return
        self._sign_in.check_peer(scope)
        key = self._sign_in.identify(scope)
        if key is None:
            if scope["path"] not in self._open_paths:
                await self._note_refusal()
                raise KeyRefused(where="Authorization")
            await self._app(scope, receive, send)
            return
        _check_role(scope["path"], key.role)
        _name_caller(scope, Caller(key.name, key.role, key.max_new_tokens))
        with self._used(key):
            await self._app(scope, receive, send)

    async def _note_refusal(self) -> None:
        """Count a request without a right key; the log is not a place to fill from outside."""
        self._n_refused += 1
        now = self._clock()
        if self._audit is None or now < self._told_seconds + REFUSALS_SECONDS:
            return
        n_refused, self._n_refused, self._told_seconds = self._n_refused, 0, now
        with contextlib.suppress(RinshoError):  # it is refused, written down or not
            await self._audit.record("-", "refused", f"n-{n_refused}", "")

    @contextlib.contextmanager
    def _used(self, key: Key) -> Generator[None]:
        """Count a request while it runs."""
        use = self._refilled(key)
        if use.n_left < 1:
            n = f"{key.requests_per_minute} per minute"
            raise KeyLimit(where="requests", found="more", expected=n)
        if use.n_running >= key.max_concurrent:
            limit = f"{key.max_concurrent} at a time"
            raise KeyLimit(where="requests", found="more", expected=limit)
        use.n_left -= 1
        use.n_running += 1
        try:
            yield
        finally:
            use.n_running -= 1

    def _refilled(self, key: Key) -> _Use:
        now = self._clock()
        use = self._uses.setdefault(key.name, _Use(key.requests_per_minute, now))
        grown = use.n_left + (now - use.checked_seconds) * key.requests_per_minute / 60
        use.n_left, use.checked_seconds = min(grown, key.requests_per_minute), now
        return use


def _name_caller(scope: Scope, caller: Caller) -> None:
    scope.setdefault("state", {})["caller"] = caller


def _check_role(path: str, role: Role) -> None:
    is_admins = any(path == admin or path.startswith(f"{admin}/") for admin in ADMIN_PATHS)
    if is_admins and role != "admin":
        raise RoleRefused(where=path, found=role, expected="admin")


def caller_of(state: Mapping[str, object]) -> Caller | None:
    """Return who sent a request, from its state; None for a request that nobody signed."""
    caller = state.get("caller")
    return caller if isinstance(caller, Caller) else None
