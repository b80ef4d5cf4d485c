"""What stands below the scores in `report.html`: generations, provenance, terms, a guide."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from html import escape
from typing import cast

from rinsho.evaluation.benchmark import Benchmark
from rinsho.evaluation.page_words import METHOD_WORDS, METRICS, both
from rinsho.evaluation.summary import ChainLink, FreeGeneration, FreeSummary, Report


def free_section(report: Report) -> str:
    """Return the seeded free generations with what they repeat and copy."""
    if not report.free:
        return ""
    about = both(
        "正解のない自由生成です（種つき・温度あり）。反復率は、同じ生成の中で前にも現れた"
        "10文字列の割合。複写率は、学習用分割の文書にそのまま現れる20文字列の割合です。",
        "Seeded, sampled, without gold answers. Repetition: share of 10-character strings that "
        "stood in the same generation before. Copied: share of 20-character strings that stand "
        "in documents of the train split as they are.",
    )
    cards = "".join(_free_card(free) for free in report.free)
    heading = both("自由生成", "Free generations")
    return f"<h2 id='free'>{heading}</h2><p class='about'>{about}</p>{cards}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}%"


def _free_card(free: FreeSummary) -> str:
    copied = _percent(free.copied_share) if free.is_compared_with_training_text else "–"
    n, repeated = len(free.generations), _percent(free.repetition_rate)
    line = both(
        f"{n} 件の平均: 反復率 <b>{repeated}</b>、複写率 <b>{copied}</b>",
        f"Means of {n}: repetition <b>{repeated}</b>, copied <b>{copied}</b>",
    )
    blocks = "".join(_free_block(one) for one in free.generations)
    shown = both("すべて見る", "Show all")
    return (
        f'<section class="card"><h3>{escape(free.system)}</h3><p>{line}</p>'
        f"<details><summary>{shown}</summary>{blocks}</details></section>"
    )


def _free_block(one: FreeGeneration) -> str:
    rates = both(
        f"種 {one.seed}・{one.n_tokens} トークン・反復 {_percent(one.repetition_rate)}・"
        f"複写 {_percent(one.copied.share)}（最長 {one.copied.longest_characters} 文字）",
        f"seed {one.seed} · {one.n_tokens} tokens · repetition {_percent(one.repetition_rate)} · "
        f"copied {_percent(one.copied.share)} (longest {one.copied.longest_characters} characters)",
    )
    return (
        f'<div class="generation"><pre><b>{escape(one.prompt)}</b>{escape(one.output)}</pre>'
        f"<small>{rates}</small></div>"
    )


def removal_section(report: Report) -> str:
    """Return what `collect` left out, by source and rule; nothing where nothing was collected."""
    if not report.removals:
        return ""
    heading = both("除いた文書（資料と規則ごと）", "Left out, by source and rule")
    tables = "".join(f"<pre>{escape(table)}</pre>" for table in report.removals)
    return f'<section class="card"><h3>{heading}</h3>{tables}</section>'


def chain_section(report: Report) -> str:
    """Return every folder the report rests on, by identity hash, with its config."""
    about = both(
        "この報告が依拠するフォルダです。identity が同じなら結果は同じです。",
        "The folders that this report rests on. Equal identities mean equal results.",
    )
    known = {link.identity_hash for link in report.chain}
    return f'<p class="about">{about}</p>' + "".join(_link(link, known) for link in report.chain)


def _link(link: ChainLink, known: Collection[str]) -> str:
    inputs = "".join(
        f"<li>{escape(slot)}: {_hashes(value, known)}</li>"
        for slot, value in sorted(link.inputs.items())
        if value
    )
    machine = " · ".join(
        f"{name} {'–' if value is None else value}"
        for name, value in (("seed", link.seed), ("threads", link.threads))
    )
    machine += f" · {link.precision or '–'}"
    settings = json.dumps(link.config, ensure_ascii=False, indent=1)
    counts = json.dumps(link.counts, ensure_ascii=False, indent=1)
    return (
        f'<section class="card link" id="folder-{escape(link.identity_hash[:16])}">'
        f"<h3>{escape(link.stage)} "
        f"<code>{escape(link.identity_hash[:16])}</code></h3>"
        f"<p><small>rinsho {escape(link.version)} · {escape(machine)}</small></p><ul>{inputs}</ul>"
        f"<details><summary>{both('設定と件数', 'Config and counts')}</summary>"
        f"<p><code>{escape(link.identity_hash)}</code></p>"
        f"<pre>{escape(settings)}</pre><pre>{escape(counts)}</pre></details></section>"
    )


def _hashes(value: object, known: Collection[str]) -> str:
    """Return the hashes of an input; one of a folder that stands here leads to it."""
    values = cast(Sequence[object], value) if isinstance(value, (list, tuple)) else [value]
    return ", ".join(_hash(str(one), known) for one in values)


def _hash(value: str, known: Collection[str]) -> str:
    shown = f"<code>{escape(value[:16])}</code>"
    return f'<a href="#folder-{escape(value[:16])}">{shown}</a>' if value in known else shown


def license_section(
    report: Report, benchmarks: Mapping[str, Benchmark], withheld: Sequence[str]
) -> str:
    """Return the licenses and attributions of the benchmarks and of the folders.

    Args:
        report: Its chain names the folders.
        benchmarks: Those of the report, by name.
        withheld: The names of those whose texts the report leaves out.
    """
    rows = "".join(
        f"<tr><td>{escape(b.name)}</td><td>{escape(b.license)}</td><td>{escape(b.source)}</td></tr>"
        for b in benchmarks.values()
    )
    licenses = sorted({one for link in report.chain for one in link.licenses})
    attributions = sorted({one for link in report.chain for one in link.attributions})
    names = (("ベンチマーク", "Benchmark"), ("ライセンス", "License"), ("出典", "Source"))
    heads = "".join(f'<th scope="col">{both(ja, en)}</th>' for ja, en in names)
    table = f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody>"
    line = both("使った資料全体の条件: ", "Terms of everything that was used: ") + escape(
        ", ".join(licenses) or "–"
    )
    sources = escape("; ".join(attributions))
    note = _withheld_note(withheld)
    return (
        f'<section class="card"><table class="plain wide">{table}</table><p>{line}</p>'
        f"<p><small>{sources}</small></p><p>{note}</p></section>"
    )


def _withheld_note(withheld: Sequence[str]) -> str:
    if not withheld:
        return both(
            "この報告は、すべての問題と回答の文を含みます。",
            "This report holds the text of every item and answer.",
        )
    names = escape(", ".join(withheld))
    return both(
        f"次のベンチマークの問題文・回答文は載せていません: {names}",
        f"The text of items and answers is left out for: {names}",
    )


def guide_section(report: Report) -> str:
    """Return what the figures of this report mean."""
    used = dict.fromkeys(
        name for entry in report.entries for name in [*entry.official, *entry.corrected]
    )
    rows = "".join(
        f"<dt><code>{escape(name)}</code></dt><dd>{both(escape(ja), escape(en))}</dd>"
        for name, (ja, en) in METRICS.items()
        if name in used
    )
    methods = {entry.method for entry in report.entries}
    rows += "".join(
        f"<dt><code>{name}</code></dt><dd>{both(ja, en)}</dd>"
        for name, (ja, en) in METHOD_WORDS.items()
        if name in methods
    )
    rule = both(
        "official は公表された手順を桁まで再現した値、"
        "corrected は同じ回答を誠実な規則で採点した値で、両者は比べられません。"
        "読み取れない回答と文脈長に収まらない問題は誤答として数えます。",
        "Official reproduces the published protocol to the digit; corrected marks the same answers "
        "by honest rules. The two do not compare. Answers that cannot be read, and items that do "
        "not fit the context, count as wrong.",
    )
    return f'<section class="card"><p>{rule}</p><dl>{rows}</dl></section>'
