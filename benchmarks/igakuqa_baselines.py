"""Mark the published outputs for IgakuQA again: five runs of four years, officially.

RINSHO_DATA=DIR python benchmarks/igakuqa_baselines.py
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from rinsho.evaluation.benchmark import Sources
from rinsho.evaluation.igakuqa import EXAMS
from rinsho.evaluation.igakuqa_baselines import RUNS, score_run

NAMES = ("points", "points_required", "points_general", "prohibited", "passes")


def main() -> None:
    """Print one row a run and year, then all of them as one JSON line."""
    sources = Sources(Path(os.environ["RINSHO_DATA"]))
    rows: list[dict[str, object]] = []
    print(f"{'run':<18} year  " + "  ".join(f"{name:>15}" for name in NAMES) + "  right of 400")
    for run in RUNS:
        for year in EXAMS:
            found = {m.name: m.value for m in score_run(sources, year, run).official}
            cells = "  ".join(f"{found[name]:>15.0f}" for name in NAMES)
            print(f"{run:<18} {year}  {cells}  {round(found['accuracy'] * 400):>12}")
            rows.append({"run": run, "year": year, **found})
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
