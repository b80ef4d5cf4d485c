"""The routes of batches: send a file, look at its progress, fetch the results, delete it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.responses import JSONResponse, Response

from rinsho.serving.batch import Batches
from rinsho.serving.engines import Engines, caller_in


def add_batch_routes(app: FastAPI, engines: Engines, batches: Batches) -> None:
    """Add `/v1/batch` and what lies below it."""

    @app.post("/v1/batch", status_code=202)
    async def new_batch(connection: Request) -> Response:
        caller = caller_in(connection)
        batch = batches.start(caller, await connection.body())
        return JSONResponse(batch.to_json(), status_code=202)

    @app.get("/v1/batch")
    async def every_batch(connection: Request) -> dict[str, Any]:
        return {"data": [batch.to_json() for batch in batches.of(caller_in(connection))]}

    @app.get("/v1/batch/{batch_id}")
    async def progress(batch_id: str, connection: Request) -> dict[str, Any]:
        return batches.find(caller_in(connection), batch_id).to_json()

    @app.get("/v1/batch/{batch_id}/results")
    async def results(
        batch_id: str, connection: Request, start: Annotated[int, Query(ge=0)] = 0
    ) -> Response:
        batch = batches.find(caller_in(connection), batch_id)
        await engines.record(caller_in(connection), "results", batch.id, "")
        return Response(b"".join(batch.results[start:]), media_type="application/jsonl")

    @app.delete("/v1/batch/{batch_id}")
    async def delete(batch_id: str, connection: Request) -> dict[str, Any]:
        batch = batches.find(caller_in(connection), batch_id)
        batches.delete(batch)
        return {**batch.to_json(), "status": "deleted"}
