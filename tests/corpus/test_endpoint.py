from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from rinsho.corpus.document import Message
from rinsho.corpus.endpoint import (
    TOO_LONG,
    Endpoint,
    EndpointConfig,
    Manner,
    Unanswered,
    open_endpoint,
    question_key,
)
from rinsho.corpus.replies import Asked, Question, ReplyStore, ask_all, to_question
from rinsho.errors import EndpointFailed, FolderLocked, InvalidValue, PathMissing, RemoteRefused

from .tiny_endpoint import Answer, serve


def settings(url: str, **changed: object) -> EndpointConfig:
    values = {"url": url, "model": "tiny", "backoff_s": 0.0, "timeout_s": 20.0, **changed}
    return EndpointConfig.model_validate(values)


def ask_words(endpoint: Endpoint, words: list[str], path: Path) -> tuple[Asked, dict[str, str]]:
    questions = [to_question(endpoint, (Message("user", word),)) for word in words]
    with ReplyStore(path) as store:
        asked = ask_all(endpoint, questions, store, lambda *_: None)
        found = {q.messages[0].content: store.get(q.key) for q in questions}
    return asked, {word: reply.text for word, reply in found.items() if reply}


def echo(question: str, _: int) -> Answer:
    return Answer(f"答え: {question}")


def test_a_question_gets_its_answer_and_the_settings_travel_with_it() -> None:
    with serve(echo) as tiny:
        endpoint = open_endpoint(settings(tiny.url + "/", max_tokens=7), allow_remote=False)
        reply = endpoint.ask((Message("system", "短く。"), Message("user", "発熱とは。")))
    assert (reply.text, reply.finish, reply.model) == ("答え: 発熱とは。", "stop", "tiny-q4")
    body = tiny.bodies[0]
    assert [m["role"] for m in body["messages"]] == ["system", "user"]
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("tiny", 7, 0.0)
    assert (body["seed"], body["stream"]) == (0, False)
    assert "Authorization" not in tiny.headers[0]


def test_thoughts_before_the_answer_are_left_out() -> None:
    with serve(lambda *_: Answer("<think>熱か。\n点数: 0</think>\n点数: 3")) as tiny:
        endpoint = open_endpoint(settings(tiny.url), allow_remote=False)
        assert endpoint.ask((Message("user", "?"),)).text == "点数: 3"


def body(**fields: object) -> bytes:
    return json.dumps({"model": "m", **fields}).encode()


@pytest.mark.parametrize(
    ("message", "output"),
    [
        ({"content": "B", "reasoning_content": "AかBか"}, "<think>AかBか</think>B"),
        ({"content": None, "reasoning": "まだ"}, "<think>まだ"),
        ({"content": "<think>A?</think>B"}, "<think>A?</think>B"),
        ({"content": "B"}, "B"),
    ],
)
def test_thoughts_that_stand_apart_are_put_before_the_answer(
    message: dict[str, str], output: str
) -> None:
    raw = body(choices=[{"message": message}], usage={"prompt_tokens": 7, "completion_tokens": 3})
    with serve(lambda *_: Answer(raw=raw)) as tiny:
        reply = open_endpoint(settings(tiny.url), allow_remote=False).ask((Message("user", "?"),))
    assert reply.output == output
    assert (reply.n_prompt_tokens, reply.n_tokens) == (7, 3)


def test_the_likeliest_tokens_are_asked_for_and_read(tmp_path: Path) -> None:
    top = [{"token": "B", "logprob": -0.5}, {"token": "A", "logprob": -1.5}]
    raw = body(
        choices=[{"message": {"content": "B"}, "logprobs": {"content": [{"top_logprobs": top}]}}]
    )
    with serve(lambda *_: Answer(raw=raw)) as tiny:
        endpoint = open_endpoint(settings(tiny.url), allow_remote=False)
        question = to_question(endpoint, (Message("user", "?"),), Manner("chat", 20))
        with ReplyStore(tmp_path / "r.jsonl") as store:
            ask_all(endpoint, [question], store, lambda *_: None)
            reply = store.get(question.key)
    assert reply is not None
    assert reply.top == (("B", -0.5), ("A", -1.5))
    sent = tiny.bodies[0]
    assert (sent["max_tokens"], sent["logprobs"], sent["top_logprobs"]) == (1, True, 20)
    assert question.key != to_question(endpoint, question.messages).key


def test_a_question_that_does_not_fit_the_context_is_told_from_other_refusals() -> None:
    raw = json.dumps({"error": {"code": "context_length_exceeded", "message": "患者"}}).encode()
    with serve(lambda *_: Answer(status=400, raw=raw)) as tiny:
        endpoint = open_endpoint(settings(tiny.url), allow_remote=False)
        with pytest.raises(Unanswered, match=TOO_LONG) as caught:
            endpoint.ask((Message("user", "a"),))
    assert caught.value.is_final


def test_calls_begin_no_faster_than_they_may(tmp_path: Path) -> None:
    times: list[float] = []

    def note_time(question: str, _: int) -> Answer:
        times.append(time.monotonic())
        return echo(question, 0)

    with serve(note_time) as tiny:
        config = settings(tiny.url, n_parallel=4, max_per_minute=1_200)
        endpoint = open_endpoint(config, allow_remote=False)
        ask_words(endpoint, list("abcde"), tmp_path / "r.jsonl")
    assert max(times) - min(times) > 4 * 0.05 * 0.8  # a lower bound: slowness cannot break it


@pytest.mark.parametrize(
    "host", ["8.8.8.8", "100.64.0.1", "203.0.113.9", "[2001:4860:4860::8888]", "0.0.0.0"]
)
def test_an_address_beyond_the_local_network_is_refused(host: str) -> None:
    with pytest.raises(RemoteRefused):
        open_endpoint(settings(f"http://{host}/v1"), allow_remote=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "10.1.2.3", "192.168.0.9", "172.20.0.1"])
def test_this_machine_and_the_local_network_are_not(host: str) -> None:
    assert open_endpoint(settings(f"http://{host}:8000/v1"), allow_remote=False).port == 8000


def test_patients_texts_go_nowhere_even_where_remote_is_allowed() -> None:
    remote = settings("https://8.8.8.8/v1")
    assert open_endpoint(remote, allow_remote=True).is_https
    with pytest.raises(RemoteRefused):
        open_endpoint(remote, allow_remote=True, is_private=True)


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with serve(echo) as tiny:
        endpoint = open_endpoint(settings(tiny.url), allow_remote=False)
        assert endpoint.ask((Message("user", "a"),)).text == "答え: a"


def test_a_redirect_is_not_followed() -> None:
    with serve(echo) as other:
        target = {"Location": other.url + "/chat/completions"}
        with serve(lambda *_: Answer(status=307, headers=target)) as tiny:
            endpoint = open_endpoint(settings(tiny.url), allow_remote=False)
            with pytest.raises(EndpointFailed):
                endpoint.ask((Message("user", "a"),))
    assert not other.asked


def test_the_key_is_sent_and_shown_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("sk-secret-1\n", encoding="utf-8")
    monkeypatch.setenv("RINSHO_TEST_KEY", "sk-secret-2")
    with serve(lambda *_: Answer(status=401)) as tiny:
        for given in ({"key_file": str(tmp_path / "key")}, {"key_variable": "RINSHO_TEST_KEY"}):
            config = settings(tiny.url, **given)
            endpoint = open_endpoint(config, allow_remote=False)
            with pytest.raises(EndpointFailed) as caught:
                endpoint.ask((Message("user", "a"),))
            assert "sk-secret" not in str(caught.value) + repr(endpoint)
            assert config.model_dump().keys() == {"model", "temperature", "max_tokens", "seed"}
    keys = [headers["Authorization"] for headers in tiny.headers]
    assert keys == ["Bearer sk-secret-1", "Bearer sk-secret-2"]


def test_a_key_that_is_missing_or_in_the_address_is_an_error(tmp_path: Path) -> None:
    url = "http://127.0.0.1:1/v1"
    with pytest.raises(InvalidValue):
        open_endpoint(settings(url, key_variable="RINSHO_NO_SUCH_KEY"), allow_remote=False)
    with pytest.raises(PathMissing):
        open_endpoint(settings(url, key_file=str(tmp_path / "none")), allow_remote=False)
    with pytest.raises(InvalidValue) as caught:
        open_endpoint(settings("http://me:sk-secret@127.0.0.1/v1"), allow_remote=False)
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(status: int, tmp_path: Path) -> None:
    def busy(question: str, n_before: int) -> Answer:
        late = Answer(status=status, headers={"Retry-After": "0"})
        return late if n_before < 2 else echo(question, 0)

    with serve(busy) as tiny:
        endpoint = open_endpoint(settings(tiny.url), allow_remote=False)
        asked, found = ask_words(endpoint, ["a", "b"], tmp_path / "replies.jsonl")
    assert found == {"a": "答え: a", "b": "答え: b"}
    assert asked.tries == {f"HTTP {status}": 4}
    assert not asked.failures


def test_a_question_that_the_server_cannot_take_is_asked_once_and_named(tmp_path: Path) -> None:
    def strict(question: str, _: int) -> Answer:
        return Answer(status=400) if question == "long" else echo(question, 0)

    with serve(strict) as tiny:
        endpoint = open_endpoint(settings(tiny.url), allow_remote=False)
        asked, found = ask_words(endpoint, ["a", "long", "b"], tmp_path / "r.jsonl")
    assert found.keys() == {"a", "b"}
    assert list(asked.failures.values()) == ["HTTP 400"]
    assert tiny.asked["long"] == 1


@pytest.mark.parametrize(
    "raw", [b"", b"no JSON", b'{"choices": []}', b"[1]", b'{"choices": [{"message": 3}]}']
)
def test_an_answer_of_another_form_is_no_answer(raw: bytes) -> None:
    with serve(lambda *_: Answer(raw=raw)) as tiny:
        endpoint = open_endpoint(settings(tiny.url), allow_remote=False)
        with pytest.raises(Unanswered):
            endpoint.ask((Message("user", "a"),))


def test_a_server_that_never_ends_its_answer_is_left_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        endpoint = open_endpoint(settings(url, timeout_s=0.2), allow_remote=False)
        with pytest.raises(Unanswered):
            endpoint.ask((Message("user", "a"),))


def test_a_server_that_only_fails_is_given_up_and_the_answers_are_kept(tmp_path: Path) -> None:
    def dying(question: str, _: int) -> Answer:
        return echo(question, 0) if int(question) < 5 else Answer(status=500)

    words = [str(n) for n in range(60)]
    with serve(dying) as tiny:
        config = settings(tiny.url, n_parallel=1, n_tries=2)
        endpoint = open_endpoint(config, allow_remote=False)
        with pytest.raises(EndpointFailed):
            ask_words(endpoint, words, tmp_path / "r.jsonl")
    assert len(tiny.asked) < 30
    with serve(echo) as better:
        endpoint = open_endpoint(settings(better.url, n_parallel=1), allow_remote=False)
        asked, found = ask_words(endpoint, words, tmp_path / "r.jsonl")
    assert (asked.n_new, len(found)) == (55, 60)
    assert not {"0", "4"} & better.asked.keys()


def test_questions_run_at_once_but_no_more_than_allowed(tmp_path: Path) -> None:
    together = threading.Barrier(3, timeout=20)

    def wait_for_two_others(question: str, _: int) -> Answer:
        together.wait()
        return echo(question, 0)

    with serve(wait_for_two_others) as tiny:
        endpoint = open_endpoint(settings(tiny.url, n_parallel=3), allow_remote=False)
        _, found = ask_words(endpoint, [str(n) for n in range(12)], tmp_path / "r.jsonl")
    assert len(found) == 12
    assert tiny.most_at_once == 3


def test_the_same_question_twice_is_asked_once(tmp_path: Path) -> None:
    with serve(echo) as tiny:
        endpoint = open_endpoint(settings(tiny.url), allow_remote=False)
        _, found = ask_words(endpoint, ["a", "b", "a", "a"], tmp_path / "r.jsonl")
        asked, again = ask_words(endpoint, ["b", "a"], tmp_path / "r.jsonl")
    assert found == again
    assert asked.n_new == 0
    assert set(tiny.asked.values()) == {1}


def test_a_key_tells_words_model_and_settings_but_not_the_address() -> None:
    words = (Message("user", "a"),)
    one = question_key(settings("http://127.0.0.1:1/v1"), words)
    assert question_key(settings("http://10.0.0.1:9/v1", n_parallel=9), words) == one
    assert question_key(settings("http://127.0.0.1:1/v1", temperature=0.7), words) != one
    assert question_key(settings("http://127.0.0.1:1/v1", model="b"), words) != one
    assert question_key(settings("http://127.0.0.1:1/v1"), (Message("system", "a"),)) != one


def test_a_line_that_a_crash_cut_off_is_dropped_and_the_store_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with serve(echo) as tiny:
        endpoint = open_endpoint(settings(tiny.url, n_parallel=1), allow_remote=False)
        ask_words(endpoint, ["a", "b"], path)
        whole = path.read_bytes()
        path.write_bytes(whole[:-9])
        _, found = ask_words(endpoint, ["a", "b"], path)
    assert found == {"a": "答え: a", "b": "答え: b"}
    assert tiny.asked == {"a": 1, "b": 2}
    assert path.read_bytes() == whole


def test_two_processes_do_not_write_one_store(tmp_path: Path) -> None:
    with ReplyStore(tmp_path / "r.jsonl"), pytest.raises(FolderLocked):
        ReplyStore(tmp_path / "r.jsonl")


ASK = """
import sys
from pathlib import Path
from rinsho.corpus.document import Message
from rinsho.corpus.endpoint import EndpointConfig, open_endpoint
from rinsho.corpus.replies import ReplyStore, ask_all, to_question
endpoint = open_endpoint(
    EndpointConfig(url=sys.argv[1], model="tiny", n_parallel=2, backoff_s=0.0), allow_remote=False
)
with ReplyStore(Path(sys.argv[2])) as store:
    ask_all(
        endpoint,
        [to_question(endpoint, (Message("user", str(n)),)) for n in range(30)],
        store,
        lambda *_: None,
    )
"""


def test_a_killed_run_asks_nothing_again_that_was_answered(tmp_path: Path) -> None:
    """The server kills its client at the 12th question: only what was in flight comes again."""
    store, process, in_flight = tmp_path / "r.jsonl", list[subprocess.Popen[bytes]](), set[str]()
    killed = threading.Event()
    lock = threading.Lock()

    def kill_at_twelfth(question: str, _: int) -> Answer:
        with lock:
            in_flight.add(question)
            if question == "12" and not killed.is_set():
                os.kill(process[0].pid, signal.SIGKILL)
                process[0].wait()
                killed.set()
        return echo(question, 0)

    command = [sys.executable, "-c", ASK]
    with serve(kill_at_twelfth) as tiny:
        process.append(subprocess.Popen([*command, tiny.url, str(store)]))
        assert killed.wait(60)
        kept = {question for question in tiny.asked if stored(store, question)}
        subprocess.run([*command, tiny.url, str(store)], check=True)
    assert len(kept) >= 9
    twice = {question for question, n in tiny.asked.items() if n > 1}
    assert len(tiny.asked) == 30
    assert not twice & kept
    assert "12" in twice and len(twice) <= 3


def stored(path: Path, question: str) -> bool:
    config = EndpointConfig(url="http://127.0.0.1/v1", model="tiny")
    key = Question(question_key(config, (Message("user", question),)), ()).key
    return key.encode() in path.read_bytes()
