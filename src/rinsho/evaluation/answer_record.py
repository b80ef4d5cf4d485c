"""One line of `answers.jsonl`: what was asked, by hash, and what came back."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from rinsho.errors import AnswersIncomplete, BrokenRecord, FolderLocked
from rinsho.evaluation.benchmark import Method

ANSWERS = "answers.jsonl"
FREE = "free-generation"  # stands for the benchmark of seeded generations without a gold answer


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine said to one item by one method."""

    benchmark: str
    item: str
    method: Method
    prompt_sha256: str
    output: str = ""
    log_likelihoods: tuple[float, ...] = ()  # one a choice; of a text: one, its end left out
    n_prompt_tokens: int = 0
    n_tokens: int = 0  # generated, or scored
    seed: int = 0
    is_too_long: bool = False  # did not fit the context: counted as wrong, never cut
    prompt: str | None = None
    is_truncated: bool = False  # ended by the budget of tokens or the context, not by the model
    shots: tuple[str, ...] = ()  # ids of the demonstrations before the question

    @property
    def key(self) -> tuple[str, str, str]:
        """Return what makes an answer one of its kind."""
        return (self.benchmark, self.item, self.method)


def to_line(answer: Answer) -> bytes:
    """Return the JSON line of an answer; prompt, shots and truncation only where there are some."""
    value = dataclasses.asdict(answer)
    if answer.prompt is None:
        del value["prompt"]
    if not answer.shots:
        del value["shots"]
    if not answer.is_truncated:
        del value["is_truncated"]
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def read_answers(folder: Path) -> tuple[Answer, ...]:
    """Read the answers of a finished folder.

    Raises:
        AnswersIncomplete: There is none.
        BrokenRecord: A line that is not an answer.
    """
    lines = (folder / ANSWERS).read_bytes().splitlines()
    if not lines:
        raise AnswersIncomplete(where=f"{folder.name}/{ANSWERS}", expected="1 …", found=0)
    return tuple(_to_answer(line, number) for number, line in enumerate(lines, start=1))


def _to_answer(line: bytes, number: int) -> Answer:
    try:
        value: dict[str, Any] = json.loads(line)
        value["log_likelihoods"] = tuple(value["log_likelihoods"])
        value["shots"] = tuple(value.get("shots", ()))
        return Answer(**value)
    except (ValueError, TypeError, KeyError):
        place = f"{ANSWERS} line {number}"
        raise BrokenRecord(where=place, found="JSON", expected="an answer") from None


class AnswerLog:
    """Answers that survive a kill: appended line by line, flushed to the disk every few of them.

    A line that a kill cut short is dropped on reopening and answered again.

    Raises:
        FolderLocked: Another process writes there.
    """

    def __init__(self, path: Path, n_between_flushes: int = 8) -> None:
        self._n_between_flushes = n_between_flushes
        self._n_waiting = 0
        path.touch(mode=0o600)
        self._file: IO[bytes] = path.open("r+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise FolderLocked(where=path.name) from None
        whole = path.read_bytes()
        whole = whole[: whole.rfind(b"\n") + 1]
        lines = enumerate(whole.splitlines(), start=1)
        self.answers = {a.key: a for a in (_to_answer(line, number) for number, line in lines)}
        self._file.truncate(len(whole))
        self._file.seek(len(whole))

    def add(self, answer: Answer) -> None:
        """Keep an answer."""
        self._file.write(to_line(answer))
        self.answers[answer.key] = answer
        self._n_waiting += 1
        if self._n_waiting >= self._n_between_flushes:
            self.flush()

    def flush(self) -> None:
        """Put what waits on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._n_waiting = 0

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        self._file.close()


def write_answers(path: Path, answers: Iterable[Answer]) -> int:
    """Write answers in the given order; return how many."""
    n_answers = 0
    with path.open("wb") as file:
        for answer in answers:
            file.write(to_line(answer))
            n_answers += 1
    return n_answers
