"""All rules against HojiChar's and datatrove's Japanese filters, document after document.

    python -m venv PEERS
    PEERS/bin/pip install datatrove hojichar spacy sudachipy sudachidict_core fasttext-numpy2-wheel
    export PYTHONPATH=PEERS/lib/python3.11/site-packages RINSHO_DATA=DIR
    python benchmarks/rules.py               # half an hour, nearly all of it datatrove's
    python benchmarks/rules.py --by-rule     # seconds of each rule

Interleaved in one process, one core, CPU time, medians. Every filter sees every document, dropped
or not, so that nobody is fast by dropping early; rinsho's own judge stops at the first broken
rule, as in `collect`, and is also timed without stopping. Prints tables and a JSON line.

Peers, with comparable filters on:
- HojiChar: its filters for Japanese documents that need no other package: language, length,
  lists of advertisements, adult, violence, discrimination and bulletin boards, header and footer
  lines, rare full stops, short lines, ellipses, one character repeated, 5-grams repeated.
- datatrove: Gopher repetition, FineWeb quality and Gopher quality with the settings of FineWeb-2
  for Japanese (github.com/huggingface/fineweb-2, configs/jpn_Jpan.yml, fineweb-2-pipeline.py);
  words by spaCy and Sudachi, as datatrove does for Japanese.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from normalize import MIB, read_texts

from rinsho.corpus.rules import RuleLimits, open_rules
from rinsho.corpus.rules.judge import examine, rules_by_name
from rinsho.text.normalize import normalize

Work = Callable[[Sequence[str]], int]  # texts to the number of those dropped


def rinsho_judge() -> Work:
    """As `collect` runs them: many texts at once, the first broken rule decides."""
    judge = open_rules(RuleLimits.model_validate({}))

    def work(texts: Sequence[str]) -> int:
        batches = (texts[first : first + 64] for first in range(0, len(texts), 64))
        return sum(one is not None for batch in batches for one in judge.judge_all(batch, ()))

    return work


def rinsho_all() -> Work:
    """Every rule on every document."""
    rules = rules_by_name(RuleLimits.model_validate({})).values()

    def work(texts: Sequence[str]) -> int:
        n_dropped = 0
        for text in texts:
            examined = examine([text])[0]
            n_dropped += sum(rule(examined) is not None for rule in rules) > 0
        return n_dropped

    return work


def hojichar_filters() -> dict[str, Any]:
    """Return HojiChar's filters for Japanese documents."""
    from hojichar.filters import document_filters as filters

    names = (
        *("AcceptJapanese", "DiscardAds", "DiscardAdultContentJa", "DiscardViolenceContentJa"),
        *("DiscardDiscriminationContentJa", "DiscardBBSComments", "HeaderFooterTagsRemover"),
        *("DiscardRareKuten", "DiscardTooShortLines", "DiscardTooManyEndingEllipsis"),
        *("SingleCharacterRepetitionFilter", "CharRepetitionRatioFilter"),
    )
    found: dict[str, Any] = {name: getattr(filters, name)() for name in names}
    found["DocumentLengthFilter"] = filters.DocumentLengthFilter(10, 1_000_000)
    return found


def hojichar_all() -> Work:
    """Every filter of HojiChar on every document."""
    from hojichar import Document as HojiDocument

    filters = hojichar_filters().values()

    def work(texts: Sequence[str]) -> int:
        n_dropped = 0
        for text in texts:
            is_dropped = False
            for one in filters:
                is_dropped |= one.apply(HojiDocument(text)).is_rejected
            n_dropped += is_dropped
        return n_dropped

    return work


def datatrove_filters() -> dict[str, Any]:
    """Return datatrove's filters as FineWeb-2 sets them for Japanese."""
    from datatrove.pipeline.filters import (
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
    )

    language = "jpn_Jpan"
    return {
        "GopherRepetition": GopherRepetitionFilter(
            language=language,
            dup_para_frac=0,
            dup_line_char_frac=0,
            dup_para_char_frac=0,
            dup_line_frac=0.375,
            top_n_grams=((2, 0.121), (3, 0.129), (4, 0.145)),
            dup_n_grams=(
                *((5, 0.307), (6, 0.283), (7, 0.264)),
                *((8, 0.248), (9, 0.234), (10, 0.223)),
            ),
        ),
        "FineWebQuality": FineWebQualityFilter(
            language=language,
            short_line_thr=999,
            char_duplicates_ratio=0.1,
            line_punct_thr=0.167,
            new_line_ratio=0.162,
        ),
        "GopherQuality": GopherQualityFilter(
            language=language,
            min_avg_word_length=1,
            max_avg_word_length=5,
            stop_words=list("のにをはたてがとで年し・月れさ"),
            max_non_alpha_words_ratio=0.759,
            min_stop_words=2,
        ),
    }


def datatrove_all() -> Work:
    """Every filter of datatrove on every document."""
    from datatrove.data import Document as TroveDocument

    filters = datatrove_filters().values()

    def work(texts: Sequence[str]) -> int:
        n_dropped = 0
        for number, text in enumerate(texts):
            document = TroveDocument(text=text, id=str(number))
            n_dropped += sum(one.filter(document) is not True for one in filters) > 0
        return n_dropped

    return work


def by_rule(texts: Sequence[str], n_rounds: int) -> dict[str, float]:
    """Return the CPU seconds of each rule; what a rule is the first to need counts as its own."""
    rules = rules_by_name(RuleLimits.model_validate({}))
    rounds: dict[str, list[float]] = {name: [] for name in ("view", *rules)}
    clock = time.process_time
    for _ in range(n_rounds):
        spent = dict.fromkeys(rounds, 0.0)
        for text in texts:
            start = clock()
            examined = examine([text])[0]
            end = clock()
            spent["view"] += end - start
            for name, rule in rules.items():
                start = clock()
                rule(examined)
                spent[name] += clock() - start
        for name, seconds in spent.items():
            rounds[name].append(seconds)
    return {name: statistics.median(taken) for name, taken in rounds.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--mib", type=float, default=30, help="MiB of text, spread over the sources"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--without", nargs="*", default=[], help="peers to leave out")
    parser.add_argument("--by-rule", action="store_true", help="seconds of each rule, no peers")
    options = parser.parse_args()
    raw = read_texts(Path(os.environ["RINSHO_DATA"]), int(options.mib * MIB))
    texts = [normalize(text).strip() for text in raw]
    n_chars = sum(map(len, texts))
    n_bytes = sum(len(text.encode()) for text in texts)
    print(f"{n_bytes / MIB:.1f} MiB, {n_chars:,} characters, {len(texts):,} documents")
    if options.by_rule:
        spent = by_rule(texts, options.rounds)
        for name, seconds in spent.items():
            print(f"{name:22s} {seconds:7.3f} s  {seconds / n_chars * 1e9:6.2f} ns/character")
        print(json.dumps({name: round(seconds, 4) for name, seconds in spent.items()}))
        return
    works = {"rinsho": rinsho_judge(), "rinsho, every rule": rinsho_all()}
    peers = {"hojichar": hojichar_all, "datatrove": datatrove_all}
    works |= {name: make() for name, make in peers.items() if name not in options.without}
    compare(works, texts, n_chars, options.rounds)


def compare(works: dict[str, Work], texts: Sequence[str], n_chars: int, n_rounds: int) -> None:
    """Time all works in turn, and print how many times as fast the first one is."""
    times: dict[str, list[float]] = {name: [] for name in works}
    dropped: dict[str, int] = {}
    for work in works.values():
        work(texts[:20])  # what is loaded on first use
    for _ in range(n_rounds):
        for name, work in works.items():
            start = time.process_time()
            dropped[name] = work(texts)
            times[name].append(time.process_time() - start)
    found: dict[str, Any] = {"chars": n_chars, "documents": len(texts), "rounds": n_rounds}
    for name, taken in times.items():
        ratios = {
            first: statistics.median(a / b for a, b in zip(taken, times[first], strict=True))
            for first in ("rinsho", "rinsho, every rule")
        }
        seconds = statistics.median(taken)
        print(
            f"{name:20s} {seconds:8.2f} s  {seconds / n_chars * 1e9:8.1f} ns/character  "
            f"rinsho is {ratios['rinsho']:6.1f} times as fast, every rule "
            f"{ratios['rinsho, every rule']:6.1f}; drops {dropped[name]:,} of {len(texts):,}"
        )
        found[name] = {
            "seconds": round(seconds, 3),
            "ratio": round(ratios["rinsho"], 2),
            "ratio_every_rule": round(ratios["rinsho, every rule"], 2),
            "dropped": dropped[name],
        }
    print(json.dumps(found, ensure_ascii=False))


if __name__ == "__main__":
    main()
