"""Rules about length and script: too short, too long, not Japanese, tables of numbers."""

from __future__ import annotations

from rinsho.corpus.document import Rejection
from rinsho.corpus.rules.view import DIGIT, FOREIGN, KANA, KANJI, SEPARATOR, TextView

MIN_KANA_SHARE = 0.005  # of kana and kanji: Chinese has none
MIN_KANJI_TO_JUDGE_KANA = 200
MIN_CHARS_OF_A_TABLE = 200  # the laboratory values of one day are a note
MIN_DIGIT_SHARE = 0.25  # separators without digits are a drawing or a formula


def too_short(view: TextView, *, min_chars: int) -> Rejection | None:
    """Reject a text of fewer characters than `min_chars`."""
    n_chars = len(view.text)
    return Rejection("too_short", n_chars, min_chars) if n_chars < min_chars else None


def too_long(view: TextView, *, max_chars: int) -> Rejection | None:
    """Reject a text of more characters than `max_chars`."""
    n_chars = len(view.text)
    return Rejection("too_long", n_chars, max_chars) if n_chars > max_chars else None


def not_japanese(view: TextView, *, min_share: float) -> Rejection | None:
    """Reject a text whose letters are mostly of another script, or all kanji (Chinese).

    Digits, signs and blanks do not count: a line of laboratory values is no foreign language.
    """
    counts = view.counts.n_of_class
    n_japanese = counts[KANA] + counts[KANJI]
    share = n_japanese / max(1, n_japanese + counts[FOREIGN])
    if share < min_share:
        return Rejection("not_japanese", round(share, 3), min_share)
    kana_share = counts[KANA] / max(1, n_japanese)
    if counts[KANJI] >= MIN_KANJI_TO_JUDGE_KANA and kana_share < MIN_KANA_SHARE:
        return Rejection("not_japanese", round(kana_share, 3), MIN_KANA_SHARE)
    return None


def table_of_numbers(view: TextView, *, max_share: float) -> Rejection | None:
    """Reject a text that is mostly digits and what stands between them.

    Measured is their share of the characters that are no blanks.
    """
    counts, n_written = view.counts.n_of_class, view.n_written
    share = (counts[DIGIT] + counts[SEPARATOR]) / max(1, n_written)
    is_long = n_written >= MIN_CHARS_OF_A_TABLE
    if is_long and share > max_share and counts[DIGIT] >= MIN_DIGIT_SHARE * n_written:
        return Rejection("table_of_numbers", round(share, 3), max_share)
    return None
