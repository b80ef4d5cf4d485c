"""AdamW in 8 bits: it works where bitsandbytes does, and says what is missing elsewhere."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import nn

from rinsho.errors import MissingDependency
from rinsho.training.optimizer import new_optimizer, set_rate
from rinsho.training.pretrain import PretrainConfig

CONFIG = PretrainConfig.model_validate({"optimizer": "adamw-8bit"})


def test_memories_in_8_bits_take_codes_and_move_the_weights() -> None:
    pytest.importorskip("bitsandbytes")
    module = nn.Linear(128, 128)
    optimizer, before = new_optimizer(module, CONFIG), module.weight.detach().clone()
    set_rate(optimizer, 1.0)
    module(torch.ones(1, 128)).sum().backward()
    optimizer.step()
    assert optimizer.state[module.weight]["state1"].dtype == torch.uint8
    assert not torch.equal(module.weight, before)


def test_without_bitsandbytes_8_bits_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", None)
    with pytest.raises(MissingDependency, match="adapt"):
        new_optimizer(nn.Linear(2, 2), CONFIG)
