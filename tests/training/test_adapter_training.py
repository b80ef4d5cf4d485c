"""Adapters through the stage: trained, checkpointed, resumed, written as PEFT folders, used."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from rinsho.corpus.document import Message
from rinsho.errors import (
    AdapterMismatch,
    InvalidValue,
    MissingDependency,
    MissingInput,
    ModelCannot,
    SequenceTooLong,
)
from rinsho.generation.decoder_model import load_language_model
from rinsho.generation.language_model import Sampling
from rinsho.manifest import open_folder
from rinsho.model.adapted import load_any
from rinsho.model.adapter import is_adapter
from rinsho.training.finetune import FinetuneConfig, finetune
from rinsho.training.pretrain import PretrainConfig, pretrain

pytest.importorskip("peft")

LORA: Mapping[str, Any] = {"rank": 8, "alpha": 16, "dropout": 0.1}


def a_config(**changes: Any) -> FinetuneConfig:
    values = {"form": "generation", "batch_tokens": 512, "micro_batch_tokens": 256, "threads": 1}
    rates = {"learning_rate": 1e-2, "n_warmup_steps": 2, "precision": "fp32"}
    often = {"evaluate_every_steps": 5, "checkpoint_every_steps": 3, "n_steps": 8}
    return FinetuneConfig.model_validate({**values, **rates, **often, "adapter": LORA, **changes})


@pytest.fixture(scope="session")
def adapter(weights: Path, chat_tokens: Path) -> Path:
    out = weights.with_name("adapter")
    finetune(a_config(), base=weights, tokens=chat_tokens, out=out)
    return out


@pytest.fixture(scope="session")
def untied(text_tokens: Path, config: PretrainConfig) -> Path:
    shape = {**config.model.model_dump(), "tie_embeddings": False}
    out = text_tokens.with_name("untied")
    values = config.model_dump() | {"model": shape, "n_steps": 4}
    pretrain(PretrainConfig.model_validate(values), tokens=text_tokens, out=out)
    return out


def identity(folder: Path) -> str:
    return open_folder(folder).manifest.identity_hash


def test_the_folder_is_an_adapter_and_holds_nothing_of_the_base(
    adapter: Path, weights: Path
) -> None:
    manifest = open_folder(adapter, "finetune").manifest
    assert is_adapter(adapter) and not (adapter / "model.safetensors").exists()
    assert manifest.identity.inputs["base"] == open_folder(weights).manifest.identity_hash
    d_model, d_ff, rank, n_layers = 32, 64, 8, 2
    sides = 4 * (d_model + d_model) + 3 * (d_model + d_ff)
    assert manifest.counts["n_trained_parameters"] == n_layers * rank * sides
    small = (adapter / "adapter_model.safetensors").stat().st_size
    assert small < (weights / "model.safetensors").stat().st_size / 2


def test_the_adapter_learns(adapter: Path) -> None:
    lines = [json.loads(line) for line in (adapter / "loss.jsonl").read_text().splitlines()]
    assert lines[-1]["loss"] < lines[0]["loss"]


def test_peft_computes_the_logits_of_the_trained_adapter(adapter: Path, weights: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    plain = AutoModelForCausalLM.from_pretrained(weights, dtype=torch.float32)
    theirs: Any = PeftModel.from_pretrained(plain, adapter)
    _, ours = load_any(adapter, weights, dtype=torch.float32)
    tokens_T = torch.arange(40)
    with torch.no_grad():
        expected = theirs.eval()(input_ids=tokens_T[None]).logits[0]
        found = ours.eval().logits(ours.forward_hidden(tokens_T, [40]))
    assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_a_resumed_adapter_is_the_unbroken_one(
    adapter: Path, weights: Path, chat_tokens: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rinsho.training import loop

    out, n_done = weights.with_name("adapter-resumed"), 0
    step = loop.Loop._step

    def die_at_five(self: Any, *arguments: Any) -> None:
        nonlocal n_done
        n_done += 1
        if n_done == 5:
            raise KeyboardInterrupt
        step(self, *arguments)

    monkeypatch.setattr(loop.Loop, "_step", die_at_five)
    with pytest.raises(KeyboardInterrupt):
        finetune(a_config(), base=weights, tokens=chat_tokens, out=out)
    monkeypatch.undo()
    checkpoints = out.with_name(f"{out.name}.partial") / "checkpoints"
    held = {p.name for p in (checkpoints / "step-00000003").glob("*.safetensors")}
    assert "weights.safetensors" in held
    n_bytes = (checkpoints / "step-00000003" / "weights.safetensors").stat().st_size
    assert n_bytes < 1.2 * (adapter / "adapter_model.safetensors").stat().st_size + 4_096
    manifest = finetune(a_config(), base=weights, tokens=chat_tokens, out=out)
    assert manifest.identity_hash == open_folder(adapter).manifest.identity_hash


def test_four_bits_train_resume_and_answer(
    weights: Path, chat_tokens: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("bitsandbytes")
    from rinsho.training import loop

    config = a_config(adapter={**LORA, "kind": "qlora"})
    whole = finetune(config, base=weights, tokens=chat_tokens, out=weights.with_name("qlora"))
    assert whole.counts["n_parameters"] > open_folder(weights).manifest.counts["n_parameters"]
    loss = json.loads((weights.with_name("qlora") / "loss.jsonl").read_text().splitlines()[0])
    assert whole.counts["loss"] < loss["loss"]
    out, step = weights.with_name("qlora-resumed"), loop.Loop._step

    def die_behind_a_checkpoint(self: Any, *arguments: Any) -> None:
        if self._state.step == 5:
            raise KeyboardInterrupt
        step(self, *arguments)

    monkeypatch.setattr(loop.Loop, "_step", die_behind_a_checkpoint)
    with pytest.raises(KeyboardInterrupt):
        finetune(config, base=weights, tokens=chat_tokens, out=out)
    monkeypatch.undo()
    resumed = finetune(config, base=weights, tokens=chat_tokens, out=out)
    assert resumed.identity_hash == whole.identity_hash
    assert load_language_model(out).context_length == 64


def test_the_base_is_found_beside_the_adapter_and_answers_with_it(adapter: Path) -> None:
    model = load_language_model(adapter)
    prompt = model.tokenizer.render([Message("user", "肺炎の症状は。")], add_generation_prompt=True)
    assert len(list(model.generate(prompt, Sampling(max_new_tokens=8)))) <= 8


def test_an_adapter_without_its_base_asks_for_it(
    adapter: Path, weights: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "adapter"
    shutil.copytree(adapter, alone)
    with pytest.raises(MissingInput, match="base"):
        load_language_model(alone)
    assert load_language_model(alone, weights).context_length == 64


def test_an_adapter_is_not_put_on_another_base(
    adapter: Path, weights: Path, chat_tokens: Path
) -> None:
    other = weights.with_name("other-base")
    finetune(a_config(adapter=None, n_steps=1), base=weights, tokens=chat_tokens, out=other)
    with pytest.raises(AdapterMismatch, match="other-base"):
        load_language_model(adapter, other)


def test_an_adapter_is_no_base_and_no_head_has_one(
    adapter: Path, weights: Path, chat_tokens: Path, documents: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelCannot, match="adapter"):
        finetune(a_config(), base=adapter, tokens=chat_tokens, out=tmp_path / "twice")
    with pytest.raises(InvalidValue, match="adapter"):
        config = a_config(form="tagging")
        finetune(config, base=weights, documents=[documents], out=tmp_path / "head")


def test_folders_of_before_adapters_keep_their_identity() -> None:
    assert "adapter" not in FinetuneConfig.model_validate({}).model_dump()


def test_continued_pretraining_trains_an_adapter_and_saves_modules(
    weights: Path, text_tokens: Path, config: PretrainConfig, untied: Path
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    settings = {"adapter": {**LORA, "modules_to_save": ["embed_tokens", "lm_head"]}, "n_steps": 6}
    changed = PretrainConfig.model_validate(config.model_dump() | settings)
    out = untied.with_name("continued")
    manifest = pretrain(changed, tokens=text_tokens, base=untied, out=out)
    assert is_adapter(out) and manifest.identity.inputs["base"] == identity(untied)
    plain = AutoModelForCausalLM.from_pretrained(untied, dtype=torch.float32)
    theirs: Any = PeftModel.from_pretrained(plain, out)
    _, ours = load_any(out, untied, dtype=torch.float32)
    tokens_T = torch.arange(40)
    with torch.no_grad():
        expected = theirs.eval()(input_ids=tokens_T[None]).logits[0]
        found = ours.eval().logits(ours.forward_hidden(tokens_T, [40]))
    assert_close(found, expected, rtol=1e-4, atol=1e-4)
    lines = [json.loads(line) for line in (out / "loss.jsonl").read_text().splitlines()]
    assert lines[-1]["loss"] < lines[0]["loss"]


def test_an_adapter_needs_a_base_to_continue(
    text_tokens: Path, config: PretrainConfig, tmp_path: Path
) -> None:
    changed = PretrainConfig.model_validate(config.model_dump() | {"adapter": LORA})
    with pytest.raises(InvalidValue, match="no base"):
        pretrain(changed, tokens=text_tokens, out=tmp_path / "x")


def test_a_conversation_longer_than_a_row_is_named(
    weights: Path, chat_tokens: Path, tmp_path: Path
) -> None:
    with pytest.raises(SequenceTooLong, match=r"chat-tokens, chat/\d+") as caught:
        finetune(a_config(context_length=8), base=weights, tokens=chat_tokens, out=tmp_path / "x")
    assert "max_document_tokens = 8" in caught.value.next_step("en")
    with pytest.raises(SequenceTooLong, match="context_length"):
        finetune(a_config(context_length=65), base=weights, tokens=chat_tokens, out=tmp_path / "x")


def test_four_bits_without_bitsandbytes_say_what_to_install(
    weights: Path, chat_tokens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    config = a_config(adapter={**LORA, "kind": "qlora"})
    with pytest.raises(MissingDependency, match="bitsandbytes") as caught:
        finetune(config, base=weights, tokens=chat_tokens, out=tmp_path / "x")
    assert "adapt" in caught.value.next_step("en")
