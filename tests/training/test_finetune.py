"""Fine-tuning as a stage, in both forms."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rinsho.corpus.document import read_documents, write_documents
from rinsho.corpus.splits import split_of
from rinsho.encoding.encode import EncodeConfig, encode
from rinsho.encoding.token_shard import TokenDocument, TokenWriter
from rinsho.errors import (
    InvalidValue,
    MissingInput,
    ModelCannot,
    NothingToLearn,
    TokenizerMismatch,
)
from rinsho.manifest import new_folder, open_folder
from rinsho.model.checkpoint import load_decoder
from rinsho.model.tagger import load_tagger
from rinsho.runfile import StageConfig
from rinsho.tokenizer.tokenizer import copy_tokenizer, read_tokenizer
from rinsho.tokenizer.train_tokenizer import TrainTokenizerConfig, train_tokenizer
from rinsho.training.finetune import FinetuneConfig, finetune
from rinsho.training.span_examples import span_f1


def a_config(form: str, **changes: object) -> FinetuneConfig:
    values = {"form": form, "batch_tokens": 512, "micro_batch_tokens": 256, "threads": 1}
    rates = {"learning_rate": 1e-2, "n_warmup_steps": 2, "precision": "fp32"}
    often = {"evaluate_every_steps": 5, "checkpoint_every_steps": 5, "n_steps": 8}
    return FinetuneConfig.model_validate(values | rates | often | changes)


@pytest.fixture(scope="module")
def tagger_folder(weights: Path, documents: Path) -> Path:
    out = weights.with_name("tagger")
    config = a_config("tagging", n_steps=120, head_learning_rate=2e-2)
    finetune(config, base=weights, documents=[documents], out=out)
    return out


# ------------------------------------------------------------------------------- generation


def test_conversations_are_learned_from_the_weights_of_the_base(
    weights: Path, chat_tokens: Path, tmp_path: Path
) -> None:
    config = a_config("generation")
    manifest = finetune(config, base=weights, tokens=chat_tokens, out=tmp_path / "chat")
    log = [json.loads(x) for x in (tmp_path / "chat" / "loss.jsonl").read_text().splitlines()]
    assert log[-1]["loss"] < log[0]["loss"]
    assert manifest.counts["bits_per_byte"] == log[-1]["bits_per_byte"]
    assert load_decoder(tmp_path / "chat").config == load_decoder(weights).config
    base = open_folder(weights).manifest.identity_hash
    assert manifest.identity.inputs["base"] == base


def test_a_tiny_rate_leaves_the_base_almost_as_it_is(
    weights: Path, chat_tokens: Path, tmp_path: Path
) -> None:
    config = a_config("generation", n_steps=1, learning_rate=1e-12)
    finetune(config, base=weights, tokens=chat_tokens, out=tmp_path / "chat")
    before, after = load_decoder(weights).state_dict(), load_decoder(tmp_path / "chat").state_dict()
    assert all((before[name] - after[name]).abs().max() < 1e-6 for name in before)


def test_tokens_of_another_tokenizer_are_refused(
    weights: Path, documents: Path, tmp_path: Path
) -> None:
    other = TrainTokenizerConfig(vocab_size=700, use_demo_lexicon=False, max_piece_chars=2)
    train_tokenizer(other, documents=[documents], out=tmp_path / "tokenizer")
    what = EncodeConfig(what="conversations")
    encode(what, documents=[documents], tokenizer=tmp_path / "tokenizer", out=tmp_path / "tokens")
    with pytest.raises(TokenizerMismatch):
        finetune(
            a_config("generation"), base=weights, tokens=tmp_path / "tokens", out=tmp_path / "out"
        )
    assert not (tmp_path / "out").exists()


def write_tokens(weights: Path, out: Path, tokens: list[int], loss_mask: list[int]) -> None:
    with new_folder(out, stage="encode", config=StageConfig(), inputs={}) as folder:
        copy_tokenizer(weights, folder.path)
        with TokenWriter(folder.path, read_tokenizer(weights).vocab_size) as writer:
            writer.write(TokenDocument("a/1", "a", None, "train", tokens, loss_mask, 9))


def test_a_set_whose_mask_counts_nothing_is_refused(weights: Path, tmp_path: Path) -> None:
    write_tokens(weights, tmp_path / "tokens", [1, 20, 21, 2], [0, 0, 0, 0])
    with pytest.raises(NothingToLearn, match="0 labels"):
        finetune(
            a_config("generation"), base=weights, tokens=tmp_path / "tokens", out=tmp_path / "out"
        )


def test_a_set_in_which_no_answer_ends_is_refused(weights: Path, tmp_path: Path) -> None:
    write_tokens(weights, tmp_path / "tokens", [1, 20, 21, 22], [0, 0, 1, 1])
    with pytest.raises(NothingToLearn, match="end"):
        finetune(
            a_config("generation"), base=weights, tokens=tmp_path / "tokens", out=tmp_path / "out"
        )


# --------------------------------------------------------------------------------- tagging


def test_a_tagger_learns_the_spans_of_notes_and_finds_them_in_held_out_ones(
    tagger_folder: Path, documents: Path
) -> None:
    counts = open_folder(tagger_folder).manifest.counts
    notes = [d for d in read_documents(documents) if d.spans is not None]
    assert counts["n_train_documents"] == sum(split_of(d) == "train" for d in notes)
    assert counts["n_spans"] == sum(len(d.spans or ()) for d in notes if split_of(d) == "train")
    assert counts["n_skipped_documents"]["not annotated"] == len(notes)
    held_out = [d for d in notes if split_of(d) != "train"]
    found = load_tagger(tagger_folder).spans_of([d.text for d in held_out])
    assert span_f1([d.spans or () for d in held_out], found) > 0.9


def test_the_best_measured_weights_are_kept(tagger_folder: Path, documents: Path) -> None:
    counts = open_folder(tagger_folder).manifest.counts
    held_out = [
        d for d in read_documents(documents) if d.spans is not None and split_of(d) == "validation"
    ]
    found = load_tagger(tagger_folder).spans_of([d.text for d in held_out])
    measured = span_f1([d.spans or () for d in held_out], found)
    assert counts["span_f1"] == pytest.approx(measured, abs=1e-6)


def test_patience_ends_a_run_that_gets_no_better(
    weights: Path, documents: Path, tmp_path: Path
) -> None:
    config = a_config("tagging", n_steps=1000, patience=2, learning_rate=1e-9)
    config = config.model_copy(update={"head_learning_rate": 1e-9})
    manifest = finetune(config, base=weights, documents=[documents], out=tmp_path / "tagger")
    assert manifest.counts["n_steps"] == 15, "the first measure, and two that are no better"


def test_max_documents_takes_a_sample(weights: Path, documents: Path, tmp_path: Path) -> None:
    config = a_config("tagging", n_steps=2, max_documents=5)
    counts = finetune(config, base=weights, documents=[documents], out=tmp_path / "tagger").counts
    assert counts["n_train_documents"] == 5
    assert counts["n_skipped_documents"]["max_documents"] > 0


def test_documents_without_spans_teach_nothing(
    weights: Path, documents: Path, tmp_path: Path
) -> None:
    with new_folder(tmp_path / "d", stage="collect", config=StageConfig(), inputs={}) as folder:
        write_documents(folder.path, [d for d in read_documents(documents) if d.messages])
    with pytest.raises(NothingToLearn, match="0 annotated"):
        finetune(
            a_config("tagging"), base=weights, documents=[tmp_path / "d"], out=tmp_path / "out"
        )


def test_a_tagger_is_no_base_for_conversations(
    tagger_folder: Path, chat_tokens: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelCannot):
        finetune(
            a_config("generation"), base=tagger_folder, tokens=chat_tokens, out=tmp_path / "out"
        )


# ---------------------------------------------------------------------------------- inputs


def test_each_form_asks_for_its_own_input(
    weights: Path, documents: Path, chat_tokens: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(MissingInput, match="tokens"):
        finetune(a_config("generation"), base=weights, out=out)
    with pytest.raises(MissingInput, match="documents"):
        finetune(a_config("tagging"), base=weights, tokens=chat_tokens, out=out)
    with pytest.raises(InvalidValue, match="documents"):
        finetune(
            a_config("generation"),
            base=weights,
            tokens=chat_tokens,
            documents=[documents],
            out=out,
        )
