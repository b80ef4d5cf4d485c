"""SIGHUP: the file of keys is read again; an audit log that was moved away goes on in a new file.

What it starts runs in a thread of its own: a signal may come while a lock is held.
"""

from __future__ import annotations

import signal
import threading
from pathlib import Path

from rinsho.console import say
from rinsho.errors import RinshoError
from rinsho.serving.audit import AuditLog
from rinsho.serving.keys import Keys, read_keys

NOBODY = "-"  # who, in the audit log: the operator of the machine


def reload_on_hangup(path: Path | None, keys: Keys | None, audit: AuditLog | None) -> None:
    """Reload whenever the process gets SIGHUP; nothing where there is no such signal.

    Args:
        path: The file of keys.
        keys: What the server asks; changed in place.
        audit: The log, if there is one.
    """
    if not hasattr(signal, "SIGHUP") or threading.current_thread() is not threading.main_thread():
        return

    def start(*_: object) -> None:
        threading.Thread(target=reload, args=(path, keys, audit), daemon=True).start()

    signal.signal(signal.SIGHUP, start)


def reload(path: Path | None, keys: Keys | None, audit: AuditLog | None) -> None:
    """Read the keys again and reopen the log; a file that cannot be used changes nothing."""
    if path is not None and keys is not None:
        try:
            keys.replace(read_keys(path))
        except (RinshoError, OSError) as error:
            said = error if isinstance(error, RinshoError) else None
            known = said.code if said else type(error).__name__
            say(
                f"鍵のファイルを読み直せません（{known}）。前の鍵のまま動いています",
                f"the file of keys cannot be read again ({known}): the keys of before still hold",
            )
        else:
            say(f"鍵を読み直しました（{len(keys.keys)} 件）", f"{len(keys.keys)} keys read again")
    if audit is not None:
        audit.follow_rotation()
        try:
            n_keys = len(keys.keys) if keys is not None else 0
            audit.append(NOBODY, "reload", f"n-keys-{n_keys}", "")
        except RinshoError as error:
            say(error.text("ja"), error.text("en"))
