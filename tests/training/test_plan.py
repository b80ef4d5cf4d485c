"""Plans: every number follows from the run file, and none needs torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rinsho.errors import InvalidValue, MissingInput, UnknownStage
from rinsho.model import cost
from rinsho.model.presets import OPEN_SHAPES
from rinsho.runfile import RunFile, read_run_file, to_run_file
from rinsho.training.plan import StepPlan, make_plan, render_plan

RUNS = Path(__file__).parent.parent.parent / "runs"


def run_file(**pretrain: Any) -> RunFile:
    tables = {
        "synthesize": {"n_bytes": 1_000_000, "shares": {"textbook": 0.75, "instruction": 0.25}},
        "train-tokenizer": {"vocab_size": 5_000},
        "encode": [{"name": "text"}, {"name": "chat", "what": "conversations"}],
        "pretrain": {"inputs": {"tokens": "text"}, "preset": "demo", **pretrain},
        "finetune": [{"name": "tuned", "inputs": {"tokens": "chat"}, "max_epochs": 2}],
    }
    return to_run_file("test", tables)


def first(**pretrain: Any) -> StepPlan:
    return make_plan(run_file(**pretrain)).steps[0]


def test_the_vocabulary_comes_from_the_tokenizer_behind_the_tokens() -> None:
    plan = make_plan(run_file(model={"n_layers": 3}))
    assert (plan.model.vocab_size, plan.model.n_layers) == (5_000, 3)
    assert [step.form for step in plan.steps] == ["pretraining", "generation"]
    assert plan.steps[1].parameters == plan.steps[0].parameters


def test_steps_times_batch_are_the_tokens() -> None:
    assert first(n_steps=10, batch_tokens=1_000).tokens.n_tokens == 10_000
    limited = first(n_steps=10, batch_tokens=1_000, max_tokens=4_000)
    assert (limited.tokens.n_tokens, limited.tokens.basis) == (4_000, "config")


def test_tokens_of_synthesized_text_are_estimated_by_kind_and_epochs() -> None:
    once, twice = first(), first(max_epochs=2)
    assert once.tokens.basis == "estimate"
    assert once.tokens.n_tokens == pytest.approx(750_000 * 0.96 / 3.9, rel=0.001)
    assert twice.tokens.n_tokens == pytest.approx(2 * 750_000 * 0.96 / 3.9, rel=0.001)
    tuned = make_plan(run_file()).steps[1]
    assert tuned.tokens.n_tokens == pytest.approx(2 * 250_000 * 0.96 / 3.9, rel=0.001)


def test_a_limit_below_the_estimate_wins() -> None:
    assert first(max_tokens=1_000).tokens.n_tokens == 1_000
    assert first(max_tokens=10**9).tokens.basis == "estimate"


def test_unknown_tokens_are_planned_by_the_million() -> None:
    plan = make_plan(to_run_file("bare", {"pretrain": {"preset": "10m"}})).steps[0]
    assert (plan.tokens.n_tokens, plan.tokens.basis) == (None, "unknown")
    assert plan.n_planned_tokens == 1_000_000


def test_time_is_flops_over_speed() -> None:
    plan = first(n_steps=100, batch_tokens=1_000)
    shape = make_plan(run_file()).model
    flops = cost.count_flops(shape, (512 + 1) / 2).training * 100_000
    cpu, *gpus = plan.times
    assert cpu.is_measured
    assert cpu.seconds == pytest.approx(flops / 9.2e10)
    assert not any(gpu.is_measured for gpu in gpus)


def test_what_does_not_fit_a_gpu_is_said() -> None:
    times = first(preset="ncvc-1.2b", micro_batch_tokens=65_536, context_length=2_048).times
    assert {time.name: time.fits for time in times}["RTX 4090 24 GB"] is False
    assert "not enough memory" in render_plan(
        make_plan(run_file(preset="ncvc-1.2b", micro_batch_tokens=65_536)), "en"
    )


def test_a_tagger_sees_both_ways_and_has_no_output_matrix() -> None:
    tables = {
        "synthesize": {"n_bytes": 1_000_000},
        "pretrain": {"preset": "demo", "inputs": {"tokens": "tokens"}},
        "encode": {},
        "train-tokenizer": {},
    }
    tables = {key: tables[key] for key in ("synthesize", "train-tokenizer", "encode", "pretrain")}
    tagger = {"form": "tagging", "inputs": {"documents": "synthetic"}}
    plan = make_plan(to_run_file("tag", {**tables, "finetune": tagger}))
    expected = cost.count_flops(plan.model, 512, with_output=False).training
    assert plan.steps[1].flops_per_token == expected


@pytest.mark.parametrize("name", ["demo.toml", "real-small.toml"])
@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_run_files_of_the_repository_can_be_planned(name: str, language: Any) -> None:
    plan = make_plan(read_run_file(RUNS / name))
    text = render_plan(plan, language)
    for step in plan.steps:
        assert step.name in text
        assert f"{step.parameters.total:,}" in text


def test_both_languages_say_the_same_lines() -> None:
    plan = make_plan(run_file(max_minutes=5))
    ja, en = (render_plan(plan, language).splitlines() for language in ("ja", "en"))
    assert len(ja) == len(en)
    assert "5 分で打ち切り" in "\n".join(ja)


def test_a_run_without_pretraining_has_no_shape_to_plan() -> None:
    with pytest.raises(UnknownStage):
        make_plan(to_run_file("empty", {"train-tokenizer": {}}))


def tuned(**values: Any) -> RunFile:
    return to_run_file("tuned", {"finetune": {"precision": "bf16", **values}})


def test_a_base_from_outside_is_planned_by_its_name_or_its_folder(tmp_path: Path) -> None:
    import json

    from rinsho.model.architecture import to_transformers

    shape = OPEN_SHAPES["qwen2-1.5b"]
    (tmp_path / "config.json").write_text(json.dumps(to_transformers(shape)))
    by_name = make_plan(tuned(), "qwen2-1.5b")
    assert by_name.model == shape
    assert make_plan(tuned(), tmp_path) == by_name
    with pytest.raises(InvalidValue, match="qwen2-7b"):
        make_plan(tuned(), "qwen-unknown")
    with pytest.raises(MissingInput):
        make_plan(tuned())


def test_qlora_of_a_7b_model_fits_24_gb_and_full_tuning_does_not() -> None:
    adapter = {"kind": "qlora", "rank": 16}
    values = {"micro_batch_tokens": 2_048, "batch_tokens": 16_384}
    qlora = make_plan(tuned(adapter=adapter, **values), "qwen2-7b").steps[0]
    full = make_plan(tuned(**values), "qwen2-7b").steps[0]
    assert {t.name: t.fits for t in qlora.times}["RTX 4090 24 GB"]
    assert not {t.name: t.fits for t in full.times}["H100 SXM 80 GB"]
    assert (qlora.method, full.method) == ("qlora", "full")
    assert qlora.flops_per_token < 0.75 * full.flops_per_token


def test_the_plan_says_what_recomputing_saves() -> None:
    values = {"micro_batch_tokens": 2_048, "form": "generation"}
    kept = make_plan(tuned(**values), "qwen2-1.5b").steps[0]
    again = make_plan(tuned(recompute=True, **values), "qwen2-1.5b").steps[0]
    assert kept.recomputed_bytes == again.memory.activations < kept.memory.activations
    shape = OPEN_SHAPES["qwen2-1.5b"]
    blocks = cost.count_flops(shape, cost.causal_mean(2_048), with_output=False).forward
    assert again.flops_per_token - kept.flops_per_token == blocks


def test_a_plan_says_what_makes_a_run_fit() -> None:
    values = {"preset": "ncvc-1.2b", "micro_batch_tokens": 65_536, "context_length": 2_048}
    plan = make_plan(run_file(**values))
    times = {time.name: time for time in plan.steps[0].times}
    assert times["RTX 4060 8 GB"].remedy is None  # weights and moments alone are more
    remedy = times["RTX 4090 24 GB"].remedy
    assert remedy is not None
    assert remedy.startswith("micro_batch_tokens = 2048 (")
    assert remedy in render_plan(plan, "en")
    lower = {**values, "micro_batch_tokens": 2_048}
    times = {time.name: time for time in make_plan(run_file(**lower)).steps[0].times}
    assert times["RTX 4090 24 GB"].fits


def test_a_plan_needs_neither_torch_nor_matplotlib() -> None:
    code = (
        "import sys; from pathlib import Path; from rinsho.runfile import read_run_file;"
        "from rinsho.training.plan import make_plan, render_plan;"
        f"render_plan(make_plan(read_run_file(Path({str(RUNS / 'demo.toml')!r}))), 'ja');"
        "assert not {'torch', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
