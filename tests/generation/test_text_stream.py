"""Streaming: the pieces add up to the text, no piece holds half a character, stop strings stop."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rinsho.generation.reply import TextStream


class Bytes:
    """The smallest vocabulary there is: one token per byte."""

    def token_bytes(self, token_id: int) -> bytes:
        return bytes([token_id])


def stream(text: str, stop: tuple[str, ...] = ()) -> list[str]:
    pieces: list[str] = []
    texts = TextStream(Bytes(), stop)
    for byte in text.encode():
        pieces.append(texts.push(byte))
        if texts.is_stopped:
            break
    return [*pieces, texts.finish()]


@given(st.text())
def test_pieces_add_up_and_never_hold_half_a_character(text: str) -> None:
    pieces = stream(text)
    assert "".join(pieces) == text
    assert all("\ufffd" not in piece or "\ufffd" in text for piece in pieces)


@given(st.text("ab発熱"), st.lists(st.text("ab発熱", min_size=1, max_size=4), max_size=3))
def test_text_ends_before_the_stop_string_that_is_complete_first(
    text: str, stop: list[str]
) -> None:
    found = [n for n in range(len(text) + 1) if any(s in text[:n] for s in stop)]
    until = text[: found[0]] if found else text
    starts = [until.find(s) for s in stop if s in until]
    expected = until[: min(starts)] if starts else until
    assert "".join(stream(text, tuple(stop))) == expected


def test_the_bytes_of_an_unfinished_character_are_said_to_be_broken() -> None:
    texts = TextStream(Bytes())
    assert [texts.push(byte) for byte in "𠮷".encode()[:3]] == ["", "", ""]
    assert texts.finish() == "\ufffd"


@pytest.mark.parametrize("size", [1, 2, 3])
def test_what_may_begin_a_stop_string_is_held_back(size: int) -> None:
    texts = TextStream(Bytes(), ("abcd",))

    def begin(text: str) -> str:
        return "".join(texts.push(b) for b in text.encode())

    assert begin("x" + "abcd"[:size]) == "x"
    assert begin("y") == "abcd"[:size] + "y"
