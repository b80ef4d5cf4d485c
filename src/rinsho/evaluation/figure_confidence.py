"""Two figures of confidence: how often confident answers are right, and what abstaining saves."""

from __future__ import annotations

from collections.abc import Sequence

from rinsho.evaluation.drawing import INK, Drawn, color_of, panels, save, write_legend
from rinsho.evaluation.summary import EntrySummary, Report


def draw_reliability(entries: Sequence[EntrySummary], report: Report) -> Drawn:
    """Draw accuracy over confidence, one panel a benchmark; the area of a point tells its rows.

    On the dashed line, confidence is what it says.
    """
    figure, found = panels(entries, 1.75, "確信度 confidence", "正答率 accuracy")
    for _, axes, members in found:
        axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
        for entry in members:
            if entry.calibration is None:
                continue
            color = color_of(entry.system, report)
            bins = [one for one in entry.calibration.bins if one.n_rows]
            x, y = [one.confidence for one in bins], [one.accuracy for one in bins]
            areas = [6 + 90 * one.n_rows / entry.calibration.n_rows for one in bins]
            axes.plot(x, y, color=color, linewidth=1.2)
            axes.scatter(x, y, s=areas, color=color, alpha=0.75, linewidth=0)
    write_legend(figure, entries, report)
    return save(figure, "reliability")


def draw_risk_coverage(entries: Sequence[EntrySummary], report: Report) -> Drawn:
    """Draw the share of wrong answers among the most confident ones, with its 95 % interval."""
    figure, found = panels(entries, 1.75, "回答率 coverage", "誤答率 risk")
    for _, axes, members in found:
        for entry in members:
            if entry.calibration is None:
                continue
            color = color_of(entry.system, report)
            points = entry.calibration.risk_coverage
            x = [point.coverage for point in points]
            low, high = [point.low for point in points], [point.high for point in points]
            axes.fill_between(x, low, high, color=color, alpha=0.15, linewidth=0)
            axes.plot(x, [point.risk for point in points], color=color, linewidth=1.4)
    write_legend(figure, entries, report)
    return save(figure, "risk_coverage")
