"""The passes in C give what numpy gives; without them the same comes out, only later."""

from __future__ import annotations

import shutil
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rinsho.text import kernels
from rinsho.text.identifier_anchors import Anchors, Begin, Rule
from rinsho.text.identifiers import RULES, find_in_all
from rinsho.text.normalize import FOLDING, fold_by_numpy, normalize

needs_kernels = pytest.mark.skipif(not kernels.are_here(), reason="the passes were not built")
CUES = "".join(sorted({c for rule in RULES for begin in rule.begins for c in "".join(begin.row)}))


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no compiler")
def test_a_machine_with_a_compiler_has_the_passes() -> None:
    assert kernels.are_here()


@needs_kernels
@given(st.text() | st.text("漢字かなＡ１　ｶﾞ\u200b\u3099é\ud800𠮷", max_size=40))
def test_characters_are_folded_as_numpy_folds_them(text: str) -> None:
    assert FOLDING.fold(text) == fold_by_numpy(text)


@given(st.text("かはがé\u0301a\u0327ό\u3099\u309a\u1112\u1161\u11ab各e。𠮷\U0001d15e\u0915\u093c"))
def test_what_may_compose_does_so_as_in_the_whole_text(text: str) -> None:
    assert normalize(text) == unicodedata.normalize("NFC", text)


@needs_kernels
@given(st.text(CUES + "𠮷\0\n あ", max_size=80) | st.text(max_size=80))
def test_rules_may_begin_where_numpy_finds_that_they_may(text: str) -> None:
    words = ("氏名", "電話番号", "被保険者番号", "〒")
    rules = [
        *RULES[:40],
        Rule("name", (Begin("か", "はが", "。"), Begin("é")), lambda text, place: None, 0),
        Rule("name", (Begin("名", before="氏\n"),), lambda text, place: None, 0, "\n", "あ"),
    ]
    anchors = Anchors(rules)
    codes = anchors.codes_of([text, *words, text[::-1]])
    for one, other in zip(anchors.tables.find(codes), anchors.find(codes), strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(anchors.find(codes)[0]) > 0


@pytest.mark.parametrize("in_c", [False, pytest.param(True, marks=needs_kernels)])
def test_a_rule_is_asked_only_where_its_first_character_stands(in_c: bool) -> None:
    kanji = "".join(map(chr, range(0x4E00, 0x5600)))  # so many that other characters hash alike
    rules = [
        Rule("name", (Begin("(", kanji, kanji),), lambda text, place: None, 0),
        Rule("name", (Begin(kanji, kanji),), lambda text, place: None, 1),
    ]
    anchors = Anchors(rules)
    codes = anchors.codes_of([kanji[:1000] + "(" + kanji[-1000:]])
    places, bits = (anchors.tables if in_c else anchors).find(codes)
    assert places[(bits & np.uint64(1)) > 0].tolist() == [1000]
    assert len(places) > 1000


@needs_kernels
def test_identifiers_are_the_same_without_the_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [
        "患者氏名: 山田 太郎、TEL 03-1234-5678",
        "",
        "〒113-8655 東京都文京区本郷7-3-1\n佐藤様",
    ]
    found = find_in_all(texts)
    monkeypatch.setattr(kernels, "are_here", lambda: False)
    assert find_in_all(texts) == found
    assert any(found)
