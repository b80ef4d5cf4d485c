"""One form for every text: width folding and NFC, never NFKC, with a map back to the original.

Full-width ASCII, the full-width space, half-width kana and Kangxi radicals are folded; controls and
zero-width characters go; line ends become LF; the rest stays: 10³, ①, ㎎, ℃, Ⅲ, 髙, 﨑, 𠮷. NFKC
would make 10³ read 103 and ①発熱 read 1発熱.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rinsho.text import kernels

SENTENCEPIECE_MARK = "\u2581"  # SentencePiece writes spaces as this character: it has to go
MARK_REPLACEMENT = "_"  # the nearest look-alike that is not special

# Form feeds and the like separate lines in text out of PDF and old systems.
_NEWLINES = (0x0B, 0x0C, 0x0D, 0x1C, 0x1D, 0x1E, 0x85, 0x2028, 0x2029)
_ZERO_WIDTH = (
    0xAD,  # soft hyphen
    0x61C,
    *range(0x200B, 0x2010),
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2070),
    0xFEFF,
    *range(0xFFF9, 0xFFFC),
)


_REMOVED = 0x1FFFFF  # no code point
_MAY_COMPOSE = 0x80000000  # beside a code point: NFC may change a text that holds it
# Code points that NFC neither changes nor joins to others; a test asks Python's tables of each.
_STAY_ALONE = (
    *((0, 0x2FF), (0x391, 0x3C9), (0x400, 0x482), (0x2002, 0x20CF), (0x2100, 0x2125)),
    *((0x2150, 0x2328), (0x232B, 0x29FF), (0x3000, 0x3029), (0x3030, 0x3098), (0x309B, 0x9FFF)),
    *((0xE000, 0xF8FF), (0xFF00, 0xFFEF), (0x20000, 0x2F7FF)),
)
_BETWEEN = "\ue000"  # a character for private use, which stays alone


def _folding_table() -> NDArray[np.uint32]:
    """Return what each code point becomes, one other, itself, or `_REMOVED`, and `_MAY_COMPOSE`."""
    table = np.arange(0x110000, dtype=np.uint32)
    for code in (*range(0xFF01, 0xFF5F), *range(0xFF61, 0xFFA0), *range(0x2E80, 0x2FD6)):
        table[code] = ord(unicodedata.normalize("NFKC", chr(code)))
    table[0x3000] = 0x20
    table[ord(SENTENCEPIECE_MARK)] = ord(MARK_REPLACEMENT)
    table[0xD800:0xE000] = 0xFFFD  # lone halves of surrogate pairs
    table[[*range(0x09), *range(0x0E, 0x1C), 0x1F, *range(0x7F, 0xA0), *_ZERO_WIDTH]] = _REMOVED
    table[list(_NEWLINES)] = 0x0A
    may_compose = np.full(len(table), _MAY_COMPOSE, dtype=np.uint32)
    for first, last in _STAY_ALONE:
        may_compose[first : last + 1] = 0
    return table | may_compose[np.minimum(table, len(table) - 1)]


_TABLE = _folding_table()
FOLDING = kernels.FoldingTable(_TABLE)
_CHANGING = re.compile(f"[^{''.join(f'{chr(first)}-{chr(last)}' for first, last in _STAY_ALONE)}]+")
# Starters that NFC can join to the character before them (DerivedNormalizationProps, NFC_QC=Maybe
# with combining class 0), Unicode 15; a test compares them with Python's own tables.
_JOINING = frozenset(
    map(
        chr,
        (
            *(0x09BE, 0x09D7, 0x0B3E, 0x0B56, 0x0B57, 0x0BBE, 0x0BD7, 0x0CC2, 0x0CD5, 0x0CD6),
            *(0x0D3E, 0x0D57, 0x0DCF, 0x0DDF, 0x102E, 0x1B35, 0x11127, 0x1133E, 0x11357, 0x114B0),
            *(0x114BA, 0x114BD, 0x115AF, 0x11930),
            *range(0x1161, 0x1176),
            *range(0x11A8, 0x11C3),
        ),
    )
)


@dataclass(frozen=True, slots=True, eq=False)
class Normalized:
    """A normalized text and where each of its characters stood in the original.

    Attributes:
        text: After `normalize`.
        offsets: int64, shape (len(text), 2): start and end, in code points of the original.
    """

    text: str
    offsets: NDArray[np.int64]

    def to_original(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of the original that `text[start:end]` came from."""
        if start < end:
            return int(self.offsets[start, 0]), int(self.offsets[end - 1, 1])
        if len(self.offsets) == 0:
            return 0, 0
        is_end = start == len(self.offsets)
        place = int(self.offsets[-1, 1] if is_end else self.offsets[start, 0])
        return place, place

    def to_normalized(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of `text` that came from a span of the original.

        A character that came from more than the span is in it whole; what normalization removed
        leaves an empty span where it stood.

        >>> normalize_with_offsets("ﾊﾟﾆｯｸ障害").to_normalized(0, 5)
        (0, 4)
        """
        first = int(np.searchsorted(self.offsets[:, 1], start, side="right"))
        last = int(np.searchsorted(self.offsets[:, 0], end, side="left"))
        return first, max(first, last) if start < end else first


def normalize(text: str) -> str:
    """Return the one form of a text; the same again for a text that has it already.

    >>> normalize("ＣＲＰ　３．２ｍｇ／ｄＬ、ﾍﾞﾝﾁﾚｰﾀ、白血球 12×10³、①発熱 ２㎎")
    'CRP 3.2mg/dL、ベンチレータ、白血球 12×10³、①発熱 2㎎'
    """
    fold = FOLDING.fold if kernels.are_here() else fold_by_numpy
    folded = None if "\r" in text else fold(text)
    return _composed(_fold(text)[0]) if folded is None else folded


def fold_by_numpy(text: str) -> str | None:
    """Return what `kernels.FoldingTable.fold` does."""
    codes = _code_points(text)
    folded = _TABLE.take(codes, mode="clip")
    if folded.max(initial=0) >= _MAY_COMPOSE:
        return None
    return text if (folded == codes).all() else folded.tobytes().decode("utf-32-le")


def _composed(text: str) -> str:
    """Return the text in NFC; only what may change is looked at, with the character before it."""
    pieces: list[str] = []
    done = 0
    for match in _CHANGING.finditer(text):
        start = max(done, match.start() - 1)
        pieces += (text[done:start], unicodedata.normalize("NFC", text[start : match.end()]))
        done = match.end()
    return "".join((*pieces, text[done:]))


def normalize_all(texts: Sequence[str]) -> list[str]:
    """Return `normalize` of each text: one call over all is quicker where they are short.

    >>> normalize_all(["ｶﾞｰｾﾞ", "１０㎎"])
    ['ガーゼ', '10㎎']
    """
    joined = normalize(_BETWEEN.join(texts)).split(_BETWEEN)
    return joined if len(joined) == len(texts) else list(map(normalize, texts))


def normalize_with_offsets(text: str) -> Normalized:
    """Return `normalize(text)` and the place of every character in the original.

    >>> normalized = normalize_with_offsets("ﾊﾟﾆｯｸ障害、𠮷田")
    >>> normalized.text, normalized.to_original(0, 6)
    ('パニック障害、𠮷田', (0, 7))
    """
    folded, places = _fold(text)
    offsets = np.stack((places, places + 1), axis=1)
    if unicodedata.is_normalized("NFC", folded):
        return Normalized(folded, offsets)
    return _compose(folded, offsets)


def _fold(text: str) -> tuple[str, NDArray[np.int64]]:
    """Fold every character to one or none; return also where those kept stood."""
    folded = _fold_codes(text)
    places = np.flatnonzero(folded != _REMOVED)
    if len(places) < len(folded):
        folded = folded[places]
    return folded.tobytes().decode("utf-32-le"), places


def _fold_codes(text: str) -> NDArray[np.uint32]:
    """Return what each code point of a text becomes: another, or `_REMOVED`."""
    codes = _code_points(text)
    # Every code point is in the table: clipping costs nothing, checking bounds does.
    folded = _TABLE.take(codes, mode="clip") & np.uint32(_MAY_COMPOSE - 1)
    if "\r" in text:
        folded[:-1][(codes[:-1] == 0x0D) & (codes[1:] == 0x0A)] = _REMOVED
    return folded


def _code_points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def _compose(text: str, offsets: NDArray[np.int64]) -> Normalized:
    """Apply NFC piece by piece: a piece is a base and what NFC may join to it."""
    pieces: list[str] = []
    parts: list[NDArray[np.int64]] = []
    done = 0
    for match in _changing_piece(text).finditer(text):
        start, end = match.span()
        composed = unicodedata.normalize("NFC", match[0])
        if composed == match[0]:
            continue
        pieces += (text[done:start], composed)
        whole = offsets[start, 0], offsets[end - 1, 1]
        parts += (offsets[done:start], np.tile(np.array(whole, dtype=np.int64), (len(composed), 1)))
        done = end
    pieces.append(text[done:])
    parts.append(offsets[done:])
    return Normalized("".join(pieces), np.concatenate(parts))


def _changing_piece(text: str) -> re.Pattern[str]:
    characters = set(text)
    joining = {c for c in characters if c in _JOINING or _is_combining(c)}
    single = {c for c in characters - joining if unicodedata.normalize("NFC", c) != c}
    alternatives = [f"[{''.join(map(re.escape, sorted(one)))}]" for one in (joining, single) if one]
    if joining:
        alternatives[0] = f"(?:(?!{alternatives[0]}).)?{alternatives[0]}+"
    return re.compile("|".join(alternatives), re.DOTALL)


def _is_combining(character: str) -> bool:
    return unicodedata.combining(unicodedata.normalize("NFD", character)[0]) != 0
