"""Plain text as benchmarks: bits per byte on the hand-written notes and on held-out documents."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from rinsho.corpus.document import Document, read_documents
from rinsho.corpus.splits import split_of
from rinsho.errors import MissingInput, NothingToRead
from rinsho.evaluation.benchmark import Benchmark, Item, Sources
from rinsho.evaluation.demo_notes import read_notes
from rinsho.manifest import FinishedFolder
from rinsho.text.normalize import normalize


def load_notes_text(_: Sources) -> tuple[Item, ...]:
    """Return the text of each note, normalized like everything that models are trained on."""
    return tuple(
        Item(
            f"notes-text/{note.id}",
            "text",
            normalize(note.text),
            document=note.id,
            tag=note.kind,
            source=note.department,
        )
        for note in read_notes()
    )


def load_held_out(sources: Sources, *, stage: str, name: str) -> tuple[Item, ...]:
    """Return the test split of the documents that a stage made, conversations left out.

    Raises:
        MissingInput: No such documents folder was given.
        NothingToRead: It has no document in the test split.
    """
    folders = [f for f in sources.documents if f.manifest.identity.stage == stage]
    if not folders:
        raise MissingInput(where=name, expected="documents")
    items = tuple(_to_item(document, name) for document in held_out_documents(folders))
    if not items:
        raise NothingToRead(where=name, expected="documents of the test split")
    return items


def held_out_documents(folders: list[FinishedFolder]) -> Iterator[Document]:
    """Yield the plain documents of the test split."""
    for folder in folders:
        for document in read_documents(folder.path):
            if document.messages is None and document.text and split_of(document) == "test":
                yield document


def training_texts(folders: tuple[FinishedFolder, ...], *, conversations: bool) -> Iterator[str]:
    """Yield the texts of the train split, in order."""
    for folder in folders:
        for document in read_documents(folder.path):
            if (conversations or document.messages is None) and split_of(document) == "train":
                yield document.text


def _to_item(document: Document, name: str) -> Item:
    return Item(
        f"{name}/{document.id}",
        "text",
        document.text,
        document=document.group or document.id,
        tag=document.source,
        source=document.source,
    )


TEXTS = (
    Benchmark(
        name="notes-text",
        version=1,
        license="CC0-1.0",
        source="rinsho, hand-written notes (src/rinsho/demo/notes)",
        form="text",
        ja="手書きカルテ48件の bits per byte",
        en="bits per byte on the 48 hand-written notes",
        needs="nothing",
        load=load_notes_text,
    ),
    Benchmark(
        name="synthetic-text",
        version=1,
        license="CC0-1.0",
        source="the synthetic folder of the run, test split",
        form="text",
        ja="合成文書（テスト分割）の bits per byte",
        en="bits per byte on held-out synthetic documents",
        needs="a folder that `synthesize` made (--documents)",
        load=functools.partial(load_held_out, stage="synthesize", name="synthetic-text"),
        is_from_documents=True,
    ),
    Benchmark(
        name="documents-text",
        version=1,
        license="that of the documents",
        source="the documents folder of the run, test split",
        form="text",
        ja="収集文書（テスト分割）の bits per byte",
        en="bits per byte on held-out collected documents",
        needs="a folder that `collect` made (--documents)",
        load=functools.partial(load_held_out, stage="collect", name="documents-text"),
        is_from_documents=True,
    ),
)
