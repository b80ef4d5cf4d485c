"""A folder of notes and conversations, and a tokenizer trained on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rinsho.corpus.document import Document, Message, write_documents
from rinsho.manifest import new_folder
from rinsho.runfile import StageConfig
from rinsho.tokenizer.tokenizer import Tokenizer, read_tokenizer
from rinsho.tokenizer.train_tokenizer import TrainTokenizerConfig, train_tokenizer

CONVERSATION = (
    Message("system", "簡潔に答えます。"),
    Message("user", "発熱の原因は何ですか。"),
    Message("assistant", "肺炎などの感染症です。😀"),
    Message("user", "他には。"),
    Message("assistant", "膠原病もあります。"),
)


def invented_documents() -> Iterator[Document]:
    for i in range(120):
        text = f"症例{i}。発熱と咳嗽を主訴に来院した。CRP {i % 9}.2 mg/dL。"
        yield Document(f"note/{i}", text, "note", "CC0-1.0", group=f"patient-{i // 4}")
        book = f"肺炎の治療は抗菌薬である。第{i}章。𠮷田の分類を用いる。"
        yield Document(f"book/{i}", book, "book", "CC0-1.0")
        if i % 3 == 0:
            content = "\n".join(m.content for m in CONVERSATION)
            yield Document(f"talk/{i}", content, "talk", "CC0-1.0", messages=CONVERSATION)
    yield Document("talk/x", "もしもし", "talk", "CC0-1.0", messages=(Message("user", "もしもし"),))


@pytest.fixture(scope="session")
def documents_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("corpus") / "documents"
    with new_folder(out, stage="collect", config=StageConfig(), inputs={}) as folder:
        folder.licenses.add("CC0-1.0")
        write_documents(folder.path, invented_documents())
    return out


@pytest.fixture(scope="session")
def tokenizer_folder(documents_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "tokenizer"
    config = TrainTokenizerConfig(vocab_size=800, use_demo_lexicon=False)
    train_tokenizer(config, documents=[documents_folder], out=out)
    return out


@pytest.fixture(scope="session")
def tokenizer(tokenizer_folder: Path) -> Tokenizer:
    return read_tokenizer(tokenizer_folder)
