"""Japanese surnames: a list of common ones, and pairs of characters that surnames are made of."""

from __future__ import annotations

import functools
import importlib.resources
import itertools
import re

_PAIRS_THAT_ARE_NO_NAMES = frozenset(
    [
        "上下",
        "中間",
        "水平",
        "平地",
        "土地",
        "立場",
        "手前",
        "本部",
        "内部",
        "上部",
        "中部",
        "前部",
        "大部",
        "市町",
        "中村立",
        "今後",
        "本名",
        "名前",
        "本来",
        "将来",
        "元来",
        "大小",
        "水上",
        "大河",
        "生生",
        "大海",
        "大地",
        "小屋",
        "関所",
        "名所",
        "近所",
        "市場",
        "工場",
        "大場",
        "入場",
        "海辺",
        "川辺",
        "川上",
        "川下",
        "目上",
        "目下",
        "年上",
        "年下",
        "木立",
        "大目",
        "中立",
        "本土",
        "安住",
        "永住",
        "先住",
        "在住",
        "居住",
        "生保",
        "大保",
        "金属",
        "田畑",
        "山川",
        "山林",
        "森林",
        "水路",
        "水道",
        "中心",
        "中古",
        "太平",
        "平野部",
        "東部",
        "西部",
        "南部",
        "北部",
        "南北",
        "東西",
        "東南",
        "西南",
        "東北",
        "西北",
        "大家",
        "名家",
        "本家",
        "新家",
        "平家",
        "生家",
        "実家",
        "明治",
        "大正",
        "昭和",
        "平成",
        "令和",
        "東京",
        "京都",
        "大阪",
        "名古",
        "金沢市",
        "千葉市",
        "福岡市",
        "広島市",
        "八月",
        "九月",
        "一部",
        "二部",
        "三部",
        "四部",
        "五部",
        "六部",
        "七部",
        "八部",
        "九部",
        "一方",
        "二方",
        "四方八",
        "大方",
        "片方",
        "前方",
        "後方",
        "上方",
        "下方",
        "夕方",
        "明方",
        "地方",
        "南方",
        "北方",
        "東方",
        "西方",
        "一口",
        "入口",
        "出口",
        "間口",
        "窓口",
        "一目",
        "二目",
        "三目",
        "一名",
        "二名",
        "三名",
        "四名",
        "五名",
        "六名",
        "七名",
        "八名",
        "九名",
        "十名",
        "一重",
        "二重",
        "三重",
        "五重",
        "八重",
        "一元",
        "二元",
        "三元",
        "一間",
        "中東",
        "近東",
        "生命",
        "生名",
        "明室",
        "暗室",
        "本室",
        "生本",
        "水本",
        "金本",
        "入手",
        "入金",
        "金元",
        "元金",
        "前金",
        "大元",
        "小元",
        "中元",
        "相場",
        "真水",
        "重水",
    ]
)

_PLAIN = str.maketrans(  # letters of the same name
    "與靏﨑髙𠮷邊邉澤濱櫻齋齊廣嶋眞國瀧栁冨德惠壽龍藏榮會條實淺靜黑萬關槇鷗舘",
    "与鶴崎高吉辺辺沢浜桜斎斉広島真国滝柳富徳恵寿竜蔵栄会条実浅静黒万関槙鴎館",
)
_VARIANT = re.compile("[\U000e0100-\U000e01ef]")  # picks the shape of the kanji before it


@functools.cache
def _words() -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Return the listed surnames, the characters that begin others, and those that end them."""
    demo = importlib.resources.files("rinsho.demo").joinpath("surnames.txt")
    own = importlib.resources.files("rinsho.text").joinpath("words")
    listed = f"{demo.read_text('utf-8')} {own.joinpath('surnames.txt').read_text('utf-8')}"
    first, last = own.joinpath("surname_parts.txt").read_text("utf-8").split("\n")[:2]
    return frozenset(listed.split()), frozenset(first), frozenset(last)


@functools.cache
def _rare() -> frozenset[str]:
    """Return surnames beyond the listed ones, most of the IPA dictionary: some are places too."""
    words = importlib.resources.files("rinsho.text").joinpath("words")
    lists = (words.joinpath(f"surnames_{name}.txt") for name in ("ipadic", "rare"))
    return frozenset(itertools.chain(*(one.read_text("utf-8").split() for one in lists)))


def is_rare(word: str) -> bool:
    """Tell whether a word is a surname of the IPA dictionary only: it may be a place or a clan."""
    return word in _rare() and not is_listed(word)


@functools.lru_cache(1 << 15)
def is_surname(word: str) -> bool:
    """Tell whether a word is a listed surname or made as surnames are.

    >>> [is_surname(word) for word in ("佐藤", "長谷川", "患者", "大塚原", "病院")]
    [True, True, False, True, False]
    """
    listed, first, last = _words()
    word = _VARIANT.sub("", word)
    if word in listed or word.translate(_PLAIN) in listed:
        return True
    if (
        len(word) > 1
        and (word in _rare() or word.translate(_PLAIN) in _rare())
        and word not in _PAIRS_THAT_ARE_NO_NAMES
    ):
        return True
    if (
        len(word) == 3
        and word[0] in first
        and word[1] in first | last | {"之", "ノ", "ヶ", "ケ", "ツ", "ッ", "ヵ"}
        and word[2] in last
    ):
        return True
    is_pair = len(word) == 2 and word[0] in first and word[1] in last
    return is_pair and word not in _PAIRS_THAT_ARE_NO_NAMES


@functools.lru_cache(1 << 15)
@functools.lru_cache(1 << 15)
def is_listed(word: str) -> bool:
    """Tell whether a word is one of the listed surnames."""
    listed = _words()[0]
    return word in listed or _VARIANT.sub("", word).translate(_PLAIN) in listed


def surname_letters() -> str:
    """Return the characters that begin listed surnames."""
    return "".join(sorted({word[0] for word in _words()[0]}))


def surname_pairs() -> dict[str, str]:
    """Return the second characters of surnames of two and more, by their first."""
    pairs: dict[str, str] = {}
    for word in sorted(_words()[0] | _rare()):
        if len(word) > 1 and word[1] not in pairs.get(word[0], ""):
            pairs[word[0]] = pairs.get(word[0], "") + word[1]
    return pairs


@functools.lru_cache(1 << 15)
def split_name(name: str) -> tuple[str, str] | None:
    """Return surname and given name of a name in kanji; None where no surname begins it.

    >>> split_name("山田太郎"), split_name("長谷川 一"), split_name("患者家族")
    (('山田', '太郎'), ('長谷川', '一'), None)
    """
    if len(parts := re.split(r"[ ^\n]+", name, maxsplit=1)) == 2:
        return parts[0], parts[1]
    if variant := _VARIANT.search(name):
        plain = split_name(_VARIANT.sub("", name))
        n = len(plain[0]) + (variant.start() <= len(plain[0])) if plain else 0
        return (name[:n], name[n:]) if plain else None
    for length in (3, 2, 4):
        if len(name) >= length and is_listed(name[:length]):
            return name[:length], name[length:]
    if name[1:2] in "之ノヶケツッ" and is_surname(name[:3]):
        return name[:3], name[3:]
    if is_surname(name[:2]):
        return name[:2], name[2:]
    if is_surname(name[:3]) and len(name) >= 3:
        return name[:3], name[3:]
    return (name[:1], name[1:]) if name[:1] in _words()[0] else None


@functools.cache
def _kana_surnames() -> frozenset[str]:
    words = importlib.resources.files("rinsho.text").joinpath("words", "kana_surnames.txt")
    return frozenset(words.read_text("utf-8").split())


@functools.lru_cache(1 << 15)
def is_kana_surname(word: str) -> bool:
    """Tell whether hiragana or katakana are the reading of a common surname."""
    return to_hiragana(word) in _kana_surnames()


def to_hiragana(word: str) -> str:
    """Return katakana as hiragana."""
    return "".join(chr(ord(c) - 0x60) if "ァ" <= c <= "ヶ" else c for c in word)


@functools.cache
def _kana_families() -> frozenset[str]:
    words = importlib.resources.files("rinsho.text").joinpath("words", "kana_surnames_ipadic.txt")
    return frozenset(words.read_text("utf-8").split()) | _kana_surnames()


def is_kana_family(word: str) -> bool:
    """Tell whether kana are the reading of any surname of the dictionary, beside a given name.

    >>> is_kana_family("ナガノ"), is_kana_family("けつえき")
    (True, False)
    """
    return to_hiragana(word) in _kana_families()
