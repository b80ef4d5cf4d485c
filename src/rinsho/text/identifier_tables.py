"""Identifiers in tables: a line of labels, and the cells below each of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from rinsho.text.identifier_kinds import Identifier, IdentifierKind

_LABELS_OF_KINDS: tuple[tuple[IdentifierKind, str], ...] = (
    (
        "name",
        (
            "氏名 名前 患者名 患者氏名 姓名 漢字氏名 カナ氏名 フリガナ ふりがな カナ 主治"
            "医 担当医 執刀医 担当者 記載者 紹介医 家族氏名 保護者 キーパーソン name Name"
            " 姓 名 患者様氏名 担当看護師 連絡者 看護師 医師 患児氏名 受診者氏名 被験者氏名 "
            "本人氏名 患者氏名カナ 患者氏名漢字 氏名カナ 氏名漢字 氏名_カナ 氏名_漢字 "
            "カナ氏名 カナ名 漢字名 患者名カナ 患者カナ氏名 患者漢字氏名 受診者名 被保険者氏"
            "名 世帯主 世帯主氏名 傷病者氏名 通報者 発信者 "
            "申請者 届出人 記入者 キーパーソン氏名 連絡先氏名 patient_name PatientName kana "
            "full_name 氏 名 セイ メイ"
        ),
    ),
    ("birth_date", "生年月日 誕生日 出生日 DOB birthday birth_date"),
    (
        "phone",
        (
            "電話 電話番号 TEL Tel tel 携帯 携帯番号 携帯電話 連絡先 FAX Fax 緊急連絡先 "
            "自宅電話 phone 内線 固定電話 直通 TEL1 TEL2"
        ),
    ),
    (
        "address",
        "住所 現住所 自宅住所 address 患者住所 居住地 都道府県 市区町村 市町村 町名 番地 町"
        "名番地 町域 丁目番地 建物名 住所1 住所2 住所3 所在地 本籍 居所 "
        "発生場所 搬送先住所 prefecture city",
    ),
    ("postal_code", "郵便番号 〒 zip ZIP 郵便 postal_code postalCode 〒番号"),
    ("mail", "メール メールアドレス E-mail e-mail mail Mail email Email"),
    (
        "record_number",
        (
            "患者番号 患者ID カルテ番号 診察券番号 ID 診療録番号 患者コード MRN 受診者番"
            "号 カルテNo 検体番号 patient_id 受付番号 整理番号 登録番号 症例番号 被験者番号 "
            "識別番号 入院番号 オーダ番号 オーダー番号 患者No "
            "患者No. PatientID 受診番号 診察券No 依頼番号 被験者識別コード 症例ID 検体ID"
        ),
    ),
    ("my_number", "個人番号 マイナンバー"),
    (
        "insurance_number",
        (
            "保険者番号 被保険者番号 被保険者証番号 記号番号 記号・番号 記号 受給者番号 "
            "公費負担者番号 保険証番号 被保険者記号番号 番号 枝番 公費番号 負担者番号 保険番号"
        ),
    ),
    ("license_number", "運転免許証番号 免許証番号 免許番号"),
    ("passport_number", "旅券番号 パスポート番号 パスポート"),
    ("device_number", "シリアル番号 製造番号 機器番号 ロット番号 S/N シリアルNo"),
    (
        "hospital",
        "紹介元 紹介先 医療機関 医療機関名 病院名 施設名 前医 かかりつけ医 紹介元医療機関",
    ),
    ("workplace", "勤務先 職場 会社名 勤め先 事業所名 勤務先名 雇用主"),
    ("school", "学校 学校名"),
    (
        "date",
        (
            "入院日 退院日 受診日 検査日 手術日 日付 初診日 診察日 採血日 撮影日 実施日 "
            "報告日 来院日"
        ),
    ),
)
_LABELS: dict[str, IdentifierKind] = {
    label: kind for kind, labels in _LABELS_OF_KINDS for label in labels.split()
}
# Of columns that hold no identifier: they tell that a line is a header.
_OTHER_LABELS = frozenset(
    [
        "続柄",
        "性別",
        "年齢",
        "職業",
        "職種",
        "備考",
        "病名",
        "診断名",
        "診断",
        "診療科",
        "病棟",
        "病室",
        "科",
        "部署",
        "役職",
        "血液型",
        "関係",
        "年令",
        "sex",
        "gender",
        "age",
        "同居",
        "順位",
    ]
)
LABELS = (*_LABELS, *_OTHER_LABELS)
_LABEL = re.compile("|".join(map(re.escape, sorted(LABELS, key=len, reverse=True))))
_LONGEST_HEADER = 400  # characters of a line of labels
_PLAIN = re.compile(r"なし|無し?|不明|-+|:?-{2,}:?|―|ー|未定|同上|\s*")
_IS_OF_KIND: dict[IdentifierKind, re.Pattern[str]] = {
    "name": re.compile(r"[^\d:=\0]{1,20}"),
    "birth_date": re.compile(r"(?=.*\d)[^\0]{4,24}"),
    "date": re.compile(r"(?=.*\d)[0-9A-Za-z/.\-年月日 ()令和平成昭月火水木金土]{4,24}"),
    "phone": re.compile(r"[\d()+\- ‐−–ー]{4,20}"),
    "postal_code": re.compile(r"〒?\d{3}[-‐−ー]?\d{4}"),
    "mail": re.compile(r"\S{1,64}@\S{3,80}"),
    "my_number": re.compile(r"[\d \-]{12,16}"),
}
_ANY_NUMBER = re.compile(r"(?=.*\d)[^\0,|\t]{2,30}")
_NUMBERS = frozenset(
    (
        "record_number",
        "insurance_number",
        "device_number",
        "license_number",
        "passport_number",
        "my_number",
    )
)
_FIRST_WORD = re.compile(r"[^ \n]*[0-9][^ \n]*(?=[ ]+[^\n]*[^0-9\n -])")
_ANY_WORDS = re.compile(r"[^\0]{2,60}")


def is_label(text: str, place: int) -> bool:
    """Tell whether a cell that holds a label and no more begins at a place."""
    label = _LABEL.match(text, place)
    after = label and text[label.end() : label.end() + 2].lstrip('" ')[:1]
    return bool(label) and after in (",", "|", "\t", "\n", ";")


def find_in_tables(
    text: str, places: Collection[int], kinds: Collection[IdentifierKind]
) -> Iterator[Identifier]:
    """Yield the cells below labels in tables drawn with commas, bars or tabs.

    Args:
        text: Normalized.
        places: Where `is_label` holds, in order.
        kinds: Kinds to yield.
    """
    done = 0
    for place in places:
        start = text.rfind("\n", 0, place) + 1 if place >= done else done
        end = _line_end(text, start)
        if place < done or place - start > _LONGEST_HEADER or end == len(text):
            continue
        mark = _mark(text[start:end])
        columns = _columns(text, start, end, mark)
        done = end
        if not columns and "," in text[place:end]:
            mark = ","
            columns = _columns(text, place, end, mark)  # other words stand before the first label
        if columns:
            done = yield from _rows(text, end + 1, columns, mark, kinds)


def _mark(line: str) -> str:
    return "|" if line.count("|") >= 2 else "\t" if "\t" in line else "," if "," in line else ";"


def _columns(text: str, start: int, end: int, mark: str) -> list[IdentifierKind | None]:
    """Return the kinds of the columns of a header, none for a line that is no header."""
    labels = [text[a:b].lstrip("・*-# ") for a, b in _cells(text, start, end, mark)]
    if labels[0] not in _LABELS:
        labels[0] = labels[0].rsplit(" ", 1)[-1]  # other words stand before it in the line
    n_known = sum(label in _LABELS or label in _OTHER_LABELS for label in labels)
    columns: list[IdentifierKind | None] = [_LABELS.get(label) for label in labels]
    return columns if n_known > 1 and any(columns) else []


def _rows(
    text: str,
    start: int,
    columns: list[IdentifierKind | None],
    mark: str,
    kinds: Collection[IdentifierKind],
) -> Iterator[Identifier]:
    """Yield the cells of the lines that have as many cells as the header; return their end."""
    while start < len(text):
        end = _line_end(text, start)
        cells = _cells(text, start, end, mark)
        if mark == "," and not len(cells) < len(columns):
            cells = _cells(text, start, _end_of_row(text, start, end, len(columns)), mark)
        if len(cells) != len(columns):
            break
        for (a, b), kind in zip(cells, columns, strict=True):
            if kind in kinds and kind is not None:
                if (
                    b == cells[-1][1]
                    and kind in _NUMBERS
                    and (word := _FIRST_WORD.match(text, a, b))
                ):
                    b = word.end()  # other words stand behind it in the line
                if _is_cell_of(text[a:b], kind):
                    yield Identifier(a, b, kind)
        start = end + 1
    return start


_END_OF_ROW = re.compile(r"[ ]{2}|[、;\t]|[ ]?[/|]|, ?(?=[^,\n]{1,12}[:=])")


def _end_of_row(text: str, start: int, end: int, n_columns: int) -> int:
    """Return where the last cell of a row ends, if other words follow it in the line."""
    place = start
    for _ in range(n_columns - 1):
        place = text.find(",", place, end) + 1
        if not place:
            return end
    after = _END_OF_ROW.search(text, place, end)
    comma = text.find(",", place, end)
    ends = [one for one in (after.start() if after else end, comma) if one > 0]
    return min(ends, default=end)


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _cells(text: str, start: int, end: int, mark: str) -> list[tuple[int, int]]:
    """Return the spans of the cells of a line, without blanks and quotation marks."""
    line = text[start:end]
    spans: list[tuple[int, int]] = []
    place = start
    for cell in line.split(mark):
        inner = cell.strip(' "')
        a = place + (cell.index(inner) if inner else 0)
        spans.append((a, a + len(inner)))
        place += len(cell) + 1
    return spans


def _is_cell_of(cell: str, kind: IdentifierKind) -> bool:
    if not cell or _PLAIN.fullmatch(cell):
        return False
    words = _ANY_WORDS if kind in ("address", "hospital", "workplace", "school") else _ANY_NUMBER
    return (_IS_OF_KIND.get(kind) or words).fullmatch(cell) is not None
