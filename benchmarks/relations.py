"""Which drug caused what: a head of `form = "relation"` beside plain rules, on two kinds of text.

`python benchmarks/relations.py WEIGHTS … --documents DIR --data DIR` scores each head and the rules
on the test split of a documents folder of the grammar (`shares = { adverse_event = 1.0 }`) and on
the causes of KEEPHA, which train nothing: given the gold mentions (exact borders), and given those
that the dictionary finds (touching is enough). Of KEEPHA's causes those of a drug count (76 of 88).
95% intervals over texts, 10,000 draws, seed 0.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rinsho.clinical.extract import Extractor, load_extractor
from rinsho.corpus.document import read_documents
from rinsho.corpus.splits import split_of
from rinsho.evaluation.benchmark import Sources
from rinsho.evaluation.bootstrap import Metric, difference, estimate
from rinsho.evaluation.keepha import CORPORA, read_corpus
from rinsho.evaluation.relation_metrics import RelationRow, relation_metrics
from rinsho.model.relation_finder import load_relations
from rinsho.text.relations import (
    CAUSED,
    Pair,
    candidate_pairs,
    gap,
    is_in_one,
    nearest_in_sentence,
)
from rinsho.text.sentences import split_sentences
from rinsho.text.spans import Relation, Span

Relate = Callable[[str, tuple[Span, ...]], tuple[Relation, ...]]


@dataclass(frozen=True)
class Text:
    """A text with its gold mentions and causes."""

    text: str
    spans: tuple[Span, ...]
    gold: tuple[Relation, ...]


def main() -> None:
    """Print a table, and the differences of the first head from the rules."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path, nargs="*")
    parser.add_argument("--documents", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    systems: dict[str, Relate] = {one.name: load_relations(one).relations for one in given.weights}
    systems |= {
        "same sentence": same_sentence,
        "nearest drug": nearest,
        "nearest in it": nearest_in_it,
    }
    sets = {"grammar, test split": list(_documents(given.documents))}
    sets |= {f"KEEPHA {corpus}": list(_keepha(given.data, corpus)) for corpus in CORPORA}
    sets["KEEPHA, both"] = [text for name in list(sets)[1:] for text in sets[name]]
    print("| texts | mentions | system | F1 | precision | recall |\n|---|---|---|---|---|---|")
    for name, texts in sets.items():
        for mentions, extractor in (("gold", None), ("dictionary", load_extractor(None))):
            _report(name, mentions, texts, systems, extractor)


def _report(
    name: str,
    mentions: str,
    texts: Sequence[Text],
    systems: dict[str, Relate],
    extractor: Extractor | None,
) -> None:
    keys = [str(number) for number in range(len(texts))]
    found = [one.spans if extractor is None else extractor.spans(one.text) for one in texts]
    f1: dict[str, Metric] = {}
    size = f"{name} ({len(texts)}; {sum(len(one.gold) for one in texts)} causes)"
    for system, relate in systems.items():
        said = [relate(one.text, spans) for one, spans in zip(texts, found, strict=True)]
        rows = [RelationRow(one.gold, s) for one, s in zip(texts, said, strict=True)]
        metrics = relation_metrics(rows, is_exact=extractor is None)
        cells = [estimate(metric, keys, seed=0) for metric in metrics]
        shown = " | ".join(f"{c.value:.3f} ({c.low:.3f}–{c.high:.3f})" for c in cells)
        print(f"| {size} | {mentions} | {system} | {shown} |", flush=True)
        f1[system] = metrics[0]
    first, *others = f1
    for other in others:
        one = difference(f1[first], f1[other], keys, seed=0)
        print(f"    {first} − {other}: {one.value:+.3f} ({one.low:+.3f} to {one.high:+.3f})")


def _documents(folder: Path) -> Iterator[Text]:
    for document in read_documents(folder):
        if document.relations is not None and split_of(document) == "test":
            yield Text(document.text, document.spans or (), document.relations)


def _keepha(data: Path, corpus: str) -> Iterator[Text]:
    for brat in read_corpus(Sources(data), f"keepha/{corpus}", corpus):
        spans = {
            one.id: Span(one.start, one.end, one.label, "negated" if one.is_negated else "present")
            for one in brat.entities
        }
        causes = ((spans[a], spans[b]) for label, a, b in brat.relations if label == "CAUSED")
        gold = {Relation(CAUSED, *pair) for pair in causes if pair[0].label == "DRUG"}
        yield Text(brat.text, tuple(spans.values()), tuple(sorted(gold)))


def same_sentence(text: str, spans: tuple[Span, ...]) -> tuple[Relation, ...]:
    """Say that every drug caused every event of its sentence."""
    sentences = split_sentences(text)
    return _caused(p for p in candidate_pairs(spans) if is_in_one(sentences, p))


def nearest(text: str, spans: tuple[Span, ...]) -> tuple[Relation, ...]:
    """Say that the drug nearest to an event caused it."""
    best: dict[Span, Pair] = {}
    for pair in candidate_pairs(spans):
        if pair[1] not in best or gap(pair) < gap(best[pair[1]]):
            best[pair[1]] = pair
    return _caused(best.values())


def nearest_in_it(text: str, spans: tuple[Span, ...]) -> tuple[Relation, ...]:
    """Say that the nearest drug caused an event, where it stands in the event's sentence."""
    return _caused(nearest_in_sentence(text, spans))


def _caused(pairs: Iterable[Pair]) -> tuple[Relation, ...]:
    return tuple(Relation(CAUSED, *pair) for pair in pairs)


if __name__ == "__main__":
    main()
