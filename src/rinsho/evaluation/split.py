"""Splits of pools in three settings, by document: what `rinsho data splits` writes.

official: the published test, every other row of the pool is learned; its documents are not kept
apart, and the count of what leaks is written beside it. grouped: cross-validation over the whole
pool, no document in two folds, the folds of linked tasks the same. disjoint: the published test,
and the rows of the pool without any document of it, where they still hold every label.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from rinsho.errors import NothingToRead, SplitOverlap
from rinsho.evaluation.benchmark import Item, Sources, hash_items
from rinsho.evaluation.head_engine import text_of
from rinsho.evaluation.jmed_llm import document_text
from rinsho.evaluation.pools import Pool, full_name, read_pools
from rinsho.evaluation.prompts import messages_of
from rinsho.evaluation.split_folder import (
    CONVERSATIONS,
    EXAMPLES,
    ITEMS,
    Setting,
    Split,
    SplitRecord,
    count_part,
    describe,
    write_items,
    write_lines,
    write_splits,
)
from rinsho.manifest import Manifest, canonical_json, door, new_folder
from rinsho.runfile import StageConfig
from rinsho.text.normalize import normalize


class SplitConfig(StageConfig):
    """How pools are split."""

    tasks: tuple[str, ...] = Field(
        min_length=1, description="smdis, nrner … of JMED-LLM, or any benchmark, such as own/NAME"
    )
    settings: tuple[Setting, ...] = ("official", "grouped", "disjoint")
    n_folds: int = Field(5, ge=2, description="of the cross-validation")
    validation_share: float = Field(0.1, ge=0, lt=0.5, description="of the training documents")
    disjoint_from: Literal["own", "all"] = Field(
        "own", description="documents of the task's own test, or of the tests of all tasks"
    )
    seed: int = Field(0, ge=0, description="of the folds and the validation documents")


@door
def split(
    config: SplitConfig, *, out: Path, data: Path | None = None, noncommercial: bool = False
) -> Manifest:
    """Write the splits of pools into a folder.

    Args:
        config: Which tasks, in which settings.
        out: The folder of splits.
        data: The data folder that holds `eval/` (and `own/`).
        noncommercial: Whether pools under non-commercial terms may be used.

    Raises:
        As `read_pools`; NothingToRead: No split could be made.
        SplitOverlap: A document in two parts where the setting forbids it: an error of ours.
    """
    pools = read_pools([full_name(name) for name in config.tasks], Sources(data, (), noncommercial))
    digest = hashlib.sha256(
        canonical_json([[p.benchmark.name, hash_items(p.items), hash_items(p.official)]
                        for p in pools])
    )  # fmt: skip
    is_private = any(
        pool.benchmark.withholds_text and not pool.benchmark.is_noncommercial for pool in pools
    )
    opening = new_folder(
        out, stage="split", config=config, inputs={"pools": digest.hexdigest()},
        is_private=is_private,
    )  # fmt: skip
    with opening as folder:
        omitted: dict[str, str] = {}
        records: list[SplitRecord] = []
        for one in make_splits(config, pools, omitted):
            records.append(one.record)
            _write(folder.path / one.record.name, one)
        if not records:
            raise NothingToRead(where="splits", expected="; ".join(omitted.values()))
        write_splits(folder.path, records, omitted)
        folder.licenses.update(pool.benchmark.license for pool in pools)
        folder.attributions.update(pool.benchmark.source for pool in pools)
        folder.count(splits=len(records), omitted=len(omitted))
    assert folder.manifest is not None
    return folder.manifest


def make_splits(
    config: SplitConfig, pools: Sequence[Pool], omitted: dict[str, str]
) -> Iterator[Split]:
    """Yield the splits of pools; those that cannot be made go into `omitted` with the reason."""
    tests = {
        pool.benchmark.name: {item.document for item in pool.official}
        for pool in pools
        if pool.official
    }
    for pool in pools:
        for setting in config.settings:
            for fold, (learned, test) in enumerate(_draw(config, setting, pool, tests)):
                name = pool.benchmark.name.replace("jmed-llm/", "").replace("/", "-")
                name = f"{name}-{setting}" + (f"-{fold}" if setting == "grouped" else "")
                if reason := _why_not(learned, test):
                    omitted[name] = reason
                else:
                    yield _to_split(config, name, setting, fold, pool, tests, learned, test)


def _draw(
    config: SplitConfig, setting: Setting, pool: Pool, tests: Mapping[str, set[str]]
) -> Iterator[tuple[list[Item], list[Item]]]:
    """Yield what is learned and what is asked, for each fold of a setting."""
    if setting == "grouped":
        for fold in range(config.n_folds):
            is_held = [
                _draw_number(f"{config.seed}:fold", item, config.n_folds) == fold
                for item in pool.items
            ]
            rows = list(zip(pool.items, is_held, strict=True))
            yield [item for item, held in rows if not held], [item for item, held in rows if held]
    elif pool.official:
        asked = {(item.question, item.gold) for item in pool.official}
        rest = [item for item in pool.items if (item.question, item.gold) not in asked]
        if setting == "disjoint":
            scope = [pool.benchmark.name] if config.disjoint_from == "own" else list(tests)
            tested = {document for name in scope for document in tests[name]}
            rest = [item for item in pool.items if item.document not in tested]
        yield rest, list(pool.official)


def _draw_number(purpose: str, item: Item, n_numbers: int) -> int:
    """Return a number below `n_numbers` that depends on the item's document alone."""
    digest = hashlib.sha256(f"{purpose}:{item.document}".encode()).hexdigest()
    return int(digest, 16) % n_numbers


def _why_not(learned: Sequence[Item], test: Sequence[Item]) -> str:
    """Say which label or question of the test nothing is left to learn of; empty: none."""
    if not learned or not test:
        return f"{len(learned)} rows to learn, {len(test)} to ask"

    def asked_for(items: Sequence[Item]) -> set[str]:
        labels = {gold for item in items if item.form != "entities" for gold in item.gold}
        return labels | {item.tag for item in items}

    missing = sorted(asked_for(test) - asked_for(learned))
    return f"nothing left to learn of {', '.join(missing)}" if missing else ""


def _to_split(
    config: SplitConfig,
    name: str,
    setting: Setting,
    fold: int,
    pool: Pool,
    tests: Mapping[str, set[str]],
    learned: Sequence[Item],
    test: Sequence[Item],
) -> Split:
    limit = round(config.validation_share * 1_000)
    purpose = f"{config.seed}:validation"
    train = tuple(item for item in learned if _draw_number(purpose, item, 1_000) >= limit)
    validation = tuple(item for item in learned if _draw_number(purpose, item, 1_000) < limit)
    seen = {item.document for item in learned}
    leaking = [item for item in test if item.document in seen]
    if leaking and setting != "official":
        raise SplitOverlap(where=name, expected="no document in two parts", found=len(leaking))
    parts = {"train": train, "validation": validation, "test": tuple(test)}
    record = SplitRecord(
        name=name,
        benchmark=pool.benchmark.name,
        setting=setting,
        fold=fold,
        description=describe(pool.benchmark),
        parts={part: count_part(items) for part, items in parts.items()},
        n_leaking_test_rows=len(leaking),
        n_leaking_documents=len({item.document for item in leaking}),
        gives_away={
            other: n_given
            for other, documents in tests.items()
            if other != pool.benchmark.name and (n_given := len(documents & seen))
        },
    )
    return Split(record, train, validation, tuple(test))


# ----------------------------------------------------------------------------------- writing


def _write(folder: Path, one: Split) -> None:
    write_items(folder / ITEMS, one)
    write_lines(folder / EXAMPLES, to_examples(one))
    conversations = (to_conversation(item) for item in (*one.train, *one.validation))
    write_lines(folder / CONVERSATIONS, conversations)


def to_examples(one: Split) -> Iterator[dict[str, Any]]:
    """Yield the training and validation items as `finetune` reads them for heads.

    Where a question about a text stands twice with different answers, the first one counts.
    """
    seen: set[tuple[str, ...]] = set()
    parts = (("train", one.train), ("validation", one.validation))
    for part, item in ((part, item) for part, items in parts for item in items):
        record = to_example(item)
        texts = (record.get("text") or record["text_a"], record.get("text_b", ""))
        key = (*(normalize(text) for text in texts), record.get("task", ""))
        if key not in seen:
            seen.add(key)
            yield {"id": item.id, "split": part, "group": item.document, **record}


def to_example(item: Item) -> dict[str, Any]:
    """Return what a head learns of an item: entities of its document, a class, or a likeness."""
    if item.form == "entities":
        text = document_text(item.question)
        return {"text": text, "task": item.tag, "entities": list(item.gold)}
    text, text_b = text_of(item)
    if text_b is not None:
        level = len(item.choices) - 1 - item.letters.index(item.gold[0])
        return {"text_a": text, "text_b": text_b, "value": level}
    return {"text": text, "task": item.tag, "label": item.gold[0]}


def to_conversation(item: Item) -> dict[str, Any]:
    """Return the prompt with its right answer, as `encode` reads conversations."""
    answer = repr(list(item.gold)) if item.form == "entities" else ",".join(item.gold)
    messages = [{"role": m.role, "content": m.content} for m in messages_of(item)]
    messages.append({"role": "assistant", "content": answer})
    return {"id": item.id, "group": item.document, "messages": messages}
