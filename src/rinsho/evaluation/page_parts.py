"""Pieces of `report.html` that need no words: colour keys, tracks of intervals, scrolling tables.

No style attribute stands anywhere in the page, so that its policy can name the one style sheet.
"""

from __future__ import annotations

import re
from html import escape

from rinsho.evaluation.bootstrap import Estimate
from rinsho.evaluation.page_words import both
from rinsho.evaluation.summary import Report

N_COLORS = 8


def place_of(system: str, report: Report) -> int:
    """Return the place of a system among those of the report: it decides its colour."""
    return list(dict.fromkeys(entry.system for entry in report.entries)).index(system) % N_COLORS


def key(place: int) -> str:
    """Return the small square in the colour of a system."""
    return f'<span class="key color-{place}"></span>'


def task_anchor(name: str) -> str:
    """Return the place of a benchmark's card in the page.

    >>> task_anchor("jmed-llm/crade")
    'task-jmed-llm-crade'
    """
    return "task-" + "".join(one if one.isalnum() else "-" for one in name)


def scrolling_table(ja: str, en: str, table: str, kind: str) -> str:
    """Return a table that scrolls sideways where the screen is narrow, by keys too.

    Args:
        ja: Its caption, also the name of the place that scrolls.
        en: The same in English.
        table: Head and body, as HTML.
        kind: Its class.
    """
    names = f'data-name-ja="{escape(ja)}" data-name-en="{escape(en)}" aria-label="{escape(ja)}"'
    return (
        f'<p class="caption">{both(escape(ja), escape(en))}</p>'
        f'<div class="scrolling" role="group" tabindex="0" {names}>'
        f'<table class="{kind}">{table}</table></div>'
    )


def track(found: Estimate, low: float, high: float, place: int) -> str:
    """Draw an interval on a line from `low` to `high`."""
    span = (high - low) or 1.0

    def percent(value: float) -> str:
        return f"{100 * (value - low) / span:.2f}%"

    width = f"{max(0.8, 100 * (found.high - found.low) / span):.2f}%"
    zero = f'<line class="zero" x1="{percent(0)}" x2="{percent(0)}" y1="0" y2="12"/>'
    return (
        '<svg class="track" aria-hidden="true" focusable="false">'
        '<line class="ground" x1="0" x2="100%" y1="6" y2="6"/>'
        f"{zero if low < 0 else ''}"
        f'<rect class="fill-{place}" x="{percent(found.low)}" width="{width}" y="3" height="6" '
        'rx="3" opacity="0.4"/>'
        f'<circle class="fill-{place}" cx="{percent(found.value)}" cy="6" r="4.5"/></svg>'
    )


def inline_figure(svg: str, name: str) -> str:
    """Cut an SVG file down to an element that can stand in a page beside others.

    Ids get the figure's name; those that nothing refers to go. Style attributes become
    presentation attributes.
    """
    element = svg[svg.index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    element = re.sub(r"<style[^>]*>.*?</style>", "", element, flags=re.DOTALL)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', element))
    element = re.sub(
        r' id="([^"]*)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", element
    )
    element = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", element)
    return re.sub(r' style="([^"]*)"', lambda m: _attributes(m[1]), element)


def _attributes(style: str) -> str:
    pairs = (one.split(":", 1) for one in style.split(";") if ":" in one)
    return "".join(f' {name.strip()}="{value.strip()}"' for name, value in pairs)
