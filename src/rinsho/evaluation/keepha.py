"""KEEPHA (Japanese): adverse drug events in case reports and pseudo-tweets, from brat files.

Prompt: JMED-LLM's two questions for lists of findings and of drugs; for causes, one
`- cause → effect` a line. Parser: a Python list; bullets cut at their arrow. Metrics: those of
entity lists, and of pairs matched one to one.
Source:
    sociocom/KEEPHA-Ja; Raithel et al. 2024, LREC-COLING, main.36. MIT.
Known errors:
    6 of 1,764 entities are discontinuous and asked for as the text from their first character to
    their last (5 of them findings). The 12 case reports are documents of JMED-LLM's CRADE test.
    Negated findings are not asked for. Lists hold every wording once, without offsets.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from rinsho.errors import BrokenRecord
from rinsho.evaluation.benchmark import Benchmark, Item, Sources
from rinsho.evaluation.benchmark_file import catalogued_files, find_file, require_unique, text_key
from rinsho.evaluation.prompts import ENTITY_QUESTIONS

Kind = Literal["entities", "causes"]
CORPORA = {  # folder, what its texts are called in a question
    "case-reports": ("MedTxt-CR-Ja-ADE-202211r", "症例報告"),
    "posts": ("medner-sc-sm-ja-train-split", "SNSの投稿"),
}
_LABELS = {"d": "DISORDER", "m-key": "DRUG"}
CAUSES_INSTRUCTION = (
    "次の文章で、薬や病気が引き起こしたと書かれている症状や病気をすべて挙げてください。1行に1つ、"
    "「- 原因 → 結果」の形で本文の語のまま書き、他には何も書かないでください。"
)


@dataclass(frozen=True, slots=True)
class BratEntity:
    """A marked part of a text; a discontinuous one reaches from its first to its last character."""

    id: str
    label: str
    start: int
    end: int
    is_discontinuous: bool = False
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class BratText:
    """One text with its entities in reading order, and its relations as (label, id, id)."""

    name: str
    text: str
    entities: tuple[BratEntity, ...]
    relations: tuple[tuple[str, str, str], ...]

    def words(self, entity: BratEntity) -> str:
        """Return what an entity says."""
        return self.text[entity.start : entity.end]


def read_brat(name: str, text: str, marks: str) -> BratText:
    """Read one text and its brat standoff file.

    Raises:
        BrokenRecord: An offset outside the text, or a relation to an entity that is not there.

    >>> brat = read_brat("x", "発熱なし", "T1\\tDISORDER 0 2\\t発熱\\nA1\\tNegation T1 negated\\n")
    >>> [(brat.words(one), one.is_negated) for one in brat.entities]
    [('発熱', True)]
    """
    lines = [line.split("\t") for line in marks.splitlines() if line.strip()]
    negated = {
        cells[1].split()[1]
        for cells in lines
        if cells[0].startswith("A") and cells[1].startswith("Negation ")
    }
    entities = [_to_entity(cells, negated) for cells in lines if cells[0].startswith("T")]
    relations = [_to_relation(cells[1]) for cells in lines if cells[0].startswith("R")]
    known = {entity.id for entity in entities}
    is_inside = all(0 <= one.start < one.end <= len(text) for one in entities)
    if not is_inside or not all({first, second} <= known for _, first, second in relations):
        raise BrokenRecord(where=name, expected="offsets in the text, relations of its entities")
    return BratText(
        name, text, tuple(sorted(entities, key=lambda one: one.start)), tuple(relations)
    )


def _to_entity(cells: list[str], negated: set[str]) -> BratEntity:
    label, _, places = cells[1].partition(" ")
    pieces = [[int(edge) for edge in piece.split()] for piece in places.split(";")]
    start, end = min(piece[0] for piece in pieces), max(piece[1] for piece in pieces)
    return BratEntity(cells[0], label, start, end, len(pieces) > 1, cells[0] in negated)


def _to_relation(cell: str) -> tuple[str, str, str]:
    label, first, second = cell.split()
    return label, first.removeprefix("Arg1:"), second.removeprefix("Arg2:")


def read_corpus(sources: Sources, benchmark: str, corpus: str) -> Iterator[BratText]:
    """Yield the texts of a corpus in the order of their names.

    Raises:
        DataFolderMissing, BenchmarkMissing, BenchmarkChanged: A file is not there as published.
    """
    for path in corpus_files(corpus):
        if path.endswith(".txt"):
            stem = path.removesuffix(".txt")
            text, marks = (
                find_file(sources, benchmark, one).read_bytes().decode("utf-8")
                for one in (path, f"{stem}.ann")
            )
            yield read_brat(stem.rpartition("/")[2], text, marks)


@functools.cache
def corpus_files(corpus: str) -> tuple[str, ...]:
    """Return the texts of a corpus and their marks, by name."""
    folder = f"eval/keepha_ja/{CORPORA[corpus][0]}/"
    return tuple(
        path
        for path in sorted(catalogued_files())
        if path.startswith(folder) and path.endswith((".txt", ".ann"))
    )


def read_items(sources: Sources, *, name: str, corpus: str, kind: Kind) -> tuple[Item, ...]:
    """Read the questions about a corpus: a text without anything to find is not asked about."""
    make = {"entities": _entity_items, "causes": _cause_items}[kind]
    texts = read_corpus(sources, name, corpus)
    return require_unique(name, tuple(item for text in texts for item in make(text, corpus)))


def _entity_items(brat: BratText, corpus: str) -> Iterable[Item]:
    for tag, label in _LABELS.items():
        found = [one for one in brat.entities if one.label == label and not one.is_negated]
        if gold := tuple(dict.fromkeys(brat.words(one) for one in found)):
            asked = ENTITY_QUESTIONS[tag].format(CORPORA[corpus][1])
            yield Item(
                f"{brat.name}/{tag}",
                "entities",
                f"{asked}\n「{brat.text}」",
                gold=gold,
                document=text_key(brat.text),
                tag=tag,
                source="keepha",
            )


def _cause_items(brat: BratText, corpus: str) -> Iterable[Item]:
    words = {one.id: brat.words(one) for one in brat.entities}
    pairs = [(words[a], words[b]) for label, a, b in brat.relations if label == "CAUSED"]
    if pairs:
        yield Item(
            brat.name,
            "pairs",
            brat.text,
            document=text_key(brat.text),
            source="keepha",
            gold_pairs=tuple(dict.fromkeys(pairs)),
            wording="ja",
            instruction=CAUSES_INSTRUCTION,
        )


def _benchmark(corpus: str, kind: Kind, n_items: int, ja: str, en: str) -> Benchmark:
    name = f"keepha/{corpus}" + ("" if kind == "entities" else f"-{kind}")
    return Benchmark(
        name=name,
        version=1,
        license="MIT",
        source="sociocom/KEEPHA-Ja, 2024",
        form="entities" if kind == "entities" else "pairs",
        ja=ja,
        en=en,
        needs=f"eval/keepha_ja/{CORPORA[corpus][0]} (--data)",
        load=functools.partial(read_items, name=name, corpus=corpus, kind=kind),
        known_errors="6 discontinuous entities; gold lists have no offsets"
        + ("; the case reports are in JMED-LLM's tests" if corpus == "case-reports" else ""),
        files=corpus_files(corpus),
        n_items=n_items,
    )


KEEPHA = (
    _benchmark(
        "case-reports", "entities", 24, "症例報告の病名・薬品名", "findings and drugs, case reports"
    ),
    _benchmark(
        "posts", "entities", 200, "擬似投稿の病名・薬品名", "findings and drugs, pseudo-posts"
    ),
    _benchmark("case-reports", "causes", 10, "症例報告の因果", "causes and effects, case reports"),
    _benchmark("posts", "causes", 36, "擬似投稿の因果", "causes and effects, pseudo-posts"),
)
