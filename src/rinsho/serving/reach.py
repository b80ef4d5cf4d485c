"""Where a server listens and what protects it there: keys, TLS, a proxy's sign-in, an audit log."""

from __future__ import annotations

import contextlib
import re
import ssl
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from rinsho.corpus.keys import read_key
from rinsho.errors import InvalidValue, KeysUnusable, NotLoopback
from rinsho.serving.access import SignIn
from rinsho.serving.audit import AuditLog
from rinsho.serving.keys import check_private, read_keys
from rinsho.serving.limits import Origins, is_loopback


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a server listens and who gets in.

    Attributes:
        host: Beyond loopback only with keys or a sign-in, TLS or a proxy, and an audit log.
        port: 0 takes a free one.
        keys: File of keys; None: the one of the environment, or none.
        trusted_header: Where the proxies at `trusted_proxies` say who signed in.
        allowed_hosts: Names under which browsers reach the server.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    keys: Path | None = None
    audit: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    trusted_header: str | None = None
    trusted_proxies: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()

    @property
    def scheme(self) -> str:
        """Return http or https."""
        return "https" if self.tls_cert else "http"

    def sign_in(self) -> SignIn:
        """Return who gets in, after checks that need no model.

        Raises:
            NotLoopback: Other machines reach the address, and something that protects it is
                missing.
            InvalidValue: Half of a pair of options, or a header name that is none.
            KeysUnusable: A file of keys or of a certificate cannot be used.
        """
        self._check_pairs()
        self._check_certificate()
        keys = read_keys(self.keys)
        sign_in = SignIn(keys, self.trusted_header, self.trusted_proxies, self.tls_cert is None)
        if not is_loopback(self.host):
            self._check_beyond(sign_in)
        return sign_in

    def _check_pairs(self) -> None:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise InvalidValue(where="--tls-cert", found="one of two", expected="--tls-key too")
        if (self.trusted_header is None) != (not self.trusted_proxies):
            expected = "--trusted-header and --trusted-proxy"
            raise InvalidValue(where="--trusted-header", found="one of two", expected=expected)
        if self.trusted_header and not re.fullmatch(r"[A-Za-z0-9-]+", self.trusted_header):
            expected = "the name of a header"
            raise InvalidValue(where="--trusted-header", found="another form", expected=expected)

    def _check_beyond(self, sign_in: SignIn) -> None:
        """Refuse an address that other machines reach, unless everything is there."""
        is_named = self.allowed_hosts or self.host not in ("", "0.0.0.0", "::")
        missing = [
            option
            for option, has_it in (
                ("--keys", not sign_in.is_open),
                ("--tls-cert, --tls-key", self.tls_cert is not None or self.trusted_proxies),
                ("--audit", self.audit is not None),
                ("--allowed-host", is_named),
            )
            if not has_it
        ]
        if missing:
            options = ", ".join(missing)
            raise NotLoopback(where=self.host or "''", found=options, expected=options)

    def _check_certificate(self) -> None:
        if self.tls_cert is None or self.tls_key is None:
            return
        check_private(self.tls_key)
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
                self.tls_cert, self.tls_key, password=lambda: ""
            )
        except (OSError, ValueError):  # ssl.SSLError is an OSError
            expected = "a certificate and its key in PEM, without a password"
            raise KeysUnusable(
                where=self.tls_cert.name, found="not a pair", expected=expected
            ) from None

    def origins(self) -> Origins:
        """Return the names and schemes that a browser may use."""
        hosts = {*self.allowed_hosts, self.host}
        schemes = ("https", "http") if self.trusted_header and not self.tls_cert else (self.scheme,)
        return Origins(frozenset(host.lower() for host in hosts), schemes)

    @contextlib.contextmanager
    def open_audit(self) -> Generator[AuditLog | None]:
        """Open the audit log; errors as `AuditLog` and `corpus.keys.read_key`."""
        if self.audit is None:
            yield None
            return
        with contextlib.closing(AuditLog(self.audit, read_key())) as log:
            yield log
