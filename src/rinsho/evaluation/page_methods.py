"""How to write about a report: a paragraph of methods in two languages, and BibTeX."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape

from rinsho import __version__
from rinsho.datasets.catalog import Dataset
from rinsho.evaluation.benchmark import Benchmark
from rinsho.evaluation.benchmark_file import catalogued_files
from rinsho.evaluation.page_words import both
from rinsho.evaluation.summary import Report

_KASAI = """@misc{kasai2023igakuqa,
  title = {Evaluating {GPT}-4 and {ChatGPT} on {Japanese} Medical Licensing Examinations},
  author = {Kasai, Jungo and Kasai, Yuhei and Sakaguchi, Keisuke and Yamada, Yutaro
            and Radev, Dragomir},
  year = {2023},
  eprint = {2303.18027},
  archivePrefix = {arXiv}
}"""
_HOW_JA = {
    "generation": "生成した文から答えを読み取った",
    "log-likelihood": "選択肢の記号の対数尤度が最も大きいものを答えとした",
    "official": "公表元のプロンプトでも尋ねた",
    "head": "学習したヘッドの判定を答えとした",
    "extraction": "本文から取り出した範囲を答えとした",
}
_HOW_EN = {
    "generation": "answers were read from generated text",
    "log-likelihood": "the choice whose letter has the greatest log-likelihood was taken",
    "official": "the publishers' own prompts were used as well",
    "head": "the decision of a trained head was taken",
    "extraction": "spans of the text were taken",
}


def methods_section(report: Report, benchmarks: Mapping[str, Benchmark]) -> str:
    """Return the paragraph and the entries, ready to be copied."""
    paragraph = f"<p>{both(escape(methods_ja(report)), escape(methods_en(report)))}</p>"
    entries = escape("\n\n".join(bibtex(list(benchmarks.values()))))
    return (
        f'<section class="card">{paragraph}<details><summary>BibTeX</summary>'
        f'<pre class="code">{entries}</pre></details></section>'
    )


def methods_en(report: Report) -> str:
    """Return the paragraph of methods in English: nothing but what the report knows."""
    how = [_HOW_EN[method] for method in _methods(report) if method in _HOW_EN]
    return (
        f"We evaluated {', '.join(_systems(report))} with rinsho {__version__} on "
        f"{'; '.join(_sizes(report, 'items', 'documents'))}. "
        f"{_sentence('; '.join(how))} "
        "Official figures follow the published protocol of each benchmark, known errors included; "
        "corrected figures mark the same outputs with fixed label sets and, for entities, one-to-"
        "one matching. Outputs that could not be read and items that did not fit the context "
        "count as wrong. Intervals are 95% percentile bootstrap intervals over "
        f"{report.n_draws:,} draws of documents (PCG64, seed {report.seed}; Efron and Tibshirani, "
        "1993); differences are paired on the same items and draws, and their p values are not "
        "corrected for the number of comparisons unless a table says so. "
        f"{_identities(report, 'Identity hashes', ': ', '.')}"
    )


def methods_ja(report: Report) -> str:
    """Return the paragraph of methods in Japanese."""
    how = "、".join(_HOW_JA[method] for method in _methods(report) if method in _HOW_JA)
    return (
        f"rinsho {__version__} を用い、{'、'.join(_systems(report))} を次のベンチマークで評価した: "
        f"{'; '.join(_sizes(report, '件', '文書'))}。{how}。"
        "公式値は各ベンチマークの公表手順を既知の誤りも含めて再現したもの、補正値は同じ出力を、"
        "選択課題では固定した選択肢の集合、抽出課題では1対1の対応により採点したものである。"
        "読み取れない出力と文脈長に収まらない問題は誤答とした。区間は文書を単位とする"
        f"ブートストラップ {report.n_draws:,} 回（PCG64、種 {report.seed}）のパーセンタイル95%区間"
        "（Efron and Tibshirani 1993）で、差は同じ問題と同じ再抽出による対応のある差である。"
        "p 値は、表に断りのない限り多重比較の補正をしていない。"
        f"{_identities(report, '各フォルダの識別ハッシュ', ': ', '。')}"
    )


def _systems(report: Report) -> list[str]:
    return list(dict.fromkeys(entry.system for entry in report.entries))


def _methods(report: Report) -> list[str]:
    return list(dict.fromkeys(entry.method for entry in report.entries))


def _sizes(report: Report, items: str, documents: str) -> list[str]:
    shown = dict[str, str]()
    for entry in report.entries:
        of = f", {entry.n_documents:,} {documents}" if entry.n_documents != entry.n_items else ""
        shown[entry.benchmark] = f"{entry.benchmark} ({entry.n_items:,} {items}{of})"
    return list(shown.values())


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _identities(report: Report, name: str, colon: str, stop: str) -> str:
    links = [f"{link.stage} {link.identity_hash[:12]}" for link in report.chain]
    return f"{name}{colon}{', '.join(links)}{stop}" if links else ""


def bibtex(benchmarks: Sequence[Benchmark]) -> list[str]:
    """Return the entries for rinsho and for what the benchmarks were read from.

    A repository is cited at the commit whose files were read; a paper only where its authors and
    title are known for certain.
    """
    datasets: dict[str, Dataset] = {}
    for path in (path for benchmark in benchmarks for path in benchmark.files):
        if path in catalogued_files():
            dataset, _ = catalogued_files()[path]
            datasets[dataset.name] = dataset
    repositories = {dataset.repository for dataset in datasets.values()}
    papers = [_KASAI] if "jungokasai/IgakuQA" in repositories else []
    own = f"@software{{rinsho,\n  title = {{rinsho}},\n  version = {{{__version__}}}\n}}"
    return [own, *papers, *(_entry(dataset) for dataset in datasets.values())]


def _entry(dataset: Dataset) -> str:
    key = re.sub(r"\W", "", dataset.name)
    title = _escaped(f"{dataset.name}: {dataset.en}")
    return (
        f"@misc{{{key},\n  title = {{{title}}},\n"
        f"  howpublished = {{{_escaped(dataset.repository)}}},\n"
        f"  note = {{commit {dataset.commit[:12]}; license {_escaped(dataset.license)}}}\n}}"
    )


def _escaped(text: str) -> str:
    return re.sub(r"([%&#_{}$])", r"\\\1", text)
