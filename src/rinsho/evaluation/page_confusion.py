"""Confusion tables of `report.html`: gold by line, what was read by column, each cell a way in."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from rinsho.evaluation.confusion import NO_ANSWER, Confusion
from rinsho.evaluation.page_words import both
from rinsho.evaluation.summary import EntrySummary

_N_SHADES = 9


def confusion_tables(entries: Sequence[EntrySummary]) -> str:
    """Return the tables of the entries that have one, side by side."""
    tables = "".join(_table(one, one.confusion) for one in entries if one.confusion)
    if not tables:
        return ""
    heading = both("混同行列（行：正解、列：読み取り）", "Confusion (line: gold, column: read as)")
    names = next((one.confusion.names for one in entries if one.confusion), ())
    about = both("数を押すと、その問題を開きます。", "A number opens the items behind it.")
    return (
        f"<details><summary>{heading}</summary>"
        f'<p class="about">{about}</p>{_names(names)}<div class="confusions">{tables}</div>'
        "</details>"
    )


def _names(names: Sequence[str]) -> str:
    if not names:
        return ""
    lines = "".join(f"<li>{escape(name)}</li>" for name in names)
    return f'<ol class="names" type="A">{lines}</ol>'


def _table(entry: EntrySummary, found: Confusion) -> str:
    who = f"{entry.system} · {entry.method}"
    heads = "".join(f'<th scope="col">{_label(label)}</th>' for label in found.read)
    lines = "".join(
        f'<tr><th scope="row">{label}</th>'
        + "".join(
            _cell(entry, who, label, read, n, sum(counts))
            for read, n in zip(found.read, counts, strict=True)
        )
        + "</tr>"
        for label, counts in zip(found.labels, found.counts, strict=True)
    )
    corner = f'<th scope="col"><span class="hidden">{both("正解", "Gold")}</span></th>'
    return (
        f'<table class="confusion"><caption>{escape(who)}</caption>'
        f"<thead><tr>{corner}{heads}</tr></thead><tbody>{lines}</tbody></table>"
    )


def _label(label: str) -> str:
    if label != NO_ANSWER:
        return label
    return f'–<span class="hidden"> {both("読み取れず", "nothing read")}</span>'


def _cell(entry: EntrySummary, who: str, gold: str, read: str, n: int, total: int) -> str:
    shade = round(_N_SHADES * n / total) if total else 0
    kind = "hit" if gold == read else "miss"
    if not n:
        return f'<td class="{kind}-0">0</td>'
    data = {"benchmark": entry.benchmark, "who": who, "gold": gold, "read": read}
    said = " ".join(f'data-{name}="{escape(value)}"' for name, value in data.items())
    return f'<td class="{kind}-{shade}"><button type="button" data-jump {said}>{n}</button></td>'
