"""Questions about a text and drafts of letters: with the model where one is loaded and wanted."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.responses import Response
from pydantic import Field

from rinsho.clinical.ask import ask_steps
from rinsho.clinical.draft import DraftForm, draft_steps
from rinsho.clinical.notes import Note, check_length
from rinsho.errors import NoModel
from rinsho.generation.language_model import LanguageModel
from rinsho.serving.answering import Work, answer
from rinsho.serving.engines import Engines
from rinsho.serving.note_routes import DocumentId
from rinsho.serving.requests import RequestModel, Text

MAX_NOTES = 200


class AskRequest(RequestModel):
    """The body of `/v1/ask`."""

    text: Text
    question: Annotated[Text, Field(min_length=1, max_length=2_000)]
    use_model: bool = False
    id: DocumentId | None = None


class DraftRequest(RequestModel):
    """The body of `/v1/draft`: the notes of one patient, in their order."""

    notes: Annotated[list[Text], Field(min_length=1, max_length=MAX_NOTES)]
    form: DraftForm = "discharge-summary"
    use_model: bool = False
    id: DocumentId | None = None


def add_letter_routes(app: FastAPI, engines: Engines) -> None:
    """Add `/v1/ask` and `/v1/draft`."""

    @app.post("/v1/ask")
    async def ask_text(request: AskRequest, connection: Request) -> Response:
        return await answer(engines, connection, ask_work(engines, request))

    @app.post("/v1/draft")
    async def draft_letter(request: DraftRequest, connection: Request) -> Response:
        return await answer(engines, connection, draft_work(engines, request))


def ask_work(engines: Engines, request: AskRequest) -> Work:
    """Return the work of answering from a text.

    Raises:
        NoModel: The model is asked for, and none is loaded.
    """
    model = _model(engines, "ask") if request.use_model else None
    thread = engines.chat_thread if model else engines.note_thread

    def result(items: list[Any]) -> dict[str, Any]:
        return {"id": request.id, **items[-1].to_json()}

    return Work(
        "ask", thread, lambda: ask_steps(request.text, request.question, model), result,
        request.text, request.id,
    )  # fmt: skip


def draft_work(engines: Engines, request: DraftRequest) -> Work:
    """Return the work of drafting a letter; errors as `ask_work`."""
    model = _model(engines, "draft") if request.use_model else None
    thread = engines.chat_thread if model else engines.note_thread
    text = "\n".join(request.notes)
    check_length(text, "notes", engines.limits.max_note_characters)
    notes = [Note(str(number), note) for number, note in enumerate(request.notes, start=1)]

    def result(items: list[Any]) -> dict[str, Any]:
        made = items[-1]
        return {"id": request.id, "text": made.to_text(), **made.to_json()}

    return Work(
        "draft", thread, lambda: draft_steps(notes, request.form, engines.extractor, model), result,
        text, request.id,
    )  # fmt: skip


def _model(engines: Engines, where: str) -> LanguageModel:
    if engines.model is None:
        raise NoModel(where=where)
    return engines.model
