"""Texts of the grammar about drugs and events: what is related, and what only stands beside."""

from __future__ import annotations

from random import Random

import pytest

from rinsho.corpus.adverse_events import write_adverse_event
from rinsho.corpus.document import Document, from_json, to_json
from rinsho.corpus.facts import Facts
from rinsho.corpus.grammar import read_grammar
from rinsho.corpus.synthesize import SynthesizeConfig, show_synthesize
from rinsho.corpus.template import parse_template
from rinsho.text.lexicon import read_demo_lexicon
from rinsho.text.relations import candidate_pairs

FACTS = Facts(read_demo_lexicon())
RULES = read_grammar()["adverse_event"]


def related(source: str, seed: int = 0) -> tuple[str, list[tuple[str, str]]]:
    rules = {**RULES, "text": (parse_template(source),)}
    text, _, relations = write_adverse_event(rules, FACTS, Random(seed).random)
    words = [(text[r.head.start : r.head.end], text[r.tail.start : r.tail.end]) for r in relations]
    return text, words


@pytest.mark.parametrize(
    ("source", "pairs"),
    [
        ("{culprit}|{effect}", [(0, 1)]),
        ("{effect}|{innocent}|{culprit}", [(2, 0)]),
        ("{complaint}|{innocent}|{feared}|{absent}", []),
        ("{culprit}|{effect}|{culprit2}|{effect2}", [(0, 1), (2, 3)]),
        ("{culprit}|{culprit}|{effect}", [(0, 2), (1, 2)]),
        ("{innocent}|{culprit}|{effect_verb}|{effect_again}", [(1, 2), (1, 3)]),
    ],
)
def test_slots_say_what_caused_what(source: str, pairs: list[tuple[int, int]]) -> None:
    for seed in range(8):
        text, found = related(source.replace("|", "\\|"), seed)
        words = text.split("|")
        assert found == [(words[head], words[tail]) for head, tail in pairs]


def test_every_text_relates_marked_mentions_and_many_relate_none() -> None:
    n_related = n_pairs = n_without = 0
    for seed in range(150):
        text, spans, relations = write_adverse_event(RULES, FACTS, Random(seed).random)
        assert all(text[s.start : s.end].strip() == text[s.start : s.end] != "" for s in spans)
        pairs = candidate_pairs(spans)
        assert {(one.head, one.tail) for one in relations} <= set(pairs)
        n_related, n_pairs = n_related + len(relations), n_pairs + len(pairs)
        n_without += not relations
    assert 0.15 < n_related / n_pairs < 0.5
    assert n_without > 30


def test_the_kind_is_written_where_it_is_asked_for() -> None:
    config = SynthesizeConfig(n_documents=3, shares={"adverse_event": 1.0})
    for document in show_synthesize(config, 3):
        assert isinstance(document, Document)
        assert (document.source, document.group) == ("adverse_event", document.id)
        assert document.relations is not None


def test_a_document_keeps_its_relations() -> None:
    rules = {**RULES, "text": (parse_template("{culprit}で{effect}と{effect}。"),)}
    text, spans, relations = write_adverse_event(rules, FACTS, Random(1).random)
    document = Document("x/1", text, "adverse_event", "CC0-1.0", spans=spans, relations=relations)
    assert len(relations) == 2
    assert from_json(to_json(document)) == document
