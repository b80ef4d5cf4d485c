"""Labels of numbers: which kind of number a label says that its value is.

A label is read back from its head (番号, ID, No, シリアル …) over the letters before it, so that any
word before a head counts: 救急出動番号 is a number of somebody as 患者番号 is, 承認番号 is none.
"""

from __future__ import annotations

import functools
import re
from typing import Literal, cast

from rinsho.text.identifier_kinds import IdentifierKind
from rinsho.text.identifier_name_words import in_any_case

# Written without blanks, dashes, points, の and お, in small letters; the first kind that fits wins.
_LABELS_OF_KINDS: tuple[tuple[IdentifierKind | None, str], ...] = (
    (
        "my_number",
        "マイナ(?!保険証|免許)|まいな|^myno$|ﾏｲﾅ|個人番号|個人ナンバー|個人no|個人識別番号|共通番号|通知カード|社会保障・?税"
        "|社会保障番|番号確認|mynumber|individualnumber|taxid|^kojin",
    ),
    ("device_number", "model/?serial"),
    (
        None,
        "郵便|zip|postal|postcode|yu+bin|tel|phone|contact|mobile|電話|携帯|fax|ファク|ファックス|内線|ゆうびん|ユウビン|デンワ|^hot(?!機|酸)|法人番号|口径",
    ),
    (
        None,
        "承認|認証番号|薬価|^yj|loinc|レセ電|^code$|(?:^|[^a-z])oid|jmdn|jan(?!e)|jlac|icd(?!.*(?:シリアル|製造|本体|植))|病名|疾患|疾病|傷病名"
        "|病床|部屋|病室|号室|図書|文献|論文|商品|薬品|医薬品|薬剤(?!師|服用歴|情報)|製剤コード|型番|型式|品番(?!号)|カタログ"
        "|model|catalog|^ref|法令|法律|条例|通知番|告示|議案|通達|染色体|遺伝子|変異|臨床研究|臨床試験"
        "|試験番号|試験id|治験(?!.*(?:症例|被験者|登録))|課題|特許|商標|意匠|規格|項目|用語|契約|予算"
        "|計画|医療機関(?:コード|番号|等|の)|事業所|事業者|施設番号|施設コード|施設id|薬局コード|支払"
        "|診療科|科コード|都道府県番号|点数表|列番号|行番号|章番号|頁|ページ|原子番号|質量|バージョン"
        "|version|trial|concept|コンセプト|occurrence|曜日|^週|ノード|^分番号|^分id|protocol|grant|figure|room|bed|page|gene|snp|統計|国番号|市外局番"
        "|ロケット|背番号|列車|便名|車両|型番号|編成|路線|系統|形式|会議|総会|作品|曲|株式|証券コード"
        "|機関コード|機関番号|分類|区分|端末id|ユーザ|user|session|機種|検査コード|オブジェクト|サーバ"
        "|タスク|プロジェクト|アプリ|データ|変数|配列|染色|機関id|病棟コード|振替|抗体番号|クローン"
        "|歳入|歳出|決議|法案|条番号|枝番号(?=を)|商業|国際標準|カラム|レコードid|文書番号体系|フォーム",
    ),
    (
        "passport_number",
        "旅券|^pass(?!word)|^ppt?(?:no|n|#)?$|ryoken|りょけん|ぱすぽ|パスポート|passport|渡航文書|traveldoc",
    ),
    (
        "license_number",
        "免許|めんきょ|メンキョ|menkyo|^運免|^免$|医籍|保険医(?!療)|保険薬剤師|licen[cs]e|driving|driver|^dl(?:no|number)?$|運転経歴|薬剤師名簿"
        "|看護師籍|医師登録|薬剤師登録|看護師登録|麻薬施用者|麻薬管理者|専門医|認定医|指導医|産業医"
        "|認定看護師|専門看護師|登録販売者|指定医|介護支援専門員|介護福祉士|社会福祉士|臨床工学技士|技師登録"
        "|放射線技師|検査技師|療法士|栄養士|歯科医師籍|衛生士|保健師籍|救急救命士|資格登録",
    ),
    (
        "device_number",
        "シリアル|ｼﾘｱﾙ|しりある|せいぞう|serial|seizo|製造(?!販売)|ロット|ﾛｯﾄ|lot|バッチ|batch|udi|gs1|gtin|imei|機器|機械|器械|装置"
        "|me機器|機番|製番|器番|号機|本体|機体|個体|デバイス|device|植込|植え込|埋込|リード|ジェネレータ|ステント"
        "|ペースメーカ|人工関節|人工弁|人工内耳|ポンプ|センサ|補聴器|送信機|送信器|受信機|モニタ|除細動"
        "|crtd|crtp|icm|^icd|呼吸器|測定器|血糖計|cpap|透析装置|スコープ|濃縮器|インプラント|充電器"
        "|リモコン|プログラマ|電池|電極|バルブ|グラフト|義歯|義肢|眼内レンズ|iol|器材|院内管理|資産|備品|吸引器|血液バッグ|車体|製剤番号|^me(?:no|番|管理)|^s/?no$|^me$"
        "|製品|^(?:sn|s/n|ser|ser\\.?no)$|カプセル|端末|車いす|車椅子|ベッド管理",
    ),
    (
        "insurance_number",
        "保険|介保|健保|国保|社保|被保|受給者|受給資格|公費|負担者|共済|組合員|加入者|資格確認|資格者証|医療証"
        "|後期高齢|生活保護|労災|insur|policy|subscriber|beneficiary|けんぽ|限度額|自立支援|特定疾患|難病"
        "|(?<!製造)記号|枝番|福祉医療|船員|医療券|介護券|付加番号|member|hoken|後期|精神通院|更生医療|育成医療|小慢|広域連合|市町村番号|保番|^symbol$|hihoken|kouhi|kohi|jukyu|kigou?|paye?o?r|介護番|ほけん|ホケン|公負|公受",
    ),
)
_KINDS: tuple[tuple[IdentifierKind | None, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(words)) for kind, words in _LABELS_OF_KINDS
)
_NO_SIGN = re.compile(r"[ _.'’の御お-]")
# Latin labels of persons: a number of anything else (concept_id, Grant No) has such heads too.
_LATIN_PERSON = re.compile(
    "patient|(?:^|[^a-z])pt|^acc#|chart|medical|record|mrn|hospital|case|sample|specimen|accession|order|visit"
    "|encounter|admission|subject|study|person|donor|registration|registry|unit|account|karte|recipient"
    "|participant|enrol|screening|reference|^pid|emr|ehr|kanja|hosp|karute|shinryo|claim|invoice|receipt|bill|ticket|queue|staff|employee|episode|referral|barcode|inpatient|outpatient|clinic|health"
)
_CODE_OF_PERSON = re.compile(
    "患者|被験者|症例|識別|参加者|対象者|利用者|受診者|職員|匿名|仮名|バー|会員|個人|検体|登録|QR|管理|住民|本人|児童|学生|生徒|家族"
)

# What a label ends with, or a word that is a label alone.
_HEADS = (
    "番号 番号確認 機番 製番 器番 採番 連番 ナンバー ﾅﾝﾊﾞｰ コード No NO no № ID Id I.D. 記号 枝番 識別子 "
    "カルテ カルテ# 患者# SN# Lot# 診察券 診療券 診療録 受診券 病理( 病理: 病理 被保番 手帳第 リストバンド バーコード 検体ラベル "
    "免許 免許証 運転免許 運転免許証 医籍 旅券 パスポート 渡航文書 運転経歴証明書 うんてんめんきょ ウンテンメンキョ "
    "ウンテンメンキョショウ うんてんめんきょしょう シリアル ｼﾘｱﾙ ロット ﾛｯﾄ バッチ "
    "マイナンバー マイナ マイナンバーカード マイナカード 通知カード "
    "保険証 被保険者証 保険者 国保 社保 健保 けんぽ 後期高齢者 介護保険 共済 医療保険 健康保険 "
    "受給資格証 受給資格者証 手帳 公費 精神通院 更生医療 育成医療 小慢 受給者証 医療証 医療券 資格確認書 福祉医療 受給者"
)
_LATIN_HEADS = (
    "MRN mrn Mrn M.R.N. Visit# Order# Case# Patient# Pt# Acc# Account# pid= PID UDI UDI-DI UDI-PI GS1 GS1-128 GTIN IMEI S/N SN S.N. SER LOT Lot lot Batch Serial Passport "
    "Passport# PP# PPT License Licence licence DL Number Num Chart Karte IDNo PATID PatID S/No Pass Symbol Chart Insurance Accession carrierHRF udiCarrier "
    "deviceIdentifier lotNumber serialNumber medicalRecordNumber"
)


def _spaced(word: str) -> list[str]:
    """Return a word with a blank after every letter, as forms justify it: 番 号."""
    return [" ".join(word), "  ".join(word)] if len(word) > 1 and not word.isascii() else []


_words = _HEADS.split()
HEADS = [
    "手帳 第",
    "後期 ",
    "I D",
    "I  D",
    *_words,
    *(one for word in _words if len(word) < 4 for one in _spaced(word)),
    *in_any_case(
        [
            *_LATIN_HEADS.split(),
            "_id",
            "_no",
            "_num",
            "id_",
            "_ID",
            "_bango",
            "_cd",
            "_barcode",
            "barcode_value",
        ]
    ),
]
# What may stand between the head and the gap.
TAIL = (
    r"(?:[ ]?(?:証|票|券|カード|番 ?号|記 ?号|ナンバー|コード|登録|識別|No\.?|NO\.?|no\.?|№|#|ID|[Nn]umber"
    r"|NUMBER|[&＆/・･、と及びの]{1,2}(?=[番記枝]|シ|ロ|No|no)|枝番|シリアル|ロット|等|[①-⑩]|[0-9](?=[:=])"
    r"|\((?:ID|No\.?|番号|[^()\0\n0-9]{1,12})\))){0,4}+\.?"
)
_PAIRS = ("SN", "sn", "Sn", "号番", "ルロ", "lS")  # S/N, 記号/番号
_N_LETTERS = 24  # of a label, before its head
_END_OF_LABEL = frozenset(
    " \t\n\0、。,;:|()[]「」『』【】〈〉《》<>\"'`=→*■●◆◎○□▼▲※?!~^{}\\+＋＝&@$%〒"
)


def _start(text: str, place: int) -> int:
    """Return where the label begins whose head begins at a place."""
    low = max(0, place - _N_LETTERS)
    start, n_blanks = place, 0
    while start > low:
        before = text[start - 1]
        if before.isdigit() or (before == "/" and text[start - 2] + text[start] not in _PAIRS):
            break
        if before not in _END_OF_LABEL:
            start -= 1
        elif before == " " and start - 2 >= low and _is_one_label(text, start):
            is_latin = text[start].isascii()
            if is_latin and n_blanks:
                break
            n_blanks += is_latin
            start -= 2
        else:
            break
    if text[start - 1 : start].isdigit() or text[start - 1 : start] == "\0":
        start += text[start] in "がでとに"  # 記号が123で番号が4567
    while start < place and text[start] in "・-/.#":
        start += 1
    return start


def _is_one_label(text: str, start: int) -> bool:
    """Tell whether a blank stands within a label: 番 号, Hospital No, not 受診 番号."""
    before, after = text[start - 2], text[start]
    if after.isascii():  # Hosp. No, 診察カード No
        return before not in _END_OF_LABEL and not before.isdigit()
    if before.isascii():
        return False
    is_alone = start < 3 or text[start - 3] in _END_OF_LABEL | {"/"}
    is_alone &= text[start + 1 : start + 2] == " "  # every letter stands apart
    return before not in _END_OF_LABEL and before >= "一" and is_alone


_SERIALS = frozenset(("SN", "S/N", "S.N."))
_READ_ON = frozenset("番記枝")  # a head that says nothing alone: the words before it do
_N_NEAR = 10
_N_CONTEXT = 40  # characters before a bare 番号 where a card or a license stands


def kind_of_label(text: str, place: int, end: int) -> IdentifierKind | None:
    """Return the kind of number that a label announces, None for no person's number.

    Args:
        text: Normalized.
        place: Where the head begins.
        end: Where the head ends.

    >>> kind_of_label("運転免許証の番号", 6, 8), kind_of_label("医療機器承認番号", 6, 8)
    ('license_number', None)
    >>> kind_of_label("出動番号", 2, 4)
    'record_number'
    """
    if text[place:end] in _SERIALS:  # whatever stands before it: 23mm SN
        return "device_number"
    start = _start(text, place)
    if text[start - 2 : start] == "</":  # the end of an element
        return None
    if text.startswith("免許", end):  # マイナ免許証
        return "license_number"
    if text[start - 1 : start] == "〒":
        return None
    kind = _kind(text[start:end])
    if kind == "?" and text.endswith("区分\n", 0, start):  # of a table of fees
        return None
    if kind == "?":
        context = text[max(0, start - _N_CONTEXT) : start]
        kind = _kind_of_context(_END_OF_CONTEXT.split(context)[-1])
    elif kind == "??" and (remark := _REMARK.match(text, end)):  # 管理番号(ME機器)
        near = _kind_of_context(remark[1])
        kind = near if near == "device_number" else "record_number"
    elif kind == "??":  # シリンジポンプ 管理番号: of the thing named before it, if one is
        near = _kind_of_context(text[max(0, start - _N_NEAR) : start])
        kind = near if near == "device_number" else "record_number"
    return cast("IdentifierKind | None", kind or None)


def kind_of_key(key: str) -> IdentifierKind | None:
    """Return the kind of number that a key in Latin letters announces: chart_no, lotNumber.

    >>> kind_of_key("patient_barcode_value"), kind_of_key("lotNumber"), kind_of_key("room_no")
    ('record_number', 'device_number', None)
    """
    plain = _NO_SIGN.sub("", key).lower()
    for kind, words in _KINDS:
        if words.search(plain):
            return kind
    is_number = plain.endswith(_ENDS_OF_KEYS)
    return "record_number" if is_number and _LATIN_PERSON.search(plain) else None


_ENDS_OF_KEYS = ("id", "no", "num", "number", "code", "cd", "bango", "bangou", "value", "#")
_REMARK = re.compile(r"[ ]?\(([^()\0\n0-9]{1,12})\)")
_END_OF_CONTEXT = re.compile(r"。|\n(?=.*\n)|\n{2}| / ", re.DOTALL)


@functools.lru_cache(1 << 14)
def _kind(label: str) -> str:
    """Return the kind of a label, "" for none and "?" where the words before it decide."""
    plain = _NO_SIGN.sub("", label).lower()
    if plain in ("番号", "番", "№", "ナンバー", "番号no"):
        return "?"
    if plain in ("管理番号", "登録番号", "識別番号", "管理no", "管理no."):
        return "??"
    if plain in ("#", "no"):
        return ""
    for kind, words in _KINDS:
        if words.search(plain):
            return kind or ""
    last = label.rsplit(" ", 1)[-1]
    if last != label and _kind(last) == "passport_number":
        return "passport_number"
    if label[-1:].isascii() and label[0].isascii() and "№" not in label:
        is_plain = plain in ("id", "idno", "patid") or plain.endswith(("no", "number"))
        return "record_number" if is_plain or _LATIN_PERSON.search(plain) else ""
    if label.endswith("コード") and not _CODE_OF_PERSON.search(label):
        return ""
    if label.endswith("番"):
        return "record_number" if label.endswith(("採番", "連番")) else ""
    return "record_number"


# Kinds whose values need no label with a head, beside those of numbers.
_MORE_KINDS: tuple[tuple[IdentifierKind | None, str], ...] = (
    (
        "birth_date",
        "(?:生年月|生月日|生年|誕生|出生(?!体重|届|地|順)|生誕|生まれ|うまれ|生日|birth|dob|@pid7|d\\.o\\.b|bday|^bdt?$|^b\\.?d\\.?$|born"
        "|seinen|tanjo|せいねん|セイネン|ｾｲﾈﾝ|たんじょう|バースデ)[日月年付時]*(?:date|day|ymd|time)?",
    ),
    ("postal_code", "郵便|〒|zip|postal|postcode|yu+bin|ゆうびん|ユウビン|ﾕｳﾋﾞﾝ"),
    ("phone", "電話|携帯|でんわ|デンワ|℡|^tel|phone|mobile|^fax|denwa|keitai"),
    (
        "record_number",
        "患者|カルテ|診察券|診療録|診察カード|被験者|受診者|症例|検体|標本|かんじゃ|カンジャ|しんさつけん|patient|^pt|chart|mrn|karte|kanja",
    ),
)
_TELLING: tuple[tuple[IdentifierKind | None, re.Pattern[str]], ...] = (
    *((kind, re.compile(words)) for kind, words in _MORE_KINDS),
    *_KINDS,
)


_ID = re.compile(r"(?!pid)[a-z]{2,6}id")  # UHID; ID alone stands before numbers of any kind


def telling_words(label: str) -> IdentifierKind | Literal["none"] | None:
    """Return the kind that the last telling word of a label names: "none" of what is no person's.

    >>> [telling_words(one) for one in ("seinengappi", "患者の免許証", "承認番号", "番号")]
    ['birth_date', 'license_number', 'none', None]
    """
    plain = _NO_SIGN.sub("", label).lower()
    last = (0, 0)
    found: IdentifierKind | Literal["none"] | None = None
    for rank, (kind, words) in enumerate(_TELLING):
        for match in words.finditer(plain):
            if (match.end(), -rank) > last:
                last, found = (match.end(), -rank), kind or "none"
    return "record_number" if found is None and _ID.fullmatch(plain) else found


@functools.lru_cache(1 << 12)
def _kind_of_context(context: str) -> str:
    """Return the kind that the last telling word before a bare 番号 names, else of a record."""
    found = [
        (match.end(), kind or "")
        for kind, words in _KINDS
        if kind is not None
        for match in words.finditer(_NO_SIGN.sub("", context).lower())
    ]
    return max(found)[1] if found else "record_number"
