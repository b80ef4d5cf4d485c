"""A synthetic folder, and a tiny decoder that no one trained, as stages leave them on disk."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import sentencepiece
import torch

from rinsho.corpus.document import Document, Message, write_documents, write_json_lines
from rinsho.corpus.splits import split_of
from rinsho.manifest import new_folder
from rinsho.model.checkpoint import save_weights
from rinsho.model.decoder import new_decoder
from rinsho.model.presets import DecoderConfig
from rinsho.runfile import StageConfig
from rinsho.tokenizer.tokenizer import BOS, END_OF_TURN, EOS, PAD, ROLE_TOKENS, UNK, Tokenizer
from rinsho.tokenizer.tokenizer_json import tokenizer_config, tokenizer_json

LINES = ["発熱と咳嗽で来院した。", "CRP 3.2 mg/dL、胸部X線で肺炎像あり。", "解熱剤で軽快した。"]
N_DOCUMENTS = 300  # at a share of 2 % some of them are in the test split


def synthetic_documents() -> list[Document]:
    texts = [
        Document(f"synthetic/{n}", f"{n}日目。{LINES[n % 3]}{LINES[(n + 1) % 3]}", "progress_note",
                 "CC0-1.0", group=f"case-{n}")
        for n in range(N_DOCUMENTS)
    ]  # fmt: skip
    talk = (Message("user", "肺炎の症状は？"), Message("assistant", "発熱と咳嗽です。"))
    return [
        *texts,
        Document(
            "synthetic/talk",
            "肺炎の症状は？\n発熱と咳嗽です。",
            "instruction",
            "CC0-1.0",
            messages=talk,
        ),
    ]


def synthetic_questions() -> list[dict[str, object]]:
    return [
        {
            "id": f"question/{n}",
            "group": f"case-{n}",
            "question": f"症例{n}。最も考えられるのはどれか。",
            "choices": ["肺炎", "胃癌", "骨折", "腎炎", "貧血"],
            "gold": [n % 5],
            "explanation": "",
        }
        for n in range(N_DOCUMENTS)
    ]


@pytest.fixture(scope="session")
def synthetic_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synthetic") / "synthetic"
    with new_folder(out, stage="synthesize", config=StageConfig(), inputs={}) as folder:
        folder.licenses.add("CC0-1.0")
        documents = synthetic_documents()
        assert {split_of(document) for document in documents} == {"train", "validation", "test"}
        write_documents(folder.path, documents)
        write_json_lines(folder.path / "questions-00000.jsonl.zst", synthetic_questions())
    return out


@pytest.fixture(scope="session")
def private_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("private") / "documents"
    documents = [
        Document(f"ward/{n}", f"秘密の患者{n}の記録。{LINES[n % 3]}", "ward", "private")
        for n in range(N_DOCUMENTS)
    ]
    with new_folder(
        out, stage="collect", config=StageConfig(), inputs={}, is_private=True
    ) as folder:
        write_documents(folder.path, documents)
    return out


@pytest.fixture(scope="session")
def tokenizer_model() -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES * 4), model_writer=model, vocab_size=320,
        hard_vocab_limit=False, byte_fallback=True, add_dummy_prefix=False,
        remove_extra_whitespaces=False, normalization_rule_name="identity",
        pad_id=0, bos_id=1, eos_id=2, unk_id=3,
        pad_piece=PAD, bos_piece=BOS, eos_piece=EOS, unk_piece=UNK,
        control_symbols=[*ROLE_TOKENS.values(), END_OF_TURN], user_defined_symbols=["\n"],
        num_threads=1, minloglevel=2,
    )  # fmt: skip
    return model.getvalue()


@pytest.fixture(scope="session")
def weights_folder(tokenizer_model: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    tokenizer = Tokenizer(tokenizer_model)
    shape = DecoderConfig(
        vocab_size=tokenizer.vocab_size, d_model=32, n_layers=2, n_heads=4, n_kv_heads=2, d_head=8,
        d_ff=40, context_length=640,
    )  # fmt: skip
    decoder = new_decoder(shape, seed=0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    out = tmp_path_factory.mktemp("weights") / "weights"
    with new_folder(out, stage="pretrain", config=StageConfig(), inputs={}) as folder:
        save_weights(decoder, folder.path, tokenizer)
        (folder.path / "tokenizer.model").write_bytes(tokenizer_model)
        (folder.path / "tokenizer.json").write_bytes(tokenizer_json(tokenizer_model))
        (folder.path / "tokenizer_config.json").write_bytes(tokenizer_config())
        losses = [f'{{"step": {step}, "loss": {9 - step}.5}}\n' for step in range(1, 6)]
        (folder.path / "loss.jsonl").write_text("".join(losses), encoding="utf-8")
    return out
