"""Relations on the server: asked for, given by the places of mentions, refused where it cannot."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from rinsho.clinical.extract import Extractor
from rinsho.errors import RelationsNotLearned
from rinsho.manifest import new_folder
from rinsho.model.checkpoint import load_decoder
from rinsho.model.heads import TextHeads, TextTask, save_text_heads
from rinsho.model.relation_finder import load_relations
from rinsho.runfile import StageConfig
from rinsho.serving.app import create_app
from rinsho.serving.limits import Limits
from rinsho.serving.reach import Reach
from rinsho.serving.serve import serve
from rinsho.tokenizer.tokenizer import read_tokenizer

RunServer = Callable[[FastAPI], AbstractContextManager[str]]
NOTE = "𠮷田氏。ロキソニンで発疹が出現。頭痛なし。アムロジピンを内服中。"


@pytest.fixture(scope="module")
def relating(chat_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A head that has learned nothing and says "caused" of every pair it is asked about."""
    task = TextTask("relation", "label", ("caused", "none"))
    decoder, tokenizer = load_decoder(chat_weights), read_tokenizer(chat_weights)
    out = tmp_path_factory.mktemp("relating") / "caused"
    with new_folder(out, stage="finetune", config=StageConfig(), inputs={}) as folder:
        heads = TextHeads(decoder, tokenizer, [task], form="relation")
        save_text_heads(heads, folder.path, chat_weights)
    return out


@pytest.fixture(scope="module")
def client(relating: Path, dictionary: Extractor, run_server: RunServer) -> Iterator[httpx.Client]:
    app = create_app(
        None, dictionary, Limits(max_relation_pairs=6), finder=load_relations(relating)
    )
    with run_server(app) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


def test_an_answer_says_which_mention_caused_which(client: httpx.Client) -> None:
    said = client.post("/v1/extract", json={"text": NOTE, "relations": True}).json()
    words = [
        (one["kind"], *(said["spans"][one[side]]["text"] for side in ("head", "tail")))
        for one in said["relations"]
    ]
    assert words == [("caused", "ロキソニン", "発疹"), ("caused", "アムロジピン", "発疹")]
    assert client.get("/health").json()["relations"] == "caused"


@pytest.mark.parametrize("asked", [{}, {"relations": False}])
def test_nothing_is_said_of_relations_that_nobody_asked_for(
    client: httpx.Client, asked: dict[str, bool]
) -> None:
    said = client.post("/v1/extract", json={"text": NOTE, **asked}).json()
    assert said.keys() == {"id", "engine", "spans"}


def test_a_note_without_mentions_has_no_relations(client: httpx.Client) -> None:
    said = client.post("/v1/extract", json={"text": " ", "relations": True}).json()
    assert (said["spans"], said["relations"]) == ([], [])


def test_a_note_with_too_many_pairs_is_refused_as_a_whole(client: httpx.Client) -> None:
    fits, over = ("ロキソニンで発疹、" + "頭痛、" * n for n in (5, 6))
    body = {"text": fits, "relations": True}
    assert len(client.post("/v1/extract", json=body).json()["relations"]) == 6
    reply = client.post("/v1/extract", json={"text": over, "relations": True})
    assert (reply.status_code, reply.json()["error"]["code"]) == (413, "S003")
    assert client.post("/v1/extract", json={"text": over}).status_code == 200


def test_without_weights_the_request_is_refused_with_the_next_step(
    dictionary: Extractor, run_server: RunServer
) -> None:
    with run_server(create_app(None, dictionary)) as url:
        reply = httpx.post(f"{url}/v1/extract", json={"text": NOTE, "relations": True})
        assert httpx.get(f"{url}/health").json()["relations"] is None
    error = reply.json()["error"]
    assert (reply.status_code, error["code"], error["param"]) == (400, "S005", "relations")
    assert "--relations WEIGHTS" in error["message_ja"]


def test_lines_of_a_batch_ask_for_relations_too(client: httpx.Client) -> None:
    bodies = ({"text": NOTE, "relations": True}, {"text": NOTE})
    lines = [json.dumps({"operation": "extract", "body": body}) for body in bodies]
    job = client.post(
        "/v1/batch", content="\n".join(lines), headers={"Content-Type": "application/jsonl"}
    ).json()
    while client.get(f"/v1/batch/{job['id']}").json()["status"] in ("waiting", "running"):
        pass
    results = client.get(f"/v1/batch/{job['id']}/results").text.splitlines()
    first, second = (json.loads(line)["body"] for line in results)
    assert len(first["relations"]) == 2
    assert "relations" not in second


def test_the_description_of_the_api_says_how_relations_are_asked_for(
    dictionary: Extractor,
) -> None:
    schema = create_app(None, dictionary).openapi()["components"]["schemas"]
    field = schema["ExtractRequest"]["properties"]["relations"]
    assert (field["type"], field["default"]) == ("boolean", False)
    assert "head and tail" in field["description"]
    assert "relations" not in schema["NoteRequest"]["properties"]


def test_the_command_takes_weights_that_relate_and_no_others(
    relating: Path, chat_weights: Path, run_command: Callable[..., Any]
) -> None:
    given = ("serve", "--port", "0", "--relations", str(relating))
    with run_command(*given) as running:
        body = {"text": NOTE, "relations": True}
        said = httpx.post(f"{running.url}/v1/extract", json=body, timeout=60).json()
    assert len(said["relations"]) == 2
    with pytest.raises(RelationsNotLearned):
        serve(None, None, Reach(port=0), relations=chat_weights)
