"""Scores and texts of the decoder against its plain logits and against transformers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rinsho.errors import (
    Corrupt,
    InvalidValue,
    ModelCannot,
    SequenceTooLong,
    TokenizerMismatch,
    WrongKind,
)
from rinsho.generation.decoder_model import DecoderModel, load_language_model
from rinsho.generation.language_model import LanguageModel, Sampling
from rinsho.manifest import new_folder
from rinsho.model.checkpoint import save_weights
from rinsho.model.decoder import Decoder, new_decoder
from rinsho.runfile import StageConfig
from rinsho.tokenizer.tokenizer import Tokenizer

MakeWeights = Callable[[Decoder, Path], Path]


@pytest.fixture
def model(decoder: Decoder, tokenizer: Tokenizer) -> DecoderModel:
    return DecoderModel(decoder, tokenizer, "tiny")


def plain_score(decoder: Decoder, prompt: list[int], continuation: list[int]) -> tuple[float, bool]:
    """One forward pass over prompt and continuation, nothing shared, nothing packed."""
    row = torch.tensor([[*prompt, *continuation]])
    with torch.no_grad():
        log_probs = decoder(row)[0].double().log_softmax(-1)[len(prompt) - 1 : -1]
    picked = sum(float(log_probs[i, token]) for i, token in enumerate(continuation))
    return picked, log_probs.argmax(-1).tolist() == continuation


tokens = st.integers(0, 319)
continuations = st.lists(tokens, min_size=0, max_size=6)
requests = st.lists(
    st.tuples(
        st.one_of(st.lists(tokens, min_size=1, max_size=8), st.just([5] * 40), st.just([7] * 33)),
        continuations,
    ),
    max_size=8,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests=requests)
def test_scores_are_those_of_one_pass_over_each_pair(
    decoder: Decoder, model: DecoderModel, requests: list[tuple[list[int], list[int]]]
) -> None:
    requests = [
        ([t % model.tokenizer.vocab_size for t in p], [t % model.tokenizer.vocab_size for t in c])
        for p, c in requests
    ]
    scored = model.log_likelihoods(requests)
    assert len(scored) == len(requests)
    for (prompt, continuation), one in zip(requests, scored, strict=True):
        expected, is_greedy = plain_score(decoder, prompt, continuation)
        assert one.log_likelihood == pytest.approx(expected, abs=1e-3)
        assert one.n_tokens == len(continuation)
        assert one.is_greedy == is_greedy


def test_the_greedy_continuation_is_said_to_be_greedy(model: DecoderModel) -> None:
    for prompt in ([1, 5, 9], [1] + [5] * 40):
        greedy = list(model.generate(prompt, Sampling(max_new_tokens=5)))
        other = [greedy[0], (greedy[1] + 1) % model.tokenizer.vocab_size, *greedy[2:]]
        first, second = model.log_likelihoods([(prompt, greedy), (prompt, other)])
        assert first.is_greedy
        assert not second.is_greedy


def test_what_does_not_fit_the_context_is_refused(model: DecoderModel) -> None:
    assert model.log_likelihoods([([1] * 90, [2] * 6)])[0].n_tokens == 6
    with pytest.raises(SequenceTooLong, match="request 1"):
        model.log_likelihoods([([1], [2]), ([1] * 91, [2] * 6)])
    with pytest.raises(SequenceTooLong):
        model.generate([1] * 96, Sampling())
    with pytest.raises(InvalidValue):
        model.log_likelihoods([([], [2])])


def test_generation_ends_with_the_context(model: DecoderModel) -> None:
    n_new = len(list(model.generate([1] * 90, Sampling(max_new_tokens=50, temperature=1.0))))
    assert n_new <= 6


def test_greedy_tokens_are_the_best_of_plain_logits(decoder: Decoder, model: DecoderModel) -> None:
    row = [1, 20, 30]
    for token in model.generate(row, Sampling(max_new_tokens=12)):
        with torch.no_grad():
            assert int(decoder(torch.tensor([row]))[0, -1].argmax()) == token
        row = [*row, token]


def test_generation_stops_at_the_end_of_a_turn_and_of_a_document(
    decoder: Decoder, tokenizer: Tokenizer
) -> None:
    for stop in (tokenizer.end_of_turn_id, tokenizer.eos_id):
        model = DecoderModel(_always(decoder, stop), tokenizer, "tiny")
        assert list(model.generate([1, 5], Sampling())) == []
    other = DecoderModel(_always(decoder, 50), tokenizer, "tiny")
    assert list(other.generate([1, 5], Sampling(max_new_tokens=4))) == [50] * 4


def _always(decoder: Decoder, token: int) -> Decoder:
    """A decoder whose most likely token is always the same one."""
    config = decoder.config.model_copy(update={"tie_embeddings": False})
    constant = new_decoder(config, seed=0)
    with torch.no_grad():
        constant.lm_head.weight.zero_()
        constant.model.embed_tokens.weight.fill_(1.0)
        constant.lm_head.weight[token] = 1.0
    return constant


def test_sampled_text_repeats_with_its_seed(model: DecoderModel) -> None:
    first, second, other = (
        list(model.generate([1, 9], Sampling(max_new_tokens=30, temperature=1.0, seed=seed)))
        for seed in (3, 3, 4)
    )
    assert first == second
    assert first != other


def test_transformers_writes_the_same_greedy_text(
    decoder: Decoder, make_weights: MakeWeights, tmp_path: Path
) -> None:
    from transformers import AutoModelForCausalLM

    folder = make_weights(decoder, tmp_path / "weights")
    theirs = AutoModelForCausalLM.from_pretrained(folder)
    ours = load_language_model(folder, precision="fp32")
    for prompt in ([1, 20, 30, 40], [1, *ours.tokenizer.encode("発熱と咳嗽")]):
        row = theirs.generate(torch.tensor([prompt]), max_new_tokens=40)[0]
        stops = (ours.tokenizer.eos_id, ours.tokenizer.end_of_turn_id)
        found = [token for token in row[len(prompt) :].tolist() if token not in stops]
        assert list(ours.generate(prompt, Sampling(max_new_tokens=40))) == found


def test_a_loaded_model_scores_as_the_one_that_was_saved(
    decoder: Decoder, model: DecoderModel, make_weights: MakeWeights, tmp_path: Path
) -> None:
    folder = make_weights(decoder, tmp_path / "weights")
    loaded: LanguageModel = load_language_model(folder, precision="fp32")
    assert loaded.name == "weights"
    assert loaded.context_length == 96
    pairs = [([1, 5, 6], [7, 8]), ([1] * 40, [3]), ([1] * 40, [4, 5])]
    assert loaded.log_likelihoods(pairs) == model.log_likelihoods(pairs)


def test_a_changed_byte_in_the_weights_is_found(
    decoder: Decoder, make_weights: MakeWeights, tmp_path: Path
) -> None:
    folder = make_weights(decoder, tmp_path / "weights")
    raw = bytearray((folder / "model.safetensors").read_bytes())
    raw[-3] ^= 1
    (folder / "model.safetensors").write_bytes(raw)
    with pytest.raises(Corrupt, match=r"model\.safetensors"):
        load_language_model(folder)


def test_a_tokenizer_of_another_size_is_refused(
    decoder: Decoder, make_weights: MakeWeights, tmp_path: Path
) -> None:
    larger = new_decoder(decoder.config.model_copy(update={"vocab_size": 400}), seed=0)
    with pytest.raises(TokenizerMismatch):
        load_language_model(make_weights(larger, tmp_path / "weights"))


def test_a_folder_of_another_stage_and_a_tagger_are_refused(
    decoder: Decoder, tmp_path: Path
) -> None:
    with new_folder(tmp_path / "tokens", stage="encode", config=StageConfig(), inputs={}):
        pass
    with pytest.raises(WrongKind):
        load_language_model(tmp_path / "tokens")
    out = tmp_path / "tagger"
    with new_folder(out, stage="finetune", config=StageConfig(), inputs={}) as folder:
        save_weights(decoder, folder.path)
        (folder.path / "head.json").write_text(json.dumps({}))
    with pytest.raises(ModelCannot):
        load_language_model(out)
