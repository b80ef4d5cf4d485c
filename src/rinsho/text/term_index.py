"""Longest match of a list of terms, never inside a longer word."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping

from rinsho.text.normalize import normalize
from rinsho.text.spans import Label, Span
from rinsho.wanted import check_wanted

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
# Shorter abbreviations differ by case (af, AF; Cr, CR), longer words do not (crackles, Crackles).
_N_LETTERS_WITHOUT_CASE = 4
_LONG_LETTERS = re.compile(rf"[A-Za-z]{{{_N_LETTERS_WITHOUT_CASE}}}")
_LETTER, _LETTER_OR_DIGIT = re.compile(r"[A-Za-z]"), re.compile(r"[A-Za-z0-9]")
_KATAKANA = re.compile(r"[ァ-ヺー]")
_KANJI = re.compile(r"[々〆一-鿿\uF900-\uFAFF\U00020000-\U0003FFFF]")
_SIDES = "右左両"
# T 37.2 and P95bpm, but neither T12 nor P2.
_NUMBER_NEXT = re.compile(r"(?:[ ]|[ ]?[:=][ ]?)\d|\d{1,2}\.\d|\d{2,3} ?(?:bpm|回|/分)")

# What makes another word of the term before it: 肺炎球菌, 糖尿病内科, B型肝炎ウイルス, 胃癌検診.
_OTHER_WORD = re.compile(
    r"[ァ-ヺー]{0,12}(?:球菌|桿菌|真菌|菌|ウイルス|ファージ)|クラミジア属|マイコプラズマ属"
    r"|(?:[一-鿿]{0,4}(?:内科|外科|専門外来|診療所)|科(?!学)|外来|病棟|センター|検診|健診|ドック)"
    r"|学会|教室|手帳|専門医|食(?!道)|ガイドライン|日誌|体操|歴なし群|保険|予防接種|ワクチン"
)
_DRUG_FORM = re.compile(
    r"(?:[ァ-ヺー]{1,10}酸塩|塩酸塩|臭化水素酸塩|硫酸塩|ナトリウム|カリウム|水和物)*"
    r"(?:(?:OD|CR|SR|LA|L|R|D|配合|徐放|口腔内崩壊|吸着|腸溶)?錠|カプセル|ドライシロップ|シロップ"
    r"|(?:細)?顆粒|細粒|散|原末|テープ|パッチ|坐剤|坐薬|軟膏|クリーム|ローション|ゲル|外用液"
    r"|点眼(?:液|薬)|点鼻(?:液|薬)|点耳液|注射液|注射用|皮下注(?:ペン|シリンジ)|注(?=[\s\d「、。])"
    r"|吸入(?:液|薬)|エアゾール|エアー|吸入用カプセル|内用液|製剤|DS|OD)?"
)


class TermIndex:
    """Terms by their first two characters, so that most places of a text cost one look-up."""

    def __init__(self, terms: Mapping[str, Label]) -> None:
        self._labels: dict[str, Label] = {}
        self._labels_without_case: dict[str, Label] = {}
        lengths: dict[str, set[int]] = {}
        for surface, label in terms.items():
            term = normalize(surface).strip()
            if not term or "\n" in term:
                continue
            self._labels.setdefault(term, label)
            if _LONG_LETTERS.search(term):
                self._labels_without_case.setdefault(term.translate(_LOWER), label)
            lengths.setdefault(term[:2].translate(_LOWER), set()).add(len(term))
        self._lengths = {key: sorted(found, reverse=True) for key, found in lengths.items()}

    def find(self, text: str) -> list[Span]:
        """Return the longest term at every place, from left to right, without overlaps."""
        found: list[Span] = []
        lower, lengths, at = text.translate(_LOWER), self._lengths, 0
        while at < len(text):
            is_start = lower[at : at + 2] in lengths or lower[at] in lengths
            if is_start and (span := self._longest(text, lower, at)):
                check_wanted()
                found.append(span)
                at = span.end
            else:
                at += 1
        return found

    def _longest(self, text: str, lower: str, start: int) -> Span | None:
        for key in (lower[start : start + 2], lower[start]):
            for length in self._lengths.get(key, ()):
                if start + length > len(text):
                    continue  # a slice at the end is shorter, and would pass for a shorter term
                term = text[start : start + length]
                label = self._labels.get(term) or self._labels_without_case.get(
                    lower[start : start + length]
                )
                if label and is_word(text, start, start + length, label):
                    return Span(start, _with_form(text, start + length, label), label)
        return None


_VERTEBRA = re.compile(r"[CTL]\d{1,2}(?:[/-]\d|椎|レベル|髄節|神経根)")  # C4/5 is no complement


def is_word(text: str, start: int, end: int, label: str) -> bool:
    """Say whether a term stands for itself there: `af` does not in `after`."""
    before, after = text[start - 1 : start], text[end : end + 1]
    if label == "test" and _VERTEBRA.match(text, start):
        return False
    if _LETTER_OR_DIGIT.match(text[start]) and not _is_free_before(text, start, end):
        return False
    if _LETTER_OR_DIGIT.match(text[end - 1]) and not _is_free_after(text, end, label):
        return False
    if _KATAKANA.match(text[start]) and _KATAKANA.match(before):
        return False
    if _KATAKANA.match(text[end - 1]) and _KATAKANA.match(after):
        form = _DRUG_FORM.match(text, end) if label == "drug" else None
        return form is not None and form.end() > end
    if text[end - 1] == "症" and after == "状":  # 低血糖症状 is 低血糖 and 症状
        return False
    if end - start == 1 and _KANJI.match(text[start]):
        return not _KANJI.match(after) and (not _KANJI.match(before) or before in _SIDES)
    return label not in ("disease", "symptom", "body_part") or not _OTHER_WORD.match(text, end)


def _is_free_before(text: str, start: int, end: int) -> bool:
    before = text[start - 1 : start]
    if end - start == 1:  # K and P are tests before a number, not letters in a name
        stands_alone = not before or before in " \n、,。・(（/:：;"
        return stands_alone and bool(_NUMBER_NEXT.match(text, end))
    return not _LETTER_OR_DIGIT.match(before)


def _is_free_after(text: str, end: int, label: str) -> bool:
    after = text[end : end + 1]
    if text.endswith("O2", 0, end) and after.isdecimal():  # SpO298% and O22L/分 happen
        return True
    if label == "test" and _LETTER.match(text[end - 1]):
        return not _LETTER.match(after)  # CRP3.2 is written without a blank
    return not _LETTER_OR_DIGIT.match(after)


def _with_form(text: str, end: int, label: str) -> int:
    """Return the end of a term with what belongs to it: the form of a drug, 検査 of a test."""
    if label == "drug" and (form := _DRUG_FORM.match(text, end)):
        return form.end()
    return end + 2 if label == "test" and text.startswith("検査", end) else end
