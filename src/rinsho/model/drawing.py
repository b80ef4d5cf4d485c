"""The architecture as a figure, drawn from the shape: what is connected to what, and how large."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rinsho.errors import MissingDependency
from rinsho.model.cost import count_parameters
from rinsho.model.presets import DecoderConfig

_EMBEDDING, _NORM, _ATTENTION, _MLP, _PLAIN = "#dbe7f5", "#f2f0e4", "#fbe3cf", "#dff0dc", "#ffffff"
_WIDTH, _HEIGHT, _STEP = 3.2, 0.62, 1.0  # of a box, and from one box to the next


@dataclass(frozen=True, slots=True)
class _Box:
    text: str
    color: str
    note: str = ""


def draw_architecture(config: DecoderConfig, path: Path) -> None:
    """Draw a decoder as SVG or PNG, by the ending of `path`; the same bytes each time.

    Left the whole model, right one block with its two residual additions; beside each part its
    size and its number of parameters.

    Raises:
        MissingDependency: matplotlib or its Japanese font is not installed.
    """
    try:
        import matplotlib
        import matplotlib_fontja  # pyright: ignore[reportMissingTypeStubs]
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingDependency(
            where="plan --figure", expected="report", found="matplotlib, matplotlib-fontja"
        ) from None
    matplotlib_fontja.japanize()
    with matplotlib.rc_context({"svg.hashsalt": "rinsho", "svg.fonttype": "path"}):
        figure = Figure(figsize=(9.6, 6.3))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, 12.8)
        axes.set_ylim(0.1, 8.5)
        axes.set_axis_off()
        total = count_parameters(config).total
        kind = "ゲート付き MLP" if config.mlp == "gated" else "2 行列 MLP"
        title = f"{total / 1e6:,.1f}M パラメータ・{config.n_layers} 層・{kind}"
        axes.text(6.4, 8.15, title, ha="center", va="center", fontsize=14)
        _draw_model(axes, config)
        _draw_block(axes, config)
        date = {"Date": None} if path.suffix == ".svg" else {"Software": None}
        figure.savefig(path, dpi=150, metadata=date)


def _draw_model(axes: Any, config: DecoderConfig) -> None:
    parameters = count_parameters(config)
    shape = f"{config.vocab_size:,} × {config.d_model:,}"
    output = "埋め込みと共有" if config.tie_embeddings else f"{parameters.output:,}"
    boxes = [
        _Box("トークン列", _PLAIN, f"最大 {config.context_length:,}"),
        _Box(f"埋め込み\n{shape}", _EMBEDDING, f"{parameters.embedding:,}"),
        _Box("ブロック", _MLP, f"× {config.n_layers}"),
        _Box("RMSNorm", _NORM, f"{config.d_model:,}"),
        _Box(f"出力行列\n{config.d_model:,} × {config.vocab_size:,}", _EMBEDDING, output),
        _Box("次トークンの確率", _PLAIN),
    ]
    left = 0.5
    for level, box in enumerate(boxes):
        _draw_box(axes, left, 0.9 + 1.15 * level, box)
        if level:
            _arrow(axes, left + _WIDTH / 2, 0.9 + 1.15 * level - 1.15 + _HEIGHT, 1.15 - _HEIGHT)
    for bottom, target in ((3.2, 0.45), (3.2 + _HEIGHT, 7.55)):  # what the right side enlarges
        axes.plot([left + _WIDTH + 1.3, 6.4], [bottom, target], ":", color="#888888", linewidth=1)


def _draw_block(axes: Any, config: DecoderConfig) -> None:
    parameters = count_parameters(config)
    n = config.n_layers
    heads = f"{config.n_heads} ヘッド × {config.d_head}（KV {config.n_kv_heads}）"
    extras = [
        name
        for name, is_there in (("QKV バイアス", config.qkv_bias), ("QK 正規化", config.qk_norm))
        if is_there
    ]
    name = "グループ化クエリ注意" if config.n_kv_heads < config.n_heads else "多頭注意"
    attention = "・".join([f"{name}、RoPE", *extras])
    mlp = "down(silu(gate) × up)" if config.mlp == "gated" else "down(silu(up))"
    inner = f"{config.d_model:,} → {config.d_ff:,} → {config.d_model:,}"
    boxes = [
        _Box("RMSNorm", _NORM),
        _Box(f"{attention}\n{heads}", _ATTENTION, f"{parameters.attention // n:,}"),
        _Box("＋", _PLAIN),
        _Box("RMSNorm", _NORM),
        _Box(f"{mlp}\n{inner}", _MLP, f"{parameters.mlp // n:,}"),
        _Box("＋", _PLAIN),
    ]
    _draw_frame(axes, 6.4, 0.45, 5.9, 7.1)
    width = 3.8
    left, middle = 7.2, 7.2 + width / 2
    for level, box in enumerate(boxes):
        bottom = 1.25 + _STEP * level
        _arrow(axes, middle, bottom - _STEP + _HEIGHT, _STEP - _HEIGHT)
        if box.text == "＋":
            _draw_sum(axes, middle, bottom + _HEIGHT / 2)
            way = (left - 0.4, bottom - 2 * _STEP - 0.22, bottom + _HEIGHT / 2)
            _draw_residual(axes, middle, *way)
        else:
            _draw_box(axes, left, bottom, box, width)
    _arrow(axes, middle, 1.25 + 5 * _STEP + _HEIGHT, _STEP - _HEIGHT)


def _draw_box(axes: Any, left: float, bottom: float, box: _Box, width: float = _WIDTH) -> None:
    from matplotlib.patches import FancyBboxPatch

    style = "round,pad=0,rounding_size=0.08"
    patch = FancyBboxPatch(
        (left, bottom), width, _HEIGHT, boxstyle=style, facecolor=box.color, edgecolor="#333333"
    )
    axes.add_patch(patch)
    middle = bottom + _HEIGHT / 2
    axes.text(left + width / 2, middle, box.text, ha="center", va="center", fontsize=9)
    axes.text(left + width + 0.12, middle, box.note, ha="left", va="center", fontsize=8)


def _draw_frame(axes: Any, left: float, bottom: float, width: float, height: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    style = "round,pad=0,rounding_size=0.15"
    axes.add_patch(
        FancyBboxPatch(
            (left, bottom), width, height, boxstyle=style, fill=False, edgecolor="#888888"
        )
    )


def _draw_sum(axes: Any, x: float, y: float) -> None:
    from matplotlib.patches import Circle

    axes.add_patch(Circle((x, y), 0.2, facecolor=_PLAIN, edgecolor="#333333"))
    axes.text(x, y, "+", ha="center", va="center", fontsize=12)


def _draw_residual(axes: Any, x: float, side: float, low: float, high: float) -> None:
    """Draw the way around: from below the norm to the addition."""
    axes.plot([x, side, side], [low, low, high], color="#333333", linewidth=1)
    axes.annotate(
        "",
        xy=(x - 0.2, high),
        xytext=(side, high),
        arrowprops={"arrowstyle": "->", "color": "#333333"},
    )


def _arrow(axes: Any, x: float, y: float, length: float) -> None:
    axes.annotate(
        "", xy=(x, y + length), xytext=(x, y), arrowprops={"arrowstyle": "->", "color": "#333333"}
    )
