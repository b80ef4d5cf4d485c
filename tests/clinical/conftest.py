"""Tiny real models with weights that nobody trained: the forms are what is tested here."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rinsho.corpus.document import Document, write_documents
from rinsho.generation.decoder_model import DecoderModel
from rinsho.generation.language_model import LanguageModel
from rinsho.manifest import new_folder
from rinsho.model.decoder import new_decoder
from rinsho.model.presets import DecoderConfig
from rinsho.model.tagger import Tagger, save_tagger
from rinsho.model.tags import TagSet
from rinsho.runfile import StageConfig
from rinsho.tokenizer.tokenizer import Tokenizer, read_tokenizer
from rinsho.tokenizer.train_tokenizer import TrainTokenizerConfig, train_tokenizer
from tests.one_thing import decoder_that_says

TEXTS = (
    "発熱と咳嗽があり 受診した。",
    "胸部X線で浸潤影を認め、肺炎と診断した。",
    "胸痛はなし。",
) * 5


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tiny")
    with new_folder(
        root / "documents", stage="synthesize", config=StageConfig(), inputs={}
    ) as folder:
        documents = (Document(f"t/{i}", t, "t", "CC0-1.0") for i, t in enumerate(TEXTS))
        write_documents(folder.path, documents)
    config = TrainTokenizerConfig(vocab_size=800, use_demo_lexicon=False)
    train_tokenizer(config, documents=[root / "documents"], out=root / "tokenizer")
    return root / "tokenizer"


def tiny_shape(tokenizer: Tokenizer, context_length: int = 64) -> DecoderConfig:
    return DecoderConfig(
        vocab_size=tokenizer.vocab_size, d_model=32, n_layers=2, n_heads=2, n_kv_heads=2,
        d_head=16, d_ff=48, context_length=context_length,
    )  # fmt: skip


@pytest.fixture(scope="session")
def language_model(tokenizer_folder: Path) -> LanguageModel:
    tokenizer = read_tokenizer(tokenizer_folder)
    return DecoderModel(new_decoder(tiny_shape(tokenizer), seed=0), tokenizer, "tiny")


@pytest.fixture(scope="session")
def long_model(tokenizer_folder: Path) -> LanguageModel:
    tokenizer = read_tokenizer(tokenizer_folder)
    return DecoderModel(new_decoder(tiny_shape(tokenizer, 2_048), seed=0), tokenizer, "tiny")


@pytest.fixture(scope="session")
def silent_model(tokenizer_folder: Path) -> LanguageModel:
    """A model that closes every list it begins: asked for quotes, it says []."""
    tokenizer = read_tokenizer(tokenizer_folder)
    return DecoderModel(decoder_that_says("[]", tokenizer, 2_048), tokenizer, "tiny")


@pytest.fixture(scope="session")
def tagger_weights(tokenizer_folder: Path) -> Path:
    """A finished folder of a tagger with random weights: it marks much, and all at random."""
    tokenizer = read_tokenizer(tokenizer_folder)
    tags = TagSet((("disease", "present"), ("symptom", "negated")))
    tagger = Tagger(new_decoder(tiny_shape(tokenizer), seed=0), tokenizer, {"": tags})
    torch.nn.init.normal_(
        tagger.heads[""].linear.weight, generator=torch.Generator().manual_seed(0)
    )
    out = tokenizer_folder.parent / "tagger"
    with new_folder(out, stage="finetune", config=StageConfig(), inputs={}) as folder:
        save_tagger(tagger, folder.path, tokenizer_folder)
    return out
