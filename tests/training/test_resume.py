"""Every kind of state at once: stopped or not, a run gives the same bytes."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from rinsho.encoding.encode import EncodeConfig, encode
from rinsho.errors import InvalidValue, OutputOccupied, SequenceTooLong, TokenizerMismatch
from rinsho.manifest import Manifest, open_folder
from rinsho.tokenizer.train_tokenizer import TrainTokenizerConfig, train_tokenizer
from rinsho.training import language
from rinsho.training.journal import Journal, Line
from rinsho.training.pretrain import PretrainConfig, pretrain

EVERYTHING = {
    "n_steps": 14,
    "dropout": 0.1,
    "schedule": "wsd",
    "ema_decay": 0.9,
    "masked_share": 0.3,
    "recompute": True,
    "mix": {"note": {"weight": 3, "max_epochs": 40}, "chat": {"weight": 1}},
    "sample_prompts": ("肺炎",),
    "n_sample_tokens": 4,
    "max_validation_tokens": 500,
    "evaluate_every_steps": 3,
    "checkpoint_every_steps": 4,
}


class StoppingJournal(Journal):
    """A journal behind one of whose steps SIGTERM comes to this process."""

    stop_at: int | None = None

    def add(self, line: Line, timing: Line) -> None:
        super().add(line, timing)
        if line["step"] == StoppingJournal.stop_at:
            StoppingJournal.stop_at = None
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(scope="module")
def folders(text_tokens: Path, chat_tokens: Path) -> list[Path]:
    return [text_tokens, chat_tokens]


def with_keys(config: PretrainConfig, **changes: object) -> PretrainConfig:
    return PretrainConfig.model_validate({**config.model_dump(), **EVERYTHING, **changes})


@pytest.fixture(scope="module")
def unbroken(folders: list[Path], config: PretrainConfig) -> Path:
    out = folders[0].with_name("unbroken-everything")
    pretrain(with_keys(config), tokens=folders, out=out)
    return out


def train_with_stops(
    config: PretrainConfig,
    folders: list[Path],
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    stops: tuple[int, ...],
) -> Manifest:
    monkeypatch.setattr(language, "Journal", StoppingJournal)
    for step in stops:
        StoppingJournal.stop_at = step
        with pytest.raises(KeyboardInterrupt):
            pretrain(config, tokens=folders, out=out)
    StoppingJournal.stop_at = None
    return pretrain(config, tokens=folders, out=out)


@pytest.mark.parametrize(("n_workers", "stops"), [(0, (5, 9)), (1, ()), (2, (3,)), (4, (6, 13))])
def test_stopped_or_not_with_any_workers_everything_is_the_same_to_the_byte(
    unbroken: Path,
    folders: list[Path],
    config: PretrainConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    n_workers: int,
    stops: tuple[int, ...],
) -> None:
    config = with_keys(config, data_workers=n_workers)
    manifest = train_with_stops(config, folders, tmp_path / "weights", monkeypatch, stops)
    assert manifest.identity_hash == open_folder(unbroken).manifest.identity_hash
    for name in ("model.safetensors", "loss.jsonl", "samples.jsonl"):
        assert (tmp_path / "weights" / name).read_bytes() == (unbroken / name).read_bytes()


def test_an_early_stop_comes_at_the_same_step_after_a_stop(
    folders: list[Path], config: PretrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A rate far too high makes the first validation the best one.
    keys = {"patience": 2, "learning_rate": 2.0, "n_steps": 60, "evaluate_every_steps": 2}
    config = with_keys(config, **keys, grad_clip=1e6, schedule="cosine", mix=None)
    expected = pretrain(config, tokens=folders, out=tmp_path / "unbroken")
    assert expected.counts["n_steps"] < 60
    found = train_with_stops(config, folders, tmp_path / "weights", monkeypatch, (3,))
    assert found.identity_hash == expected.identity_hash


def test_sources_are_counted_and_measured(unbroken: Path) -> None:
    sources: Mapping[str, Mapping[str, float]] = open_folder(unbroken).manifest.counts["sources"]
    assert set(sources) == {"note", "chat"}
    seen = {name: one["n_seen_tokens"] for name, one in sources.items()}
    assert seen["note"] / seen["chat"] == pytest.approx(3, rel=0.2)
    assert sum(seen.values()) == open_folder(unbroken).manifest.counts["n_seen_tokens"]
    assert all(one["bits_per_byte"] > 0 for one in sources.values())


# ------------------------------------------------------------------------------- refusals


def stopped(
    config: PretrainConfig, folders: list[Path], out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(language, "Journal", StoppingJournal)
    StoppingJournal.stop_at = 2
    with pytest.raises(KeyboardInterrupt):
        pretrain(config, tokens=folders, out=out)


def test_another_config_is_refused_and_its_difference_shown(
    folders: list[Path], config: PretrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped(config, folders, tmp_path / "weights", monkeypatch)
    other = config.model_copy(update={"learning_rate": 3e-3})
    with pytest.raises(OutputOccupied, match=r"config\.learning_rate: 0\.01 -> 0\.003"):
        pretrain(other, tokens=folders, out=tmp_path / "weights")


def test_other_data_are_refused_and_the_difference_shown(
    folders: list[Path], config: PretrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped(config, folders[:1], tmp_path / "weights", monkeypatch)
    with pytest.raises(OutputOccupied, match=r"inputs\.tokens"):
        pretrain(config, tokens=folders[1:], out=tmp_path / "weights")


def test_more_steps_than_a_mix_has_are_refused(
    folders: list[Path], config: PretrainConfig, tmp_path: Path
) -> None:
    mix = {"note": {"max_epochs": 1}}
    with pytest.raises(InvalidValue, match="n_steps"):
        pretrain(
            with_keys(config, mix=mix, n_steps=10_000), tokens=folders, out=tmp_path / "weights"
        )


# ------------------------------------------------------------------ continued pre-training


def test_a_base_goes_on_from_its_weights(
    weights: Path, text_tokens: Path, config: PretrainConfig, tmp_path: Path
) -> None:
    config = config.model_copy(update={"n_steps": 1, "learning_rate": 1e-6})
    manifest = pretrain(config, tokens=text_tokens, base=weights, out=tmp_path / "weights")
    before = open_folder(weights).manifest
    assert manifest.counts["bits_per_byte"] == pytest.approx(
        before.counts["bits_per_byte"], abs=1e-3
    )
    assert manifest.identity.inputs["base"] == before.identity_hash


def test_rows_longer_than_the_context_of_the_base_are_refused(
    weights: Path, text_tokens: Path, config: PretrainConfig, tmp_path: Path
) -> None:
    long = config.model_copy(update={"context_length": 128})
    with pytest.raises(SequenceTooLong, match="64"):
        pretrain(long, tokens=text_tokens, base=weights, out=tmp_path / "weights")


def test_a_base_with_another_tokenizer_is_refused(
    weights: Path, documents: Path, config: PretrainConfig, tmp_path: Path
) -> None:
    other = TrainTokenizerConfig(vocab_size=700, use_demo_lexicon=False, max_piece_chars=2)
    train_tokenizer(other, documents=[documents], out=tmp_path / "tokenizer")
    tokens = tmp_path / "tokens"
    encode(EncodeConfig(), documents=[documents], tokenizer=tmp_path / "tokenizer", out=tokens)
    with pytest.raises(TokenizerMismatch, match="tokens"):
        pretrain(config, tokens=tokens, base=weights, out=tmp_path / "weights")


def test_new_keys_at_their_defaults_are_in_no_identity() -> None:
    written = PretrainConfig().model_dump()
    later = {*EVERYTHING, "patience", "optimizer", "decay_share", "data_workers"}
    old = {"n_steps", "dropout", "max_validation_tokens"}
    old |= {"evaluate_every_steps", "checkpoint_every_steps"}
    assert not (later - old) & set(written)
