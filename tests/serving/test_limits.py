"""What a request has to pass: origin, host, size, form; and that nothing of it is written down."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from rinsho.errors import BadRequest, RinshoError
from rinsho.serving.app import ROUTES, create_app
from rinsho.serving.limits import SECURITY_HEADERS, Limits, check_json
from rinsho.text.spans import Span

MARKER = "目印患者マーカー七七七"
JSON = {"Content-Type": "application/json"}
RunServer = Callable[[FastAPI], AbstractContextManager[str]]


class Failing:
    """An engine with a defect whose message quotes the note, as those of libraries do."""

    name, kind = "failing", "model"

    def spans(self, text: str) -> tuple[Span, ...]:
        raise RuntimeError(text)


def code(response: httpx.Response) -> str:
    return response.json()["error"]["code"]


@pytest.mark.parametrize("host", ["evil.test", "127.0.0.1.evil.test", "10.0.0.1:8000", ""])
def test_a_foreign_host_name_is_refused(client: httpx.Client, host: str) -> None:
    response = client.get("/health", headers={"Host": host})
    assert (response.status_code, code(response)) == (403, "S008")


@pytest.mark.parametrize("host", ["localhost:1234", "127.0.0.1", "[::1]:80", "LOCALHOST"])
def test_the_names_of_this_machine_are_taken(client: httpx.Client, host: str) -> None:
    assert client.get("/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.test", "null", "http://localhost:3000"])
def test_a_request_from_another_site_is_refused(client: httpx.Client, origin: str) -> None:
    response = client.post("/v1/extract", json={"text": "発熱"}, headers={"Origin": origin})
    assert (response.status_code, code(response)) == (403, "S008")


def test_the_own_page_may_ask(client: httpx.Client, url: str) -> None:
    response = client.post("/v1/extract", json={"text": "発熱"}, headers={"Origin": url})
    assert response.status_code == 200


def test_another_site_may_link_to_the_page_but_not_load_from_it(client: httpx.Client) -> None:
    cross_site = {"Sec-Fetch-Site": "cross-site"}
    assert client.get("/", headers=cross_site).status_code == 200
    assert client.get("/health", headers=cross_site).status_code == 403


def test_a_body_that_declares_too_much_is_refused_before_it_is_sent(
    url: str, raw: Callable[[str, bytes], bytes]
) -> None:
    head = (
        b"POST /v1/extract HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 10000000\r\nConnection: close\r\n\r\n"
    )
    assert raw(url, head).startswith(b"HTTP/1.1 413 ")


def test_a_chunked_body_is_cut_off_at_the_limit(client: httpx.Client) -> None:
    parts = (b" " * 1_000_000 for _ in range(9))
    response = client.post("/v1/extract", content=parts, headers=JSON)
    assert (response.status_code, code(response)) == (413, "S003")


def test_a_10_mb_note_gets_a_clear_error(client: httpx.Client) -> None:
    response = client.post("/v1/extract", json={"text": "熱" * 3_400_000})
    assert (response.status_code, code(response)) == (413, "S003")


def test_a_note_over_the_limit_of_characters_gets_a_clear_error(client: httpx.Client) -> None:
    response = client.post("/v1/extract", json={"text": "a" * 1_000_001})
    assert (response.status_code, code(response)) == (413, "D017")


def test_a_body_that_stops_coming_is_given_up(
    run_server: RunServer, raw: Callable[[str, bytes], bytes]
) -> None:
    app = create_app(None, Failing(), Limits(max_body_seconds=0.05))
    head = (
        b"POST /v1/extract HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100\r\nConnection: close\r\n\r\n{"
    )
    with run_server(app) as address:
        assert b'"code":"S005"' in raw(address, head)


def test_more_bytes_than_all_bodies_may_hold_are_refused_as_busy(run_server: RunServer) -> None:
    app = create_app(None, Failing(), Limits(max_held_bytes=10))
    with run_server(app) as address:
        response = httpx.post(f"{address}/v1/extract", json={"text": "発熱"})
    assert (response.status_code, code(response)) == (429, "S004")
    assert response.headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b'{"text": 1}',
        b'{"text": "\\ud83d"}',
        b'{"text": "a", "texts": "b"}',
        b'{"text": NaN}',
        b'{"text": ' + b"[" * 100_000,
        b'{"text": "\xff"}',
        '{"text": "発熱"}'.encode("utf-16"),
        b'{"text": ' + b"9" * 10_000 + b"}",
    ],
)
def test_a_body_of_another_form_is_refused_with_the_reason(
    client: httpx.Client, body: bytes
) -> None:
    response = client.post("/v1/extract", content=body, headers=JSON)
    assert (response.status_code, code(response)) == (400, "S005")
    assert response.json()["error"]["message_ja"]


def test_only_json_is_taken(client: httpx.Client) -> None:
    response = client.post("/v1/extract", data={"text": "a"})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "Content-Type")


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/../pyproject.toml", "/x"])
def test_there_is_no_other_path(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert (response.status_code, code(response)) == (404, "S009")
    assert all(route in response.json()["error"]["message"] for route in ROUTES.split(", "))


@pytest.mark.parametrize("path", ["/", "/page.js", "/health", "/x", "/v1/models"])
def test_every_reply_has_the_security_headers(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    assert {name: headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert "server" not in headers


def test_nothing_of_a_request_is_written_down(
    run_server: RunServer, capfd: pytest.CaptureFixture[str]
) -> None:
    replies: list[str] = []
    with run_server(create_app(None, Failing())) as address:
        for path in (f"/v1/extract?note={MARKER}", f"/{MARKER}", "/v1/extract"):
            replies.append(httpx.post(address + path, json={"text": MARKER}).text)
        bodies: tuple[object, ...] = ({MARKER: 1}, {"text": [MARKER]}, {"text": "", "id": [MARKER]})
        for body in bodies:
            replies.append(httpx.post(f"{address}/v1/extract", json=body).text)
        broken = f'{{"text": "{MARKER}'.encode()
        replies.append(httpx.post(f"{address}/v1/extract", content=broken, headers=JSON).text)
        replies.append(httpx.get(f"{address}/v1/models/{MARKER}").text)
    written = capfd.readouterr()
    assert "S010" in replies[0]  # the defect was met
    assert MARKER not in "".join(replies) + written.out + written.err
    assert httpx.URL(f"/{MARKER}").raw_path.decode() not in written.err
    assert "POST /v1/extract 500" in written.err


def test_telemetry_stays_off_whatever_the_environment_says(
    run_server: RunServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    with run_server(create_app(None, Failing())) as address:
        assert httpx.get(f"{address}/health").status_code == 200
    assert "telemetry" not in caplog.text  # FastAPI warns where it tries


def depth_of(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


values = st.recursive(
    st.text('[]{}"\\ 発') | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text('[{"\\'), inner, max_size=3)
    ),
)


@given(values, st.integers(0, 6))
def test_depth_is_that_of_the_parsed_value(value: object, max_depth: int) -> None:
    body = json.dumps(value, ensure_ascii=False).encode()
    if depth_of(value) <= max_depth:
        check_json(body, max_depth)
    else:
        with pytest.raises(BadRequest):
            check_json(body, max_depth)


@given(st.binary(max_size=200))
def test_any_bytes_pass_or_are_refused(body: bytes) -> None:
    try:
        check_json(body, 4)
    except RinshoError as error:
        assert error.code == "S005"
