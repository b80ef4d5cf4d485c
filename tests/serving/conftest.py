"""A real tiny chat model that learned three answers by heart, and real servers on free ports."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import torch
from fastapi import FastAPI
from playwright.sync_api import Browser, Page

from rinsho.clinical.extract import Extractor, JudgingEngine, load_extractor
from rinsho.corpus.document import Document, Message, write_documents
from rinsho.generation.decoder_model import load_language_model
from rinsho.generation.language_model import LanguageModel
from rinsho.manifest import new_folder
from rinsho.model.checkpoint import load_decoder, save_weights
from rinsho.model.decoder import Decoder, new_decoder
from rinsho.model.heads import TextHeads, TextTask
from rinsho.model.loss import summed_cross_entropy
from rinsho.model.presets import DecoderConfig
from rinsho.runfile import StageConfig
from rinsho.serving.reach import Reach
from rinsho.serving.serve import address_of, new_server, open_listener
from rinsho.tokenizer.tokenizer import Tokenizer, copy_tokenizer, read_tokenizer
from rinsho.tokenizer.train_tokenizer import TrainTokenizerConfig, train_tokenizer
from tests.one_thing import decoder_that_says
from tests.serving.person import opened

MARKUP = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"
ANSWERS = {
    "咳嗽とは何ですか。": "咳嗽は気道の異物を出す反射です。",
    "文字の例を示してください。": "𠮷野家の😀と葛󠄀、髙と①です。",
    "マークアップの例を示してください。": MARKUP,
}


@pytest.fixture(scope="session")
def chat_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished weights folder of the model that knows `ANSWERS`."""
    root = tmp_path_factory.mktemp("chat")
    tokenizer = train_tiny_tokenizer(root)
    decoder = learn_answers(tokenizer)
    with new_folder(root / "weights", stage="finetune", config=StageConfig(), inputs={}) as folder:
        save_weights(decoder, folder.path, tokenizer)
        copy_tokenizer(root / "tokenizer", folder.path)
    return root / "weights"


def train_tiny_tokenizer(root: Path) -> Tokenizer:
    texts = [f"{question}{answer}" for question, answer in ANSWERS.items()] * 5
    with new_folder(
        root / "documents", stage="synthesize", config=StageConfig(), inputs={}
    ) as folder:
        documents = (Document(f"t/{i}", t, "t", "CC0-1.0") for i, t in enumerate(texts))
        write_documents(folder.path, documents)
    config = TrainTokenizerConfig(vocab_size=800, use_demo_lexicon=False)
    train_tokenizer(config, documents=[root / "documents"], out=root / "tokenizer")
    return read_tokenizer(root / "tokenizer")


def learn_answers(tokenizer: Tokenizer) -> Decoder:
    torch.manual_seed(0)
    config = DecoderConfig(
        vocab_size=tokenizer.vocab_size, d_model=64, n_layers=2, n_heads=2, n_kv_heads=2,
        d_head=32, d_ff=96, context_length=512,
    )  # fmt: skip
    decoder = new_decoder(config, seed=0)
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=5e-3)
    rows = [conversation_ids(tokenizer, q, a) for q, a in ANSWERS.items()]
    lengths = [len(row) - 1 for row in rows]
    tokens_T = torch.tensor([id_ for row in rows for id_ in row[:-1]])
    labels_T = torch.tensor([id_ for row in rows for id_ in row[1:]])
    for _ in range(200):
        hidden_TD = decoder.forward_hidden(tokens_T, lengths)
        every_T = torch.ones_like(labels_T)
        loss = summed_cross_entropy(hidden_TD, decoder.output_weight, labels_T, every_T)
        optimizer.zero_grad()
        (loss / len(labels_T)).backward()
        optimizer.step()
        if loss < 0.005 * len(labels_T):
            break
    return decoder.eval()


def conversation_ids(tokenizer: Tokenizer, question: str, answer: str) -> list[int]:
    return tokenizer.render([Message("user", question), Message("assistant", answer)])


@pytest.fixture(scope="session")
def chat_model(chat_weights: Path) -> LanguageModel:
    return load_language_model(chat_weights)


@pytest.fixture(scope="session")
def endless_weights(chat_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished folder of a model that says 咳 until it is stopped."""
    out, tokenizer = tmp_path_factory.mktemp("endless") / "endless", read_tokenizer(chat_weights)
    with new_folder(out, stage="finetune", config=StageConfig(), inputs={}) as folder:
        save_weights(decoder_that_says("咳", tokenizer, 32_768), folder.path, tokenizer)
        copy_tokenizer(chat_weights, folder.path)
    return out


@pytest.fixture(scope="session")
def dictionary() -> Extractor:
    return load_extractor(None)


@pytest.fixture(scope="session")
def judging(chat_weights: Path) -> Extractor:
    """A head over notes with a class, a number and several labels; one is named like markup."""
    tasks = [TextTask("urgent", "label", ("yes", "no")), TextTask("days", "value", mean=3.0)]
    tasks.append(TextTask(MARKUP, "labels", ("none",)))
    heads = TextHeads(load_decoder(chat_weights), read_tokenizer(chat_weights), tasks)
    return JudgingEngine(heads, "heads")


@contextmanager
def serving(app: FastAPI, reach: Reach | None = None) -> Iterator[str]:
    """Run an application on a free port; yield its URL without the last slash."""
    listener = open_listener("127.0.0.1", 0)
    server = new_server(app, reach)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield address_of(listener, reach.scheme if reach else "http").rstrip("/")
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture(scope="session")
def run_server() -> Callable[[FastAPI], object]:
    """Return `serving`, for tests with an application of their own."""
    return serving


@pytest.fixture(scope="session")
def url(chat_model: LanguageModel, dictionary: Extractor) -> Iterator[str]:
    """A server with the chat model and the dictionary."""
    from rinsho.serving.app import create_app

    with serving(create_app(chat_model, dictionary)) as address:
        yield address


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=60) as client:
        yield client


def send_raw(url: str, request: bytes) -> bytes:
    """Send bytes as they are and return all that comes back until the server closes."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(request)
        reply = b""
        while part := connection.recv(65536):
            reply += part
        return reply


@pytest.fixture(scope="session")
def raw() -> Callable[[str, bytes], bytes]:
    return send_raw


@dataclass
class RunningCommand:
    """`rinsho serve` in a process of its own."""

    process: subprocess.Popen[str]
    lines: list[str]
    url: str


@contextmanager
def running_command(*words: str) -> Iterator[RunningCommand]:
    """Start a command and wait for the line that has its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "rinsho.cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    lines: list[str] = []
    try:
        for line in process.stdout:
            lines.append(line)
            if "://" in line:
                break
        address = next(word for word in lines[-1].split() if word.startswith("http"))
        yield RunningCommand(process, lines, address.rstrip("/"))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="session")
def run_command() -> Callable[..., object]:
    return running_command


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    """The page, opened; a test fails on an error in it and on a request to anywhere else."""
    yield from opened(browser, url)
