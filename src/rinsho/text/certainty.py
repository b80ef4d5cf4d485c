"""Whether a disease or symptom is present, negated or suspected, by the words around it.

The rules are those of the annotation guideline: each mention is judged in its own clause, one cue
reaches over an enumeration, and the innermost statement wins (否定できない is suspected).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from rinsho.text.spans import Span

# What may stand between a mention and its cue. No string can be read as two sequences of these, so
# that a failing match costs no more than its length.
_OTHER = "\x00"  # stands for a mention of another kind: 浸潤影は{CT}で認めず
_SMALL = (
    rf"(?:[のをがはもにでとな\s:：{_OTHER}上内等]|など|による|として|共に|いずれ|どちら|明らか|明確|新た"
    r"|新規|特に|現在|本日|現時点|当初|全く|一切|まず|第一|強く|最も|十分|やや|積極的|一応|その他)"
)
_COURSE = (
    r"(?:出現|残存|形成|合併|併発|併存|所見|陰影|像|症状|徴候|兆候|既往歴?|家族歴|訴え|自覚|貯留|随伴"
    r"|後遺症|発作|発症|様所見|病歴|エピソード|傾向|性変化)"
)
_CHANGE = r"(?:増悪|悪化|進行|変化|再発|再燃|著変|拡大|増大|増強)"
_FILLER = rf"(?:{_SMALL}|{_COURSE})*?"

_MINUS = r"[(\[][-−－ー‐–][)\]]"
_NOT = r"(?:られ|れ|ており|ていま|ら?れており)?(?:ず|ない|なかった|ません)"
_NO = r"(?:なし|無し|ない(?!し)|なく|なかった|(?:あり|ござい)ません|無(?![力気菌痛症]))"
_UNSEEN = (
    rf"(?:聴取|触知|検出|確認|指摘|描出|同定|示唆)(?:{_NO}|(?:せ|され|でき)(?:ず|ない|なかった)|しない"
    r"|しなかった|されていない)"
)
_NEGATION = (
    rf"(?:{_MINUS}|{_NO}|(?:認め|みとめ|み|見){_NOT}|{_UNSEEN}|陰性|(?:診断)?基準[はを]満たさ(?:ず|ない)|消失|消退|乏し[いく]"
    r"|(?:触れ|聞かれ|聴かれ|訴え|伴わ)(?:ず|ない)|(?:きたさ|来さ|起こさ|呈さ|示さ)ず|目立た(?:ない|ず)"
    r"|(?:明らか)?で(?:は)?(?:な(?:い|く|かった)|ありません)|否定(?:的|さ|$|し(?!き|得)|[。、,\s)])"
    r"|考え(?:にくい|づらい|られない|られず)|疑わ(?:ない|ず|れない|しくない)"
    r"|(?:可能性|疑い|リスク)[はもが]?(?:なし|ない|なく|否定的|否定され))"
)
_NOTHING_SUGGESTS = (
    r"(?:を)?(?:積極的に)?(?:疑(?:う|わせる|われる)|示唆する|思わせる|支持する)[^。、,\n]{0,14}?"
    rf"(?:{_NO}|認め{_NOT}|み{_NOT}|乏し[いく]|明らかでな[いく]|指摘でき(?:ず|ない))"
)
_CANNOT_EXCLUDE = (
    r"(?:否定|除外)[はも]?(?:完全に)?[はも]?(?:でき|しきれ|し得|しえ)(?:ない|ず|ません|なかった)"
)
_IF = (
    r"(?:(?:増悪|悪化|再燃|再発|罹患|持続|発生|出現)?時(?:は|には|にも)|(?:あれ|出れ|みられれ|続け)ば"
    r"|(?:認めれ|出現すれ)ば|(?:あった|ある|出現した|続く|の)場合)"
)
_DOUBT = (
    rf"(?:疑|うたが|[sSrR]/[oO]|[?？]|可能性|考え|考慮|示唆|矛盾し(?:ない|ません)|有無|除外|鑑別|念頭|リスク"
    rf"|注意|留意|懸念|危惧|想定|予防|かもしれ|か(?:[。、,\s)?？]|$|どうか|否か|と)|思われ(?:る|た|ます)|{_IF})"
)
_CANNOT_BE_EXCLUDED = re.compile(rf"(?:{_SMALL}|{_COURSE}|可能性|存在|完全)*?{_CANNOT_EXCLUDE}")
_IS_UNLIKELY = re.compile(rf"{_FILLER}可能性[はがも]?(?:低|高|残)")
_CHANGES_NOT = re.compile(rf"{_FILLER}{_CHANGE}{_FILLER}(?:{_NEGATION}|{_NO})")
_NEGATED = re.compile(rf"{_FILLER}(?:{_NOTHING_SUGGESTS}|{_NEGATION})")
_SUSPECTED = re.compile(rf"(?:[)]|{_SMALL}|{_COURSE}|{_CHANGE})*?{_DOUBT}")

# One cue for several: only these words stand between the members of an enumeration.
_JOINT = re.compile(
    rf"\s*(?:[(](?![-−－ー‐–+±])[^()\n。]{{0,12}}[)])?(?:{_COURSE}|{_CHANGE})?"
    r"(?:\s*(?:とも|[、,・/やともか]|など|および|及び|または|又は|もしくは|あるいは|ならびに|かつ)\s*|\s+)"
    rf"(?:[{_OTHER}のにはでも、な\s]|明らか|新た|有意|軽度|高度|著明|その他|他|特に|また)*"
)
_SUGGESTS = re.compile(
    rf"[をが]?(?:示唆する|示唆した|疑う|疑わせる|思わせる)(?:明らかな|有意な|[{_OTHER}の\s])*"
)
# 疑い right behind a mention is about that one alone: 高血圧、糖尿病、肺癌疑い.
_OWN_DOUBT = re.compile(r"疑い|疑|[?？]")
_DIFFERENTIAL = re.compile(
    r"鑑別(?:診断|疾患)?(?:として(?:は)?|には?|は|[:：])|疑い病名[:：]|可能性として(?:は)?"
)
_ASKED = re.compile(r"(?:[srSR]/[oO]|疑い[:：]|susp\.?|suspected)\s*$")
_ENGLISH_NO = re.compile(r"(?<![A-Za-z])(?:[Nn]o|without)\s+$")
_SENTENCE_END = re.compile(r"[。;；\n]|$")
# A cue stands near its mention; looking no further keeps the cost of a long line linear.
_N_AHEAD, _N_BEHIND = 60, 200


def judge_certainty(text: str, spans: Sequence[Span]) -> list[Span]:
    """Return the spans with their certainty; all but diseases and symptoms stay as they are.

    Args:
        text: Normalized.
        spans: In reading order, without overlaps.
    """
    judged = list(spans)
    following: Span | None = None  # the next disease or symptom, judged already
    between: list[Span] = []  # mentions of other kinds before it, the last one first
    for at in range(len(judged) - 1, -1, -1):
        span = judged[at]
        if span.label not in ("disease", "symptom"):
            between.append(span)
            continue
        certainty = _judge(text, span, following, between[::-1])
        following = judged[at] = replace(span, certainty=certainty)
        between = []
    return judged


def _judge(text: str, span: Span, following: Span | None, between: Sequence[Span]) -> str:
    end = _sentence_end(text, span.end)
    if following is not None and following.start < end:
        gap = _masked(text, span.end, following.start, between)
        if _SUGGESTS.fullmatch(gap):
            return "negated" if following.certainty == "negated" else "suspected"
        if gap and _JOINT.fullmatch(gap) and not _is_own_doubt(text, following):
            return following.certainty
        end = following.start
    tail = _masked(text, span.end, end, between)
    return _by_tail(tail) or _by_head(text, span.start)


def _is_own_doubt(text: str, span: Span) -> bool:
    return span.certainty == "suspected" and bool(_OWN_DOUBT.match(text, span.end))


def _by_tail(tail: str) -> str | None:
    if _CANNOT_BE_EXCLUDED.match(tail) or _IS_UNLIKELY.match(tail):
        return "suspected"
    if _CHANGES_NOT.match(tail):
        return None
    if _NEGATED.match(tail):
        return "negated"
    return "suspected" if _SUSPECTED.match(tail) else None


def _by_head(text: str, start: int) -> str:
    head = re.split(r"[。\n]", text[max(0, start - _N_BEHIND) : start])[-1]
    if _ENGLISH_NO.search(head):
        return "negated"
    return "suspected" if _ASKED.search(head) or _DIFFERENTIAL.search(head) else "present"


def _masked(text: str, start: int, end: int, spans: Sequence[Span]) -> str:
    """Return a piece of text with one mark for each mention; it ends at a drug or dose."""
    pieces: list[str] = []
    for span in spans:
        if span.start >= end:
            break
        pieces.append(text[start : span.start])
        if span.label in ("drug", "dose"):
            return "".join(pieces) + "。"
        surface = text[span.start : span.end]
        is_cue = span.label == "value" and re.fullmatch(rf"{_MINUS}|陰性", surface)
        pieces.append(surface if is_cue else _OTHER)
        start = span.end
    return "".join(pieces) + text[start:end]


def _sentence_end(text: str, start: int) -> int:
    match = _SENTENCE_END.search(text, start, start + _N_AHEAD)
    return match.start() if match else min(len(text), start + _N_AHEAD)
