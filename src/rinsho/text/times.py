"""Time expressions of clinical Japanese: dates, hours, 3日前, 術後5日目, 入院時, durations.

A readable grammar, each rule with its examples. Borders follow `docs/annotation.md`: the shortest
phrase, without the particle behind it (から, に) and without approximate words (約, 頃).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rinsho.text.quantities import without_overlaps
from rinsho.text.spans import Span

_N = r"(?:\d{1,4}|数|半|[一二三四五六七八九十]{1,3})"
_MONTHS = r"(?:[かヶケカヵ箇ヵ]月)"
_UNIT = rf"(?:秒|分|時間|日|週間?|{_MONTHS}間?|年間?|晩|クール|コース)"
_TO = r" ?[〜~～-] ?"
_COUNT = rf"(?:{_N}(?:(?:{_TO}|、|,){_N})?{_UNIT}半?|半(?:日|年|月))"
_YEAR = (
    r"(?:(?:令和|平成|昭和|大正|[RHS](?=\d{1,2}[年./]))(?:\d{1,2}|元)年?"
    r"|(?:19|20)(?:\d\d|[XxY]{2}|\d[XxY])(?: ?[-+−] ?\d{1,2})?年|[XY](?: ?[-+−] ?\d{1,2})?年"
    r"|(?:19|20)\d\d(?=[./-]\d{1,2}[./-]))"
)
_PART = r"(?:初旬|上旬|中旬|下旬|初め|末|頭)"
_OF_DAY = (
    r"(?:午前中?|午後|早朝|未明|明け方|朝方?|昼(?:前|過ぎ|頃)?|夕方|夕刻?|夜(?:間|中|半)?|深夜|晩)"
)
_CLOCK = r"(?:[01]?\d|2[0-4])(?:時(?!間)(?:[0-5]?\d分|半)?|:[0-5]\d(?!\d))"
_WEEKDAY = r"(?: ?\([月火水木金土日祝]\))"
_DATE = (
    rf"(?:{_YEAR}[./-]?)?(?:(?:1[0-2]|0?[1-9])月(?:(?:3[01]|[12]\d|0?[1-9])日|{_PART})?)(?!間)"
    r"|(?<![\d.])(?:19|20)\d\d([./-])(?:1[0-2]|0?[1-9])\1(?:3[01]|[12]\d|0?[1-9])(?!\d)"
    r"|(?<![A-Za-z])[RHS]\d{1,2}[./](?:1[0-2]|0?[1-9])(?:[./](?:3[01]|[12]\d|0?[1-9]))?(?!\d)"
    rf"|{_YEAR}(?:{_PART}|春|夏|秋|冬|度)?"
)
# 3/5 is a date only beside a word that says so: strength, blood pressure and fractions look alike.
_SLASHED = (
    r"(?<![\d/.])(?<!\d:)(?:1[0-2]|0?[1-9])/(?:3[01]|[12]\d|0?[1-9])(?![\d/])"
    rf"(?={_WEEKDAY}|[〜~]"
    r"| ?(?:に|から|より|まで|頃|の(?!み|強)|以降|朝|夕|夜|入院|退院|受診|来院|当院|施行))"
)
_EVENT = (
    r"(?:入院|退院|転院|転棟|入室|退室|術|手術|初診|初回|受診|来院|救急搬送|搬送|到着|発症|発病|発作|受傷"
    r"|診断|告知|投与|内服|服薬|服用|使用|治療|化学療法|放射線治療|照射|移植|透析|開始|導入|中止|終了|終診"
    r"|増量|減量|変更|挿管|抜管|出生|分娩|出産|産|閉経|月経|破水|接種|曝露|飲酒|食事|食|検査|造影|再発|死亡)"
)
_TURN = r"(?:直後|直前|前日|前後|後|前|時|当日|翌日|翌朝|当初|早期|急性期)"
_OTHER_WORD = r"(?!の?痛|間|期間|症候群|遺症)"
_LATER = rf"(?:(?:第)?{_N}(?:病日目?|日目?|週(?:間|目)?|{_MONTHS}目?|年(?:目)?)(?!間?[前間]))"
_WHEN = (
    r"(?:本日|今日|明日|明朝|明後日|昨日|一昨日|昨夜|昨晩|昨夕|昨朝|今朝|今夜|今晩|今夕|今回入院時"
    r"|翌日|翌朝|翌週|翌月|翌年|翌々日|前日|前夜|前日夜|当日|同日|同月|同年|同夜|同時期"
    r"|先週|先々週|先月|先々月|昨年|一昨年|今年|本年|来週|再来週|来月|来年|今週|今月|毎朝|毎晩"
    r"|現時点|近年|最近|以前|年末|年始|幼少[時期]|幼児期|乳児期|学童期|小児期|思春期|青年期|成人期"
    r"|新生児期|周術期|周産期|早朝|未明|明け方|夕方|夕刻|深夜|夜中|正午|日中)"
)

_RULES = (
    # 2024年3月5日, 令和6年3月上旬, X年5月, 2024/3/5, 10月3日(火) 朝
    rf"(?:{_DATE}|{_SLASHED}){_WEEKDAY}?(?: ?(?:の)?{_OF_DAY})?(?: ?{_CLOCK})?",
    # 午前10時30分, 夜9時, 10:30
    rf"(?:{_OF_DAY} ?)?(?<![\d:.]){_CLOCK}",
    # 昨日の夕方, 翌朝, 本日 10:30
    rf"{_WHEN}(?:(?:の)?{_OF_DAY})?(?: ?{_CLOCK})?",
    # 3日前, 約2週間後, 数年前の春
    rf"(?<![\d.]){_COUNT}(?:以上|程度|ほど|くらい|ぐらい)?(?:前|後|以内|以降)(?![方壁面傾者脚胸腕])",
    # 術後5日目, 発症後3ヶ月, 入院第3病日, 入院2日目, 治療開始後2週間
    rf"(?:{_EVENT}){{1,2}}(?:{_TURN})? ?{_LATER}",
    # 入院時, 発症直後, 化学療法開始前, 術前, 術中
    rf"(?:{_EVENT}){{1,2}}{_TURN}{_OTHER_WORD}|術中(?!所見)",
    # 第5病日, POD3, 3日目, 2コース目, 日齢5, 生後3ヶ月, 在胎39週2日, 妊娠32週
    rf"第?{_N}病日|POD ?#?\d{{1,3}}",
    rf"(?<![\d.])第?{_N}(?:日|週|{_MONTHS}|年|回|クール|コース|サイクル)目",
    rf"日齢\d{{1,2}}|(?:生後|月齢){_N}(?:時間|日|週|{_MONTHS})?|(?:在胎|妊娠)\d{{1,2}}週(?:\d日)?",
    # 45歳時, 20代から, 小学生の頃
    r"\d{1,3}(?:歳|才)(?:時|頃|ごろ|の時)|\d0代(?=から|より|後半|前半|の頃)|(?:小|中|高)学生(?:時|の頃)",
    # 3日間, 2週間, 半年間, 10年来
    rf"(?<![\d./]){_N}(?:{_TO}{_N})?(?:時間|日間|週間|{_MONTHS}間?|年間|年来|晩|分間)(?!前|後|に\d回|毎|ごと)",
)
_TIME = [re.compile(rule) for rule in _RULES]
# What a procedure is named for: 胃全摘術|後, PCI|施行後3日目, 血液透析|導入後5年, 胃全摘術|中.
_OF_PROCEDURE = re.compile(
    rf"(?:施行|実施|{_EVENT}){{0,2}}{_TURN}(?: ?{_LATER}|{_OTHER_WORD}(?![方壁頭腹続発立縦]))"
    r"|(?:(?<=術)|術)中(?![所止断心])"
)


def find_times(text: str, procedures: Sequence[Span] = ()) -> list[Span]:
    """Return the time expressions of a normalized text; of two that overlap the earlier or longer.

    Args:
        text: Normalized.
        procedures: What was found by `find_procedures`: a time that is told by one holds it.

    >>> text = "3日前から発熱。術後5日目に抜糸、2024年3月5日 10:30に退院。胃全摘術後である。"
    >>> [text[span.start : span.end] for span in find_times(text, [Span(36, 40, "procedure")])]
    ['3日前', '術後5日目', '2024年3月5日 10:30', '胃全摘術後']
    """
    found = [
        Span(*match.span(), "time")
        for rule in _TIME
        for match in rule.finditer(text)
        if match.end() > match.start()
    ]
    for procedure in procedures:
        if turn := _OF_PROCEDURE.match(text, procedure.end):
            found.append(Span(procedure.start, turn.end(), "time"))
    return without_overlaps(found)
