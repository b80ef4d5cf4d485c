"""The loss figure and the log files of a weights folder; several runs in one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rinsho.console import say
from rinsho.training.journal import LOSS_LOG, TIMING_LOG, Line, as_json
from rinsho.training.loop import Finished
from rinsho.training.tensorboard import EVENTS

FIGURES, SAMPLES = ("loss.svg", "loss.png"), "samples.jsonl"
_NAMES = {"bits_per_byte": "bits/byte", "span_f1": "スパン F1"}  # others stand under their own name
_BESIDE = {"step", "loss", "learning_rate"}


def write_logs(folder: Path, finished: Finished) -> tuple[str, ...]:
    """Write the logs, the texts that were made and, where matplotlib is there, the figure.

    Returns:
        The names of the files that do not belong to the identity: times, and figures, whose bytes
        depend on the version of matplotlib.
    """
    _write_lines(folder / LOSS_LOG, finished.log)
    _write_lines(folder / TIMING_LOG, finished.timing)
    if finished.samples:
        _write_lines(folder / SAMPLES, finished.samples)
    times = (TIMING_LOG, EVENTS) if (folder / EVENTS).is_file() else (TIMING_LOG,)
    try:
        draw_loss(folder, {"": finished.log})
    except ImportError:
        say(
            'matplotlib が無いため損失の図は作りません（`pip install "rinsho[report]"`）',
            'no loss figure: matplotlib is not installed (`pip install "rinsho[report]"`)',
        )
        return times
    return (*times, *FIGURES)


def _write_lines(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    path.write_bytes(b"".join(as_json(line) for line in lines))


def draw_loss(folder: Path, runs: Mapping[str, Sequence[Line]]) -> None:
    """Draw training loss and validation measures over the steps, as SVG and PNG without dates.

    Args:
        folder: Takes loss.svg and loss.png.
        runs: Name -> log; with several, each has a colour, and sources are left out.

    Raises:
        ImportError: matplotlib is not installed.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib_fontja  # pyright: ignore[reportMissingTypeStubs]
    from matplotlib import pyplot

    matplotlib_fontja.japanize()
    with matplotlib.rc_context({"svg.hashsalt": "rinsho", "svg.fonttype": "path"}):
        figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
        for place, (run, log) in enumerate(runs.items()):
            steps, losses = [x["step"] for x in log], [x["loss"] for x in log]
            left.plot(steps, losses, label=run or "学習損失", color=f"C{place % 10}", linewidth=1)
            for number, (name, points) in enumerate(_measures(log, only_whole=len(runs) > 1)):
                colour = f"C{(place if len(runs) > 1 else number) % 10}"
                label = f"{run} {name}".strip()
                right.plot(*zip(*points, strict=True), "o-", color=colour, label=label, ms=3)
        left.set(title="学習", xlabel="ステップ", ylabel="損失（nats/トークン）")
        right.set(title="検証", xlabel="ステップ")
        for axes in (left, right):
            axes.grid(alpha=0.3)
            if axes.get_legend_handles_labels()[0]:
                axes.legend(loc="best", fontsize=8)
        figure.savefig(folder / "loss.svg", metadata={"Date": None})
        figure.savefig(folder / "loss.png", dpi=120, metadata={"Software": None})
        pyplot.close(figure)


def _measures(
    log: Sequence[Line], *, only_whole: bool
) -> list[tuple[str, list[tuple[float, float]]]]:
    """Return name and points of each measure; a source or an average behind what it is one of."""
    names = sorted({name for line in log for name in line} - _BESIDE)
    if only_whole:
        names = [name for name in names if name in _NAMES or "/" not in name]
    return [
        (_shown(name), [(line["step"], line[name]) for line in log if name in line])
        for name in names
    ]


def _shown(name: str) -> str:
    whole, slash, source = name.partition("/")
    return _NAMES.get(whole, whole) + (f"（{source}）" if slash else "")
