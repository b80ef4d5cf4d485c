"""Pre-training as a stage: its folder, and runs that are stopped, killed and damaged."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from rinsho.encoding.token_shard import TokenWriter
from rinsho.errors import InvalidValue, NothingToLearn, OutOfMemory
from rinsho.manifest import new_folder, open_folder
from rinsho.model.checkpoint import load_decoder
from rinsho.runfile import StageConfig, to_config
from rinsho.tokenizer.tokenizer import copy_tokenizer, read_tokenizer
from rinsho.training.pretrain import PretrainConfig, pretrain

RUN = """
import sys
from pathlib import Path
from rinsho.training.pretrain import PretrainConfig, pretrain
config = PretrainConfig.model_validate_json(sys.argv[1])
pretrain(config, tokens=Path(sys.argv[2]), out=Path(sys.argv[3]))
"""


def start(config: PretrainConfig, tokens: Path, out: Path) -> subprocess.Popen[bytes]:
    call = [sys.executable, "-c", RUN, config.model_dump_json(), str(tokens), str(out)]
    return subprocess.Popen(call, stderr=subprocess.PIPE)


# ----------------------------------------------------------------------------- the folder


def test_the_folder_holds_weights_tokenizer_logs_and_figure(
    weights: Path, text_tokens: Path, config: PretrainConfig
) -> None:
    manifest = open_folder(weights, "pretrain").manifest
    decoder = load_decoder(weights)
    assert manifest.counts["n_parameters"] == sum(p.numel() for p in decoder.parameters())
    assert manifest.counts["n_steps"] == 12
    assert read_tokenizer(weights).sha256 == read_tokenizer(text_tokens).sha256
    log = [json.loads(line) for line in (weights / "loss.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == list(range(1, 13))
    assert [line["step"] for line in log if "bits_per_byte" in line] == [5, 10, 12]
    assert log[-1]["bits_per_byte"] == manifest.counts["bits_per_byte"]
    assert log[-1]["loss"] < log[0]["loss"]
    assert (manifest.identity.threads, manifest.identity.precision) == (1, "fp32")


def test_figures_and_times_are_no_part_of_the_identity(weights: Path) -> None:
    manifest = open_folder(weights).manifest
    figures = {"loss.png", "loss.svg"}
    times = {"timing.jsonl", "events.out.tfevents.0.rinsho"}
    assert set(manifest.run["files"]) == figures | times


def test_the_figure_has_no_date_and_the_same_bytes_every_time(
    weights: Path, text_tokens: Path, config: PretrainConfig
) -> None:
    again = weights.with_name("again")
    assert pretrain(config, tokens=text_tokens, out=again).identity_hash == identity(weights)
    assert (again / "loss.svg").read_bytes() == (weights / "loss.svg").read_bytes()
    assert b"<dc:date>" not in (again / "loss.svg").read_bytes()


def identity(folder: Path) -> str:
    return open_folder(folder).manifest.identity_hash


def test_a_run_limited_in_time_stops_at_a_step_and_finishes(
    text_tokens: Path, config: PretrainConfig, tmp_path: Path
) -> None:
    short = config.model_copy(update={"max_minutes": 1e-9, "n_steps": 1000})
    manifest = pretrain(short, tokens=text_tokens, out=tmp_path / "weights")
    assert manifest.counts["n_steps"] == 1
    assert manifest.counts["bits_per_byte"] is not None


# ------------------------------------------------------------------------------- refusals


def test_a_training_split_without_documents_is_refused(
    text_tokens: Path, config: PretrainConfig, tmp_path: Path
) -> None:
    with new_folder(tmp_path / "t", stage="encode", config=StageConfig(), inputs={}) as folder:
        copy_tokenizer(text_tokens, folder.path)
        with TokenWriter(folder.path, read_tokenizer(text_tokens).vocab_size):
            pass
    with pytest.raises(NothingToLearn, match="0 documents"):
        pretrain(config, tokens=tmp_path / "t", out=tmp_path / "weights")
    assert not (tmp_path / "weights").exists()


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"preset": "giant"}, "preset"),
        ({"model": {"n_heads": 3, "n_kv_heads": 2}}, "model"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"n_steps": 0}, "n_steps"),
        ({"precision": "fp8"}, "precision"),
    ],
)
def test_a_wrong_value_names_its_key(values: dict[str, object], key: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        config = to_config(PretrainConfig, values, where="[pretrain]")
        assert isinstance(config, PretrainConfig)
        config.decoder_config(vocab_size=100)
    assert key in caught.value.where


def test_changes_to_a_preset_keep_the_rest_of_it() -> None:
    config = PretrainConfig.model_validate({"preset": "demo", "model": {"d_model": 128}})
    shape = config.decoder_config(vocab_size=100)
    assert (shape.d_model, shape.n_heads * shape.d_head, shape.vocab_size) == (128, 128, 100)


def test_without_memory_a_run_says_what_to_lower_and_to_what(
    text_tokens: Path, config: PretrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(torch.optim.AdamW, "step", full)
    with pytest.raises(OutOfMemory, match=r"micro_batch_tokens = 128.* GB"):
        pretrain(config, tokens=text_tokens, out=tmp_path / "weights")
    assert not (tmp_path / "weights").exists()


def test_a_gpu_that_is_not_there_is_refused(
    text_tokens: Path, config: PretrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    asked = config.model_copy(update={"device": "cuda"})
    with pytest.raises(InvalidValue, match="device"):
        pretrain(asked, tokens=text_tokens, out=tmp_path / "weights")


# ------------------------------------------------------------------------------ stopping


def newest_step(out: Path) -> int:
    folder = out.with_name(out.name + ".partial") / "checkpoints"
    return max((int(p.name[5:]) for p in folder.glob("step-" + "[0-9]" * 8)), default=0)


def kill_behind(process: subprocess.Popen[bytes], out: Path, step: int, seconds: float) -> None:
    """Send SIGKILL some time after the checkpoint of a step is there."""
    while process.poll() is None and newest_step(out) < step:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.002)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=seconds)
    process.kill()
    process.communicate()


def train_with_kills(config: PretrainConfig, tokens: Path, out: Path, seed: int) -> int:
    """Kill a run at three random moments, then let it end; return how many kills met it alive."""
    moments = random.Random(seed)
    n_met = 0
    for step in sorted(moments.randrange(0, 36) for _ in range(3)):
        process = start(config, tokens, out)
        kill_behind(process, out, step, moments.uniform(0, 0.05))
        n_met += process.returncode == -signal.SIGKILL
    process = start(config, tokens, out)
    _, log = process.communicate()
    assert process.returncode == 0, log.decode()
    return n_met


@pytest.fixture(scope="module")
def long_config(config: PretrainConfig) -> PretrainConfig:
    return config.model_copy(update={"n_steps": 40, "dropout": 0.1})


@pytest.fixture(scope="module")
def unbroken(text_tokens: Path, long_config: PretrainConfig) -> Path:
    out = text_tokens.with_name("unbroken")
    pretrain(long_config, tokens=text_tokens, out=out)
    return out


@pytest.mark.campaign
def test_a_killed_run_gives_the_bytes_of_an_unbroken_one(
    unbroken: Path, text_tokens: Path, long_config: PretrainConfig, tmp_path: Path
) -> None:
    killed = tmp_path / "killed"
    assert train_with_kills(long_config, text_tokens, killed, seed=0) > 0
    assert identity(killed) == identity(unbroken)
    for name in ("model.safetensors", "loss.jsonl"):
        assert (killed / name).read_bytes() == (unbroken / name).read_bytes()


@pytest.mark.campaign
@pytest.mark.parametrize(("precision", "dropout"), [("fp32", 0.1), ("fp32", 0.0), ("bf16", 0.1)])
def test_after_200_kills_every_run_gives_the_bytes_of_an_unbroken_one(
    text_tokens: Path, tmp_path: Path, precision: str, dropout: float
) -> None:
    call = [sys.executable, Path(__file__).with_name("kills.py"), text_tokens, tmp_path]
    words = [*map(str, call), precision, "200", str(dropout)]
    found = subprocess.run(words, stdout=subprocess.PIPE, check=True)
    counts = json.loads(found.stdout)
    print(precision, dropout, counts)
    assert counts["n_kills"] == 200
    assert counts["n_equal"] == counts["n_finished"] > 0
