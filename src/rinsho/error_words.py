"""What an error found or expected, in Japanese: the phrases of `error_words.toml`."""

from __future__ import annotations

import functools
import importlib.resources
import re
import tomllib
from collections.abc import Mapping


@functools.cache
def phrases() -> Mapping[str, str]:
    """Return the phrases; `{}` in one stands for what differs."""
    path = importlib.resources.files("rinsho").joinpath("error_words.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


@functools.cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return the phrases with a place for what differs, the most exact first."""
    by_length = sorted((one for one in phrases() if "{}" in one), key=len, reverse=True)
    return tuple(
        (re.compile(re.escape(one).replace(r"\{\}", "(.*)"), re.DOTALL), phrases()[one])
        for one in by_length
    )


def in_japanese(phrase: str) -> str:
    """Return a phrase in Japanese; what is none, as a path or a number, as it is.

    >>> in_japanese("at most 64 levels"), in_japanese("notes.jsonl")
    ('64 段まで', 'notes.jsonl')
    """
    if phrase in phrases():
        return phrases()[phrase]
    for pattern, japanese in _patterns():
        if match := pattern.fullmatch(phrase):
            return japanese.format(*(in_japanese(group) for group in match.groups()))
    return phrase
