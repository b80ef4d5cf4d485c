"""The engines that find spans: offsets into the original text, lists in the JMED form."""

import ast
import re
from typing import get_args

from rinsho.evaluation.benchmark import Form, Item, Sources
from rinsho.evaluation.catalogue import load_benchmark
from rinsho.evaluation.engines import METHODS, SpanEngine, open_dictionary
from rinsho.evaluation.jmed_llm import document_text
from rinsho.evaluation.parse import parse_list, parse_spans
from rinsho.text.spans import Span


class LatinTagger:
    """Marks runs of half-width letters: only normalized text has them here."""

    def spans(self, text: str) -> tuple[Span, ...]:
        return tuple(Span(m.start(), m.end(), "test") for m in re.finditer(r"[A-Z]+", text))


def test_spans_point_into_the_text_as_it_was_given():
    text = "𠮷田氏。ﾊﾟﾆｯｸ障害、ＣＲＰ　上昇"
    (span,) = SpanEngine(LatinTagger()).spans(text)
    assert text[span.start : span.end] == "ＣＲＰ"


def test_the_dictionary_answers_every_note_with_valid_spans():
    engine = open_dictionary()
    for item in load_benchmark("demo-notes", Sources()).items:
        given = engine.answer("demo-notes", item, "extraction")
        parsed = parse_spans(given.output, len(item.question))
        assert parsed.is_valid
        assert parsed.spans


def test_the_dictionary_lists_what_the_tag_asks_for():
    text = "肺炎に対しアムロジピン5mgを投与。発熱なし。"
    for tag, expected in (("d", "肺炎"), ("m-key", "アムロジピン"), ("m-val", "5mg")):
        item = Item("x/1", "entities", f"以下の症例報告において、…？\n「{text}」", tag=tag)
        output = open_dictionary().answer("x", item, "extraction").output
        assert expected in parse_list(output).entities
        assert "発熱" not in parse_list(output).entities  # negated
        assert ast.literal_eval(output) == list(parse_list(output).entities)
        assert all(entity in document_text(item.question) for entity in ast.literal_eval(output))


def test_each_form_of_benchmark_has_an_engine():
    forms = {form for methods in METHODS.values() for form in methods}
    assert forms == set(get_args(Form)) - {"number"}  # an item of an examination, asked as a choice
