"""The first thing in `report.html`: one table a family of benchmarks, and what others published."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from html import escape

from rinsho.evaluation.bootstrap import Estimate
from rinsho.evaluation.page_parts import key, place_of, scrolling_table, task_anchor
from rinsho.evaluation.page_words import both, number
from rinsho.evaluation.quoted import QuotedRow, QuotedSource, quoted_rows
from rinsho.evaluation.summary import Comparison, EntrySummary, Report

# Pairs of systems beyond these are in the list of differences alone.
_N_PAIRS = 8
_OTHERS = ""  # the family of benchmarks without one


def family_of(benchmark: str) -> str:
    """Return what stands before the first stroke of a benchmark's name.

    >>> family_of("jmed-llm/crade"), family_of("demo-notes")
    ('jmed-llm', '')
    """
    family, stroke, _ = benchmark.partition("/")
    return family if stroke else _OTHERS


def overview_section(report: Report) -> str:
    """Return the tables of every family: corrected, official with quoted rows, differences."""
    families = list(dict.fromkeys(family_of(entry.benchmark) for entry in report.entries))
    return "".join(_family(family, report) for family in families)


def _family(family: str, report: Report) -> str:
    entries = [one for one in report.entries if family_of(one.benchmark) == family]
    names = list(dict.fromkeys(one.benchmark for one in entries))
    quoted = [row for row in quoted_rows() if {*row.cells} & {*names}]
    title = escape(family) if family else both("その他", "Others")
    parts = [_corrected_table(entries, names, report)]
    if any(one.official for one in entries) or quoted:
        parts.append(_official_table(family, entries, names, quoted, report))
    parts.append(_pair_table(names, report))
    return f'<section class="card"><h3>{title}</h3>{"".join(parts)}</section>'


# ------------------------------------------------------------------------------ corrected


def _corrected_table(entries: Sequence[EntrySummary], names: Sequence[str], report: Report) -> str:
    heads = "".join(_head(name, entries, "corrected") for name in names)
    rows = "".join(
        f'<tr><th scope="row">{_who(members[0], report)}</th>'
        + "".join(_corrected_cell(name, members, entries) for name in names)
        + "</tr>"
        for members in _by_row(entries)
    )
    caption = (
        "補正（corrected）：主な指標と95%区間。太字は列で最も良い値",
        "Corrected: the leading figure with its 95% interval; the best of a column in bold",
    )
    return _matrix(caption, heads, rows)


def _by_row(entries: Sequence[EntrySummary]) -> list[list[EntrySummary]]:
    rows: dict[tuple[str, str], list[EntrySummary]] = {}
    for entry in entries:
        rows.setdefault((entry.system, entry.method), []).append(entry)
    return list(rows.values())


def _head(name: str, entries: Sequence[EntrySummary], kind: str) -> str:
    members = [entry for entry in entries if entry.benchmark == name]
    shown = _short(name)
    leading = members[0].leading if kind == "corrected" else _official_names(members)
    n_items = max(entry.n_items for entry in members)
    return (
        f'<th scope="col"><a href="#{task_anchor(name)}">{escape(shown)}</a>'
        f"<small>{escape(leading)}</small><small>n={n_items}</small></th>"
    )


def _short(name: str) -> str:
    return name.partition("/")[2] or name


def _corrected_cell(
    name: str, members: Sequence[EntrySummary], everyone: Sequence[EntrySummary]
) -> str:
    found = next((entry for entry in members if entry.benchmark == name), None)
    if found is None:
        return _absent()
    value = found.corrected[found.leading]
    others = [e.corrected[e.leading].value for e in everyone if e.benchmark == name]
    best = min(others) if found.leading == "bits_per_byte" else max(others)
    is_best = len(others) > 1 and value.value == best
    strong = "strong" if is_best else "span"
    return f"<td><{strong}>{number(value.value)}</{strong}>{_small_interval(value)}</td>"


def _small_interval(found: Estimate) -> str:
    return f"<small>{number(found.low)} – {number(found.high)}</small>"


def _absent() -> str:
    return '<td class="absent">–</td>'


# ------------------------------------------------------------------------------- official


def _official_table(
    family: str,
    entries: Sequence[EntrySummary],
    names: Sequence[str],
    quoted: Sequence[QuotedRow],
    report: Report,
) -> str:
    columns = [n for n in names if any(e.benchmark == n and e.official for e in entries)]
    columns += [n for n in names if n not in columns and any(n in row.cells for row in quoted)]
    columns += _never_run(family, columns, quoted)
    heads = "".join(
        _head(name, entries, "official") if name in names else _bare_head(name) for name in columns
    )
    measured = [members for members in _by_row(entries) if any(one.official for one in members)]
    rows = "".join(
        f'<tr><th scope="row">{_who(members[0], report)}</th>'
        + "".join(_official_cell(name, members) for name in columns)
        + "</tr>"
        for members in measured
    )
    rows += "".join(_quoted_group(list(group), columns) for _, group in _by_source(quoted))
    ja, en = "公式（official）：公表された手順どおりの値", "Official: by the published protocol"
    if quoted:
        ja += "。下の行は引用で、ここでは実行していません"
        en += ". The rows below are quoted, not run here"
    return _matrix((ja, en), heads, rows) + _notes(quoted)


def _never_run(family: str, columns: Sequence[str], quoted: Sequence[QuotedRow]) -> list[str]:
    """Return what was published of a family but not measured here; of few columns only."""
    published = dict.fromkeys(name for row in quoted for name in row.cells)
    return [n for n in published if n not in columns and family_of(n) == family]


def _bare_head(name: str) -> str:
    here = both("ここでは未測定", "not measured here")
    return f'<th scope="col">{escape(_short(name))}<small>{here}</small></th>'


def _official_names(members: Sequence[EntrySummary]) -> str:
    found = next((entry.official for entry in members if entry.official), {})
    first, *others = _shown_official(found) or [""]
    return f"{first} ({others[0]})" if others else first


def _shown_official(figures: Mapping[str, Estimate]) -> list[str]:
    """Return the names of the two figures that boards print: points where there are any."""
    names = list(figures)
    return [*names[:1], "points"] if "points" in names else names[:2]


def _official_cell(name: str, members: Sequence[EntrySummary]) -> str:
    figures = next((e.official for e in members if e.benchmark == name), {})
    if not figures:
        return _absent()
    first, *others = _shown_official(figures)
    second = f" ({_plain(others[0], figures[others[0]])})" if others else ""
    passes = figures.get("passes")
    verdict = ""
    if passes is not None:
        verdict = both("合格", "pass") if passes.value == 1 else both("不合格", "fail")
        verdict = f"<small>{verdict}</small>"
    found = figures[first]
    return f"<td>{number(found.value)}{second}{_small_interval(found)}{verdict}</td>"


def _plain(name: str, found: Estimate) -> str:
    return f"{found.value:.0f}" if name == "points" else number(found.value)


def _by_source(
    quoted: Sequence[QuotedRow],
) -> list[tuple[QuotedSource, list[QuotedRow]]]:
    groups = itertools.groupby(quoted, key=lambda row: row.source)
    return [(source, list(rows)) for source, rows in groups]


def _quoted_group(rows: Sequence[QuotedRow], columns: Sequence[str]) -> str:
    source = rows[0].source
    heading = f"{both('引用', 'Quoted')}: {escape(source.name)}"
    lines = "".join(
        f'<tr class="quoted"><th scope="row">{escape(row.model)}</th>'
        + "".join(
            f"<td>{escape(row.cells[name])}</td>" if name in row.cells else _absent()
            for name in columns
        )
        + "</tr>"
        for row in rows
    )
    head = f'<th scope="rowgroup" colspan="{len(columns) + 1}">{heading}</th>'
    return f'</tbody><tbody><tr class="group">{head}</tr>{lines}'


def _notes(quoted: Sequence[QuotedRow]) -> str:
    lines = "".join(
        f"<li>{escape(source.name)} — {escape(source.reference)}. "
        f"{both(escape(source.note_ja), escape(source.note_en))}</li>"
        for source, _ in _by_source(quoted)
    )
    return f'<ul class="notes">{lines}</ul>' if lines else ""


# ---------------------------------------------------------------------------- differences


def _pair_table(names: Sequence[str], report: Report) -> str:
    """Return the paired differences of the leading figure: a clear one is marked."""
    leading = {entry.benchmark: entry.leading for entry in report.entries}
    found = [
        one
        for one in report.comparisons
        if one.benchmark in names and one.metric == leading[one.benchmark]
    ]
    pairs = sorted(dict.fromkeys((one.first, one.second) for one in found), key=_is_mixed)
    if not pairs:
        return ""
    by_cell = {(one.first, one.second, one.benchmark): one for one in found}
    heads = "".join(f'<th scope="col">{escape(_short(name))}</th>' for name in names)
    rows = "".join(
        f'<tr><th scope="row">{escape(first)}<small>− {escape(second)}</small></th>'
        + "".join(_pair_cell(by_cell.get((first, second, name))) for name in names)
        + "</tr>"
        for first, second in pairs[:_N_PAIRS]
    )
    caption = (
        "対応のある差と95%区間（▲ 上の行が良い、▼ 下の行が良い、印なしは差があるとは言えない）",
        "Paired differences with 95% intervals (▲ the first is better, ▼ the second is; "
        "no mark: no clear difference)",
    )
    return _matrix(caption, heads, rows)


def _is_mixed(pair: tuple[str, str]) -> bool:
    """Say whether two systems answered by different methods: such pairs come last."""
    methods = {name.rpartition(" (")[2] for name in pair}
    return len(methods) > 1


def _pair_cell(one: Comparison | None) -> str:
    if one is None:
        return _absent()
    found = one.difference
    is_clear = found.low > 0 or found.high < 0
    is_first = (found.value > 0) == one.is_higher_better
    sign = (" ▲" if is_first else " ▼") if is_clear else ""
    kind = ("up" if is_first else "down") if is_clear else "soft"
    low, high = number(found.low, "+.3f"), number(found.high, "+.3f")
    shown = f"{number(found.value, '+.3f')}{sign}"
    return f'<td><span class="{kind}">{shown}</span><small>{low} – {high}</small></td>'


# ---------------------------------------------------------------------------------- pieces


def _who(entry: EntrySummary, report: Report) -> str:
    square = key(place_of(entry.system, report))
    return f"{square}{escape(entry.system)}<small>{escape(entry.method)}</small>"


def _matrix(caption: tuple[str, str], heads: str, rows: str) -> str:
    first = f'<th scope="col">{both("システム", "System")}</th>'
    table = f"<thead><tr>{first}{heads}</tr></thead><tbody>{rows}</tbody>"
    return scrolling_table(*caption, table, "matrix")
