"""Words that may be names by their shape alone, where everything beside them says that one stands.

No list holds all surnames. After 担当: and before 先生 a word in kanji is a name unless it is an
ordinary word: the nouns and adverbs of two kanji of the IPA dictionary are those that it is not.
"""

from __future__ import annotations

import functools
import importlib.resources
import re

from rinsho.text.identifier_given_names import is_given, is_one_kanji_surname
from rinsho.text.identifier_surnames import is_listed, is_rare, is_surname

_NO_END = frozenset(
    "科院棟室課局部病者員長師医士薬剤術法式型系群性的化症炎腫癌線薄熱痛類物用品料費時分秒日月年週回"
    "名人歳才度量率数値中後前内外上下左右側別等他毎各元所署庁省会社校園店組班係役職席票書類表図例件"
    "済要可不無有未非再初全両食便尿体様御的感脈圧機器具室器官筋骨管腔膜節腺癖歴卓班帯型群薬液"
)
_NO_START = frozenset("第各当同全両不無非未再初前後毎約計要他御旧右左上下約他最")
_CLINICAL = frozenset(
    [
        "発語",
        "担送",
        "護送",
        "見守",
        "刻み",
        "胃全",
        "来棟",
        "訪床",
        "離床",
        "創痛",
        "創感",
        "術創",
        "腹満",
        "腹緊",
        "頭蓋",
        "眠剤",
        "持参",
    ]
)
ENDS_OF_SURNAMES = frozenset(
    "庄黒脇渕尻見津波永戸嶋嶺丸月部宮園住田川山井村木野原崎島沢澤橋上下口谷森石岡池坂内尾平地城倉瀬塚津岸浦越場屋代戸江賀辺里納寺"
)
_NO_LETTER = re.compile(
    "[々〆]\\Z|[検査診療剤術症癌瘍炎嚢疹痰嘔糞尿届疾障録載捺欄類額費険証請払庁険眠識排泄]"
)


@functools.cache
def _ordinary() -> dict[str, str]:
    """Return the second kanji of ordinary words of two, by their first."""
    words = importlib.resources.files("rinsho.text").joinpath("words", "words_ipadic.txt")
    return {one[0]: one[1:] for one in words.read_text("utf-8").split()}


def is_ordinary(word: str) -> bool:
    """Tell whether two kanji are an ordinary word of the dictionary.

    >>> is_ordinary("散歩"), is_ordinary("骨川")
    (True, False)
    """
    return len(word) == 2 and word[1] in _ordinary().get(word[0], "")


@functools.lru_cache(1 << 15)
def may_be_surname(word: str) -> bool:
    """Tell whether a word in kanji may be a surname that no list holds.

    >>> [may_be_surname(word) for word in ("骨川", "院庄", "散歩", "手術室", "病棟")]
    [True, True, False, False, False]
    """
    if is_surname(word) or is_one_kanji_surname(word):
        return True
    if not 2 <= len(word) <= 4 or _NO_LETTER.search(word) or word in _CLINICAL:
        return False
    if len(word) > 2 and word[-1] not in ENDS_OF_SURNAMES:
        return False
    if word[-1] in _NO_END or word[0] in _NO_START:
        return False
    return not any(is_ordinary(word[i : i + 2]) for i in range(len(word) - 1))


@functools.lru_cache(1 << 15)
def may_be_name(word: str) -> bool:
    """Tell whether a word in kanji may be a surname, alone or with a given name behind it.

    >>> [may_be_name(word) for word in ("骨川真由美", "平元気", "四肢冷感", "体温")]
    [True, True, False, False]
    """
    return may_be_surname(word) or split_shape(word) is not None


@functools.lru_cache(1 << 15)
def split_shape(word: str) -> tuple[str, str] | None:
    """Return what may be surname and given name of a word without a blank; else None."""
    for n in (2, 3, 1, 4):
        family, given = word[:n], word[n:]
        if not given or not is_given(given):
            continue
        is_sure = is_listed(family) or is_rare(family) if n > 1 else is_one_kanji_surname(family)
        if is_sure or (n > 1 and len(given) > 1 and may_be_surname(family)):
            return family, given
        if (
            2 <= n <= 3
            and family[-1] in ENDS_OF_SURNAMES
            and may_be_surname(family)
            and not is_ordinary(word[-2:])
        ):
            return family, given
    return None
