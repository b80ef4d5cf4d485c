"""Where sentences begin and end."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rinsho.text.sentences import ends_as_sentence, split_sentences


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("発熱あり。咳嗽なし！", ["発熱あり。", "咳嗽なし！"]),
        ("S: 頭痛\nO: BP 120/80", ["S: 頭痛", "O: BP 120/80"]),
        ("「痛い。つらい。」と話す。", ["「痛い。つらい。」と話す。"]),
        ("彼は「行く。」\n終わり", ["彼は「行く。」", "終わり"]),
        ("CRPは3.5mg/dLである.次に再検した.", ["CRPは3.5mg/dLである.", "次に再検した."]),
        ("(詳細は別記。)次へ。", ["(詳細は別記。)", "次へ。"]),
        ("", []),
        (" \n \n", []),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@given(st.text(st.sampled_from("。.!?「」()\n a1あ薬"), max_size=60))
def test_sentences_cover_everything_but_blanks(text: str) -> None:
    spans = split_sentences(text)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


def test_an_ellipsis_ends_no_sentence() -> None:
    assert ends_as_sentence("経過は良好である。")
    assert ends_as_sentence("「はい」")
    assert not ends_as_sentence("続きを読む…")
    assert not ends_as_sentence("続きを読む...")
