"""Keys, roles and limits: every route denies by default."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from rinsho.clinical.codes import CodeIndex
from rinsho.clinical.extract import Extractor
from rinsho.errors import KeysUnusable
from rinsho.generation.language_model import LanguageModel
from rinsho.serving.access import SignIn
from rinsho.serving.app import OPEN_PATHS, Protection, create_app
from rinsho.serving.keys import ENVIRONMENT, Key, Keys, hash_key, new_key, read_keys
from rinsho.serving.limits import Limits, Origins

RunServer = Callable[[FastAPI], AbstractContextManager[str]]
USER, ADMIN, FEW, SHORT = "u" * 43, "a" * 43, "f" * 43, "s" * 43
KEYS = Keys(
    [
        Key(name="ward-3", sha256=hash_key(USER)),
        Key(name="it", role="admin", sha256=hash_key(ADMIN)),
        Key(name="few", sha256=hash_key(FEW), requests_per_minute=2),
        Key(name="short", sha256=hash_key(SHORT), max_new_tokens=3),
    ]
)


@pytest.fixture(scope="module")
def app(chat_model: LanguageModel, dictionary: Extractor) -> FastAPI:
    protection = Protection(sign_in=SignIn(keys=KEYS))
    return create_app(chat_model, dictionary, index=CodeIndex([]), protection=protection)


@pytest.fixture(scope="module")
def guarded(app: FastAPI, run_server: RunServer) -> Iterator[httpx.Client]:
    with run_server(app) as address, httpx.Client(base_url=address, timeout=60) as client:
        yield client


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def every_route(app: FastAPI) -> list[tuple[str, str]]:
    return [
        (method, route.path.replace("{name:path}", "a/../b").replace("{batch_id}", "x"))
        for route in app.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods)
    ]


def test_every_route_refuses_who_has_no_key_or_a_wrong_one(
    app: FastAPI, guarded: httpx.Client
) -> None:
    wrong = [
        {},
        {"Authorization": "Bearer"},
        bearer("x" * 43),
        bearer(USER + "x"),
        {"Authorization": USER},
    ]
    wrong += [{"Authorization": f"Basic {USER}"}, {"X-Remote-User": "ward-3"}]
    wrong += [bearer(hash_key(USER))]  # who stole the file of keys has no key
    routes = every_route(app)
    assert len(routes) > 15
    for method, path in [*routes, ("GET", "/no-such-path"), ("PUT", "/v1/extract")]:
        if path in OPEN_PATHS:
            assert guarded.request(method, path, headers=wrong[1]).status_code == 200
            continue
        for headers in wrong:
            reply = guarded.request(method, path, headers=headers)
            assert reply.status_code == 401, (method, path)
            assert reply.headers["WWW-Authenticate"] == "Bearer"
            assert method == "HEAD" or reply.json()["error"]["code"] == "S012"


def test_who_has_no_key_learns_nothing_from_the_health(guarded: httpx.Client) -> None:
    assert guarded.get("/health").json() == {"status": "ok", "needs_key": True}
    assert guarded.get("/health", headers=bearer(USER)).json()["chat_model"]


def test_a_large_body_without_a_key_is_not_read(guarded: httpx.Client) -> None:
    def parts() -> Iterator[bytes]:
        yield b"{"
        raise AssertionError("the body was read")

    reply = guarded.build_request("POST", "/v1/extract", headers={"Expect": "100-continue"})
    assert guarded.send(reply).status_code == 401
    with pytest.raises((AssertionError, httpx.HTTPError)):
        guarded.post("/v1/extract", content=parts())


@pytest.mark.parametrize("path", ["/metrics", "/v1/audit"])
def test_the_administrator_s_routes_refuse_users(guarded: httpx.Client, path: str) -> None:
    refused = guarded.get(path, headers=bearer(USER))
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "S013")
    assert guarded.get(path, headers=bearer(ADMIN)).status_code == 200


def test_a_user_works(guarded: httpx.Client) -> None:
    reply = guarded.post("/v1/extract", json={"text": "発熱"}, headers=bearer(USER))
    assert [span["text"] for span in reply.json()["spans"]] == ["発熱"]


def test_a_key_over_its_requests_per_minute_waits_and_others_do_not(guarded: httpx.Client) -> None:
    codes = [guarded.get("/v1/models", headers=bearer(FEW)).status_code for _ in range(3)]
    assert codes == [200, 200, 429]
    assert guarded.get("/v1/models", headers=bearer(USER)).status_code == 200


def test_an_answer_is_no_longer_than_the_key_allows(
    guarded: httpx.Client, chat_model: LanguageModel
) -> None:
    request = {"model": chat_model.name, "messages": [{"role": "user", "content": "咳嗽"}]}
    path, headers = "/v1/chat/completions", bearer(SHORT)
    reply = guarded.post(path, json=request, headers=headers).json()
    assert reply["usage"]["completion_tokens"] == 3
    refused = guarded.post(path, json={**request, "max_tokens": 4}, headers=headers)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "max_tokens")


def test_only_the_proxy_is_believed_who_signed_in(
    run_server: RunServer, dictionary: Extractor
) -> None:
    for proxies, status in ((("127.0.0.1",), 200), (("10.0.0.5",), 401)):
        sign_in = SignIn(header="X-Remote-User", proxies=proxies)
        app = create_app(None, dictionary, protection=Protection(sign_in=sign_in))
        with run_server(app) as address, httpx.Client(base_url=address, timeout=60) as client:
            assert client.get("/v1/models").status_code == 401
            headers = {"X-Remote-User": "suzuki"}
            assert client.get("/v1/models", headers=headers).status_code == status
            twice = [("X-Remote-User", "suzuki"), ("X-Remote-User", "admin")]
            assert client.get("/v1/models", headers=twice).status_code == 401
            assert client.get("/metrics", headers=headers).status_code in (401, 403)


def test_a_given_host_name_is_taken_and_its_pages_only_by_its_scheme(
    run_server: RunServer, dictionary: Extractor
) -> None:
    origins = Origins(frozenset({"rinsho.example.test"}), ("https",))
    app = create_app(None, dictionary, protection=Protection(origins=origins))
    with run_server(app) as address, httpx.Client(base_url=address, timeout=60) as client:

        def status(**headers: str) -> int:
            return client.get("/v1/models", headers=headers).status_code

        host = "Rinsho.example.test:8443"
        assert status(Host=host) == 200
        assert status(Host=host, Origin=f"https://{host}") == 200
        assert status(Host=host, Origin=f"http://{host}") == 403
        assert status(Host="other.example.test") == 403


def test_metrics_hold_counts_and_no_text(guarded: httpx.Client) -> None:
    guarded.post("/v1/extract", json={"text": "秘密"}, headers=bearer(USER))
    guarded.get("/目印", headers=bearer(USER))
    text = guarded.get("/metrics", headers=bearer(ADMIN)).text
    assert 'rinsho_requests_total{method="POST",route="/v1/extract",status="200"}' in text
    assert 'rinsho_requests_total{method="GET",route="-",status="404"}' in text
    assert 'rinsho_errors_total{code="S009"}' in text
    assert "秘密" not in text and "目印" not in text and "%" not in text and "ward-3" not in text
    for line in text.splitlines():
        assert line.startswith("# TYPE rinsho_") or float(line.rsplit(" ", 1)[1]) >= 0


def test_a_new_key_is_told_once_and_its_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    made = [new_key(path, "ward-3", "user"), new_key(path, "it", "admin")]
    assert path.stat().st_mode & 0o777 == 0o600
    assert not any(key in path.read_text() for key in made)
    keys = read_keys(path)
    assert keys is not None
    found = [keys.find(key) for key in made]
    assert [(key.name, key.role) for key in found if key] == [("ward-3", "user"), ("it", "admin")]
    with pytest.raises(KeysUnusable):
        new_key(path, "it", "user")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "key = 1",
        "[[key]]\nname='a'",
        "[[key]]\nname='a b'\nsha256='" + "0" * 64 + "'",
        "[[key]]\nname='a'\nrole='root'\nsha256='" + "0" * 64 + "'",
        "[[key]]\nname='a'\nsha256='" + "0" * 64 + "'\n" + "[[key]]\nname='a'\nsha256='"
        + "1" * 64 + "'",
        "\ufffd[",
    ],
)  # fmt: skip
def test_a_file_of_keys_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(KeysUnusable):
        read_keys(path)


def test_a_file_of_keys_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    new_key(path, "a", "user")
    path.chmod(0o644)
    with pytest.raises(KeysUnusable) as caught:
        read_keys(path)
    assert "644" in caught.value.found


def test_a_key_of_the_environment_is_the_administrator_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, "short")
    with pytest.raises(KeysUnusable):
        read_keys(None)
    monkeypatch.setenv(ENVIRONMENT, ADMIN)
    keys = read_keys(None)
    assert keys is not None and (found := keys.find(ADMIN)) and found.role == "admin"
    monkeypatch.delenv(ENVIRONMENT)
    assert read_keys(None) is None
    assert os.environ.get(ENVIRONMENT) is None


def test_a_key_has_no_more_requests_at_a_time_than_it_may(
    run_server: RunServer, dictionary: Extractor, raw: Callable[[str, bytes], bytes]
) -> None:
    key = Key(name="one", sha256=hash_key(USER), max_concurrent=1)
    protection = Protection(sign_in=SignIn(keys=Keys([key])))
    app = create_app(None, dictionary, Limits(), protection=protection)
    with run_server(app) as address, httpx.Client(base_url=address, timeout=60) as client:

        def slow_body() -> Iterator[bytes]:
            yield b'{"text": '
            reply = client.get("/v1/models", headers=bearer(USER))
            assert (reply.status_code, reply.json()["error"]["code"]) == (429, "S014")
            yield '"発熱"}'.encode()

        headers = {**bearer(USER), "Content-Type": "application/json"}
        with httpx.Client(base_url=address, timeout=60) as other:
            assert other.post("/v1/extract", content=slow_body(), headers=headers).is_success
        assert client.get("/v1/models", headers=bearer(USER)).is_success
