"""Models behind addresses: our own server over a tiny model is the remote end."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rinsho.clinical.extract import load_extractor
from rinsho.errors import EndpointFailed, ModelCannot, RemoteRefused
from rinsho.evaluation.answer import AnswerConfig, answer
from rinsho.evaluation.answer_record import Answer, read_answers
from rinsho.evaluation.evaluate import evaluate_model
from rinsho.generation.decoder_model import load_language_model
from rinsho.manifest import open_folder
from rinsho.serving.app import create_app
from rinsho.serving.serve import address_of, new_server, open_listener

from ..corpus.tiny_endpoint import Answer as TinyAnswer
from ..corpus.tiny_endpoint import serve as serve_tiny

N_PARALLEL = 2


@dataclass
class Remote:
    """A running server, and what came in: each body, and how often each question was answered."""

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    answered: Counter[str] = field(default_factory=Counter)

    @property
    def asked(self) -> Counter[str]:
        return Counter(_question(body) for body in self.bodies)


def _question(body: dict[str, Any]) -> str:
    return json.dumps([body.get("messages") or body.get("prompt"), body.get("top_logprobs")])


@contextlib.contextmanager
def serving(weights: Path) -> Iterator[Remote]:
    """Run `rinsho serve`'s application on a free port, and count what it is asked."""
    app, remote = create_app(load_language_model(weights), load_extractor(None)), Remote()

    async def counting(scope: Any, receive: Any, send: Any) -> None:
        raw = bytearray()

        async def listen() -> Any:
            message = await receive()
            raw.extend(message.get("body", b""))
            if raw and not message.get("more_body"):
                with contextlib.suppress(ValueError):
                    remote.bodies.append(json.loads(bytes(raw)))
                    raw.clear()
            return message

        await app(scope, listen if scope["type"] == "http" else receive, send)

    listener = open_listener("127.0.0.1", 0)
    server = new_server(counting)  # pyright: ignore[reportArgumentType]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    remote.url = address_of(listener) + "v1"
    try:
        yield remote
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def config(url: str, **changes: object) -> AnswerConfig:
    values = {
        "benchmarks": ["demo-questions", "demo-notes-entities"],
        "engine": "endpoint",
        "endpoint": {"url": url, "model": "weights", "n_parallel": N_PARALLEL, "backoff_s": 0.0},
        "max_items": 3,
        "max_new_tokens": 4,
        "n_free_generations": 0,
    }
    return AnswerConfig.model_validate(values | changes)


@pytest.fixture(scope="module")
def remote(weights_folder: Path) -> Iterator[Remote]:
    with serving(weights_folder) as running:
        yield running


def by_key(folder: Path) -> dict[tuple[str, str, str], Answer]:
    return {one.key: one for one in read_answers(folder)}


def test_an_address_answers_as_the_model_behind_it_does(
    tmp_path, remote, weights_folder, synthetic_folder
):
    far, near = tmp_path / "far", tmp_path / "near"
    answer(config(remote.url), out=far, documents=[synthetic_folder])
    local = config(remote.url, engine="model", endpoint=None)
    answer(local, out=near, model=weights_folder, documents=[synthetic_folder])
    found, expected = by_key(far), by_key(near)
    assert found.keys() == expected.keys()
    n_compared = 0
    for key, one in found.items():
        truth = expected[key]
        assert one.prompt_sha256 == truth.prompt_sha256
        assert one.prompt == truth.prompt
        assert one.is_truncated == truth.is_truncated
        if key[2] == "generation":
            assert (one.output, one.is_too_long) == (truth.output, truth.is_too_long)
        if key[2] == "generation" and not one.is_too_long:
            assert (one.n_prompt_tokens, one.n_tokens) == (truth.n_prompt_tokens, truth.n_tokens)
        elif one.log_likelihoods:  # a random model may put no letter among the likeliest tokens
            least = min(one.log_likelihoods)
            for mine, own in zip(one.log_likelihoods, truth.log_likelihoods, strict=True):
                assert mine == pytest.approx(own, abs=1e-3) or (mine == least and own <= mine)
            n_compared += 1
    assert n_compared


def test_beyond_the_local_network_nothing_is_asked_without_permission(tmp_path, synthetic_folder):
    asked = config("http://203.0.113.9/v1")
    with pytest.raises(RemoteRefused):
        answer(asked, out=tmp_path / "a", documents=[synthetic_folder])
    assert list(tmp_path.iterdir()) == []


def test_private_documents_go_nowhere_even_where_remote_is_allowed(tmp_path, private_folder):
    with pytest.raises(RemoteRefused):
        answer(
            config("http://8.8.8.8/v1"), out=tmp_path / "a", documents=[private_folder],
            allow_remote=True,
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_an_endpoint_without_log_probabilities_generates_only_and_says_so(
    tmp_path, synthetic_folder
):
    with serve_tiny(lambda *_: TinyAnswer("B")) as tiny:
        asked = config(tiny.url, benchmarks=["demo-questions"])
        manifest = answer(asked, out=tmp_path / "a", documents=[synthetic_folder])
        only = config(tiny.url, benchmarks=["demo-questions"], methods=["log-likelihood"])
        with pytest.raises(ModelCannot, match="no log-probabilities"):
            answer(only, out=tmp_path / "b", documents=[synthetic_folder])
    assert {one.method for one in read_answers(tmp_path / "a")} == {"generation"}
    assert manifest.counts["not_asked"] == {
        "log-likelihood: the endpoint offers no log-probabilities": 3
    }


def test_a_model_that_thinks_first_has_no_log_likelihoods_and_open_thoughts_are_counted(
    tmp_path, synthetic_folder
):
    top = [{"token": "<think>", "logprob": -0.1}, {"token": "A", "logprob": -3.0}]
    message = {"content": None, "reasoning_content": "肺炎かもしれない"}
    choice = {"message": message, "logprobs": {"content": [{"top_logprobs": top}]}}
    raw = json.dumps({"choices": [{**choice, "finish_reason": "length"}]}).encode()
    with serve_tiny(lambda *_: TinyAnswer(raw=raw)) as tiny:
        asked = config(tiny.url, benchmarks=["demo-questions"], thinking="on")
        manifest = answer(asked, out=tmp_path / "a", documents=[synthetic_folder])
    assert manifest.counts["not_asked"] == {"log-likelihood: the model thinks before it answers": 3}
    assert (manifest.counts["truncated"], manifest.counts["unclosed_thinking"]) == (3, 3)
    assert manifest.counts["thinking"]["enable_thinking"] == "on"
    assert tiny.bodies[0]["chat_template_kwargs"] == {"enable_thinking": True}


def test_a_question_that_does_not_fit_is_counted_and_not_asked_again(tmp_path, synthetic_folder):
    raw = json.dumps({"error": {"code": "context_length_exceeded"}}).encode()

    def too_long(question: str, _: int) -> TinyAnswer:
        is_probe = "1 + 1" in question
        return TinyAnswer("2") if is_probe else TinyAnswer(status=400, raw=raw)

    with serve_tiny(too_long) as tiny:
        asked = config(tiny.url, benchmarks=["demo-questions"], methods=["generation"])
        for name in ("a", "b"):
            manifest = answer(
                asked, out=tmp_path / name, documents=[synthetic_folder], cache=tmp_path / "c"
            )
    assert manifest.counts["too_long"] == 3
    assert set(tiny.asked.values()) == {1}


def test_an_endpoint_that_fails_midway_is_an_error_and_the_next_run_asks_the_rest(
    tmp_path, synthetic_folder
):
    asked_by_now = Counter[str]()

    def dying(question: str, _: int) -> TinyAnswer:
        asked_by_now[question] += 1
        return TinyAnswer("B") if len(asked_by_now) <= 5 else TinyAnswer(status=500)

    out = tmp_path / "a"
    quick = {"model": "weights", "n_parallel": 1, "backoff_s": 0.0, "n_tries": 1}
    with serve_tiny(dying) as tiny:
        asked = config(
            tiny.url, endpoint={"url": tiny.url, **quick}, max_items=8, methods=["generation"]
        )
        with pytest.raises(EndpointFailed):
            answer(asked, out=out, documents=[synthetic_folder])
    assert not out.exists()
    with serve_tiny(lambda *_: TinyAnswer("B")) as better:
        again = config(
            better.url, endpoint={"url": better.url, **quick}, max_items=8, methods=["generation"]
        )
        answer(again, out=out, documents=[synthetic_folder])
        n_all = len(read_answers(out))
    assert len(better.asked) == n_all - 5


def test_runs_that_share_a_cache_ask_a_question_once(tmp_path, remote, synthetic_folder):
    before = len(remote.bodies)
    for name, label in (("a", "one"), ("b", "other")):
        asked = config(remote.url, label=label, methods=["generation"])
        answer(asked, out=tmp_path / name, documents=[synthetic_folder], cache=tmp_path / "cache")
    assert len(remote.bodies) - before == 6
    assert (tmp_path / "a/answers.jsonl").read_bytes() == (
        tmp_path / "b/answers.jsonl"
    ).read_bytes()


def test_evaluate_takes_an_address_and_finds_its_only_model(tmp_path, remote, synthetic_folder):
    evaluate_model(
        remote.url, ["demo-questions"], tmp_path, documents=[synthetic_folder], max_items=2,
        max_new_tokens=3,
    )  # fmt: skip
    report = json.loads((tmp_path / "report" / "report.json").read_bytes())
    assert {entry["system"] for entry in report["entries"]} == {"weights"}


SCRIPT = """
import sys
from pathlib import Path
from rinsho.evaluation.answer import AnswerConfig, answer
config, out, documents = sys.argv[1:]
answer(AnswerConfig.model_validate_json(config), out=Path(out), documents=[Path(documents)])
"""


def kill_and_resume(
    remote: Remote, asked: AnswerConfig, url: str, out: Path, documents: Path, n_kills: int,
    chance: random.Random,
) -> int:  # fmt: skip
    """Kill a run at random moments, then let it finish; return how often a question came again.

    What arrived on the disk before a kill must not be asked for again: only what was under way.
    """
    values = json.loads(asked.model_dump_json())
    values["endpoint"] |= {"url": url, "n_parallel": N_PARALLEL, "backoff_s": 0.0}
    arguments = [json.dumps(values), str(out), str(documents)]
    store = out.with_name(out.name + ".partial") / "checkpoints" / "replies.jsonl"
    first = len(remote.bodies)
    for _ in range(n_kills):
        kept = store.read_bytes().count(b"\n") if store.is_file() else 0
        process = subprocess.Popen([sys.executable, "-c", SCRIPT, *arguments])
        target = kept + chance.randrange(1, 6)
        while process.poll() is None:
            n_now = store.read_bytes().count(b"\n") if store.is_file() else 0
            if n_now >= target:
                time.sleep(chance.random() * 0.01)  # anywhere between two answers
                os.kill(process.pid, signal.SIGKILL)
                break
        process.wait()
    subprocess.run([sys.executable, "-c", SCRIPT, *arguments], check=True)
    own = Counter(_question(body) for body in remote.bodies[first:])
    own = Counter({key: n for key, n in own.items() if "1 + 1" not in key})
    return sum(n - 1 for n in own.values())


def check_kills(remote: Remote, tmp_path: Path, documents: Path, n_kills: int, seed: int) -> None:
    asked = config(remote.url, benchmarks=["demo-similarity"], max_items=20)
    out, unbroken = tmp_path / f"killed-{seed}", tmp_path / "unbroken"
    answer(asked, out=unbroken, documents=[documents])
    chance = random.Random(seed)
    n_again = kill_and_resume(remote, asked, remote.url, out, documents, n_kills, chance)
    assert (out / "answers.jsonl").read_bytes() == (unbroken / "answers.jsonl").read_bytes()
    assert n_again <= n_kills * N_PARALLEL
    assert open_folder(out).manifest.identity_hash == open_folder(unbroken).manifest.identity_hash


def test_a_killed_run_goes_on_without_asking_for_what_arrived(tmp_path, remote, synthetic_folder):
    check_kills(remote, tmp_path, synthetic_folder, n_kills=2, seed=0)


@pytest.mark.campaign
def test_a_hundred_kills_ask_for_nothing_that_arrived(tmp_path, remote, synthetic_folder):
    for seed in range(1, 26):
        check_kills(remote, tmp_path, synthetic_folder, n_kills=4, seed=seed)
