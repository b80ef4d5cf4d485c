"""Keyed hashes: names of files, patients and cases become numbers that nobody can look up.

The key is random, lies outside every output folder (mode 0600), and stands in no manifest.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from rinsho.errors import InvalidValue

N_KEY_BYTES = 32


def key_path() -> Path:
    """Return where the key lies: RINSHO_KEY_FILE, or a file in the user's own settings."""
    if given := os.environ.get("RINSHO_KEY_FILE"):
        return Path(given)
    return Path.home() / ".config" / "rinsho" / "key"


def read_key() -> bytes:
    """Return the key; the first call on a machine makes it.

    Raises:
        InvalidValue: Others can read the file, or it holds no key.
    """
    path = key_path()
    if not path.exists():
        _make_key(path)
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        expected = "mode 600: `chmod 600` the key file"
        raise InvalidValue(where="RINSHO_KEY_FILE", found=f"mode {mode:o}", expected=expected)
    key = path.read_bytes()
    if len(key) < N_KEY_BYTES:
        expected = f"a file of {N_KEY_BYTES} random bytes"
        raise InvalidValue(where="RINSHO_KEY_FILE", found=f"{len(key)} bytes", expected=expected)
    return key


def _make_key(path: Path) -> None:
    """Write a key under its final name at once, so that two first calls agree on one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(N_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        os.link(new, path)
    except FileExistsError:
        pass  # another process was first: its key is the key
    finally:
        new.unlink()


def keyed_hash(key: bytes, value: str) -> str:
    """Return the HMAC-SHA256 of a private string, 32 hexadecimal digits."""
    return hmac.new(key, value.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:32]
