"""Procedures and therapies: a list of names, and the words that end one (胆嚢摘出術, 腰椎穿刺).

Written for rinsho from general medical knowledge (CC0), as the lexicon. The list stands apart from
it, because vocabularies are trained on the lexicon.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

from rinsho.text.quantities import without_overlaps
from rinsho.text.spans import Span
from rinsho.text.term_index import TermIndex

# What a name is made of in front of its last part: 経皮的冠動脈, 腹腔鏡下胆嚢, 右TKA.
_BODY = r"(?:(?!術[前後中])[一-鿿々ァ-ヺーA-Za-z0-9・])"
_START = r"(?:(?<![一-鿿々ァ-ヺーA-Za-z0-9])|(?<=[、。・])|(?<=術[前後中]))"
_OPERATION = re.compile(
    rf"{_START}(?P<name>{_BODY}{{1,20}}?(?<![手芸技学医美戦算施話])術)(?![前後中式者野場室日語創])"
)
# 胃全摘術後 has an operation, 胃癌術後 and 心臓術後 have none: before 術 stands what was done.
_OPERATION_PAST = re.compile(
    rf"{_START}(?P<name>{_BODY}{{0,18}}?(?:切除|摘出?|切開|切断|切離|吻合|再建|造設|留置|挿入|植え?込み"
    r"|置換|固定|整復|塞栓|焼灼|結紮|止血|移植|形成|接合|郭清|剥離|開窓|減圧|除去|縫縮|縫合|閉鎖|修復|根治"
    r"|温存|開腹|開胸|開頭|開心|拡張|硬化|凝固|破砕|掻爬|搔爬|抜去|授動|矯正|懸垂|穿頭|バイパス|シャント)術)"
    r"(?=[前後中])"
)
_LAST = re.compile(
    r"(?P<name>[一-鿿々ァ-ヺーA-Z]{1,14}(?:手術|切除|摘出|切開|切断|穿刺|生検|ドレナージ|縫合|吻合|再建|造設"
    r"|留置|挿入|植込み|植え込み|置換|固定|整復|塞栓|焼灼|結紮|止血|移植|療法|リハビリテーション|リハビリ|リハ"
    r"|除細動|アブレーション|ブロック|全摘))(?!術|歴|不能|困難|器|針|部|片|液|創|薬|剤|料|士|室)"
)
_NO_NAME = re.compile(
    r"^(?:本|同|当|各|全|該当?|他の?|次の?|前|再|初回|今回|以前|予定|緊急|標準|追加|併用|後|等|右|左|両側?)*"
    r"(?:術|切除|摘出|切開|切断|縫合|吻合|再建|造設|留置|挿入|置換|固定|整復|移植|療法|ブロック|穿刺|手術)$"
)
# In front of a name but no part of it.
_BEFORE = re.compile(
    r"^(?:本日|昨日|同日|翌日|緊急|予定|待機的|今回|再度|後日|以後|施行|要|既往|麻酔下)+"
)


# Behind a name these make another noun of it: 手術室, 透析患者, 牽引痛, 点滴静注.
_OTHER_NOUN = re.compile(
    r"室|歴|器|士|科(?!的)|患者|適応|部位|痛|性|圧|時間|記録|同意|説明|静注|薬|液|剤|チューブ|セット|カテーテル|針"
)


@cache
def _index() -> TermIndex:
    words = resources.files("rinsho.text") / "words" / "procedures.txt"
    lines = words.read_text(encoding="utf-8").splitlines()
    return TermIndex({line: "procedure" for line in lines if line and not line.startswith("#")})


def find_procedures(text: str) -> list[Span]:
    """Return the procedures of a normalized text; of two that overlap the earlier or longer.

    >>> text = "腹腔鏡下胆嚢摘出術を施行、腰椎穿刺は行わず。手術室へ。胃全摘術後、胃癌術後。"
    >>> [text[span.start : span.end] for span in find_procedures(text)]
    ['腹腔鏡下胆嚢摘出術', '腰椎穿刺', '胃全摘術']
    """
    found = [span for span in _index().find(text) if not _OTHER_NOUN.match(text, span.end)]
    for pattern in (_OPERATION, _OPERATION_PAST, _LAST):
        for match in pattern.finditer(text):
            start = match.start("name")
            words = match["name"]
            if before := _BEFORE.match(words):
                start, words = start + before.end(), words[before.end() :]
            if len(words) > 2 and not _NO_NAME.match(words):
                found.append(Span(start, match.end("name"), "procedure"))
    return without_overlaps(found)
