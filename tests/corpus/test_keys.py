"""The key of keyed hashes."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import pytest

from rinsho.corpus.keys import keyed_hash, read_key
from rinsho.errors import InvalidValue


def test_the_key_is_made_once_and_only_its_owner_reads_it(key_file: Path) -> None:
    first = read_key()
    assert read_key() == first and len(first) == 32
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in key_file.parent.iterdir()] == ["key"]


def test_a_key_that_others_can_read_is_refused(key_file: Path) -> None:
    read_key()
    key_file.chmod(0o644)
    with pytest.raises(InvalidValue, match="600"):
        read_key()


def test_a_short_key_is_refused(key_file: Path) -> None:
    read_key()
    key_file.write_bytes(b"short")
    with pytest.raises(InvalidValue, match="32"):
        read_key()


def test_the_hash_is_hmac_sha256() -> None:
    expected = hmac.new(b"k" * 32, "患者1".encode(), hashlib.sha256).hexdigest()[:32]
    assert keyed_hash(b"k" * 32, "患者1") == expected
