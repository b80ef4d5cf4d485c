"""The audit log: who asked for what and when, in a chain that shows whether a line was changed.

Each line holds the number of the one before plus one, the wall clock, the caller's name, the
operation, the caller's id of the document or a keyed hash of it, and an HMAC over the line before
and this one. No text of a request is in it. The number tells the order, whatever the clock does.

A log that was moved away (logrotate) goes on in a new file, whose first line holds the end of the
one before: the files are one chain.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import hashlib
import hmac
import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rinsho.corpus.keys import keyed_hash
from rinsho.errors import AuditBroken, AuditFailed

FIRST = "0" * 64  # the chain value before the first line
ROTATED = "rotated"  # operation of a first line: its document is the chain value of before
AT_START = "check the path, the rights, and whether another server writes to it, and start again"
_PLAIN_ID = re.compile(r"[A-Za-z0-9_.:/#-]{1,64}")  # anything else may be a name or a note


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain."""

    n_lines: int
    chain: str
    n_bytes: int


def document_id(key: bytes, given: str | None, text: str) -> str:
    """Return what stands for a document: the caller's id if it looks like one, or a keyed hash.

    >>> document_id(b"k", "2026/a-17", "発熱")
    '2026/a-17'
    """
    if given and _PLAIN_ID.fullmatch(given):
        return given
    return f"hmac:{keyed_hash(key, given or text)}"


class AuditLog:
    """A file that only grows; each line is on the disk before `append` returns.

    Args:
        path: Made with mode 600. One server at a time writes to it.
        key: Of the chain and of hashed ids; without it nobody can forge a line.
        now: The wall clock.

    Raises:
        AuditFailed: The file cannot be opened, or another server writes to it.
        AuditBroken: What stands in it is not a chain of this key.
    """

    def __init__(
        self, path: Path, key: bytes, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._path, self._name, self._key, self._now = path, path.name, key, now
        self._lock = threading.Lock()
        self._may_have_moved = False
        try:
            self.descriptor = _open(path)
        except OSError as error:
            raise AuditFailed(where=path.name, found=_reason(error), hint=AT_START) from None
        self.head = check_chain(path, key)
        self._must_cut = True  # a line that a power cut left half written was never answered

    async def record(self, who: str, operation: str, given_id: str | None, text: str) -> None:
        """Write one line from a loop; as `append`. Whoever stops waiting stops nothing."""
        await asyncio.shield(asyncio.to_thread(self.append, who, operation, given_id, text))

    def append(self, who: str, operation: str, given_id: str | None, text: str) -> None:
        """Write one line and wait until the disk has it.

        Args:
            given_id: The caller's id of the document.
            text: What the operation reads; at most a keyed hash of it is written.

        Raises:
            AuditFailed: It could not be written; the file is as it was.
            AuditBroken: Another program wrote to the file.
        """
        document = document_id(self._key, given_id, text)
        with self._lock:
            try:
                if self._may_have_moved:
                    self._reopen()
                line, chain = self._next_line(who, operation, document)
                self._write(line)
            except OSError as error:
                self._must_cut = True
                raise AuditFailed(where=self._name, found=_reason(error)) from None
            self.head = Head(self.head.n_lines + 1, chain, self.head.n_bytes + len(line))

    def follow_rotation(self) -> None:
        """Look before the next line whether the file was moved away, and go on in a new one."""
        self._may_have_moved = True

    def _next_line(self, who: str, operation: str, document: str) -> tuple[bytes, str]:
        body = {
            "n": self.head.n_lines + 1,
            "time": self._now().isoformat(timespec="milliseconds"),
            "who": who,
            "operation": operation,
            "document": document,
        }
        chain = _link(self._key, self.head.chain, body)
        return _dump({**body, "chain": chain}), chain

    def _reopen(self) -> None:
        """Go on in a new file; where that fails, the next line tries again.

        Raises:
            AuditBroken: There is another file with lines.
            OSError: It cannot be opened or written.
        """
        if self._path.exists() and os.path.samestat(self._path.stat(), os.fstat(self.descriptor)):
            self._may_have_moved = False
            return
        if self._must_cut:  # nothing half written stays behind
            os.ftruncate(self.descriptor, self.head.n_bytes)
        new = _open(self._path)
        try:
            if os.fstat(new).st_size:
                raise AuditBroken(where=self._name, found="a file with lines stands in its place")
            line, chain = self._next_line("-", ROTATED, self.head.chain)
            _write_first(new, line)
        except (OSError, AuditBroken):
            os.close(new)
            raise
        os.close(self.descriptor)
        self.descriptor, self._must_cut, self._may_have_moved = new, False, False
        self.head = Head(self.head.n_lines + 1, chain, len(line))

    def _write(self, line: bytes) -> None:
        if self._must_cut:
            os.ftruncate(self.descriptor, self.head.n_bytes)
            self._must_cut = False
        found = os.fstat(self.descriptor)
        if not found.st_nlink:  # what is written to a file without a name is lost
            raise OSError(errno.ENOENT, "the file was deleted")
        if found.st_size != self.head.n_bytes:
            raise AuditBroken(where=self._name, found="another program wrote to it")
        if os.write(self.descriptor, line) < len(line):
            raise OSError(errno.ENOSPC, "no space")
        os.fsync(self.descriptor)

    def last(self, n_lines: int) -> list[dict[str, Any]]:
        """Return the last lines, oldest first."""
        with self._lock:
            start = max(0, self.head.n_bytes - n_lines * 1_000)
            raw = os.pread(self.descriptor, self.head.n_bytes - start, start)
        lines = raw.split(b"\n")[bool(start) :]
        return [json.loads(line) for line in lines if line][-n_lines:]

    def close(self) -> None:
        """Give the file back."""
        os.close(self.descriptor)


def _open(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _write_first(descriptor: int, line: bytes) -> None:
    """Write the first line of an empty file, or leave it empty."""
    try:
        if os.write(descriptor, line) < len(line):
            raise OSError(errno.ENOSPC, "no space")
        os.fsync(descriptor)
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
        raise


def check_chain(
    path: Path, key: bytes, known: str | None = None, *, older: Sequence[Path] = ()
) -> Head:
    """Check every line of a log; return its end.

    Args:
        known: A chain value that was written down elsewhere; it has to be there still. A log that
            was cut off at its end is a good chain otherwise.
        older: Files that were moved away before, the oldest first. Without them the log begins
            where its first line says.

    Raises:
        AuditBroken: With the number of the first line that does not fit, as the first one of a
            file before which another is missing.
        AuditFailed: It cannot be read.
    """
    head, is_known = None, known in (None, FIRST)
    for file in (*older, path):
        head = Head(head.n_lines, head.chain, 0) if head else None
        for end in _follow(file, key, head):
            head, is_known = end, is_known or end.chain == known
    if not is_known:
        raise AuditBroken(where=path.name, found="the known end is missing: lines were cut off")
    return head or Head(0, FIRST, 0)


def _follow(path: Path, key: bytes, before: Head | None) -> Iterator[Head]:
    """Yield the end behind each line of a file.

    Raises:
        AuditBroken
    """
    head = before or Head(0, FIRST, 0)
    for number, line in enumerate(_whole_lines(path)):
        try:
            value = json.loads(line)
            given = value.pop("chain")
            if number == 0 and before is None and value["operation"] == ROTATED:
                head = Head(int(value["n"]) - 1, str(value["document"]), 0)
        except (ValueError, KeyError, AttributeError, TypeError):
            place = f"{path.name} line {head.n_lines + 1}"
            raise AuditBroken(where=place, found="another form") from None
        is_next = value.get("n") == head.n_lines + 1
        if not is_next or given != _link(key, head.chain, value):
            place = f"{path.name} line {head.n_lines + 1}"
            raise AuditBroken(where=place, found="changed, moved or made with another key")
        head = Head(head.n_lines + 1, given, head.n_bytes + len(line))
        yield head


def _whole_lines(path: Path) -> Iterator[bytes]:
    """Yield lines with their ends; the last one only if it is whole."""
    try:
        with path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield line
    except OSError as error:
        raise AuditFailed(where=path.name, found=_reason(error)) from None


def _link(key: bytes, before: str, body: dict[str, Any]) -> str:
    return hmac.new(key, before.encode() + _dump(body), hashlib.sha256).hexdigest()


def _dump(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def _reason(error: OSError) -> str:
    """Return what the system said, without the path it said it about."""
    return os.strerror(error.errno) if error.errno else "cannot be written"
