"""The audit log: complete, in a chain, without a word of a note, and never in the way."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from hypothesis import given
from hypothesis import strategies as st

from rinsho.clinical.codes import CodeIndex
from rinsho.clinical.extract import Extractor
from rinsho.errors import AuditBroken, AuditFailed
from rinsho.generation.language_model import LanguageModel
from rinsho.serving.access import SignIn
from rinsho.serving.app import Protection, create_app
from rinsho.serving.audit import FIRST, AuditLog, check_chain, document_id
from rinsho.serving.keys import Key, Keys, hash_key

KEY = b"k" * 32
MARKER = "目印患者マーカー七七七"
ADMIN = {"Authorization": "Bearer " + "a" * 43}
WRONG = {"Authorization": "Bearer " + "b" * 43}
RunServer = Callable[[FastAPI], AbstractContextManager[str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def log(path: Path) -> Iterator[AuditLog]:
    log = AuditLog(path, KEY)
    yield log
    with contextlib.suppress(OSError):
        log.close()


def written(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_each_operation_is_a_line_with_who_what_and_which_document(
    run_server: RunServer, log: AuditLog, path: Path, chat_model: LanguageModel,
    dictionary: Extractor,
) -> None:  # fmt: skip
    keys = Keys([Key(name="it", role="admin", sha256=hash_key("a" * 43))])
    app = create_app(
        chat_model, dictionary, index=CodeIndex([]),
        protection=Protection(sign_in=SignIn(keys=keys), audit=log),
    )  # fmt: skip
    chat = {"model": chat_model.name, "max_tokens": 1}
    messages = [{"role": "user", "content": MARKER}]
    asked: dict[str, dict[str, object]] = {
        "/v1/extract": {"text": MARKER, "id": "case-1"},
        "/v1/deidentify": {"text": MARKER, "id": MARKER},
        "/v1/codes": {"text": MARKER},
        "/v1/ask": {"text": MARKER, "question": "発熱はありますか"},
        "/v1/draft": {"notes": [MARKER]},
        "/v1/chat/completions": {**chat, "messages": messages, "metadata": {"document_id": "d"}},
        "/v1/completions": {**chat, "prompt": MARKER, "stream": True},
        "/v1/embeddings": {"model": chat_model.name, "input": MARKER},
    }
    posts = {r.path for r in app.routes if isinstance(r, APIRoute) and "POST" in r.methods}
    assert posts == {*asked, "/v1/batch"}  # each line of a batch is a line of the log
    with (
        run_server(app) as address,
        httpx.Client(base_url=address, headers=ADMIN, timeout=60) as client,
    ):
        for route, body in asked.items():
            assert client.post(route, json=body).status_code == 200, route
        shown = client.get("/v1/audit").json()
    lines = written(path)
    assert [line["operation"] for line in lines] == [
        "extract", "deidentify", "codes", "ask", "draft", "chat", "completion", "embeddings",
        "audit",
    ]  # fmt: skip
    assert {line["who"] for line in lines} == {"it"}
    assert [line["n"] for line in lines] == list(range(1, 10))
    assert (lines[0]["document"], lines[5]["document"]) == ("case-1", "d")
    assert shown["lines"] == lines
    hashed = document_id(KEY, None, MARKER)
    assert lines[1]["document"] == lines[2]["document"] == lines[6]["document"] == hashed
    assert MARKER not in path.read_text() and json.dumps(MARKER) not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert check_chain(path, KEY) == log.head


@given(st.binary(max_size=30), st.integers(0, 10_000), st.integers(0, 3))
def test_a_changed_byte_a_missing_or_a_moved_line_is_found(
    tmp_path_factory: pytest.TempPathFactory, new: bytes, place: int, how: int
) -> None:
    path = tmp_path_factory.mktemp("audit") / "log"
    log = AuditLog(path, KEY)
    for number in range(3):
        log.append("a", "extract", f"d{number}", "")
    log.close()
    before = path.read_bytes()
    lines = before.splitlines(keepends=True)
    place %= len(before)
    changed = [
        before[:place] + new + before[place + len(new) :],
        b"".join(lines[1:]),
        b"".join([lines[1], lines[0], lines[2]]),
        b"".join([*lines, lines[2]]),
    ][how]
    path.write_bytes(changed)
    try:
        head = check_chain(path, KEY, known=log.head.chain)
    except AuditBroken:
        return
    assert json.loads(changed.splitlines()[-1]) == json.loads(lines[-1])
    assert head.n_lines == 3


def test_a_log_that_was_cut_off_is_found_by_who_wrote_its_end_down(
    log: AuditLog, path: Path
) -> None:
    for _ in range(3):
        log.append("a", "extract", None, "x")
    known = log.head.chain
    check_chain(path, KEY, known)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    assert check_chain(path, KEY).n_lines == 2
    with pytest.raises(AuditBroken):
        check_chain(path, KEY, known)
    with pytest.raises(AuditBroken):
        log.append("a", "extract", None, "x")


def test_without_the_key_nobody_can_go_on_with_the_chain(log: AuditLog, path: Path) -> None:
    log.append("a", "extract", None, "x")
    log.close()
    with pytest.raises(AuditBroken):
        AuditLog(path, b"other" * 8)


def test_a_new_server_goes_on_where_the_last_one_stopped(log: AuditLog, path: Path) -> None:
    log.append("a", "extract", None, "x")
    log.close()
    with path.open("ab") as file:
        file.write(b'{"n":2,"half a li')  # the power went: this was never answered
    again = AuditLog(path, KEY)
    again.append("b", "extract", None, "y")
    again.close()
    assert [line["n"] for line in written(path)] == [1, 2]
    assert check_chain(path, KEY).n_lines == 2


def test_a_clock_that_jumps_back_changes_no_order(path: Path) -> None:
    times = iter([datetime(2026, 5, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)])
    log = AuditLog(path, KEY, now=lambda: next(times))
    log.append("a", "extract", None, "x")
    log.append("a", "extract", None, "y")
    log.close()
    assert [(line["n"], str(line["time"])[:4]) for line in written(path)] == [
        (1, "2026"),
        (2, "2020"),
    ]
    assert check_chain(path, KEY).n_lines == 2


def test_two_servers_do_not_write_one_log(log: AuditLog, path: Path) -> None:
    log.append("a", "extract", None, "x")
    with pytest.raises(AuditFailed):
        AuditLog(path, KEY)


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from rinsho.errors import AuditFailed
from rinsho.serving.audit import AuditLog, check_chain
path, is_moved, key = Path(sys.argv[1]), sys.argv[2] == "True", b"k" * 32
older = []
log = AuditLog(path, key)
log.append("a", "extract", "one", "")
n_bytes = path.stat().st_size
if is_moved:
    older = [path.rename(f"{path}.1")]
    log.follow_rotation()
size, n_more = (0, 2 * n_bytes) if is_moved else (n_bytes, n_bytes)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
for room in range(0, n_more, 7):  # the disk is full at every place of what is written next
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, hard))
    try:
        log.append("a", "extract", "two", "")
        raise SystemExit("written beyond the limit")
    except AuditFailed as error:
        assert error.code == "S015"
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
log.append("a", "extract", "three", "")
log.close()
assert check_chain(path, key, older=older).n_lines == 2 + is_moved
"""


@pytest.mark.parametrize("is_moved", [False, True])
def test_a_full_disk_refuses_and_space_lets_the_chain_go_on(path: Path, is_moved: bool) -> None:
    words = [sys.executable, "-c", FULL_DISK, str(path), str(is_moved)]
    subprocess.run(words, check=True)


def test_a_disk_that_cannot_be_written_refuses_requests_and_the_server_stays_up(
    run_server: RunServer, path: Path, dictionary: Extractor
) -> None:
    log = AuditLog(path, KEY)
    app = create_app(None, dictionary, protection=Protection(audit=log))
    with run_server(app) as address, httpx.Client(base_url=address, timeout=60) as client:
        kept = os.dup(log.descriptor)
        full = os.open("/dev/full", os.O_RDWR)
        os.dup2(full, log.descriptor)
        refused = client.post("/v1/extract", json={"text": MARKER})
        error = refused.json()["error"]
        assert (refused.status_code, error["code"]) == (503, "S015")
        assert error["message_ja"] and MARKER not in refused.text and str(path) not in refused.text
        assert client.get("/health").status_code == 200
        os.dup2(kept, log.descriptor)
        assert client.post("/v1/extract", json={"text": MARKER}).status_code == 200
        os.close(kept)
        os.close(full)
    log.close()
    assert check_chain(path, KEY).n_lines == 1


def test_an_empty_log_is_a_chain(log: AuditLog, path: Path) -> None:
    assert check_chain(path, KEY).chain == FIRST


def test_wrong_keys_are_noted_but_cannot_fill_the_log(
    run_server: RunServer, log: AuditLog, path: Path, dictionary: Extractor
) -> None:
    keys = Keys([Key(name="it", role="admin", sha256=hash_key("a" * 43))])
    protection = Protection(sign_in=SignIn(keys=keys), audit=log)
    with run_server(create_app(None, dictionary, protection=protection)) as address:
        for _ in range(5):
            assert httpx.get(f"{address}/v1/models", headers=WRONG, timeout=60).status_code == 401
    (line,) = written(path)
    assert (line["who"], line["operation"], line["document"]) == ("-", "refused", "n-1")
