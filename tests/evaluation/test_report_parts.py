"""The parts of a report that need no browser: confusion, quoted figures, methods, figures."""

from __future__ import annotations

import dataclasses
import random
import re
from html import escape

import pytest
from sklearn.metrics import confusion_matrix

from rinsho.evaluation.answer_record import Answer
from rinsho.evaluation.benchmark import Item
from rinsho.evaluation.bootstrap import Estimate
from rinsho.evaluation.catalogue import BENCHMARKS, LoadedBenchmark
from rinsho.evaluation.confusion import NO_ANSWER, confusion_of
from rinsho.evaluation.marking import mark
from rinsho.evaluation.orders import Orders, OrderSummary
from rinsho.evaluation.page import embed_json
from rinsho.evaluation.page_items import item_data
from rinsho.evaluation.page_methods import bibtex
from rinsho.evaluation.page_parts import inline_figure
from rinsho.evaluation.page_prompts import orders_table, prompt_section
from rinsho.evaluation.prompt_table import PromptCell, PromptTable
from rinsho.evaluation.quoted import quoted_rows
from rinsho.evaluation.scoring import ScoredEntry, score_entry
from rinsho.evaluation.summary import Report, summarize_entry


def choices(n: int) -> tuple[Item, ...]:
    return tuple(
        Item(f"q/{k}", "choice", f"第{k}問", ("有", "無", "不明"), ("ABC"[k % 3],))
        for k in range(n)
    )


def scored(name: str, outputs: list[str], *, is_withheld: bool = False) -> ScoredEntry:
    items = choices(len(outputs))
    loaded = LoadedBenchmark(BENCHMARKS[name], items, "0" * 64, is_text_withheld=is_withheld)
    answers = [
        Answer(name, item.id, "generation", "", output=output, prompt=f"例。{item.question}答え:")
        for item, output in zip(items, outputs, strict=True)
    ]
    return score_entry("a system", loaded, "generation", list(zip(items, answers, strict=True)))


def test_confusion_is_that_of_scikit_learn_with_invalid_answers_in_their_own_column() -> None:
    drawn = random.Random(0).choices(["A", "B", "C", "A,B", "わからない"], k=200)
    rows = [
        mark(item, Answer("x", item.id, "generation", "", output=output))
        for item, output in zip(choices(200), drawn, strict=True)
    ]
    found = confusion_of(rows)
    assert found is not None
    read = [one if one in "ABC" else NO_ANSWER for one in drawn]
    gold = [row.item.gold[0] for row in rows]
    truth = confusion_matrix(gold, read, labels=["A", "B", "C", NO_ANSWER])
    assert [list(line) for line in found.counts] == truth[:3].tolist()
    assert found.names == ("有", "無", "不明")


def test_answers_that_are_sets_have_no_confusion_table() -> None:
    item = Item("q/0", "choice", "2つ選べ", ("有", "無", "不明"), ("A", "B"))
    assert confusion_of([mark(item, Answer("x", "q/0", "generation", "", output="A,B"))]) is None


def test_quoted_figures_name_benchmarks_that_exist_and_their_source() -> None:
    rows = quoted_rows()
    assert {name for row in rows for name in row.cells} <= set(BENCHMARKS)
    assert all(row.source.reference and row.source.note_ja and row.source.note_en for row in rows)


@pytest.mark.parametrize(
    ("model", "benchmark", "cell"),
    [
        ("gpt-4o-2024-08-06", "jmed-llm/crade", "0.54 (0.53)"),
        ("elyza/Llama-3-ELYZA-JP-8B", "jmed-llm/mrner-disease", "0.83 (0.31)"),
        ("NCVC-slm-1 fine-tuned", "jmed-llm/mrner-medicine", "> .65"),
        ("GPT-4", "igakuqa/2021", ".7700 (398)"),
        ("students (majority)", "igakuqa/2018", ".9350 (472)"),
    ],
)
def test_quoted_figures_stand_as_printed(model: str, benchmark: str, cell: str) -> None:
    assert [row.cells[benchmark] for row in quoted_rows() if row.model == model] == [cell]


def test_quoted_igakuqa_cells_are_shares_of_400_questions() -> None:
    for row in quoted_rows():
        if row.source.id.startswith("igakuqa"):
            for name in row.cells:
                value = row.value(name)
                assert value is not None
                assert value * 400 == pytest.approx(round(value * 400))


def test_what_prompts_share_is_held_once_and_gives_each_of_them_back() -> None:
    entry = scored("jmed-llm/jmmlu-med", ["A"] * 30)
    data = item_data([entry])
    (one,) = data["entries"]
    asked = [item["answers"][0]["asked"] for item in data["benchmarks"][0]["items"]]
    prompts = [one["head"] + middle + one["tail"] for middle in asked]
    assert prompts == [row.answer.prompt for row in entry.rows]
    assert max(map(len, asked)) <= 2


def test_a_withheld_benchmark_gives_the_view_letters_and_marks_but_no_text() -> None:
    entry = scored("jmed-llm/jmmlu-med", ["A", "秘密の回答", "C"], is_withheld=True)
    data = item_data([entry])
    assert not re.search("[ぁ-んァ-ヶ一-龠]", embed_json(data["benchmarks"]))
    assert [item["answers"][0]["right"] for item in data["benchmarks"][0]["items"]] == [
        True, False, True,
    ]  # fmt: skip


def test_a_figure_in_a_page_has_no_style_and_ids_of_its_own() -> None:
    svg = (
        '<?xml version="1.0"?><svg><style>*{}</style><g id="unused"><path id="p1" '
        'style="fill: #fff; stroke-width: 2"/></g>'
        '<use xlink:href="#p1" clip-path="url(#p1)"/></svg>'
    )
    assert inline_figure(svg, "loss") == (
        '<svg><g><path id="loss-p1" fill="#fff" stroke-width="2"/></g>'
        '<use xlink:href="#loss-p1" clip-path="url(#loss-p1)"/></svg>'
    )


def test_bibtex_names_the_files_that_were_read_at_their_commit() -> None:
    entries = "\n".join(bibtex([BENCHMARKS["jmed-llm/crade"], BENCHMARKS["igakuqa/2018"]]))
    assert "sociocom/JMED-LLM" in entries
    assert "eprint = {2303.18027}" in entries
    assert entries.count("{") == entries.count("}")


def test_embedded_json_ends_no_script_and_holds_half_a_surrogate_pair() -> None:
    text = embed_json({"output": "</script>\ud800😀"})
    assert "</" not in text
    assert text.encode()  # no lone surrogate is left


def test_an_item_of_the_benchmarks_own_form_does_not_say_it() -> None:
    entry = scored("igakuqa/2018", ["A"])
    item = dataclasses.replace(entry.rows[0].item, form="number", choices=(), gold=("12",))
    pairs = [(item, Answer("x", item.id, "generation", "", output="12"))]
    number = score_entry("s", entry.loaded, "generation", pairs)
    forms = [item_data([one])["benchmarks"][0]["items"][0].get("form") for one in (entry, number)]
    assert forms == [None, "number"]


def test_orders_and_templates_stand_in_tables_and_labels_are_escaped() -> None:
    half = Estimate(0.5, 0.4, 0.6, 10, 10)
    cell = PromptCell("<alpaca>", half, half, 0)
    table = PromptTable("<b>", "igakuqa", "ja", 10, (cell,), half, half, "<alpaca>", "<alpaca>")
    entry = summarize_entry(scored("jmed-llm/jmmlu-med", ["A"] * 6), "model", 0, 5)
    order = OrderSummary(1, half, 0, {"A": 3, "B": 7}, {"A": 10})
    asked = dataclasses.replace(entry, system="<i>", orders=Orders(10, 0.5, 0.5, (order,)))
    report = Report((asked,), (), (), (), (), (), (), 0, 5, prompt_tables=(table,))
    for html, label in ((prompt_section(report), "<b>"), (orders_table([asked]), "<i>")):
        assert label not in html
        assert escape(label) in html
        assert "0.500" in html
    assert prompt_section(dataclasses.replace(report, prompt_tables=())) == ""
    assert orders_table([entry]) == ""
