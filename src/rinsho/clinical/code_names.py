"""How the names of code lists are compared: what may differ in writing, and what must not."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rinsho.text.normalize import normalize

_NOT_COMPARED = re.compile(r"[\s()「」『』\[\]〔〕<>＜＞・･,、。‐–―−/-]")
# Two ways to write one word. Each list of a code master prefers another one of them.
_SPELLINGS = (
    *(("がん", "癌"), ("ガン", "癌"), ("頚", "頸"), ("囊", "嚢"), ("彎", "弯"), ("搔", "掻")),
    *(("蛋白", "タンパク"), ("たんぱく", "タンパク"), ("リュウマチ", "リウマチ")),
    *(("ヂ", "ジ"), ("ヴァ", "バ"), ("ヴィ", "ビ"), ("ヴ", "ブ"), ("ヶ", "ケ"), ("ヵ", "カ")),
    *(("疼", "痛"), ("うつ病", "鬱病"), ("てんかん", "癲癇"), ("けいれん", "痙攣")),
)
_SIDES = r"右側|左側|両側性?|右|左|両"
# Modifiers of a name, after which another code may or may not apply: candidates, never a decision.
_BEFORE = re.compile(
    rf"(?:{_SIDES}|急性|慢性|亜急性|再発性?|陳旧性|術後|軽症|軽度|中等症|中等度|重症|重度|難治性"
    r"|進行性?|末期|早期|若年性|高齢者の?|二次性|続発性|続発|原発性?|既往の?|疑いの?)+(?=..)"
)
_AFTER = re.compile(
    r"(?<=..)(?:の?(?:疑い|うたがい|既往|術後|再発|増悪|悪化|急性増悪|合併|合併症|後遺症|末期|後|"
    r"寛解|治療後))+$"
)
_MAKER = re.compile(r"「[^」]*」|\[[^\]]*\]")
_PRODUCT = re.compile(
    r"(.+?)(?:配合|徐放|腸溶|口腔内崩壊|チュアブル|吸着|持続性)*"
    r"(?=錠|カプセル|細粒|顆粒|散|末|シロップ|ドライシロップ|液|注|静注|点滴|皮下|筋注|軟膏|クリーム"
    r"|ローション|ゲル|テープ|パップ|パッチ|坐剤|坐薬|点眼|点鼻|点耳|吸入|エアゾール|外用|内用|\d|$)"
)
_RELEASE = re.compile(r"(?<=..)(?:OD|CR|SR|LA|ER|XR|R|L|D|RM|DS)$")


def compared_form(name: str) -> str:
    """Return what two spellings of one name have in common.

    >>> compared_form("ＩｇＡ 腎症"), compared_form("胃がん（進行）")
    ('iga腎症', '胃癌進行')
    """
    text = _NOT_COMPARED.sub("", normalize(name)).casefold()
    for one, other in _SPELLINGS:
        text = text.replace(one, other)
    return text


def without_modifiers(name: str) -> str:
    """Return a name of a condition without what says side, course, grade or doubt.

    >>> without_modifiers("右急性中耳炎の疑い"), without_modifiers("急性")
    ('中耳炎', '急性')
    """
    return _AFTER.sub("", _BEFORE.sub("", normalize(name).strip(), count=1))


def drug_names(product: str) -> Iterator[str]:
    """Yield the names by which a product may be called: without maker, strength, form.

    >>> list(drug_names("アダラートＣＲ錠２０ｍｇ「甲」"))
    ['アダラートCR錠20mg', 'アダラートCR', 'アダラート']
    """
    whole = _MAKER.sub("", normalize(product)).strip()
    names = [whole]
    if match := _PRODUCT.match(whole):
        names += [match[1].strip(), _RELEASE.sub("", match[1].strip())]
    yield from dict.fromkeys(name for name in names if len(name) > 1)


def pairs_of(key: str) -> frozenset[str]:
    """Return the character bigrams of a compared form; the whole of a shorter one."""
    return frozenset(key[i : i + 2] for i in range(len(key) - 1)) or frozenset({key})
