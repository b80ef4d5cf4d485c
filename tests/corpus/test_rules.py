"""Rules that judge one document: what they reject, and the clinical text they must leave alone."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from rinsho.corpus.document import Document
from rinsho.corpus.rules import RuleLimits, open_rules
from rinsho.corpus.rules.content import copyright_notice
from rinsho.corpus.rules.judge import examine
from rinsho.corpus.rules.letters import not_japanese, too_long, too_short
from rinsho.corpus.rules.sentences import incomplete_sentences
from rinsho.corpus.rules.view import TextView
from rinsho.text.normalize import normalize

PROSE = "本症は肺胞を主な病変の場とする慢性の炎症であり、労作時の息切れが徐々に進行する。"
CUT_OFF = "この記事では高血圧の人が気をつけるべき食事についてわかりやすく紹介していきます続きを"
SOAP = "S) 夜間の咳 続く\nO) BT 36.8、SpO2 96%(RA)\nCRP 3.2mg/dL\nA) 気管支炎\nP) 去痰薬 継続"


def document(text: str) -> Document:
    return Document("source/0", text, "source", "CC0-1.0")


def test_length_is_measured_in_characters() -> None:
    assert too_short(TextView("𠮷" * 19), min_chars=20).measured == 19  # pyright: ignore[reportOptionalMemberAccess]
    assert too_short(TextView("𠮷" * 20), min_chars=20) is None
    assert too_long(TextView("字" * 21), max_chars=20).limit == 20  # pyright: ignore[reportOptionalMemberAccess]
    assert too_long(TextView("字" * 20), max_chars=20) is None


@pytest.mark.parametrize(
    ("text", "is_rejected"),
    [
        (PROSE, False),
        (SOAP, False),
        ("WBC 9800, CRP 3.2mg/dL, Na 140, K 4.1, 経過良好", False),
        ("The patient was admitted with chest pain and dyspnea on exertion. 肺炎", True),
        ("患者因胸痛入院，既往有高血压病史，入院后给予抗凝治疗，病情好转后出院。" * 10, True),
        ("환자는 흉통으로 입원하였다. 고혈압 병력이 있다. 폐렴", True),
    ],
)
def test_language_is_judged_by_letters(text: str, is_rejected: bool) -> None:
    assert (not_japanese(TextView(text), min_share=0.15) is not None) is is_rejected


@pytest.mark.parametrize(
    ("text", "is_rejected"),
    [
        (PROSE * 3, False),
        (SOAP, False),
        ("\n\n".join([CUT_OFF] * 4), True),
        ("\n".join([CUT_OFF + "…"] * 4), True),
        # Text out of PDF: lines end in the middle of a sentence, and the next one goes on.
        (
            "本症は肺胞を主な病変の場とする慢性の炎症であり、労作\n時の息切れが徐々に進行する。",
            False,
        ),
        ("\n".join(f"- 項目{i}" for i in range(40)) + "\n\n" + CUT_OFF, False),
    ],
)
def test_incomplete_sentences_are_told_from_lists_and_notes(text: str, is_rejected: bool) -> None:
    found = incomplete_sentences(TextView(text), max_share=0.5)
    assert (found is not None) is is_rejected


@pytest.mark.parametrize(
    ("text", "is_rejected"),
    [
        (PROSE + "\n本サイトの記事・写真の無断転載を禁じます。", True),
        (PROSE + "\nCopyright (C) 2019 Invented Clinic. All Rights Reserved.", True),
        ("第十三条　著作権の目的となることができない。複製する権利を専有する。" * 5, False),
        (PROSE * 100 + "\n無断転載を禁じます。", False),
    ],
)
def test_a_notice_is_told_from_a_mention(text: str, is_rejected: bool) -> None:
    found = copyright_notice(*examine([text])[0][:2], max_per_10000_chars=3.0)
    assert (found is not None) is is_rejected


@pytest.mark.data
def test_the_rare_disease_sheets_pass_the_rules(data_folder: Path) -> None:
    judge = open_rules(RuleLimits.model_validate({}))
    path = data_folder / "text" / "medical" / "mhlw_nanbyo.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        sheets = [document(normalize(json.loads(line)["text"]).strip()) for line in file]
    rejected = [one for one in sheets if judge(one, ())]
    assert len(sheets) == 332
    assert len(rejected) <= 0.01 * len(sheets)
