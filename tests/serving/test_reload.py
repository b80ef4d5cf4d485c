"""SIGHUP to a real server: keys that are taken back, and an audit log that was moved away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from rinsho.corpus.keys import read_key
from rinsho.errors import AuditBroken, AuditFailed
from rinsho.serving.audit import ROTATED, AuditLog, check_chain
from rinsho.serving.keys import new_key

KEY = b"k" * 32
RunCommand = Callable[..., AbstractContextManager[Any]]


def hang_up(server: Any, saying: str) -> None:
    """Send SIGHUP and read on until the server says what came of it."""
    os.kill(server.process.pid, signal.SIGHUP)
    assert any(saying in line for line in iter(server.process.stdout.readline, ""))


def status(url: str, key: str) -> int:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.get(f"{url}/v1/models", headers=headers, timeout=60).status_code


def test_keys_are_read_again_and_one_that_was_taken_back_opens_nothing(
    run_command: RunCommand, tmp_path: Path
) -> None:
    path = tmp_path / "keys.toml"
    old = new_key(path, "ward-3", "user")
    with run_command("serve", "--keys", str(path), "--port", "0") as server:
        assert status(server.url, old) == 200
        path.unlink()
        new = new_key(path, "ward-4", "user")
        assert (status(server.url, old), status(server.url, new)) == (200, 401)
        hang_up(server, "1 keys read again")
        assert (status(server.url, old), status(server.url, new)) == (401, 200)
        path.write_text("not TOML [")
        hang_up(server, "(S017)")
        assert (status(server.url, old), status(server.url, new)) == (401, 200)


def test_a_log_that_was_moved_away_goes_on_in_a_new_file_of_the_same_chain(
    run_command: RunCommand, tmp_path: Path
) -> None:
    path, older = tmp_path / "audit.jsonl", tmp_path / "audit.jsonl.1"
    with run_command("serve", "--audit", str(path), "--port", "0") as server:

        def ask(document: str) -> None:
            body = {"text": "発熱", "id": document}
            assert httpx.post(f"{server.url}/v1/extract", json=body, timeout=60).status_code == 200

        ask("a")
        path.rename(older)
        ask("b")  # still in the file that was moved
        os.kill(server.process.pid, signal.SIGHUP)
        while not path.exists() or not path.stat().st_size:
            assert server.process.poll() is None
        ask("c")
    lines = [json.loads(line) for file in (older, path) for line in file.open()]
    said = [line["operation"] for line in lines]
    assert [line["n"] for line in lines] == list(range(1, len(lines) + 1))
    assert said == ["extract", "extract", ROTATED, "reload", "extract"]
    assert lines[2]["document"] == lines[1]["chain"]
    assert path.stat().st_mode & 0o777 == 0o600
    words = [sys.executable, "-m", "rinsho.cli", "check-audit", str(older), str(path)]
    checked = subprocess.run(words, capture_output=True, text=True, check=True)
    assert checked.stdout == f"5 {lines[-1]['chain']}\n"
    assert check_chain(path, read_key()).n_lines == 5, "a later file alone is a good chain"


@pytest.fixture
def rotated(tmp_path: Path) -> list[Path]:
    """Three files of one chain, the oldest first."""
    path = tmp_path / "log"
    log = AuditLog(path, KEY)
    for number in (2, 1, 0):
        for name in "xyz":
            log.append("a", "extract", name, "")
        if number:
            path.rename(tmp_path / f"log.{number}")
            log.follow_rotation()
    log.close()
    return [tmp_path / "log.2", tmp_path / "log.1", path]


def test_a_file_that_is_missing_between_two_or_changed_is_found(rotated: list[Path]) -> None:
    oldest, middle, newest = rotated
    end = check_chain(newest, KEY, older=[oldest, middle])
    assert end.n_lines == 11
    written_down = json.loads(oldest.read_bytes().splitlines()[-1])["chain"]
    check_chain(newest, KEY, written_down, older=[oldest, middle])
    with pytest.raises(AuditBroken, match="line 4"):
        check_chain(newest, KEY, older=[oldest])
    with pytest.raises(AuditBroken):
        check_chain(oldest, KEY, older=[middle])
    with pytest.raises(AuditBroken, match="known end"):
        check_chain(newest, KEY, "1" * 64, older=[oldest, middle])
    middle.write_bytes(middle.read_bytes().replace(b'"y"', b'"q"'))
    with pytest.raises(AuditBroken, match="line 6"):
        check_chain(newest, KEY, older=[oldest, middle])


def test_the_next_server_goes_on_in_the_new_file(rotated: list[Path]) -> None:
    log = AuditLog(rotated[-1], KEY)
    log.append("b", "extract", "w", "")
    log.close()
    assert check_chain(rotated[-1], KEY, older=rotated[:-1]).n_lines == 12


def test_a_log_that_was_not_moved_stays(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "log", KEY)
    log.follow_rotation()
    log.append("a", "extract", "x", "")
    log.close()
    assert check_chain(tmp_path / "log", KEY).n_lines == 1


def test_a_deleted_log_takes_no_line_and_a_file_with_lines_is_not_gone_on_with(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log"
    log = AuditLog(path, KEY)
    log.append("a", "extract", "x", "")
    path.unlink()
    with pytest.raises(AuditFailed):
        log.append("a", "extract", "y", "")
    path.write_text("{}\n")
    log.follow_rotation()
    with pytest.raises(AuditBroken):
        log.append("a", "extract", "y", "")
    assert path.read_text() == "{}\n"
    path.unlink()
    log.append("a", "extract", "y", "")
    log.close()
    assert [json.loads(line)["operation"] for line in path.open()] == [ROTATED, "extract"]
