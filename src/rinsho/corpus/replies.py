"""Answers of an endpoint, kept as they arrive: a run that is killed asks only what is missing."""

from __future__ import annotations

import fcntl
import json
import os
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from rinsho.corpus.document import Message
from rinsho.corpus.endpoint import (
    CHAT,
    TOO_LONG,
    Endpoint,
    Manner,
    Reply,
    Unanswered,
    question_key,
)
from rinsho.errors import EndpointFailed, FolderLocked

LONGEST_WAIT_S = 120.0
_ALWAYS = ("text", "finish", "model")  # fields of a stored answer that say something when empty
MOST_FAILURES_IN_A_ROW = 12  # a server that fails so often is not asked the rest


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked; its key tells words, model and settings."""

    key: str
    messages: tuple[Message, ...]
    manner: Manner = CHAT


def to_question(endpoint: Endpoint, messages: Sequence[Message], manner: Manner = CHAT) -> Question:
    """Return a question with its key."""
    return Question(question_key(endpoint.config, messages, manner), tuple(messages), manner)


class ReplyStore:
    """A file of answers by key, only appended to; memory is about 200 bytes an answer.

    A line that a crash cut off is removed when the file is opened again.
    """

    def __init__(self, path: Path) -> None:
        """Open or make the file.

        Raises:
            FolderLocked: Another process writes it.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = path.open("a+b", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise FolderLocked(where=path.name) from None
        self._lock = threading.Lock()
        self._places: dict[bytes, int] = {}
        self._end = self._read_places(path)
        self._file.truncate(self._end)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, t: TracebackType | None
    ) -> None:
        self._file.close()

    def __contains__(self, key: str) -> bool:
        return bytes.fromhex(key) in self._places

    def __len__(self) -> int:
        return len(self._places)

    def get(self, key: str) -> Reply | None:
        """Return the answer, or None where there is none."""
        place = self._places.get(bytes.fromhex(key))
        if place is None:
            return None
        self._file.seek(place)
        with os.fdopen(os.dup(self._file.fileno()), "rb") as file:
            value = json.loads(file.readline())
        del value["key"]
        value["top"] = tuple((token, log_prob) for token, log_prob in value.get("top", ()))
        return Reply(**value)

    def put(self, key: str, reply: Reply) -> None:
        """Append an answer, from any thread; it is on the disk when this returns."""
        said = {name: one for name, one in asdict(reply).items() if one or name in _ALWAYS}
        line = json.dumps({"key": key, **said}, ensure_ascii=False).encode() + b"\n"
        with self._lock:
            self._file.write(line)
            self._places[bytes.fromhex(key)] = self._end
            self._end += len(line)
        os.fsync(self._file.fileno())

    def _read_places(self, path: Path) -> int:
        """Note where each whole line begins; return where the last one ends."""
        end = 0
        with path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._places[bytes.fromhex(json.loads(line)["key"])] = end
                end += len(line)
        return end


@dataclass(slots=True)
class Asked:
    """What became of the questions of one run.

    Attributes:
        n_new: Answers that arrived in this run.
        failures: Questions without an answer: key to reason.
        tries: How often calls failed, by reason; times and loads differ between runs.
    """

    n_new: int = 0
    failures: dict[str, str] = field(default_factory=dict[str, str])
    tries: Counter[str] = field(default_factory=Counter[str])


# A question and why it has no answer ("" where it has one), or the end of a worker.
_Outcome = tuple[Question | None, str | BaseException | None, Counter[str]]


def ask_all(
    endpoint: Endpoint,
    questions: Iterable[Question],
    store: ReplyStore,
    on_answer: Callable[[Question, bool], None],
    *,
    keeps_too_long: bool = False,
) -> Asked:
    """Ask every question whose answer is not stored, some at once; answers go to the store.

    Args:
        endpoint: Who is asked.
        questions: Read as they are needed; one asked twice is asked once.
        store: Where answers are, and go.
        on_answer: Called for each question, and whether it has an answer.
        keeps_too_long: Whether "too long" is an answer, with that finish: no other run asks again.

    Raises:
        EndpointFailed: Every call is refused, or too many failed in a row. What arrived is kept.
    """
    asked, outcomes = Asked(), queue.SimpleQueue[_Outcome]()
    todo, stop = _Todo(questions, store, on_answer), threading.Event()
    pace = _Pace(endpoint.config.max_per_minute, stop)
    n_workers, n_in_a_row = endpoint.config.n_parallel, 0
    for number in range(n_workers):
        arguments = (endpoint, todo, store, outcomes, stop, pace, keeps_too_long)
        name = f"ask-{number}"
        threading.Thread(target=_work, args=arguments, name=name, daemon=True).start()
    try:
        while n_workers:
            question, outcome, tries = outcomes.get()
            asked.tries.update(tries)
            if question is None:
                n_workers -= 1
                if isinstance(outcome, BaseException):
                    raise outcome
                continue
            n_in_a_row = n_in_a_row + 1 if outcome else 0
            if outcome:
                asked.failures[question.key] = str(outcome)
            asked.n_new += not outcome
            on_answer(question, not outcome)
            if n_in_a_row >= MOST_FAILURES_IN_A_ROW:
                found = ", ".join(f"{reason} × {n}" for reason, n in asked.tries.most_common(3))
                expected = "url, model, timeout_s, max_tokens"
                raise EndpointFailed(where=endpoint.host, found=found, expected=expected)
    finally:
        stop.set()  # workers that still wait end with this process
    return asked


class _Todo:
    """Questions that workers take one by one; those with an answer are passed over."""

    def __init__(
        self,
        questions: Iterable[Question],
        store: ReplyStore,
        on_answer: Callable[[Question, bool], None],
    ) -> None:
        self._questions: Iterator[Question] = iter(questions)
        self._store, self._on_answer = store, on_answer
        self._taken: set[bytes] = set()
        self._lock = threading.Lock()

    def take(self) -> Question | None:
        with self._lock:
            for question in self._questions:
                key = bytes.fromhex(question.key)
                if question.key in self._store:
                    self._on_answer(question, True)
                elif key not in self._taken:
                    self._taken.add(key)
                    return question
            return None


class _Pace:
    """Lets calls begin no faster than a number a minute, those of all workers together."""

    def __init__(self, max_per_minute: float | None, stop: threading.Event) -> None:
        self._seconds = 60 / max_per_minute if max_per_minute else 0.0
        self._stop, self._lock, self._next = stop, threading.Lock(), 0.0

    def wait(self) -> None:
        if not self._seconds:
            return
        with self._lock:
            begin = max(self._next, time.monotonic())
            self._next = begin + self._seconds
        self._stop.wait(begin - time.monotonic())


def _work(
    endpoint: Endpoint,
    todo: _Todo,
    store: ReplyStore,
    outcomes: queue.SimpleQueue[_Outcome],
    stop: threading.Event,
    pace: _Pace,
    keeps_too_long: bool,
) -> None:
    """Ask until nothing is left; an answer is on the disk before the next question goes out."""
    try:
        while not stop.is_set() and (question := todo.take()) is not None:
            tries = Counter[str]()
            outcome = _ask_with_patience(endpoint, question, tries, stop, pace)
            if keeps_too_long and isinstance(outcome, Unanswered) and outcome.reason == TOO_LONG:
                outcome = Reply("", TOO_LONG, "")
            if isinstance(outcome, Reply):
                store.put(question.key, outcome)
            outcomes.put((question, "" if isinstance(outcome, Reply) else outcome.reason, tries))
        outcomes.put((None, None, Counter()))
    except BaseException as error:
        outcomes.put((None, error, Counter()))


def _ask_with_patience(
    endpoint: Endpoint,
    question: Question,
    tries: Counter[str],
    stop: threading.Event,
    pace: _Pace,
) -> Reply | Unanswered:
    """Ask again where it may help, after a wait that doubles or that the server asked for."""
    last = Unanswered("stopped")
    for attempt in range(endpoint.config.n_tries):
        pace.wait()
        if stop.is_set():
            return last
        try:
            return endpoint.ask(question.messages, question.manner)
        except Unanswered as failure:
            last = failure
            tries[failure.reason] += 1
            if failure.is_final:
                return failure
        is_last = attempt + 1 == endpoint.config.n_tries
        wait = max(endpoint.config.backoff_s * 2**attempt, last.wait_s or 0.0)
        if is_last or stop.wait(min(wait, LONGEST_WAIT_S)):
            return last
    return last
