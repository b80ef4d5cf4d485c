"""The page when work is stopped, the server is killed or started again, or a key is taken back."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, expect

from rinsho.clinical.extract import Extractor
from rinsho.generation.decoder_model import DecoderModel
from rinsho.serving.app import create_app
from rinsho.serving.keys import new_key
from rinsho.tokenizer.tokenizer import read_tokenizer
from tests.one_thing import decoder_that_says
from tests.serving.person import extract, open_job, opened

pytestmark = pytest.mark.browser
RunCommand = Callable[..., AbstractContextManager[Any]]
RunServer = Callable[[FastAPI], AbstractContextManager[str]]
NOTE = "主訴：発熱、😀咳嗽。CRP 12.3mg/dL。肺炎疑い。"
LONG_NOTE = f"患者：山田太郎。{NOTE}\n" * 10_000
_PUT_IN = """(field, text) => {
    field.value = text; // what types it takes half a minute for so much
    field.dispatchEvent(new Event("input"));
}"""


@pytest.fixture
def loose_page(browser: Browser) -> Iterator[Page]:
    """A page whose requests may fail."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def begin_to_ask(page: Page, question: str = "咳とは何ですか。") -> None:
    """Ask the endless model, and wait until it has begun."""
    open_job(page, "document")
    page.locator("#question").fill(question)
    page.locator("#send").click()
    expect(page.locator("#answer")).to_contain_text("咳咳")


def send_lines(page: Page, n_lines: int) -> None:
    lines = "".join(json.dumps({"text": f"肺炎疑い。{n}"}) + "\n" for n in range(n_lines))
    open_job(page, "batch")
    page.locator("#batch-files").set_input_files(
        {"name": "many.jsonl", "mimeType": "", "buffer": lines.encode()}
    )
    page.locator("#batch-start").click()


def saved(page: Page, button: str) -> list[dict[str, Any]]:
    with page.expect_download() as download:
        page.locator(button).click()
    return [json.loads(line) for line in download.value.path().read_text("utf-8").splitlines()]


@pytest.mark.parametrize(
    ("job", "status", "result"),
    [("extract", "#status", "#reading"), ("deidentify", "#hidden-status", "#hidden-text")],
)
def test_reading_a_note_can_be_stopped_and_what_was_there_stays(
    page: Page, job: str, status: str, result: str
) -> None:
    open_job(page, job)
    page.locator("#note").fill(NOTE)
    page.locator(f"#{job}").click()
    expect(page.locator(f"{result} mark, {result}:has-text('発熱')").first).to_be_visible()
    before = page.locator(result).text_content()
    page.locator("#note").evaluate(_PUT_IN, LONG_NOTE)
    page.locator(f"#{job}").click()
    expect(page.locator(f"#{job}-progress")).to_be_visible()
    page.locator(f"#{job}-stop").click()
    expect(page.locator(status)).to_contain_text("止めました。")
    expect(page.locator(f"#{job}-stop")).to_be_hidden()
    assert page.locator(result).text_content() == before
    page.locator("#note").fill(NOTE)
    page.locator(f"#{job}").click()  # the server is free: the long note is not read to its end
    expect(page.locator(status)).not_to_contain_text("止めました。")
    expect(page.locator(f"#{job}")).to_be_enabled()


def test_an_answer_that_is_stopped_stays_as_far_as_it_came(
    loose_page: Page, run_command: RunCommand, endless_weights: Path
) -> None:
    with run_command("serve", str(endless_weights), "--port", "0") as server:
        loose_page.goto(server.url)
        begin_to_ask(loose_page)
        loose_page.locator("#ask-stop").click()
        expect(loose_page.locator("#ask-status")).to_have_text("止めました。")
        expect(loose_page.locator("#answer")).to_contain_text("咳咳")
        expect(loose_page.locator("#send")).to_be_enabled()
        assert loose_page.locator("#question").input_value() == "咳とは何ですか。"


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_that_dies_in_an_answer_is_missed_and_found_again(
    loose_page: Page, run_command: RunCommand, endless_weights: Path, way: signal.Signals
) -> None:
    words = ("serve", str(endless_weights), "--port", free_port())
    page = loose_page
    with run_command(*words) as server:
        page.goto(server.url)
        page.locator("#note").fill(NOTE)
        begin_to_ask(page)
        server.process.send_signal(way)
        # Who is asked to end lets answers go on for some seconds.
        expect(page.locator("#connection")).to_contain_text("接続が切れました", timeout=30_000)
        expect(page.locator("#ask-status")).to_contain_text("rinsho serve")
    answered = page.locator("#answer").text_content() or ""
    assert "咳咳" in answered
    assert page.locator("#question").input_value() == "咳とは何ですか。"
    assert page.locator("#note").input_value() == NOTE
    with run_command(*words):
        expect(page.locator("#connection")).to_contain_text("再びつながりました", timeout=30_000)
        expect(page.locator("#ask-status")).to_contain_text("もう一度")
        assert page.locator("#answer").text_content() == answered
        open_job(page, "extract")
        extract(page, NOTE)
        expect(page.locator("mark", has_text="肺炎")).to_be_visible()
        expect(page.locator("#connection")).to_be_hidden()


def test_a_batch_goes_on_where_it_was_when_the_server_is_back(
    loose_page: Page, run_command: RunCommand
) -> None:
    page, n_lines = loose_page, 3_000
    words = ("serve", "--port", free_port())
    with run_command(*words) as server:
        page.goto(server.url)
        with page.expect_response("**/results?*") as first_results:
            send_lines(page, n_lines)
        first_results.value.finished()
        server.process.kill()
        expect(page.locator("#batch-status")).to_contain_text("残りの記録から続けます")
        n_arrived = len(saved(page, "#batch-save"))
    assert 0 < n_arrived < n_lines
    with run_command(*words):
        expect(page.locator("#batch-start")).to_be_enabled(timeout=60_000)
        found = saved(page, "#batch-save")
    assert [one["line"] for one in found] == list(range(1, n_lines + 1))
    assert all(one["status"] == 200 for one in found)


def test_a_server_with_another_model_is_used_after_the_next_press(
    loose_page: Page, run_command: RunCommand, endless_weights: Path, chat_weights: Path
) -> None:
    port, page = free_port(), loose_page
    with run_command("serve", str(endless_weights), "--port", port) as server:
        page.goto(server.url)
        open_job(page, "document")
        expect(page.locator("#chat-model")).to_contain_text("endless")
        page.locator("#question").fill("咳嗽とは何ですか。")
    with run_command("serve", str(chat_weights), "--port", port):
        page.locator("#send").click()
        expect(page.locator("#ask-status")).to_contain_text("入れ替わりました")
        expect(page.locator("#chat-model")).to_contain_text("weights")
        page.locator("#send").click()
        expect(page.locator("#answer")).to_have_text("咳嗽は気道の異物を出す反射です。")


def test_a_key_that_is_taken_back_is_asked_for_again_and_everything_stays(
    loose_page: Page, run_command: RunCommand, tmp_path: Path
) -> None:
    page, keys = loose_page, tmp_path / "keys.toml"
    first = new_key(keys, "a", "user")
    with run_command("serve", "--port", "0", "--keys", str(keys)) as server:
        page.goto(server.url)
        expect(page.locator("#note")).to_be_hidden()
        page.locator("#key").fill(first)
        page.keyboard.press("Enter")
        extract(page, NOTE)
        keys.unlink()
        second = new_key(keys, "b", "user")
        server.process.send_signal(signal.SIGHUP)
        headers = {"Authorization": f"Bearer {second}"}
        while httpx.get(f"{server.url}/v1/models", headers=headers).status_code != 200:
            pass
        page.locator("#extract").click()
        expect(page.locator("#status")).to_contain_text("鍵が使えなくなりました")
        expect(page.locator("#key-status")).to_contain_text("新しい鍵")
        expect(page.locator("mark", has_text="肺炎")).to_be_visible()
        page.locator("#key").fill(first)
        page.keyboard.press("Enter")
        expect(page.locator("#key-status")).to_contain_text("この鍵では使えません")
        page.locator("#key").fill(second)
        page.keyboard.press("Enter")
        expect(page.locator("#key-card")).to_be_hidden()
        page.locator("#extract").click()
        expect(page.locator("#status")).to_contain_text("件見つかりました")
        assert page.locator("#note").input_value() == NOTE


def test_where_the_model_quotes_nothing_the_page_says_who_did(
    browser: Browser, run_server: RunServer, dictionary: Extractor, chat_weights: Path
) -> None:
    tokenizer = read_tokenizer(chat_weights)
    silent = DecoderModel(decoder_that_says("[]", tokenizer, 2_048), tokenizer, "silent")
    with run_server(create_app(silent, dictionary)) as address:
        for page in opened(browser, address):
            page.locator("#note").fill(NOTE)
            open_job(page, "document")
            page.locator("#document-use-model").check()
            page.locator("#document-question").fill("主訴は何ですか")
            page.locator("#document-send").click()
            expect(page.locator("#document-quotes")).to_contain_text("主訴：発熱、😀咳嗽。")
            expect(page.locator("#document-engine")).to_have_text("抜き書き: 辞書と規則")
            expect(page.locator("#document-status")).to_contain_text("モデルは")
