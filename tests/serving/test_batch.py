"""Batches: each line gets its answer or its error, and nobody sees another's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from rinsho.clinical.codes import CodeIndex
from rinsho.clinical.extract import Extractor
from rinsho.generation.language_model import LanguageModel
from rinsho.serving.access import SignIn
from rinsho.serving.app import Protection, create_app
from rinsho.serving.audit import AuditLog
from rinsho.serving.keys import Key, Keys, hash_key
from rinsho.serving.limits import Limits

RunServer = Callable[[FastAPI], AbstractContextManager[str]]
JSONL = {"Content-Type": "application/jsonl"}
ONE, OTHER = ({"Authorization": f"Bearer {letter * 43}"} for letter in "ab")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditLog]:
    log = AuditLog(Path(tmp_path_factory.mktemp("batch")) / "audit", b"k" * 32)
    yield log
    log.close()


@pytest.fixture(scope="module")
def client(
    run_server: RunServer, chat_model: LanguageModel, dictionary: Extractor, log: AuditLog
) -> Iterator[httpx.Client]:
    keys = [Key(name=letter, sha256=hash_key(letter * 43)) for letter in "ab"]
    app = create_app(
        chat_model, dictionary, Limits(max_waiting=0, max_batch_lines=30), index=CodeIndex([]),
        protection=Protection(sign_in=SignIn(keys=Keys(keys)), audit=log),
    )  # fmt: skip
    with (
        run_server(app) as address,
        httpx.Client(base_url=address, headers=ONE, timeout=60) as client,
    ):
        yield client


def send(client: httpx.Client, lines: list[Any]) -> httpx.Response:
    parts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    return client.post("/v1/batch", content=b"\n".join(parts), headers=JSONL)


def finished(client: httpx.Client, id_: str) -> dict[str, Any]:
    while (state := client.get(f"/v1/batch/{id_}").json())["status"] in ("waiting", "running"):
        assert state["n_done"] <= state["n_lines"]
    return state


def note(text: str, id_: str = "") -> dict[str, Any]:
    return {"operation": "extract", "id": id_ or text, "body": {"text": text}}


def test_each_line_is_answered_as_its_own_route_answers(
    client: httpx.Client, chat_model: LanguageModel, log: AuditLog
) -> None:
    chat = {"model": chat_model.name, "messages": [{"role": "user", "content": "咳嗽"}]}
    bodies: list[tuple[str, str, dict[str, Any]]] = [
        ("extract", "/v1/extract", {"text": "肺炎で入院"}),
        ("deidentify", "/v1/deidentify", {"text": "電話：０９０－１２３４－５６７８"}),
        ("codes", "/v1/codes", {"term": "肺炎"}),
        ("chat", "/v1/chat/completions", {**chat, "max_tokens": 4}),
        ("completion", "/v1/completions", {"model": chat_model.name, "prompt": "咳"}),
    ]
    n_before = log.head.n_lines
    lines = [{"operation": name, "id": f"d{n}", "body": b} for n, (name, _, b) in enumerate(bodies)]
    started = send(client, lines)
    assert (started.status_code, started.json()["n_lines"]) == (202, 5)
    state = finished(client, started.json()["id"])
    assert (state["status"], state["n_done"], state["n_failed"]) == ("done", 5, 0)
    reply = client.get(f"/v1/batch/{state['id']}/results")
    results = [json.loads(line) for line in reply.text.splitlines()]
    assert [(one["line"], one["id"]) for one in results] == [(n + 1, f"d{n}") for n in range(5)]
    audited = log.last(100)[n_before:]
    assert [line["document"] for line in audited[:5]] == [f"d{n}" for n in range(5)]
    for result, (_, path, body) in zip(results, bodies, strict=True):
        alone = client.post(path, json=body).json()
        for answer in (alone, result["body"]):
            [answer.pop(key, None) for key in ("id", "created")]
        assert result["body"] == alone
    assert client.delete(f"/v1/batch/{state['id']}").json()["status"] == "deleted"
    assert client.get(f"/v1/batch/{state['id']}").json()["error"]["code"] == "S018"


def test_a_broken_line_has_its_error_and_the_others_their_answers(client: httpx.Client) -> None:
    lines = [note("発熱"), b"{", b"[" * 100, b"\xff", {"operation": "rm"}, note("咳嗽")]
    lines += [{"operation": "extract", "body": {"text": 1}}, {"operation": "chat", "body": {}}]
    lines += [{"operation": "completion", "body": {"model": "x", "prompt": "a"}}]
    state = finished(client, send(client, lines).json()["id"])
    assert (state["status"], state["n_failed"]) == ("done", 7)
    text = client.get(f"/v1/batch/{state['id']}/results").text
    results = [json.loads(line) for line in text.splitlines()]
    good = [one["line"] for one in results if one["status"] == 200]
    assert good == [1, 6]
    assert {one["error"]["code"] for one in results if "error" in one} == {"S005", "S007"}
    client.delete(f"/v1/batch/{state['id']}")


def test_another_s_batch_is_not_there(client: httpx.Client) -> None:
    id_ = send(client, [note("発熱")]).json()["id"]
    finished(client, id_)
    for method, path in (("GET", id_), ("GET", f"{id_}/results"), ("DELETE", id_)):
        reply = client.request(method, f"/v1/batch/{path}", headers=OTHER)
        assert (reply.status_code, reply.json()["error"]["code"]) == (404, "S018")
    assert client.get("/v1/batch", headers=OTHER).json() == {"data": []}
    assert [one["id"] for one in client.get("/v1/batch").json()["data"]] == [id_]
    client.delete(f"/v1/batch/{id_}")


def test_a_batch_waits_its_turn_and_can_be_cancelled_in_it(client: httpx.Client) -> None:
    long = send(client, [note("長い記録、発熱なし。" * 5_000, f"n{n}") for n in range(15)])
    waiting = send(client, [note("発熱")])
    assert waiting.json()["status"] == "waiting"
    assert client.post("/v1/completions", json={"model": "x", "prompt": "a"}).status_code == 404
    client.delete(f"/v1/batch/{long.json()['id']}")
    assert finished(client, waiting.json()["id"])["status"] == "done"
    client.delete(f"/v1/batch/{waiting.json()['id']}")


def test_batches_have_limits(client: httpx.Client) -> None:
    for lines in ([], [note("a")] * 31):
        assert send(client, lines).json()["error"]["code"] == "S003"
    started = [send(client, [note("a")]) for _ in range(5)]
    assert [reply.status_code for reply in started] == [202] * 4 + [413]
    for reply in started[:4]:
        client.delete(f"/v1/batch/{reply.json()['id']}")
    plain = client.post("/v1/batch", content=b"{}", headers={"Content-Type": "application/json"})
    assert plain.json()["error"]["param"] == "Content-Type"
