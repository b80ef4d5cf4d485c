"""Given names of the IPA dictionary, and letters that end given names."""

from __future__ import annotations

import functools
import importlib.resources
import itertools
import re

from rinsho.text.identifier_surnames import is_listed, is_surname, to_hiragana

# Letters that end given names; 硬変様 is no person.
GIVEN_ENDS = frozenset(
    "子美江代枝恵香花奈紀郎男夫雄一二三介助太平也樹彦治司之人斗哉真希菜音翔蔵吉次衛弥乃穂里織世佳"
    "実愛衣絵理沙咲月結葵蓮翼陽輝斗馬悟誠隆博弘浩宏洋史志朗昭明孝幸行正政義清勝勇進茂豊稔功武久"
)
_KATAKANA_GIVEN = re.compile("[ァ-ヶー]{2,4}子?")
_HIRAGANA_GIVEN = re.compile(
    "(?![のはでにとがをもへや]|こと|これ|それ|から|より|まで|など|さん|さま|くん|です|ちゃん|では|には|との|への|する|した|され|ほか|のみ$|こと|とき|ため|もの)"
    "[ぁ-んー]{2,4}"
)
_NO_GIVEN = frozenset(
    [
        "時代",
        "世代",
        "聖人",
        "三蔵",
        "古代",
        "先生",
        "元年",
        "大師",
        "法師",
        "天皇",
        "親王",
        "上人",
        "和尚",
        "将軍",
        "市立",
        "県立",
    ]
)
_PLAIN = str.maketrans("與惠眞龍壽國廣榮澤邊實德", "与恵真竜寿国広栄沢辺実徳")
# One kanji alone is a surname where a title or a list of persons stands around it.
_ONE_KANJI = frozenset(
    "乾今仲伴佃俵倉劉北南原叶司呉周城堀堤堺塙夏奥姜室宮崔嵐巴巻巽平康張徐旭星晴朔本朱朴杉李東松林"
    "柏柳柴桂梁梅梶森椿楠榊榎槙橘武毛永江池沖沼泉浜濱渡源滝瀧潘澤沢牛牧王町畑畠白盛神秋秦窪笠笹筧"
    "米紀緑脇與舘芝荒荻菅華萩蒲蔡薄藍藤蘇西角谷越趙轟辻迫郡郭郷鄭金鈴関陳陶陸青韓馬高鮎鳥鴨鶴黄黒"
    "上中丸丹大小新前赤神槙東境間関梅泊轟蛯毒帯鑓頭宝萬船旗鐘雲霞霜鬼魚狩狐猪熊鷲鳳鵜安間堂岡岸峯峰島嶋嶺湊境桜菊葛谷門田畔元今有宗何聶許葉董袁范詹賀向円方丘"
)


@functools.cache
def _given_names() -> frozenset[str]:
    words = importlib.resources.files("rinsho.text").joinpath("words")
    lists = (words.joinpath(f"given_{name}.txt") for name in ("ipadic", "more"))
    return frozenset(itertools.chain(*(one.read_text("utf-8").split() for one in lists)))


@functools.lru_cache(1 << 15)
def is_given(word: str) -> bool:
    """Tell whether a word is a given name of the dictionary, in old letters too.

    >>> [is_given(word) for word in ("太郎", "惠美子", "結果")]
    [True, True, False]
    """
    names = _given_names()
    if word in _NO_GIVEN:
        return False
    if _MIXED.fullmatch(word):  # かず子: a given name if かずこ is one
        return word in names or is_kana_given(word[:-1] + _READINGS[word[-1]])
    return word in names or word.translate(_PLAIN) in names


_READINGS = {
    "子": "こ",
    "江": "え",
    "代": "よ",
    "美": "み",
    "枝": "え",
    "恵": "え",
    "香": "か",
    "奈": "な",
    "男": "お",
    "夫": "お",
    "雄": "お",
    "郎": "ろう",
}
_MIXED = re.compile(f"[ぁ-んァ-ヶー]{{1,4}}[{''.join(_READINGS)}]")


@functools.cache
def _kana_given() -> frozenset[str]:
    words = importlib.resources.files("rinsho.text").joinpath("words", "kana_given_ipadic.txt")
    return frozenset(words.read_text("utf-8").split())


def is_kana_given(word: str) -> bool:
    """Tell whether hiragana or katakana are the reading of a given name of the dictionary.

    >>> is_kana_given("カズエ"), is_kana_given("かんた"), is_kana_given("けつえき")
    (True, True, False)
    """
    return to_hiragana(word) in _kana_given()


def one_kanji_surnames() -> str:
    """Return the surnames of one kanji."""
    return "".join(sorted(_ONE_KANJI))


def is_one_kanji_surname(word: str) -> bool:
    """Tell whether one kanji is a surname, if it stands where only a surname can."""
    return word in _ONE_KANJI or (len(word) == 1 and is_listed(word))


def is_like_given(word: str) -> bool:
    """Tell whether a word behind a surname and a blank is a given name, in any letters."""
    if word[0] < "一":
        return is_given(word) or bool(
            _KATAKANA_GIVEN.fullmatch(word) or _HIRAGANA_GIVEN.fullmatch(word)
        )
    return is_given(word) or (len(word) < 4 and word[-1] in GIVEN_ENDS)


@functools.lru_cache(1 << 15)
def split_full_name(word: str) -> tuple[str, str] | None:
    """Return surname and given name of a word that is both, by the dictionary; else None.

    >>> split_full_name("院庄健太郎"), split_full_name("山田花子"), split_full_name("中心静脈")
    (('院庄', '健太郎'), ('山田', '花子'), None)
    """
    for n in (2, 3, 1, 4):
        family, given = word[:n], word[n:]
        if not given or (n == 1 and not is_one_kanji_surname(family)):
            continue
        if n > 1 and is_listed(family) and is_given(given):
            return family, given
        if given[0] < "一" and is_surname(family) and is_like_given(given):
            return family, given
        if n > 1 and is_surname(family) and len(given) > 1 and is_given(given):
            return family, given
        if len(given) > 1 and is_given(given) and given[-1] in GIVEN_ENDS and n < 4:
            return family, given
    return None
