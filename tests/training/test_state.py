"""Checkpoints: a run that was stopped anywhere ends like one that was not."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from rinsho.encoding.token_shard import TokenSplit, read_token_split
from rinsho.errors import ResumeRefused
from rinsho.model.decoder import Decoder, new_decoder
from rinsho.tokenizer.tokenizer import read_tokenizer
from rinsho.training.batches import TokenBatch, TokenBatches
from rinsho.training.held_out import HeldOut
from rinsho.training.loop import Finished, Loop
from rinsho.training.objective import LanguageObjective
from rinsho.training.optimizer import new_optimizer
from rinsho.training.pretrain import PretrainConfig
from rinsho.training.session import training_session
from rinsho.training.state import CheckpointStore, environment

N_STEPS = 12


class SignalledObjective(LanguageObjective):
    """A language objective in whose steps a signal comes to this process."""

    signals: dict[int, signal.Signals]
    n_asked = 0

    def batches(self, epoch: int, step: int) -> Sequence[TokenBatch]:
        self.n_asked += 1
        if kind := self.signals.get(self.n_asked):
            os.kill(os.getpid(), kind)
        return super().batches(epoch, step)


class Run:
    """One run over the invented notes, with its checkpoints in a folder."""

    def __init__(self, tokens: Path, config: PretrainConfig, folder: Path) -> None:
        self.split: TokenSplit = read_token_split(tokens, "train")
        self.tokenizer = read_tokenizer(tokens)
        self.config = config.model_copy(update={"dropout": 0.1, "n_steps": N_STEPS})
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def train(
        self, signals: dict[int, signal.Signals] | None = None, threads: int = 1
    ) -> tuple[Decoder, Finished]:
        shape = self.config.decoder_config(self.tokenizer.vocab_size)
        config = self.config.model_copy(update={"threads": threads})
        with training_session(config) as session:
            decoder = new_decoder(shape, seed=0, dropout=0.1)
            batches = TokenBatches(
                self.split, context_length=64, batch_tokens=512, micro_batch_tokens=256, seed=0
            )
            sizes = self.tokenizer.n_bytes_per_token
            held_out = HeldOut(self.split, sizes, 64, 200)
            objective = SignalledObjective(decoder, batches, held_out)
            objective.signals = signals or {}
            store = CheckpointStore(self.folder, environment(threads, session.precision))
            loop = Loop(objective, new_optimizer(decoder, config), config, session, store)
            return decoder, loop.run("", "", keeps_best=False)

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


def assert_same(found: tuple[Decoder, Finished], expected: tuple[Decoder, Finished]) -> None:
    for (name, a), (_, b) in zip(
        found[0].state_dict().items(), expected[0].state_dict().items(), strict=True
    ):
        assert torch.equal(a, b), name
    assert json.dumps(found[1].log) == json.dumps(expected[1].log), "keys in the same order too"
    assert found[1].n_seen_tokens == expected[1].n_seen_tokens


@pytest.fixture(scope="module")
def unbroken(
    text_tokens: Path, config: PretrainConfig, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Decoder, Finished]:
    return Run(text_tokens, config, tmp_path_factory.mktemp("unbroken")).train()


@pytest.fixture
def run(text_tokens: Path, config: PretrainConfig, tmp_path: Path) -> Run:
    return Run(text_tokens, config, tmp_path / "checkpoints")


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("step", [1, 5, 6, N_STEPS])
def test_a_signal_saves_and_the_next_run_ends_like_an_unbroken_one(
    run: Run, unbroken: tuple[Decoder, Finished], step: int, kind: signal.Signals
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run.train({step: kind})
    assert run.names()[-1] == f"step-{step:08d}"
    assert_same(run.train(), unbroken)


def test_a_run_may_be_stopped_many_times(run: Run, unbroken: tuple[Decoder, Finished]) -> None:
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            run.train({3: signal.SIGTERM})
    assert run.names()[-1] == "step-00000009"
    assert_same(run.train(), unbroken)


def test_the_last_two_checkpoints_are_kept(run: Run) -> None:
    with pytest.raises(KeyboardInterrupt):
        run.train({9: signal.SIGTERM})
    assert run.names() == ["step-00000008", "step-00000009"]


@pytest.mark.parametrize(
    "name", ["weights.safetensors", "optimizer.safetensors", "state.json", "manifest.json"]
)
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    run: Run,
    unbroken: tuple[Decoder, Finished],
    name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run.train({9: signal.SIGTERM})
    path = run.folder / "step-00000009" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    assert_same(run.train(), unbroken)
    assert "step-00000009" in capsys.readouterr().err


def test_half_written_checkpoints_are_not_read(
    run: Run, unbroken: tuple[Decoder, Finished]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run.train({5: signal.SIGTERM})
    (run.folder / "step-00000008.new").mkdir()
    (run.folder / "step-00000010").mkdir()
    (run.folder / "step-00000010" / "weights.safetensors").write_bytes(b"half")
    assert_same(run.train(), unbroken)


def test_other_threads_are_refused_because_the_bytes_would_differ(run: Run) -> None:
    with pytest.raises(KeyboardInterrupt):
        run.train({5: signal.SIGTERM})
    with pytest.raises(ResumeRefused, match="threads 1"):
        run.train(threads=2)
    assert run.names()[-1] == "step-00000005", "what was saved is kept"


def test_a_checkpoint_is_safetensors_and_json_alone(run: Run) -> None:
    with pytest.raises(KeyboardInterrupt):
        run.train({5: signal.SIGTERM})
    folder = run.folder / "step-00000005"
    assert {path.suffix for path in folder.iterdir()} == {".safetensors", ".json"}
    state = json.loads((folder / "state.json").read_text())["state"]
    assert (state["step"], len(state["log"])) == (5, 5)
