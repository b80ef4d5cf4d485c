"""GGUF files: what transformers reads out of them is the model that was written."""

from __future__ import annotations

import json
import math
from pathlib import Path

import gguf
import pytest
import torch

from rinsho.corpus.document import Document, write_documents
from rinsho.errors import InvalidValue, ModelCannot
from rinsho.manifest import hash_file, new_folder
from rinsho.model.base import load_trainable
from rinsho.model.checkpoint import save_weights
from rinsho.model.decoder import Decoder, new_decoder
from rinsho.model.export import ExportConfig, export
from rinsho.model.gguf_file import GGUF_FILE
from rinsho.model.presets import DecoderConfig
from rinsho.runfile import StageConfig
from rinsho.tokenizer.tokenizer import copy_tokenizer, read_tokenizer
from rinsho.tokenizer.train_tokenizer import TrainTokenizerConfig, train_tokenizer

LINES = ("発熱と咳嗽があり受診した。", "胸部X線で浸潤影を認め、肺炎と診断した。", "𠮷田") * 5
FAMILIES = {
    "llama": {},
    "llama-tied": {"tie_embeddings": True},
    "qwen2": {"qkv_bias": True},
    "qwen3": {"qk_norm": True},
    "two-matrix": {"mlp": "two-matrix"},
}


@pytest.fixture(scope="module")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("gguf")
    with new_folder(
        root / "documents", stage="synthesize", config=StageConfig(), inputs={}
    ) as folder:
        documents = (Document(f"t/{i}", t, "t", "CC0-1.0") for i, t in enumerate(LINES))
        write_documents(folder.path, documents)
    config = TrainTokenizerConfig(vocab_size=800, use_demo_lexicon=False)
    train_tokenizer(config, documents=[root / "documents"], out=root / "tokenizer")
    return root / "tokenizer"


def make_base(out: Path, tokenizer_folder: Path, **family: object) -> tuple[Path, Decoder]:
    tokenizer = read_tokenizer(tokenizer_folder)
    shape = {"d_model": 64, "n_layers": 2, "n_heads": 4, "n_kv_heads": 2, "d_head": 16, "d_ff": 96}
    config = DecoderConfig.model_validate(
        {"vocab_size": tokenizer.vocab_size, "context_length": 64, "tie_embeddings": False}
        | shape
        | family
    )
    decoder = new_decoder(config, seed=0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    with new_folder(out, stage="pretrain", config=StageConfig(), inputs={}) as folder:
        save_weights(decoder, folder.path, tokenizer)
        copy_tokenizer(tokenizer_folder, folder.path)
    return out, decoder.eval()


TOKENS_BT = torch.randint(8, 300, (2, 40), generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("stored_as", ["fp16", "q8_0"])
@pytest.mark.parametrize("family", ["llama", "llama-tied", "qwen2", "qwen3"])
def test_transformers_reads_the_same_logits(
    tmp_path: Path, tokenizer_folder: Path, family: str, stored_as: str
) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    base, decoder = make_base(tmp_path / "base", tokenizer_folder, **FAMILIES[family])
    out = tmp_path / "gguf"
    export(ExportConfig(runtime="gguf", dtype=stored_as), base=base, out=out)
    shape = AutoConfig.from_pretrained(base)
    theirs = AutoModelForCausalLM.from_pretrained(
        out, gguf_file=GGUF_FILE, config=shape, dtype=torch.float32
    ).eval()
    with torch.no_grad():
        expected, found = decoder(TOKENS_BT), theirs(TOKENS_BT).logits
    off = float((expected - found).abs().max())
    assert off < (0.02 if stored_as == "fp16" else 0.05) * float(expected.abs().max())
    checks = json.loads((out / "export.json").read_text())
    assert checks["largest_logit_difference"] == pytest.approx(off, rel=5, abs=0.05)
    assert checks["stored_precision"] == stored_as


def test_a_two_matrix_model_becomes_an_equal_llama(tmp_path: Path, tokenizer_folder: Path) -> None:
    base, _ = make_base(tmp_path / "base", tokenizer_folder, mlp="two-matrix")
    export(ExportConfig(runtime="gguf"), base=base, out=tmp_path / "gguf")
    checks = json.loads((tmp_path / "gguf" / "export.json").read_text())
    assert checks["same_first_choice"] > 0.97
    reader = gguf.GGUFReader(tmp_path / "gguf" / GGUF_FILE)
    names = {tensor.name for tensor in reader.tensors}
    assert {"blk.0.ffn_gate.weight", "blk.0.ffn_up.bias"} <= names


def test_the_vocabulary_and_its_ids_are_the_tokenizers(
    tmp_path: Path, tokenizer_folder: Path
) -> None:
    base, _ = make_base(tmp_path / "base", tokenizer_folder)
    export(ExportConfig(runtime="gguf"), base=base, out=tmp_path / "gguf")
    fields = gguf.GGUFReader(tmp_path / "gguf" / GGUF_FILE).fields
    tokenizer = read_tokenizer(tokenizer_folder)
    pieces = fields["tokenizer.ggml.tokens"].contents()
    texts = [tokenizer.piece(id_).replace("▁", " ") for id_ in range(tokenizer.vocab_size)]
    assert pieces == texts
    scores = fields["tokenizer.ggml.scores"].contents()
    special = ("<unk>", "<s>", "</s>", "<pad>", "<|assistant|>")
    assert all(scores[texts.index(piece)] == -math.inf for piece in special)
    assert all(-1000 < score <= 0 for score in scores if score != -math.inf)
    assert fields["tokenizer.ggml.eos_token_id"].contents() == tokenizer.end_of_turn_id
    assert "<|assistant|>" in fields["tokenizer.chat_template"].contents()


def test_the_same_weights_give_the_same_bytes(tmp_path: Path, tokenizer_folder: Path) -> None:
    base, _ = make_base(tmp_path / "base", tokenizer_folder)
    for name in ("one", "other"):
        export(ExportConfig(runtime="gguf", dtype="q8_0"), base=base, out=tmp_path / name)
    one, other = (hash_file(tmp_path / name / GGUF_FILE).sha256 for name in ("one", "other"))
    assert one == other


def test_what_cannot_be_written_is_said(tmp_path: Path, tokenizer_folder: Path) -> None:
    base, _ = make_base(tmp_path / "base", tokenizer_folder, d_ff=100)
    with pytest.raises(ModelCannot):
        export(ExportConfig(runtime="gguf"), base=base, out=tmp_path / "out")
    with pytest.raises(InvalidValue):
        export(ExportConfig(runtime="gguf", dtype="bf16"), base=base, out=tmp_path / "out")
    with pytest.raises(InvalidValue):
        export(ExportConfig(runtime="vllm", dtype="q8_0"), base=base, out=tmp_path / "out")
    assert load_trainable(base) is not None
