"""`report.html`: one file that opens offline; everything a model said is escaped.

Tables and figures are plain HTML made here; the per-item view is filled by `script.js` from a JSON
block, with text nodes only. The page's policy allows that one script and nothing from anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import json
import re
from collections.abc import Mapping, Sequence
from html import escape

from rinsho.evaluation.page_items import item_data
from rinsho.evaluation.page_scores import comparison_section, score_section
from rinsho.evaluation.page_sections import (
    chain_section,
    free_section,
    guide_section,
    license_section,
    removal_section,
)
from rinsho.evaluation.page_words import both
from rinsho.evaluation.scoring import ScoredEntry
from rinsho.evaluation.summary import Report

_FIGURES = {
    "scores": ("得点と95%区間", "Scores with 95% intervals"),
    "bits_per_byte": ("bits per byte と95%区間", "Bits per byte with 95% intervals"),
    "data": ("データの内訳", "Data by source"),
    "loss": ("学習の損失", "Training loss"),
}


def render_page(
    title: str, report: Report, entries: Sequence[ScoredEntry], svgs: Mapping[str, str]
) -> str:
    """Return the whole page.

    Args:
        title: Stands at the top; a plain one when empty.
        report: The figures.
        entries: The scored rows, for the per-item view.
        svgs: Figures by name, as matplotlib wrote them.
    """
    script = _asset("script.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    benchmarks = {one.loaded.name: one.loaded.benchmark for one in entries}
    heading = escape(title) if title else both("評価レポート", "Evaluation report")
    parts = {
        "policy": (
            "default-src 'none'; base-uri 'none'; form-action 'none'; "
            f"style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
        ),
        "title": escape(title) or "評価レポート / Evaluation report",
        "style": _asset("style.css"),
        "heading": heading,
        "subtitle": _subtitle(report),
        "scores": score_section(report, benchmarks),
        "comparisons": comparison_section(report),
        "figures": _figure_section(svgs),
        "free": free_section(report),
        "chain": removal_section(report) + chain_section(report),
        "licenses": license_section(report, benchmarks),
        "guide": guide_section(report),
        "data": embed_json(item_data(entries)),
        "script": script,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match.group(1)], _asset("page.html"))


def embed_json(value: object) -> str:
    """Return JSON that can stand inside a script element: no character of it ends the element.

    >>> embed_json({"output": "</script>&"})
    '{"output":"\\\\u003c/script\\\\u003e\\\\u0026"}'
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return "".join(_readable(character) for character in text)


def _readable(character: str) -> str:
    """Write half a surrogate pair, which UTF-8 cannot hold, as its escape."""
    return f"\\u{ord(character):04x}" if "\ud800" <= character <= "\udfff" else character


def _asset(name: str) -> str:
    folder = importlib.resources.files("rinsho.evaluation") / "report_page"
    return (folder / name).read_text(encoding="utf-8")


def _subtitle(report: Report) -> str:
    systems = list(dict.fromkeys(entry.system for entry in report.entries))
    benchmarks = {entry.benchmark for entry in report.entries}
    n = f"{len(systems)} system(s) on {len(benchmarks)} benchmark(s)"
    return both(
        f"システム {len(systems)}・ベンチマーク {len(benchmarks)}。区間は文書を単位とする"
        f"ブートストラップ {report.n_draws:,} 回（種 {report.seed}）の95%区間です。",
        f"{n}. Intervals are 95% percentile intervals of "
        f"{report.n_draws:,} bootstrap draws of documents (seed {report.seed}).",
    )


def _figure_section(svgs: Mapping[str, str]) -> str:
    return "".join(
        f'<figure class="card"><div class="drawing" role="img" aria-label="{escape(en)}">'
        f"{_inline(svgs[name])}</div>"
        f"<figcaption>{both(ja, en)}</figcaption></figure>"
        for name, (ja, en) in _FIGURES.items()
        if name in svgs
    )


def _inline(svg: str) -> str:
    """Cut an SVG file down to its element, so that it can stand in a page."""
    element = svg[svg.index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    return re.sub(r"<style[^>]*>.*?</style>", "", element, flags=re.DOTALL)
