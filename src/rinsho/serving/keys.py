"""Keys of the API: who holds one, what it may do, and how much of it; only hashes are kept."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rinsho.errors import KeysUnusable

Role = Literal["user", "admin"]
ENVIRONMENT = "RINSHO_API_KEY"
N_KEY_BYTES = 32
MIN_KEY_CHARACTERS = 20  # of a key that a person chose
_FORM = "TOML with [[key]] tables, as `rinsho new-key` writes them"
_NAME = r"[A-Za-z0-9_.@-]{1,64}"


class Key(BaseModel):
    """One holder of a key, as the file of keys has it.

    The hash is a plain SHA-256: a key of 32 random bytes cannot be guessed, however fast the hash.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=f"^{_NAME}$")]
    role: Role = "user"
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    requests_per_minute: Annotated[int, Field(ge=1)] = 600
    max_concurrent: Annotated[int, Field(ge=1)] = 8  # requests at the same time
    max_new_tokens: Annotated[int, Field(ge=1)] | None = None  # of one answer; None: the context


@dataclass(slots=True)
class Keys:
    """Every key that a server knows now."""

    keys: Sequence[Key]

    def replace(self, others: Keys | None) -> None:
        """Take the keys of a file that was read again: others open nothing any more."""
        if others is not None:
            self.keys = others.keys

    def find(self, given: str) -> Key | None:
        """Return whose key it is; the time it takes does not depend on the key."""
        digest = hash_key(given)
        found: Key | None = None
        for key in self.keys:
            if hmac.compare_digest(digest, key.sha256):
                found = key
        return found


def hash_key(key: str) -> str:
    """Return what the file of keys holds in a key's place."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def is_name(name: str) -> bool:
    """Return whether a name can stand in the file of keys and in the audit log.

    >>> is_name("ward-3@example.test"), is_name("山田 太郎")
    (True, False)
    """
    return re.fullmatch(_NAME, name) is not None


def read_keys(path: Path | None) -> Keys | None:
    """Read the keys of a file, or the one of the environment; None where there is neither.

    Raises:
        KeysUnusable: Others can read the file, it is of another form, holds no key or a name twice;
            or the key of the environment is too short.
    """
    given = os.environ.get(ENVIRONMENT)
    if path is not None:
        return Keys(_read_file(path))
    if given is None:
        return None
    if len(given) < MIN_KEY_CHARACTERS:
        expected = f"at least {MIN_KEY_CHARACTERS} characters"
        raise KeysUnusable(where=ENVIRONMENT, found="too short", expected=expected)
    return Keys([Key(name="environment", role="admin", sha256=hash_key(given))])


def _read_file(path: Path) -> list[Key]:
    check_private(path)
    try:
        table = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise KeysUnusable(where=path.name, found=place, expected=_FORM) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise KeysUnusable(where=path.name, found="not TOML", expected=_FORM) from None
    names = [key.name for key in table.key]
    if len(set(names)) < len(names):
        raise KeysUnusable(where=path.name, found="a name twice", expected="one key per name")
    return table.key


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    key: Annotated[list[Key], Field(min_length=1)]


def check_private(path: Path) -> None:
    """Refuse a file of secrets that others can read.

    Raises:
        KeysUnusable: It is not there, or its mode lets others in.
    """
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no such file"
        expected = "a file, mode 600 (`rinsho new-key --keys FILE`; TLS: PEM)"
        raise KeysUnusable(where=path.name, found=found, expected=expected)
    mode = path.stat().st_mode & 0o777
    if os.name == "posix" and mode & 0o077:
        expected = "readable by its owner alone (`chmod 600`)"
        raise KeysUnusable(where=path.name, found=f"mode {mode:o}", expected=expected)


def new_key(path: Path, name: str, role: Role) -> str:
    """Make a key, append its hash to a file that only its owner reads, and return the key.

    Raises:
        KeysUnusable: The name cannot stand in a log or stands in the file, or the file is not as
            `read_keys` wants it.
    """
    if not is_name(name):
        expected = "letters, digits and _.@-, at most 64"
        raise KeysUnusable(where="NAME", found="another form", expected=expected)
    if path.exists() and any(key.name == name for key in _read_file(path)):
        raise KeysUnusable(where=path.name, found=f"{name} twice", expected="another name")
    key = secrets.token_urlsafe(N_KEY_BYTES)
    lines = ("[[key]]", f"name = {json.dumps(name)}", f'role = "{role}"',
             f'sha256 = "{hash_key(key)}"', "", "")  # fmt: skip
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        file.write("\n".join(lines))
        file.flush()
        os.fsync(file.fileno())
    return key
