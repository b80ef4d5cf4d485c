"""Asking a model behind an OpenAI-compatible address: what arrived is never asked for again."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rinsho.corpus.document import Message
from rinsho.corpus.endpoint import (
    CHAT,
    TOO_LONG,
    Endpoint,
    EndpointConfig,
    Manner,
    Reply,
    Unanswered,
    open_endpoint,
)
from rinsho.corpus.replies import Asked as Outcome
from rinsho.corpus.replies import Question, ReplyStore, ask_all, to_question
from rinsho.errors import EndpointFailed, ModelCannot
from rinsho.evaluation.answer_record import Answer
from rinsho.evaluation.asking import Asked
from rinsho.evaluation.opened_model import OpenedModel
from rinsho.evaluation.parse import has_thinking

# How many of the likeliest tokens servers give: OpenAI's chats and vLLM 20, OpenAI's texts 5.
_N_TOP = (20, 5)
_PROBE = {  # says nothing of anybody; asked before any question is
    "chat": (Message("user", "1 + 1 = ? A. 1 B. 2\nAnswer with one letter."),),
    "text": (Message("user", "1 + 1 = ?\nA. 1\nB. 2\nAnswer:"),),
}


@contextlib.contextmanager
def reach(
    config: EndpointConfig | None,
    opened: OpenedModel | None,
    *,
    max_new_tokens: int,
    thinking: bool | None,
    threads: int | None,
    allow_remote: bool,
    is_private: bool,
) -> Generator[Endpoint, None, None]:
    """Yield a checked endpoint: the one of the config, or llama.cpp's server over a GGUF file.

    Raises:
        RemoteRefused, EndpointFailed, InvalidValue, PathMissing: As `open_endpoint`; nothing is
            asked.
        MissingDependency: A GGUF file, and llama-server is not installed.
    """
    changes = {"max_tokens": max_new_tokens, "thinking": thinking}
    if config is not None:
        checked = config.model_copy(update=changes)
        yield open_endpoint(checked, allow_remote=allow_remote, is_private=is_private)
        return
    assert opened is not None
    from rinsho.generation.llama_server import llama_server

    with llama_server(opened.path, threads=threads) as url:
        local = EndpointConfig.model_validate({"url": url, "model": opened.name, "n_parallel": 1})
        yield open_endpoint(local.model_copy(update=changes), allow_remote=False)


def only_model(endpoint: Endpoint) -> str:
    """Return the name of the only model of an endpoint.

    Raises:
        ModelCannot: There are several, or none; says which.
        EndpointFailed: It does not answer.
    """
    try:
        names = endpoint.models()
    except Unanswered as failure:
        raise _failed(endpoint, failure.reason) from None
    if len(names) != 1:
        expected = f"--model-name {' / '.join(names)[:200]}"
        raise ModelCannot(where=endpoint.host, found=f"{len(names)} models", expected=expected)
    return names[0]


@dataclass(frozen=True, slots=True)
class Offer:
    """What an endpoint can do, found out by one harmless question for each form."""

    n_top: int  # likeliest tokens that it gives; 0: none
    thinks: bool


def find_offer(endpoint: Endpoint, form: str) -> Offer:
    """Ask whether an endpoint gives log-probabilities, and whether its model thinks first.

    Raises:
        EndpointFailed: It does not answer at all.
    """
    manner = Manner("text" if form == "text" else "chat")
    for n_top in (*_N_TOP, 0):
        try:
            reply = endpoint.ask(_PROBE[form], dataclasses.replace(manner, n_top=n_top))
        except Unanswered as failure:
            if failure.is_final and n_top:
                continue  # it refuses to be asked so
            raise _failed(endpoint, failure.reason) from None
        except EndpointFailed:
            if form == "text":
                return Offer(0, thinks=False)  # no such path
            raise
        if n_top and reply.top:
            thinks = any("think" in token for token, _ in reply.top[:1])
            return Offer(n_top, thinks or has_thinking(reply.output))
    return Offer(0, thinks=False)


def _failed(endpoint: Endpoint, reason: str) -> EndpointFailed:
    return EndpointFailed(where=endpoint.host, found=reason, expected="url, model, timeout_s")


# ------------------------------------------------------------------------------- asking


@dataclass(frozen=True, slots=True)
class Heard:
    """The answers of an endpoint, in the order of the questions, and who had none."""

    answers: tuple[Answer, ...]
    n_refused: int  # that the endpoint would not answer: invalid, and counted


def ask_endpoint(
    endpoint: Endpoint,
    questions: Sequence[Asked],
    n_top: dict[str, int],
    store_path: Path,
    advance: Callable[[], None],
) -> Heard:
    """Ask what is not stored, several at once, with patience; an answer is on the disk at once.

    Args:
        endpoint: Who is asked.
        questions: The questions, sent as they are: the server's model may normalize them, or not.
        n_top: How many of the likeliest tokens to ask for, by form.
        store_path: Where answers are, and go.
        advance: Called for each question.

    Raises:
        EndpointFailed: It stopped answering. What arrived is kept for the next run.
    """

    def on_answer(_question: Question, _is_new: bool) -> None:
        advance()

    put = [to_question(endpoint, one.messages, _manner(one, n_top)) for one in questions]
    with ReplyStore(store_path) as store:
        outcome = ask_all(endpoint, put, store, on_answer, keeps_too_long=True)
        _refuse_gaps(endpoint, outcome)
        replies = [store.get(question.key) for question in put]
    answers = tuple(_to_answer(one, reply) for one, reply in zip(questions, replies, strict=True))
    return Heard(answers, n_refused=len(outcome.failures))


def _manner(asked: Asked, n_top: dict[str, int]) -> Manner:
    manner = Manner("text") if asked.is_text else CHAT
    if asked.method != "log-likelihood":
        return manner
    return dataclasses.replace(manner, n_top=n_top[asked.form])


def _refuse_gaps(endpoint: Endpoint, outcome: Outcome) -> None:
    """Let no question go unanswered because the endpoint was busy or down.

    One that the endpoint refuses (HTTP 4xx) would be refused again: it stays without an answer.
    """
    passing = [
        reason
        for reason in outcome.failures.values()
        if not reason.startswith("HTTP 4") or reason in ("HTTP 408", "HTTP 429")
    ]
    if passing:
        raise _failed(endpoint, f"{passing[0]} × {len(passing)}")


def _to_answer(asked: Asked, reply: Reply | None) -> Answer:
    given = Answer(
        asked.benchmark.name,
        asked.item.id,
        asked.method,
        asked.prompt_sha256,
        shots=asked.item.shot_ids,
    )
    if reply is None or reply.finish == TOO_LONG:
        return dataclasses.replace(given, is_too_long=reply is not None)
    counted = dataclasses.replace(
        given, n_prompt_tokens=reply.n_prompt_tokens, n_tokens=reply.n_tokens
    )
    if asked.method == "log-likelihood":
        scores = letter_scores(asked.item.letters, reply.top)
        return dataclasses.replace(counted, log_likelihoods=scores)
    is_truncated = reply.finish == "length"
    return dataclasses.replace(counted, output=reply.output, is_truncated=is_truncated)


def letter_scores(letters: str, top: Sequence[tuple[str, float]]) -> tuple[float, ...]:
    """Return the log-probability of each letter among the likeliest first tokens.

    A letter that is not among them gets that of the least likely one, which is an upper bound: the
    likeliest letter is right wherever one of them is there. Where none is, there are no scores.

    >>> letter_scores("AB", [("B", -0.25), ("はい", -2.0)])
    (-2.0, -0.25)
    >>> letter_scores("AB", [("はい", -0.1)])
    ()
    """
    found: dict[str, float] = {}
    for token, value in top:
        letter = token.strip()
        if len(letter) == 1 and letter in letters:
            found[letter] = _add_logs(found.get(letter, -math.inf), value)
    if not found:
        return ()
    least = min(value for _, value in top)
    return tuple(found.get(letter, least) for letter in letters)


def _add_logs(one: float, other: float) -> float:
    high, low = max(one, other), min(one, other)
    return high + math.log1p(math.exp(low - high))
