"""Where the name of an institution begins: read back from its last word to a particle or a sign."""

from __future__ import annotations

import re

from rinsho.text.identifier_anchors import Find
from rinsho.text.identifier_patterns import any_of

LONGEST = 30  # characters of a name before its last word

LETTER = r"[一-龠々〆ヶヵ﨑髙ァ-ヶー・A-Za-z0-9&'’ⅠⅡⅢ㈱㈲]"

_RUN = re.compile(
    rf"(?:{LETTER}|[ぁ-ん]|(?<=[A-Za-z])[ .](?=[A-Z])|(?<=[A-Za-z])[ ](?=\Z)|(?<=\))|\([株有]\)|-(?=[A-Za-z0-9]))+\Z"
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


def name_start(text: str, end: int) -> int:
    """Return where the name begins whose last word begins at `end`."""
    run = _RUN.search(text, max(0, end - LONGEST), end)
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
    " 主治 有名 一流 名門 保育 幼稚 全 の その この ある 学校 教員 先生 教師 教諭 長男"
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


NO_HOSPITAL, NO_SCHOOL, NO_COMPANY = (
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


def named(last_words: str, no_name: re.Pattern[str], not_after: str = "") -> Find:
    """Return a function that reads a name back from its last word."""
    last = re.compile(any_of(last_words) + (f"(?!{not_after})" if not_after else ""))

    def find(text: str, place: int) -> tuple[int, int] | None:
        match = last.match(text, place)
        if match is None:
            return None
        start = name_start(text, place)
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
