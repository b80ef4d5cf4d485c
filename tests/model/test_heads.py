"""Heads over texts and pairs: what they learn, read and refuse, and how they lie on disk."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import cast

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from rinsho.errors import ModelCannot, TokenizerMismatch, WeightsMismatch
from rinsho.manifest import new_folder
from rinsho.model.decoder import new_decoder
from rinsho.model.head_record import HEAD, HEAD_RECORD
from rinsho.model.heads import (
    TextForm,
    TextHeads,
    TextTask,
    load_text_heads,
    save_text_heads,
    summed_text_loss,
    to_judgement,
)
from rinsho.model.presets import DecoderConfig
from rinsho.model.tagger import load_tagger
from rinsho.runfile import StageConfig
from rinsho.tokenizer.tokenizer import Tokenizer

TASKS = (
    TextTask("kind", "label", ("胃", "肺", "骨")),
    TextTask("signs", "labels", ("熱", "咳")),
    TextTask("score", "value", mean=2.0, scale=0.5),
)


def new_heads(
    tokenizer: Tokenizer, form: TextForm = "pooled", *, is_causal: bool = False
) -> TextHeads:
    shape = DecoderConfig.model_validate(
        {"vocab_size": tokenizer.vocab_size, "d_model": 32, "n_layers": 2, "n_heads": 2}
        | {"n_kv_heads": 1, "d_head": 16, "d_ff": 64, "context_length": 32}
    )
    heads = TextHeads(new_decoder(shape, seed=0), tokenizer, TASKS, form=form, is_causal=is_causal)
    generator = torch.Generator().manual_seed(1)
    for parameter in heads.head.parameters():
        torch.nn.init.normal_(parameter, generator=generator)
    return heads.eval()


@pytest.fixture(scope="module")
def saved(
    tokenizer: Tokenizer, tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("heads") / "heads"
    with new_folder(out, stage="finetune", config=StageConfig(), inputs={}) as folder:
        save_text_heads(new_heads(tokenizer, "pair"), folder.path, tokenizer_folder)
    return out


def test_saved_heads_say_the_same(saved: Path, tokenizer: Tokenizer) -> None:
    texts = [("発熱。", "咳嗽なし。"), ("心房細動あり。", "")]
    loaded = load_text_heads(saved)
    assert loaded.judge(texts) == new_heads(tokenizer, "pair").judge(texts)
    record = json.loads((saved / HEAD_RECORD).read_text(encoding="utf-8"))
    assert record["tasks"][0] == {"name": "kind", "kind": "label", "labels": ["胃", "肺", "骨"]}
    assert record["tasks"][2]["mean"] == 2.0


def test_texts_together_get_what_they_get_alone(tokenizer: Tokenizer) -> None:
    heads = new_heads(tokenizer)
    texts = [("発熱。", None), ("", None), ("咳嗽なし。" * 40, None), ("心房細動", "脳梗塞")]
    alone = [heads.judge([text])[0] for text in texts]
    for one, other in zip(heads.judge(texts), alone, strict=True):
        assert [j.labels for j in one] == [j.labels for j in other]
        assert one[2].value == pytest.approx(other[2].value, abs=1e-4)


def test_the_vector_of_a_text_is_the_mean_over_its_tokens(tokenizer: Tokenizer) -> None:
    heads = new_heads(tokenizer)
    (rows,) = heads.rows(("心房細動あり。", None))
    tokens_T = torch.tensor(rows[0].tokens)
    hidden_TD = heads.decoder.forward_hidden(tokens_T, [len(tokens_T)], is_causal=False)
    torch.testing.assert_close(heads.features([(rows,)])[0], hidden_TD.mean(0))


@given(words=st.lists(st.sampled_from(["発熱", "。", "\n", "胃潰瘍", "あり😀"]), max_size=200))
def test_each_token_of_a_long_text_counts_once(tokenizer: Tokenizer, words: list[str]) -> None:
    text = "".join(words)
    (rows,) = new_heads(tokenizer).rows((text, None))
    counted = [token for row in rows for token in row.tokens[row.first : row.last]]
    assert counted == [tokenizer.bos_id, *tokenizer.encode(text)]
    assert all(len(row) <= 64 for row in rows)


def test_a_pair_becomes_both_vectors_their_distance_and_their_product(tokenizer: Tokenizer) -> None:
    heads, single = new_heads(tokenizer, "pair"), new_heads(tokenizer)
    u, v = (single.features([single.rows((text, None))])[0] for text in ("発熱。", "咳嗽。"))
    found = heads.features([heads.rows(("発熱。", "咳嗽。"))])[0]
    torch.testing.assert_close(found, torch.cat((u, v, (u - v).abs(), u * v)))


@pytest.mark.parametrize("is_causal", [False, True])
def test_attention_is_as_asked_for(tokenizer: Tokenizer, is_causal: bool) -> None:
    heads = new_heads(tokenizer, is_causal=is_causal)
    tokens = [[tokenizer.bos_id, 20, 21, last] for last in (22, 23)]
    first, second = (
        heads.decoder.forward_hidden(torch.tensor(t), [4], is_causal=heads.is_causal)[1]
        for t in tokens
    )
    assert torch.equal(first, second) == is_causal


def test_losses_are_those_of_torch() -> None:
    outputs = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    classes = torch.tensor([0, 2, 1, 1])
    one_hot = torch.eye(3)[classes]
    label, value = TASKS[0], TASKS[2]
    several = TextTask("s", "labels", ("a", "b", "c"))
    torch.testing.assert_close(
        summed_text_loss(label, outputs, one_hot), cross_entropy(outputs, classes, reduction="sum")
    )
    per_text = binary_cross_entropy_with_logits(outputs, one_hot, reduction="none").mean(1)
    torch.testing.assert_close(summed_text_loss(several, outputs, one_hot), per_text.sum())
    error = summed_text_loss(value, outputs[:, :1], one_hot[:, :1])
    torch.testing.assert_close(error, 0.5 * (outputs[:, 0] - one_hot[:, 0]).square().sum())


def test_a_number_comes_back_on_the_scale_of_its_training() -> None:
    assert to_judgement(TASKS[2], torch.tensor([3.0])).value == pytest.approx(3.5)


def test_several_labels_hold_at_once_or_none(tokenizer: Tokenizer) -> None:
    assert to_judgement(TASKS[1], torch.tensor([2.0, 3.0])).labels == ("熱", "咳")
    assert to_judgement(TASKS[1], torch.tensor([-2.0, -3.0])).labels == ()
    assert to_judgement(TASKS[0], torch.tensor([-2.0, -3.0, -1.0])).labels == ("骨",)


def test_one_head_is_not_taken_for_another(saved: Path) -> None:
    with pytest.raises(ModelCannot, match="tagging"):
        load_tagger(saved)


def forge(saved: Path, out: Path, **changes: object) -> Path:
    """Write the files of `saved` as another finished folder, its record changed."""
    with new_folder(out, stage="finetune", config=StageConfig(), inputs={}) as folder:
        for path in saved.iterdir():
            if path.name != "manifest.json":
                shutil.copy(path, folder.path)
        record = json.loads((saved / HEAD_RECORD).read_text(encoding="utf-8")) | changes
        (folder.path / HEAD_RECORD).write_text(json.dumps(record), encoding="utf-8")
    return out


def test_a_head_of_another_base_is_refused(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsMismatch, match=HEAD_RECORD):
        load_text_heads(forge(saved, tmp_path / "weights", weights_sha256="0" * 64))
    with pytest.raises(TokenizerMismatch):
        load_text_heads(forge(saved, tmp_path / "tokenizer", tokenizer_sha256="0" * 64))


def test_a_head_whose_labels_do_not_fit_its_tensors_is_refused(saved: Path, tmp_path: Path) -> None:
    tasks = json.loads((saved / HEAD_RECORD).read_text(encoding="utf-8"))["tasks"]
    cast(list[str], tasks[0]["labels"]).append("皮膚")
    with pytest.raises(WeightsMismatch, match=HEAD):
        load_text_heads(forge(saved, tmp_path / "labels", tasks=tasks))
    with pytest.raises(WeightsMismatch, match=HEAD_RECORD):
        load_text_heads(forge(saved, tmp_path / "form", tasks=[{}]))
