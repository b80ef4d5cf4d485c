"""Metrics of examinations: accuracy, points, the parts, prohibited choices, pass or fail.

One function for both families: what is right, chosen and counted differs, the sums do not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rinsho.evaluation.benchmark import Item, PassMarks
from rinsho.evaluation.bootstrap import Floats, Metric, ratio

_COLUMNS = (
    "right",
    "counted",
    "points",
    "points_possible",
    "required",
    "general",
    "right_without_image",
    "without_image",
    "points_without_image",
    "prohibited",
    "rows",
    "right_of_all",
)
_PLACE = {name: place for place, name in enumerate(_COLUMNS)}


@dataclass(frozen=True, slots=True)
class ExamRow:
    """One question of an examination and what became of it."""

    item: Item
    is_right: bool
    chosen: tuple[str, ...] = ()

    def is_prohibited(self, is_official: bool) -> bool:
        """Say whether a prohibited choice is among the chosen ones."""
        more = () if is_official else self.item.also_prohibited
        return bool({*self.chosen} & {*self.item.prohibited, *more})


def exam_metrics(
    rows: Sequence[ExamRow], marks: PassMarks | None, *, leaves_out: bool
) -> tuple[Metric, ...]:
    """Return accuracy first, then what the questions make possible.

    Args:
        rows: The marked questions.
        marks: What a candidate needs; None where rows are no whole examination.
        leaves_out: Whether excluded items leave the denominator of accuracy (corrected) or stay in
            it (official). Points never count them: they are worth none.
    """
    counts_RK = np.array([_count(row, leaves_out) for row in rows], dtype=np.float64)
    counts_RK = counts_RK.reshape(-1, len(_COLUMNS))

    def metric(name: str, statistic: Callable[[dict[str, Floats]], Floats]) -> Metric:
        def of_sums(sums_DK: Floats) -> Floats:
            return statistic({column: sums_DK[:, place] for column, place in _PLACE.items()})

        is_higher_better = name != "prohibited"
        return Metric(name, counts_RK, of_sums, is_higher_better=is_higher_better)

    metrics = [metric("accuracy", lambda s: ratio(s["right"], s["counted"]))]
    if any(row.item.excluded for row in rows) and leaves_out:
        metrics.append(
            metric("accuracy_of_all_rows", lambda s: ratio(s["right_of_all"], s["rows"]))
        )
    if any(row.item.has_image for row in rows):
        share = metric(
            "accuracy_without_image", lambda s: ratio(s["right_without_image"], s["without_image"])
        )
        metrics.append(share)
    if any(row.item.part for row in rows):
        metrics += [
            metric("points", lambda s: s["points"]),
            metric("points_share", lambda s: ratio(s["points"], s["points_possible"])),
            metric("points_required", lambda s: s["required"]),
            metric("points_general", lambda s: s["general"]),
            metric("points_without_image", lambda s: s["points_without_image"]),
        ]
    if any(row.item.prohibited for row in rows):
        metrics.append(metric("prohibited", lambda s: s["prohibited"]))
    if marks:
        metrics.append(metric("passes", lambda s: _passes(s, marks)))
    return tuple(metrics)


def _count(row: ExamRow, leaves_out: bool) -> list[float]:
    item = row.item
    is_counted = not (leaves_out and item.excluded)
    is_right = row.is_right and is_counted
    points = item.points * row.is_right
    has_text_alone = is_counted and not item.has_image
    return [
        is_right,
        is_counted,
        points,
        item.points,
        points * (item.part == "required"),
        points * (item.part == "general"),
        is_right and has_text_alone,
        has_text_alone,
        points * (not item.has_image),
        row.is_prohibited(is_official=not leaves_out),
        1,
        row.is_right,
    ]


def _passes(sums: dict[str, Floats], marks: PassMarks) -> Floats:
    is_passed = (
        (sums["required"] >= marks.required)
        & (sums["general"] >= marks.general)
        & (sums["prohibited"] <= marks.max_prohibited)
    )
    return is_passed.astype(np.float64)


def mean_over_tags(rows: Sequence[ExamRow]) -> Metric:
    """Return the mean over tags of the accuracy in each, excluded items left out."""
    tags = sorted({row.item.tag for row in rows})
    counts_RK = np.zeros((len(rows), 2 * len(tags)))
    for place, row in enumerate(rows):
        if not row.item.excluded:
            tag = tags.index(row.item.tag)
            counts_RK[place, tag] = row.is_right
            counts_RK[place, len(tags) + tag] = 1

    def statistic(sums_DK: Floats) -> Floats:
        right_DT, n_DT = sums_DK[:, : len(tags)], sums_DK[:, len(tags) :]
        return ratio(ratio(right_DT, n_DT).sum(axis=1), (n_DT > 0).sum(axis=1).astype(np.float64))

    return Metric("accuracy_mean_of_tags", counts_RK, statistic)
