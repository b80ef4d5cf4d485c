"""What the learned detector sees of each character: itself, its script, its run, names around it."""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from rinsho.text.identifier_given_names import is_given, is_kana_given
from rinsho.text.identifier_shapes import is_ordinary
from rinsho.text.identifier_surnames import is_kana_family, is_surname

SCRIPTS = "digit kanji hiragana katakana upper lower blank newline open close stop hyphen other"
N_LONGEST_RUN = 20  # characters: longer runs of one script look alike
N_FROM_LINE_START = 24  # characters: further ones look alike
# Columns of `signs`, each with the number of its values.
COLUMNS: dict[str, int] = {
    "script": len(SCRIPTS.split()),
    "run": N_LONGEST_RUN + 1,
    "place_in_run": N_LONGEST_RUN + 1,
    "line_place": N_FROM_LINE_START + 1,
    "surname": 4,  # none, first letter, further letter, a reading in kana
    "given": 4,
    "word": 4,  # no ordinary word of two kanji, its first letter, its second, both of two words
}
_MARKS = {
    "\n": 7,
    **dict.fromkeys("([{<「『【〔《〈（", 8),
    **dict.fromkeys(")]}>」』】〕》〉）", 9),
    **dict.fromkeys("、。,.;:・|/'\"=", 10),
    **dict.fromkeys("-‐‑‒–—―−_~〜", 11),
}
_KANJI = re.compile("[一-龠々〆ヶケノ\U00020000-\U0002ffff]+")
_KANA = re.compile("[ァ-ヶー]{2,}|[ぁ-んー]{2,}")
_N_LONGEST_NAME = 4


@functools.lru_cache(1 << 14)
def fold(character: str) -> str:
    """Return a character without its width and case.

    >>> fold("Ａ"), fold("①")
    ('a', '①')
    """
    folded = unicodedata.normalize("NFKC", character)
    return folded.lower() if len(folded) == 1 and not character.isnumeric() else character


@functools.lru_cache(1 << 14)
def script(character: str) -> int:
    """Return the place of a character's script in `SCRIPTS`.

    >>> [SCRIPTS.split()[script(one)] for one in "1胃のアaA -"]
    ['digit', 'kanji', 'hiragana', 'katakana', 'lower', 'upper', 'blank', 'hyphen']
    """
    if character.isdigit():
        return 0
    if character in _MARKS:
        return _MARKS[character]
    if "一" <= character <= "龠" or character in "々〆" or character >= "\U00020000":
        return 1
    if "ぁ" <= character <= "ゟ":
        return 2
    if "ァ" <= character <= "ヿ":
        return 3
    if character.isspace():
        return 6
    return (4 if character.isupper() else 5) if character.isalpha() else 12


def signs(text: str) -> NDArray[np.int64]:
    """Return what each character looks like.

    Returns:
        int64, shape (len(text), len(COLUMNS)), each column below its number of values.
    """
    n = len(text)
    scripts = np.fromiter(map(script, text), np.int64, n)
    starts = np.flatnonzero(np.diff(scripts, prepend=-1))
    lengths = np.diff(starts, append=n)
    place = np.arange(n) - np.repeat(starts, lengths)
    lines = np.flatnonzero(np.fromiter((c == "\n" for c in text), bool, n)) + 1
    line_starts = np.concatenate(([0], lines))
    line_place = np.arange(n) - np.repeat(line_starts, np.diff(line_starts, append=n))
    return np.stack(
        [
            scripts,
            np.minimum(np.repeat(lengths, lengths), N_LONGEST_RUN),
            np.minimum(place, N_LONGEST_RUN),
            np.minimum(line_place, N_FROM_LINE_START),
            _names(text, is_surname, is_kana_family),
            _names(text, is_given, is_kana_given),
            _words(text),
        ],
        axis=1,
    )


def _names(
    text: str, is_name: Callable[[str], bool], is_reading: Callable[[str], bool]
) -> NDArray[np.int64]:
    marks = np.zeros(len(text), np.int64)
    for run in _KANJI.finditer(text):
        for start, end in _longest_names(run[0], is_name):
            at = run.start()
            marks[at + start + 1 : at + end] = np.maximum(marks[at + start + 1 : at + end], 2)
            marks[at + start] = 1
    for run in _KANA.finditer(text):
        if len(run[0]) <= 8 and is_reading(run[0]):
            marks[run.start() : run.end()] = 3
    return marks


def _words(text: str) -> NDArray[np.int64]:
    marks = np.zeros(len(text), np.int64)
    for run in _KANJI.finditer(text):
        for at in range(run.start(), run.end() - 1):
            if is_ordinary(text[at : at + 2]):
                marks[at] += 1
                marks[at + 1] = 2
    return marks


@functools.lru_cache(1 << 14)
def _longest_names(run: str, is_name: Callable[[str], bool]) -> tuple[tuple[int, int], ...]:
    return tuple(_each_longest(run, is_name))


def _each_longest(run: str, is_name: Callable[[str], bool]) -> Iterator[tuple[int, int]]:
    """Yield the longest name of two letters and more from each place of a run of kanji."""
    for start, n in itertools.product(range(len(run)), range(_N_LONGEST_NAME, 1, -1)):
        if start + n <= len(run) and is_name(run[start : start + n]):
            yield start, start + n
