"""Measure a detector of identifiers on planted text or on the hand-written hard cases.

    python benchmarks/identifiers/measure.py dev --misses 20
    python benchmarks/identifiers/measure.py dev2 --misses 20
    python benchmarks/identifiers/measure.py test
    python benchmarks/identifiers/measure.py hard

Prints a table and, last, one JSON line. Of a gold span: `recall` that all of it lies in found spans
of its kind; `covered` in found spans of any kind (what matters for privacy); `exact` that one found
span of its kind has its very ends; `part` that only a part of it lies in found spans. Blanks inside
a span may stay uncovered. `precision` is the share of found spans that touch a gold span. Intervals
are Wilson's, 95%, in percent; spans written in one form are alike, so `forms` says in how many
forms recall reaches 99%. Misses of `test` are never shown (README.md).
"""

from __future__ import annotations

import argparse
import importlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from planted import KINDS, Half, Planted, Span, write_documents

from rinsho.clinical.deidentify_measure import wilson_interval
from rinsho.text.normalize import normalize_with_offsets

Detector = Callable[[str], Sequence[Span]]
_HARD_CASES = Path(__file__).parent / "hard_cases.jsonl"
_N_CONTEXT = 15  # characters shown on each side of a miss


@dataclass(slots=True)
class Counts:
    """What was found of some gold spans."""

    n: int = 0
    found: int = 0
    covered: int = 0
    exact: int = 0
    part: int = 0


@dataclass(slots=True)
class Report:
    """Counts by kind and part of a kind, found spans, and the misses."""

    counts: dict[str, Counts] = field(default_factory=lambda: defaultdict(Counts))
    forms: dict[tuple[str, str], Counts] = field(default_factory=lambda: defaultdict(Counts))
    predicted: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    misses: list[str] = field(default_factory=list)

    def add(self, document: Planted, predictions: Sequence[Span]) -> None:
        """Count what was found in one document."""
        for gold in document.spans:
            if gold.kind != "?":
                self._add_gold(document.text, gold, predictions)
        for one in predictions:
            is_right = any(one.start < gold.end and gold.start < one.end for gold in document.spans)
            self.predicted[one.kind][0] += 1
            self.predicted[one.kind][1] += is_right
            if not is_right:
                self.misses.append(f"{one.kind} wrongly: {_show(document.text, one)}")

    def _add_gold(self, text: str, gold: Span, predictions: Sequence[Span]) -> None:
        places = {i for i in range(gold.start, gold.end) if not text[i].isspace()}
        same = [one for one in predictions if one.kind == gold.kind]
        left = places - _places(predictions)
        is_found = not places - _places(same)
        is_exact = any((one.start, one.end) == (gold.start, gold.end) for one in same)
        rows = [self.counts[gold.kind], self.counts[_part_of_kind(gold)], self.counts["all"]]
        for row in (*rows, self.forms[gold.kind, gold.form]):
            row.n += 1
            row.found += is_found
            row.covered += not left
            row.exact += is_exact
            row.part += bool(left) and left != places
        if not is_found:
            state = "as another kind" if not left else "in part" if left != places else "missed"
            self.misses.append(f"{gold.kind} {state}: {_show(text, gold)}")


def _part_of_kind(gold: Span) -> str:
    role = f"/{gold.role}" if gold.role else ""
    return f"{gold.kind}{role} {'with' if gold.has_cue else 'without'} cue"


def _places(spans: Iterable[Span]) -> set[int]:
    return {i for one in spans for i in range(one.start, one.end)}


def _show(text: str, span: Span) -> str:
    before = text[max(0, span.start - _N_CONTEXT) : span.start]
    after = text[span.end : span.end + _N_CONTEXT]
    return repr(f"{before}⟦{text[span.start : span.end]}⟧{after}")


def read_hard_cases(path: Path = _HARD_CASES) -> Iterator[Planted]:
    """Read the hand-written cases."""
    for line in path.read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        yield Planted(case["text"], tuple(Span(**span) for span in case["spans"]))


def open_detector(name: str) -> Detector:
    """Return a function from raw text to spans in it, of `module:function` on normalized text."""
    module, function = name.split(":")
    find: Callable[..., Sequence[Any]] = getattr(importlib.import_module(module), function)

    def detect(text: str) -> list[Span]:
        normalized = normalize_with_offsets(text)
        found = find(normalized.text, KINDS)
        return [Span(*normalized.to_original(one.start, one.end), one.kind) for one in found]

    return detect


def print_report(report: Report, n_documents: int) -> None:
    """Print the table by kind, the table of parts of a kind, and the JSON line."""
    print(f"{n_documents} documents\n")
    print(
        f"{'kind':38} {'n':>6} {'recall':>7} {'interval':>13} {'covered':>8} {'low':>6}"
        f" {'exact':>6} {'part':>5} {'forms':>8} {'precision':>9} {'interval':>13}"
    )
    figures: dict[str, dict[str, float]] = {}
    order = [kind for kind in (*KINDS, "all") if kind in report.counts]
    for kind in (*order, *sorted(set(report.counts) - set(order))):
        figures[kind] = _figures(report, kind)
        print(_row(kind, figures[kind]))
    print(json.dumps({"documents": n_documents, "kinds": figures}))


def _figures(report: Report, kind: str) -> dict[str, float]:
    counts = report.counts[kind]
    low, high = wilson_interval(counts.found, counts.n)
    figures = {
        "n": counts.n,
        "recall": counts.found / counts.n,
        "low": low,
        "high": high,
        "covered": counts.covered / counts.n,
        "covered_low": wilson_interval(counts.covered, counts.n)[0],
        "exact": counts.exact / counts.n,
        "part": counts.part / counts.n,
    }
    forms = [one for key, one in report.forms.items() if key[1] and kind in (key[0], "all")]
    if forms:
        n_good = sum(one.found >= 0.99 * one.n for one in forms)
        figures |= {"n_forms": len(forms), "n_forms_found": n_good}
    everything = [sum(column) for column in zip(*report.predicted.values(), strict=True)] or [0, 0]
    n_predicted, n_right = everything if kind == "all" else report.predicted.get(kind, [0, 0])
    if n_predicted:
        low, high = wilson_interval(n_right, n_predicted)
        precision = {"precision": n_right / n_predicted, "precision_low": low}
        figures |= {"n_predicted": n_predicted, **precision, "precision_high": high}
    return {key: round(value, 4) for key, value in figures.items()}


def _row(kind: str, one: dict[str, float]) -> str:
    def interval(low: float, high: float) -> str:
        return f"{100 * low:.1f}–{100 * high:.1f}"

    row = (
        f"{kind:38} {one['n']:6,.0f} {100 * one['recall']:7.1f}"
        f" {interval(one['low'], one['high']):>13}"
        f" {100 * one['covered']:8.1f} {100 * one['covered_low']:6.1f} {100 * one['exact']:6.1f}"
        f" {100 * one['part']:5.1f}"
    )
    forms = f"{one['n_forms_found']:.0f}/{one['n_forms']:.0f}" if "n_forms" in one else ""
    if "precision" not in one:
        return f"{row} {forms:>8}".rstrip()
    limits = interval(one["precision_low"], one["precision_high"])
    return f"{row} {forms:>8} {100 * one['precision']:9.1f} {limits:>13}"


def main() -> None:
    """Measure, then print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("texts", choices=(*get_args(Half), "hard"))
    parser.add_argument("--seed", type=int, default=0, help="another seed plants other values")
    parser.add_argument("--misses", type=int, default=0, help="how many to show; not of test")
    parser.add_argument("--detector", default="rinsho.text.learned_identifiers:find_with_network")
    settings = parser.parse_args()
    if settings.misses and settings.texts == "test":
        parser.error("misses of test are not shown: nobody tunes rules on it")
    is_hard = settings.texts == "hard"
    documents = read_hard_cases() if is_hard else write_documents(settings.texts, settings.seed)
    detect = open_detector(settings.detector)
    report, n_documents = Report(), 0
    for document in documents:
        report.add(document, detect(document.text))
        n_documents += 1
    for miss in sorted(report.misses)[:: max(1, len(report.misses) // max(1, settings.misses))]:
        if settings.misses:
            print(miss)
    print_report(report, n_documents)


if __name__ == "__main__":
    main()
