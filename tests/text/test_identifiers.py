"""Identifiers that are found, and clinical text that has to stay."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rinsho.text.identifier_names import GAPS, OPENS_GAP
from rinsho.text.identifiers import (
    IDENTIFIER_KINDS,
    PUBLIC_TEXT_KINDS,
    find_identifiers,
    replace_identifiers,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("患者氏名: 山田 太郎、75歳", "患者氏名: [氏名]、75歳"),
        ("氏名 佐藤花子(女性)", "氏名 [氏名](女性)"),
        ("主治医:髙瀬", "主治医:[氏名]"),
        ("読影医: 田中一郎", "読影医: [氏名]"),
        ("𠮷田太郎様が来院", "[氏名]様が来院"),
        ("山本次郎先生 御侍史", "[氏名]先生 御侍史"),
        ("患者ID: 00123456", "患者ID: [番号]"),
        ("ID:1234567 受診", "ID:[番号] 受診"),
        ("診察券番号 A-1234567", "診察券番号 [番号]"),
        ("生年月日 昭和25年3月4日", "生年月日 [生年月日]"),
        ("生年月日: S25.3.4(75歳)", "生年月日: [生年月日](75歳)"),
        ("DOB: 1950-03-04", "DOB: [生年月日]"),
        ("1950年3月4日生まれ", "[生年月日]生まれ"),
        ("TEL 03-1234-5678", "TEL [電話番号]"),
        ("FAX: (03) 1234-5678", "FAX: [電話番号]"),
        ("携帯09012345678", "携帯[電話番号]"),
        ("+81-90-1234-5678", "[電話番号]"),
        ("taro.yamada@example.co.jp。", "[メールアドレス]。"),
        ("〒606-8501 京都府京都市左京区吉田本町36番地1号", "〒[郵便番号] [住所]"),
        ("東京都千代田区霞が関一丁目2番2号に", "[住所]に"),
        ("現住所: 大阪市北区中之島", "現住所: [住所]"),
    ],
)
def test_identifiers_are_replaced_and_their_cues_stay(text: str, expected: str) -> None:
    assert replace_identifiers(text)[0] == expected


@pytest.mark.parametrize(
    "text",
    [
        "WBC 4500-9000、血圧 140-90、0.5-1.0-2.0",
        "3日前、1/2に減量、Levine 3/6、平成の頃、術後2日目",
        "インフルエンザ様症状、腺様嚢胞癌、関節様構造、同様、患者様",
        "(15) 沢田氏反応、小野氏法",
        "臨床修練指導医 外国医師が行う",
        "主治医: 未定。主治医に報告し、担当看護師と相談",
        "氏名: 不明",
        "電話で家族に説明した",
        "振替は00110-2-5606",
        "Hb 12.3→10.1 g/dL、アムロジピン5mg 1T分1",
        "大学病院で手術、東京都在住、近くの内科医院",
        "森林浴、原発巣、南側病棟",
        "硬変様、刷子縁様、西洋梨様と表現される",
        "Add Drug Era、MedDRAのコード、Patient Level Prediction",
        "世帯主(政令で定めるもの)、管理者 道路法、保護者(親権を行う者)",
        "食事摂取量は10/10、主食1/3、MMSE 10/30、L4/5",
    ],
)
def test_clinical_text_without_identifiers_stays_as_it_is(text: str) -> None:
    assert replace_identifiers(text)[0] == text


def test_only_the_kinds_that_were_asked_for_are_replaced() -> None:
    text = "主治医: 髙瀬 TEL 03-1234-5678"
    assert replace_identifiers(text, ("phone",))[0] == "主治医: 髙瀬 TEL [電話番号]"
    assert replace_identifiers(text, ())[0] == text


def test_rare_characters_before_an_identifier_do_not_shift_it() -> None:
    text = "😀𠮷野家の前で転倒。連絡先 090-1234-5678"
    (found,) = find_identifiers(text)
    assert text[found.start : found.end] == "090-1234-5678"


PIECES = [
    "患者名: 山田太郎 ",
    "〒100-0001 ",
    "a@b.jp ",
    "03-1234-5678 ",
    "生年月日 S25.3.4 ",
    "😀",
    "咳",
]


@given(st.lists(st.sampled_from(PIECES), max_size=8))
def test_replacements_tell_both_spans_and_change_nothing_else(pieces: list[str]) -> None:
    text = "".join(pieces)
    new, replacements = replace_identifiers(text)
    rebuilt, done = "", 0
    for one in replacements:
        kept = text[done : one.identifier.start]
        assert new[one.start - len(kept) : one.start] == kept
        assert new[one.start] == "[" and new[one.end - 1] == "]"
        rebuilt += kept + new[one.start : one.end]
        done = one.identifier.end
    assert rebuilt + text[done:] == new
    assert {one.identifier.kind for one in replacements} <= set(IDENTIFIER_KINDS)
    assert find_identifiers(new) == ()


FORMS = [
    ("| 氏名 | 山田 太郎 |", ["山田 太郎"]),
    ("氏名,電話\n鈴木一郎,03-1234-5678\n", ["鈴木一郎", "03-1234-5678"]),
    ("マイナンバー:1234 5678 9018", ["1234 5678 9018"]),
    ("記号 1234 番号 567890", ["1234", "567890"]),
    ("運転免許証番号 第123456789012号", ["123456789012"]),
    ("パスポート TK1234567", ["TK1234567"]),
    ("シリアル番号 PJN123456H", ["PJN123456H"]),
    ("京都市中京区烏丸通御池下る虎屋町577-2", ["京都市中京区烏丸通御池下る虎屋町577-2"]),
    ("札幌市中央区北1条西2丁目5-1", ["札幌市中央区北1条西2丁目5-1"]),
    ("みどりの森クリニックに通院", ["みどりの森クリニック"]),
    ("株式会社山田製作所に勤務", ["株式会社山田製作所"]),
    ("第三小学校に通学", ["第三小学校"]),
    ("長男の太郎さんに電話", ["太郎"]),
    ("1/3 入院、1/5退院。R6.1.3", ["1/3", "1/5", "R6.1.3"]),
]


FORMS += [
    ("生年月日: 3500304", ["3500304"]),
    ("1950/3/4 (75歳)", ["1950/3/4"]),
    ("12 Sep 2020 CT performed", ["12 Sep 2020"]),
    ("2024-01-03T10:20:30+09:00 入院", ["2024-01-03"]),
    ("12/8の結果", ["12/8"]),
    ("S55.3より透析", ["S55.3"]),
    ("運転免許証 番号 第123456789012号", ["123456789012"]),
    ("個人番号カードの番号は 123456-789018", ["123456-789018"]),
    ("UDI-PI (17)260101(10)A123456", ["(17)260101(10)A123456"]),
    ("メール .taro.yamada.@example.jp", [".taro.yamada.@example.jp"]),
    ("taro[at]example[dot]jp", ["taro[at]example[dot]jp"]),
    ("PATIENT: yamada^taro", ["yamada^taro"]),
    ("Dr. Okabe consulted", ["Okabe"]),
    ("様子観察とする。 (山田)", ["山田"]),
    ("中山・西岡両氏とも", ["中山", "西岡"]),
    ("氏名 辻\U000e0100 大輔", ["辻\U000e0100 大輔"]),
    ("大字上野字西原1234番地", ["大字上野字西原1234番地"]),
]


@pytest.mark.parametrize(("text", "expected"), FORMS)
def test_many_forms_are_found_whole(text: str, expected: list[str]) -> None:
    assert [text[one.start : one.end] for one in find_identifiers(text)] == expected


HOSTILE = [
    "1",
    "0-",
    "a.",
    "@",
    "山",
    "市",
    "氏名 ",
    "横浜市1",
    "ア ",
    "東京都",
    "妻の",
    "(",
    "免許 ",
]


def n_steps(text: str) -> int:
    """Count the calls of Python functions that a text takes: no clock, so no noise."""
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(count)
    try:
        find_identifiers(text)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("unit", HOSTILE)
def test_steps_grow_no_faster_than_hostile_text(unit: str) -> None:
    short, long = ((unit * n)[:n] for n in (5_000, 20_000))
    assert n_steps(long) < 6 * n_steps(short) + 1_000


@pytest.mark.campaign
@pytest.mark.parametrize("unit", HOSTILE)
def test_hostile_text_of_a_million_characters_ends(unit: str) -> None:
    find_identifiers((unit * 1_000_000)[:1_000_000])


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("PID|1||0012345^^^A^PI||山田^太郎^^^^^L~", "0012345", "record_number"),
        ("PID|1||0012345^^^A^PI||山田^太郎^^^^^L~", "山田^太郎", "name"),
        ("PN [YAMADA^TARO=山田^太郎]", "YAMADA^TARO=山田^太郎", "name"),
        ('"name": [{"family": "高木", "given": ["奈々"]}]', "奈々", "name"),
        ("古賀 正一(コガ ショウイチ)様", "古賀 正一", "name"),
        ("72歳男性、山田太郎。", "山田太郎", "name"),
        ("妻・達子", "達子", "name"),
        (
            "2-3-4 Minami Aoyama, Minato-ku, Tokyo",
            "2-3-4 Minami Aoyama, Minato-ku, Tokyo",
            "address",
        ),
        ("郵便番号 4 2 0 - 8 6 0 1", "4 2 0 - 8 6 0 1", "postal_code"),
        ("雇用主 追手水産", "追手水産", "workplace"),
        ("管理番号(ME機器)C1491", "C1491", "device_number"),
        ("12345678 山田 花子 女 1940/04/09", "1940/04/09", "birth_date"),
        ("電話 022~537~8934", "022~537~8934", "phone"),
        ("TEL:0178-65-0601、1945", "1945", "phone"),
        ("生まれは香川県丸亀市大手町。", "香川県丸亀市大手町", "address"),
        ("00123456_YAMADA_TARO_CT.dcm", "00123456", "record_number"),
        ("12:04 城 花子 胃カメラ", "城 花子", "name"),
        ("①八木 ②赤井 ③平", "赤井", "name"),
        ("続柄,氏名\n長男,山田 大輔\n", "山田 大輔", "name"),
        ("妻翔と長女が来院", "翔", "name"),
        ("患者番号は、たしか 4303608 だったと思います", "4303608", "record_number"),
        ("保険者番号並びに保険者の名称及び印\n60768652", "60768652", "insurance_number"),
        ("後期高齢 14217392 / 21002246", "21002246", "insurance_number"),
        ("リード(RV): TDV599852", "TDV599852", "device_number"),
        (
            "+H866GMDYRS366/$$424111116LOT824/SKKP1937",
            "+H866GMDYRS366/$$424111116LOT824/SKKP1937",
            "device_number",
        ),
        ("個人番号(12桁)または基礎年金番号(10桁) 655481781945", "655481781945", "my_number"),
        ("運転免許証 12桁の番号 469936404760", "469936404760", "license_number"),
        ("番号 第309940922310号", "309940922310", "license_number"),
        ("(0010,0020) LO [41619545]", "41619545", "record_number"),
        ("住所: 沼津市御幸町8-14(410-2557)", "410-2557", "postal_code"),
        ("通話無料の電話、(0120)043791", "(0120)043791", "phone"),
        ("Phone +81 (3) 9138-2014", "+81 (3) 9138-2014", "phone"),
        ("生年月日 元号 7 11 年 03 月 19 日", "7 11 年 03 月 19 日", "birth_date"),
        ("カネダ カズエ\n10m歩行", "カネダ カズエ", "name"),
        ("('MRN446', '上田', 'シズエ', 'ウエダ')", "シズエ", "name"),
        ("執刀は北島、助手は乾。", "乾", "name"),
        ("救急隊の金沢です。", "金沢", "name"),
        ("4年5組の長谷部操が来室。", "長谷部操", "name"),
        ("金田 かず子\t2024/07/23", "金田 かず子", "name"),
        ("出席者 桑原恭子委員長", "桑原恭子", "name"),
        ("かかりつけ医:植木正雄", "植木正雄", "name"),
        ("個人番号 6554_8178_1945", "6554_8178_1945", "my_number"),
        ("免許証番号 三〇九九四〇九二二三一〇", "三〇九九四〇九二二三一〇", "license_number"),
        ("旅 券 番 号\nT K 9 9 7 4 8 7 0", "T K 9 9 7 4 8 7 0", "passport_number"),
        ("PID|1||TK9974870^^^JPN^PPN||", "TK9974870", "passport_number"),
        ("TEL:0 1 7 8 - 6 5 - 0 6 0 1", "0 1 7 8 - 6 5 - 0 6 0 1", "phone"),
        ("電話番号 090|2708|7362", "090|2708|7362", "phone"),
        ("〒420\n-8601", "420\n-8601", "postal_code"),
        ("生年月日:1 9 4 0 1 2 0 3", "1 9 4 0 1 2 0 3", "birth_date"),
        ("児は2024年1月5日に38週4日で出生", "2024年1月5日", "birth_date"),
        ("患者番号は九〇八五七九とのこと", "九〇八五七九", "record_number"),
        ("登録IDK752830", "K752830", "record_number"),
        ("(0008,0050) SH LG2177246540\n", "LG2177246540", "record_number"),
        ("人工弁 23mm SN 48230606", "48230606", "device_number"),
        ("記号が6431で番号が7312とのこと", "7312", "insurance_number"),
        ("保険証の番号が7268の42145", "7268の42145", "insurance_number"),
        ("ワクチンLotFA1234", "FA1234", "device_number"),
        ("<mynumber>655481781945</mynumber>", "655481781945", "my_number"),
        ("/patients/00123456/", "00123456", "record_number"),
        ("Born on 4 March 1937", "4 March 1937", "birth_date"),
        ("2018/5/6 帝王切開で出生", "2018/5/6", "birth_date"),
        ("1,山田太郎,1,S120304", "S120304", "birth_date"),
        ("昭和12年3月4日うまれ", "昭和12年3月4日", "birth_date"),
        ("生年月日|昭和|12|3|4", "昭和|12|3|4", "birth_date"),
        ("昭和・平成のいずれか 生年月日 昭和・平成 12年3月4日", "12年3月4日", "birth_date"),
        ("撮影日 240105", "240105", "date"),
        ("採取 05-JAN-24", "05-JAN-24", "date"),
        ("2024_01_05_CT.jpg", "2024_01_05", "date"),
    ],
)
def test_labels_of_machines_and_forms_are_read(text: str, value: str, kind: str) -> None:
    found = [(text[one.start : one.end], one.kind) for one in find_identifiers(text)]
    assert (value, kind) in found


@pytest.mark.parametrize(
    "text",
    [
        "型番 DX-10497",
        "病名管理番号 20068765",
        "長男:喘息",
        "市町村の区域内に居住地を有する",
        "外来カルテ\nL1-5の固定術後。体重78.7kg、白血球 12000",
        "薬食発第0316478号の通知、委員会の検討",
        "会計は保険で12000円、血小板 250000/μL",
        "中山道は木曽を通る。小川が流れる",
        "面談に奥様が同席。日本版modified Rankin Scale (mRS)",
    ],
)
def test_codes_of_things_and_words_of_laws_are_no_identifiers(text: str) -> None:
    assert find_identifiers(text) == ()


def test_names_without_a_cue_stay_in_public_text_where_they_are_authors() -> None:
    text = "2021年、山田花子、『統計の話』"
    assert find_identifiers(text, PUBLIC_TEXT_KINDS) == ()
    assert [text[one.start : one.end] for one in find_identifiers(text, ("name",))] == ["山田花子"]


def test_no_gap_opens_with_a_character_that_none_names() -> None:
    rests = ("", ":山田", " 山田", "(姓): 山田", "名: 山田", "] 山田", "山田", '": "山田')
    others = [chr(code) for code in range(0x10000) if chr(code) not in OPENS_GAP]
    assert not any(gap.match(c + rest) for c in others for gap in GAPS for rest in rests)
