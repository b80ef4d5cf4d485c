"""The loop: what it learns, how batches add up, what it refuses."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from rinsho.encoding.packing import pack
from rinsho.encoding.token_shard import TokenSplit, read_token_split
from rinsho.errors import LossNotFinite, NothingToLearn, OutOfMemory
from rinsho.model.decoder import Decoder, new_decoder
from rinsho.model.presets import DecoderConfig
from rinsho.tokenizer.tokenizer import read_tokenizer
from rinsho.training.batches import TokenBatch, TokenBatches, to_batch
from rinsho.training.held_out import HeldOut, summed_loss
from rinsho.training.loop import Loop, planned_steps
from rinsho.training.objective import LanguageObjective
from rinsho.training.optimizer import decays, new_optimizer, rate_share
from rinsho.training.pretrain import PretrainConfig
from rinsho.training.session import Session, training_session
from rinsho.training.state import CheckpointStore, environment


@pytest.fixture(scope="module")
def split(text_tokens: Path) -> TokenSplit:
    return read_token_split(text_tokens, "train")


@pytest.fixture(scope="module")
def n_bytes(text_tokens: Path) -> np.ndarray:
    return read_tokenizer(text_tokens).n_bytes_per_token


@pytest.fixture
def decoder(n_bytes: np.ndarray) -> Decoder:
    shape = {"vocab_size": len(n_bytes), "d_model": 32, "n_layers": 2, "n_heads": 2}
    rest = {"n_kv_heads": 1, "d_head": 16, "d_ff": 64, "context_length": 64}
    return new_decoder(DecoderConfig.model_validate(shape | rest), seed=0)


def batches_of(split: TokenSplit, micro_batch_tokens: int) -> TokenBatches:
    return TokenBatches(
        split,
        context_length=64,
        batch_tokens=512,
        micro_batch_tokens=micro_batch_tokens,
        seed=0,
    )


def loop_over(
    decoder: Decoder, split: TokenSplit, config: PretrainConfig, n_bytes: np.ndarray, folder: Path
) -> Loop[TokenBatch]:
    objective = LanguageObjective(decoder, batches_of(split, 256), HeldOut(split, n_bytes, 64, 500))
    session = Session(threads=1, precision="fp32")
    store = CheckpointStore(folder, environment(1, "fp32"))
    return Loop(objective, new_optimizer(decoder, config), config, session, store)


def gradients(decoder: Decoder) -> dict[str, torch.Tensor]:
    return {n: p.grad.clone() for n, p in decoder.named_parameters() if p.grad is not None}


# ------------------------------------------------------------------------------- learning


def test_the_loss_falls_on_one_batch(
    decoder: Decoder, split: TokenSplit, config: PretrainConfig
) -> None:
    batch = batches_of(split, 256).step(0, 0)[0]
    optimizer = new_optimizer(decoder, config)
    for group in optimizer.param_groups:
        group["lr"] = 1e-2
    losses: list[float] = []
    for _ in range(40):
        loss = summed_loss(decoder, batch) / batch.n_counted
        losses.append(float(loss.detach()))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert losses[0] == pytest.approx(math.log(decoder.config.vocab_size), abs=0.2)
    assert losses[-1] < 0.3 * losses[0]


def test_accumulated_small_batches_give_the_gradient_of_a_big_one(
    decoder: Decoder, split: TokenSplit
) -> None:
    for micro_batch_tokens in (512, 64):
        batches = batches_of(split, micro_batch_tokens).step(0, 0)
        n_counted = sum(batch.n_counted for batch in batches)
        for batch in batches:
            (summed_loss(decoder, batch) / n_counted).backward()
        if micro_batch_tokens == 512:
            assert len(batches) == 1
            expected = gradients(decoder)
            decoder.zero_grad()
    assert len(batches) > 2
    torch.testing.assert_close(gradients(decoder), expected, atol=1e-6, rtol=1e-4)


def test_masked_tokens_give_no_gradient(decoder: Decoder, chat_tokens: Path) -> None:
    chats = read_token_split(chat_tokens, "train")
    batch = batches_of(chats, 256).step(0, 0)[0]
    assert 0 < batch.n_counted < batch.n_tokens
    hidden = decoder.forward_hidden(batch.tokens, batch.segment_lengths)
    log_probs = decoder.logits(hidden).log_softmax(-1)
    chosen = log_probs.gather(1, batch.labels[:, None]).squeeze(1)
    (-chosen[batch.loss_mask == 1].sum()).backward()
    expected = gradients(decoder)
    decoder.zero_grad()
    summed_loss(decoder, batch).backward()
    torch.testing.assert_close(gradients(decoder), expected, atol=1e-4, rtol=1e-3)


def test_a_document_never_sees_its_neighbour_in_a_batch(
    decoder: Decoder, split: TokenSplit
) -> None:
    row = batches_of(split, 256).step(0, 0)
    together = sum(float(summed_loss(decoder, batch).detach()) for batch in row)
    rows = pack(split.lengths, context_length=64, seed=0, epoch=0)[: 512 // 64]
    alone = sum(
        float(summed_loss(decoder, to_batch(split, [piece])).detach())
        for pieces in rows
        for piece in pieces
    )
    assert together == pytest.approx(alone, rel=1e-5)


def test_every_label_of_the_split_is_taught_once_an_epoch(split: TokenSplit) -> None:
    batches = batches_of(split, 256)
    taught = sum(
        batch.n_counted for step in range(batches.n_steps(3)) for batch in batches.step(3, step)
    )
    assert taught == int(split.loss_mask.sum())


def test_batches_are_a_pure_function_of_seed_epoch_and_step(split: TokenSplit) -> None:
    walked, jumped = batches_of(split, 256), batches_of(split, 256)
    for epoch in range(2):
        for step in range(walked.n_steps(epoch)):
            last = walked.step(epoch, step)
    again = jumped.step(1, jumped.n_steps(1) - 1)
    assert all(torch.equal(a.tokens, b.tokens) for a, b in zip(last, again, strict=True))
    assert not torch.equal(jumped.step(0, 0)[0].tokens, jumped.step(1, 0)[0].tokens)


# ------------------------------------------------------------------------- bits per byte


def test_bits_per_byte_of_a_uniform_model_is_log2_of_the_vocabulary_over_bytes(
    decoder: Decoder, split: TokenSplit, n_bytes: np.ndarray
) -> None:
    with torch.no_grad():
        decoder.model.norm.weight.zero_()  # every logit is 0
    found = HeldOut(split, n_bytes, 64, 10**9).measure(decoder)["bits_per_byte"]
    n_labels, size = int(split.loss_mask.sum()), int(split.n_bytes.sum())
    assert found == pytest.approx(n_labels * math.log2(len(n_bytes)) / size, rel=1e-4)


def test_nothing_is_measured_on_an_empty_split(
    decoder: Decoder, split: TokenSplit, n_bytes: np.ndarray
) -> None:
    empty = TokenSplit(
        split.tokens[:0], split.loss_mask[:0], np.zeros(1, np.int64), (), (), (), split.n_bytes[:0]
    )
    assert HeldOut(empty, n_bytes, 64, 100).measure(decoder) == {}


# ------------------------------------------------------------------------------- schedule


def test_the_rate_rises_to_its_peak_and_falls_to_its_end(config: PretrainConfig) -> None:
    asked = config.model_copy(update={"n_warmup_steps": 10, "final_learning_rate": 0.1})
    shares = [rate_share(asked, step, 100) for step in range(100)]
    assert shares[0] == pytest.approx(0.1)
    assert shares[9] == shares[10] == 1.0
    assert shares[-1] == pytest.approx(0.1)
    assert shares[10:] == sorted(shares[10:], reverse=True)
    assert rate_share(asked, 20, 100, share_done=1.0) == pytest.approx(0.1)


def test_norms_and_the_embedding_do_not_decay(decoder: Decoder) -> None:
    kept = {name for name, p in decoder.named_parameters() if not decays(name, p)}
    assert "model.embed_tokens.weight" in kept
    assert "model.layers.0.self_attn.q_proj.weight" not in kept
    assert {name for name, _ in decoder.named_parameters() if "norm" in name} <= kept


def test_limits_shorten_a_run(
    decoder: Decoder, split: TokenSplit, config: PretrainConfig, n_bytes: np.ndarray
) -> None:
    objective = LanguageObjective(decoder, batches_of(split, 256), HeldOut(split, n_bytes, 64, 100))
    per_epoch = [objective.n_steps(epoch) for epoch in range(3)]

    def planned(**changes: object) -> int:
        return planned_steps(config.model_copy(update=changes), objective)

    assert planned(n_steps=None, max_epochs=3) == sum(per_epoch)
    assert planned(n_steps=7) == 7
    assert planned(n_steps=7, max_tokens=512 * 3) == 3


# ------------------------------------------------------------------------------- refusals


def test_a_loss_that_is_no_number_names_step_and_documents(
    decoder: Decoder, split: TokenSplit, config: PretrainConfig, n_bytes: np.ndarray, tmp_path: Path
) -> None:
    with torch.no_grad():
        decoder.model.norm.weight[3] = float("nan")
    with pytest.raises(LossNotFinite) as caught:
        loop_over(decoder, split, config, n_bytes, tmp_path).run("", "")
    assert caught.value.where == "step 1"
    assert "note/" in caught.value.found
    assert list(tmp_path.iterdir()) == [], "no checkpoint of broken weights"


def with_mask(split: TokenSplit, loss_mask: np.ndarray) -> TokenSplit:
    parts = (split.document_starts, split.ids, split.sources, split.groups, split.n_bytes)
    return TokenSplit(split.tokens, loss_mask, *parts)


def test_epochs_without_a_counted_label_are_refused(
    decoder: Decoder, split: TokenSplit, config: PretrainConfig, n_bytes: np.ndarray, tmp_path: Path
) -> None:
    masked = with_mask(split, np.zeros_like(split.loss_mask))
    with pytest.raises(NothingToLearn, match="0 labels"):
        loop_over(decoder, masked, config, n_bytes, tmp_path).run("", "")


def test_a_step_of_prompts_alone_changes_nothing(
    decoder: Decoder, split: TokenSplit, config: PretrainConfig, n_bytes: np.ndarray, tmp_path: Path
) -> None:
    one_document = np.zeros_like(split.loss_mask)
    one_document[: split.document_starts[1]] = 1
    masked = with_mask(split, one_document)
    finished = loop_over(decoder, masked, config, n_bytes, tmp_path).run("", "")
    assert finished.n_steps == config.n_steps
    losses = [line["loss"] for line in finished.log]
    assert any(a == b for a, b in itertools.pairwise(losses)), "a step had no label of its own"


def test_memory_that_torch_cannot_get_is_an_error_of_ours(config: PretrainConfig) -> None:
    with pytest.raises(OutOfMemory, match="micro_batch_tokens"), training_session(config):
        torch.empty(1 << 60, dtype=torch.uint8)


def test_a_session_puts_back_threads_and_determinism(config: PretrainConfig) -> None:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with training_session(config) as session:
        assert torch.get_num_threads() == session.threads == 1
        assert torch.are_deterministic_algorithms_enabled()
    assert before == (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())


def test_bf16_products_follow_fp32_and_weights_stay_fp32(
    decoder: Decoder, split: TokenSplit
) -> None:
    batch = batches_of(split, 256).step(0, 0)[0]
    exact = float(summed_loss(decoder, batch).detach())
    with Session(threads=1, precision="bf16").computing():
        loss = summed_loss(decoder, batch)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(exact, rel=0.02)
    assert all(p.grad is None or p.grad.dtype == torch.float32 for p in decoder.parameters())
