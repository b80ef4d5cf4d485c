"""Extraction: offsets into the original whatever the engine, and honest about the engine."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rinsho.clinical.extract import (
    Extractor,
    extract,
    extract_notes,
    load_extractor,
    to_json_line,
)
from rinsho.clinical.notes import Note
from rinsho.errors import ModelCannot, TextTooLong
from rinsho.text.spans import CERTAINTIES, LABELS, Span

PIECES = [
    "肺炎",
    "発熱",
    "ﾊﾟﾆｯｸ障害",
    "ＣＲＰ　３．２ｍｇ／ｄＬ",
    "か\u3099",
    "葛󠄀",
    "😀",
    "𠮷",
    "\r\n",
    "なし。",
    "、",
]


@pytest.fixture(scope="module")
def dictionary() -> Extractor:
    return load_extractor(None)


def words(spans: tuple[Span, ...], text: str) -> list[tuple[str, str, str]]:
    return [(text[s.start : s.end], s.label, s.certainty) for s in spans]


def test_the_dictionary_says_that_it_is_one_and_finds_what_is_written(
    dictionary: Extractor,
) -> None:
    assert (dictionary.name, dictionary.kind) == ("dictionary", "dictionary")
    text = "😀発熱あり、胸痛なし。ＣＲＰ　３．２ｍｇ／ｄＬ。"
    found = words(extract(dictionary, text), text)
    assert ("発熱", "symptom", "present") in found
    assert ("胸痛", "symptom", "negated") in found
    assert ("ＣＲＰ", "test", "present") in found
    assert ("３．２ｍｇ／ｄＬ", "value", "present") in found


@given(parts=st.lists(st.sampled_from(PIECES), max_size=12))
def test_spans_lie_in_the_original_in_order_and_hold_whole_words(
    dictionary: Extractor, parts: list[str]
) -> None:
    text = "、".join(parts)
    spans = extract(dictionary, text)
    assert all(0 <= s.start < s.end <= len(text) for s in spans)
    assert all(a.end <= b.start for a, b in itertools.pairwise(spans))
    assert all(s.label in LABELS and s.certainty in CERTAINTIES for s in spans)
    covered = {i for s in spans for i in range(s.start, s.end)}
    for word in ("肺炎", "ﾊﾟﾆｯｸ障害"):
        start = text.find(word)
        assert start < 0 or set(range(start, start + len(word))) <= covered


@pytest.mark.parametrize("text", ["", " ", "\u3000\r\n\t"])
def test_an_empty_note_has_no_spans(dictionary: Extractor, text: str) -> None:
    assert extract(dictionary, text) == ()


def test_a_note_over_the_limit_is_refused(dictionary: Extractor) -> None:
    with pytest.raises(TextTooLong):
        extract(dictionary, "熱" * 11, max_characters=10)


def test_a_tagger_has_its_folder_s_name_and_spans_of_the_original(tagger_weights: Path) -> None:
    tagger = load_extractor(tagger_weights)
    assert (tagger.name, tagger.kind) == ("tagger", "model")
    text = "😀発熱と　咳嗽があり、ﾊﾟﾆｯｸ障害。\r\n" * 20  # longer than the context
    spans = extract(tagger, text)
    assert spans
    assert all(0 <= s.start < s.end <= len(text) for s in spans)
    assert all("\r" not in text[s.start : s.end] for s in spans)


def test_weights_without_a_tagging_head_are_refused(tokenizer_folder: Path) -> None:
    from rinsho.manifest import new_folder
    from rinsho.runfile import StageConfig

    out = tokenizer_folder.parent / "no head"
    with new_folder(out, stage="finetune", config=StageConfig(), inputs={}):
        pass
    with pytest.raises(ModelCannot):
        load_extractor(out)


def test_a_line_of_the_output_has_the_words_and_the_engine(dictionary: Extractor) -> None:
    note = Note("n1", "𠮷田氏\r\n肺炎で入院")
    (extraction,) = extract_notes(dictionary, [note])
    line = json.loads(to_json_line(extraction, with_text=True))
    assert line["id"] == "n1"
    assert line["engine"] == "dictionary"
    assert line["text"] == note.text
    assert [(s["text"], s["start"]) for s in line["spans"]] == [("肺炎", 5)]
    assert "text" not in json.loads(to_json_line(extraction))
