"""A token classifier of transformers as a tagger: offsets, long texts, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from rinsho.clinical.extract import extract, load_extractor
from rinsho.errors import ModelCannot
from rinsho.text.spans import Span

TEXT = "発熱あり、肺炎なし。"


def write_encoder(out: Path, labels: tuple[str, ...]) -> Path:
    """Write a BERT whose tag of a character is decided by its embedding: made by hand."""
    transformers: Any = pytest.importorskip("transformers")
    out.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(set(TEXT))]
    (out / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    transformers.BertTokenizerFast(str(out / "vocab.txt"), do_lower_case=False).save_pretrained(out)
    shape = transformers.BertConfig(
        vocab_size=len(words), hidden_size=8, num_hidden_layers=1, num_attention_heads=1,
        intermediate_size=8, max_position_embeddings=24, num_labels=len(labels),
        id2label=dict(enumerate(labels)), label2id={label: i for i, label in enumerate(labels)},
    )  # fmt: skip
    model = transformers.BertForTokenClassification(shape)
    kinds = {"発": 1, "肺": 2, "熱": 3, "炎": 4}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        for norm in (m for m in model.modules() if isinstance(m, torch.nn.LayerNorm)):
            norm.weight.fill_(1)
        for number, word in enumerate(words):
            model.bert.embeddings.word_embeddings.weight[number, kinds.get(word, 0)] = 5
        model.classifier.weight[:5, :5] = torch.eye(5)
    model.save_pretrained(out)
    return out


LABELS = ("O", "B-symptom", "B-disease", "I-symptom", "I-disease")


def test_its_labels_stand_where_its_tokens_do(tmp_path: Path) -> None:
    extractor = load_extractor(write_encoder(tmp_path / "bert", LABELS))
    assert extract(extractor, TEXT) == (
        Span(0, 2, "symptom"),
        Span(5, 7, "disease", "negated"),
    )


def test_a_text_longer_than_it_sees_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    extractor = load_extractor(write_encoder(tmp_path / "bert", LABELS))
    found = [(s.start, s.end, s.label) for s in extract(extractor, TEXT * 40)]
    places = range(0, 40 * len(TEXT), len(TEXT))
    assert found == [
        place for at in places for place in ((at, at + 2, "symptom"), (at + 5, at + 7, "disease"))
    ]


def test_labels_that_are_no_bio_are_refused(tmp_path: Path) -> None:
    names = ("LABEL_0", "LABEL_1", "LABEL_2", "LABEL_3", "LABEL_4")
    with pytest.raises(ModelCannot):
        load_extractor(write_encoder(tmp_path / "bert", names))
