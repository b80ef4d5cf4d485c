"""Rules about content: adult, violence, advertisements, boilerplate, notices that forbid copying.

Measured is a density, never a single word: one list of bad words drops two thirds of the sheets on
rare diseases.
"""

from __future__ import annotations

import re

from rinsho.corpus.document import Rejection
from rinsho.corpus.rules.view import TextView
from rinsho.corpus.rules.word_lists import read_words
from rinsho.corpus.rules.words import WordHits

# Different words of a list. One or two say nothing about a short text, nor does one that a report
# about its matter comes back to.
MIN_DIFFERENT = 3

# What forbids copying, or claims the page: not a mention of copyright, as laws and articles have.
_NOTICE = re.compile(
    r"all rights reserved"
    r"|(?:copyright|\(c\)|©)[ ]{0,2}(?:\(c\)|©)?[ ]{0,2}(?:19|20)[0-9]{2}"
    r"|無断(?:での?)?(?:転載|複製|複写|引用|使用|転用)[^。\n]{0,16}(?:禁|お断り|ご遠慮)"
    r"|(?:転載|複製)[^。\n]{0,4}(?:禁止|を禁じ|を固く禁)",
    re.IGNORECASE,
)

_FORBIDDING = ("禁", "お断り", "ご遠慮")


def adult(view: TextView, hits: WordHits, *, max_per_1000_chars: float) -> Rejection | None:
    """Reject a text with too many words of pornography per 1,000 characters.

    Words that novels and medicine have too count half, beside three that they do not have, and only
    in a text that is not about health.
    """
    return _with_ambiguous("adult", view, hits, max_per_1000_chars)


def violence(view: TextView, hits: WordHits, *, max_per_1000_chars: float) -> Rejection | None:
    """Reject a text with too many words of gore and threats per 1,000 characters.

    Words that news, history and medicine have too count as in `adult`: a report of a crime stays.
    """
    return _with_ambiguous("violence", view, hits, max_per_1000_chars)


def advertisement(view: TextView, hits: WordHits, *, max_per_1000_chars: float) -> Rejection | None:
    """Reject a text with too many phrases that sell, per 1,000 characters."""
    if hits.count_different("advertisement") < MIN_DIFFERENT:
        return None
    return _density("advertisement", hits.count("advertisement"), view, max_per_1000_chars)


def boilerplate(view: TextView, hits: WordHits, *, max_per_1000_chars: float) -> Rejection | None:
    """Reject a text with too many phrases of menus and footers per 1,000 characters."""
    if hits.count_different("boilerplate") < MIN_DIFFERENT:
        return None
    return _density("boilerplate", hits.count("boilerplate"), view, max_per_1000_chars)


def copyright_notice(
    view: TextView, hits: WordHits, *, max_per_10000_chars: float
) -> Rejection | None:
    """Reject a page that forbids its copying; a mention in a long text is none.

    Measured are notices per 10,000 characters.
    """
    # Each notice holds a mark: where they are too few, there is no need to look closer.
    least = max_per_10000_chars * len(view.text) / 10_000
    n_marks = hits.count("notice") + view.counts.n_copying
    if n_marks > least and not any(map(view.text.__contains__, _FORBIDDING)):
        n_marks = hits.count("notice") + view.text.count("©")
    if n_marks <= least:
        return None
    n_notices = sum(1 for _ in _NOTICE.finditer(view.text))
    density = 10_000 * n_notices / max(1, len(view.text))
    if density > max_per_10000_chars:
        return Rejection("copyright_notice", round(density, 2), max_per_10000_chars)
    return None


def _with_ambiguous(rule: str, view: TextView, hits: WordHits, limit: float) -> Rejection | None:
    if hits.count_different(rule) < MIN_DIFFERENT:
        return None
    n_ambiguous = sum(map(view.text.count, read_words(f"{rule}_ambiguous")))
    n_ambiguous -= sum(map(view.text.count, read_words("allowed")))
    if sum(map(view.text.count, read_words("medical"))) >= n_ambiguous:
        n_ambiguous = 0
    return _density(rule, hits.count(rule) + max(0, n_ambiguous) / 2, view, limit)


def _density(rule: str, n_hits: float, view: TextView, limit: float) -> Rejection | None:
    density = 1_000 * n_hits / max(1, len(view.text))
    return Rejection(rule, round(density, 2), limit) if density > limit else None
