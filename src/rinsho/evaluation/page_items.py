"""What the per-item view of `report.html` shows: items once, then every answer to them.

Values that say nothing are left out, and what all prompts of an entry begin and end with is held
once: twenty thousand items have to load in a moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rinsho.evaluation.catalogue import LoadedBenchmark
from rinsho.evaluation.marking import ScoredRow, in_words, row_score
from rinsho.evaluation.own_benchmark import PREFIX
from rinsho.evaluation.prompts import messages_of, plain_question, prompt_of
from rinsho.evaluation.scoring import ScoredEntry
from rinsho.text.spans import Span

# Long running text is measured, not read: its beginning is enough to know it by.
_TEXT_CHARACTERS = 300
_OUTPUT_CHARACTERS = 4_000
_FORMS_OF_PLAIN_GOLD = ("entities", "rating", "passage", "number")


def item_data(entries: Sequence[ScoredEntry]) -> dict[str, Any]:
    """Return the JSON value of the view; texts of withheld benchmarks stay out of it."""
    benchmarks: dict[str, dict[str, Any]] = {}
    by_item: dict[tuple[str, str], dict[str, Any]] = {}
    systems = list(dict.fromkeys(entry.system for entry in entries))
    withheld = [entry.loaded for entry in entries if entry.loaded.is_text_withheld]
    numbers = {loaded.name: numbers_of(loaded) for loaded in withheld}
    shown_entries = list[dict[str, Any]]()
    for place, entry in enumerate(entries):
        name = entry.loaded.name
        head, tail = _shared_ends(entry)
        color = systems.index(entry.system)
        shown = {"system": entry.system, "method": entry.method, "color": color}
        shown_entries.append(_said({**shown, "head": head, "tail": tail}))
        benchmark = benchmarks.setdefault(name, _benchmark(entry))
        for row in entry.rows:
            key = name, row.item.id
            if key not in by_item:
                shown_id = numbers.get(name, {}).get(row.item.id, row.item.id)
                item = _item(entry, row, benchmark["instructions"])
                by_item[key] = {**item, "id": shown_id}
                benchmark["items"].append(by_item[key])
            answer = _answer(entry, row)
            answer |= _asked(entry, row, len(head), len(tail))
            by_item[key]["answers"].append({"by": place, **answer})
    return {"entries": shown_entries, "benchmarks": list(benchmarks.values())}


def numbers_of(loaded: LoadedBenchmark) -> dict[str, str]:
    """Return numbers for the ids of a user's own file; nothing for published benchmarks.

    Such a file may hold any id, a patient's number too: where its texts stay out of a report, so do
    its ids.
    """
    if not loaded.name.startswith(PREFIX):
        return {}
    return {item.id: f"{loaded.name}/{n}" for n, item in enumerate(loaded.items, start=1)}


def _benchmark(entry: ScoredEntry) -> dict[str, Any]:
    return {
        "name": entry.loaded.name,
        "form": entry.loaded.benchmark.form,
        "withheld": entry.loaded.is_text_withheld,
        "instructions": list[str](),
        "items": list[Any](),
    }


def _said(value: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is empty; False and 0 say something, None and "" do not."""
    return {key: one for key, one in value.items() if one not in (None, "", [], ())}


# --------------------------------------------------------------------------------- items


def _item(entry: ScoredEntry, row: ScoredRow, instructions: list[str]) -> dict[str, Any]:
    item = row.item
    is_usual = item.form == entry.loaded.benchmark.form
    value: dict[str, Any] = {"id": item.id, "tag": item.tag, "form": "" if is_usual else item.form}
    if item.form in ("choice", "similarity"):
        value["gold"] = list(item.gold)
        value["also"] = [list(one) for one in item.also_right]
        value["prohibited"] = sorted({*item.prohibited, *item.also_prohibited})
    value["excluded"] = item.excluded
    if not entry.loaded.is_text_withheld:
        value |= _texts(row, instructions)
    return {**_said(value), "answers": list[Any]()}


def _texts(row: ScoredRow, instructions: list[str]) -> dict[str, Any]:
    item = row.item
    if item.form == "text":
        is_long = len(item.question) > _TEXT_CHARACTERS
        return {"prompt": item.question[:_TEXT_CHARACTERS] + "…" * is_long}
    if item.form == "spans":
        return {"prompt": item.question, "goldSpans": _spans(item.gold_spans)}
    if item.form == "relations":
        gold = [in_words(item, one) for one in item.gold_relations]
        return {"prompt": item.question, "gold": gold}
    if item.is_plain:
        system, user = item.shots, plain_question(item)
    else:
        system, user = (message.content for message in messages_of(item))
    if system not in instructions:
        instructions.append(system)
    value: dict[str, Any] = {"prompt": user, "instruction": instructions.index(system)}
    if item.form in _FORMS_OF_PLAIN_GOLD:
        value["gold"] = list(item.gold)
    if item.form == "pairs":
        value["gold"] = [" → ".join(pair) for pair in item.gold_pairs]
    return value


# ------------------------------------------------------------------------------- answers


def _answer(entry: ScoredEntry, row: ScoredRow) -> dict[str, Any]:
    answer, score = row.answer, row_score(row)
    is_choice = row.item.form in ("choice", "similarity")
    is_withheld = entry.loaded.is_text_withheld
    value: dict[str, Any] = {
        "right": row.is_right,
        "invalid": None if row.is_valid else True,
        "long": answer.is_too_long or None,
        "open": row.is_unclosed or None,
        "loose": True if row.is_valid and not row.is_strict else None,
        "prohibited": _is_prohibited(row) or None,
        "score": None if score is None else round(score, 3),
    }
    if is_choice:
        value["read"] = "".join(row.prediction)
        value["logLikelihoods"] = [round(one, 2) for one in answer.log_likelihoods]
    if is_withheld:
        return _said(value)
    if row.item.form == "spans":
        return {**_said(value), "spans": _spans(row.spans)}
    if not is_choice and row.item.form != "text":
        value["list"] = list(row.prediction)
    value["output"] = answer.output[:_OUTPUT_CHARACTERS]
    value["cut"] = len(answer.output) > _OUTPUT_CHARACTERS or None
    return _said(value)


def _is_prohibited(row: ScoredRow) -> bool:
    return bool({*row.prediction} & {*row.item.prohibited, *row.item.also_prohibited})


def _spans(spans: tuple[Span, ...]) -> list[list[Any]]:
    return [[span.start, span.end, span.label, span.certainty] for span in spans]


# ------------------------------------------------------------- prompts that are not the item's


def _asked(entry: ScoredEntry, row: ScoredRow, n_head: int, n_tail: int) -> dict[str, Any]:
    """Return the middle of a prompt that is not the item's own; the entry holds both its ends."""
    if not _is_asked_otherwise(entry, row):
        return {}
    prompt = row.answer.prompt or ""
    return {"asked": prompt[n_head : len(prompt) - n_tail]}


def _is_asked_otherwise(entry: ScoredEntry, row: ScoredRow) -> bool:
    prompt = row.answer.prompt
    return bool(prompt) and not entry.loaded.is_text_withheld and prompt != prompt_of(row.item)


def _shared_ends(entry: ScoredEntry) -> tuple[str, str]:
    prompts = [row.answer.prompt or "" for row in entry.rows if _is_asked_otherwise(entry, row)]
    if not prompts:
        return "", ""
    head = shared_start(prompts)
    rests = [prompt[len(head) :][::-1] for prompt in prompts]
    return head, shared_start(rests)[::-1]


def shared_start(texts: Sequence[str]) -> str:
    """Return the longest beginning that all texts share.

    >>> shared_start(["問1 発熱", "問1 咳嗽"])
    '問1 '
    """
    first, last = min(texts), max(texts)
    differing = (place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    return first[: next(differing, min(len(first), len(last)))]
