"""What the server does with notes: mentions, codes of what is written, identifiers replaced."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.responses import Response
from pydantic import Field, model_validator

from rinsho.clinical.code_lists import Kind
from rinsho.clinical.codes import CodeIndex, Coding, code_spans, coding_to_json
from rinsho.clinical.deidentify import deidentify, to_json
from rinsho.clinical.extract import extract, judge, span_to_json, spans_to_json
from rinsho.clinical.notes import Note, check_length
from rinsho.errors import BadRequest, NoModel, RequestTooLarge
from rinsho.model.relation_finder import RelationFinder
from rinsho.serving.answering import Work, answer, one_item
from rinsho.serving.engines import Engines
from rinsho.serving.requests import RequestModel, Text
from rinsho.text.relations import candidate_pairs
from rinsho.text.spans import Span, relations_to_json

DocumentId = Annotated[Text, Field(max_length=200)]


class NoteRequest(RequestModel):
    """The body of `/v1/deidentify`."""

    text: Text
    id: DocumentId | None = None


class ExtractRequest(NoteRequest):
    """The body of `/v1/extract`."""

    relations: Annotated[
        bool,
        Field(
            description="whether the answer is to say which drug caused what: "
            '"relations": [{"kind", "head", "tail"}], head and tail by their places in "spans"; '
            "needs a server with `--relations WEIGHTS`"
        ),
    ] = False


class CodesRequest(RequestModel):
    """The body of `/v1/codes`: a note, or a term and what kind of thing it names."""

    text: Text | None = None
    term: Annotated[Text, Field(min_length=1, max_length=200)] | None = None
    kind: Kind = "condition"
    id: DocumentId | None = None
    candidates: Annotated[int, Field(ge=1, le=50)] = 5

    @model_validator(mode="after")
    def _one_of_both(self) -> CodesRequest:
        if (self.text is None) == (self.term is None):
            raise ValueError("either text or term")
        return self


def add_note_routes(app: FastAPI, engines: Engines) -> None:
    """Add `/v1/extract`, `/v1/codes` and `/v1/deidentify`."""

    @app.post("/v1/extract")
    async def extract_note(request: ExtractRequest, connection: Request) -> Response:
        return await answer(engines, connection, extract_work(engines, request))

    @app.post("/v1/codes")
    async def code_note(request: CodesRequest, connection: Request) -> Response:
        return await answer(engines, connection, codes_work(engines, request))

    @app.post("/v1/deidentify")
    async def deidentify_note(request: NoteRequest, connection: Request) -> Response:
        return await answer(engines, connection, deidentify_work(engines, request))


def extract_work(engines: Engines, request: ExtractRequest) -> Work:
    """Return the work of finding mentions, and relations where they are asked for.

    Raises:
        BadRequest: Relations are asked for, and the server was started without weights for them.
    """
    extractor, limits = engines.extractor, engines.limits
    finder = _finder(engines) if request.relations else None

    def work() -> dict[str, Any]:
        spans = extract(extractor, request.text, limits.max_note_characters)
        said: dict[str, Any] = {"spans": spans_to_json(spans, request.text)}
        if finder is not None:
            said["relations"] = _relate(finder, request.text, spans, limits.max_relation_pairs)
        if answers := [judgement.to_json() for judgement in judge(extractor, request.text)]:
            said["answers"] = answers
        engine = {"name": extractor.name, "kind": extractor.kind}
        return {"id": request.id, "engine": engine, **said}

    return one_item("extract", engines.note_thread, work, request.text, request.id)


def _finder(engines: Engines) -> RelationFinder:
    if engines.finder is None:
        expected = '"relations": false, or start with `rinsho serve --relations WEIGHTS`'
        raise BadRequest(where="relations", found="no weights for them", expected=expected)
    return engines.finder


def _relate(
    finder: RelationFinder, text: str, spans: tuple[Span, ...], max_pairs: int
) -> list[dict[str, str | int]]:
    """Return the relations of a note; a note may have very many pairs, and each takes its time."""
    if len(candidate_pairs(spans, max_pairs + 1)) > max_pairs:
        limit = f"{max_pairs:,} pairs"
        raise RequestTooLarge(where="relations", found=f"over {limit}", expected=limit)
    return relations_to_json(finder.relations(text, spans), spans)


def codes_work(engines: Engines, request: CodesRequest) -> Work:
    """Return the work of looking codes up.

    Raises:
        NoModel: The server was started without an index.
    """
    if engines.index is None:
        raise NoModel(where="codes")
    index = engines.index

    def work() -> dict[str, Any]:
        if request.term is not None:
            codings = index.look_up(request.term, request.kind, n_candidates=request.candidates)
            return {"id": request.id, "codes": _to_json(codings)}
        return {"id": request.id, **_code_text(engines, index, request)}

    return one_item(
        "codes", engines.note_thread, work, request.text or request.term or "", request.id
    )


def _code_text(engines: Engines, index: CodeIndex, request: CodesRequest) -> dict[str, Any]:
    text = request.text or ""
    spans = extract(engines.extractor, text, engines.limits.max_note_characters)
    coded = code_spans(index, text, spans, request.candidates)
    mentions = [{**span_to_json(span, text), "codes": _to_json(codings)} for span, codings in coded]
    engine = {"name": engines.extractor.name, "kind": engines.extractor.kind}
    return {"engine": engine, "mentions": mentions}


def _to_json(codings: tuple[Coding, ...]) -> list[dict[str, Any]]:
    return [coding_to_json(coding) for coding in codings]


def deidentify_work(engines: Engines, request: NoteRequest) -> Work:
    """Return the work of replacing identifiers."""

    def work() -> dict[str, Any]:
        check_length(request.text, "note", engines.limits.max_note_characters)
        return to_json(deidentify(Note(request.id or "", request.text)))

    return one_item("deidentify", engines.note_thread, work, request.text, request.id)
