"""Drafts: lines of the notes in sections, each with its place; what a model adds is marked."""

from __future__ import annotations

import pytest

from rinsho.clinical.draft import Draft, draft
from rinsho.clinical.extract import Extractor, load_extractor
from rinsho.clinical.notes import Note
from rinsho.clinical.support import check_support
from rinsho.errors import NothingToRead
from rinsho.generation.language_model import LanguageModel

NOTES = [
    Note("a", "主訴：発熱、咳嗽\r\n既往歴：高血圧症\r\nＣＲＰ 12.3mg/dL。市中肺炎と診断し入院。"),
    Note("b", "\nCRP 3.1mg/dL。胸水なし。気胸の疑い。"),
    Note("c", "CRP 0.3mg/dL。\nアモキシシリン250mg 1日3回。\n1週間後に外来再診予定。"),
]


@pytest.fixture(scope="module")
def dictionary() -> Extractor:
    return load_extractor(None)


@pytest.fixture(scope="module")
def summary(dictionary: Extractor) -> Draft:
    return draft(NOTES, "discharge-summary", dictionary)


def lines_of(made: Draft, title: str) -> list[str]:
    (section,) = (one for one in made.sections if title in one.title)
    return [line.text for line in section.lines]


def test_every_line_cites_a_line_that_holds_its_words(summary: Draft) -> None:
    for section in summary.sections:
        for line in section.lines:
            assert line.sources
            cited = [NOTES[s.note - 1].text.split("\n")[s.line - 1] for s in line.sources]
            for word in line.text.removesuffix("の疑い").replace(" → ", " ").split():
                assert any(word in one for one in cited)


def test_diagnoses_are_those_of_the_notes_and_denied_ones_are_not_there(summary: Draft) -> None:
    found = lines_of(summary, "診断名")
    assert found == ["市中肺炎", "気胸の疑い"]  # neither 胸水なし nor the past's 高血圧症


def test_values_of_one_test_follow_each_other(summary: Draft) -> None:
    assert "ＣＲＰ 12.3mg/dL → 3.1mg/dL → 0.3mg/dL" in lines_of(summary, "検査所見")


def test_history_drugs_and_plan_have_their_sections(summary: Draft) -> None:
    assert lines_of(summary, "既往歴") == ["既往歴：高血圧症"]
    assert lines_of(summary, "退院時処方") == ["アモキシシリン250mg 1日3回。"]
    assert lines_of(summary, "退院後の方針") == ["1週間後に外来再診予定。"]


def test_the_text_says_that_a_professional_must_check(summary: Draft) -> None:
    assert "専門職が原文と照合" in summary.to_text()
    assert "（記録に記載なし）" in draft(NOTES, "referral-letter", load_extractor(None)).to_text()


def test_what_a_model_writes_is_checked_against_the_lines(
    dictionary: Extractor, long_model: LanguageModel
) -> None:
    made = draft(NOTES, "discharge-summary", dictionary, long_model)
    (section,) = (one for one in made.sections if one.title == "経過")
    (plain,) = (
        one for one in draft(NOTES, "discharge-summary", dictionary).sections if one.title == "経過"
    )
    sources = tuple(source for line in plain.lines for source in line.sources)
    written = [line.text for line in section.lines]
    expected = check_support("\n".join(written), [line.text for line in plain.lines])
    assert [one.unsupported for one in expected] == [line.unsupported for line in section.lines]
    assert all(line.sources == sources for line in section.lines)
    assert made.engine == "dictionary, tiny"


def test_no_note_is_an_error(dictionary: Extractor) -> None:
    with pytest.raises(NothingToRead):
        draft([Note("a", " \n")], "discharge-summary", dictionary)
