"""Engines of `extract` beside one another, on gold that trained none of them.

`python benchmarks/extraction.py --data DIR --noncommercial --out FOLDER --engine NAME=WEIGHTS …`
asks the dictionary and each folder (of a tagging head, of CRFs, of a chat model held to quotes) the
notes, NRNER, MRNER and KEEPHA, scores all of them in one report, and prints its figures and the
paired differences with 95% intervals over documents. A chat model, which is slow, is asked
`--max-items` of each.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rinsho.evaluation.answer import AnswerConfig, answer
from rinsho.evaluation.evaluate import engine_of
from rinsho.evaluation.score import ScoreConfig, score

ENTITIES = (
    "jmed-llm/mrner-disease",
    "jmed-llm/mrner-medicine",
    "keepha/case-reports",
    "keepha/posts",
)
NONCOMMERCIAL = ("jmed-llm/nrner",)
METRICS = {
    "demo-notes": ("f1", "f1_with_certainty", "precision", "recall"),
    "entities": ("exact_f1", "partial_f1", "micro_precision", "micro_recall"),
}


def main() -> None:
    """Ask, score and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="keeps answers/ and report/")
    parser.add_argument("--engine", action="append", default=[], help="NAME=WEIGHTS, repeatable")
    parser.add_argument("--noncommercial", action="store_true")
    parser.add_argument("--max-items", type=int, help="of each benchmark, for chat models alone")
    given = parser.parse_args()
    entities = (*ENTITIES, *(NONCOMMERCIAL if given.noncommercial else ()))
    terms = {"data": given.data, "noncommercial": given.noncommercial}
    folders: list[Path] = []
    for name, path in [("dictionary", ""), *(one.split("=", 1) for one in given.engine)]:
        is_chat = bool(path) and engine_of(path) == "model"
        config = AnswerConfig(
            benchmarks=("demo-notes", "demo-notes-entities", *entities),
            engine="tagger" if path else "dictionary",
            label=name,
            methods=("generation",),
            max_items=given.max_items if is_chat else None,
            n_free_generations=0,
        )
        folders.append(given.out / f"answers-{name}")
        answer(config, out=folders[-1], model=path or None, **terms)
    score(ScoreConfig(), answers=folders, out=given.out / "report", **terms)
    print(to_table(json.loads((given.out / "report" / "report.json").read_bytes())))


def to_table(report: dict[str, Any]) -> str:
    """Return the figures of a report, a benchmark after the other, and the paired differences."""
    rows = ["| benchmark | engine | n | " + " | ".join(METRICS["entities"]) + " |"]
    rows.append("|---" * (3 + len(METRICS["entities"])) + "|")
    for entry in sorted(report["entries"], key=lambda e: e["benchmark"]):
        names = METRICS.get(entry["benchmark"], METRICS["entities"])
        cells = [_cell(entry["corrected"][name]) for name in names]
        rows.append(f"| {entry['benchmark']} | {entry['system']} | {entry['n_items']} | "
                    + " | ".join(cells) + " |")  # fmt: skip
    rows += ["", "| benchmark | metric | engines | difference |", "|---|---|---|---|"]
    for one in report["comparisons"]:
        engines = " − ".join(one[side].split(" (")[0] for side in ("first", "second"))
        cells = (one["benchmark"], one["metric"], engines, _cell(one["difference"]))
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _cell(one: dict[str, Any]) -> str:
    return f"{one['value']:.3f} ({one['low']:.3f}–{one['high']:.3f})"


if __name__ == "__main__":
    main()
