"""The command itself: where it listens, what it refuses, how it ends."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from rinsho.errors import InvalidValue, NotLoopback, PathMissing, PortInUse
from rinsho.serving.limits import is_loopback
from rinsho.serving.serve import open_listener, serve


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1", "example.test", ""])
def test_only_this_machine_s_own_addresses_are_listened_on(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(NotLoopback):
        serve(None, None, host=host, port=0)


def test_a_port_in_use_is_said_before_a_model_is_looked_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortInUse) as caught:
            serve(tmp_path / "no such model", None, port=port)
    assert caught.value.where == f"127.0.0.1:{port}"


def test_a_missing_model_is_said_and_the_port_is_given_back(tmp_path: Path) -> None:
    listener = open_listener("127.0.0.1", 0)
    port = listener.getsockname()[1]
    listener.close()
    with pytest.raises(PathMissing):
        serve(tmp_path / "no such model", None, port=port)
    open_listener("127.0.0.1", port).close()


def test_a_port_that_cannot_be_is_refused() -> None:
    with pytest.raises(InvalidValue):
        serve(None, None, port=70_000)


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
