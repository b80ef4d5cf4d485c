"""Several processes on one model: real ones, over gloo, that are killed and stopped."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from rinsho.errors import InvalidValue, OutputOccupied, ResumeRefused
from rinsho.manifest import hash_file, open_folder
from rinsho.model.tensor_file import write_tensors
from rinsho.training.distributed import check_sizes
from rinsho.training.pretrain import PretrainConfig, pretrain
from rinsho.training.ranks import JoinedRanks, OneRank, place, require_one_rank
from rinsho.training.sharded_state import Rows, read_rows

HERE = Path(__file__).parent
DEADLINE_SECONDS = 300.0  # of a whole run on a machine that does much else
# fp32, 24 steps at a rate of 1e-2: sums of two ranks come in another order than those of one.
ATOL = 2e-5
RUN = """
[pretrain]
preset = "demo"
context_length = 64
batch_tokens = 512
micro_batch_tokens = 128
n_steps = 24
n_warmup_steps = 2
learning_rate = 1e-2
precision = "fp32"
threads = 1
evaluate_every_steps = 15
checkpoint_every_steps = 2
dropout = {dropout}
ema_decay = 0.9
rank_timeout = 60
[pretrain.model]
d_model = 32
n_layers = 2
n_heads = 2
d_ff = 64
"""


def start(arguments: Sequence[str | Path], n_ranks: int) -> list[subprocess.Popen[str]]:
    """Start ranks as torchrun does, without its agent, so that each one's end can be seen."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {
        **os.environ,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(n_ranks),
        "LOCAL_WORLD_SIZE": str(n_ranks),
        "OMP_NUM_THREADS": "1",
    }
    return [
        subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(n_ranks)
    ]


def ended(ranks: Sequence[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    """Return exit code, output and errors of every rank; none may hang."""
    try:
        texts = [rank.communicate(timeout=DEADLINE_SECONDS) for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    return [(rank.returncode, *text) for rank, text in zip(ranks, texts, strict=True)]


@dataclass(frozen=True)
class Training:
    """A run of `pretrain` in several processes."""

    run_file: Path
    tokens: Path
    out: Path

    @property
    def checkpoints(self) -> Path:
        return self.out.with_name(self.out.name + ".partial") / "checkpoints"

    def start(self, n_ranks: int = 2) -> list[subprocess.Popen[str]]:
        rest = ("--tokens", self.tokens, "--out", self.out, "--lang", "en")
        return start(["-m", "rinsho", "pretrain", self.run_file, *rest], n_ranks)

    def finish(self, n_ranks: int = 2) -> None:
        for code, _, errors in ended(self.start(n_ranks)):
            assert code == 0, errors

    def wait_for_step(self, step: int, ranks: Sequence[subprocess.Popen[str]]) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline and all(rank.poll() is None for rank in ranks):
            with contextlib.suppress(FileNotFoundError):
                if any(int(path.name[5:]) >= step for path in self.finished_checkpoints()):
                    return
            time.sleep(0.005)
        pytest.fail(f"no checkpoint of step {step}: {[r.poll() for r in ranks]}")

    def finished_checkpoints(self) -> list[Path]:
        return [p for p in self.checkpoints.glob("step-*") if p.suffix != ".new"]

    def weights_sha256(self) -> str:
        open_folder(self.out)
        return hash_file(self.out / "model.safetensors").sha256


def training(folder: Path, tokens: Path, dropout: float) -> Training:
    folder.mkdir(parents=True, exist_ok=True)
    run_file = folder / "run.toml"
    run_file.write_text(RUN.format(dropout=dropout))
    return Training(run_file, tokens, folder / "weights")


def config_of(run: Training) -> PretrainConfig:
    from rinsho.runfile import read_run_file

    config = read_run_file(run.run_file).step("pretrain").config
    assert isinstance(config, PretrainConfig)
    return config


def assert_close(found: Path, expected: Path) -> None:
    weights = [load_file(path / "model.safetensors") for path in (found, expected)]
    torch.testing.assert_close(weights[0], weights[1], atol=ATOL, rtol=0)
    lines = [(path / "loss.jsonl").read_text().splitlines() for path in (found, expected)]
    for one, other in zip(*lines, strict=True):
        assert json.loads(one) == pytest.approx(json.loads(other), abs=1e-4)


@pytest.fixture(scope="module")
def unbroken(text_tokens: Path, tmp_path_factory: pytest.TempPathFactory) -> Training:
    """Two ranks from start to end, without dropout so that one process can be compared."""
    run = training(tmp_path_factory.mktemp("unbroken"), text_tokens, dropout=0.0)
    run.finish()
    return run


@pytest.fixture(scope="module")
def killed(text_tokens: Path, tmp_path_factory: pytest.TempPathFactory) -> Training:
    """Two ranks of which one is killed behind the checkpoint of step 6."""
    run = training(tmp_path_factory.mktemp("killed"), text_tokens, dropout=0.0)
    ranks = run.start()
    run.wait_for_step(6, ranks)
    ranks[1].kill()
    (code, _, errors), (killed_code, _, _) = ended(ranks)
    assert killed_code == -signal.SIGKILL
    assert code == 1
    assert "K011" in errors
    assert "rank 0 of 2" in errors
    assert not run.out.exists()
    return run


def copy_of(run: Training, folder: Path) -> Training:
    shutil.copytree(run.run_file.parent, folder)
    return Training(folder / "run.toml", run.tokens, folder / "weights")


# ------------------------------------------------------------------------------- one step


@pytest.mark.campaign
def test_ranks_sum_up_the_gradient_of_one_process(tmp_path: Path) -> None:
    """With an output matrix of its own, tied, and with frozen parameters."""
    sys.path.insert(0, str(HERE))
    try:
        from gradients_of_ranks import KINDS, batches_of_step, decoder_of, gradients
    finally:
        sys.path.remove(str(HERE))
    for code, _, errors in ended(start([HERE / "gradients_of_ranks.py", tmp_path], 2)):
        assert code == 0, errors
    for kind in KINDS:
        decoder = decoder_of(*kind)
        expected = gradients(decoder, batches_of_step(), OneRank())
        found = load_file(tmp_path / "gradients-{}-{}.safetensors".format(*kind))
        assert any("mlp" in name for name in found) == (kind[1] == "none")
        torch.testing.assert_close(found, expected, atol=1e-7, rtol=1e-5)
        weights = load_file(tmp_path / "weights-{}-{}.safetensors".format(*kind))
        torch.testing.assert_close(weights, dict(decoder.state_dict()), atol=0, rtol=0)
    # While parameters are gathered, a checkpoint holds the same rows as at any other time.
    written = read_rows(tmp_path / "checkpoints" / "step-00000001")["weights"]
    expected = dict(decoder_of(*KINDS[0]).state_dict())
    torch.testing.assert_close(written, expected, atol=0, rtol=0)


# ------------------------------------------------------------------------------ whole runs


def test_two_ranks_end_like_one_process_within_rounding(
    unbroken: Training, text_tokens: Path, tmp_path: Path
) -> None:
    manifest = pretrain(config_of(unbroken), tokens=text_tokens, out=tmp_path / "one")
    assert_close(unbroken.out, tmp_path / "one")
    assert open_folder(unbroken.out).manifest.counts["n_ranks"] == 2
    assert "n_ranks" not in manifest.counts


@pytest.mark.campaign
def test_a_killed_rank_ends_the_run_and_the_next_one_gives_the_same_bytes(
    killed: Training, unbroken: Training, tmp_path: Path
) -> None:
    run = copy_of(killed, tmp_path / "again")
    names = {path.name for path in run.finished_checkpoints()[0].iterdir()}
    pair = {f"rank-0000{rank}.{kind}" for rank in (0, 1) for kind in ("safetensors", "json")}
    assert names == {*pair, "state.json", "manifest.json"}, "no pickle"
    run.finish()
    assert run.weights_sha256() == unbroken.weights_sha256()


@pytest.mark.campaign
def test_one_process_goes_on_with_the_checkpoint_of_two(
    killed: Training, unbroken: Training, tmp_path: Path
) -> None:
    run = copy_of(killed, tmp_path / "one")
    pretrain(config_of(run), tokens=run.tokens, out=run.out)
    assert_close(run.out, unbroken.out)


@pytest.mark.campaign
@pytest.mark.parametrize("n_ranks", [3, 4])
def test_more_ranks_go_on_with_the_checkpoint_of_two(
    killed: Training, unbroken: Training, tmp_path: Path, n_ranks: int
) -> None:
    run = copy_of(killed, tmp_path / "more")
    run.finish(n_ranks)
    assert_close(run.out, unbroken.out)


@pytest.mark.campaign
def test_two_ranks_go_on_with_the_checkpoint_of_one_process(
    unbroken: Training, text_tokens: Path, tmp_path: Path
) -> None:
    run = training(tmp_path / "run", text_tokens, dropout=0.0)
    (alone,) = ranks = run.start(1)
    run.wait_for_step(6, ranks)
    alone.kill()
    ended(ranks)
    run.finish()
    assert_close(run.out, unbroken.out)


@pytest.mark.campaign
def test_a_signal_to_one_rank_stops_all_behind_one_step(
    unbroken: Training, text_tokens: Path, tmp_path: Path
) -> None:
    _stop_and_go_on(training(tmp_path, text_tokens, dropout=0.0), unbroken)


@pytest.mark.campaign
def test_the_random_generators_of_both_ranks_are_saved(text_tokens: Path, tmp_path: Path) -> None:
    expected = training(tmp_path / "expected", text_tokens, dropout=0.1)
    expected.finish()
    _stop_and_go_on(training(tmp_path / "stopped", text_tokens, dropout=0.1), expected)


def _stop_and_go_on(run: Training, expected: Training) -> None:
    ranks = run.start()
    run.wait_for_step(4, ranks)
    for _ in range(2):  # a scheduler and torchrun send one each
        ranks[1].send_signal(signal.SIGTERM)
    for code, _, errors in ended(ranks):
        assert code == 130, errors
    assert run.finished_checkpoints()
    run.finish()
    assert run.weights_sha256() == expected.weights_sha256()


@pytest.mark.campaign
def test_runs_killed_at_many_moments_end_with_the_same_bytes(
    unbroken: Training, text_tokens: Path, tmp_path: Path
) -> None:
    n_kills = 0
    run = training(tmp_path / "run", text_tokens, dropout=0.0)
    for step in range(3, 23, 2):
        ranks = run.start()
        run.wait_for_step(step, ranks)
        ranks[step // 2 % 2].kill()
        codes = [code for code, _, _ in ended(ranks)]
        assert 0 not in codes
        n_kills += 1
    run.finish()
    assert run.weights_sha256() == unbroken.weights_sha256(), f"{n_kills} kills"


@pytest.mark.campaign
def test_torchrun_starts_the_same_command(
    unbroken: Training, text_tokens: Path, tmp_path: Path
) -> None:
    run = training(tmp_path / "run", text_tokens, dropout=0.0)
    finished = subprocess.run(torchrun(run), capture_output=True, timeout=DEADLINE_SECONDS)
    assert finished.returncode == 0, finished.stderr.decode()
    assert run.weights_sha256() == unbroken.weights_sha256()


@pytest.mark.campaign
def test_a_signal_to_torchrun_saves_and_the_next_run_gives_the_same_bytes(
    unbroken: Training, text_tokens: Path, tmp_path: Path
) -> None:
    run = training(tmp_path / "run", text_tokens, dropout=0.0)
    agent = subprocess.Popen(torchrun(run), stderr=subprocess.PIPE, text=True)
    run.wait_for_step(4, [agent])
    agent.send_signal(signal.SIGTERM)
    _, errors = agent.communicate(timeout=DEADLINE_SECONDS)
    assert agent.returncode != 0
    assert "finishing this step and saving a checkpoint" in errors
    run.finish()
    assert run.weights_sha256() == unbroken.weights_sha256()


def torchrun(run: Training) -> list[str]:
    """Return the command that the page about clusters gives."""
    agent = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    rinsho = ["-m", "rinsho", "pretrain", run.run_file, "--tokens", run.tokens, "--out", run.out]
    return [sys.executable, *agent, *map(str, rinsho), "--lang", "en"]


@pytest.mark.campaign
def test_a_finished_folder_is_seen_by_all_ranks_and_another_config_refused(
    unbroken: Training, tmp_path: Path
) -> None:
    before = unbroken.weights_sha256()
    unbroken.finish()
    assert unbroken.weights_sha256() == before
    other = training(tmp_path / "other", unbroken.tokens, dropout=0.1)
    for code, _, errors in ended(Training(other.run_file, other.tokens, unbroken.out).start()):
        assert code == OutputOccupied.exit_code
        assert OutputOccupied.code in errors


# ---------------------------------------------------------------------------- small pieces


@given(n_batches=st.integers(1, 40), n_ranks=st.integers(1, 9))
def test_ranks_share_every_batch_once_in_equally_many_passes(n_batches: int, n_ranks: int) -> None:
    ranks = [JoinedRanks(rank, n_ranks, timedelta(seconds=1)) for rank in range(n_ranks)]
    shares = [list(rank.share(range(n_batches))) for rank in ranks]
    assert len({len(share) for share in shares}) == 1
    assert sorted(b for share in shares for b, weight in share if weight) == list(range(n_batches))


@given(
    n_rows=st.integers(1, 23),
    n_before=st.integers(1, 5),
    n_behind=st.integers(1, 5),
)
def test_any_number_of_ranks_reads_what_any_other_wrote(
    tmp_path_factory: pytest.TempPathFactory, n_rows: int, n_before: int, n_behind: int
) -> None:
    folder = tmp_path_factory.mktemp("checkpoint")
    whole = torch.arange(n_rows * 3.0).reshape(n_rows, 3)
    for rank, part in enumerate(_cut(whole, n_before)):
        tensors = {"weights/w": part, "optimizer/w.exp_avg": -part}
        tensors["optimizer/w.step"] = torch.tensor(7.0)
        write_tensors(folder / f"rank-{rank:05d}.safetensors", tensors)
        rows = {"start": _start(n_rows, rank, n_before), "n_rows": len(part), "shape": [n_rows, 3]}
        index = {"rows": {"weights/w": rows, "optimizer/w.exp_avg": rows}}
        (folder / f"rank-{rank:05d}.json").write_text(json.dumps(index))
    for rank, part in enumerate(_cut(whole, n_behind)):
        mine = {"w": Rows(_start(n_rows, rank, n_behind), len(part), (n_rows, 3))}
        found = read_rows(folder, mine, rank, n_behind)
        assert torch.equal(found["weights"]["w"], part)
        assert torch.equal(found["optimizer"]["w.exp_avg"], -part)
        assert found["optimizer"]["w.step"] == 7
    assert torch.equal(read_rows(folder)["weights"]["w"], whole)


def _cut(whole: torch.Tensor, n_ranks: int) -> list[torch.Tensor]:
    """Cut as `torch.chunk` does, with empty parts where there are more ranks than rows."""
    parts = list(whole.chunk(n_ranks))
    return [*parts, *[whole[:0]] * (n_ranks - len(parts))]


def _start(n_rows: int, rank: int, n_ranks: int) -> int:
    return min(n_rows, rank * -(-n_rows // n_ranks))


def test_optimizer_state_that_has_no_rows_needs_the_same_number_of_ranks(tmp_path: Path) -> None:
    for rank in range(2):
        codes = torch.full((5,), rank, dtype=torch.uint8)
        write_tensors(tmp_path / f"rank-{rank:05d}.safetensors", {"optimizer/w.state1": codes})
        (tmp_path / f"rank-{rank:05d}.json").write_text(json.dumps({"rows": {}}))
    mine = {"w": Rows(4, 4, (8, 3))}
    assert read_rows(tmp_path, mine, 1, 2)["optimizer"]["w.state1"].tolist() == [1] * 5
    with pytest.raises(ResumeRefused, match="2 ranks"):
        read_rows(tmp_path, mine, 1, 4)


def test_steps_with_fewer_batches_than_ranks_are_refused() -> None:
    config = PretrainConfig.model_validate({"batch_tokens": 512, "micro_batch_tokens": 256})
    check_sizes(config, JoinedRanks(0, 2, timedelta(seconds=1)))
    with pytest.raises(InvalidValue, match="at most 128"):
        check_sizes(config, JoinedRanks(0, 4, timedelta(seconds=1)))


def test_a_place_that_torchrun_would_not_give_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert place({}) == (0, 1, 0)
    assert place({"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}) == (5, 8, 1)
    for wrong in ({"RANK": "1"}, {"WORLD_SIZE": "two"}, {"RANK": "-1", "WORLD_SIZE": "2"}):
        with pytest.raises(InvalidValue, match="WORLD_SIZE"):
            place(wrong)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InvalidValue, match="rinsho encode"):
        require_one_rank("encode")
