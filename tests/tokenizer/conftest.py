"""A small corpus of invented notes and a tokenizer trained on it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from rinsho.corpus.document import Document, write_documents
from rinsho.manifest import new_folder
from rinsho.runfile import StageConfig
from rinsho.tokenizer.tokenizer import Tokenizer, read_tokenizer
from rinsho.tokenizer.train_tokenizer import TrainTokenizerConfig, train_tokenizer

DISEASES = (
    "肺炎 気管支喘息 心房細動 慢性心不全 胃潰瘍 急性虫垂炎 2型糖尿病 橋本病 脳梗塞 大腸憩室炎"
)
SYMPTOMS = "発熱 咳嗽 動悸 息切れ 心窩部痛 右下腹部痛 口渇 全身倦怠感 左片麻痺 血便"
PLAIN = [
    "{d}にて通院中。{s}を主訴に来院した。CRP {n}.3 mg/dL、WBC {n}×10³/μL。",
    "S)昨夜から{s}あり。\nO)SpO2 9{n}%。①{s} ②食欲低下\nA/P){d}疑い。採血、胸部X線を行う。",
    "{s}は軽快し、{d}の治療を継続する。[氏名]様のご家族へ説明した。--{n}--\n  体温 3{n}.2℃",
]


def invented_documents() -> Iterator[Document]:
    entries = itertools.product(DISEASES.split(), SYMPTOMS.split(), PLAIN)
    for number, (disease, symptom, form) in enumerate(entries):
        text = form.format(d=disease, s=symptom, n=number % 10)
        yield Document(f"note/{number}", text, "note", "CC0-1.0", group=f"patient-{number // 3}")


@pytest.fixture(scope="session")
def documents_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("corpus") / "documents"
    with new_folder(out, stage="collect", config=StageConfig(), inputs={}) as folder:
        folder.licenses.add("CC0-1.0")
        write_documents(folder.path, invented_documents())
    return out


@pytest.fixture(scope="session")
def term_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("terms") / "terms.csv"
    rows = [
        "名称,読み",
        *(f"{name}," for name in DISEASES.split()),
        "大腿骨頸部骨折,",
        "ＩｇＡ腎症,",
    ]
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def config(term_file: Path) -> TrainTokenizerConfig:
    terms = {"path": str(term_file), "column": "名称", "license": "CC0-1.0", "attribution": "試験"}
    return TrainTokenizerConfig.model_validate(
        {
            "vocab_size": 900,
            "use_demo_lexicon": False,
            "lexicons": [terms],
            "term_count": 200,  # the characters of rare terms have to pass character_coverage
        }
    )


@pytest.fixture(scope="session")
def tokenizer_folder(
    config: TrainTokenizerConfig, documents_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("trained") / "tokenizer"
    train_tokenizer(config, documents=[documents_folder], out=out)
    return out


@pytest.fixture(scope="session")
def tokenizer(tokenizer_folder: Path) -> Tokenizer:
    return read_tokenizer(tokenizer_folder)
