"""Which questions are asked of an engine, together or alone, and what is already answered."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rinsho.corpus.document import Message
from rinsho.evaluation.answer_record import Answer, AnswerLog
from rinsho.evaluation.benchmark import Item, Method
from rinsho.evaluation.catalogue import LoadedBenchmark
from rinsho.evaluation.engines import Engine
from rinsho.evaluation.model_engine import ModelEngine
from rinsho.evaluation.prompts import hash_messages, hash_prompt, messages_of, prompt_of
from rinsho.manifest import canonical_json

# Log-likelihoods of so many questions are computed together. Which ones are depends on the
# questions of the run alone, so that a run that was killed gives the same bytes.
N_TOGETHER = 64


@dataclass(frozen=True, slots=True)
class Asked:
    """One item, asked by one method."""

    benchmark: LoadedBenchmark
    item: Item
    method: Method

    @property
    def key(self) -> tuple[str, str, str]:
        """Return what its answer is known by."""
        return (self.benchmark.name, self.item.id, self.method)

    @property
    def messages(self) -> tuple[Message, ...]:
        """Return what is sent: the publishers' own prompt where that is the method."""
        protocol = self.benchmark.benchmark.official
        if self.method == "official" and protocol is not None:
            return protocol.ask(self.item, self.benchmark.items)
        return messages_of(self.item)

    @property
    def is_text(self) -> bool:
        """Tell whether it is one plain text, without a chat template."""
        protocol = self.benchmark.benchmark.official
        if self.method == "official" and protocol is not None:
            return protocol.is_raw_text
        return self.item.is_plain or self.item.form == "text"

    @property
    def form(self) -> Literal["chat", "text"]:
        """Return which of a server's two ways of asking it takes."""
        return "text" if self.is_text else "chat"

    @property
    def prompt(self) -> str:
        """Return what is sent, as one text."""
        if self.method == "official":
            return "\n\n".join(message.content for message in self.messages)
        return prompt_of(self.item)

    @property
    def prompt_sha256(self) -> str:
        """Return the hash of what is sent."""
        if self.method == "official":
            return hash_messages(self.messages)
        return hash_prompt(self.item)


def ask(engine: Engine, questions: Sequence[Asked]) -> list[Answer]:
    """Answer questions that belong together: log-likelihoods at once, others one by one."""
    if not isinstance(engine, ModelEngine):
        return [engine.answer(q.benchmark.name, q.item, q.method) for q in questions]
    if questions[0].method == "log-likelihood":
        return engine.score_many([(q.benchmark.name, q.item) for q in questions])
    return [
        engine.answer_messages(
            q.benchmark.name, q.item, q.messages, method=q.method, is_raw_text=q.is_text
        )
        for q in questions
    ]


def groups(questions: Sequence[Asked], engine: Engine) -> Iterator[Sequence[Asked]]:
    """Yield the questions that are answered together."""
    is_together = isinstance(engine, ModelEngine)
    scored = [q for q in questions if is_together and q.method == "log-likelihood"]
    for start in range(0, len(scored), N_TOGETHER):
        yield scored[start : start + N_TOGETHER]
    alone = {q.key for q in scored}
    yield from ([q] for q in questions if q.key not in alone)


def missing_answers(
    questions: Sequence[Asked], engine: Engine, log: AnswerLog, cache: AnswerCache
) -> Iterator[tuple[Asked, Answer]]:
    """Yield the answers that are not in the log; one that is in the cache is not computed."""
    for group in groups(questions, engine):
        missing = [q for q in group if q.key not in log.answers]
        if not missing:
            continue
        known = {q.key: cache.get(q) for q in missing}
        if any(found is None for found in known.values()):
            # Whole groups are computed again: what is together decides the last digits.
            computed = {q.key: given for q, given in zip(group, ask(engine, group), strict=True)}
        else:
            computed = {}
        for question in missing:
            given = known[question.key] or computed[question.key]
            cache.put(question, given)
            yield question, given


class AnswerCache:
    """Answers by (model, prompt, settings), shared by runs; without a folder it holds nothing.

    Args:
        folder: Where the file of each model lies, readable by its owner alone.
        model: The hash of the model.
        settings: Of generation: what else decides an answer.
    """

    def __init__(self, folder: Path | None, model: str, settings: object) -> None:
        self._basis = [model, settings]
        self._log: AnswerLog | None = None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._log = AnswerLog(folder / f"{model[:32]}.jsonl")
        self.n_used = 0

    def get(self, question: Asked) -> Answer | None:
        """Return a known answer as that of this question."""
        if self._log is None:
            return None
        found = self._log.answers.get(("", self._name(question), question.method))
        if found is None:
            return None
        self.n_used += 1
        return dataclasses.replace(found, benchmark=question.benchmark.name, item=question.item.id)

    def put(self, question: Asked, given: Answer) -> None:
        """Remember an answer, without its prompt."""
        name = self._name(question)
        if self._log is not None and ("", name, question.method) not in self._log.answers:
            kept = dataclasses.replace(given, benchmark="", item=name, prompt=None)
            self._log.add(kept)

    def _name(self, question: Asked) -> str:
        letters = question.item.letters if question.method == "log-likelihood" else ""
        parts = [*self._basis, question.prompt_sha256, question.method, letters]
        return hashlib.sha256(canonical_json(parts)).hexdigest()

    def close(self) -> None:
        """Put what waits on the disk."""
        if self._log is not None:
            self._log.close()
