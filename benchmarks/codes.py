"""How often `codes` is right on a list that it has not read: MedDic-CANCER-ADE-JA, left out.

The list is a person's coding of how adverse events are written (MIT). Its names are looked up among
the embedded lexicon, DPC, Wikidata and NANDO; a code counts as right by its category, the first
three characters. `python benchmarks/codes.py --data DIR`
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

from rinsho.clinical import code_lists
from rinsho.clinical.codes import CodeIndex
from rinsho.clinical.deidentify_measure import wilson_interval

LEFT_OUT = "lexicon/meddic_cancer_ade_ja_202306.csv"


def main() -> None:
    """Print the shares with their 95% Wilson intervals, and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    every = list(code_lists.data_names(data))
    asked = {
        one.name: one.code
        for one in every
        if one.source == Path(LEFT_OUT).name and one.how == "name"
    }
    known = [one for one in every if one.source != Path(LEFT_OUT).name]
    index = CodeIndex([*code_lists.embedded_names(), *known])
    counts: Counter[str] = Counter()
    for name, code in asked.items():
        (coding,) = (
            one
            for one in index.look_up(name, "condition", n_candidates=5)
            if one.system == "ICD-10"
        )
        counts[coding.status] += 1
        if coding.status == "decided":
            counts["decided_right"] += coding.code[:3] == code[:3]
        categories = [one.code[:3] for one in coding.candidates]
        counts["right_among_5"] += code[:3] in categories
        counts["right_first"] += categories[:1] == [code[:3]]
    n = len(asked)
    for key in ("decided", "right_first", "right_among_5"):
        print(key, f"{counts[key] / n:.3f}", wilson_interval(counts[key], n), f"of {n}")
    of = counts["decided"]
    right = counts["decided_right"]
    print("decided and right", f"{right / of:.3f}", wilson_interval(right, of), f"of {of}")
    print(json.dumps(counts, ensure_ascii=False))


if __name__ == "__main__":
    main()
