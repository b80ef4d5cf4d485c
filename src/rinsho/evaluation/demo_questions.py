"""The demo's choice questions: the exam questions of a synthetic folder that no model learns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rinsho.corpus.document import Document, read_json_lines
from rinsho.corpus.splits import split_of
from rinsho.errors import BrokenRecord, MissingInput, NothingToRead
from rinsho.evaluation.benchmark import LETTERS, Benchmark, Item, Sources

_FILE = "questions-*.jsonl.zst"
_NAME = "demo-questions"


def load_questions(sources: Sources) -> tuple[Item, ...]:
    """Return the questions whose group is in the test split.

    Raises:
        MissingInput: No synthetic folder was given.
        NothingToRead: It has no question in the test split.
        BrokenRecord: A question without choices or with a gold answer beyond them.
    """
    folders = [f for f in sources.documents if f.manifest.identity.stage == "synthesize"]
    if not folders:
        raise MissingInput(where=_NAME, expected="documents")
    items = tuple(
        _to_item(row) for folder in folders for row in _rows(folder.path) if _is_test(row)
    )
    if not items:
        raise NothingToRead(where=_NAME, expected="questions of the test split")
    return items


def _rows(folder: Any) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob(_FILE)):
        yield from read_json_lines(path)


def _is_test(row: dict[str, Any]) -> bool:
    document = Document(str(row["id"]), "", _NAME, "CC0-1.0", group=row.get("group"))
    return split_of(document) == "test"


def _to_item(row: dict[str, Any]) -> Item:
    try:
        choices = tuple(str(choice) for choice in row["choices"])
        gold = tuple(_to_letter(one) for one in row["gold"])
        question, key = str(row["question"]), str(row.get("group") or row["id"])
    except (KeyError, TypeError, IndexError):
        place = f"questions {row.get('id')}"
        raise BrokenRecord(where=place, expected="question, choices, gold") from None
    if not gold or not set(gold) <= set(LETTERS[: len(choices)]):
        raise BrokenRecord(where=f"questions {row['id']}", expected="gold within the choices")
    name = f"{_NAME}/{row['id']}"
    return Item(name, "choice", question, choices, gold, document=key, source="synthetic")


def _to_letter(gold: Any) -> str:
    return LETTERS[gold] if isinstance(gold, int) else str(gold)


DEMO_QUESTIONS = Benchmark(
    name=_NAME,
    version=1,
    license="CC0-1.0",
    source="the synthetic folder of the run, test split",
    form="choice",
    ja="合成した国家試験形式の問題（テスト分割）",
    en="synthetic questions in licensing-exam style, test split",
    needs="a folder that `synthesize` made (--documents)",
    load=load_questions,
    is_from_documents=True,
    known_errors="made by the grammar that made the training text: not a measure of medicine",
)
