"""What answers requests: the loaded engines, each with its thread, and what keeps count of them."""

from __future__ import annotations

from starlette.requests import Request

from rinsho.clinical.codes import CodeIndex
from rinsho.clinical.extract import Extractor
from rinsho.errors import ModelUnknown, NoModel
from rinsho.generation.language_model import LanguageModel
from rinsho.model.relation_finder import RelationFinder
from rinsho.serving.access import Caller, caller_of
from rinsho.serving.audit import AuditLog
from rinsho.serving.limits import Limits
from rinsho.serving.metrics import Metrics
from rinsho.serving.model_thread import ModelThread


class Engines:
    """The engines of one server.

    Attributes:
        index: Names with codes; None: `/v1/codes` answers that there is none.
        audit: Where every operation is written down; None: nowhere.
        finder: Relates the mentions of notes; None: who asks for relations is refused.
    """

    def __init__(
        self,
        model: LanguageModel | None,
        extractor: Extractor,
        limits: Limits,
        index: CodeIndex | None = None,
        audit: AuditLog | None = None,
        finder: RelationFinder | None = None,
    ) -> None:
        self.model = model
        self.extractor = extractor
        self.limits = limits
        self.index = index
        self.audit = audit
        self.finder = finder
        self.metrics = Metrics()
        self.chat_thread = ModelThread("chat", limits.max_waiting, limits.max_running)
        self.note_thread = ModelThread("notes", limits.max_waiting)

    def chat_model(self, name: str) -> LanguageModel:
        """Return the chat model, if it is the one that a request names.

        Raises:
            NoModel: The server was started without one.
            ModelUnknown: It has another name.
        """
        if self.model is None:
            raise NoModel(where="chat")
        if name != self.model.name:
            raise ModelUnknown(where="model", expected=self.model.name)
        return self.model

    async def record(self, caller: Caller, operation: str, given_id: str | None, text: str) -> None:
        """Write an operation into the audit log; no answer leaves before that is done.

        Raises:
            AuditFailed, AuditBroken: The request must not be answered.
        """
        if self.audit is not None:
            await self.audit.record(caller.name or "-", operation, given_id, text)

    def gauges(self) -> dict[str, float]:
        """Return what waits and what runs."""
        threads = {"chat": self.chat_thread, "notes": self.note_thread}
        waiting = {f'waiting{{engine="{name}"}}': one.n_waiting for name, one in threads.items()}
        running = {f'running{{engine="{name}"}}': one.n_running for name, one in threads.items()}
        audit = {"audit_lines": self.audit.head.n_lines} if self.audit else {}
        return {**waiting, **running, **audit}

    def close(self) -> None:
        """Stop both threads."""
        self.chat_thread.close()
        self.note_thread.close()


def caller_in(connection: Request) -> Caller:
    """Return who sent a request that `Access` let in."""
    caller = caller_of(connection.scope.get("state", {}))
    assert caller is not None  # only open paths have none, and they do not ask
    return caller
