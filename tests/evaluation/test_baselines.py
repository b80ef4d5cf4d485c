"""Baselines: what plain methods learn of a few rows, and what they refuse."""

from __future__ import annotations

import pytest

from rinsho.errors import ModelCannot
from rinsho.evaluation.baselines import BASELINES, fit_baseline, fits
from rinsho.evaluation.benchmark import Item
from rinsho.evaluation.parse import parse_list
from rinsho.model.character_crf import to_borders, to_tags, train_character_crf

LEVELS = ("最も近い", "近い", "やや近い", "やや遠い", "遠い", "最も遠い")


def choice(number: int, text: str, gold: str, tag: str = "fever") -> Item:
    return Item(f"c/{number}", "choice", f"熱は？\n「{text}」", ("有", "無"), (gold,), tag=tag)


def entities(number: int, text: str, *gold: str, tag: str = "d") -> Item:
    return Item(f"e/{number}", "entities", f"病名は？\n「{text}」", (), gold, tag=tag)


def pair(number: int, first: str, second: str, gold: str = "A") -> Item:
    question = f"類似度は？\nS1: {first}\nS2: {second}"
    return Item(f"s/{number}", "similarity", question, LEVELS, (gold,))


def say(engine, item: Item) -> str:
    return engine.answer("x", item, "head").output


NOTES = [
    entities(n, f"{day}日前から{d}で{ward}に通院中。{other}は認めない。", d)
    for n, (day, d, ward, other) in enumerate(
        (day, d, ward, other)
        for day in "一二三四五"
        for d, other in (("肺炎", "発疹"), ("胃癌", "黄疸"), ("骨折", "浮腫"))
        for ward in ("当科", "他院")
    )
]


def test_a_constant_says_what_is_most_frequent_for_each_question():
    items = [choice(1, "あ", "B"), choice(2, "い", "B"), choice(3, "う", "A"),
             choice(4, "え", "A", "cough")]  # fmt: skip
    engine = fit_baseline("constant", items)
    assert say(engine, choice(9, "熱", "A")) == "B"
    assert say(engine, choice(9, "咳", "A", "cough")) == "A"
    assert say(fit_baseline("constant", NOTES), NOTES[0]) == "['肺炎']"


def test_tf_idf_learns_a_word():
    said = ("元気に過ごした", "高熱が出た")
    items = [choice(n, f"{n}日目、{said[n % 2]}。", "BA"[n % 2]) for n in range(20)]
    engine = fit_baseline("tf-idf", items)
    assert say(engine, choice(99, "昨日から高熱が続く。", "A")) == "A"
    assert say(engine, choice(99, "今日も元気に働いた。", "B")) == "B"


def test_tf_idf_reads_around_the_word_that_a_question_names():
    def about(number: int, word: str, gold: str) -> Item:
        text = (
            "薬剤A投与後に発疹が出現した。" + "経過は良好であった。" * 10 + "以前から高血圧あり。"
        )
        question = f"「{word}」がADEである可能性は？\n「{number}例目。{text}」"
        return Item(f"a/{number}", "similarity", question, ("無", "有"), (gold,), tag="disease")

    items = [
        about(n, word, gold) for n in range(6) for word, gold in (("発疹", "B"), ("高血圧", "A"))
    ]
    engine = fit_baseline("tf-idf", items)
    assert say(engine, about(99, "発疹", "B")) == "B"
    assert say(engine, about(99, "高血圧", "A")) == "A"


def test_the_dictionary_marks_known_words_and_the_crf_unknown_ones():
    unknown = entities(99, "六日前から膵炎で当科に通院中。発熱は認めない。", "膵炎")
    dictionary, crf = (fit_baseline(name, NOTES) for name in ("dictionary", "character-crf"))
    assert say(dictionary, unknown) == "[]"
    assert say(dictionary, NOTES[0]) == repr(list(NOTES[0].gold))
    assert parse_list(say(crf, unknown)).entities == ("膵炎",)


def test_the_crf_of_the_same_rows_is_the_same():
    rows = [(item.question, [(5, 7)]) for item in NOTES]
    first, second = train_character_crf(rows), train_character_crf(rows)
    assert [first(text) for text, _ in rows] == [second(text) for text, _ in rows]


def test_borders_come_back_from_their_tags():
    for spans in ([], [(0, 1)], [(0, 2), (2, 5)], [(1, 2), (3, 4)]):
        assert to_borders(to_tags(6, spans)) == spans


def test_boosting_puts_like_sentences_above_unlike_ones():
    words = ["発熱", "咳嗽", "腹痛", "嘔吐", "頭痛", "浮腫"]
    items = [
        pair(n, f"{'、'.join(words)}。{n}", f"{'、'.join(words[:6 - k] + ['無し'] * k)}。{n}",
             "ABCDEF"[k])
        for n in range(12) for k in range(6)
    ]  # fmt: skip
    engine = fit_baseline("similarity-boosting", items)
    close = say(engine, pair(99, "、".join(words), "、".join(words)))
    far = say(engine, pair(99, "、".join(words), "無し、無し、無し、無し"))
    assert close == "A"
    assert far > close


@pytest.mark.parametrize("name", ["tf-idf", "similarity-boosting"])
def test_a_baseline_of_another_form_is_refused(name):
    with pytest.raises(ModelCannot):
        fit_baseline(name, NOTES)


def test_what_fits_is_known_before_anything_is_fitted():
    assert [n for n in BASELINES if fits(n, NOTES)] == ["constant", "dictionary", "character-crf"]
    assert [n for n in BASELINES if fits(n, [choice(1, "あ", "A")])] == ["constant", "tf-idf"]
    pairs = [pair(1, "あ", "い")]
    assert [n for n in BASELINES if fits(n, pairs)] == ["constant", "tf-idf", "similarity-boosting"]
