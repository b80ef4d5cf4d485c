"""The rule about sentences that break off."""

from __future__ import annotations

import re

from rinsho.corpus.document import Rejection
from rinsho.corpus.rules.view import PROSE_LINE_CHARS, TextView
from rinsho.text.sentences import ends_as_sentence

MIN_HIRAGANA_SHARE = 0.15
MIN_PROSE_SHARE = 0.5  # of a text: what is mostly lists and tables is not judged by its prose

_HIRAGANA = re.compile("[ぁ-ゖ]")


def incomplete_sentences(view: TextView, *, max_share: float) -> Rejection | None:
    """Reject a text whose prose breaks off in too many places.

    Measured is the share of characters of prose lines that belong to a sentence without an end. A
    line that the next one continues (text out of PDF is broken so) is not judged; nor are headings,
    lists, tables and telegraphic notes.
    """
    n_least = MIN_PROSE_SHARE * len(view.text)
    if view.counts.n_open <= max_share * n_least:  # most texts end here
        return None
    lines = view.lines
    n_prose = n_incomplete = 0
    for number, line in enumerate(lines):
        if len(line) < PROSE_LINE_CHARS or not _is_prose(line):
            continue
        n_prose += len(line)
        goes_on = number + 1 < len(lines) and bool(lines[number + 1])
        if ends_as_sentence(line) or (goes_on and not line.endswith(("…", "..."))):
            continue
        n_incomplete += len(line) - 1 - max(line.rfind(end) for end in "。！？!?")
    share = n_incomplete / max(1, n_prose)
    if share > max_share and n_prose >= n_least:
        return Rejection("incomplete_sentences", round(share, 3), max_share)
    return None


def _is_prose(line: str) -> bool:
    return len(_HIRAGANA.findall(line)) >= MIN_HIRAGANA_SHARE * len(line)
