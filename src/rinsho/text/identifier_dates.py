"""Dates of any calendar and form, and dates of birth beside their cue.

A year alone, `3日前`, a fraction and a murmur of 2/6 are no dates: month and day without a year
need their own characters (1月3日) or words around them (1/3 入院).
"""

from __future__ import annotations

import re

from rinsho.text.identifier_anchors import Begin, Rule, begins, cued, finder
from rinsho.text.identifier_patterns import DASH, GAP

DIGITS = "0123456789"
KANJI_DIGITS = "〇一二三四五六七八九十元"
_N = r"[0-9]{1,2}"
_K = f"[{KANJI_DIGITS}]{{1,4}}"
_ERA = r"(?:明治|大正|昭和|平成|令和|㍾|㍽|㍼|㍻|㋿|メイジ|タイショウ|ショウワ|ヘイセイ|レイワ|しょうわ|へいせい|れいわ)"
_SHORT_ERA = (
    r"(?<![A-Za-z0-9一-龠])(?:[\[(](?:[MTSHRmtshr]|[明大昭平令])[\])]"
    r"|(?:[MTSHRmtshr]|[明大昭平令])[.・]?)"
)
_WEST = r"(?:西暦[ ]?)?(?:18|19|20)[0-9]{2}"
_REMARK = r"(?:[ ]?\([^()\0\n]{1,9}\))?"
# 年 is left out after a short era's dot: R6.1.3
_YEAR = (
    rf"(?:{_WEST}|{_ERA}[ の]{{0,3}}(?:{_N}|{_K})|{_SHORT_ERA}[ ]?(?:{_N}|元)|[一二][〇八九"
    rf"][{KANJI_DIGITS[:10]}]{{2}})"
)
_SEPARATOR = rf"[ ]?(?:[./・_]|{DASH})[ ]?"
_END = r"(?![0-9])"
_DAY = rf"(?:[ 、]{{0,3}}(?:{_N}|{_K})[ ]{{0,3}}(?:日|ニチ|にち))"
_WRITTEN = (
    rf"{_YEAR}{_REMARK}[ ]{{0,3}}(?:年|ネン|ねん){_REMARK}(?:[ 、]{{0,3}}|\n|の)(?:{_N}|{_K})[ ]{{0,3}}(?:月|ガツ|がつ){_DAY}"
    rf"|{_YEAR}{_REMARK}[ ]?年{_REMARK}[ ]?{_N}[./]{_N}{_END}"
)
_FIGURES = rf"{_YEAR}{_REMARK}(?P<s>{_SEPARATOR}){_N}(?P=s){_N}日?{_END}(?!(?P=s)[0-9])"
_YEAR_MONTH = (
    rf"(?:(?:[HRS]|['’])[0-9]{{1,2}}|{_WEST})[./年][ ]?(?:0?[1-9]|1[0-2])月(?:[ ]?{_N}日)?|"
    rf"{_YEAR}{_REMARK}[ ]?年{_REMARK}[ ]?(?:{_N}|{_K})[ ]?月(?![0-9])"
)
_MONTHS = "(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[A-Za-z]{0,6}[.]?"
_ENGLISH = (
    rf"{_MONTHS}[ ]?{_N}(?:st|nd|rd|th)?,?[ ](?:19|20)[0-9]{{2}}{_END}"
    rf"|{_MONTHS}-{_N}-(?:19|20)[0-9]{{2}}{_END}|{_N}/{_MONTHS}/[0-9]{{2,4}}{_END}|{_N}-{_MONTHS}-[0-9]{{2}}{_END}"
    rf"|{_N}(?:st|nd|rd|th)?(?:[ ]of)?[ -]?{_MONTHS},?[ -]?(?:19|20)[0-9]{{2}}{_END}"
    rf"|(?:19|20)[0-9]{{2}}[ -]{_MONTHS}[ -]{_N}{_END}"
)
_DAY_FIRST = rf"{_N}(?P<t>[./-]){_N}(?P=t)(?:19|20)[0-9]{{2}}{_END}"
_MONTH_DAY_DIGITS = r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"(?:[01][0-9]|2[0-3])[0-5][0-9](?:[0-5][0-9])?"
_EIGHT = rf"(?:18|19|20)[0-9]{{2}}{_MONTH_DAY_DIGITS}(?=(?:T?{_CLOCK})?(?![0-9]))"
_SEVEN = rf"[1-9][ ]?-?[0-6][0-9]{_MONTH_DAY_DIGITS}(?![0-9])"  # 3500304: Showa 50
_SIX = rf"[MTSHRmtshr][ ]?[0-9]{{2}}{_MONTH_DAY_DIGITS}(?![0-9])"
_SPACED = r"(?:18|19|20)[0-9]{2}[ ](?:0?[1-9]|1[0-2])[ ](?:[12][0-9]|3[01]|0?[1-9])(?![0-9])"
_BOXED = r"[12](?:[ |]{1,2}[0-9]){7}(?![0-9])"  # one digit a box
_FULL = f"(?:{_WRITTEN}|{_FIGURES})"

_MONTH_DAY = rf"(?:{_N}[ ]?月[ ]?{_N}[ ]?日|{_K}月{_K}日)(?!間|分|後の)"
_SHORT_YEAR = (
    rf"['’]?[0-9]{{2}}(?P<u>[/.])(?:0?[1-9]|1[0-2])(?P=u)(?:[12][0-9]|3[01]|0?[1-9]"
    rf"){_END}(?![./][0-9])"
)
_SHORT_YEAR_DASH = r"['’][0-9]{2}-[0-9]{1,2}-[0-9]{1,2}(?![0-9-])"
_SLASH = r"(?:0?[1-9]|1[0-2])/(?:[12][0-9]|3[01]|0?[1-9])(?![0-9.%]|/[0-9])"
_EVENT = (
    "(?:入院|退院|手術|受診|来院|外来|再診|初診|転院|転棟|施行|採血|撮影|検査|紹"
    "介|搬送|発症|発熱|死亡|永眠|開始|中止|終了|再開|退職|訪問"
    "|面談|実施|予定|付|現在|時点|頃|ころ|ごろ|夜|朝|夕|昼|午前|午後|早朝|深夜|未"
    "明|より|から|まで|以降|以後|分娩|出産|出生|抜去|抜糸|抜管|挿管"
    "|挿入|投与|変更|増量|減量|CT|MRI|Xp|X-?P|US|UCG|ECG|EGD|CF|OP|ope|Ope|内視鏡"
    "|生検|血培|培養|透析|輸血|接種|説明|カンファ|再入院|再検|の|に|は)"
)
_SLASH_BEFORE = re.compile(
    r"(?:^|[\n。、,(:|\t~〜～「→\[【/@]|(?:予約|予定|外来|期日|締切|入院|退院|手術|受診|"
    r"来院|初診|再診|最終|前回|次回|採血|撮影|検査|発症|検体|OP|ope|本日|昨日"
    r"|翌日|同日|日付?|日時|施行|転院|搬送|開始|CT|MRI|XP|Xp)日?[ ]?[:は]?)[ ]{0,2"
    r"}(?:[-・#*●■◆▶>][ ]?)?\Z"
)
_SLASH_AFTER = re.compile(
    rf"[ ]?(?:{_EVENT}|です|でお|の件|を予定|[~〜～→]|{DASH}[ ]?[0-9]|\(?[月火水木金土日祝][)・,]|[0-9]{{"
    rf"1,2}}:[0-9]{{2}}|[0-9]{{1,2}}時)"
)
_FIRM_AFTER = re.compile(
    r"[ ]?(?:入院|退院|手術|受診|来院|外来|再診|初診|転院|施行|採血|撮影|搬送|発症"
    r"|より|から|まで|に(?:入院|退院|手術|受診|来院|発症|転院|施行|搬送"
    r"|発熱|出産|死亡|永眠|再入院|紹介|転倒|救急|当院|当科|分娩|開始|実施|採血|撮"
    r"影|抜|挿|CT|MRI|内視鏡)|[~〜～]|\(?[月火水木金土日祝][)・,]"
    r"|[0-9]{1,2}:[0-9]{2}|[0-9]{1,2}時|付|時点|以降|に(?:予約|来|採|行)|の(?:件|予約|受診|採血|CT|MRI|検査|外来|手"
    r"術|血液|X|胸|心|画像|夜|朝|夕)|CT|MRI|OP|ope|術|夜|朝|夕|早朝|午前|午後)"
)
_NOT_SLASH_BEFORE = re.compile(
    r"(?:[上中下左右約全各のが第]|PAGE:?|[Pp]age:?|頁:?|ページ:?|Levine|LVSD|度|grade|Grade|視力|収縮期|雑音|ス"
    r"コア|点|GCS|MMT|[0-9A-Za-z.]/?)[ ]?\Z"
)
_NOT_SLASH_AFTER = re.compile(
    r"[ ]?(?:の力|程度|以上|以下|量|に減|に増|倍|収縮|度|点|視野|錠|[A-Za-z]|例|人|名|"
    r"回|mg|が|ほど|未満|の量|くらい|弱|強|筋力|雑音)"
)


_YEAR_FIRST = re.compile(rf"(?:{_WEST}|{_ERA}|{_SHORT_ERA})")


def is_day(value: str) -> bool:
    """Tell whether the figures of a date are a month and a day.

    >>> [is_day(value) for value in ("R6.1.3", "3 Sep 2020", "1/45", "19500304", "2024年13月")]
    [True, True, False, True, False]
    """
    if re.fullmatch(_BOXED, value):
        return True
    figures = [int(n) for n in re.findall("[0-9]+", re.sub(r"\([^)]*\)", "", value))]
    if re.search(r"(?:[一二三四五六七八九十〇]|元)[ ]?年", value):
        figures.insert(0, 1)  # a year in kanji
    if re.match("[1-9][ .:・-]{1,3}[0-9]{2}[ ]*[.年-]", value):  # the era by its number
        return 1 <= figures[2] <= 12 and 1 <= figures[3] <= 31
    if not figures or figures[0] > 9_999 or re.match("[A-Za-z][ ]?[0-9]{6}", value):
        return True  # its digits or numerals were read one by one
    if re.search("[A-Za-z]{3}", value):
        return any(n <= 31 for n in figures)
    if len(figures) >= 3 and figures[2] > 31:  # 3/4/1950
        return min(figures[:2]) <= 12 and max(figures[:2]) <= 31
    if len(figures) >= 3:
        return 1 <= figures[1] <= 12 and 1 <= figures[2] <= 31
    if len(figures) == 2 and _YEAR_FIRST.match(value):
        return 1 <= figures[1] <= 12
    return len(figures) < 2 or (1 <= figures[0] <= 12 and 1 <= figures[1] <= 31)


_SLASH_DAY = re.compile(_SLASH)
_NO_FRACTION_AFTER = re.compile(r"[\s、。,;:()/\]」|~〜～→\0]|[ぁ-ん一-龠ァ-ヶ]|$|" + DASH)


def _slash_day(text: str, place: int) -> tuple[int, int] | None:
    """Read 1/3 as a day where the words around it say so."""
    match = _SLASH_DAY.match(text, place)
    if match is None or _NOT_SLASH_BEFORE.search(text, max(0, place - 8), place):
        return None
    end = match.end()
    if _NOT_SLASH_AFTER.match(text, end):
        return None
    month, day = map(int, match[0].split("/"))
    if month > day or (day > 10 and month != day):  # no common fraction
        return match.span() if _NO_FRACTION_AFTER.match(text, end) else None
    is_line_start = _SLASH_BEFORE.search(text, max(0, place - 12), place) is not None
    after = _SLASH_AFTER if is_line_start else _FIRM_AFTER
    if after.match(text, end):
        return match.span()
    is_range_end = re.compile(rf"[0-9]/[0-9]{{1,2}}[ ]?(?:[~〜～→]|{DASH})[ ]?\Z")
    if is_range_end.search(text, max(0, place - 8), place):
        return match.span()
    is_alone = is_line_start and text[end : end + 1] in " \n)\t:,、|。]】/"
    return match.span() if is_alone else None


_BARE_YEAR_MONTH = (
    rf"(?:(?:19|20)[0-9]{{2}}[./-]|(?:[HR]|S(?=[0-9]{{2}})){_N}[./])(?:0?[1-9]|1[0-2])(?![0-9./-])"
    rf"(?={_EVENT}|[ ]?(?:~|〜|～|→|$|\n|[一-龠]))(?!に?(?:倍|上|下|増|減))"
)
_ALONE = rf"(?:{_EIGHT}|[HRS][0-6][0-9]{_MONTH_DAY_DIGITS}(?![0-9A-Za-z])|{_SPACED})"
_NUMBERED = finder(
    rf"(?<![0-9A-Za-z.+])(?<![0-9]/)(?<![0-9]{DASH})(?:{_FULL}|{_DAY_FIRST}|{_YEAR_MONTH}|{_MONTH_DAY}"
    rf"|['’]?[0-9]{{2}}年{_N}月{_N}日(?!間)|{_SHORT_YEAR}|{_SHORT_YEAR_DASH}|{_ENGLISH}|{_BARE_YEAR_MONTH})",
    is_day,
)
_WORDED = finder(
    rf"(?:{_FULL}|{_YEAR_MONTH}|{_K}月{_K}日(?!間|分)|{_ENGLISH}"
    rf"|{_BARE_YEAR_MONTH})",
    is_day,
)
_FIND_ALONE = finder(rf"(?<![0-9A-Za-z.+-]){_ALONE}(?![A-SU-Z-])")

# ----------------------------------------------------------------------------------- birth

_birth_words = [
    "生年月日",
    "セイネンガッピ",
    "せいねんがっぴ",
    "PID-7",
    "PatientBirthDate",
    "(生",
    "生]",
    "誕生日",
    "出生日",
    "出生年月日",
    "出生日時",
    "出生年月日時",
    "生年\n月日",
    "生年",
    "DOB",
    "dob",
    "Dob",
    "DoB",
    "D.O.B.",
    "D.O.B",
    "Birthday",
    "birthday",
    "BIRTHDAY",
    "Birthdate",
    "birthdate",
    "BIRTHDATE",
    "birthDate",
    "birth_date",
    "BirthDate",
    "BirthDay",
    "birthTime",
    "date_of_birth",
    "dateOfBirth",
    "DateOfBirth",
    "誕生",
    "出生",
    "生年月",
    "お誕生日",
    "お生まれ",
    "生まれた日",
    "生まれ年",
    "生まれ",
    "生月日",
    "年月日(生",
    "Born",
    "born",
    "Born on",
    "born on",
    "BORN",
    "BD",
    "B.D.",
    "BDAY",
    "bday",
    "生誕日",
    "誕生年月日",
    "バースデー",
    "バースデイ",
    "ご生年月日",
    "生日",
    "birthTime出生年月",
    "birth",
    "Birth",
    "BIRTH",
    "生年月日時",
    "ご誕生日",
    "患者生年月日",
    "PatientBirthDate",
    "birth_day",
    "生年月日は",
]
_birth_words += [
    " ".join("生年月日"),
    "  ".join("生年月日"),
    "生年 月日",
    "生 年月日",
    "生年月 日",
    " ".join("誕生日"),
]
_birth_words += [one + end for one in ("Date of Birth", "date of birth") for end in ("", ",")]
_birth_words += [
    "Date of birth",
    "DATE OF BIRTH",
    "Birth date",
    "birth date",
    "Birth Date",
    "Date Of Birth",
]
_BIRTH_YEAR = rf"(?:{_WEST}|{_ERA}[ ]?(?:{_N}|{_K}))[ ]?年"
_ANY_BIRTH = (
    rf"(?:{_FULL}|{_DAY_FIRST}|{_ENGLISH}|{_YEAR_MONTH}|{_EIGHT}|{_SPACED}|{_SEVEN}|{_SIX}|{_BOXED}"
    rf"|['’]?[0-9]{{2}}(?P<v>[./-])[0-9]{{1,2}}(?P=v)[0-9]{{1,2}}(?![0-9/])"
    rf"|(?:[1-9][ .:・-]{{1,3}})?[0-9]{{1,2}}[ ]{{0,3}}年[ ]{{0,3}}{_N}[ ]{{0,3}}月[ ]{{0,3}}{_N}[ ]{{0,3}}日"
    rf"|(?:{_WEST}|{_ERA}[ |]?{_N}|{_SHORT_ERA}[ ]?{_N})[ ./|-]{_N}[ ./|-]{_N}(?![0-9])"
    rf"|{_MONTH_DAY}|{_BIRTH_YEAR}|[1-9]-?[0-9]{{2}}[.-][0-9]{{2}}[.-][0-9]{{2}}|{_SLASH})"
)
_CHOICE = r"[0-9]?[.:]?[○◯(□■☑☐✓レ]?(?:明治?|大正?|昭和?|平成?|令和?|西暦|[MTSHR㊐㊞])[)○◯]?"
_ERA_CHOICE = (  # 明・大・昭・平, 1.明治 2.大正 3.昭和, with a ring around one
    rf"(?:[(\[]?(?:(?:{_CHOICE}[・･/、, ]{{1,3}}){{2,5}}(?:{_CHOICE})?"
    rf"|{_CHOICE}[ ]?[・･/、,][ ]?{_CHOICE})[)\]]?[ ]?)?"
)
_BEFORE_BORN = re.compile(
    rf"(?:{_FULL}|{_DAY_FIRST}|{_YEAR_MONTH}|{_N}年{_N}月{_N}日|{_MONTH_DAY}|{_BIRTH_YEAR})(?=[ ]?(?:"
    rf"\([^()\0\n]{{1,12}}\))?(?:[、に]?(?:第[0-9一二三四]子|[0-9]{{3,4}}g|[0-9]{{1,2}}時[0-9]{{0,2}}分?)?(?:として|で|に)|が)?[ ]?\Z"
    rf"|[、に ][^。\n\0]{{1,24}}(?:として|で|て)\Z)"
)
_BORN = re.compile(
    r"生(?:まれ|れ|の(?=[男女児患方人])|(?![ぁ-ん一-龠]|[ ]{1,3}年))|出生|誕生|うまれ"
)


def _born(text: str, place: int) -> tuple[int, int] | None:
    """Read the date before 生まれ."""
    if _BORN.match(text, place) is None:
        return None
    is_beside = text[place - 1] not in "がでに"
    for match in _BEFORE_BORN.finditer(text, max(0, place - 48), place):
        if text[place] != "出" and (
            match.end() + 8 < place or (not is_beside and "日" not in match[0])
        ):
            continue  # 1943年に誕生した: as often a company
        if match.end() + 28 >= place and is_day(match[0]):
            return match.span()
    return None


_CUED_DATE_WORDS = (
    "日付 手術予定 OP日 次回受診 使用期限 年月日 検査日 撮影日 入院日 退院日 手術日 受診日 初診日 採取日 採血日 "
    "依頼日 報告日 記載日 作成日 発症日 施行日 実施日 来院日 処方日 投与日"
    " 転院日 紹介日 診察日 死亡日 接種日 予約日 記録日 登録日 更新日 発行日 交付"
    "日 植込み日 植込日 診断日 搬送日 面談日 同意日 有効期限 Date date"
    " DATE 入院 退院 手術 検体採取日 読影日 測定日 訪問日 透析日 出産日 予定日 分"
    "娩予定日 最終月経 日時"
)


_IN_FIGURES = (
    rf"{_EIGHT}|(?:19|20)[0-9]{{2}}[./-](?:0?[1-9]|1[0-2])(?![0-9./-])|[0-9]{{2}}[-.][0-9]{{1,2}}[-.][0-9]{{1,2}}(?![0-9.-])|{_SLASH}"
    rf"|[MTSHR][0-9]{{6}}(?![0-9])|[0-9]{{2}}{_MONTH_DAY_DIGITS}(?![0-9A-Za-z.-])"
)
_BEFORE_AGE = re.compile(rf"(?P<value>{_FULL})[ ]?[(、,/|\t ]{{1,3}}満?[0-9]{{1,3}}[ ]?\Z")
_AFTER_AGE = re.compile("[歳才](?!時|で|に|の時|頃|ごろ|から|より|まで|の頃|未満|以)")
_BEFORE_SEX = re.compile(rf"(?P<value>{_FULL})生?[、,/|\t ]{{1,3}}\Z")
_AFTER_SEX = re.compile(
    rf"(?:[男女]性?|[MF])[、,/|\t ]{{1,3}}(?P<value>{_FULL}|{_EIGHT})(?=生|[ ]?[\n,|\t]|[ ]?\(?[0-9]{{1,3}}[歳才]|$)"
)
_SEX = re.compile(r"[男女]性?(?![一-龠ぁ-ん])|[MF](?![A-Za-z0-9])")


def _before_age_or_sex(text: str, place: int) -> tuple[int, int] | None:
    """Read a full date beside an age or a sex as a date of birth: 1950/3/4 (75歳), 女 1950/3/4."""
    is_age = text[place] in "歳才"
    if not (_AFTER_AGE if is_age else _SEX).match(text, place):
        return None
    if not is_age and (after := _AFTER_SEX.match(text, place)):
        return after.span("value") if is_day(after["value"]) else None
    before = _BEFORE_AGE if is_age else _BEFORE_SEX
    match = before.search(text, max(0, place - 32), place)
    return match.span("value") if match and is_day(match["value"]) else None


DATE_RULES = (
    Rule(
        "birth_date",
        (Begin("歳才", "", "", DIGITS + " "), Begin("男女MF", "", "", " ,、/|\t\n(")),
        _before_age_or_sex,
        6,
    ),
    cued(
        "birth_date",
        _birth_words,
        rf"(?:[ ]{{0,2}}\(?(?:元号|年号|和暦|西暦)\)?|[ ]?\)|等|[/・][一-龠]{{2}}|\[[0-9]{{1,3}}歳\]|を(?:伺|聞|尋|確認)[^0-9\n\0]{{0,8}}?)?{GAP}(?:満?[0-9]{{1,3}}[ ]?[歳才][ ]?)?\(??{_ERA_CHOICE}(?P<value>{_ANY_BIRTH})",
        is_day,
        priority=2,
        before=r"(?<![日月年0-9](?=[生出誕]))(?<![日月年0-9]に(?=[生出誕]))",
    ),
    cued(
        "birth_date",
        ["生 ", "生)", "(生", "生:", "b."],
        rf"[ :)\]]{{0,3}}(?P<value>{_FULL})",
        is_day,
        priority=3,
        before=r"(?<![一-龠ぁ-んァ-ヶA-Za-z])",
        has_digit=True,
    ),
    Rule(
        "birth_date",
        (Begin("生", "12明大昭平令MTSHR"),),
        finder(rf"(?<![一-龠ぁ-んァ-ヶA-Za-z])生(?P<value>{_FULL})", is_day),
        3,
    ),
    Rule(
        "birth_date",
        (Begin(",", "12", ","),),
        finder(
            rf"(?<=[一-龠ぁ-んァ-ヶ]),[12],(?P<value>{_FULL}|{_EIGHT}|{_SIX})(?=,|\n|$)", is_day
        ),
        6,
    ),
    Rule("birth_date", (Begin("生出誕う", "", "", "日年月分時) 0123456789がでてに"),), _born, 3),
    Rule("date", (Begin(DIGITS), Begin("'’", DIGITS)), _NUMBERED, 7),
    Rule(
        "date",
        (
            Begin("明大昭平令㍾㍽㍼㍻㋿MTSHRmtshr西"),
            *begins(["メイジ", "タイショ", "ショウワ", "ヘイセイ", "レイワ"]),
            Begin("[(", "明大昭平令MTSHR", ")]・."),
        ),
        _WORDED,
        7,
    ),
    Rule(
        "date",
        (Begin("12", "089", "0123456789"), Begin("HRS", "0123456", "0123456789")),
        _FIND_ALONE,
        13,
    ),
    Rule("date", (Begin("一二三四五六七八九十", "〇一二三四五六七八九十月"),), _WORDED, 8),
    Rule("date", (Begin("JFMASOND", "aepucoAEPUCO", "nbrylgptvcNBRYLGPTVC"),), _WORDED, 8),
    Rule("date", (Begin("0123456789", "/0123456789"),), _slash_day, 12),
    cued("date", _CUED_DATE_WORDS.split(), rf"{GAP}\(?(?P<value>{_IN_FIGURES})", priority=8),
)
