"""The texts of training data, as the check for leaks reads them: examples, or documents folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rinsho.corpus.document import read_documents
from rinsho.errors import PathMissing
from rinsho.manifest import open_folder
from rinsho.training.examples import read_examples


def read_training_texts(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the id and text of everything that would be learned.

    Of a documents folder also each turn of its conversations.

    Raises:
        PathMissing: There is neither a file nor a folder.
        NotText, NothingToRead, BrokenRecord, NotFinished, Corrupt, WrongKind: It cannot be read.
    """
    if path.is_dir():
        folder = open_folder(path, "collect", "synthesize")
        for document in read_documents(folder.path):
            turns = [message.content for message in document.messages or ()]
            yield from ((document.id, text) for text in (document.text, *turns))
    elif path.is_file():
        for example in read_examples([path]):
            yield example.id, example.text
            if example.text_b is not None:
                yield example.id, example.text_b
    else:
        raise PathMissing(where=path.name)
