"""Rules about repetition, against counts made the plain way."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rinsho.corpus.document import Document
from rinsho.corpus.rules import RuleLimits, open_rules
from rinsho.corpus.rules.judge import examine, rules_by_name
from rinsho.corpus.rules.repetition import character_runs, count_ngrams, duplicate_paragraphs
from rinsho.corpus.rules.view import TextView

JUDGE = open_rules(RuleLimits.model_validate({}))
SENTENCES = (
    "本症は肺胞を主な病変の場とする慢性の炎症である。労作時の息切れが徐々に進行する。",
    "胸部CTでは両側下葉に網状影を認め、牽引性気管支拡張を伴う。喫煙歴を聴取する。",
    "呼吸機能検査では拘束性換気障害と拡散能の低下がみられる。外来で経過を追う。",
)


def broken(text: str) -> str | None:
    rejection = JUDGE(Document("source/0", text, "source", "CC0-1.0"), ())
    return rejection.rule if rejection else None


def codes(text: str) -> NDArray[np.uint32]:
    return np.array([*map(ord, text)], dtype=np.uint32)


@given(st.text("肺炎咳痰a𠮷。", min_size=20, max_size=300), st.sampled_from([2, 4, 8, 16]))
def test_ngrams_are_counted_as_a_plain_count_says(text: str, n: int) -> None:
    found = count_ngrams(codes(text), n)
    counts = Counter(text[i : i + n] for i in range(len(text) - n + 1))
    n_all = sum(counts.values())
    assert found.hashes.shape == (1, n_all)
    assert found.duplicate_share == pytest.approx(1 - len(counts) / n_all)
    if max(counts.values()) > 1:
        assert found.top_share() == pytest.approx(max(counts.values()) * n / n_all)
    for share in (0.1, 0.25, 0.5):
        if found.top_share() > share and max(counts.values()) > 1:
            assert found.has_top_share(share)


def test_a_long_text_is_counted_block_by_block() -> None:
    rng = np.random.default_rng(0)
    block = rng.integers(0x4E00, 0x9000, 8_000, dtype=np.uint32)
    found = count_ngrams(np.concatenate([block, block]), 8)
    assert found.hashes.shape[0] == 2
    assert found.duplicate_share == 0  # the second copy stands in a block of its own


def test_a_phrase_again_and_again_is_rejected() -> None:
    assert broken("".join(SENTENCES)) is None
    assert broken("".join(SENTENCES) * 4) == "duplicate_ngrams"
    names = "".join(f"東京都{number}番地の内科医院。" for number in range(100, 140))
    assert broken(names) in ("duplicate_ngrams", "top_ngram")


def test_lines_again_and_again_are_rejected() -> None:
    assert broken("\n".join([*SENTENCES, *["○", "×", "○", "×"] * 60])) == "duplicate_lines"


def test_paragraphs_again_and_again_are_rejected() -> None:
    view = TextView("\n\n".join([*SENTENCES, "".join(SENTENCES), "".join(SENTENCES)]))
    assert duplicate_paragraphs(view, max_share=0.3) is not None
    assert duplicate_paragraphs(TextView("\n\n".join(SENTENCES * 2)), max_share=0.5) is None


def test_one_character_after_another_is_rejected_and_indents_are_not() -> None:
    prose = "".join(SENTENCES)
    assert character_runs(TextView(prose + "w" * 200), max_share=0.3) is not None
    assert character_runs(TextView(prose + " " * 600 + "終わり"), max_share=0.3) is None
    assert broken(prose + "w" * 200) == "character_runs"


def test_leaders_and_rulers_are_no_repeated_phrases() -> None:
    contents = "\n".join(
        f"{chapter} {'…' * 30} {page}\n{'-' * 40}"
        for chapter, page in (("第一章 総論", 3), ("第二章 診断", 17), ("第三章 治療", 42))
    )
    assert broken("".join(SENTENCES) + "\n" + contents + "\n" + SENTENCES[0][:20]) is None


def test_short_notes_are_not_judged_by_repetition() -> None:
    assert broken("咳(-) 痰(-) 熱(-)\n" * 8) is None


def test_skipped_rules_do_not_judge() -> None:
    document = Document("source/0", "".join(SENTENCES) * 4, "source", "CC0-1.0")
    assert JUDGE(document, ("duplicate_ngrams", "top_ngram")) is None


@pytest.mark.parametrize("n", [0, 1, 7, 8, 16, 17, 200, 8_191, 8_192, 8_193, 16_385])
@pytest.mark.parametrize("alphabet", ["あ", " ", "\n", "漢a", "あ\n", "×。1 \n", "𠮷😀無断転載©"])
def test_no_rule_fails_on_a_text_of_any_length(n: int, alphabet: str) -> None:
    rng = np.random.default_rng(n)
    text = "".join(rng.choice(list(alphabet), n))
    for rule in rules_by_name(RuleLimits.model_validate({})).values():
        rejection = rule(examine([text])[0])
        assert rejection is None or rejection.measured != rejection.limit
