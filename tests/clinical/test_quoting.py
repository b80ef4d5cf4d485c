"""A chat model as an engine of extract: it can quote, and nothing else."""

from __future__ import annotations

import itertools

from rinsho.generation.language_model import LanguageModel
from rinsho.generation.quoting_tagger import QuotingTagger, quoted_strings
from rinsho.text.spans import CERTAINTIES, FIRST_LABELS


def test_a_model_that_nobody_trained_marks_only_what_stands_there(
    long_model: LanguageModel,
) -> None:
    text = "発熱と咳嗽があり受診した。胸部X線で浸潤影を認め、肺炎と診断した。"
    spans = QuotingTagger(long_model).spans(text)
    assert all(0 <= s.start < s.end <= len(text) for s in spans)
    assert all(a.end <= b.start for a, b in itertools.pairwise(spans))
    assert all(s.label in FIRST_LABELS and s.certainty in CERTAINTIES for s in spans)
    assert all(text[s.start : s.end].strip() for s in spans)


def test_a_list_that_was_cut_off_keeps_its_whole_strings() -> None:
    assert quoted_strings('["胃癌", "発熱", "胃癌", "咳') == ["胃癌", "発熱"]
    assert quoted_strings('["a\\nb", " ", "\\u80ba\\u708e"]') == ["肺炎"]
    assert quoted_strings("") == []


def test_nothing_is_asked_about_an_empty_text(long_model: LanguageModel) -> None:
    assert QuotingTagger(long_model).spans("") == ()
