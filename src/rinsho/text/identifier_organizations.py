"""Hospitals, schools and workplaces by the last word of their names, or beside a cue.

A name needs a part of its own: 山田病院 has one, 近くの総合病院 and 大学病院 have none.
"""

from __future__ import annotations

import re

from rinsho.text.identifier_anchors import Begin, Find, Rule, begins, cued, finder
from rinsho.text.identifier_given_names import split_full_name
from rinsho.text.identifier_patterns import FIRM_GAP, WIDE_GAP, any_of
from rinsho.text.identifier_surnames import is_kana_surname, is_surname

_LONGEST = 30  # characters of a name before its last word
_LETTER = r"[一-龠々〆ヶヵ﨑髙ァ-ヶー・A-Za-z0-9&'’ⅠⅡⅢ㈱㈲]"
_RUN = re.compile(
    rf"(?:{_LETTER}|[ぁ-ん]|(?<=[A-Za-z])[ .](?=[A-Z])|(?<=[A-Za-z])[ ](?=\Z)|(?<=\))|\([株有]\)|-(?=[A-Za-z0-9]))+\Z"
)
_KANA_NAMES = (
    "がん こども みなと さいたま いわき つくば なごみ にこにこ はなの はるか やま"
    "と もみじ ともだち とちのき のぞみ はまなす はくちょう しらかば とよさと"
    " おおぞら たんぽぽ なのはな ゆりかご ふじ けやき いずみ かもめ ほほえみ まご"
    "ころ へいわ やすらぎ のどか きぼう にじ はばたき やよい はと もえぎ でんえん"
    " いしい"
)
_STARTS_LIKE_PARTICLE = (
    "が",
    "を",
    "に",
    "で",
    "と",
    "は",
    "へ",
    "の",
    "も",
    "や",
    "より",
    "から",
    "まで",
    "し",
    "た",
    "る",
    "て",
    "い",
    "り",
    "き",
    "く",
    "け",
    "れ",
    "された",
    "う",
    "め",
    "ち",
    "な",
)
_KANA_RUN = re.compile("[ぁ-ん]+")
_PARTICLE_ALONE = re.compile("[がをにでとはへのもや]|から|より|まで|では|には|での|への")
_AFTER_NO = re.compile(
    r"[根瀬端脇元本台沢池森里丘杜郷園家木海風街泉原浜国川宮庄花虹星空町山上下手内"
    r"里郷辺葉島実陽光音道]"
)
_FUNCTION_WORDS = re.compile(
    r"(?:また|まず|その|この|あの|ある|いわゆる|さらに|なお|ただし|おもに|かかりつ"
    r"け|いつも|もと|ほか|よその|ちかく|どこ|すべて|いくつか|ここ|そこ|それ|これ|"
    r"もし|および|または|かつ|ため|より|から|"
    r"まで|すでに|現在は|当初は|以前は|では|には|とは)(?:の|は|に|も|が|で|と)?"
)


_CALLED = re.compile("(?:さん|さま|くん|ちゃん|様|氏)[はがもにと]|(?<=年)から|(?<=月)から")


def _name_start(text: str, end: int) -> int:
    """Return where the name begins whose last word begins at `end`."""
    run = _RUN.search(text, max(0, end - _LONGEST), end)
    if run is None:
        return end
    start = run.start()
    if called := _CALLED.search(text, run.start(), end):  # 山田さんは南北商事に
        start = called.end()
    for kana in _KANA_RUN.finditer(text, start, end):
        start = _after_kana(text, start, end, kana)
    return start


def _after_kana(text: str, start: int, end: int, kana: re.Match[str]) -> int:
    """Return where the name begins, judged by one run of hiragana in it."""
    word, at = kana[0], kana.start()
    if function := _FUNCTION_WORDS.match(word):
        return at + function.end()
    if word.startswith(tuple(_KANA_NAMES.split())) or at == start:
        return start
    if text[at - 1] in "立会団人属" and not _PARTICLE_ALONE.fullmatch(word):
        return start
    if (
        word in ("の", "が", "ケ", "つ")
        and _AFTER_NO.match(text, kana.end())
        and kana.end() + 1 <= end
    ):
        return start
    for particle in (
        "について",
        "において",
        "として",
        "による",
        "までに",
        "からの",
        "より",
        "から",
        "まで",
        "では",
        "には",
        "での",
        "への",
        "との",
    ):
        if word.startswith(particle):
            return at + len(particle)
    if word.startswith(tuple(_KANA_NAMES.split()), 1):
        return at + 1
    if word.startswith(_STARTS_LIKE_PARTICLE):
        return at + 1 if len(word) >= 3 and word[0] in "がをにではとへのも" else kana.end()
    return start


# ------------------------------------------------------------------------------- hospitals

_SPECIALTY = (
    "内科 外科 小児科 眼科 皮膚科 耳鼻科 耳鼻咽喉科 産婦人科 婦人科 産科 整形外科"
    " 泌尿器科 精神科 心療内科 神経内科 脳神経内科 脳外科 脳神経外科 循環器科 循"
    "環器 循環器内科"
    " 消化器 消化器科 消化器内科 呼吸器 呼吸器科 呼吸器内科 胃腸科 放射線科 麻酔"
    "科 歯科 歯科口腔外科 口腔外科 形成外科 美容外科 透析 血液透析 人工透析 内視"
    "鏡 眼 肛門科"
    " リハビリテーション リハビリテーション科 リハビリ 救急 救急科 心臓血管外科 "
    "血管外科 乳腺外科 腎臓内科 糖尿病内科 リウマチ科 アレルギー科 緩和ケア 在宅 "
    "在宅医療 訪問 訪問診療 メンタル"
    " ペインクリニック ペイン レディース 健診 検診 人間ドック 精神 結核 感染症 が"
    "ん 小児 周産期 母子 循環器病 脳卒中 救命救急 救命 心臓 血液"
)
_GENERIC_HOSPITAL = (
    "総合 大学 大学附属 附属 付属 国立 公立 市立 県立 都立 町立 村立 府立 道立 区"
    "立 私立 市民 県民 町民 一般 専門 地域 中核 基幹 拠点 関連 協力 連携 紹介 紹"
    "介元 紹介先 元 先 他 前 後 某 同"
    " 当 各 近隣 近医 近く 近所 近郊 遠方 最寄り 最寄 市内 県内 都内 県外 市外 院"
    "外 院内 海外 国内 民間 大 小 中 療養型 療養 慢性期 急性期 回復期 亜急性期 診"
    "療 支援 特定 機能 特定機能 指定"
    " 医療 保険 保険医療 第一 第二 第三 本 両 別 夜間 休日 こども 女性 女性専用 "
    "病診 病病 かかりつけ 転院 転院先 搬送 搬送先 受診 入院 入院中 外来 通院 通院"
    "中 通院先 以前 現在 今回 昨日 本日 翌日"
    " 同日 先日 複数 数 二次 三次 一次 二次救急 三次救急 災害 災害拠点 臨床研修 "
    "研修 教育 がん診療連携拠点 がん診療 地域医療支援 医療支援 へき地 開業 開放型"
    " 単科 全国 我が国 日本 世界 欧米 の"
    " 主要 主治医 担当 家庭 老人 介護 養護 福祉 保健 市町村 都道府県 自治体 公的 "
    "企業 企業立 有床 無床 多施設 施設 臨床 研究 検査 健康 調剤 保険調剤 門前 院"
    "外処方 処方 訪問看護 事業所 精神保健福祉"
    " 総合周産期 地域周産期 総合周産期母子 専門医療 高度専門 高度 先端 特別 特別"
    "養護 有料 軽費 認知症 認知症疾患 老年 子ども 小児専門 動物 仮設 臨時 旧 新 "
    "名 新規 大型 小規模 中小 地元 地方"
    " 国保 年金 共済 労災 日赤 基幹災害 当該 該当 対象 参加 他の 別の 個人 いくつ"
    "か すべて 全 全て ある その この 勤務 派遣 医師 患者 看護 職員 病棟 手術 診"
    "断 治療 受け入れ 当直 当番 輪番 協会"
)
_GENERIC_SCHOOL = (
    "公立 市立 県立 都立 区立 町立 村立 私立 国立 府立 道立 地元 近く 近所 近隣 "
    "同 某 各 他 別 元 出身 附属 付属 看護 医療 福祉 専門 職業 特別支援 盲 聾 養"
    "護 女子 男子 定時制 通信制 全日制 夜間 普通 工業 商業"
    " 農業 農林 工科 総合 進学 現在 当時 認可 無認可 認定 公設 民間 小 中 高 大 "
    "小中 中高 幼 短期 医科 薬科 歯科 放送 市内 県内 都内 国内 海外 外国 日本 世"
    "界 欧米 全国 地方 地域 当該 通学 通園 入学 卒業 在学"
    " 有名 一流 名門 保育 幼稚 全 の その この ある 学校 教員 先生 教師 教諭 長男"
    " 長女 次男 次女 息子 娘 孫 本人 患者 三 兄 弟 姉 妹 父 母 夫 妻 関連 大学 大"
    "学院 研究 当 本 両 第一 第二 現 新 旧 卒 担任 義務教育 初等 中等"
)
_GENERIC_COMPANY = (
    "大手 中小 零細 某 元 自動車 建設 建築 土木 印刷 食品 運送 運輸 製造 製薬 保"
    "険 警備 清掃 不動産 電機 電気 電子 機械 化学 鉄鋼 金属 塗装 医療 介護 人材 "
    "派遣 派遣会社 広告 出版 新聞 放送 同 当 本 両 各 他 別 親 子 関連"
    " 地元 近所 外資系 家族 自営 自分 個人 現在 以前 商社 情報 通信 関係 販売 卸"
    "売 小売 飲食 水産 農業 林業 漁業 市 県 町 区 村 夫 妻 父 母 息子 娘 長男 長"
    "女 次男 の その この ある IT 生命 会計 法律 行政 司法 設計 営業 事務"
)


def _is_generic(words: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{any_of(words)})*")


_NO_HOSPITAL, _NO_SCHOOL, _NO_COMPANY = (
    _is_generic(words)
    for words in (f"{_GENERIC_HOSPITAL} {_SPECIALTY}", _GENERIC_SCHOOL, _GENERIC_COMPANY)
)
_KINDS_OF_PLACES = re.compile(
    "(?:病院|医院|診療所|薬局|学校|幼稚園|保育園|会社|施設|クリニック)(?:又は|または|及び|[・、/])"
)
_JOINTS = re.compile("及び|又は|並びに|または|および|に|が|を|は")
_OF_LAW = re.compile("規定|掲げ|定める|備え|あつて|持った|充実|準ずる")
_BRANCH = re.compile("(?<=[社)㈱㈲])[一-龠]{0,4}(?:本社|支社|本店|支店|営業所|工場|事業所|支部)")
_YEARS = re.compile("[0-9]+(?:年間?|か月間?|ヶ月間?|日間?|回)")
_CORPORATION = re.compile(
    r"(?:(?:社会|特定)?医療法人(?:社団|財団)?|社会福祉法人|独立行政法人|国立大学法"
    r"人|地方独立行政法人|[一般公益]{2}(?:財団|社団)法人|学校法人|宗教法人)"
    r"[ ]?[一-龠ぁ-んァ-ヶー]{0,10}[ ]?\Z"
)


def _named(last_words: str, no_name: re.Pattern[str], not_after: str = "") -> Find:
    """Return a function that reads a name back from its last word."""
    last = re.compile(any_of(last_words) + (f"(?!{not_after})" if not_after else ""))

    def find(text: str, place: int) -> tuple[int, int] | None:
        match = last.match(text, place)
        if match is None:
            return None
        start = _name_start(text, place)
        if years := _YEARS.match(text, start, place):
            start = years.end()
        for kind in _KINDS_OF_PLACES.finditer(text, start, place):  # 従事する病院・診療所
            start = kind.end()
        while joint := _JOINTS.match(text, start, place):
            start = joint.end()
        if _OF_LAW.search(text, start, place):
            return None
        if start == place or no_name.fullmatch(text, start, place):
            return None
        while start < place and text[start] in "・'’-. 0123456789" and not text[start].isdigit():
            start += 1
        if prefix := _CORPORATION.search(text, max(0, start - 24), start):
            start = prefix.start()
        end = match.end()
        if branch := _BRANCH.match(text, end):
            end = branch.end()
        return (start, end) if start < place else None

    return find


_HOSPITAL_WORDS = (
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
_HOSPITAL_CUES = (
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
_ABBREVIATION = r"[一-龠々ヶァ-ヶーA-Za-zぁ-ん0-9・&ⅠⅡ－-]{2,30}"
_NO_VALUE = re.compile(
    r"番号$|コード$|連絡先|麻黄|ポンプ|なし|無し|無$|不明|未定|同上|当院|自院|他院|近医|本人|自宅|有り|あり|希望|特"
    r"に|依頼|上記|下記|以下|予定|検討|家族|未記入|記載|先生|医師|在宅|施設入所|受"
    r"診|入院|退院|外来|転院|紹介|返書|報告|済$|電話|手術|検査|経過|治療"
)


_IS_PLACE = re.compile("院|所|科|局|園|苑|荘|会|館|センター|クリニック|ホーム|病棟|ステーション")


def _is_institution(value: str) -> bool:
    if _NO_VALUE.search(value) or _NO_HOSPITAL.fullmatch(value):
        return False
    return _IS_PLACE.search(value) is not None or split_full_name(value) is None


_FACILITY = finder(
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


def _specialty_clinic(text: str, place: int) -> tuple[int, int] | None:
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


# ----------------------------------------------------------------------- schools, companies

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
_COMPANY_LAST = _named(
    (
        "株式会社 有限会社 合同会社 合資会社 ㈱ ㈲ (株) (有) ホールディングス コーポ"
        "レーション 農業協同組合 信用金庫 信用組合"
    ),
    _NO_COMPANY,
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
    rf"(?P<name>{_LETTER}{{2,24}}?)(?P<last>{any_of(_COMPANY_WORDS)})?(?:[ ]?(?:の|"
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
    tail = _COMPANY_TAIL.search(text, max(0, place - _LONGEST), place)
    if tail is None:
        return None
    start = max(
        tail.start("name"),
        _name_start(text, tail.end("last") if tail["last"] else tail.end("name")),
    )
    end = tail.end("last") if tail["last"] else tail.end("name")
    name = text[start : tail.end("name")]
    if (
        not name
        or _NO_COMPANY.fullmatch(name)
        or _NO_HOSPITAL.fullmatch(name)
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
    r"(?![A-Za-z_ ]{1,20}[:=#])[^\s\0、。,;|\"\t()「」\[\]:/0-9]{2,16}){0,3}"
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
    return _NO_WORK.search(value) is None and _NO_COMPANY.fullmatch(value) is None


def _is_school(value: str) -> bool:
    return not re.search(
        r"なし|不明|不登校|休|欠席|同上|生活|検診|健診|[はがをに]", value
    ) and not _NO_SCHOOL.fullmatch(value)


_APART = "(?<![一-龠ァ-ヶー])"
_TAIL = r"(?![一-龠ぁ-んァ-ヶA-Za-z])"
ORGANIZATION_RULES = (
    Rule(
        "hospital",
        begins(_HOSPITAL_WORDS.split()),
        _named(_HOSPITAL_WORDS, _NO_HOSPITAL, "機構|様|船"),
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
        _specialty_clinic,
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
        _FACILITY,
        16,
    ),
    cued(
        "hospital",
        _HOSPITAL_CUES.split(),
        rf"{FIRM_GAP}(?P<value>{_ABBREVIATION})",
        _is_institution,
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
        rf"(?![ ]?\([^()]{{4}}){WIDE_GAP}(?P<value>{_WORK_VALUE})",
        _is_work,
        priority=18,
        before=_APART,
    ),
    Rule(
        "school",
        begins(_school_words.split()),
        _named(_school_words, _NO_SCHOOL, "生(?!徒)|病院|校区|歴|受験|ノート|図書|病|名誉"),
        18,
    ),
    cued(
        "school",
        _SCHOOL_CUES.split(),
        rf"{FIRM_GAP}(?P<value>{_ABBREVIATION}){_TAIL}",
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
