"""A client of any OpenAI-compatible endpoint: one question, one answer, nothing sent elsewhere.

The name of the server is looked up once; if the address lies beyond this machine and the local
network it is refused, and requests go to that address and no other: no proxy, no redirect. The key
comes from a variable or a file and stands in no log, error or manifest.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import ipaddress
import json
import os
import re
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from pydantic import Field

from rinsho.corpus.document import Message
from rinsho.errors import EndpointFailed, InvalidValue, PathMissing, RemoteRefused
from rinsho.manifest import canonical_json
from rinsho.runfile import StageConfig

_MOST_BYTES = 16 * 2**20  # of one answer
_WRONG_CALL = {300, 301, 302, 303, 307, 308, 401, 403, 404, 405}  # every further call fails too
_WORTH_TRYING = {408, 409, 425, 429}
_THINKING = re.compile(r"^\s*<think>.*?</think>", re.DOTALL)
# What servers say where a question does not fit: OpenAI, vLLM, llama.cpp, and ours.
_TOO_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size|maximum context length|context size|\"K009\""
)
# This machine and private networks; `is_private` of Python also has what is reserved otherwise.
_NEAR = tuple(
    ipaddress.ip_network(one)
    for one in (
        "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16",
        "::1/128", "fc00::/7", "fe80::/10",
    )
)  # fmt: skip
TOO_LONG = "too long"  # the reason of a question that does not fit the context


class EndpointConfig(StageConfig):
    """Where a model answers, and how it is asked.

    Address, key and speed are no part of what a folder is: they may change when a run goes on.
    """

    url: str = Field(exclude=True, description="base address, such as http://127.0.0.1:8000/v1")
    model: str = Field(min_length=1, description="name of the model, as the endpoint knows it")
    temperature: float = Field(0.0, ge=0, description="0: the likeliest words")
    max_tokens: int = Field(1024, gt=0, description="of an answer; a longer one is cut off")
    seed: int | None = Field(0, description="sent along; left out where it is null")
    key_variable: str | None = Field(None, exclude=True, description="variable that holds the key")
    key_file: str | None = Field(None, exclude=True, description="file that holds the key")
    n_parallel: int = Field(4, gt=0, le=256, exclude=True, description="questions at once")
    timeout_s: float = Field(300.0, gt=0, exclude=True, description="seconds for one answer")
    n_tries: int = Field(6, gt=0, exclude=True, description="of a question, then it is given up")
    backoff_s: float = Field(1.0, ge=0, exclude=True, description="before a second try; doubles")
    max_per_minute: float | None = Field(
        None, gt=0, exclude=True, description="questions a minute; null: as fast as answers come"
    )
    thinking: bool | None = Field(
        None,
        exclude_if=lambda value: value is None,
        description="enable_thinking of the chat template; null: as the server has it",
    )


@dataclass(frozen=True, slots=True)
class Manner:
    """How a question is put.

    Attributes:
        form: A conversation, or a text to go on with (`/completions`).
        n_top: Above 0, one token is asked for, with so many of the likeliest ones.
    """

    form: Literal["chat", "text"] = "chat"
    n_top: int = 0


CHAT = Manner()


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered.

    Attributes:
        text: Without the thoughts that some models write first.
        finish: `stop`, or `length` where the answer was cut off, or what the endpoint said.
        model: The name that the endpoint gave.
        raw: With thoughts, where there are some: an open block where they did not come to an end.
        n_prompt_tokens, n_tokens: What the endpoint counted; 0 where it did not.
        top: The likeliest first tokens with their log-probabilities, where they were asked for.
    """

    text: str
    finish: str
    model: str
    raw: str = ""
    n_prompt_tokens: int = 0
    n_tokens: int = 0
    top: tuple[tuple[str, float], ...] = ()

    @property
    def output(self) -> str:
        """Return all that the model wrote."""
        return self.raw or self.text


class Unanswered(Exception):
    """One question without an answer; `is_final` where another try would not help."""

    def __init__(self, reason: str, *, is_final: bool = False, wait_s: float | None = None) -> None:
        self.reason, self.is_final, self.wait_s = reason, is_final, wait_s
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint whose address was checked; safe to use from many threads.

    Attributes:
        config: Its settings.
        host, port, path, is_https: Parts of the address; the path is that of the API.
        addresses: What the host's name stands for; no other address is called.
        key: The secret, or None.
    """

    config: EndpointConfig
    host: str
    port: int
    path: str
    is_https: bool
    addresses: tuple[str, ...]
    key: str | None = None

    def __repr__(self) -> str:
        return f"Endpoint({self.config.model!r})"

    def ask(self, messages: Sequence[Message], manner: Manner = CHAT) -> Reply:
        """Return the answer to one conversation; one try.

        Raises:
            Unanswered: No answer this time (busy, slow, broken), or to this question at all.
            EndpointFailed: The endpoint refuses every call: no such path, no right.
        """
        place = "/completions" if manner.form == "text" else "/chat/completions"
        raw = self._call("POST", place, _body(self.config, messages, manner))
        return _to_reply(raw)

    def models(self) -> tuple[str, ...]:
        """Return the names of the models that the endpoint has; errors as in `ask`."""
        try:
            value = cast(dict[str, Any], json.loads(self._call("GET", "/models", None)))
            return tuple(str(one["id"]) for one in value["data"])
        except (ValueError, LookupError, TypeError):
            raise Unanswered("not an answer of the API") from None

    def _call(self, method: str, place: str, body: bytes | None) -> bytes:
        deadline = time.monotonic() + self.config.timeout_s
        try:
            status, wait, raw = self._send(method, self.path + place, body, deadline)
        except (OSError, http.client.HTTPException) as error:
            raise Unanswered(type(error).__name__) from None
        if status in _WRONG_CALL:
            expected = "url, model, key_variable / key_file"
            raise EndpointFailed(where=self.host, found=f"HTTP {status}", expected=expected)
        if status != http.client.OK:
            if status < 500 and _TOO_LONG.search(raw.decode("utf-8", "replace")):
                raise Unanswered(TOO_LONG, is_final=True)
            is_final = status < 500 and status not in _WORTH_TRYING
            raise Unanswered(f"HTTP {status}", is_final=is_final, wait_s=wait)
        return raw

    def _send(
        self, method: str, path: str, body: bytes | None, deadline: float
    ) -> tuple[int, float | None, bytes]:
        connection = self._connect(deadline)
        with contextlib.closing(connection):
            connection.request(method, path, body, self._headers())
            response = connection.getresponse()
            raw = bytearray()
            while part := response.read1(2**16):
                raw += part
                if len(raw) > _MOST_BYTES or time.monotonic() > deadline:
                    raise TimeoutError
                if connection.sock is not None:
                    connection.sock.settimeout(max(0.01, deadline - time.monotonic()))
            return response.status, _seconds(response.getheader("Retry-After")), bytes(raw)

    def _connect(self, deadline: float) -> http.client.HTTPConnection:
        """Connect to a checked address; the name is for the server and its certificate alone."""
        left = max(0.01, deadline - time.monotonic())
        connection = http.client.HTTPConnection(self.host, self.port, timeout=left)
        connection.sock = self._reach(left)
        if self.is_https:
            context = ssl.create_default_context()
            connection.sock = context.wrap_socket(connection.sock, server_hostname=self.host)
        return connection

    def _reach(self, timeout_s: float) -> socket.socket:
        for address in self.addresses[:-1]:
            with contextlib.suppress(OSError):
                return socket.create_connection((address, self.port), timeout=timeout_s)
        return socket.create_connection((self.addresses[-1], self.port), timeout=timeout_s)

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Connection": "close"}
        return {**headers, "Authorization": f"Bearer {self.key}"} if self.key else headers


def open_endpoint(
    config: EndpointConfig, *, allow_remote: bool, is_private: bool = False
) -> Endpoint:
    """Check the address and read the key; ask nothing.

    Args:
        config: The settings.
        allow_remote: Whether text may leave the local network.
        is_private: Whether the text is patients': then it never leaves, whatever is allowed.

    Raises:
        InvalidValue: An address that is none, or a variable without a key.
        RemoteRefused: An address beyond the local network.
        EndpointFailed: A name that nothing answers to.
        PathMissing: No file of the key.
    """
    parts = urlsplit(config.url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise InvalidValue(where="url", found="?", expected="http://HOST:PORT/v1, without a key")
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (ValueError, OSError):
        raise EndpointFailed(where=parts.hostname, found="no address", expected="url") from None
    addresses = tuple(dict.fromkeys(str(one[4][0]) for one in found))
    if not (allow_remote and not is_private):
        _check_near(parts.hostname, addresses)
    path = parts.path.rstrip("/")
    is_https = parts.scheme == "https"
    return Endpoint(config, parts.hostname, port, path, is_https, addresses, _read_key(config))


def _check_near(host: str, addresses: Sequence[str]) -> None:
    """Refuse a name if any of its addresses lies outside."""
    for text in addresses:
        address = ipaddress.ip_address(text.partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        near = mapped or address
        if not any(near in network for network in _NEAR):
            expected = "127.0.0.1, 10.*, 172.16–31.*, 192.168.*"
            raise RemoteRefused(where=host, found=str(address), expected=expected)


def _read_key(config: EndpointConfig) -> str | None:
    if config.key_file:
        path = Path(config.key_file).expanduser()
        if not path.is_file():
            raise PathMissing(where="key_file")
        key = path.read_text(encoding="utf-8", errors="replace").strip()
    elif config.key_variable:
        key = os.environ.get(config.key_variable, "").strip()
    else:
        return None
    if not re.fullmatch(r"[!-~]+", key):
        raise InvalidValue(where="key_variable / key_file", found="?", expected="a key in one line")
    return key


def question_key(config: EndpointConfig, messages: Sequence[Message], manner: Manner = CHAT) -> str:
    """Return the name of a question: a hash of its words, the model, its settings, the manner."""
    settings = config.model_dump(mode="json")
    words = [[message.role, message.content] for message in messages]
    put = [] if manner == CHAT else [[manner.form, manner.n_top]]
    return hashlib.sha256(canonical_json([settings, words, *put])).hexdigest()[:32]


def _body(config: EndpointConfig, messages: Sequence[Message], manner: Manner) -> bytes:
    value: dict[str, Any] = {
        "model": config.model,
        "temperature": config.temperature,
        "max_tokens": 1 if manner.n_top else config.max_tokens,
        "stream": False,
    }
    if manner.form == "text":
        value["prompt"] = messages[0].content
        value |= {"logprobs": manner.n_top} if manner.n_top else {}
    else:
        value["messages"] = [{"role": m.role, "content": m.content} for m in messages]
        value |= {"logprobs": True, "top_logprobs": manner.n_top} if manner.n_top else {}
    if config.seed is not None:
        value["seed"] = config.seed
    if config.thinking is not None:  # vLLM's name, and llama.cpp's
        value["chat_template_kwargs"] = {"enable_thinking": config.thinking}
    return json.dumps(value, ensure_ascii=False).encode()


def _to_reply(raw: bytes) -> Reply:
    try:
        value = cast(dict[str, Any], json.loads(raw))
        choice = value["choices"][0]
        message = choice["message"] if "message" in choice else {"content": choice["text"]}
        content = message["content"]
        finish = str(choice.get("finish_reason") or "stop")
        usage = value.get("usage") or {}
        counts = [int(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens")]
        top = _top(choice.get("logprobs"))
        thoughts = message.get("reasoning_content") or message.get("reasoning") or ""
    except (ValueError, LookupError, TypeError, AttributeError):
        raise Unanswered("not an answer of the API") from None
    said = content if isinstance(content, str) else ""
    text = _THINKING.sub("", said).strip()
    if isinstance(thoughts, str) and thoughts.strip():  # apart from the answer: put before it again
        said = f"<think>{thoughts}" + (f"</think>{said}" if said.strip() else "")
    model = str(value.get("model") or "")
    return Reply(text, finish, model, said if said != text else "", counts[0], counts[1], top)


def _top(logprobs: Any) -> tuple[tuple[str, float], ...]:
    """Return the likeliest first tokens; the forms of chats and of texts differ."""
    if not logprobs:
        return ()
    if content := logprobs.get("content"):
        return tuple((str(o["token"]), float(o["logprob"])) for o in content[0]["top_logprobs"])
    if found := logprobs.get("top_logprobs"):
        return tuple((str(token), float(value)) for token, value in found[0].items())
    return ()


def _seconds(header: str | None) -> float | None:
    return float(header) if header and re.fullmatch(r"[0-9]{1,4}(?:\.[0-9]+)?", header) else None
