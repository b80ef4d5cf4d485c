"""Find the mentions of a note by dictionary and rules: no model, no training.

The baseline of the evaluation, and what `extract` uses where no weights are given. Span borders,
labels and certainty follow `docs/annotation.md`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache

from rinsho.text.certainty import judge_certainty
from rinsho.text.history import judge_history
from rinsho.text.lexicon import Lexicon, read_demo_lexicon
from rinsho.text.normalize import normalize, normalize_with_offsets
from rinsho.text.procedures import find_procedures
from rinsho.text.quantities import find_doses, find_values, without_overlaps
from rinsho.text.spans import Span
from rinsho.text.term_index import TermIndex
from rinsho.text.times import find_times
from rinsho.wanted import check_wanted

# Modifiers that are fused with the noun after them belong to it: 右季肋部痛, 陳旧性脳梗塞.
_SIDE = re.compile(r"(?:両側|右側|左側|右|左|両|第\d{1,2})\Z")
# Part of a site: 胆嚢壁, 延髄外側.
_SITE_PART = re.compile(r"(?:壁|外側|内側|前面|後面|背側|腹側|近位部?|遠位部?|周囲)(?![一-鿿])")
_FUSED = re.compile(
    r"(?:両側(?:性)?|右|左|両|第\d{1,2}|[CTL]\d{1,2}(?:[/-]\d)?|亜急性|急性|慢性|陳旧性|(?:軽)?労作時|体動時|安静時|夜間|早朝|起床時|食後|空腹時|排尿時|荷重時"
    r"|多発性?|びまん性|限局性|局所性|全身性|再発性|続発性|原発性|転移性|家族性|一過性|発作性|持続性|反復性|進行性|特発性"
    r"|薬剤性|外傷性|出血性|閉塞性|感染性|細菌性|ウイルス性|アレルギー性|アルコール性|癌性|術後|小児|新生児|老人性"
    r"|拍動性|圧迫性|回転性|浮動性|浸潤性|早期|進行|嵌頓|孤立性|充実性|嚢胞性|線状|斑状|結節状|末梢性|中枢性"
    r"|(?<![一-鿿ァ-ヺー])(?!男性|女性|陽性|陰性|可能性)[一-鿿ァ-ヺー]{2,6}性(?<!男性)(?<!女性)(?<!陽性)(?<!陰性)(?<!可能性))\Z"
)
# A site right before these nouns is one finding with them: 右膝痛, 膵頭部癌.
_SITE_NOUNS = re.compile(
    r"(?P<disease>癌|がん|炎症|炎|腫瘍|腫瘤|梗塞|骨折|損傷|挫傷|捻挫|打撲|裂傷|壊死|転移|結石|嚢胞|膿瘍|狭窄|閉塞|拡張|肥厚"
    r"|肥大|萎縮|出血|血腫|穿孔|解離|潰瘍|ポリープ|ヘルニア|石灰化)"
    r"|(?P<symptom>自発痛|運動時痛|痛|違和感|不快感|圧迫感|絞扼感|重感|膨満感?|しびれ感?|冷感|熱感|緊満感?|腫脹|発赤|浮腫|麻痺|脱力感?|震え|蒼白|黄染|充血|掻痒感?)"
)
# Seen on an image these are findings, seen at the bedside signs: the guideline's "two labels".
_BY_SOURCE = ("出血", "腫脹")
_BESIDE_SITE = re.compile(
    r"$|[^一-鿿]|[右左両上下内外前後]|以下|以遠|優位|中心|全体|全域|全般|領域|付近|周囲|平坦|膨隆|軟|正常|所見|異常|清|左右"
    r"|末梢|術後|挙上|保温|冷却|安静|疾患|病変|温|聴診|触診"
)
# A word in katakana before a strength is a drug, known or not: テストマイシン錠50mg.
_UNKNOWN_DRUG = re.compile(
    r"(?<![ァ-ヺー])[ァ-ヺー]{4,}+(?:錠|散|細粒|顆粒|軟膏|坐剤)?"
    r"(?=\s?\d[\d.,]*\s?(?:mg|µg|μg|錠|カプセル|単位|包)(?![/A-Za-z]|\s?/d?L))"
)
_HELD = ("disease", "symptom", "body_part", "procedure")
_N_NESTED = 2  # of the spans before a place, how many can reach over it
_N_BEHIND = 400  # how far before a finding its image may be named
_WITH_SITE = ("imaging", "physiology", "pathology")


@cache
def embedded_tagger() -> DictionaryTagger:
    """Return the tagger over the embedded lexicon; its index takes a while to build."""
    return DictionaryTagger(read_demo_lexicon())


class DictionaryTagger:
    """Longest match over a lexicon, then rules for borders, values, doses and certainty."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._index = TermIndex(lexicon.terms())
        self._kinds = {
            normalize(surface): test.kind
            for test in lexicon.tests
            for surface in (*test.related, *test.synonyms, test.name)
        }

    def spans(self, text: str) -> tuple[Span, ...]:
        """Return the mentions in reading order: none crosses another, some lie in one another.

        Args:
            text: Any text; it is normalized here, and the offsets point into it as it was given.
        """
        normalized = normalize_with_offsets(text)
        found = find_mentions(normalized.text, self._find(normalized.text))
        return tuple(
            Span(*normalized.to_original(span.start, span.end), span.label, span.certainty)
            for span in found
        )

    def _find(self, text: str) -> list[Span]:
        terms = self._index.find(text)
        kinds = {span.start: self._kind(text, span) for span in terms}
        terms = self._compose(text, [*terms, *_unknown_drugs(text, terms)], kinds)
        terms = [_relabel(text, terms, at, kinds) for at in range(len(terms))]
        doses = find_doses(text, terms)
        terms = _outside(terms, doses)
        values = find_values(text, terms, doses, kinds)
        return judge_certainty(text, without_overlaps([*terms, *doses, *values]))

    def _kind(self, text: str, span: Span) -> str:
        surface = text[span.start : span.end]
        return self._kinds.get(surface) or self._kinds.get(surface.removesuffix("検査"), "")

    def _compose(self, text: str, terms: Iterable[Span], kinds: dict[int, str]) -> list[Span]:
        """Join what is one noun phrase: modifiers, sites and findings without a gap."""
        composed: list[Span] = []
        for span in sorted(terms):
            previous = composed[-1] if composed else None
            start = span.start
            if previous and previous.end == start and _belongs(previous, span, kinds):
                composed.pop()
                span = replace(span, start=previous.start)
                kinds.setdefault(span.start, kinds.get(start, ""))
            floor = composed[-1].end if composed else 0
            span = _with_modifiers(text, _with_noun(text, span), floor)
            kinds.setdefault(span.start, kinds.get(start, ""))
            composed.append(span)
        return [span for span in composed if _stands_alone(text, span)]


def find_mentions(text: str, spans: Sequence[Span]) -> list[Span]:
    """Add procedures and times to the mentions of a normalized text, and say who has them.

    A procedure may hold a site or a disease, a time a procedure (化学療法開始前); one that would
    cross another mention, or lie in one, is left out.
    """
    check_wanted()
    judged = judge_history(text, spans)
    procedures = _around(find_procedures(text), judged)
    times = _around(find_times(text, procedures), sorted([*judged, *procedures]))
    return sorted([*judged, *procedures, *times])


def _around(spans: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """Return the spans that touch no other, or hold it whole where it is of a kind to be held."""
    starts = [other.start for other in others]
    kept: list[Span] = []
    for span in spans:
        first = max(0, bisect_left(starts, span.start) - _N_NESTED)
        near = others[first : bisect_left(starts, span.end)]
        touched = [other for other in near if other.end > span.start]
        if all(_holds(span, other) for other in touched):
            kept.append(span)
    return kept


def _holds(span: Span, other: Span) -> bool:
    is_inside = span.start <= other.start and other.end <= span.end
    is_longer = span.end - span.start > other.end - other.start
    return is_inside and is_longer and other.label in _HELD


def _belongs(site: Span, span: Span, kinds: dict[int, str]) -> bool:
    if site.label != "body_part":
        return False
    if span.label == "test":
        return kinds.get(span.start) in _WITH_SITE
    return span.label in ("disease", "symptom", "body_part")


def _with_noun(text: str, span: Span) -> Span:
    """Return a site together with a finding's noun right behind it."""
    if span.label != "body_part":
        return span
    if part := _SITE_PART.match(text, span.end):
        return replace(span, end=part.end())
    if (match := _SITE_NOUNS.match(text, span.end)) is None:
        return span
    return replace(span, end=match.end(), label=str(match.lastgroup))


def _with_modifiers(text: str, span: Span, floor: int) -> Span:
    pattern = {"disease": _FUSED, "symptom": _FUSED, "body_part": _SIDE}.get(span.label)
    while pattern and (match := pattern.search(text, max(floor, span.start - 9), span.start)):
        span = replace(span, start=match.start())
    return span


def _stands_alone(text: str, span: Span) -> bool:
    return span.label != "body_part" or bool(_BESIDE_SITE.match(text, span.end))


def _relabel(text: str, terms: Sequence[Span], at: int, kinds: dict[int, str]) -> Span:
    """Return 出血 and 腫脹 as findings after an image on the line, or one above 所見."""
    span = terms[at]
    if span.label != "symptom" or not text[: span.end].endswith(_BY_SOURCE):
        return span
    images = [o for o in terms[max(0, at - 12) : at] if kinds.get(o.start) == "imaging"]
    between = text[images[-1].end : span.start] if images else "\n"
    is_seen = len(between) < _N_BEHIND and ("\n" not in between or "所見" in between)
    return replace(span, label="disease") if is_seen else span


def _unknown_drugs(text: str, terms: Sequence[Span]) -> list[Span]:
    found = (Span(*match.span(), "drug") for match in _UNKNOWN_DRUG.finditer(text))
    return _outside(list(found), terms)


def _outside(spans: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """Return the spans that share no character with the others; both in reading order."""
    kept: list[Span] = []
    at = 0
    for span in spans:
        while at < len(others) and others[at].end <= span.start:
            at += 1
        if at == len(others) or others[at].start >= span.end:
            kept.append(span)
    return kept
