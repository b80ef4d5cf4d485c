"""A tiny Gemma and a tiny GPT-NeoX as language models, against transformers itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from rinsho.errors import InvalidValue, SequenceTooLong
from rinsho.generation.decoder_model import load_language_model
from rinsho.generation.language_model import LanguageModel, Sampling
from rinsho.generation.transformers_model import TransformersModel
from rinsho.manifest import new_folder
from rinsho.model.base import load_trainable
from rinsho.model.transformers_decoder import TransformersDecoder
from rinsho.runfile import StageConfig
from rinsho.tokenizer.tokenizer import Tokenizer

MORE: dict[str, dict[str, Any]] = {"Gemma": {"head_dim": 8, "num_key_value_heads": 1}}


@pytest.fixture(params=["Gemma", "GPTNeoX"])
def theirs(request: Any, tokenizer: Tokenizer) -> Any:
    import transformers

    config = getattr(transformers, f"{request.param}Config")(
        vocab_size=tokenizer.vocab_size, hidden_size=32, num_hidden_layers=2,
        num_attention_heads=4, intermediate_size=48, max_position_embeddings=48,
        bos_token_id=tokenizer.bos_id, eos_token_id=tokenizer.eos_id,
        pad_token_id=tokenizer.pad_id, **MORE.get(request.param, {}),
    )  # fmt: skip
    torch.manual_seed(3)
    model = getattr(transformers, f"{request.param}ForCausalLM")(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


@pytest.fixture
def model(theirs: Any, tokenizer: Tokenizer, tmp_path: Path) -> LanguageModel:
    theirs.save_pretrained(tmp_path)
    decoder = load_trainable(tmp_path)
    assert isinstance(decoder, TransformersDecoder)
    return TransformersModel(decoder, tokenizer, "tiny")


def test_scores_are_those_of_one_pass_over_each_pair(model: LanguageModel, theirs: Any) -> None:
    requests = [([1, 5, 9], [7, 8]), ([1], [4]), ([1, 2, 3, 4, 5, 6], []), ([1, 9] * 10, [30] * 6)]
    for (prompt, continuation), scored in zip(
        requests, model.log_likelihoods(requests), strict=True
    ):
        with torch.no_grad():
            logits_TV = theirs(torch.tensor([[*prompt, *continuation]])).logits[0].double()
        log_probs = logits_TV.log_softmax(-1)[len(prompt) - 1 : -1]
        expected = sum(float(log_probs[i, token]) for i, token in enumerate(continuation))
        assert scored.log_likelihood == pytest.approx(expected, abs=1e-3)
        assert scored.n_tokens == len(continuation)
        assert scored.is_greedy == (log_probs.argmax(-1).tolist() == continuation)


def test_greedy_text_is_that_of_transformers(model: LanguageModel, theirs: Any) -> None:
    stops = [model.tokenizer.eos_id, model.tokenizer.end_of_turn_id]
    for prompt in ([1, 5, 9], [1, 30, 31, 32, 33]):
        text = theirs.generate(
            torch.tensor([prompt]), max_new_tokens=12, do_sample=False, eos_token_id=stops
        )[0].tolist()[len(prompt) :]
        expected = [token for token in text if token not in stops]
        assert list(model.generate(prompt, Sampling(max_new_tokens=12))) == expected


def test_nothing_is_cut_to_fit_the_context(model: LanguageModel) -> None:
    assert len(list(model.generate([1] * 47, Sampling(max_new_tokens=5)))) <= 1
    with pytest.raises(SequenceTooLong):
        model.generate([1] * 48, Sampling())
    with pytest.raises(SequenceTooLong):
        model.log_likelihoods([([1] * 40, [2] * 9)])
    with pytest.raises(InvalidValue):
        model.log_likelihoods([([], [2])])


def test_a_finished_folder_of_another_architecture_opens_as_a_language_model(
    theirs: Any, tokenizer: Tokenizer, tokenizer_model: bytes, tmp_path: Path
) -> None:
    out = tmp_path / "weights"
    with new_folder(out, stage="finetune", config=StageConfig(), inputs={}) as folder:
        theirs.save_pretrained(folder.path)
        (folder.path / "tokenizer.model").write_bytes(tokenizer_model)
    model = load_language_model(out)
    assert isinstance(model, TransformersModel)
    assert model.name == "weights"


def test_the_same_seed_draws_the_same_text(model: LanguageModel) -> None:
    sampling = Sampling(max_new_tokens=8, temperature=1.0, seed=4)
    assert list(model.generate([1, 5], sampling)) == list(model.generate([1, 5], sampling))
