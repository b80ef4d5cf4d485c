"""Whose and when: findings of the family and of the past, by section heads and cue words.

Run behind `certainty`: what is negated stays negated (家族歴: 糖尿病なし), a suspected finding of
the patient's past stays suspected, and whatever a relative has is never the patient's.
"""

from __future__ import annotations

import itertools
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

from rinsho.text.spans import Span

_FAMILY = r"(?:家族歴|家族内発症|遺伝歴|FH|F/H)"
_PAST = r"(?:既往歴?|既往症|既往疾患|過去の病歴|手術歴|PMH|PMHx|PH|P/H)"
_OTHER = (
    r"(?:主訴|現病歴|現症|現在の病歴|入院後経過|入院経過|経過|生活歴|社会歴|嗜好|喫煙|飲酒|アレルギー|内服薬?|常用薬"
    r"|処方|身体所見|理学所見|検査所見|検査|画像|所見|評価|診断|病名|方針|計画|治療|職業|月経歴|妊娠分娩歴"
    r"|CC|HPI|PI|S|O|A|P|A/P|#)"
)
# A head opens a line (【家族歴】, 家族歴:, <既往歴>) or is all of it; then it holds until the next.
_OPEN, _CLOSE = r"[【〈<\[■●◆◎○・#＊*\s]*", r"(?:[】〉>\]]|\s*[:]|\s*$|\s+(?=\S))"
_HEAD = re.compile(
    rf"(?:^|(?<=。)){_OPEN}(?:(?P<family>{_FAMILY})|(?P<past>{_PAST})|(?P<other>{_OTHER}))"
    rf"(?:[・/、](?:{_FAMILY}|{_PAST}|{_OTHER}))*{_CLOSE}",
    re.MULTILINE,
)
_ANY_HEAD = re.compile(
    r"^\s*(?:【[^】\n]{1,16}】|[■●◆]|[^\s、。:\d]{2,10}[:])|\n\s*\n", re.MULTILINE
)
_LISTED = re.compile(r"(?:\n[ \t・#\-①-⑳●○][^\n]*)+")  # lines that go on with a list
_KIN = (
    r"(?:父方|母方|実)?の?(?:祖父母?|祖母|曾祖父|曾祖母|父親?|母親?|両親|兄弟|姉妹|兄|弟|姉|妹|叔父|伯父|叔母|伯母"
    r"|従兄弟?|従姉妹?|いとこ|甥|姪|息子|娘|長男|次男|三男|長女|次女|三女|子供|児の父|児の母|同胞|血縁者?|近親者?"
    r"|家族内|家系)"
)
# 父に, 母:, 祖父が60歳で: what may stand between a relative and the finding.
_OF_KIN = re.compile(
    rf"(?<![一-鿿]){_KIN}(?:[(][^()\n]{{1,10}}[)])?(?:も|とも)?"
    r"(?:[にがはもの:、・ ]|とも|ともに){1,3}"
    r"(?:\d{1,3}(?:歳|代)(?:時|で|頃|台)?(?:に|、)?)?(?:若年性?)?[、 ]?$"
)
_JOINT = re.compile(r"(?:\s*(?:[、,・/と]|および|及び|や|\s)\s*)(?:\d{1,3}歳(?:時|で)?)?")
_HAD = re.compile(
    r"(?:など|等)?(?:の|に(?:よる|対する)[^。、\n]{1,12}の)?(?:既往|罹患歴|治療歴|手術歴|病歴)(?!なし|無)"
)
_BY_WORD = re.compile(
    r"既往(?:歴)?(?:に(?:は)?|として(?:は)?|は|が|:)(?:特記すべき(?:もの)?)?(?:\d{1,3}歳(?:時|で)?(?:に)?|、)?(?:(?!あり|無|なし)[^。\n]){0,40}$"
)
_ANY_CUE = re.compile(rf"{_FAMILY}|{_PAST}|{_KIN}|{_HAD.pattern}")  # most notes have none
_SENTENCE = re.compile(r"[。\n]")
_N_BEHIND = 60  # how far before a finding its cue may stand
_N_MEMBERS = 30  # of an enumeration that one cue reaches over


def judge_history(text: str, spans: Sequence[Span]) -> list[Span]:
    """Return the spans with "family" and "past" where the text says so.

    Args:
        text: Normalized.
        spans: In reading order, their certainty judged; of them only diseases and symptoms change.

    >>> text = "家族歴: 父に胃癌。\\n既往歴: 高血圧\\n現病歴: 発熱"
    >>> spans = [Span(7, 9, "disease"), Span(16, 19, "disease"), Span(25, 27, "symptom")]
    >>> [span.certainty for span in judge_history(text, spans)]
    ['family', 'past', 'present']
    """
    if not _ANY_CUE.search(text):
        return list(spans)
    sections = _sections(text)
    judged: list[Span] = []
    previous: Span | None = None  # the last finding
    findings = [s for s in spans if s.label in ("disease", "symptom")]
    following = dict(itertools.pairwise(findings))
    for span in spans:
        if span.label in ("disease", "symptom"):
            whose = _whose(text, span, previous, following, sections)
            span = _with(span, whose)
            previous = span
        judged.append(span)
    return judged


def _with(span: Span, whose: str) -> Span:
    if whose == "family" and span.certainty != "negated":
        return replace(span, certainty="family")
    if whose == "past" and span.certainty == "present":
        return replace(span, certainty="past")
    return span


def _sections(text: str) -> list[tuple[int, int, str]]:
    """Return where what a head says holds: (start, end, "family" or "past")."""
    heads = list(_HEAD.finditer(text))
    found: list[tuple[int, int, str]] = []
    for head, after in itertools.zip_longest(heads, heads[1:]):
        next_head = after.start() if after else len(text)
        if head.lastgroup in ("family", "past"):
            found.append((head.end(), _end(text, head.end(), next_head), head.lastgroup))
    return found


def _end(text: str, start: int, next_head: int) -> int:
    """Return where a section ends: with its sentence and what is listed below, if it begins there.

    Complaints often follow on the same line: to call them a relative's would hide them.
    """
    line_end = text.find("\n", start, next_head)
    line_end = next_head if line_end < 0 else line_end
    if not text[start:line_end].strip():
        other = _ANY_HEAD.search(text, start, next_head)
        return other.start() if other else next_head
    stop = text.find("。", start, line_end)
    if stop >= 0 and text[stop + 1 : line_end].strip():
        return stop
    below = _LISTED.match(text, line_end, next_head)
    return below.end() if below else line_end


def _whose(
    text: str,
    span: Span,
    previous: Span | None,
    following: dict[Span, Span],
    sections: Sequence[tuple[int, int, str]],
) -> str:
    before = _SENTENCE.split(text[max(0, span.start - _N_BEHIND) : span.start])[-1]
    if _OF_KIN.search(before):
        return "family"
    between = text[previous.end : span.start] if previous else ""
    if previous and previous.certainty == "family" and _JOINT.fullmatch(between):
        return "family"
    at = bisect_right(sections, span.start, key=lambda one: one[0]) - 1
    if at >= 0 and span.start < sections[at][1]:
        return sections[at][2]
    if _BY_WORD.search(before) or _is_followed_by_past(text, span, following):
        return "past"
    return ""


def _is_followed_by_past(text: str, span: Span, following: dict[Span, Span]) -> bool:
    """Say whether 既往 stands behind a finding, or behind the last of its enumeration."""
    for _ in range(_N_MEMBERS):
        if _HAD.match(text, span.end):
            return True
        after = following.get(span)
        if after is None or not _JOINT.fullmatch(text[span.end : after.start]):
            return False
        span = after
    return False
