"""How to reach somebody: telephone, postal code, mail, URL."""

from __future__ import annotations

import re

from rinsho.text.identifier_anchors import Begin, Rule, begins, cued, finder, first_of
from rinsho.text.identifier_patterns import DASH, DASHES, GAP, PREFECTURE

_DIGITS = "0123456789"
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

# ------------------------------------------------------------------------------ telephone

_JOINT = rf"(?:[ ]?(?:{DASH}|[._・])[ ]?|{DASH}\n|\n{DASH}|局の?|番|の|[ ]{{1,2}}|[ ]?{DASH}?\([ ]?|[ ]?\)[ ]?{DASH}?[ ]?)"
_ABROAD = r"\(?(?:\+[ ]?|00|010-?)81\)?[ ]?[-. ]?[ ]?(?:\(0\)[ ]?)?(?:[1-9][0-9]{0,3}|\(0?[1-9][0-9]{0,3}\))"
_FREE = (  # a call that costs nothing
    rf"\(?0(?:120|800|570|990)\)?(?:{DASH}|[ ])?[0-9]{{2,3}}(?:{DASH}|[ ])?[0-9]{{3,4}}"
)
_AREA = rf"(?:{_ABROAD}|\([ ]?(?:{_ABROAD}|0[1-9][0-9]{{0,3}})[ ]?\)|0[1-9][0-9]{{0,3}})"
_GROUPS = rf"{_AREA}(?:{_JOINT}|(?<=\)))[0-9]{{1,4}}{_JOINT}[0-9]{{3,4}}"
_NUMBER = (
    rf"(?:{_FREE}|{_GROUPS}|0[5-9]0{_JOINT}?[0-9]{{4}}{_JOINT}?[0-9]{{4}}"
    rf"|0[1-9][0-9]{{8,9}}|\+81[0-9]{{9,10}})"
)
_BOXED = rf"0(?:[ |]{{1,2}}(?:{DASH}[ |]{{1,2}})?[0-9]){{9,10}}"  # one digit a box
_LOCAL = rf"[0-9]{{2,4}}{_JOINT}[0-9]{{4}}番?"
_SLASHED = r"0[0-9]{1,3}(?P<bar>[/|→])[0-9]{1,4}(?P=bar)[0-9]{4}"
_FOREIGN = rf"\+[1-9][0-9]{{0,2}}(?:[ ]?{DASH}?[ ]?[0-9]{{2,4}}){{2,4}}"
_SPOKEN = "(?:の、?|、の?)"  # 080の1234、5678
_MOBILE_SPOKEN = rf"0[5-9]0{_SPOKEN}[0-9]{{4}}{_SPOKEN}[0-9]{{4}}"
_WAVED = r"0[0-9]{1,3}[~〜～][0-9]{2,4}[~〜～][0-9]{4}"
_KANJI_DIGIT = "[〇一二三四五六七八九零]"
_MOBILE_IN_KANJI = rf"[〇零][五六七八九][〇零](?:{DASH}|{_SPOKEN})?{_KANJI_DIGIT}{{4}}(?:{DASH}|{_SPOKEN})?{_KANJI_DIGIT}{{4}}"
_IN_KANJI = rf"[〇零]{_KANJI_DIGIT}{{1,3}}(?:{_JOINT}|{_SPOKEN}){_KANJI_DIGIT}{{1,4}}(?:{_JOINT}|{_SPOKEN}){_KANJI_DIGIT}{{3,4}}"
_NOT_INSIDE = (
    rf"(?<![0-9A-Za-z_+.#])(?:(?<![0-9][/,])|(?=0[0-9]{{1,3}}{DASH}[0-9]{{2,4}}{DASH}[0-9]{{4}}))"
    rf"(?<![0-9]{DASH})"
)
_NOT_LONGER = rf"(?![0-9A-Za-z])(?!{DASH}[0-9])(?![.,][0-9])"
_PHONE_CUES = (
    "TEL Tel tel FAX Fax fax ファックス ファクス ファクシミリ ﾌｧｯｸｽ 電話 携帯 連絡先 直通 ℡ ☎ 📞 📱 ✆ ☏ Phone phone"
    " Mobile mobile Cell cell 自宅 実家 緊急時 緊急 ケータイ ｹｰﾀｲ スマホ ｽﾏﾎ 代表 telecom value home work"
    " mobile_phone phoneNumber phone_number PhoneNumber telephone Telephone T F M でんわ 電 固定 自宅電話"
    " 呼出 呼び出し 転送 Emergency emergency 国外連絡先 問合せ先 問い合わせ先 問合先 お問合せ お問い合わせ 連絡用 日中 夜間 時間外 職場 勤務先"
    " PHS デンワ テレフォン contact Contact tel_no telNo 折り返し 折返し コールバック"
)
_LABEL_REST = (
    r"(?:番 ?号|電 ?話|先|No[.]?|NO[.]?|携帯|自宅|勤務先|職場|[/・&､、][ ]?(?:FAX|TEL|電話|携帯)|[.]|[①-⑩0-9](?=[ :]))"
    r"{0,3}+"
)
_CUED_PHONE = (
    rf"{_LABEL_REST}(?:\((?![0+])[^()\0\n]{{1,12}}\))?{GAP}(?:\((?![0+]))?(?:tel:|TEL:|Tel:)?"
    rf"(?P<value>{_NUMBER}|{_MOBILE_SPOKEN}|{_WAVED}|{_LOCAL}|{_BOXED}|{_SLASHED}|{_FOREIGN}|{_IN_KANJI}|81(?:{DASH}[0-9]{{1,4}}){{3}})(?![0-9])(?!{DASH}[0-9])(?!\.[0-9])"
)
# A dialogue: the words of the question stand between the cue and the number.
_ASKED = rf"番号[はを][^\n\0]{{0,24}}?(?P<value>{_MOBILE_SPOKEN}|{_LOCAL}|{_NUMBER})(?![0-9])(?!{DASH}[0-9])(?=[ ]?(?:です|だ|で|に|」|、|。|$))"
_EXTENSION_CUES = "内線 PHS phs Phs ピッチ ポケベル ext Ext EXT (内) (内"
_EXTENSION = (
    rf"(?:番号|No|ension)?[.]?{GAP}(?P<value>[0-9]{{3,6}}(?:{DASH}[0-9]{{3,5}})?)"
    rf"(?![0-9.])(?!{DASH}[0-9])"
)


_MORE = re.compile(
    rf"[、,/・][ ]?(?P<value>(?:[0-9]{{2,4}}{DASH})?[0-9]{{4}})(?![0-9])(?!{DASH}[0-9])"
)
_AFTER_PHONE = re.compile(r"(?:TEL|Tel|FAX|Fax|電話|携帯|連絡先|℡|☎)[^\0\n]{0,8}\0+\Z")


def _one_more(text: str, place: int) -> tuple[int, int] | None:
    """Read the end of a second number beside one that is masked: TEL 03-1234-5678、5679."""
    match = _MORE.match(text, place)
    if match is None or not _AFTER_PHONE.search(text, max(0, place - 40), place):
        return None
    return match.span("value")


_TWO_DIGITS = re.compile(r"\(?0[26]\)?[^0-9]?[0-9]{4}[^0-9]")


def _is_phone(value: str) -> bool:
    """Tell whether a number has as many digits as its kind has.

    >>> [_is_phone(n) for n in ("03-1234-5678", "090 1234 5678", "05 1234 56789")]
    [True, True, False]
    """
    digits = "".join(c for c in value if c in _DIGITS)
    if "+" in value or digits.startswith(("0081", "01081")):
        return 10 <= len(digits) <= 16
    if digits.startswith(("020", "060")) and _TWO_DIGITS.match(value):  # 06-0123-4567
        return len(digits) == 10
    if digits.startswith(("050", "070", "080", "090", "020", "060")):
        return len(digits) == 11
    return len(digits) == 10 or (len(digits) == 11 and digits.startswith("0800"))


def _is_cued_phone(value: str) -> bool:
    if value[0] in "123456789〇零" or re.fullmatch(
        rf"{_LOCAL}|{_FOREIGN}", value
    ):  # a local number, or one in kanji
        return True
    return _is_phone(value) or 9 <= sum(c in _DIGITS for c in value) <= 12


# ---------------------------------------------------------------------------- postal code

_CODE = rf"[0-9]{{3}}[ ]?(?:{DASH}\n?|\n{DASH}|[ ・_の./|~〜～])[ ]?[0-9]{{4}}"
_BOXES = (  # one digit a box
    rf"[0-9](?:[ |]{{1,3}}[0-9]){{2}}[ |]{{0,3}}(?:{DASH}|の)?[ |]{{0,3}}[0-9](?:[ |]{{1,3}}[0-9]){{3}}"
)
_KANJI_CODE = r"[〇一二三四五六七八九]{3}(?:[‐-―−ー－の-])?[〇一二三四五六七八九]{4}"
_ANY_CODE = rf"(?:{_CODE}|[0-9]{{7}}|{_BOXES}|{_KANJI_CODE})(?![0-9A-Za-z])(?!{DASH}[0-9])"
_BEFORE_PLACE = (
    rf"(?=[ \t\n,|\"'、):\])」]{{0,4}}+(?:(?:住 ?所|所在地):?[ ]?)?(?:{PREFECTURE}|[一-龠々ヶケ]{{1,6}}[市区郡]"
    rf"|[A-Z0-9][A-Za-z0-9, -]{{2,40}}-(?:shi|ku|cho|machi|gun)))"
)
_BARE_CODE = (
    rf"(?<![0-9A-Za-z.])(?<!{DASH})(?:[0-9]{{3}}{DASH}[0-9]{{4}}(?!{DASH}|[0-9])"
    rf"(?:{_BEFORE_PLACE}|(?=,?[ ]?(?:JAPAN|Japan|JPN|日本)))"
    rf"|[0-9]{{7}}(?=[ \t,|\"']{{1,4}}+{PREFECTURE}))"
)
_AFTER_LATIN = re.compile(
    r"(?:-(?:shi|ku|cho|machi|gun|mura|ken|fu|to)|[Cc]ity|Tokyo|Osaka|Kyoto|Hokkaido|Japan|JAPAN|JP"
    r"|[A-Z][a-z]{3,10}[ ]?,[ ]?[A-Z][a-z]{3,10})[ ]?,?[ ]\Z"
)
_AFTER_PLACE = re.compile(r"[市区町村郡][^\n。]{1,40}[0-9号室階棟番地荘館F][ ,、]{0,2}\(?\Z")
_LATIN_CODE = re.compile(rf"[0-9]{{3}}{DASH}[0-9]{{4}}(?!{DASH}|[0-9A-Za-z])")


def _after_place(text: str, place: int) -> tuple[int, int] | None:
    """Read the code that ends an address: 栄町4-10-9 (965-0034), Sakae-cho, Tokyo 100-0001."""
    if text[place - 1 : place] not in " (,、" or text[place + 3 : place + 4] not in DASHES:
        return None
    match = _LATIN_CODE.match(text, place)
    if match and _AFTER_PLACE.search(text, max(0, place - 52), place):
        return match.span()
    found = match and _AFTER_LATIN.search(text, max(0, place - 30), place)
    return match.span() if match and found else None


_POSTAL_CUES = (
    "郵便番号 郵便 〒番号 郵便No ZIP Zip zip ZipCode zipcode zip_code zipCode ZIPCODE postalCode postal_code"
    " PostalCode postalcode POSTAL postcode Postcode postCode post_code Postal postal ゆうびん ゆうびん番号 ゆうびんばんごう ユウビンバンゴウ 郵便物 郵便物送付先 郵送先 ユウビン ユウビン番号 JP"
)

_POSTAL_REST = (
    rf"(?:[ _]?(?i:code|no)|コード|番号)?\.?{GAP}(?:No[.]?)?[〒(]?[ ]?(?P<value>{_ANY_CODE})"
)

# --------------------------------------------------------------------------- mail and URL

_AT = re.compile(
    r"[ ]?(?:[@★☆◎※●]|アットマーク)[ ]?|[ ]?(?:[(\[<{〔【](?:at|AT|At|a|@|アット|あっと"
    r"|アットマーク|あっとまーく)[)\]>}〕】]"
    r"|_at_)[ ]?"
    r"|[ ](?:at|AT|アットマーク)[ ]"
)
_DOT = r"(?:\.|[ ]?(?:\((?:dot|DOT|ドット)\)|\[dot\]|(?<= )dot(?= ))[ ]?)"
_LOCAL_PART = re.compile(r"(?:[A-Za-z0-9._%+'!#$&*/=?^~-]{1,64}|\"[^\"\n\0]{1,64}\")\Z")
_HOST = re.compile(
    rf"[A-Za-z0-9_-]{{1,63}}(?:{_DOT}[A-Za-z0-9-]{{1,63}}){{1,6}}"
    r"|\[(?:[0-9]{1,3}\.){3}[0-9]{1,3}\]|[0-9A-Za-zぁ-んァ-ヶー一-龠-]{1,30}\.(?:jp|com|net|org)"
)
_URL_REST = r"(?:(?![<>\"'`]|,(?![0-9a-z])|//|/(?:FAX|TEL|Tel|Fax|ADDR|[Ee]-?[Mm]ail|mail|post_?code|zip|my_?number|ID|PID|[Nn]ame|DOB)[ ]?[:=])[!-~]){0,400}(?<=[A-Za-z0-9/=_~#-])(?:/(?=/))?"
_URL = (
    rf"(?<![A-Za-z])(?:[hH](?:[tT]{{2}}|xx|\*\*)[pP][sS]?|ttps?|ftp):[ ]?//{_URL_REST}"
    rf"|(?<![A-Za-z0-9.@])[wW]{{3}}\.[A-Za-z0-9-]{{1,63}}\.{_URL_REST}"
)
_TOP = re.compile(
    r"\.(?:jp|com|net|org|info|edu|gov)(?![A-Za-z0-9@-])(?:/[!-~]{0,400}[A-Za-z0-9/=_~#-])?"
)
_BARE_HOST = re.compile(r"(?<![A-Za-z0-9.@/_-])[A-Za-z0-9][A-Za-z0-9.-]{1,80}\Z")


def _mail(text: str, place: int) -> tuple[int, int] | None:
    """Read a mail address around its at sign."""
    at = _AT.match(text, place)
    host = at and _HOST.match(text, at.end())
    local = _LOCAL_PART.search(text, max(0, place - 64), place)
    if not host or not local or not (host[0][-1] == "]" or host[0][-2:].isalpha()):
        return None
    start = local.start()
    for mark in "/=?":  # Mail/taro@, mailto:?to=taro@
        start = max(start, text.rfind(mark, start, place) + 1)
    while start < place and not text[start].isalnum() and text[start] not in '._+-"':
        start += 1
    return (start, host.end()) if start < place else None


def _bare_host(text: str, place: int) -> tuple[int, int] | None:
    """Read an address on the web without its scheme around the top of its domain."""
    top = _TOP.match(text, place)
    host = top and _BARE_HOST.search(text, max(0, place - 80), place)
    return (host.start(), top.end()) if top and host else None


CONTACT_RULES = (
    Rule(
        "url",
        (*begins(("http", "HTTP", "Http", "hxxp", "h**p", "ttp", "ftp")), Begin("wW", "wW", "wW")),
        finder(_URL),
        0,
    ),
    Rule(
        "mail",
        (Begin("@★"), Begin("☆◎※●", _LETTERS), Begin("([<{〔【", "aAア@あ", "tT)ッっ])")),
        _mail,
        1,
    ),
    Rule(
        "mail", (Begin(" ", "@"), Begin("_ ", "aAア", "tTッ"), Begin(" ", "([<", "aAア")), _mail, 1
    ),
    Rule("url", begins((".jp", ".com", ".net", ".org", ".inf", ".edu", ".gov")), _bare_host, 3),
    Rule("postal_code", begins("〒〠〶"), finder(rf"[〒〠〶]{_POSTAL_REST}"), 4),
    cued(
        "postal_code",
        [*_POSTAL_CUES.split(), "郵 便 番 号", "郵便 番号", "郵 便", "郵便  番号"],
        _POSTAL_REST,
        priority=4,
        has_digit=False,
    ),
    Rule(
        "postal_code",
        (Begin(_DIGITS, _DIGITS, _DIGITS, "\n 　,、(|\t\":・。]」>/;=)*■●'^※◆◇★☆▼▶〒◎→【『"),),
        first_of(finder(_BARE_CODE), _after_place),
        9,
    ),
    Rule(
        "postal_code",
        (Begin("Tテ", _DIGITS, _DIGITS),),
        finder(
            rf"(?<![A-Za-zァ-ヶ])[Tテ](?P<value>[0-9]{{3}}[ ]?{DASH}[ ]?[0-9]{{4}})(?![0-9]){_BEFORE_PLACE}"
        ),
        4,
    ),
    Rule(
        "phone",
        (
            Begin("0", "123456789"),
            Begin("(", "0", "123456789"),
            Begin("(", " ", "0"),
            Begin("+", "8 "),
            Begin("0", "0", "8"),
        ),
        finder(_NOT_INSIDE + _NUMBER + _NOT_LONGER, _is_phone),
        11,
    ),
    cued(
        "phone",
        [*_PHONE_CUES.split(), "電 話", "電  話", "携 帯", "連 絡 先"],
        _CUED_PHONE,
        _is_cued_phone,
        priority=8,
        has_digit=True,
    ),
    cued(
        "phone",
        ("番号",),
        rf"{GAP}(?P<value>{_NUMBER})(?![0-9])(?!{DASH}[0-9])",
        _is_phone,
        priority=8,
        before=r"(?<![一-龠ァ-ヶ])",
        has_digit=True,
    ),
    Rule("phone", (Begin("、,/・", _DIGITS + " ", _DIGITS, "\0"),), _one_more, 8),
    Rule(
        "phone",
        (Begin("〇零", "五六七八九", "〇零"), Begin("0", "56789", "0")),
        finder(rf"(?<![0-9〇零])(?:{_MOBILE_IN_KANJI}|{_MOBILE_SPOKEN})(?![0-9〇零])"),
        10,
    ),
    cued("phone", ("電話",), _ASKED, _is_cued_phone, priority=8, has_digit=True),
    cued("phone", _EXTENSION_CUES.split(), _EXTENSION, priority=8, has_digit=True),
)
