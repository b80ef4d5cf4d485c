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
from playwright.sync_api import Browser, Page, expect

from rinsho.clinical.annotations import read_annotations
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
from rinsho.training.examples import read_examples
from rinsho.training.relation_examples import pair_examples
from tests.serving.person import extract, opened

RunServer = Callable[[FastAPI], AbstractContextManager[str]]
DRUGS = "ロキソニン", "アムロジピン"
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
def related_url(relating: Path, dictionary: Extractor, run_server: RunServer) -> Iterator[str]:
    limits = Limits(max_relation_pairs=6)
    with run_server(create_app(None, dictionary, limits, finder=load_relations(relating))) as url:
        yield url


@pytest.fixture
def client(related_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=related_url, timeout=60) as client:
        yield client


@pytest.fixture
def related_page(browser: Browser, related_url: str) -> Iterator[Page]:
    yield from opened(browser, related_url)


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


def note_of_pairs(n_pairs: int) -> str:
    return "ロキソニンで発疹、" + "頭痛、" * (n_pairs - 1)


def test_a_note_with_too_many_pairs_is_refused_as_a_whole(client: httpx.Client) -> None:
    fits, over = note_of_pairs(6), note_of_pairs(7)
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


def causes(page: Page) -> dict[str, str]:
    """Return the last cell of each row that says something there, by the row's words."""
    lines = [line.locator("td").all_inner_texts() for line in page.locator("#rows tr").all()]
    return {cells[0]: cells[4] for cells in lines if cells[4]}


def open_correction(page: Page, words: str) -> None:
    page.locator("mark", has_text=words).focus()
    page.keyboard.press("Enter")


def saved(page: Page, out: Path) -> Path:
    with page.expect_download() as download:
        page.locator("#corrected-save").click()
    download.value.save_as(out)
    return out


@pytest.mark.browser
def test_the_table_names_the_drugs_and_both_marks_light_up(related_page: Page) -> None:
    page = related_page
    extract(page, NOTE)
    expect(page.locator("#column-causes")).to_have_text("原因薬")
    assert causes(page) == {"発疹": "ロキソニン、アムロジピン"}
    page.locator("mark", has_text="アムロジピン").hover()
    assert page.locator("mark.is-related").all_inner_texts() == ["発疹"]
    page.locator("#rows tr", has_text="発疹").hover()
    assert page.locator("mark.is-related").all_inner_texts() == ["ロキソニン", "アムロジピン"]
    expect(page.locator("#rows tr.is-related")).to_have_count(2)
    page.locator("mark", has_text="頭痛").hover()
    expect(page.locator(".is-related")).to_have_count(0)
    page.locator("#copy").click()
    expect(page.locator("#copy")).to_have_text("コピーしました")
    copied = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert copied[0] == "start,end,label,certainty,text,relations"
    drugs = [f"caused {NOTE.index(w)}-{NOTE.index(w) + len(w)} {w}" for w in DRUGS]
    assert f'10,12,symptom,present,"発疹","{"; ".join(drugs)}"' in copied


@pytest.mark.browser
def test_corrected_relations_are_taken_along_and_learned_from(
    related_page: Page, tmp_path: Path
) -> None:
    page = related_page
    choice = page.locator("#correct-causes label", has_text="アムロジピン").locator("input")
    extract(page, NOTE)
    open_correction(page, "発疹")
    choice.uncheck()
    page.locator("#correct-set").click()
    assert causes(page) == {"発疹": "ロキソニン"}
    open_correction(page, "頭痛")
    expect(choice).to_be_hidden()  # what did not happen was not caused
    page.locator("#correct-certainty").select_option("present")
    choice.check()
    page.locator("#correct-set").click()
    assert causes(page) == {"発疹": "ロキソニン", "頭痛": "アムロジピン"}
    path = saved(page, tmp_path / "corrections.jsonl")
    (note,) = read_annotations([path])
    assert note.relations is not None
    words = {tuple(NOTE[s.start : s.end] for s in (r.head, r.tail)) for r in note.relations}
    assert words == {("ロキソニン", "発疹"), ("アムロジピン", "頭痛")}
    learned = [*pair_examples(read_examples([path]))]
    answers = [str(answer) for one in learned for answer in one.answers.values()]
    assert sorted(answers) == ["caused", "caused", "none", "none"]


@pytest.mark.browser
def test_a_relation_goes_with_its_mention(related_page: Page, tmp_path: Path) -> None:
    page = related_page
    extract(page, NOTE)
    page.locator("mark", has_text="ロキソニン").focus()
    page.keyboard.press("Delete")
    assert causes(page) == {"発疹": "アムロジピン"}
    open_correction(page, "アムロジピン")
    page.locator("#correct-label").select_option("test")
    page.locator("#correct-set").click()
    assert causes(page) == {}
    (note,) = read_annotations([saved(page, tmp_path / "corrections.jsonl")])
    assert note.relations == (), "somebody looked, and there are none"


@pytest.mark.browser
def test_a_checked_note_of_a_file_keeps_its_relations(related_page: Page, tmp_path: Path) -> None:
    page, file = related_page, tmp_path / "notes.jsonl"
    notes = [{"text": NOTE}, {"text": "発熱にロキソニン。"}]
    file.write_text("\n".join(json.dumps(one) for one in notes), encoding="utf-8")
    page.locator("#queue-files").set_input_files(file)
    expect(page.locator("#column-causes")).to_be_visible()
    open_correction(page, "発疹")
    page.locator("#correct-causes label", has_text="ロキソニン").locator("input").uncheck()
    page.locator("#correct-set").click()
    page.locator("#corrected-keep").click()
    expect(page.locator("#reading")).to_have_text("発熱にロキソニン。")
    page.locator("#queue-back").click()
    expect(page.locator("#corrected-is-kept")).to_be_visible()
    assert causes(page) == {"発疹": "アムロジピン"}
    page.locator("mark", has_text="アムロジピン").hover()
    assert page.locator("mark.is-related").all_inner_texts() == ["発疹"]


@pytest.mark.browser
def test_a_note_with_too_many_pairs_is_shown_without_relations(
    browser: Browser, related_url: str
) -> None:
    page = browser.new_page()  # its console names the refusal, which `opened` takes for an error
    page.goto(related_url)
    expect(page.locator("#engine")).not_to_be_empty()
    extract(page, note_of_pairs(7))
    expect(page.locator("#status")).to_contain_text("原因薬は調べていません")
    expect(page.locator("#column-causes")).to_be_hidden()
    assert page.locator("mark").count() == 8
    extract(page, note_of_pairs(6))
    expect(page.locator("#status")).not_to_contain_text("原因薬")
    page.close()


@pytest.mark.browser
def test_without_weights_the_page_says_nothing_of_relations(page: Page, tmp_path: Path) -> None:
    extract(page, NOTE)
    expect(page.locator("#column-causes")).to_be_hidden()
    open_correction(page, "発疹")
    expect(page.locator("#correct")).to_be_visible()
    expect(page.locator("#correct-causes")).to_be_hidden()
    page.locator("#correct-close").click()
    page.locator("#corrected-keep").click()
    (note,) = read_annotations([saved(page, tmp_path / "corrections.jsonl")])
    assert note.relations is None
