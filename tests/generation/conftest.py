"""A tiny tokenizer and weights folders of decoders that no one trained."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
import sentencepiece
import torch

from rinsho.manifest import new_folder
from rinsho.model.checkpoint import save_weights
from rinsho.model.decoder import Decoder, new_decoder
from rinsho.model.presets import DecoderConfig
from rinsho.runfile import StageConfig
from rinsho.tokenizer.tokenizer import BOS, END_OF_TURN, EOS, PAD, ROLE_TOKENS, UNK, Tokenizer
from rinsho.tokenizer.tokenizer_json import tokenizer_config, tokenizer_json

LINES = ["発熱と咳嗽で来院した。", "CRP 3.2 mg/dL、胸部X線で肺炎像あり。", "解熱剤で軽快した。"]


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
def tokenizer(tokenizer_model: bytes) -> Tokenizer:
    return Tokenizer(tokenizer_model)


@pytest.fixture(scope="session")
def decoder(tokenizer: Tokenizer) -> Decoder:
    config = DecoderConfig(
        vocab_size=tokenizer.vocab_size, d_model=32, n_layers=2, n_heads=4, n_kv_heads=2, d_head=8,
        d_ff=40, context_length=96,
    )  # fmt: skip
    decoder = new_decoder(config, seed=0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return decoder.eval()


@pytest.fixture
def make_weights(tokenizer_model: bytes, tokenizer: Tokenizer) -> Callable[[Decoder, Path], Path]:
    def make(decoder: Decoder, out: Path) -> Path:
        with new_folder(out, stage="pretrain", config=StageConfig(), inputs={}) as folder:
            save_weights(decoder, folder.path, tokenizer)
            (folder.path / "tokenizer.model").write_bytes(tokenizer_model)
            (folder.path / "tokenizer.json").write_bytes(tokenizer_json(tokenizer_model))
            (folder.path / "tokenizer_config.json").write_bytes(tokenizer_config())
        return out

    return make
