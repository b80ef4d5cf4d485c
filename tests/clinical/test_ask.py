"""Questions about a text: its own words, where they stand, and nothing that it does not say."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rinsho.clinical.ask import ask, to_text
from rinsho.clinical.declines import declined
from rinsho.clinical.support import check_support
from rinsho.generation.language_model import LanguageModel

TEXT = (
    "主訴：発熱、咳嗽。\r\n１１/３に発熱し、11/5に𠮷田医院を受診した。ＣＲＰ 12.3mg/dL。\n"
    "セフトリアキソン2gを1日1回点滴投与した。11/12に退院。アレルギーはペニシリンで皮疹。"
)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("主訴は何ですか", "主訴：発熱、咳嗽。"),
        ("CRPの値はいくつですか", "ＣＲＰ 12.3mg/dL。"),
        ("いつ退院しましたか", "11/12に退院。"),
        ("アレルギーの記載はありますか", "アレルギーはペニシリンで皮疹。"),
        ("どの抗菌薬が投与されていますか", "セフトリアキソン2gを1日1回点滴投与した。"),
    ],
)
def test_the_sentence_that_answers_is_quoted(question: str, expected: str) -> None:
    answer = ask(TEXT, question)
    assert expected in [quote.text for quote in answer.quotes]
    assert answer.sentences == ()


@given(st.text(max_size=60), st.text(max_size=20))
def test_quotes_are_parts_of_the_text_at_their_places(text: str, question: str) -> None:
    for quote in ask(text, question).quotes:
        assert text[quote.start : quote.end] == quote.text


def test_what_the_text_does_not_say_is_not_found() -> None:
    answer = ask(TEXT, "喫煙歴は書かれていますか")
    assert answer.quotes == ()
    assert "見つかりません" in to_text(answer)


def test_a_declined_question_gets_no_quote_and_says_why() -> None:
    answer = ask(TEXT, "診断は何だと考えられますか")
    assert (answer.refused, answer.quotes) == ("diagnosis", ())
    assert "診断はできません" in to_text(answer)
    assert json.loads(json.dumps(answer.to_json()))["declined"] == "diagnosis"


@settings(max_examples=5)
@given(st.sampled_from(["咳嗽はなし。", "主訴：発熱\r\n肺炎"]))
def test_a_model_can_quote_nothing_else(long_model: LanguageModel, text: str) -> None:
    answer = ask(text, "何が書かれていますか", long_model)
    assert answer.engine == "tiny"
    for quote in answer.quotes:
        assert text[quote.start : quote.end] == quote.text


def test_where_a_model_quotes_nothing_the_rules_do_and_the_answer_says_so(
    silent_model: LanguageModel,
) -> None:
    answer = ask(TEXT, "主訴は何ですか", silent_model)
    assert answer.quotes == ask(TEXT, "主訴は何ですか").quotes != ()
    assert (answer.engine, answer.quoted_by, answer.sentences) == ("tiny", "extractive", ())
    assert answer.to_json()["quoted_by"] == "extractive"
    assert "規則で選んだ文" in to_text(answer)
    assert "規則で選んだ文" not in to_text(ask(TEXT, "主訴は何ですか"))
    assert "見つかりません" in to_text(ask(TEXT, "喫煙歴は書かれていますか", silent_model))


@pytest.mark.parametrize(
    ("written", "reasons"),
    [
        ("発熱、咳嗽があった。", []),
        ("CRPは12.3mg/dLであった。", []),
        ("CRPは13.2mg/dLであった。", [("number", "13.2")]),
        ("胃癌を認めた。", [("term", "胃癌")]),
        ("発熱はなかった。", [("certainty", "発熱")]),
        ("経過は良好であった。", []),
    ],
)
def test_what_a_sentence_adds_or_turns_round_is_named(
    written: str, reasons: list[tuple[str, str]]
) -> None:
    (one,) = check_support(written, [TEXT])
    assert list(one.unsupported) == reasons


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        ("この患者の診断は何ですか", "diagnosis"),
        ("鑑別診断を五つ挙げてください", "diagnosis"),
        ("抗菌薬は何を使えばいいですか", "treatment"),
        ("治療方針を立ててください", "treatment"),
        ("何mg投与すべきですか", "dose"),
        ("What dose should I give?", "dose"),
        ("書かれている診断名を抜き出してください", None),
        ("投与されている薬を一覧にしてください", None),
        ("アムロジピンは何mgと記載されていますか", None),
        ("入院日はいつですか", None),
        ("", None),
    ],
)
def test_requests_for_judgement_are_told_from_questions_about_the_text(
    request_: str, kind: str | None
) -> None:
    assert declined(request_) == kind


def test_requests_of_an_author_who_had_not_read_the_rules() -> None:
    """At first 26 of 100 were missed and 9 of 100 wrongly declined; then the rules were widened."""
    path = Path(__file__).parent / "requests.toml"
    requests = tomllib.loads(path.read_text(encoding="utf-8"))
    missed = [one for one in requests["declined"] if declined(one) is None]
    wrong = [one for one in requests["allowed"] if declined(one) is not None]
    assert len(missed) <= 1
    assert len(wrong) <= 4
