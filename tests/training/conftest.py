"""Invented notes with gold spans and conversations, a tokenizer over them, and tokens folders."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rinsho.corpus.document import Document, Message, write_documents
from rinsho.encoding.encode import EncodeConfig, encode
from rinsho.manifest import new_folder
from rinsho.runfile import StageConfig
from rinsho.text.spans import Span
from rinsho.tokenizer.train_tokenizer import TrainTokenizerConfig, train_tokenizer
from rinsho.training.pretrain import PretrainConfig, pretrain

DISEASES = [
    "肺炎",
    "気管支喘息",
    "心房細動",
    "慢性心不全",
    "胃潰瘍",
    "急性虫垂炎",
    "2型糖尿病",
    "橋本病",
]
SYMPTOMS = ["発熱", "咳嗽", "動悸", "息切れ", "心窩部痛", "右下腹部痛", "口渇", "全身倦怠感"]
FORMS = (
    "{{d}|disease}にて通院中。{{s}|symptom}を主訴に来院。{CRP|test} {{n}.3 mg/dL|value}。",
    "S)昨夜から{{s}|symptom}あり。\nO)体温 38.{n}℃。\nA/P){{d}|disease|suspected}の疑い。",
    "{{s}|symptom|negated}なし。{{d}|disease}の治療を継続する。",
)
_MARK = re.compile(r"\{([^{}|]+)\|(\w+)(?:\|(\w+))?\}")


def marked(text: str) -> tuple[str, tuple[Span, ...]]:
    """Return a text without its marks, and the spans that they mark."""
    plain, spans, end = "", list[Span](), 0
    for match in _MARK.finditer(text):
        plain += text[end : match.start()]
        start = len(plain)
        plain, end = plain + match[1], match.end()
        spans.append(Span(start, len(plain), match[2], match[3] or "present"))
    return plain + text[end:], tuple(spans)


def invented_documents() -> Iterator[Document]:
    for number, (disease, symptom, form) in enumerate(itertools.product(DISEASES, SYMPTOMS, FORMS)):
        filled = form.replace("{d}", disease).replace("{s}", symptom)
        text, spans = marked(filled.replace("{n}", str(number % 10)))
        yield Document(f"note/{number}", text, "note", "CC0-1.0", spans=spans)
        question = f"{disease}でみられる症状は何ですか。"
        messages = (Message("user", question), Message("assistant", f"{symptom}がみられます。"))
        joined = "\n".join(m.content for m in messages)
        yield Document(f"chat/{number}", joined, "chat", "CC0-1.0", messages=messages)


@pytest.fixture(scope="session")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("corpus") / "documents"
    with new_folder(out, stage="collect", config=StageConfig(), inputs={}) as folder:
        folder.licenses.add("CC0-1.0")
        write_documents(folder.path, invented_documents())
    return out


@pytest.fixture(scope="session")
def tokenizer_folder(documents: Path) -> Path:
    config = TrainTokenizerConfig(vocab_size=700, use_demo_lexicon=False)
    out = documents.with_name("tokenizer")
    train_tokenizer(config, documents=[documents], out=out)
    return out


@pytest.fixture(scope="session")
def text_tokens(documents: Path, tokenizer_folder: Path) -> Path:
    out = documents.with_name("text-tokens")
    encode(EncodeConfig(), documents=[documents], tokenizer=tokenizer_folder, out=out)
    return out


@pytest.fixture(scope="session")
def chat_tokens(documents: Path, tokenizer_folder: Path) -> Path:
    out, config = documents.with_name("chat-tokens"), EncodeConfig(what="conversations")
    encode(config, documents=[documents], tokenizer=tokenizer_folder, out=out)
    return out


@pytest.fixture(scope="session")
def config() -> PretrainConfig:
    return PretrainConfig.model_validate(
        {
            "preset": "demo",
            "model": {"d_model": 32, "n_layers": 2, "n_heads": 2, "d_ff": 64},
            "context_length": 64,
            "batch_tokens": 512,
            "micro_batch_tokens": 256,
            "n_steps": 12,
            "n_warmup_steps": 2,
            "learning_rate": 1e-2,
            "precision": "fp32",
            "threads": 1,
            "evaluate_every_steps": 5,
            "checkpoint_every_steps": 2,
        }
    )


@pytest.fixture(scope="session")
def weights(text_tokens: Path, config: PretrainConfig) -> Path:
    out = text_tokens.with_name("weights")
    pretrain(config, tokens=text_tokens, out=out)
    return out
