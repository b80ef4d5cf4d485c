"""Time expressions of `extract`, found or not, on the marks of two corpora that people annotated.

`python benchmarks/extraction_times.py --data DIR --noncommercial`: a mark counts as found where a
time touches it, because KEEPHA marks particles too (後には). Its wordings were read when the rules
were written, the nursing records' were not. 95% intervals over texts, 10,000 draws, seed 0.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from rinsho.evaluation.benchmark import Sources
from rinsho.evaluation.benchmark_file import find_file
from rinsho.evaluation.bootstrap import Metric, estimate, ratio
from rinsho.evaluation.keepha import CORPORA, read_corpus
from rinsho.text.mentions import embedded_tagger

Marked = tuple[str, list[tuple[int, int]]]
NURSING = "eval/nursing_ner/ChiefComplaint.xml"
_TAG = re.compile(r"<(/?)([A-Za-z][\w-]*)>")


def main() -> None:
    """Print recall and precision of each corpus."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--noncommercial", action="store_true")
    given = parser.parse_args()
    sources = Sources(given.data, noncommercial=given.noncommercial)
    for corpus in CORPORA:
        texts = read_corpus(sources, f"keepha/{corpus}", corpus)
        marked = (
            (one.text, [(e.start, e.end) for e in one.entities if e.label == "TIME"])
            for one in texts
        )
        print(f"keepha/{corpus}: {_measure(list(marked))}")
    if given.noncommercial:
        path = find_file(sources, "nursing-ner/chief-complaint", NURSING)
        text = path.read_text(encoding="utf-8-sig")
        found = re.findall("<chief-comp>(.*?)</chief-comp>", text, re.DOTALL)
        print(f"nursing-ner/chief-complaint: {_measure([_times_of(one) for one in found])}")


def _times_of(marked: str) -> Marked:
    text, at, opened, found = "", 0, list[int](), list[tuple[int, int]]()
    for tag in _TAG.finditer(marked):
        text += marked[at : tag.start()]
        at = tag.end()
        if not tag[1]:
            opened.append(len(text))
        elif (start := opened.pop()) < len(text) and tag[2] == "time":
            found.append((start, len(text)))
    return text + marked[at:], found


def _measure(texts: Sequence[Marked]) -> str:
    counts = np.array(list(_counts(texts)), dtype=np.float64)
    said: list[str] = []
    for name, right, of in (("recall", 0, 1), ("precision", 2, 3)):
        metric = Metric(name, counts, lambda s, r=right, o=of: ratio(s[:, r], s[:, o]))
        one = estimate(metric, [str(number) for number in range(len(texts))], seed=0)
        n_all = int(counts[:, of].sum())
        said.append(f"{name} {one.value:.3f} ({one.low:.3f}–{one.high:.3f}) of {n_all}")
    return ", ".join(said)


def _counts(texts: Sequence[Marked]) -> Iterator[tuple[int, int, int, int]]:
    tagger = embedded_tagger()
    for text, gold in texts:
        found = [(s.start, s.end) for s in tagger.spans(text) if s.label == "time"]
        n_gold = sum(any(a < d and c < b for c, d in found) for a, b in gold)
        n_found = sum(any(a < d and c < b for a, b in gold) for c, d in found)
        yield n_gold, len(gold), n_found, len(found)


if __name__ == "__main__":
    main()
