"""Values of tests and doses of drugs: numbers with units and the words around them.

A number alone says little: 5 mL is a dose after a drug and a value after a test. So the mention
before it in the same sentence decides; units that only one of the two can have stand alone.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence

from rinsho.text.spans import Span

NUMBER = r"(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)"
_MU = "[µμu]"
RAISED = "[⁰¹²³⁴-⁹]"  # ¹, ² and ³ lie apart from the others in Unicode
# Units of results that are no amounts of a drug: these make a value wherever they stand.
_RESULT_UNIT = (
    rf"(?:(?:m|{_MU}|n|p|f)?g|(?:m|{_MU})?(?:IU|U|Eq|mol|AU)|mOsm|万|個)/(?:d|m|{_MU})?L"
    rf"|(?:×|x)? ?10(?:\^?\d+|{RAISED}+)/{_MU}?L|万?/(?:{_MU}L|mm3|mm³|HPF)|mg/g・?Cr|g/g・?Cr"
    r"|mL/(?:分|min)/1\.73 ?m(?:2|²|\^2)|kg/m(?:2|²|\^2)|mmHg|[Tt]orr|kPa|cmH2O|(?:回|拍)?/分"
    r"|/min|bpm|回/時|mm/(?:時間|時|h|hr)|m/秒|m/s|°C|℃|[mc]m[²³]?|ms(?:ec)?|ppb|ppm|dB|HU|fL|‰|kg"
    r"|logMAR"
)
_OTHER_UNIT = rf"mg|{_MU}g|g|mL/日|mL/時|mL|L/分|L|g/日|%|点|秒|倍|度|°|m[²³]?|D|mEq"
UNIT = rf"(?:{_RESULT_UNIT}|{_OTHER_UNIT})(?![A-Za-z])"
_TO = r" ?(?:→|⇒|〜|~|～|-|–|−|/(?!\d+ ?(?:時|日|h))|×|x|\*) ?"
_EXPONENT = rf"(?: ?(?:×|x) ?10(?:\^?\d+|{RAISED}+)(?:/L(?![A-Za-z\d]))?)?"
_ONE = rf"[<>≦≧≤≥]? ?{NUMBER}{_EXPONENT}(?: ?{UNIT})?"
_VALUE = re.compile(rf"(?:(?<![\d.O])|(?<=O2)){_ONE}(?:{_TO}{_ONE}){{0,5}}")
_HAS_RESULT_UNIT = re.compile(rf"\d ?(?:{_RESULT_UNIT})(?![A-Za-z])")
_HAS_UNIT = re.compile(rf"\d ?{UNIT}")
_PAIR = re.compile(r"\d{2,3}/\d{2,3}")
# A number before these is an age, a date, a count or an ordinal, never a result.
_COUNTED = re.compile(
    r"[A-Za-z]| ?(?:歳|才|年|(?:か|ヶ|カ|ヵ)?月|週|日|時|回|代|人|本|杯|(?:箇|ヶ|か)所|度目|例|件"
    r"|階|号|番|名|病日|椎|型|期|群|世|親等|肋間|指|趾|足|針|コース|クール|分(?:間|前|後|毎|ごと|おき)|誘導"
    r"|枝|割|単位|錠|包|枚|個)"
)
_QUALITATIVE = (
    r"(?:弱|強|偽|疑|擬)?陽性|陰性|(?:異常|軽度|著明)?(?:高値|低値)|不整|清明|減弱|亢進|測定感度以下"
    r"|(?:基準|正常)(?:範囲|値)?(?:内|域|上限|下限)|正常(?!\S{0,2}性)|(?<=[脈拍ム ])整(?![形復理])"
    r"|検出(?:せず|されず|限界以下)|[(][-+±−][)]|[(]\d\+[)]|\d\+(?!\d)|[-−](?![\d\w])|[+±](?!\d)"
)
_ROMAN = r"(?:[IVX]{1,4}|[ⅠⅡⅢⅣⅤ])"
_GRADED = (
    rf"(?:(?:c?[Ss]tage|[Gg]rade|[Cc]lass) ?)?{_ROMAN}(?:-?\d{{1,3}}|[A-Ca-c]\d?)?"
    rf"(?:[-〜~](?:{_ROMAN}|\d{{1,3}}))?(?: ?(?:度|期|群|型))?(?![A-Za-z])"
    r"|E\d ?V(?:\d|T) ?M\d|(?:[Gg]rade|[Ss]tage|GOLD) ?(?:\d[a-c]?|[A-E])"
    r"|[cpy]*T\d[a-d]?N\d[a-c]?M\d[a-c]?|[A-D]\d?(?![A-Za-z])(?: ?\(\d{1,2}点\))?|\d+/\d+点?"
    r"|\d+点?(?: ?\(E\d ?V(?:\d|T) ?M\d\))?"
)
_AFTER_TEST = re.compile(
    r"(?:検査|値|スコア|分類)? ?(?:[(](?![-+±−]|\d\+)[^()\n]{0,12}[)])?(?:"
    r"[ :：=、はがもでをの左右約計]|最高|最大|合計|平均|全て|すべて|いずれも|ともに|著明な?|軽度)*"
)
# Between a test and its numbers: other numbers and what joins them (MMT 上肢3/5、下肢4/5).
_JOINING = re.compile(r"(?:[\d.,/→:：=、はがもで左右約 ]|最高|最大|度|点)*")
_N_BEHIND = 300  # a number further from its drug or test, on one line without 。, is left alone
_KINDS_WITHOUT_NUMBERS = ("imaging", "pathology")  # 胸部X線 2/5 is a date
_GRADED_KINDS = ("score", "sign")
_WORD = re.compile(_QUALITATIVE)
_GRADE = re.compile(_GRADED)
_AFTER_VALUE = re.compile(r" ?[と、で,・]? ?(?:やや|軽度|著明な?|依然| )*")

_AMOUNT_UNIT = (
    rf"(?:mg|{_MU}g|mcg|g|mL|ml|L|単位|U|IU|mEq|錠|T|C|Cap|カプセル|包|P|枚|滴|吸入|噴霧|プッシュ"
    r"|A|V|アンプル|バイアル|本|袋|パック|γ|%|mm)"
)
AMOUNT = (
    r"(?:AUC ?\d|(?:各|1回量? ?|1日量? ?)?\d[\d,.]{0,11}万?(?:[-〜~]\d[\d,.]{0,11}){0,3}"
    rf" ?{_AMOUNT_UNIT}(?:/(?:kg|m2|m²|body|日|時間|時|分|回|hr|h|min|day))*(?!/|[A-Za-z])"
    r"(?: ?[×x] ?\d+(?![\d/]))?)"
)
MEAL = (
    r"(?:(?:毎|朝昼夕|朝昼|朝夕|朝・夕|朝|昼|夕)食?直?[前後間]?|食直?[前後間]|空腹時|眠前|就寝[前時]"
    r"|起床時|就前)"
)
FREQUENCY = (
    r"(?:1日に?(?:\d+|数)回|\d+日(?:に|毎に?)\d*回?|分 ?\d|週に?\d回|月に?\d回"
    r"|\d+(?:週間?|(?:か|ヶ|カ)月)(?:に|毎に?|ごとに?)\d?回?|\d+時間(?:毎|ごと|おき)|\d+回/日"
    r"|隔日|連日|毎日|適宜|単回|[一-鿿ぁ-んァ-ヶー]{1,6}時に?(?:頓用|頓服)|頓用|頓服|\d[x×](?!\d)"
    r"|\d回(?= ?[眠朝夕昼毎食就起])|q\d+h)"
)
DURATION = r"(?:\d+日[間分]|\d+週間分?|\d+コース|24時間|\d+(?:か|ヶ|カ)月間)"
ROUTE = (
    r"(?:(?:持続)?点滴静注|(?:持続|急速|緩徐)?静注|静脈注射|皮下注射|皮下注|皮下|筋肉注射|筋注|経口"
    r"|内服(?= ?[1分毎朝昼夕眠])|経鼻(?:カニューレ|カニュラ)?|(?:リザーバー(?:付き)?)?マスク"
    r"|鼻?カニュ(?:ー?レ|ラ)|舌下|貼付|塗布|吸入|点眼|点鼻|坐薬|坐剤|点滴(?!静注)|div|DIV|iv|IV|po"
    r"|腟内|硝子体内注射|関節内注射|局注)"
    r"(?!開始|継続|中止|施行|終了|管理|投与|療法|追加|再開|変更|中(?!止)|薬|液|指導|用)"
)
_STEP = rf"(?:{AMOUNT}|{FREQUENCY}|{MEAL}|{DURATION}|{ROUTE})"
_DOSE = re.compile(rf"(?:(?<![\d.A-Za-z])|(?<=O2)){AMOUNT}(?:[ ・]{{0,2}}{_STEP})*")
_TIMES = re.compile(rf"(?:{FREQUENCY}|{MEAL}|{DURATION})(?:[ ・]{{0,2}}{_STEP})*")
_BEFORE_TIMES = {"drug": re.compile(r"[ (]?"), "dose": re.compile(r"[をで、,] ?")}


def find_doses(text: str, terms: Sequence[Span]) -> list[Span]:
    """Return the doses of the drugs among `terms`, which are in reading order.

    Amounts count after a drug in the same sentence, and anywhere with a frequency beside them;
    a frequency alone counts right after a drug.
    """
    found: list[Span] = []
    for match in _DOSE.finditer(text):
        last = _last_before(text, terms, match.start())
        has_times = bool(re.search(FREQUENCY, match[0]))
        is_result = _HAS_RESULT_UNIT.match(text, match.start()) and not has_times
        if not is_result and (has_times or (last and last.label == "drug")):
            found += _before_arrow(text, match.start())
            found.append(Span(match.start(), match.end(), "dose"))
    drugs = [span for span in terms if span.label == "drug"]
    return without_overlaps([*found, *_times_after(text, [*drugs, *found])])


def _times_after(text: str, spans: Sequence[Span]) -> Iterator[Span]:
    """Yield the frequencies that follow a drug, or a dose and a particle: 50mgを1日3回."""
    for span in spans:
        gap = _BEFORE_TIMES[span.label].match(text, span.end)
        if gap and (times := _TIMES.match(text, gap.end())):
            yield Span(times.start(), times.end(), "dose")


def _before_arrow(text: str, end: int) -> list[Span]:
    """Return the old dose in `20→10mg`, which shares the unit of the new one."""
    head = re.search(rf"(?<![A-Za-z])({NUMBER})\s?(?:→|⇒)\s?$", text[max(0, end - 16) : end])
    if head is None:
        return []
    offset = max(0, end - 16)
    return [Span(offset + head.start(1), offset + head.end(1), "dose")]


def find_values(
    text: str, terms: Sequence[Span], doses: Sequence[Span], kinds: Mapping[int, str]
) -> list[Span]:
    """Return the results of the tests among `terms`.

    Args:
        text: Normalized.
        terms: Mentions in reading order.
        doses: Doses, which are no values.
        kinds: The kind of each test by its start: scores have grades, images no bare numbers.
    """
    blocked = sorted((*terms, *doses))
    found = [
        span
        for match in _VALUE.finditer(text)
        if (span := _value(text, match, terms, kinds)) and not _touches(span, blocked)
    ]
    for test in (span for span in terms if span.label == "test"):
        gap = _AFTER_TEST.match(text, test.end)
        start = gap.end() if gap else test.end
        rule = _GRADE if kinds.get(test.start) in _GRADED_KINDS else _WORD
        if word := (rule.match(text, start) or _WORD.match(text, start)):
            span = Span(start, word.end(), "value")
            found += () if _touches(span, blocked) else (span,)
    found = without_overlaps(found)
    return without_overlaps([*found, *_evaluations(text, found, blocked)])


def _value(
    text: str, match: re.Match[str], terms: Sequence[Span], kinds: Mapping[int, str]
) -> Span | None:
    start = match.start() + len(match[0]) - len(match[0].lstrip())
    span = Span(start, match.start() + len(match[0].rstrip()), "value")
    if _HAS_RESULT_UNIT.search(match[0]):
        return span
    test = _last_before(text, terms, start)
    if test is None or test.label != "test":
        return None
    if _HAS_UNIT.search(match[0]) or _PAIR.fullmatch(match[0].strip()):
        return span
    if _COUNTED.match(text, span.end):
        return None
    has_number = kinds.get(test.start) not in _KINDS_WITHOUT_NUMBERS
    return span if has_number and _is_near(text, test.end, start, terms) else None


def _is_near(text: str, test_end: int, start: int, terms: Sequence[Span]) -> bool:
    gap = _AFTER_TEST.match(text, test_end)
    if gap and gap.end() >= start:
        return True
    between, at = "", test_end
    first = bisect_right(terms, test_end - 1, key=lambda span: span.start)
    for span in terms[first:]:
        if span.start >= start or span.label != "body_part":
            break
        between, at = between + text[at : span.start], span.end
    return bool(_JOINING.fullmatch(between + text[at:start]))


def _evaluations(text: str, values: Sequence[Span], blocked: Sequence[Span]) -> list[Span]:
    """Return the words right after a number: 高値 in `12.8と高値`."""
    found: list[Span] = []
    for value in values:
        gap = _AFTER_VALUE.match(text, value.end)
        start = gap.end() if gap else value.end
        if word := _WORD.match(text, start):
            span = Span(start, word.end(), "value")
            found += () if _touches(span, blocked) else (span,)
    return found


def _last_before(text: str, terms: Sequence[Span], place: int) -> Span | None:
    """Return the last drug or test before a place in the same sentence."""
    at = bisect_right(terms, place, key=lambda span: span.start) - 1
    window = max(0, place - _N_BEHIND)
    start = max(text.rfind("。", window, place), text.rfind("\n", window, place), window - 1)
    while at >= 0 and terms[at].start > start:
        if terms[at].label in ("drug", "test") and terms[at].end <= place:
            return terms[at]
        at -= 1
    return None


def _touches(span: Span, others: Sequence[Span]) -> bool:
    at = bisect_right(others, span.start, key=lambda other: other.start)
    return any(o.start < span.end and span.start < o.end for o in others[max(0, at - 1) : at + 1])


def without_overlaps(spans: Sequence[Span]) -> list[Span]:
    """Return spans in reading order, of two that overlap the one that begins first or is longer."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept
