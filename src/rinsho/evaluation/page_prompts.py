"""How much of a score is the question's form: the prompt table, and other orders of the options."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from rinsho.evaluation.bootstrap import Estimate
from rinsho.evaluation.orders import Orders
from rinsho.evaluation.page_parts import scrolling_table
from rinsho.evaluation.page_words import both, number
from rinsho.evaluation.prompt_table import PromptTable
from rinsho.evaluation.summary import EntrySummary, Report


def prompt_section(report: Report) -> str:
    """Return one table a model and set of questions: templates by languages, with their spread."""
    if not report.prompt_tables:
        return ""
    groups: dict[tuple[str, str], list[PromptTable]] = {}
    for table in report.prompt_tables:
        groups.setdefault((table.system, table.questions), []).append(table)
    cards = "".join(_prompt_card(*key, tables) for key, tables in groups.items())
    heading = both("プロンプト表", "Prompt table")
    about = both(
        "同じモデルに同じ問題を、公表されたひな形で尋ねた正答率（ゲシュタルト、括弧内は完全一致）です。",
        "One model, the same questions, each published template: accuracy by gestalt similarity "
        "(exact match in brackets).",
    )
    return f'<h2 id="prompts">{heading}</h2><p class="about">{about}</p>{cards}'


def _prompt_card(system: str, questions: str, tables: Sequence[PromptTable]) -> str:
    templates = list(dict.fromkeys(cell.template for table in tables for cell in table.cells))
    heads = "".join(
        f'<th scope="col">{escape(table.language)}<small>n={table.n_items}</small></th>'
        for table in tables
    )
    rows = "".join(
        f'<tr><th scope="row">{escape(template)}</th>'
        + "".join(_prompt_cell(table, template) for table in tables)
        + "</tr>"
        for template in templates
    )
    rows += _summary_row("平均", "Mean", [table.mean for table in tables])
    rows += _summary_row("最良 − 最悪", "Best less worst", [table.spread for table in tables])
    first = f'<th scope="col">{both("ひな形", "Template")}</th>'
    caption = (f"{system}・{questions}", f"{system}, {questions}")
    table = f"<thead><tr>{first}{heads}</tr></thead><tbody>{rows}</tbody>"
    return f'<section class="card">{scrolling_table(*caption, table, "matrix")}</section>'


def _prompt_cell(table: PromptTable, template: str) -> str:
    cell = next((one for one in table.cells if one.template == template), None)
    if cell is None:
        return '<td class="absent">–</td>'
    shown = f"{number(cell.accuracy.value)} ({number(cell.exact_match.value)})"
    strong = "strong" if template == table.best else "span"
    return f"<td><{strong}>{shown}</{strong}>{_interval(cell.accuracy)}</td>"


def _interval(found: Estimate) -> str:
    return f"<small>{number(found.low)} – {number(found.high)}</small>"


def _summary_row(ja: str, en: str, figures: Sequence[Estimate]) -> str:
    cells = "".join(f"<td>{number(one.value)}{_interval(one)}</td>" for one in figures)
    return f'<tr><th scope="row">{both(ja, en)}</th>{cells}</tr>'


def orders_table(entries: Sequence[EntrySummary]) -> str:
    """Return accuracy in every order of the options; nothing where one order alone was asked."""
    found = [(entry, entry.orders) for entry in entries if entry.orders]
    if not found:
        return ""
    numbers = sorted({one.order for _, orders in found for one in orders.orders})
    heads = "".join(f'<th scope="col">{_order_name(one)}</th>' for one in numbers)
    rows = "".join(
        f'<tr><th scope="row">{escape(entry.system)}<small>{escape(entry.method)}</small></th>'
        + _consistency(entry)
        + "".join(_order_cell(orders, one) for one in numbers)
        + "</tr>"
        for entry, orders in found
    )
    first = f'<th scope="col">{both("システム", "System")}</th>'
    first += f'<th scope="col">{both("一貫性", "Consistency")}</th>'
    caption = (
        "選択肢の順序を変えたときの正答率。一貫性は、どの順序でも同じ選択肢を選んだ問題の割合",
        "Accuracy in other orders of the options. Consistency: share of items with the same "
        "choice in every order",
    )
    table = f"<thead><tr>{first}{heads}</tr></thead><tbody>{rows}</tbody>"
    name = both("選択肢の順序", "Orders of the options")
    return (
        f"<details><summary>{name}</summary>{scrolling_table(*caption, table, 'matrix')}</details>"
    )


def _order_name(order: int) -> str:
    return both(f"順序 {order}", f"order {order}") if order else both("元の順", "as in the file")


def _consistency(entry: EntrySummary) -> str:
    found = entry.corrected.get("shuffle_consistency")
    if found is None:
        return '<td class="absent">–</td>'
    return f"<td>{number(found.value)}{_interval(found)}</td>"


def _order_cell(orders: Orders, order: int) -> str:
    found = next((one for one in orders.orders if one.order == order), None)
    if found is None:
        return '<td class="absent">–</td>'
    letters = " ".join(f"{escape(letter)} {n}" for letter, n in found.chosen.items())
    accuracy = f"{number(found.accuracy.value)}{_interval(found.accuracy)}"
    return f"<td>{accuracy}<small>{letters}</small></td>"
