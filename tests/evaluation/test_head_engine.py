"""Heads as engines: what they read of an item, and the letter that their answer becomes."""

from __future__ import annotations

from pathlib import Path

import pytest

from rinsho.evaluation.answer_record import Answer
from rinsho.evaluation.benchmark import Item, Sources
from rinsho.evaluation.engines import EachTextOnce, OneTask, SpanEngine
from rinsho.evaluation.head_engine import choice_shares, text_of
from rinsho.evaluation.jmed_llm import read_task
from rinsho.evaluation.marking import mark
from rinsho.evaluation.parse import official_letter, parse_list
from rinsho.model.heads import Judgement
from rinsho.text.spans import Span

LEVELS = tuple(f"段階{n}" for n in range(6))


def item(question: str, choices: tuple[str, ...], tag: str = "") -> Item:
    return Item("x/1", "choice", question, choices, ("A",), document="d", tag=tag)


def label(*probabilities: tuple[str, float], kind: str = "label") -> Judgement:
    best = (max(probabilities, key=lambda pair: pair[1])[0],)
    return Judgement("", "labels" if kind == "labels" else "label", best, probabilities)


def test_a_head_reads_the_document_or_both_sentences_or_the_whole_question() -> None:
    assert text_of(item("咳でしたか？\n「咳が出る。」", ("A", "B"))) == ("咳が出る。", None)
    pair = text_of(item("類似度は？\nS1: 発熱あり\nS2: 熱はない", LEVELS))
    assert pair == ("発熱あり", "熱はない")
    question = "「発疹」がADEである可能性を選べ。\n「発疹が出た。」"
    assert text_of(item(question, LEVELS)) == (question, None)
    assert text_of(item("胃の働きを選べ。", LEVELS)) == ("胃の働きを選べ。", None)


def test_every_official_item_has_the_texts_of_its_form(data_folder: Path) -> None:
    sources = Sources(data_folder, noncommercial=True)
    assert all(text_of(i)[1] for i in read_task(sources, task="jcsts", form="similarity"))
    for one in read_task(sources, task="smdis", form="choice"):
        assert text_of(one)[1] is None and "SNS" not in text_of(one)[0]
    assert all("「" in text_of(i)[0] for i in read_task(sources, task="crade", form="similarity"))


def test_a_label_is_a_choice_by_its_text_or_by_its_letter() -> None:
    asked = item("？", ("胃 ", "肺"))
    assert choice_shares(asked, label(("肺", 0.7), ("胃", 0.3))) == [0.3, 0.7]
    assert choice_shares(asked, label(("A", 0.4), ("B", 0.6))) == [0.4, 0.6]
    assert choice_shares(asked, label(("骨", 0.9), ("皮膚", 0.1))) == [0.0, 0.0]


def test_a_label_called_like_the_tag_is_the_first_of_two_choices() -> None:
    judgement = label(("fever", 0.8), ("cough", 0.9), kind="labels")
    shares = choice_shares(item("？", ("熱がある", "熱はない"), tag="fever"), judgement)
    assert shares == pytest.approx([0.8, 0.2])


@pytest.mark.parametrize(("value", "letter"), [(5.4, "A"), (4.6, "A"), (3.4, "C"), (-1.0, "F")])
def test_a_number_is_the_nearest_level_the_most_similar_first(value: float, letter: str) -> None:
    shares = choice_shares(item("？", LEVELS), Judgement("", "value", value=value))
    assert "ABCDEF"[shares.index(1.0)] == letter


def test_the_official_parser_and_ours_read_what_a_head_says() -> None:
    asked = item("？", ("胃", "肺"))
    given = Answer("x", "x/1", "head", "0", output="A")
    assert official_letter(given.output) == "A"
    assert mark(asked, given).is_right and mark(asked, given).is_strict


class TwoTasks:
    """The first character is of task d, the second of m-key."""

    tasks = ("d", "m-key")

    def __init__(self) -> None:
        self.n_read = 0

    def spans(self, text: str) -> tuple[Span, ...]:
        return tuple(s for spans in self.spans_by_task([text])[0].values() for s in spans)

    def spans_by_task(self, texts: list[str]) -> list[dict[str, tuple[Span, ...]]]:
        self.n_read += len(texts)
        return [{"d": (Span(0, 1, "d"),), "m-key": (Span(1, 2, "m-key"),)} for _ in texts]


def test_an_entity_list_comes_from_the_task_called_like_its_tag() -> None:
    slow = TwoTasks()
    tagger = EachTextOnce(slow)
    engine = SpanEngine(tagger, {task: OneTask(tagger, task) for task in tagger.tasks})
    for tag, expected in (("d", "熱"), ("m-key", "薬")):
        asked = Item("e/1", "entities", "表現は？\n「熱薬」", gold=(expected,), tag=tag)
        found = engine.answer("e", asked, "extraction")
        assert parse_list(found.output).entities == (expected,)
    assert slow.n_read == 1, "a document is read once for all of its questions"
    assert tagger.spans("熱薬") == slow.spans("熱薬")
