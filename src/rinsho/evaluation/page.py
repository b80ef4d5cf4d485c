"""`report.html`: one file that opens offline; everything a model said is escaped.

Tables and figures are plain HTML made here; the per-item view is filled by the scripts of
`report_page` from a JSON block, with text nodes only. The page's policy names one script and one
style sheet by their hashes, and allows nothing else from anywhere.
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
from rinsho.evaluation.page_methods import methods_section
from rinsho.evaluation.page_overview import overview_section
from rinsho.evaluation.page_parts import inline_figure
from rinsho.evaluation.page_prompts import prompt_section
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

_SCRIPTS = ("dom.js", "item_view.js", "items.js", "page.js")
_STYLES = ("style.css", "items.css")
_FIGURES = {
    "jmed_llm": (
        "JMED-LLM の8課題（公式値、白抜きは引用）",
        "JMED-LLM's eight tasks (hollow: quoted)",
    ),
    "scores": ("得点と95%区間", "Scores with 95% intervals"),
    "bits_per_byte": ("bits per byte と95%区間", "Bits per byte with 95% intervals"),
    "reliability": ("確信度と正答率", "Confidence and accuracy"),
    "risk_coverage": ("回答率と誤答率", "Coverage and risk"),
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
    script, style = ("".join(_asset(one) for one in names) for names in (_SCRIPTS, _STYLES))
    benchmarks = {one.loaded.name: one.loaded.benchmark for one in entries}
    withheld = [one.loaded.name for one in entries if one.loaded.is_text_withheld]
    heading = escape(title) if title else both("評価レポート", "Evaluation report")
    parts = {
        "policy": (
            "default-src 'none'; base-uri 'none'; form-action 'none'; "
            f"style-src {_hash(style)}; script-src {_hash(script)}"
        ),
        "title": escape(title) or "評価レポート / Evaluation report",
        "style": style,
        "heading": heading,
        "subtitle": _subtitle(report),
        "overview": overview_section(report),
        "scores": score_section(report, benchmarks),
        "comparisons": prompt_section(report) + comparison_section(report),
        "figures": _figure_section(svgs),
        "free": free_section(report),
        "methods": methods_section(report, benchmarks),
        "chain": removal_section(report) + chain_section(report),
        "licenses": license_section(report, benchmarks, list(dict.fromkeys(withheld))),
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
    # Half a surrogate pair cannot be written in UTF-8.
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


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
        f"{inline_figure(svgs[name], name)}</div>"
        f"<figcaption>{both(ja, en)}</figcaption></figure>"
        for name, (ja, en) in _FIGURES.items()
        if name in svgs
    )
