"""Where sentences begin and end, in prose, in quotations and in the lines of clinical notes."""

from __future__ import annotations

import re

_CLOSING = '」』）)】〕］\\]"”’'
# A full stop folded from ．ends a sentence only after Japanese, and never before a digit or letter.
_END = re.compile(
    rf"(?:[。！？!?‼⁇⁈]+|(?<=[\u3041-\u30ff\u4e00-\u9fff々])\.(?![0-9A-Za-z.]))[{_CLOSING}]*|\n"
)
_OPENERS, _CLOSERS = "「『（(【〔［[", "」』）)】〕］]"
_BRACKET = re.compile("[" + re.escape(_OPENERS + _CLOSERS) + "]")
_MAX_QUOTED = 200  # characters: a bracket open for longer was never closed
ENDS_SENTENCE = re.compile(rf"[。．.！？!?♪]\s*[{_CLOSING}]*$|[」』]$")


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Return the half-open spans of the sentences of a normalized text, in order.

    A line end always ends a sentence; a full stop inside a quotation does not. Blanks around a
    sentence belong to none.

    >>> text = "「痛い。」と訴えあり。CRP 3.2mg/dL。\\n明日再検"
    >>> [text[start:end] for start, end in split_sentences(text)]
    ['「痛い。」と訴えあり。', 'CRP 3.2mg/dL。', '明日再検']
    """
    spans: list[tuple[int, int]] = []
    start = 0
    for end in _ends(text):
        stripped = text[start:end].strip()
        if stripped:
            first = text.index(stripped[0], start)
            spans.append((first, first + len(stripped)))
        start = end
    return spans


def _ends(text: str) -> list[int]:
    ends: list[int] = []
    scanned, opened = 0, list[int]()
    for match in _END.finditer(text):
        if match[0] == "\n":
            opened.clear()
        else:
            # Brackets that close right after the stop belong to it: count them as well.
            for bracket in _BRACKET.finditer(text, scanned, match.end()):
                if bracket[0] in _OPENERS:
                    opened.append(bracket.start())
                elif opened:
                    opened.pop()
            is_quoted = bool(opened) and match.end() - opened[-1] < _MAX_QUOTED
            if is_quoted or _goes_on(text, match):
                scanned = match.end()
                continue
            opened.clear()
        scanned = match.end()
        ends.append(scanned)
    ends.append(len(text))
    return ends


def _goes_on(text: str, match: re.Match[str]) -> bool:
    """Whether a quotation that just closed is part of a longer sentence (「…。」と言った)."""
    has_closed = match[0][-1] in _CLOSERS
    return has_closed and text[match.end() : match.end() + 1] in tuple("とをはがのにでもやなだっ")


def ends_as_sentence(text: str) -> bool:
    """Tell whether a text ends as a sentence does.

    >>> ends_as_sentence("経過良好。"), ends_as_sentence("続きを読む…")
    (True, False)
    """
    return ENDS_SENTENCE.search(text.rstrip()) is not None and not text.rstrip().endswith("...")
