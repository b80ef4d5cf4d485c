"""A plan as people read it, in Japanese or English."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rinsho.errors import Language
from rinsho.training.hardware import HARDWARE, HardwareTime

if TYPE_CHECKING:
    from rinsho.training.plan import Plan, StepPlan

_WORDS = {
    "ja": {
        "pretraining": "事前学習",
        "generation": "指示学習（生成）",
        "label-scoring": "指示学習（ラベルの尤度）",
        "tagging": "指示学習（固有表現）",
        "pooled": "指示学習（文の判定）",
        "pair": "指示学習（2文の判定）",
        "relation": "指示学習（語の関係）",
        "model": "モデル",
        "parameters": "パラメータ",
        "embedding": "埋め込み",
        "attention": "注意",
        "mlp": "MLP",
        "norms": "正規化",
        "output": "出力",
        "tokens": "トークン",
        "config": "設定による上限",
        "estimate": "見積もり",
        "unknown": "encode が終わるまで不明。以下は 100 万トークンあたり",
        "batch": "1 更新あたり {0}、一度に {1}",
        "flops": "計算量",
        "per_token": "トークンあたり",
        "memory": "メモリ",
        "weights": "重み",
        "gradients": "勾配",
        "optimizer": "AdamW",
        "activations": "活性",
        "loss_chunk": "損失",
        "of": "のうち学習するのは",
        "full": "全パラメータ",
        "lora": "LoRA",
        "qlora": "QLoRA（4 ビット）",
        "recomputed": "再計算すれば活性 {0}",
        "checkpoint": "保存中は主メモリに {0} の写し",
        "cache": "キーと値",
        "cache_note": "{0:,} トークンの文脈 1 つ、bf16",
        "allocator": "CPU では解放済みメモリも残り、プロセスはこの 1.2〜1.9 倍を占めます",
        "disk": "ディスク",
        "disk_note": "重みと直近 2 つのチェックポイント",
        "time": "時間",
        "stops": "{0:g} 分で打ち切り",
        "no_fit": "メモリ不足",
        "remedy": "{0} なら入ります",
        "no_remedy": "どの設定でも入りません",
        "measured": "実測値から",
        "data_sheet": "仕様書の値と利用率 {0:.0%} の仮定から。未検証",
    },
    "en": {
        "pretraining": "pre-training",
        "generation": "fine-tuning, generation",
        "label-scoring": "fine-tuning, label scoring",
        "tagging": "fine-tuning, tagging",
        "pooled": "fine-tuning, a head over texts",
        "pair": "fine-tuning, a head over pairs",
        "relation": "fine-tuning, relations of mentions",
        "model": "model",
        "parameters": "parameters",
        "embedding": "embedding",
        "attention": "attention",
        "mlp": "MLP",
        "norms": "norms",
        "output": "output",
        "tokens": "tokens",
        "config": "limit of the config",
        "estimate": "estimate",
        "unknown": "unknown before encode; below: for a million tokens",
        "batch": "{0} an update, {1} at once",
        "flops": "FLOPs",
        "per_token": "a token",
        "memory": "memory",
        "weights": "weights",
        "gradients": "gradients",
        "optimizer": "AdamW",
        "activations": "activations",
        "loss_chunk": "loss",
        "of": "of them trained",
        "full": "all parameters",
        "lora": "LoRA",
        "qlora": "QLoRA (4 bits)",
        "recomputed": "activations {0} with recompute",
        "checkpoint": "{0} more in the main memory while a checkpoint is written",
        "cache": "keys and values",
        "cache_note": "one context of {0:,} tokens, bf16",
        "allocator": "on a CPU freed memory stays: a process takes 1.2 to 1.9 times this",
        "disk": "disk",
        "disk_note": "weights and the last two checkpoints",
        "time": "time",
        "stops": "stopped after {0:g} minutes",
        "no_fit": "not enough memory",
        "remedy": "fits with {0}",
        "no_remedy": "no setting fits",
        "measured": "from what was measured",
        "data_sheet": "from the data sheet and an assumed {0:.0%} of it, not verified",
    },
}


def render_plan(plan: Plan, language: Language) -> str:
    """Return the plan as lines of text."""
    words = _WORDS[language]
    model = plan.model
    shape = (
        f"vocab {model.vocab_size:,} · d_model {model.d_model:,} · {model.n_layers} layers · "
        f"{model.n_heads}/{model.n_kv_heads} heads × {model.d_head} · d_ff {model.d_ff:,} "
        f"({model.mlp}) · context {model.context_length:,}"
    )
    lines = [plan.name, f"  {words['model']}: {shape}"]
    for step in plan.steps:
        lines += ["", f"{step.name} — {words[step.form]}"]
        lines += _step_lines(step, model.context_length, language)
    lines += ["", *_sources(words)]
    return "\n".join(lines)


def _step_lines(step: StepPlan, context_length: int, language: Language) -> Iterator[str]:
    words = _WORDS[language]
    cache = f"{_bytes(step.cache_bytes)} ({words['cache_note'].format(context_length)})"
    for label, value in (
        ("parameters", _parameters(step, words)),
        ("tokens", _tokens(step, words)),
        ("flops", _flops(step, words)),
        ("memory", _memory(step, words)),
        ("cache", cache),
        ("disk", f"{_bytes(step.disk_bytes)} ({words['disk_note']})"),
    ):
        yield f"  {words[label]}: {value}"
    limit = "" if step.max_minutes is None else f" ({words['stops'].format(step.max_minutes)})"
    yield f"  {words['time']}:{limit}"
    for time in step.times:
        yield f"    {time.name:<16} {_time(time, words, language)}"


def _parameters(step: StepPlan, words: dict[str, str]) -> str:
    names = ("embedding", "attention", "mlp", "norms", "output")
    parts = [f"{words[name]} {getattr(step.parameters, name):,}" for name in names]
    trained = f"{words['of']} {step.n_trained:,}: {words[step.method]}"
    return f"{step.parameters.total:,} ({', '.join(parts)}); {trained}"


def _tokens(step: StepPlan, words: dict[str, str]) -> str:
    count = step.tokens
    batch = words["batch"].format(f"{step.batch_tokens:,}", f"{step.micro_batch_tokens:,}")
    if count.n_tokens is None:
        return f"{words['unknown']} ({batch})"
    shown = (
        f"≈ {round(count.n_tokens, -4):,}" if count.basis == "estimate" else f"{count.n_tokens:,}"
    )
    return f"{shown} ({words[count.basis]}; {batch})"


def _flops(step: StepPlan, words: dict[str, str]) -> str:
    total = step.flops_per_token * step.n_planned_tokens
    return f"{total:.3g} ({step.flops_per_token:.3g} {words['per_token']})"


def _memory(step: StepPlan, words: dict[str, str]) -> str:
    names = ("weights", "gradients", "optimizer", "activations", "loss_chunk")
    parts = [f"{words[name]} {_bytes(getattr(step.memory, name))}" for name in names]
    more = (
        words["recomputed"].format(_bytes(step.recomputed_bytes)),
        words["checkpoint"].format(_bytes(step.memory.checkpoint)),
    )
    kept = f"{_bytes(step.memory.peak)}, {step.precision} ({', '.join(parts)})"
    return "; ".join((kept, *more))


def _time(time: HardwareTime, words: dict[str, str], language: Language) -> str:
    if time.fits:
        return _duration(time.seconds, language)
    remedy = words["remedy"].format(time.remedy) if time.remedy else words["no_remedy"]
    return f"{words['no_fit']}: {remedy}"


def _sources(words: dict[str, str]) -> Iterator[str]:
    yield words["allocator"]
    for one in HARDWARE:
        kind = "measured" if one.is_measured else "data_sheet"
        yield f"{one.name}: {words[kind].format(one.utilization)} ({one.source})"


def _duration(seconds: float, language: Language) -> str:
    """Return a time in the unit that reads best.

    >>> _duration(200, "en"), _duration(0.2, "ja"), _duration(900_000, "ja")
    ('3.3 min', '< 1 秒', '10.4 日')
    """
    units = (("秒", "s", 1), ("分", "min", 60), ("時間", "h", 3_600), ("日", "days", 86_400))
    ja, en, size = next((unit for unit in reversed(units) if seconds >= 1.5 * unit[2]), units[0])
    number = "< 1" if seconds < 1 else f"{seconds / size:.1f}"
    return f"{number} {ja if language == 'ja' else en}"


def _bytes(n_bytes: int) -> str:
    """Return a size in MB or GB.

    >>> _bytes(112_000_000), _bytes(14_300_000_000)
    ('112 MB', '14.3 GB')
    """
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.0f} MB"
