"""A tokenizer over a few invented notes, for the tests of heads."""

from __future__ import annotations

from pathlib import Path

import pytest

from rinsho.corpus.document import Document, write_documents
from rinsho.manifest import new_folder
from rinsho.runfile import StageConfig
from rinsho.tokenizer.tokenizer import Tokenizer, read_tokenizer
from rinsho.tokenizer.train_tokenizer import TrainTokenizerConfig, train_tokenizer

TEXTS = (
    "S)昨夜から発熱。咳嗽なし。\r\nA)市中肺炎の疑い。",
    "𠮷田医師より紹介。胃潰瘍にてランソプラゾール15mg内服中 😷、下血なし。",
    "心房細動あり。脳梗塞は否定的。",
)


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("notes")
    with new_folder(root / "documents", stage="collect", config=StageConfig(), inputs={}) as folder:
        write_documents(
            folder.path,
            [Document(f"note/{n}", text, "note", "CC0-1.0") for n, text in enumerate(TEXTS * 20)],
        )
    config = TrainTokenizerConfig(vocab_size=700, use_demo_lexicon=False)
    train_tokenizer(config, documents=[root / "documents"], out=root / "tokenizer")
    return root / "tokenizer"


@pytest.fixture(scope="session")
def tokenizer(tokenizer_folder: Path) -> Tokenizer:
    return read_tokenizer(tokenizer_folder)
