"""Hospitals, pharmacies and homes of care: their words, their cues, clinics called after owners."""

from __future__ import annotations

import re

from rinsho.text.identifier_anchors import finder
from rinsho.text.identifier_given_names import split_full_name
from rinsho.text.identifier_organization_names import NO_HOSPITAL
from rinsho.text.identifier_patterns import any_of
from rinsho.text.identifier_surnames import is_kana_surname, is_surname

HOSPITAL_WORDS = (
    "病院 医院 クリニック 診療所 医療センター がんセンター 療育センター 健診セン"
    "ター 健康管理センター 保健センター 薬局 ドラッグ 訪問看護ステーション 看護ス"
    "テーション 老人ホーム 療養所 サナトリウム"
    " ホスピス 整骨院 接骨院 鍼灸院 治療院 助産院 産院 老人保健施設 老健 研究セン"
    "ター病院 循環器病研究センター 成育医療研究センター 母子医療センター 周産期セ"
    "ンター 救命救急センター 医療福祉センター"
    " リハビリテーションセンター リハビリセンター 循環器センター 呼吸器センター "
    "こどもセンター 小児センター デイサービス デイケア グループホーム ケアセンタ"
    "ー 介護センター 包括支援センター 地域包括支援センター 居宅介護支援事業所"
    " 介護医療院 医学センター メディカルセンター ホスピタル 病医院 ケアプランセン"
    "ター 訪問診療所 デンタルオフィス 歯科 透析センター 血液センター"
)

_SPECIALTY_CLINIC = any_of(
    "内科 外科 小児科 眼科 皮膚科 耳鼻科 耳鼻咽喉科 産婦人科 婦人科 整形外科 泌尿"
    "器科 心療内科 胃腸科 歯科 こどもクリニック 胃腸科外科 内科医院 脳神経外科 循"
    "環器科 レディース"
)

HOSPITAL_CUES = (
    "紹介元 紹介先 前医 かかりつけ医 かかりつけ かかりつけ医療機関 転院先 転院元 "
    "搬送元 搬送先 医療機関名 医療機関 施設名 病院名 紹介元医療機関 紹介先医療機"
    "関 送付先 依頼元 受診医療機関 調剤薬局 かかりつけ薬局 入院先"
    " 診療所名 紹介元病院 紹介先病院 逆紹介先 通院先 手術施設 入院施設 返送先 情"
    "報提供先 情報提供元 発行医療機関 退院先 入所先 入所施設 利用施設 前医療機関 "
    "他院 施設 近医 医院名 紹介医療機関 保険医療機関名 分娩施設 里帰り先"
    " 出生病院 出生施設 医療機関の名称 医療機関等名 紹介先医療機関等名 紹介元医療"
    "機関等名 クリニック名 薬局名 薬局 転医先 ケア施設 所属施設 健診施設 検査施設"
    " 透析施設 Hospital Clinic hospital"
)

ABBREVIATION = r"[一-龠々ヶァ-ヶーA-Za-zぁ-ん0-9・&ⅠⅡ－-]{2,30}"

_NO_VALUE = re.compile(
    r"番号$|コード$|連絡先|麻黄|ポンプ|なし|無し|無$|不明|未定|同上|当院|自院|他院|近医|本人|自宅|有り|あり|希望|特"
    r"に|依頼|上記|下記|以下|予定|検討|家族|未記入|記載|先生|医師|在宅|施設入所|受"
    r"診|入院|退院|外来|転院|紹介|返書|報告|済$|電話|手術|検査|経過|治療"
)

_IS_PLACE = re.compile("院|所|科|局|園|苑|荘|会|館|センター|クリニック|ホーム|病棟|ステーション")


def is_institution(value: str) -> bool:
    """Tell whether what stands beside a label of institutions is one, and no doctor's name."""
    if _NO_VALUE.search(value) or NO_HOSPITAL.fullmatch(value):
        return False
    return _IS_PLACE.search(value) is not None or split_full_name(value) is None


FACILITY = finder(
    r"(?:特別養護老人ホーム|介護老人保健施設|介護付き?有料老人ホーム|有料老人ホー"
    r"ム|サービス付き高齢者(?:向け)?住宅|グループホーム|ケアハウス|介護老人福祉施"
    r"設|小規模多機能(?:ホーム|型居宅介護)?|デイサービス(?:センター)?|デイケア|シ"
    r"ョートステイ|特養|老健|サ高住)"
    r"[ ]?[「『]?(?P<value>(?:[ァ-ヶー]{2,12}|[一-龠々]{1,6}[のヶ]?[一-龠]{0,4}(?:"
    r"苑|園|荘|館|の里|の家|の郷|の森|の丘|ホーム|ハウス)|[ぁ-ん]{2,8}(?:苑|園|荘|"
    r"館|の里|の家|の郷|の森|の丘)|[ぁ-ん]{3,8}(?=[」』\s、。,]|に入|を利|より|か"
    r"ら|へ)))(?!利用|施設)"
)

_DEPARTMENT = re.compile(_SPECIALTY_CLINIC)

_BEFORE_SPECIALTY = re.compile(
    r"(?<![一-龠々ァ-ヶー])(?P<name>[一-龠々ヶ﨑髙]{2,4}|[ぁ-ん]{3,5})\Z"
)


def specialty_clinic(text: str, place: int) -> tuple[int, int] | None:
    """Read a clinic called after its owner and a specialty, as 山田内科."""
    department = _DEPARTMENT.match(text, place)
    name = department and _BEFORE_SPECIALTY.search(text, max(0, place - 6), place)
    if (
        not department
        or not name
        or not (is_surname(name["name"]) or is_kana_surname(name["name"]))
    ):
        return None
    end = department.end()
    if department[0] == "歯科" and text.startswith(("衛生", "医師", "技工"), end):
        return None
    while more := _DEPARTMENT.match(text, end):
        end = more.end()
    return name.start("name"), end
