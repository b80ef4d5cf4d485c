from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from rinsho.corpus.document import Document, write_documents
from rinsho.errors import InvalidValue
from rinsho.evaluation.draw_embeddings import KINDS, DrawEmbeddingsConfig, draw_embeddings
from rinsho.manifest import new_folder
from rinsho.model.checkpoint import save_weights
from rinsho.model.decoder import new_decoder
from rinsho.model.presets import decoder_config
from rinsho.runfile import StageConfig
from rinsho.text.lexicon import read_demo_lexicon
from rinsho.tokenizer.tokenizer import copy_tokenizer, read_tokenizer
from rinsho.tokenizer.train_tokenizer import TrainTokenizerConfig, train_tokenizer

pytest.importorskip("umap")


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """Seeded weights whose diseases lie in one direction and drugs in another."""
    root = tmp_path_factory.mktemp("embeddings")
    terms = sorted(read_demo_lexicon().terms())
    with new_folder(root / "documents", stage="collect", config=StageConfig(), inputs={}) as folder:
        texts = (Document(f"d/{i}", "、".join(terms), "d", "CC0-1.0") for i in range(20))
        write_documents(folder.path, texts)
    config = TrainTokenizerConfig(vocab_size=3000, max_term_chars=20, term_count=50)
    train_tokenizer(config, documents=[root / "documents"], out=root / "tokenizer")
    tokenizer = read_tokenizer(root / "tokenizer")
    decoder = new_decoder(decoder_config("demo", tokenizer.vocab_size, 32), seed=0)
    with torch.no_grad():
        for term, label in read_demo_lexicon().terms().items():
            for token in tokenizer.encode(term):
                decoder.model.embed_tokens.weight[token, hash_of(label)] += 1
    with new_folder(root / "weights", stage="pretrain", config=StageConfig(), inputs={}) as folder:
        save_weights(decoder, folder.path, tokenizer)
        copy_tokenizer(root / "tokenizer", folder.path)
    return root / "weights"


def hash_of(label: str) -> int:
    return sorted([*KINDS, "test", "dose", "value"]).index(label)


@pytest.mark.campaign
def test_kinds_of_terms_are_drawn_apart_and_the_same_each_time(weights: Path, tmp_path: Path):
    config = DrawEmbeddingsConfig(max_terms=40)
    first = draw_embeddings(config, model=weights, out=tmp_path / "a")
    second = draw_embeddings(config, model=weights, out=tmp_path / "b")
    assert first.identity_hash == second.identity_hash
    for name in ("tsne.svg", "umap.svg", "positions.json"):
        written = (tmp_path / "a" / name).read_bytes()
        assert written == (tmp_path / "b" / name).read_bytes()
    assert b"<dc:date>" not in (tmp_path / "a" / "tsne.svg").read_bytes()
    assert (tmp_path / "a" / "umap.png").stat().st_size > 10_000
    positions = json.loads((tmp_path / "a" / "positions.json").read_bytes())
    by_kind = {kind: [p["umap"] for p in positions if p["kind"] == kind] for kind in KINDS}
    assert all(by_kind.values())
    diseases, drugs = (torch.tensor(by_kind[kind]) for kind in ("disease", "drug"))
    between = (diseases.mean(dim=0) - drugs.mean(dim=0)).norm()
    assert between > 0.5 * diseases.std(dim=0).norm()


def test_too_few_short_terms_are_an_error(weights: Path, tmp_path: Path):
    config = DrawEmbeddingsConfig(max_terms=5)
    with pytest.raises(InvalidValue, match="max_term_tokens"):
        draw_embeddings(config, model=weights, out=tmp_path / "a")
