"""The command itself: where it listens, what it refuses, how it ends."""

from __future__ import annotations

import dataclasses
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from rinsho.clinical.extract import Extractor
from rinsho.errors import (
    AuditFailed,
    InvalidValue,
    KeysUnusable,
    NotLoopback,
    PathMissing,
    PortInUse,
)
from rinsho.serving.app import Protection, create_app
from rinsho.serving.keys import new_key
from rinsho.serving.limits import is_loopback
from rinsho.serving.reach import Reach
from rinsho.serving.serve import open_listener, serve

BEYOND = Reach(
    host="192.0.2.1", audit=Path("audit.jsonl"), trusted_header="X-User",
    trusted_proxies=("192.0.2.9",),
)  # fmt: skip


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1", "example.test", ""])
def test_other_machines_are_let_in_only_with_everything_that_protects_there(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(NotLoopback) as caught:
        serve(None, None, Reach(host=host, port=0))
    assert {"--keys", "--audit"} <= set(caught.value.found.split(", "))


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"audit": None}, "--audit"),
        ({"host": "0.0.0.0"}, "--allowed-host"),
        ({"trusted_header": None, "trusted_proxies": ()}, "--keys, --tls-cert, --tls-key"),
    ],
)
def test_each_missing_protection_is_named(change: dict[str, Any], missing: str) -> None:
    assert not BEYOND.sign_in().is_open
    with pytest.raises(NotLoopback) as caught:
        dataclasses.replace(BEYOND, **change).sign_in()
    assert caught.value.found == missing


@pytest.mark.parametrize(
    "change",
    [
        {"tls_cert": Path("cert.pem")},
        {"trusted_header": None},
        {"trusted_proxies": ()},
        {"trusted_header": "X User:"},
    ],
)
def test_half_of_a_pair_of_options_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        dataclasses.replace(BEYOND, **change).sign_in()


def test_a_certificate_that_does_not_fit_is_said_at_once(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_text("no certificate")
    key.write_text("no key")
    reach = Reach(tls_cert=cert, tls_key=key)
    for mode in (0o644, 0o600):
        key.chmod(mode)
        with pytest.raises(KeysUnusable):
            reach.sign_in()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed: nothing here makes a certificate")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    words = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    words += ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    words += ["-keyout", str(key), "-out", str(cert)]
    subprocess.run(words, check=True, capture_output=True)
    key.chmod(0o600)
    return cert, key


def test_tls_answers_and_plain_text_gets_nothing(
    certificate: tuple[Path, Path], run_server: Callable[..., AbstractContextManager[str]],
    dictionary: Extractor, tmp_path: Path,
) -> None:  # fmt: skip
    given = new_key(tmp_path / "keys.toml", "ward-3", "user")
    cert, key = certificate
    reach = Reach(keys=tmp_path / "keys.toml", tls_cert=cert, tls_key=key)
    protection = Protection(reach.sign_in(), reach.origins())
    with run_server(create_app(None, dictionary, protection=protection), reach) as url:
        assert url.startswith("https://")
        context = ssl.create_default_context(cafile=cert)
        with httpx.Client(base_url=url, verify=context, timeout=60) as client:
            assert client.get("/v1/models").status_code == 401
            headers = {"Authorization": f"Bearer {given}", "Origin": url}
            assert client.get("/v1/models", headers=headers).status_code == 200
        with pytest.raises(httpx.HTTPError):
            httpx.get(url.replace("https", "http"))


def test_a_port_in_use_is_said_before_a_model_is_looked_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortInUse) as caught:
            serve(tmp_path / "no such model", None, Reach(port=port))
    assert caught.value.where == f"127.0.0.1:{port}"


def test_a_missing_model_is_said_and_the_port_is_given_back(tmp_path: Path) -> None:
    listener = open_listener("127.0.0.1", 0)
    port = listener.getsockname()[1]
    listener.close()
    with pytest.raises(PathMissing):
        serve(tmp_path / "no such model", None, Reach(port=port))
    open_listener("127.0.0.1", port).close()


@pytest.mark.parametrize("reach", [Reach(port=70_000), dataclasses.replace(BEYOND, port=0)])
def test_a_port_or_an_address_that_cannot_be_is_refused(reach: Reach, tmp_path: Path) -> None:
    with pytest.raises(InvalidValue):
        serve(None, None, dataclasses.replace(reach, audit=tmp_path / "audit"))


def test_a_log_that_cannot_be_opened_is_said_before_a_model_is_looked_for(tmp_path: Path) -> None:
    reach = Reach(port=0, audit=tmp_path / "no such folder" / "audit")
    with pytest.raises(AuditFailed):
        serve(tmp_path / "no such model", None, reach)


def test_the_command_serves_until_ctrl_c_and_ends_well(
    run_command: Callable[..., AbstractContextManager[Any]], chat_weights: Path
) -> None:
    with run_command("serve", str(chat_weights), "--port", "0") as command:
        assert httpx.get(f"{command.url}/health").json()["chat_model"]
        assert "rinsho" in httpx.get(command.url).text
        request = {
            "model": chat_weights.name, "stream": True, "temperature": 2,
            "messages": [{"role": "user", "content": "咳嗽"}],
        }  # fmt: skip
        url = f"{command.url}/v1/chat/completions"
        with httpx.stream("POST", url, json=request, timeout=60) as reply:
            next(reply.iter_lines())
        command.process.send_signal(signal.SIGINT)
        rest = command.process.stdout.read()
        assert command.process.wait(timeout=60) == 0
    assert "Traceback" not in rest
