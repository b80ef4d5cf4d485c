"""What an attacker or a careless client can send, and what must not get out."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from rinsho.clinical.codes import CodeIndex
from rinsho.clinical.extract import Extractor
from rinsho.corpus.document import Message
from rinsho.errors import RinshoError
from rinsho.generation.language_model import LanguageModel
from rinsho.serving.app import create_app
from rinsho.serving.reach import Reach
from rinsho.serving.serve import serve
from rinsho.tokenizer.chat_template import ChatTemplate

MARKER = "目印患者マーカー七七七"
N_CAMPAIGN = int(os.environ.get("RINSHO_FUZZ", "10000"))
RunServer = Callable[[FastAPI], AbstractContextManager[str]]


# ---------------------------------------------------------------- a whole session, and its traces


@dataclass(frozen=True)
class Session:
    """What a server did and wrote in a process of its own."""

    report: dict[str, Any]
    written: dict[str, bytes]
    calls: str | None  # of connect(), where strace could follow


def can_run(*words: str) -> bool:
    if shutil.which(words[0]) is None:
        return False
    return subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def session(chat_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Session:
    folder = tmp_path_factory.mktemp("session")
    trace = tmp_path_factory.mktemp("trace") / "calls"
    words: list[str] = []
    if can_run("strace", "-f"):
        words += ["strace", "-f", "-qq", "-e", "trace=connect", "-o", str(trace)]
    if can_run("unshare", "-rn"):
        words += ["unshare", "-rn"]
    script = Path(__file__).parent / "full_run.py"
    words += [sys.executable, str(script), str(chat_weights), str(folder)]
    names = {"HOME": str(folder), "TMPDIR": str(folder), "XDG_CACHE_HOME": str(folder)}
    variables = os.environ | names | {"OMP_NUM_THREADS": "1"}
    result = subprocess.run(words, capture_output=True, check=False, cwd=folder, env=variables)
    assert result.returncode == 0, result.stderr.decode()[-2000:]
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    files = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    del files["report.json"]
    files |= {"stdout": result.stdout, "stderr": result.stderr}
    return Session(report, files, trace.read_text() if trace.exists() else None)


def traces_of(text: str) -> list[bytes]:
    """The ways in which a text can be written down."""
    forms = [text.encode(code) for code in ("utf-8", "cp932", "utf-16-le", "euc-jp")]
    escaped = json.dumps(text)[1:-1].encode()
    return [*forms, escaped, escaped.replace(b"\\", b"\\\\"), quote(text).encode()]


def test_every_operation_worked_and_every_wrong_one_was_refused(session: Session) -> None:
    assert set(session.report["good"]) == {200, 202}
    assert set(session.report["bad"]) == {400, 401, 404}


def test_no_text_of_a_request_is_in_logs_errors_metrics_or_the_audit_log(session: Session) -> None:
    assert {"audit.jsonl", "stdout", "stderr"} <= set(session.written)
    told = {name: str(session.report[name]).encode() for name in ("errors", "metrics", "audit")}
    for part in (MARKER, MARKER[2:4], "マーカー"):
        for name, content in {**session.written, **told}.items():
            for trace in traces_of(part):
                assert trace not in content, (name, part)
    assert session.written["audit.jsonl"].count(b"\n") > 8


def test_the_process_leaves_no_core(session: Session) -> None:
    assert session.report["core"][4:6] == ["0", "0"]


def test_nothing_connects_to_another_machine(session: Session) -> None:
    local = re.compile(
        r"socket\.(connect|sendto|getaddrinfo) (\('127\.0\.0\.1', \d+\)|127\.0\.0\.1)"
    )
    for call in session.report["connected"]:
        assert local.fullmatch(call) or call.startswith("socket.connect /"), call
    assert session.report["connected"]  # the client's own: the hook sees


def test_the_kernel_saw_no_connection_to_another_machine(session: Session) -> None:
    if session.calls is None:
        pytest.skip("strace cannot follow processes here")
    calls = [line for line in session.calls.splitlines() if "connect(" in line]
    own = ('inet_addr("127.0.0.1")', "AF_UNIX", "AF_UNSPEC", "192.0.2.1", "resumed")
    foreign = [line for line in calls if not any(word in line for word in own)]
    assert calls and not foreign


def test_it_works_where_there_is_no_network(session: Session) -> None:
    if not can_run("unshare", "-rn"):
        pytest.skip("this machine lets nobody make a network namespace")
    assert session.report["has_route"] is False


# ---------------------------------------------------------------------------- models from outside


class Bomb:
    """A pickle that leaves a trace where it is loaded."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self._path,))


def test_a_folder_with_a_pickle_is_refused_unopened(tmp_path: Path) -> None:
    folder, trace = tmp_path / "model", tmp_path / "exploded"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(trace)))
    with pytest.raises(RinshoError):
        serve(folder, None, Reach(port=0))
    with pytest.raises(RinshoError):
        serve(None, folder, Reach(port=0))
    assert not trace.exists()


def test_a_folder_that_brings_a_program_is_refused_unrun(tmp_path: Path) -> None:
    folder, trace = tmp_path / "model", tmp_path / "ran"
    folder.mkdir()
    auto_map = {"AutoModelForCausalLM": "program.Model", "AutoConfig": "program.Config"}
    config = {"model_type": "own", "auto_map": auto_map}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "program.py").write_text(f"open({str(trace)!r}, 'w')")
    (folder / "model.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    with pytest.raises(RinshoError) as caught:
        serve(folder, None, Reach(port=0))
    assert "auto_map" in str(caught.value)
    assert not trace.exists()


class HangingTemplate:
    """The model's tokenizer, but prompts are made by a template that never ends."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        template = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
        self._template = ChatTemplate(template, {}, "t", seconds=0.5)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model.tokenizer, name)

    def render(self, messages: Sequence[Message], *, add_generation_prompt: bool) -> list[int]:
        self._template.render(messages, add_generation_prompt=add_generation_prompt)
        raise AssertionError("the template ended")


class ForeignModel:
    """The chat model with such a tokenizer."""

    def __init__(self, model: LanguageModel) -> None:
        self.name, self.context_length = model.name, model.context_length
        self.tokenizer: Any = HangingTemplate(model)
        self.generate, self.log_likelihoods = model.generate, model.log_likelihoods


def test_a_chat_template_that_loops_is_stopped_and_the_server_goes_on(
    run_server: RunServer, chat_model: LanguageModel, dictionary: Extractor
) -> None:
    with run_server(create_app(ForeignModel(chat_model), dictionary)) as address:
        chat = {"model": chat_model.name, "messages": [{"role": "user", "content": MARKER}]}
        reply = httpx.post(f"{address}/v1/chat/completions", json=chat, timeout=60)
        assert reply.status_code >= 400 and MARKER not in reply.text
        assert "no end after" in reply.json()["error"]["message"]
        prompt = {"model": chat_model.name, "prompt": "咳嗽", "max_tokens": 1}
        assert httpx.post(f"{address}/v1/completions", json=prompt, timeout=60).is_success


# ------------------------------------------------------------------------------- names and fuzzing


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/passwd",
        "..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/etc/passwd",
        "/etc/passwd",
        "....//....//etc/passwd",
        "..\\..\\windows\\win.ini",
        "%00",
        "file:///etc/passwd",
    ],
)
def test_a_model_s_name_is_never_a_path(client: httpx.Client, name: str) -> None:
    for reply in (
        client.get(f"/v1/models/{name}"),
        client.get(f"/{name}"),
        client.post("/v1/completions", json={"model": name, "prompt": "a"}),
    ):
        assert reply.status_code == 404
        assert reply.json()["error"]["code"] in ("S007", "S009")
        assert "root:" not in reply.text


@pytest.fixture(scope="module")
def operations(chat_model: LanguageModel, dictionary: Extractor) -> list[Any]:
    app = create_app(chat_model, dictionary, index=CodeIndex([]))
    schema = schemathesis.openapi.from_dict(app.openapi())
    return [result.ok() for result in schema.get_all_operations()]


def send(client: httpx.Client, case: Any, name: str) -> httpx.Response:
    """Send a case; a body that names a model names ours, so that the engine is reached."""
    if isinstance(case.body, dict) and isinstance(case.body.get("model"), str):
        case.body = {**case.body, "model": name, "max_tokens": case.body.get("max_tokens", 2)}
    words = case.as_transport_kwargs(base_url=str(client.base_url).rstrip("/"))
    body: dict[str, Any] = {"json": words["json"]} if "json" in words else {}
    data = words.get("data")
    if isinstance(data, bytes | str):
        body = {"content": data}
    headers = {k: v for k, v in words["headers"].items() if v.isascii() and v.isprintable()}
    return client.request(
        words["method"], words["url"], params=words.get("params"), headers=headers, **body
    )


def fuzz(
    client: httpx.Client, operations: list[Any], chat_model: LanguageModel, n: int
) -> dict[int, int]:
    """Send cases of our own OpenAPI, right and wrong ones; return how often each status came."""
    statuses: dict[int, int] = {}

    @settings(max_examples=n, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def each(data: st.DataObject) -> None:
        operation = data.draw(st.sampled_from(operations))
        mode = data.draw(st.sampled_from(list(GenerationMode)))
        case = data.draw(operation.as_strategy(mode))
        reply = send(client, case, chat_model.name)
        statuses[reply.status_code] = statuses.get(reply.status_code, 0) + 1
        assert reply.status_code < 500, reply.text
        if reply.status_code >= 400:
            error = reply.json()["error"]
            assert error["code"] and error["message"] and error["message_ja"]
        if reply.headers["Content-Type"] == "application/json":
            reply.json()

    each()
    assert client.get("/health").status_code == 200
    return statuses


def test_fuzzed_requests_are_answered_or_refused_with_a_reason(
    client: httpx.Client, operations: list[Any], chat_model: LanguageModel
) -> None:
    statuses = fuzz(client, operations, chat_model, 60)
    assert {200, 400} <= set(statuses)


@pytest.mark.campaign
def test_ten_thousand_fuzzed_requests(
    client: httpx.Client, operations: list[Any], chat_model: LanguageModel
) -> None:
    statuses = fuzz(client, operations, chat_model, N_CAMPAIGN)
    print(f"\n{sum(statuses.values()):,} fuzzed requests, by status: {statuses}")
