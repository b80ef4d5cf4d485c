"""The loss figure and the log files of a weights folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rinsho.console import say
from rinsho.training.loop import Finished

LOSS_LOG, TIMING_LOG, FIGURES = "loss.jsonl", "timing.jsonl", ("loss.svg", "loss.png")
_NAMES = {"bits_per_byte": "検証 bits/byte", "span_f1": "検証 スパン F1"}


def write_logs(folder: Path, finished: Finished) -> tuple[str, ...]:
    """Write the logs and, where matplotlib is there, the figure.

    Returns:
        The names of the files that do not belong to the identity: times, and figures, whose bytes
        depend on the version of matplotlib.
    """
    _write_lines(folder / LOSS_LOG, finished.log)
    _write_lines(folder / TIMING_LOG, finished.timing)
    try:
        draw_loss(folder, finished.log)
    except ImportError:
        say(
            'matplotlib が無いため損失の図は作りません（`pip install "rinsho[report]"`）',
            'no loss figure: matplotlib is not installed (`pip install "rinsho[report]"`)',
        )
        return (TIMING_LOG,)
    return (TIMING_LOG, *FIGURES)


def _write_lines(path: Path, lines: Sequence[Mapping[str, float]]) -> None:
    text = "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8")


def draw_loss(folder: Path, log: Sequence[Mapping[str, float]]) -> None:
    """Draw training loss and validation measure over the steps, as SVG and PNG without dates.

    Raises:
        ImportError: matplotlib is not installed.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib_fontja  # pyright: ignore[reportMissingTypeStubs]
    from matplotlib import pyplot

    matplotlib_fontja.japanize()
    with matplotlib.rc_context({"svg.hashsalt": "rinsho", "svg.fonttype": "path"}):
        figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
        axes.plot([x["step"] for x in log], [x["loss"] for x in log], label="訓練損失", color="C0")
        axes.set_xlabel("ステップ")
        axes.set_ylabel("損失（nats/トークン）")
        axes.grid(alpha=0.3)
        handles = list(axes.get_lines())
        for name, label in _NAMES.items():
            if points := [(x["step"], x[name]) for x in log if name in x]:
                right = axes.twinx()
                handles += right.plot(*zip(*points, strict=True), "o-", color="C1", label=label)
                right.set_ylabel(label)
        axes.legend(handles=handles, loc="best")
        figure.savefig(folder / "loss.svg", metadata={"Date": None})
        figure.savefig(folder / "loss.png", dpi=120, metadata={"Software": None})
        pyplot.close(figure)
