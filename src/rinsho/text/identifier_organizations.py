"""Schools and workplaces by the last word of their names, or beside a cue; all rules of organizations.

A name needs a part of its own: 山田病院 has one, 近くの総合病院 and 大学病院 have none.
"""

from __future__ import annotations

import re

from rinsho.text.identifier_anchors import Begin, Rule, begins, cued, finder
from rinsho.text.identifier_hospitals import (
    ABBREVIATION,
    FACILITY,
    HOSPITAL_CUES,
    HOSPITAL_WORDS,
    is_institution,
    specialty_clinic,
)
from rinsho.text.identifier_organization_names import (
    LETTER,
    LONGEST,
    NO_COMPANY,
    NO_HOSPITAL,
    NO_SCHOOL,
    name_start,
    named,
)
from rinsho.text.identifier_patterns import FIRM_GAP, WIDE_GAP, any_of

_school_words = (
    "小学校 中学校 高等学校 高校 大学 大学院 短期大学 短大 専門学校 幼稚園 保育園"
    " 保育所 こども園 特別支援学校 養護学校 高専 高等専門学校 学園 女学院 予備校 "
    "支援学校 看護学校 中学 高等部 中等部 小 義務教育学校"
    " 中等教育学校 盲学校 聾学校 ろう学校 学院 医大 看護専門学校 職業訓練校 保育"
    "室 自動車学校 女子大 工大 芸大 外大 幼児園 女学校 学童クラブ 日本語学校"
)

_SCHOOL_CUES = (
    "学校名 通学先 通園先 在籍校 出身校 園名 就学先 通所先 保育園名 大学名 在学先"
    " 所属校 最終学歴 通学校 School 通学中"
)

_school_words = _school_words.replace(" 小 ", " ")

_COMPANY_NAME = (
    r"(?:(?:[ぁ-ん]{2,6}(?=[一-龠ァ-ヶ]))?(?!御中|様|総務|代表|事業)(?:[一-龠々〆ヶ﨑髙ァ-ヶーA-Za-z0-9&・ⅠⅡⅢ]|(?<=[一-龠ァ-ヶ])の(?=[一-龠ァ-ヶ])){"
    r"1,20}|[ぁ-んー]{2,8}(?=[」\s、。,にで(]|$))(?:[ ][A-Z][A-Za-z]{1,12}){0,2}"
)

_LEGAL_FORM = (
    r"(?:医療法人(?:社団|財団)?|株式会社|有限会社|合同会社|合資会社|合名会社|㈱|㈲|\(株\)|\(有\)|\(同\)|N"
    r"PO法人|特定非営利活動法人|社会福祉法人|一般社団法人|一般財団法人|公益財団法"
    r"人|公益社団法人|学校法人|農業協同組合|生活協同組合)"
)

_COMPANY_FIRST = finder(
    rf"(?:(?<![一-龠ァ-ヶーA-Za-z])(?<![A-Za-z][ ])|(?<=[年月日元]間)|(?<=[年月]))(?P<value>"
    rf"{_LEGAL_FORM}[ ]?{_COMPANY_NAME})",
    lambda value: (
        not re.search("学校(?!法人)|大学|高校|幼稚園|保育園|学園|こども園|病院|医院|診療所", value)
    ),
)

_COMPANY_LAST = named(
    (
        "株式会社 有限会社 合同会社 合資会社 ㈱ ㈲ (株) (有) ホールディングス コーポ"
        "レーション 農業協同組合 信用金庫 信用組合"
    ),
    NO_COMPANY,
    r"(?![一-龠]{0,4}(?:本社|支社|本店|支店|営業所|工場|事業所|支部))[一-龠ァ-ヶ]",
)

_COMPANY_WORDS = (
    "工業 製作所 商事 建設 運輸 運送 銀行 信用金庫 役所 役場 県庁 府庁 都庁 道庁 "
    "警察署 消防署 消防本部 郵便局 農協 漁協 工務店 商店 製菓 食品 薬品 製薬 化学"
    " 電機 電器 電工 電力 電鉄 鉄道 交通 タクシー 物産 産業 工場 不動産"
    " 生命 生命保険 証券 新聞社 新聞 出版 印刷 法律事務所 会計事務所 税理士事務所"
    " 事務所 システム システムズ 自動車 重工 製鉄 製鋼 鋼業 製紙 紡績 繊維 倉庫 "
    "海運 航空 水産 酒造 醸造 製麺 製パン 製材 木材 石油 ガス 建材 塗装 設備 電設"
    " 土木 造園 緑化 農園 牧場 旅館 ホテル 百貨店 スーパー ストア マート 書店 薬"
    "局 美容室 理容店 食堂 レストラン 庁 局 本社 支社 支店 営業所 店 社 組 警備保"
    "障 精機 精密 ゴム 硝子 ガラス セメント 金属 鋳造 工機 機械 機工 ソフト テッ"
    "ク 物流 通運 商会 製粉 乳業 漁業 水道局 交通局"
    " 教育委員会 保健所 税務署 裁判所 刑務所 自衛隊 駐屯地 県警 大学 病院 研究所 "
    "財団 協会 組合 連合会 商工会 建築 建築事務所 設計事務所 設計 測量 興業 開発 "
    "技研 技術 エンジニアリング サービス"
)

_COMPANY_TAIL = re.compile(
    rf"(?P<name>{LETTER}{{2,24}}?)(?P<last>{any_of(_COMPANY_WORDS)})?(?:[ ]?(?:の|"
    rf"に|で|にて|を|へ))?(?:事務|営業|技術|正|契約|経理|派遣|定年|早期|[0-9]{{1,2}}年間?|長年)?\Z"
)

_WORKING = re.compile(
    "勤務|勤め|就職|入社|退職|社員|働い|働く|就労|勤続|パート勤|工員|職員|経営|産業医|従事"
)

_KATAKANA_JOB = re.compile(
    "(?:パート|アルバイト|スーパー|コンビニ|タクシー|ホテル|デパート|コールセンタ"
    "ー|デイサービス|クリニック|レストラン|ガソリンスタンド|フルタイム|リモート|"
    "シフト|トラック|ドライバー|サービス|メーカー|ビル|スナック|パチンコ|ゴルフ|"
    "ホームセンター|エンジニア|マンション|センター|ラーメン|コンビニエンスストア|"
    "フリー|システム)+"
)


def _before_working(text: str, place: int) -> tuple[int, int] | None:
    """Read a company before 勤務 and the like: by its last word, or written in k"
    "atakana or Latin."""
    if _WORKING.match(text, place) is None:
        return None
    tail = _COMPANY_TAIL.search(text, max(0, place - LONGEST), place)
    if tail is None:
        return None
    start = max(
        tail.start("name"),
        name_start(text, tail.end("last") if tail["last"] else tail.end("name")),
    )
    end = tail.end("last") if tail["last"] else tail.end("name")
    name = text[start : tail.end("name")]
    if (
        not name
        or NO_COMPANY.fullmatch(name)
        or NO_HOSPITAL.fullmatch(name)
        or _KATAKANA_JOB.fullmatch(name)
    ):
        return None
    if tail["last"] or re.fullmatch(r"[ァ-ヶー]{3,}|[A-Z][A-Za-z]{2,}", name):
        return start, end
    return None


_WORK_CUES = (
    "勤務先 勤務先名 職場 職場名 勤め先 会社名 会社 就業先 就労先 事業所名 事業所"
    " 雇用主 元職場 勤務地 就職先 前職 雇い主 事業主 就労場所 勤務先名称 勤務先会社 勤務会社"
    " 事業所の名称 会社 事業場 事業所名称 Employer 派遣先 所属会社"
    " 就業場所 所属 事業場名 事業の名称 派遣元 交付先"
)

_WORK_VALUE = (
    r"[^\s\0、。,;|\"\t()「」\[\]『』【】<>:/]{2,30}(?:[ ](?=[A-Z㈱㈲]|株式|有限|合同|[一-龠ァ-ヶ]{1,8}(?:支店|支社|工場|営業所|本社|事業所))"
    r"(?![A-Za-z_ ]{1,20}[:=#])[^\s\0、。,;|\"\t()「」\[\]:/0-9]{2,16}){0,3}(?:\([株有]\))?"
)

_NO_WORK = re.compile(
    r"会社員$|自営|無職|主婦|パート|アルバイト|^農業|公務員$|教員$|事務職|営業職|"
    r"建設業|製造業|なし|無し|不明|同上|同じ|退職|年金|学生|職業|定年|復帰|復職|休"
    r"職|関係|環境|電話|健診|検診|ストレス|人間関係|勤務|以下|上記|内科|外科|病棟|"
    r"センター長|科$|の|"
    r"学校$|高校$|幼稚園$|保育園$|こども園$|健康診断|(?<=[一-龠ァ-ヶー])[にではがをと]|連絡|"
    r"住所|氏名|番号|名$|先$|^[一-龠]{1,4}[部課科室係局]$|^[A-Za-z ]{2,12}(?:ID|No)$|御中|^代表|^総務"
)


def _is_work(value: str) -> bool:
    return _NO_WORK.search(value) is None and NO_COMPANY.fullmatch(value) is None


def _is_school(value: str) -> bool:
    return not re.search(
        r"なし|不明|不登校|休|欠席|同上|生活|検診|健診|[はがをに]", value
    ) and not NO_SCHOOL.fullmatch(value)


_APART = "(?<![一-龠ァ-ヶー])"

_TAIL = r"(?![一-龠ぁ-んァ-ヶA-Za-z])"

ORGANIZATION_RULES = (
    Rule(
        "hospital",
        begins(HOSPITAL_WORDS.split()),
        named(HOSPITAL_WORDS, NO_HOSPITAL, "機構|様|船|衛生|医師|技工"),
        16,
    ),
    Rule(
        "hospital",
        begins(
            [
                "内科",
                "外科",
                "小児",
                "眼科",
                "皮膚",
                "耳鼻",
                "産婦",
                "婦人",
                "整形",
                "泌尿",
                "心療",
                "胃腸",
                "歯科",
                "脳神",
                "循環",
            ]
        ),
        specialty_clinic,
        17,
    ),
    Rule(
        "hospital",
        begins(
            [
                "特別養護",
                "介護",
                "有料",
                "サービス",
                "グループ",
                "ケアハ",
                "小規模",
                "デイサ",
                "デイケ",
                "ショー",
                "特養",
                "老健",
                "サ高",
            ]
        ),
        FACILITY,
        16,
    ),
    cued(
        "hospital",
        HOSPITAL_CUES.split(),
        rf"{FIRM_GAP}(?P<value>{ABBREVIATION})",
        is_institution,
        priority=18,
        before=_APART,
    ),
    Rule(
        "workplace",
        begins(
            [
                "医療法",
                "株式",
                "有限",
                "合同",
                "合資",
                "合名",
                "㈱",
                "㈲",
                "(株",
                "(有",
                "(同",
                "NPO",
                "特定非",
                "社会福祉",
                "一般社",
                "一般財",
                "公益",
                "学校法",
                "農業協",
                "生活協",
            ]
        ),
        _COMPANY_FIRST,
        17,
    ),
    Rule(
        "workplace",
        begins(
            [
                "株式会",
                "有限会",
                "合同会",
                "合資会",
                "㈱",
                "㈲",
                "(株)",
                "(有)",
                "ホール",
                "コーポ",
                "農業協",
                "信用",
            ]
        ),
        _COMPANY_LAST,
        17,
    ),
    Rule(
        "workplace",
        begins(
            [
                "勤務",
                "勤め",
                "就職",
                "入社",
                "退職",
                "社員",
                "働い",
                "働く",
                "就労",
                "勤続",
                "パート",
                "工員",
                "職員",
                "経営",
                "産業医",
                "従事",
            ]
        ),
        _before_working,
        19,
    ),
    cued(
        "workplace",
        _WORK_CUES.split(),
        rf"[ ]?\((?P<value>{_WORK_VALUE})\)",
        _is_work,
        priority=17,
        before=_APART,
    ),
    cued(
        "workplace",
        _WORK_CUES.split(),
        rf"(?![ ]?\([^()]{{4,30}}\)(?![ ]?[:=])){WIDE_GAP}(?P<value>{_WORK_VALUE})",
        _is_work,
        priority=18,
        before=_APART,
    ),
    Rule(
        "school",
        begins(_school_words.split()),
        named(_school_words, NO_SCHOOL, "生(?!徒)|病院|校区|歴|受験|ノート|図書|病|名誉"),
        18,
    ),
    cued(
        "school",
        _SCHOOL_CUES.split(),
        rf"{FIRM_GAP}(?P<value>{ABBREVIATION}){_TAIL}",
        _is_school,
        priority=18,
        before=_APART,
    ),
    Rule(
        "hospital",
        (Begin("東京阪名慶北日済国聖慈順虎", "大赤生循路恵天の"),),
        finder("(?:東大病院|京大病院|国循|聖路加|慈恵医大|虎の門|順天堂)(?!大学)"),
        17,
    ),
)
