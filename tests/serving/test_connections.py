"""Connections that would only hold a place: slow headers, readers that read nothing."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from fastapi import FastAPI, Response

from rinsho.serving.limits import SECURITY_HEADERS, Envelope, Limits
from rinsho.serving.metrics import Metrics
from rinsho.serving.serve import MAX_CONNECTIONS, new_server, open_listener

SHORT = Limits(max_head_seconds=0.2, max_stall_seconds=0.2)
N_BYTES = 30_000_000  # more than the buffers of both ends hold


@contextmanager
def serving(limits: Limits, metrics: Metrics | None = None) -> Iterator[tuple[str, int]]:
    app = FastAPI()
    app.add_middleware(Envelope, metrics=metrics or Metrics())

    @app.get("/large")
    async def large() -> Response:
        return Response(b"x" * N_BYTES)

    listener = open_listener("127.0.0.1", 0)
    server = new_server(app, limits=limits)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[:2]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    with serving(SHORT) as address:
        yield address


def is_cut_off(connection: socket.socket) -> bool:
    """Return whether the server closes; the test's own patience is a minute."""
    connection.settimeout(60)
    try:
        while connection.recv(1 << 20):
            pass
    except ConnectionResetError:
        pass
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize("sent", [b"", b"GET", b"GET /large HTTP/1.1\r\nHost: localhost\r\nX: "])
def test_a_head_that_stops_coming_is_given_up(address: tuple[str, int], sent: bytes) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(sent)
        assert is_cut_off(connection)


def test_the_second_request_of_a_connection_has_a_deadline_too(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(b"GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 404")
        connection.sendall(b"GET /la")
        assert is_cut_off(connection)


@pytest.mark.parametrize("more", [b"", b"Connection: close\r\n"])
def test_a_client_that_reads_nothing_is_cut_off(address: tuple[str, int], more: bytes) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n" + more + b"\r\n")
        waiting = select.poll()
        waiting.register(connection, 0)  # not for something to read: for the end alone
        ((_, event),) = waiting.poll(60_000)
        assert event & (select.POLLHUP | select.POLLERR)


def test_a_client_that_reads_gets_everything(address: tuple[str, int]) -> None:
    url = f"http://{address[0]}:{address[1]}/large"
    assert len(httpx.get(url, timeout=60).content) == N_BYTES


def test_connections_over_the_limit_are_closed_unheard(address: tuple[str, int]) -> None:
    patient = Limits(max_head_seconds=60)
    with serving(patient) as here:
        held = [socket.create_connection(here) for _ in range(256)]
        with socket.create_connection(here) as one_more:
            assert is_cut_off(one_more)
        for connection in held:
            connection.close()
        assert httpx.get(f"http://{here[0]}:{here[1]}/none").status_code == 404


def test_a_request_over_one_connection_too_many_gets_503_like_every_other_error() -> None:
    metrics = Metrics()
    patient = Limits(max_head_seconds=60)
    with serving(patient, metrics) as here:
        url = f"http://{here[0]}:{here[1]}/none"
        held = [socket.create_connection(here) for _ in range(MAX_CONNECTIONS)]
        refused = httpx.get(url, timeout=60)
        for connection in held:
            connection.close()
        with httpx.Client(timeout=60) as client:
            while client.get(url).status_code == 503:  # until the server has seen them go
                pass
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["connection"] == "close"
    assert {name: refused.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS
    error = refused.json()["error"]
    assert (error["code"], error["type"]) == ("S019", "server_error")
    assert str(MAX_CONNECTIONS) in error["message"] and "接続" in error["message_ja"]
    assert 'code="S019"' in metrics.to_text({})


def test_idle_connections_outlive_those_of_common_clients() -> None:
    """Who closes first loses nothing; a server that does loses the request that is on its way."""
    patience_s = httpx.Limits().keepalive_expiry  # openai's client is httpx
    assert patience_s is not None
    assert new_server(FastAPI()).config.timeout_keep_alive > patience_s
