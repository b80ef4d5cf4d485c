"""The masked part of the hybrid objective: what is hidden, and where it is predicted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from rinsho.encoding.token_shard import TokenSplit, read_token_split
from rinsho.model.decoder import Decoder, new_decoder
from rinsho.model.presets import DecoderConfig
from rinsho.tokenizer.tokenizer import Tokenizer, read_tokenizer
from rinsho.training.batches import TokenBatch, TokenBatches
from rinsho.training.held_out import HeldOut, summed_loss
from rinsho.training.masking import Masking
from rinsho.training.objective import LanguageObjective


@pytest.fixture(scope="module")
def tokenizer(text_tokens: Path) -> Tokenizer:
    return read_tokenizer(text_tokens)


@pytest.fixture(scope="module")
def split(text_tokens: Path) -> TokenSplit:
    return read_token_split(text_tokens, "train")


@pytest.fixture(scope="module")
def batch(split: TokenSplit) -> TokenBatch:
    sizes = {"context_length": 64, "batch_tokens": 512, "micro_batch_tokens": 512}
    return TokenBatches(split, **sizes, seed=0).step(0, 0)[0]


@pytest.fixture(scope="module")
def masked(batch: TokenBatch, tokenizer: Tokenizer) -> TokenBatch:
    return Masking(share=0.999, rate=0.15, token=tokenizer.unk_id).apply(batch, (0, 0, 0))


def test_a_hidden_token_is_predicted_one_place_before_it(
    batch: TokenBatch, masked: TokenBatch, tokenizer: Tokenizer
) -> None:
    hidden = torch.nonzero(masked.tokens == tokenizer.unk_id).flatten()
    assert torch.equal(torch.nonzero(masked.loss_mask).flatten(), hidden - 1)
    assert torch.equal(masked.labels[hidden - 1], batch.tokens[hidden])
    assert masked.n_counted == len(hidden)
    others = masked.tokens != tokenizer.unk_id
    assert torch.equal(masked.tokens[others], batch.tokens[others])


def test_about_the_asked_share_is_hidden_and_never_a_first_token(
    batch: TokenBatch, tokenizer: Tokenizer
) -> None:
    masking = Masking(share=0.999, rate=0.15, token=tokenizer.unk_id)
    found = [masking.apply(batch, (0, 0, step)) for step in range(40)]
    rate = np.mean([one.n_counted for one in found]) / batch.n_tokens
    assert rate == pytest.approx(0.15, abs=0.02)
    firsts = np.cumsum((0, *batch.segment_lengths[:-1]))
    assert all((one.tokens[firsts] != tokenizer.unk_id).all() for one in found)


def test_a_masked_batch_sees_both_ways(tokenizer: Tokenizer, masked: TokenBatch) -> None:
    shape = {"vocab_size": tokenizer.vocab_size, "d_model": 32, "n_layers": 2, "n_heads": 2}
    rest = {"n_kv_heads": 1, "d_head": 16, "d_ff": 64, "context_length": 64}
    decoder: Decoder = new_decoder(DecoderConfig.model_validate(shape | rest), seed=0)
    hidden = decoder.forward_hidden(masked.tokens, masked.segment_lengths, is_causal=False)
    log_probs = decoder.logits(hidden).log_softmax(-1)
    chosen = log_probs.gather(1, masked.labels[:, None]).squeeze(1)
    expected = -float(chosen[masked.loss_mask == 1].sum().detach())
    assert float(summed_loss(decoder, masked).detach()) == pytest.approx(expected, rel=1e-5)


def test_the_asked_share_of_batches_is_masked_the_same_ones_each_time(
    split: TokenSplit, tokenizer: Tokenizer
) -> None:
    sizes = {"context_length": 64, "batch_tokens": 512, "micro_batch_tokens": 64}
    shape = DecoderConfig(
        vocab_size=tokenizer.vocab_size,
        d_model=32,
        n_layers=1,
        n_heads=2,
        n_kv_heads=1,
        d_head=16,
        d_ff=64,
        context_length=64,
    )

    def kinds(seed: int) -> list[bool]:
        objective = LanguageObjective(
            new_decoder(shape, seed=0),
            TokenBatches(split, **sizes, seed=0),
            HeldOut(split, tokenizer.n_bytes_per_token, 64, 64),
            masking=Masking(share=0.5, rate=0.15, token=tokenizer.unk_id),
            seed=seed,
        )
        steps = range(objective.n_steps(0))
        return [batch.is_causal for step in steps for batch in objective.batches(0, step)]

    assert kinds(0) == kinds(0)
    assert kinds(0) != kinds(1)
    assert np.mean(kinds(0)) == pytest.approx(0.5, abs=0.2)
