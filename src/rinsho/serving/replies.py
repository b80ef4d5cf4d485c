"""Errors as OpenAI's clients expect them, with rinsho's code and a text in two languages."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from fastapi.responses import JSONResponse

from rinsho.errors import (
    AuditBroken,
    AuditFailed,
    BadRequest,
    BatchUnknown,
    Busy,
    ConstraintRefused,
    InvalidValue,
    KeyLimit,
    KeyRefused,
    ModelCannot,
    ModelUnknown,
    NoModel,
    NothingToRead,
    OriginRefused,
    RequestTooLarge,
    RinshoError,
    RoleRefused,
    RouteUnknown,
    SequenceTooLong,
    ServerFault,
    TemplateRefused,
    TextTooLong,
    TooManyConnections,
)

STATUS: dict[type[RinshoError], int] = {
    BadRequest: 400,
    SequenceTooLong: 400,
    ConstraintRefused: 400,
    InvalidValue: 400,
    ModelCannot: 400,
    NothingToRead: 400,
    TemplateRefused: 400,
    KeyRefused: 401,
    OriginRefused: 403,
    RoleRefused: 403,
    ModelUnknown: 404,
    NoModel: 404,
    RouteUnknown: 404,
    BatchUnknown: 404,
    RequestTooLarge: 413,
    TextTooLong: 413,
    Busy: 429,
    KeyLimit: 429,
    ServerFault: 500,
    AuditFailed: 503,
    TooManyConnections: 503,
    AuditBroken: 503,
}
KINDS = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
    500: "server_error",
    503: "server_error",
}
_HEADERS: dict[int, dict[str, str]] = {
    401: {"WWW-Authenticate": "Bearer"},
    429: {"Retry-After": "1"},
    503: {"Retry-After": "1"},
}
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")  # anything else in a place may be a note's text


def error_body(error: RinshoError) -> dict[str, Any]:
    """Return the body of an error; `code` is rinsho's, `message` English, `message_ja` Japanese."""
    status = status_of(error)
    kind = KINDS.get(status, "invalid_request_error")
    english = f"{error.message('en')}. Next step: {error.next_step('en')}"
    japanese = f"{error.message('ja')}。{error.next_step('ja')}"
    param = error.where if isinstance(error, BadRequest) else None
    fields = {"message": english, "message_ja": japanese, "type": kind, "param": param}
    return {"error": {**fields, "code": error.code}}


def status_of(error: RinshoError) -> int:
    """Return the HTTP status of an error."""
    return STATUS.get(type(error), 500)


def error_response(error: RinshoError) -> JSONResponse:
    """Return an error as a response."""
    status = status_of(error)
    headers = _HEADERS.get(status)
    if isinstance(error, TooManyConnections):  # the place is for another connection
        headers = {**_HEADERS[503], "Connection": "close"}
    return JSONResponse(error_body(error), status_code=status, headers=headers)


def to_bad_request(problems: Sequence[Any]) -> BadRequest:
    """Return what was wrong with a body, without a word of it.

    Args:
        problems: The errors that pydantic found, at least one.
    """
    problem = problems[0]
    if problem["type"] == "json_invalid":
        return BadRequest(where="body", found="not JSON", expected="a JSON object in UTF-8")
    return BadRequest(
        where=_place(problem["loc"]), found=problem["type"], expected=_expected(problem)
    )


def _place(loc: Sequence[str | int]) -> str:
    parts = [str(part) for part in loc if part != "body"]
    named = [part if part.isdigit() or _KEY.fullmatch(part) else "?" for part in parts]
    return ".".join(named) or "body"


def _expected(problem: Any) -> str:
    if problem["type"] == "extra_forbidden":
        return "no such field"
    return str(problem["msg"]).removeprefix("Input should be ").removeprefix("Value error, ")


def event(value: dict[str, Any]) -> bytes:
    """Return a server-sent event."""
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()
