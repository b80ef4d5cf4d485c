"""What to lower where memory does not suffice: the mildest change that fits, by the formulas."""

from __future__ import annotations

from typing import Any

import pytest

from rinsho.model.memory import training_memory
from rinsho.model.presets import OPEN_SHAPES, PRESETS
from rinsho.training.finetune import FinetuneConfig
from rinsho.training.plan_memory import first_that_fits, memory_advice, tuning_of
from rinsho.training.pretrain import PretrainConfig

SHAPE = PRESETS["100m"]
ON_CPU: dict[str, Any] = {"precision": "fp32", "device": "cpu"}
ON_GPU: dict[str, Any] = {"precision": "bf16", "device": "cuda"}


def pretrain(**values: Any) -> PretrainConfig:
    keys = {"preset": "100m", "context_length": 512, "batch_tokens": 16_384, **values}
    return PretrainConfig.model_validate({"micro_batch_tokens": 8_192, **keys})


def needed(config: PretrainConfig) -> int:
    tokens = config.micro_batch_tokens
    return training_memory(SHAPE, tokens, "fp32", tuning_of(config), "cpu").peak


def test_fewer_tokens_at_once_come_first_and_no_more_than_needed() -> None:
    limit = needed(pretrain(micro_batch_tokens=2_048))
    found = first_that_fits(pretrain(), SHAPE, limit=limit, **ON_CPU)
    assert (dict(found.changes), found.n_bytes) == ({"micro_batch_tokens": "2048"}, limit)


def test_a_row_stays_whole_and_then_activations_are_computed_again() -> None:
    limit = needed(pretrain(micro_batch_tokens=512)) - 1
    found = first_that_fits(pretrain(), SHAPE, limit=limit, **ON_CPU)
    assert found.changes["recompute"] == "true"
    assert int(found.changes.get("micro_batch_tokens", 8_192)) >= 512
    assert found.n_bytes <= limit


def test_where_nothing_fits_the_hardest_is_told() -> None:
    found = first_that_fits(pretrain(), SHAPE, limit=1, **ON_CPU)
    assert dict(found.changes) == {
        "micro_batch_tokens": "512",
        "recompute": "true",
        "optimizer": '"adamw-8bit"',
    }


@pytest.mark.parametrize(
    ("limit_gb", "key"), [(10.0, '"qlora"'), (22.0, '"lora"'), (110.0, '"adamw-8bit"')]
)
def test_a_base_of_7b_gets_the_adapter_that_fits(limit_gb: float, key: str) -> None:
    config = FinetuneConfig.model_validate({"micro_batch_tokens": 2_048, "batch_tokens": 2_048})
    shape = OPEN_SHAPES["qwen2-7b"].model_copy(update={"context_length": 2_048})
    limit = round(limit_gb * 1e9)
    found = first_that_fits(config, shape, limit=limit, can_adapt=True, **ON_GPU)
    assert key in found.changes.values()
    assert found.n_bytes <= limit


def test_the_advice_names_keys_and_both_sizes() -> None:
    advice = memory_advice(pretrain(), SHAPE, **ON_CPU)
    gigabytes = f"{needed(pretrain()) / 1e9:.1f} GB"
    assert advice.startswith("micro_batch_tokens = ")
    assert advice.endswith(gigabytes)
