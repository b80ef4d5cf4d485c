"""The scores and differences of `report.html`."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from rinsho.evaluation.benchmark import Benchmark
from rinsho.evaluation.bootstrap import Estimate
from rinsho.evaluation.calibration import AbstentionThreshold
from rinsho.evaluation.page_confusion import confusion_tables
from rinsho.evaluation.page_parts import key, place_of, scrolling_table, task_anchor, track
from rinsho.evaluation.page_prompts import orders_table
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
    official = f"<th scope='col'>{both('公式 official', 'Official')}</th>" if has_official else ""
    if not has_official:
        rows = rows.replace(_no_official(), "")
    return (
        f'<section class="card" id="{task_anchor(benchmark.name)}">'
        f"<h3>{escape(benchmark.name)}</h3>"
        f'<p class="about">{both(escape(benchmark.ja), escape(benchmark.en))}'
        f' <span class="terms">{escape(benchmark.license)} · v{benchmark.version}{error}</span></p>'
        f'<table class="scores"><thead><tr><th scope="col">{both("システム", "System")}</th>'
        f"<th scope='col'>{both('件数', 'Items')}</th>{official}"
        f"<th scope='col'>{both('補正 corrected', 'Corrected')}</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>{_ways_in(benchmark.name)}{confusion_tables(entries)}"
        f"{orders_table(entries)}{calibration_table(entries)}{_details(entries)}</section>"
    )


def _ways_in(name: str) -> str:
    """Return links to the items of a benchmark."""
    states = (
        ("all", "すべての問題", "all items"),
        ("wrong", "誤り", "wrong"),
        ("invalid", "無効", "invalid"),
    )
    links = " · ".join(
        f'<a href="#items" data-jump data-benchmark="{escape(name)}" data-state="{state}">'
        f"{both(ja, en)}</a>"
        for state, ja, en in states
    )
    return f'<p class="ways">{both("問題を見る: ", "Items: ")}{links}</p>'


def _range(entries: Sequence[EntrySummary]) -> tuple[float, float]:
    found = [entry.corrected[entry.leading] for entry in entries]
    low = min(0.0, *(one.low for one in found))
    is_share = entries[0].leading != "bits_per_byte"
    return low, max(1.0 if is_share else 0.0, *(one.high for one in found))


def _no_official() -> str:
    return cell('<span class="absent">–</span>', "公式", "Official", "official")


def _score_row(entry: EntrySummary, report: Report, low: float, high: float) -> str:
    place = place_of(entry.system, report)
    name = (
        f"{key(place)}<b>{escape(entry.system)}</b>"
        f'<span class="method">{escape(entry.method)}</span>'
    )
    official = "<br>".join(figure(one, n) for n, one in _first(entry.official))
    corrected = "<br>".join(figure(one, n) for n, one in _first(entry.corrected))
    line = track(entry.corrected[entry.leading], low, high, place)
    cells = (
        cell(name, "", "", "system"),
        cell(_counts(entry), "件数", "Items", "counts"),
        cell(official, "公式", "Official", "official") if official else _no_official(),
        cell(f"{corrected}{line}", "補正", "Corrected", "corrected"),
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


def calibration_table(entries: Sequence[EntrySummary]) -> str:
    """Return from which confidence on enough answers are right, on documents not chosen on."""
    found = [(one, one.calibration) for one in entries if one.calibration]
    if not found:
        return ""
    targets = [one.target for one in found[0][1].thresholds]
    heads = "".join(f'<th scope="col">≥ {100 * target:.0f}%</th>' for target in targets)
    rows = "".join(
        f'<tr><th scope="row">{escape(entry.system)}<small>n={one.n_rows}</small></th>'
        + "".join(_threshold_cell(threshold) for threshold in one.thresholds)
        + "</tr>"
        for entry, one in found
    )
    first = f'<th scope="col">{both("システム", "System")}</th>'
    caption = (
        "棄権の目安：求める正答率ごとの確信度のしきい値（半分の文書で選び、残り半分で測った "
        "回答率・正答率）",
        "When to abstain: the confidence to ask for, by the share of right answers wanted (chosen "
        "on one half of the documents; answered and right on the other half)",
    )
    table = f"<thead><tr>{first}{heads}</tr></thead><tbody>{rows}</tbody>"
    name = both("確信度と棄権", "Confidence and abstention")
    inner = scrolling_table(*caption, table, "matrix")
    return f"<details><summary>{name}</summary>{inner}</details>"


def _threshold_cell(one: AbstentionThreshold) -> str:
    if one.threshold is None:
        return f'<td class="absent">{both("届かない", "not reached")}</td>'
    if one.coverage is None or one.accuracy is None:
        return f"<td>{one.threshold:.2f}</td>"
    measured = both(
        f"回答 {100 * one.coverage:.0f}%・正答 {100 * one.accuracy:.0f}%",
        f"{100 * one.coverage:.0f}% answered, {100 * one.accuracy:.0f}% right",
    )
    return f"<td>{one.threshold:.2f}<small>{measured}</small></td>"


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


_N_DIFFERENCES_OPEN = 24
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
    heads = "".join(f"<th scope='col'>{both(ja, en)}</th>" for ja, en in _DIFFERENCE_HEADS)
    about = both(
        "同じ問題・同じ再抽出による対応のある差です。多重比較の補正はしていません。",
        "Paired: the same items and the same draws. Not corrected for multiple comparisons.",
    )
    table = (
        f'<table class="scores differences"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )
    n = len(report.comparisons)
    if n > _N_DIFFERENCES_OPEN:
        name = both(f"すべての差（{n} 件）", f"All differences ({n})")
        table = f"<details><summary>{name}</summary>{table}</details>"
    heading = both("システム間の差", "Differences between systems")
    return (
        f'<h2 id="differences">{heading}</h2>'
        f'<section class="card"><p class="about">{about}</p>{table}</section>'
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
