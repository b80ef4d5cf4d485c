"""What a run changes: frozen parameters stay out of optimizer and checkpoints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from rinsho.errors import ResumeRefused
from rinsho.training.optimizer import new_optimizer
from rinsho.training.pretrain import PretrainConfig
from rinsho.training.state import (
    CheckpointStore,
    Environment,
    TrainingState,
    put_back,
    take_snapshot,
)
from rinsho.training.trained import Trained

HERE = Environment("2", "invented", 1, "fp32")


def half_frozen(seed: int) -> nn.Module:
    """Return a module whose first layer is frozen."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    module[0].requires_grad_(False)
    if seed:
        with torch.no_grad():
            module[0].weight[0, 0] += seed
    return module


def trained(seed: int = 0, n_steps: int = 0) -> Trained:
    module = half_frozen(seed)
    optimizer = new_optimizer(module, PretrainConfig())
    for group in optimizer.param_groups:
        group["lr"] = 0.1
    for _ in range(n_steps):
        module(torch.ones(1, 3)).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    return Trained(module, optimizer)


def saved(folder: Path, what: Trained, step: int = 2) -> CheckpointStore:
    store = CheckpointStore(folder, HERE)
    store.save(take_snapshot(what, TrainingState(step=step), {}))
    store.wait()
    return store


def test_the_optimizer_has_no_frozen_parameter() -> None:
    what = trained()
    members = [p for group in what.optimizer.param_groups for p in group["params"]]
    assert len(members) == 2
    assert all(p.requires_grad for p in members)


def test_a_checkpoint_holds_what_is_trained_and_a_hash_of_the_rest(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    what = trained(n_steps=2)
    saved(tmp_path, what)
    folder = tmp_path / "step-00000002"
    assert set(load_file(folder / "weights.safetensors")) == {"1.weight", "1.bias"}
    memories = load_file(folder / "optimizer.safetensors")
    assert {name.split(".")[0] for name in memories} == {"1"}
    environment = json.loads((folder / "state.json").read_text())["environment"]
    assert environment["frozen"] == what.frozen_sha256


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    what, fresh = trained(n_steps=2), trained()
    store = saved(tmp_path, what)
    snapshot = store.load(fresh)
    assert snapshot is not None
    put_back(snapshot, fresh)
    torch.testing.assert_close(fresh.weights(), what.weights(), rtol=0, atol=0)
    torch.testing.assert_close(fresh.memories(), what.memories(), rtol=0, atol=0)


def test_a_checkpoint_over_another_frozen_base_is_refused(tmp_path: Path) -> None:
    store = saved(tmp_path, trained(n_steps=2))
    with pytest.raises(ResumeRefused, match="frozen"):
        store.load(trained(seed=1))


def test_counts_of_other_optimizers_come_back_as_numbers(tmp_path: Path) -> None:
    what, fresh = trained(n_steps=1), trained()
    for parameter in what.parameters.values():
        what.optimizer.state[parameter]["step"] = 7
        what.optimizer.state[parameter]["codes"] = torch.arange(4, dtype=torch.uint8)
    snapshot = saved(tmp_path, what).load(fresh)
    assert snapshot is not None
    put_back(snapshot, fresh)
    for parameter in fresh.parameters.values():
        state = fresh.optimizer.state[parameter]
        assert state["step"] == 7
        assert isinstance(state["step"], int)
        assert state["codes"].tolist() == [0, 1, 2, 3]


def test_a_checkpoint_of_before_these_fields_still_loads(tmp_path: Path) -> None:
    what = trained(n_steps=2)
    snapshot = take_snapshot(what, TrainingState(step=2), {})
    old = {
        name: tensor
        for name, tensor in snapshot.tensors["optimizer"].items()
        if not name.endswith(".step")
    }
    fresh = trained()
    fresh.put_weights(snapshot.tensors["weights"])
    fresh.put_memories(old, step=2)
    torch.testing.assert_close(fresh.memories(), what.memories(), rtol=0, atol=0)


# ------------------------------------------------------------------------- written behind


def test_a_snapshot_does_not_change_with_the_weights(tmp_path: Path) -> None:
    what, fresh = trained(n_steps=2), trained()
    before = what.weights()
    store = CheckpointStore(tmp_path, HERE)
    store.save(take_snapshot(what, TrainingState(step=2), {}))
    with torch.no_grad():
        for parameter in what.parameters.values():
            parameter.fill_(5.0)
    store.wait()
    snapshot = store.load(fresh)
    assert snapshot is not None
    torch.testing.assert_close(dict(snapshot.tensors["weights"]), before, rtol=0, atol=0)


@pytest.mark.parametrize("then", ["wait", "save"])
def test_what_goes_wrong_while_writing_is_raised_in_the_loop(tmp_path: Path, then: str) -> None:
    what, store = trained(n_steps=2), CheckpointStore(tmp_path / "gone", HERE)
    store.save(take_snapshot(what, TrainingState(step=2), {}))
    with pytest.raises(FileNotFoundError):
        if then == "wait":
            store.wait()
        else:
            store.save(take_snapshot(what, TrainingState(step=3), {}))
    store.wait()  # said once


def test_leaving_the_store_waits_for_the_write(tmp_path: Path) -> None:
    with CheckpointStore(tmp_path, HERE) as store:
        store.save(take_snapshot(trained(n_steps=1), TrainingState(step=2), {}))
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000002"]
    with (
        pytest.raises(ZeroDivisionError),
        CheckpointStore(tmp_path / "gone", HERE) as broken,
    ):
        broken.save(take_snapshot(trained(), TrainingState(step=2), {}))
        raise ZeroDivisionError  # the first error is the one that is told
