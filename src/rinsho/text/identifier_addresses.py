"""Addresses: prefecture, municipality, place name, house number, building; Kyoto and Hokkaido too.

A municipality and a house number make an address anywhere; a municipality alone only beside a cue
(住所) or before words of living there (在住): a city in a sentence is nobody's home.
"""

from __future__ import annotations

import re

from rinsho.text.identifier_anchors import Begin, Rule, begins, cued, finder
from rinsho.text.identifier_patterns import (
    DASH,
    DASHES,
    PREFECTURE,
    PREFECTURES,
    WIDE_GAP,
    any_of,
)

_N = "[0-9〇一二三四五六七八九十百]"
# No kanji before a municipality, unless these words end there.
_START = (
    "(?:(?<![一-龠ヶ々])|(?<=住所)|(?<=自宅)|(?<=[都道府県郡])|(?<=実家)|(?<=職場"
    ")|(?<=本籍)|(?<=籍地)|(?<=居先)"
    "|(?<=絡先)|(?<=居住地)|(?<=所在地))"
)
_KANA_CITIES = any_of(
    "さいたま つくば いわき ひたちなか かすみがうら つくばみらい あきる野 うるま "
    "えびの みどり さくら むつ たつの いなべ いちき串木野 つがる にかほ みやま"
    " みよし あま あわら おおい せたな ニセコ 南アルプス ふじみ野 いすみ さぬき "
    "東かがわ まんのう つるぎ みなかみ ときがわ おいらせ むかわ えりも かほく"
    " かすみ かつらぎ すさみ みなべ あさぎり たつの ふじ いの あきるの うきは 東"
    "みよし 伊豆の国 四国中央 紀の川 隠岐の島 安芸高田 越前 みのかも"
    " さつま 南さつま 中種子 南種子 おおつ みなと すみだ みなみ なか にし ひがし"
)
_CITY = rf"(?:{_KANA_CITIES}|[一-龠ヶケヵ々之ノツが]{{1,7}}?)(?:市|区|町|村|郡)"
_PLACE_LETTER = r"[一-龠ぁ-んァ-ヶー々〆﨑髙𠮷]"
_NO_PLACE = (
    "(?!病院|患者|から|にて|では|には|とし|する|した|ある|いる|在住|在中|出身|電"
    "話|携帯|勤務|在職|内の|の病|では|で発|へ転|に住|に在|を|氏名|生年|年齢"
    "|性別|および|または|により|において|における|立|役所|役場|議会|民病|長は|保健)"
)
_TOWN = (
    rf"(?:{_NO_PLACE}{_PLACE_LETTER}|\n(?={_PLACE_LETTER}{{0,10}}{_N}{{1,4}}(?:{DASH}|丁目"
    rf"|番))|[ ](?={_PLACE_LETTER}|[0-9])"
    rf"|(?<=[北南東西第 ]){_N}{{1,3}}(?:条|線|区|地割|番町|号線)){{0,32}}?"
)
_LINK = (
    rf"(?:[ ]?(?:丁目|番地[ ]?(?:の|ノ)|番地|番丁|番|号|地割|条|線)|[ ]?{DASH}[ ]?|"
    rf"(?:の|ノ)(?={_N}))"
)
_NO_UNIT = (
    r"(?![0-9.]|[ ]?(?:年(?!齢)|月|日(?!中)|週|回|人(?![定事])|名(?!前)|歳|才|例|件|時|分|秒|%|％|mg|mL|ml|cm|"
    r"mm|kg|g/|点|度|円|床|万|億|倍|代|割|ヶ月|か月|カ月|ヵ月|世紀|位|社(?![会員保])|校(?!医)|つ|個("
    r"?!人)|階級|票"
    r"|種(?!別)|項(?!目)|章|節|巻|頁|段|両|隻|機(?![番器械])|頭|匹|本(?![人籍])|枚|着(?!信)|級(?!別)|期(?!限)|系統|番目|番線|km|m))"
)
_HOUSE = (
    rf"[、 ]?(?:{_N}{{1,5}}(?:{_LINK}[ ]?[東西南北甲乙丙上下内通]?{_N}{{1,4}}){{1,5}}(?:号室|"
    rf"号棟|号|番地|番|丁目|階|F|室)?|{_N}{{1,5}}[ ]?(?:丁目|番地|番丁|番(?!目|線|組|町))"
    rf"|[甲乙丙][0-9]{{1,5}}(?:{_LINK}[0-9]{{1,4}}){{0,4}}(?:番地|番|号)?|(?<=[一-龠])[ ][0-9]{{1,4}}(?=[\s、。,)」]|$)|(?<=[町村字田山谷原沢野川島里台"
    rf"丘区鉾条木浦崎津本根])[ ]?[0-9]{{1,5}}(?!{DASH}|[0-9]|号線)){_NO_UNIT}"
)
_LABEL = (
    r"(?!電話|携帯|自宅|連絡|氏名|患者|生年|年齢|性別|在住|在宅|職業|勤務|保険|紹"
    r"介|主治|担当|入院|退院|受診|家族|同居|独居|本人|長男|長女|妻|夫|父|母"
    r"|TEL|Tel|tel|FAX|Fax|http|ID|No|様|方|より|から|まで|にて|番号|郵便|男性|女"
    r"性|宛|住所|北海道|東京都|京都府|大阪府|[一-龠]{2,3}県|付近|付|周辺|近く|居住|で|に|へ|"
    r"は|が|を|の(?!里)|と|も|、)"
)
_BUILDING_LETTER = r"(?:[一-龠ぁ-んァ-ヶー々・a-zA-Z'’.&ⅠⅡⅢⅣⅤ]|[0-9](?:st|nd|rd|th)(?![a-z]))"
_UNIT = (
    rf"(?:[A-Z][ {DASHES}]?)?(?:[0-9]{{1,2}}号?棟[ ]?)?[A-Z]?[0-9]{{1,4}}(?:[ ]"
    rf"?(?:号室|号棟|号|室|階|F|Ｆ)|[A-Z](?![A-Za-z]))?(?:{DASH}[0-9]{{1,4}})?(?!"
    rf"{DASH}?[0-9]|[年月日歳才/])"
)
_BUILDING_END = (
    "(?:マンション|アパート|ハイツ|コーポ|荘|ハイム|ビル|ビルディング|レジデンス|"
    "メゾン|住宅|団地|タワー|コート|パレス|ハウス|寮|館|苑|プラザ|ヒルズ|ガーデン"
    "|テラス"
    "|パーク|ホームズ|シティ|キャッスル|グランド|ヴィラ|ビラ|レジデンシャル|号館|方)"
)
_FAR_HOUSE = rf"(?:{_HOUSE}|(?<=[一-龠ぁ-んァ-ヶ])[ ]?[0-9]{{1,5}}(?![0-9]|{DASH}){_NO_UNIT})"
_BUILDING = (
    rf"(?:(?:[ ]|、[ ]?(?=[^\n0-9、。:]{{1,20}}(?:[0-9](?:st|nd|rd|th))?[0-9]{{1,4}}(?:[ ]?(?:号|棟|室|階|F)|[ \t]?(?:\n|$)))"
    rf"|\n(?=[^\n0-9、。:]{{1,20}}(?:[0-9](?:st|nd|rd|th))?[0-9]{{1,4}}(?:号室|号棟|棟)))?"
    rf"{_LABEL}(?:第[0-9]{{1,2}})?{_BUILDING_LETTER}{{1,18}}"
    rf"(?:[ ]?{_BUILDING_LETTER}{{1,12}})?[ ]?{_UNIT}"
    rf"|[ ]?{_LABEL}{_BUILDING_LETTER}{{0,12}}{_BUILDING_END}(?![一-龠ァ-ヶ])|[ ]"
    rf"{_UNIT}|[ ]?[0-9]{{1,4}}(?:号室|階|F))?"
)
_ADDRESS = re.compile(
    rf"(?:{PREFECTURE}[ ]?)?{_START}{_CITY}{_TOWN}{_HOUSE}(?:地?先(?![生方月日週]))?{_BUILDING}"
    r"(?:[ ]?\([A-Z]?[0-9]{1,4}(?:号室|号|室|F|階)\))?"
)
_ISLAND = re.compile(
    rf"{PREFECTURE}[ ]?{_CITY}{_TOWN}{_FAR_HOUSE}{_BUILDING}"
    rf"|{PREFECTURE}[ ]?{_PLACE_LETTER}{{1,10}}?{_HOUSE}{_BUILDING}"
)
_LIVES = (
    r"(?=[ ]?(?:在住|居住|出身|在中|に在住|に住|に居住|で出生|で生まれ|にて出生|に生まれ|の(?:実家|アパート|マンション|借家|団地|公営住宅|県営|市営|戸建|一軒家|持ち家|親戚|ご自宅|家で|家に|施設に)|に"
    r"引っ越|に転入|に独居|に転居|へ転居|より転"
    r"居|から転居|の自宅|から(?:通院|来院|通所|通学)|で独居|で一人暮らし|で一人暮し|で生活|で暮ら|在$))"
)
_LIVING = re.compile(
    rf"(?:{PREFECTURE}[ ]?{_CITY}(?:[一-龠々ヶ]{{1,8}}?(?:区|町|村))?(?:"
    rf"(?:{_NO_PLACE}{_PLACE_LETTER}){{1,8}}?)?|{_START}(?!当該|他の|管轄|所管|市町村|町村)"
    rf"{_CITY}(?<!町村)(?!域|等|町村|長|民|高)(?:[一-龠々ヶ]{{1,8}}?(?:区|町|村))?"
    rf"(?:{_NO_PLACE}{_PLACE_LETTER}){{0,8}}?){_LIVES}"
)
_MUNICIPAL = re.compile("[市区町村郡]")
_CITY_START = re.compile(rf"{_START}{_CITY}")
_LOOK_BACK = 48  # characters between the begin of an address and its first number


_HAS_NUMBER = re.compile(rf"{_N}|から(?:通|来)|在住|居住|出身|在中|に住|独居|転居|一人|生活|暮ら")


def _from_prefecture(text: str, place: int) -> tuple[int, int] | None:
    if _HAS_NUMBER.search(text, place + 3, place + _LOOK_BACK) is None:
        return None
    match = _ADDRESS.match(text, place) or _ISLAND.match(text, place) or _LIVING.match(text, place)
    return match.span() if match else None


def _around_number(text: str, place: int) -> tuple[int, int] | None:
    """Read an address without its prefecture from one of its numbers on, backwards."""
    low = max(0, place - _LOOK_BACK)
    if _MUNICIPAL.search(text, low, place + 1) is None:
        return None
    for city in _CITY_START.finditer(text, low, place + 1):
        match = _ADDRESS.match(text, city.start())
        if match and match.end() > place:
            return match.span()
    return None


def _before_living(text: str, place: int) -> tuple[int, int] | None:
    """Read a municipality before 在住 and the like."""
    for city in _CITY_START.finditer(text, max(0, place - 24), place):
        match = _LIVING.match(text, city.start())
        if match and match.end() + 2 >= place:
            return match.span()
    return None


_ADDRESS_CUES = (
    "住所 現住所 居住地 居所 住居 本籍 本籍地 自宅住所 患者住所 連絡先住所 送付先 送付先住所 転居先 発生場所 発生地"
    " 覚知場所 事故現場 現場住所 現場 搬送先 搬送先住所 郵送先 配達先 居宅 現在地 連絡先 実家 帰省先 所在地 自宅 Address"
    " address ADDRESS 住民票住所 addressLine address_line addr 現住地 勤務先住所 届出住所 退院先 所在 避難先 転入先"
    " 出生地 出身地 本籍地 生活の場 (住 WholeAddress WholeAddress1 WholeAddress2 PID-11 ADDR Addr じゅうしょ ジュウショ 転出先 宛先 お届け先 届け先 住民登録地 住民票 ご住所 旧住所 新住所 前住所 実家住所 居住先 出動先 出動場所 通報場所"
    " 発症場所 事故発生場所 発見場所 死亡場所 町名番地 番地 住所地 住所又は居所 アドレス streetAddressLine line text street"
    " 住所2 住所1 住所3 場所 生まれは 出身は 出生は 出生 住まい お住まい 住まいは 自宅は 家は 実家は 里 在所 住処 お住い 住い 来院元 入居先 里帰り先 滞在先 宿泊先 居場所 訪問先 納品先 設置先"
)
_WEAK_CUES = frozenset(
    [
        "家は",
        "里",
        "出生",
        "連絡先",
        "自宅",
        "実家",
        "text",
        "line",
        "場所",
        "宛先",
        "現場",
        "番地",
        "施設",
        "居場所",
        "訪問先",
    ]
)
_SPACED_CUES = [" ".join(word) for word in ("住所", "現住所", "所在地", "居所")] + [
    "住  所",
    "現  住  所",
]
_PLACE_WORD = (
    r"(?:(?!です|付近|在住|居住|に住|にて|より|の自宅|まで|へ(?:転|引|搬)|方面)"
    r"[^\s\0、。,;|\"'\t()「」\[\]『』【】<>:：=`/])"
)
_NOT_LABEL = (  # a blank goes on with the address unless a label follows it
    r"(?!(?:(?:明治|大正|昭和|平成|令和)[ 0-9元]|[℡☎〶]|[^\s0-9]{1,10}[ ]?(?:様|殿|さん|氏|先生|宛)(?![一-龠])|電話|携帯|氏名|患者|生年|年齢|性別|職業|勤務|保険|紹介|主治|担当|入院|退院|受診|家族|本人|TEL|Tel|tel|FAX|Fax|E-?mail"
    r"|ID|No|郵便|男|女|〒|宛|住所|連絡|世帯|続柄|国籍|旅券|免許|登録|記号|番号|施設|診察|メール|所在|名前|フリガナ|https?|URL|Mail|/|[・*■●-]|(?:19|20)[0-9]{2}[-/年.]|0[0-9]|[0-9]{2}[./-][0-9A-Z]|第?[一二三]?[一-龠]{1,5}(?:日(?=[ :=0-9令平昭|])|番号|名|者|期限|先|所属|学校|園|医)|事業|勤め|GS1|[A-Z][a-z]{3})"
    rf"|{_PLACE_WORD}{{1,10}}[:=])"
)
_CELL = rf"{_PLACE_WORD}{{2,40}}+(?:[ ]{_NOT_LABEL}{_PLACE_WORD}{{1,24}}+){{0,4}}+(?:[ ]?\([0-9A-Za-z]{{1,5}}(?:号室|号|室|階)?\))?"
# A cell of an address: a prefecture or municipality, or a number of a house.
_IS_ADDRESS = re.compile(
    rf"{PREFECTURE}|(?:{_KANA_CITIES}|[一-龠ヶケ々]{{1,6}})(?:市|区|郡|町|村)(?![はがをにで民立])"
    rf"|[一-龠ぁ-んァ-ヶ]{{1,12}}?[ ]?{_N}{{1,4}}(?:丁目|番地|番|{DASH}{_N}|の{_N})"
    r"|[0-9]{1,4}-[0-9]{1,4}(?:-[0-9]{1,4})?(?![0-9-])|大?字[一-龠]"
)
_NO_ADDRESS = re.compile(
    r"不明|不定|なし|同上|番号|電話|[歳才]|病院|医院|です[かが]|ません|ください|[をがは](?=[一-龠ぁ-ん])|年[0-9]|月[0-9]|搬送|により|から(?=[一-龠])"
    r"|^[0-9-]{8,}$|^0[0-9]|@|http|mg|の(?:た|と)|した|する|である|による|とし"
)


def _is_place(value: str) -> bool:
    """Tell whether what follows a postal code is an address: it begins with a place."""
    is_near = _BEGINS_WITH_PLACE.match(value) and not _INSTITUTION.search(value)
    has_number = any(c.isdigit() for c in value)
    return _is_cell(value) and bool(is_near) and (has_number or value[2:4].find("県") >= 0)


def _is_numbered(value: str) -> bool:
    """Tell whether a cell is an address where its label may be one of other things too."""
    has_word = any("一" <= c <= "龠" for c in value)
    return has_word and _is_cell(value) and _HOUSE_NUMBER.search(value) is not None


_HOUSE_NUMBER = re.compile(rf"{_N}(?:丁目|番|条|線|号)|[0-9]{DASH}[0-9]|[町村字郷]?[0-9]{{1,4}}$")


def _is_cell(value: str) -> bool:
    """Tell whether a cell beside a label of addresses is one."""
    return _IS_ADDRESS.search(value) is not None and _NO_ADDRESS.search(value) is None


_CUED = (
    rf"{WIDE_GAP}\(?(?:〒?[0-9]{{3}}-?[0-9]{{4}}[ \n,]{{0,2}})?(?P<value>"
    rf"{_ADDRESS.pattern}|{_ISLAND.pattern}"
    rf"|(?:{PREFECTURE}[ ]?)?{_CITY}(?:(?!在住|に|で|より|から|の)[一-龠々ヶぁ-んァ"
    rf"-ヶー]){{0,14}}(?=[\s、。,;|)\"」在にでよか]|$)"
    rf"|{PREFECTURE}(?=[\s、。,;|)\"」]|$))"
)
_CODE_BEFORE = (
    rf"(?:〒?[0-9]{{3}}[ ]?{DASH}?[ ]?[0-9]{{4}}[ \n,)]{{1,3}})?+(?![0-9]{{3}}{DASH}[0-9]{{4}})"
)
_CUED_CELL = rf"(?:地|等)?[0-9]?(?:{WIDE_GAP}|は、?)\(?{_CODE_BEFORE}(?P<value>{_CELL})"
_AFTER_CODE = rf"[〒 :]{{0,4}}[0-9]{{3}}[ ]?{DASH}?[ ]?[0-9]{{4}}[ \n)、,|\"]{{0,6}}(?:住 ?所:?[ ]?)?(?P<value>{_CELL})"
_BEGINS_WITH_PLACE = re.compile(
    rf"{PREFECTURE}|(?:{_KANA_CITIES}|[一-龠ヶケ々]{{1,6}}?)(?:市|区|郡|町|村)[一-龠ぁ-んァ-ヶ0-9]"
)
_INSTITUTION = re.compile("科$|病院|医院|学校$|園$|会社|御中|骨折|単位")
_LATIN_END = (
    r"(?:(?:-(?:shi|ku|cho|machi|gun|mura|son|ken|fu|to|do|chome)|[ ](?:City|Ward|Town|Village|Pref"
    r"(?:ecture|\.)?))(?![A-Za-z]))"
)
_LATIN_CITY = re.compile(_LATIN_END)
_LATIN_REST = re.compile(
    rf"(?:[ ]?,[ ]?[A-Z][a-z'-]{{2,14}}(?:[ ][A-Z][a-z]{{2,12}})?{_LATIN_END}?"
    r"|[ ]?,?[ ]?[0-9]{3}-[0-9]{4}(?![0-9-])){0,5}"
)
_LATIN_START = re.compile(
    r"(?<![0-9A-Za-z.-])(?:(?:Room|Apt\.?|#|Unit|No\.)[ ]?[0-9A-Z]{1,5}[ ]?,?[ ])?#?[0-9]{1,4}(?:-[0-9]{1,4}){0,3}(?:-chome)?"
    r"(?:[ ]?,[ ]?|[ ])(?:(?:[A-Z][A-Za-z'-]{1,16}|[0-9]{1,4}(?:-[0-9]{1,4}){0,3})(?:[ ]?,[ "
    r"]?|[ ]))"
    r"{0,6}[A-Z][a-z]{1,14}\Z"
)


def _latin(text: str, place: int) -> tuple[int, int] | None:
    """Read an address in Latin letters around its -shi, -ku or City."""
    city = _LATIN_CITY.match(text, place)
    start = city and _LATIN_START.search(text, max(0, place - 64), place)
    rest = city and _LATIN_REST.match(text, city.end())
    return (start.start(), rest.end()) if start and rest else None


_OAZA = finder(
    rf"(?<![一-龠])大?字[一-龠ぁ-んァ-ヶー]{{1,8}}?(?:字[一-龠ぁ-んァ-ヶー]{{1,8}}?)?"
    rf"、?[0-9]{{1,5}}[ ]?(?:番地|{DASH}[0-9])(?:[0-9]{{0,4}})(?:[の-][0-9]{{1,4}})?{_NO_UNIT}"
)
_NUMBERS = "0123456789〇一二三四五六七八九十百"
_LATIN_CELL = (
    r"[ ]?[:=>][ ]?\"?(?P<value>(?=[^\n\0]{0,80}(?:-(?:shi|ku|cho|machi|gun)|Tokyo|Osaka|Kyoto|Japan|City))"
    r"(?:(?![0-9]{3}-[0-9]{4}(?!,))[A-Za-z0-9#.,' -]){8,100}(?<=[A-Za-z]))(?=[^A-Za-z-]|$)"
)
_NO_NUMBER_BEFORE = f"(?<!{_N})"  # 7番地 ends an address, it is no label of one
ADDRESS_RULES = (
    Rule("address", (Begin("大", "字"), Begin("字", "", "", "\n 。、:は「『(")), _OAZA, 15),
    Rule(
        "address",
        (
            *begins(("-shi", "-ku", "-cho", "-mac", "-gun", "-mur", "-son", "-ken", "-fu", "-to")),
            *begins((" Cit", " War", " Tow", " Vil", " Pre")),
        ),
        _latin,
        14,
    ),
    Rule(
        "address",
        (Begin(':>"', "", "", "県村ey"),),
        finder(
            r"(?:(?<=都道府県)|(?<=区町村)|(?<=市町村)|(?<=prefecture)|(?<=[Cc]ity)|(?<=State))"
            r"\"?[:>][ ]?\"?(?P<value>[一-龠ぁ-んァ-ヶー]{1,12}[都道府県市区町村])(?=[\s<\","
            r"、/|]|$)"
        ),
        15,
    ),
    Rule("address", begins(PREFECTURES), _from_prefecture, 14),
    Rule(
        "address",
        (
            *begins(("丁目", "番地", "番丁", "地割")),
            Begin("0123456789", "-‐‑‒–—―−﹣ーｰ番の", "0123456789"),
            Begin("一二三四五六七八九十百", "番", "一二三四五六七八九十百"),
        ),
        _around_number,
        14,
    ),
    Rule("address", (Begin("0123456789", "", "", "町字通下上入る村"),), _around_number, 14),
    Rule(
        "address",
        (
            *begins(("在住", "居住", "出身")),
            Begin(
                "にへよかので", "在住居独転り自一生出引てら", "住居む一宅人転活らん生まっ出入通来"
            ),
            Begin("の", "実アマ借団公県市戸持親ご家施", "家パン団営建ち戚自でに設"),
        ),
        _before_living,
        15,
    ),
    cued(
        "address",
        [*_ADDRESS_CUES.split(), *_SPACED_CUES, "address.text", "address.line"],
        f"(?:地)?{_CUED}",
        priority=6,
        before=_NO_NUMBER_BEFORE,
    ),
    cued(
        "address",
        [
            "生まれ",
            "出身",
            "住まい",
            "お住まい",
            *(set(_ADDRESS_CUES.split()) - _WEAK_CUES),
            *_SPACED_CUES,
            "address.text",
            "address.line",
        ],
        _CUED_CELL,
        _is_cell,
        priority=6,
        before=_NO_NUMBER_BEFORE,
    ),
    cued(
        "address",
        sorted(_WEAK_CUES),
        _CUED_CELL,
        _is_numbered,
        priority=6,
        before=_NO_NUMBER_BEFORE,
        has_digit=True,
    ),
    cued("address", ("〒", "郵便番号"), _AFTER_CODE, _is_place, priority=6),
    cued("address", ("Address", "address", "ADDRESS", "ADDR"), _LATIN_CELL, priority=5),
)
