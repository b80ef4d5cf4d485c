"""What the per-item view of `report.html` shows: items once, then every answer to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rinsho.evaluation.marking import ScoredRow, row_score
from rinsho.evaluation.prompts import prompt_of
from rinsho.evaluation.scoring import ScoredEntry
from rinsho.text.spans import Span

# Long running text is measured, not read: its beginning is enough to know it by.
_TEXT_CHARACTERS = 300
_OUTPUT_CHARACTERS = 4_000


def item_data(entries: Sequence[ScoredEntry]) -> dict[str, Any]:
    """Return the JSON value of the view; texts of withheld benchmarks stay out of it."""
    benchmarks: dict[str, dict[str, Any]] = {}
    for entry in entries:
        name = entry.loaded.name
        value = benchmarks.setdefault(
            name,
            {
                "name": name,
                "form": entry.loaded.benchmark.form,
                "withheld": entry.loaded.is_text_withheld,
                "items": {},
            },
        )
        for row in entry.rows:
            item = value["items"].setdefault(row.item.id, _item(entry, row))
            item["answers"].append(_answer(entry, row))
    return {
        "systems": list(dict.fromkeys(entry.system for entry in entries)),
        "benchmarks": [{**b, "items": list(b["items"].values())} for b in benchmarks.values()],
    }


def _item(entry: ScoredEntry, row: ScoredRow) -> dict[str, Any]:
    item = row.item
    value: dict[str, Any] = {"id": item.id, "tag": item.tag, "answers": list[Any]()}
    if item.form in ("choice", "similarity"):
        value["gold"] = list(item.gold)
    if entry.loaded.is_text_withheld:
        return value
    text = prompt_of(item)
    is_long = item.form == "text" and len(text) > _TEXT_CHARACTERS
    value["prompt"] = text[:_TEXT_CHARACTERS] + "…" if is_long else text
    if item.form == "entities":
        value["gold"] = list(item.gold)
    if item.form in ("rating", "passage"):
        value["gold"] = list(item.gold)
    if item.form == "pairs":
        value["gold"] = [" → ".join(pair) for pair in item.gold_pairs]
    if item.form == "spans":
        value["goldSpans"] = _spans(item.gold_spans)
    return value


def _answer(entry: ScoredEntry, row: ScoredRow) -> dict[str, Any]:
    answer, score = row.answer, row_score(row)
    value: dict[str, Any] = {
        "system": entry.system,
        "method": entry.method,
        "right": row.is_right,
        "valid": row.is_valid,
        "tooLong": answer.is_too_long,
        "score": None if score is None else round(score, 3),
    }
    if row.item.form in ("choice", "similarity"):
        value["prediction"] = list(row.prediction)
        value["logLikelihoods"] = [round(one, 2) for one in answer.log_likelihoods]
    if entry.loaded.is_text_withheld:
        return value
    if row.item.form == "entities":
        value["prediction"] = list(row.prediction)
    if row.item.form == "spans":
        value["spans"] = _spans(row.spans)
    elif answer.output:
        value["output"] = answer.output[:_OUTPUT_CHARACTERS]
    return value


def _spans(spans: tuple[Span, ...]) -> list[list[Any]]:
    return [[span.start, span.end, span.label, span.certainty] for span in spans]
