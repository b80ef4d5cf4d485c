"""The scores and differences of `report.html`."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from rinsho.evaluation.benchmark import Benchmark
from rinsho.evaluation.bootstrap import Estimate
from rinsho.evaluation.figures import color_of
from rinsho.evaluation.page_words import both, cell, figure, interval, number
from rinsho.evaluation.summary import N_COMPARED, Comparison, EntrySummary, Report


def score_section(report: Report, benchmarks: Mapping[str, Benchmark]) -> str:
    """Return one card a benchmark: its terms, then one row for each system and method."""
    names = dict.fromkeys(entry.benchmark for entry in report.entries)
    return "".join(
        _benchmark_card(
            benchmarks[name], [e for e in report.entries if e.benchmark == name], report
        )
        for name in names
    )


def _benchmark_card(benchmark: Benchmark, entries: Sequence[EntrySummary], report: Report) -> str:
    low, high = _range(entries)
    rows = "".join(_score_row(entry, report, low, high) for entry in entries)
    error = f" · {escape(benchmark.known_errors)}" if benchmark.known_errors else ""
    has_official = any(entry.official for entry in entries)
    official = f"<th>{both('公式 official', 'Official')}</th>" if has_official else ""
    if not has_official:
        rows = rows.replace(_no_official(), "")
    return (
        f'<section class="card"><h3>{escape(benchmark.name)}</h3>'
        f'<p class="about">{both(escape(benchmark.ja), escape(benchmark.en))}'
        f' <span class="terms">{escape(benchmark.license)} · v{benchmark.version}{error}</span></p>'
        f'<table class="scores"><thead><tr><th>{both("システム", "System")}</th>'
        f"<th>{both('件数', 'Items')}</th>{official}"
        f"<th>{both('補正 corrected', 'Corrected')}</th></tr></thead><tbody>{rows}</tbody></table>"
        f"{_details(entries)}</section>"
    )


def _range(entries: Sequence[EntrySummary]) -> tuple[float, float]:
    found = [entry.corrected[entry.leading] for entry in entries]
    low = min(0.0, *(one.low for one in found))
    is_share = entries[0].leading != "bits_per_byte"
    return low, max(1.0 if is_share else 0.0, *(one.high for one in found))


def _no_official() -> str:
    return cell('<span class="absent">–</span>', "公式", "Official", "official")


def _score_row(entry: EntrySummary, report: Report, low: float, high: float) -> str:
    color = color_of(entry.system, report)
    name = (
        f'<span class="key" style="background:{color}"></span><b>{escape(entry.system)}</b>'
        f'<span class="method">{escape(entry.method)}</span>'
    )
    official = "<br>".join(figure(one, n) for n, one in _first(entry.official))
    corrected = "<br>".join(figure(one, n) for n, one in _first(entry.corrected))
    track = _track(entry.corrected[entry.leading], low, high, color)
    cells = (
        cell(name, "", "", "system"),
        cell(_counts(entry), "件数", "Items", "counts"),
        cell(official, "公式", "Official", "official") if official else _no_official(),
        cell(f"{corrected}{track}", "補正", "Corrected", "corrected"),
    )
    return f"<tr>{''.join(cells)}</tr>"


def _first(figures: Mapping[str, Estimate]) -> Iterable[tuple[str, Estimate]]:
    return itertools.islice(figures.items(), N_COMPARED)


def _counts(entry: EntrySummary) -> str:
    of = f" / {entry.n_available}" if entry.n_available != entry.n_items else ""
    lines = [f"<b>{entry.n_items}</b>{of}"]
    if entry.n_documents != entry.n_items:
        lines.append(both(f"文書 {entry.n_documents}", f"{entry.n_documents} documents"))
    if entry.n_too_long:
        n = entry.n_too_long
        lines.append(f'<span class="bad">{both(f"長すぎ {n}", f"{n} too long")}</span>')
    if entry.n_invalid:
        n = entry.n_invalid
        lines.append(f'<span class="bad">{both(f"無効 {n}", f"{n} invalid")}</span>')
    return "<br>".join(lines)


def _track(found: Estimate, low: float, high: float, color: str) -> str:
    """Draw the interval on a line from `low` to `high`."""
    span = (high - low) or 1.0

    def percent(value: float) -> float:
        return 100 * (value - low) / span

    left, width = percent(found.low), max(0.8, percent(found.high) - percent(found.low))
    zero = f'<span class="zero" style="left:{percent(0):.2f}%"></span>' if low < 0 else ""
    return (
        f'<span class="track" aria-hidden="true">{zero}<span class="band" style="left:{left:.2f}%;'
        f'width:{width:.2f}%;background:{color}"></span><span class="dot" '
        f'style="left:{percent(found.value):.2f}%;background:{color}"></span></span>'
    )


def _details(entries: Sequence[EntrySummary]) -> str:
    blocks = "".join(
        f"<h4>{escape(entry.system)} · {escape(entry.method)}</h4><div class='tables'>"
        f"{_all_figures('公式 official', 'Official', entry.official)}"
        f"{_all_figures('補正 corrected', 'Corrected', entry.corrected)}"
        f"{_all_figures(f'種別ごと（{entry.leading}）', f'By tag ({entry.leading})', entry.by_tag)}"
        "</div>"
        for entry in entries
    )
    summary = both("すべての数値", "All figures")
    return f"<details><summary>{summary}</summary>{blocks}</details>"


def _all_figures(ja: str, en: str, figures: Mapping[str, Estimate]) -> str:
    if not figures:
        return ""
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{figure(found)}</td>"
        f'<td class="n">n={found.n_rows}</td></tr>'
        for name, found in figures.items()
    )
    return f'<table class="plain"><caption>{both(escape(ja), escape(en))}</caption>{rows}</table>'


_DIFFERENCE_HEADS = (
    ("ベンチマーク", "Benchmark"),
    ("組", "Pair"),
    ("差", "Difference"),
    ("p", "p"),
    ("件数", "Items"),
    ("判定", "Reading"),
)


def comparison_section(report: Report) -> str:
    """Return the paired differences, a clear one in bold."""
    if not report.comparisons:
        return ""
    rows = "".join(_difference_row(one, report.n_draws) for one in report.comparisons)
    heads = "".join(f"<th>{both(ja, en)}</th>" for ja, en in _DIFFERENCE_HEADS)
    return (
        f"<h2 id='differences'>{both('システム間の差', 'Differences between systems')}</h2>"
        f'<section class="card"><p class="about">'
        + both(
            "同じ問題・同じ再抽出による対応のある差です。多重比較の補正はしていません。",
            "Paired: the same items and the same draws. Not corrected for multiple comparisons.",
        )
        + f'</p><table class="scores differences"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></section>"
    )


def _difference_row(one: Comparison, n_draws: int) -> str:
    found = one.difference
    is_clear = found.low > 0 or found.high < 0
    winner = escape(one.first if (found.value > 0) == one.is_higher_better else one.second)
    verdict = (
        both(f"{winner} が良い", f"{winner} is better")
        if is_clear
        else both("差があるとは言えない", "no clear difference")
    )
    value = f"<b>{number(found.value, '+.3f')}</b> {interval(found.low, found.high, '+.3f')}"
    # Fewer than one draw in so many: the bootstrap cannot tell how much fewer.
    p = f"{found.p:.4f}" if found.p > 0 else f"&lt;{2 / n_draws:.4f}"
    cells = (
        cell(f"<b>{escape(one.benchmark)}</b><br><small>{escape(one.metric)}</small>", "", ""),
        cell(f"{escape(one.first)}<br>− {escape(one.second)}", *_DIFFERENCE_HEADS[1]),
        cell(value, *_DIFFERENCE_HEADS[2]),
        cell(p, *_DIFFERENCE_HEADS[3]),
        cell(str(found.n_rows), *_DIFFERENCE_HEADS[4]),
        cell(verdict, *_DIFFERENCE_HEADS[5], "clear" if is_clear else ""),
    )
    return f"<tr>{''.join(cells)}</tr>"
