"""Words and small pieces of `report.html` that several of its parts use."""

from __future__ import annotations

from html import escape

from rinsho.evaluation.bootstrap import Estimate

# What each figure means, for the guide at the end of the page.
METRICS = {
    "kappa": ("一致率から偶然を除いた値", "agreement beyond chance (Cohen)"),
    "kappa_linear": ("順序を考慮した κ（線形）", "kappa with linear weights, for ordered choices"),
    "kappa_quadratic": ("順序を考慮した κ（二乗）", "kappa with quadratic weights"),
    "accuracy": ("正答率", "share of right answers"),
    "macro_f1": ("選択肢ごとの F1 の平均", "mean F1 over the choices"),
    "partial_f1": (
        "corrected: 文中で1文字以上重なる語どうしの最大マッチング。"
        "official: 公式実装そのまま（1を超えることがある）",
        "corrected: maximum one-to-one matching of entities that overlap in the text; "
        "official: the published code as it is, which can exceed 1",
    ),
    "exact_f1": ("完全一致の F1（行の平均）", "exact F1, mean over rows"),
    "micro_partial_f1": ("部分一致の F1（語の合計）", "partial F1 over all entities"),
    "micro_exact_f1": ("完全一致の F1（語の合計）", "exact F1 over all entities"),
    "micro_precision": ("部分一致の適合率", "partial precision over all entities"),
    "micro_recall": ("部分一致の再現率", "partial recall over all entities"),
    "not_in_text": ("本文に無い語の割合", "share of entities that are not in the text"),
    "f1": (
        "範囲と種類が完全に一致したスパンの F1",
        "F1 of spans with equal borders and label",
    ),
    "f1_with_certainty": ("確信度も一致した F1", "the same, with equal certainty"),
    "precision": ("適合率", "precision of spans"),
    "recall": ("再現率", "recall of spans"),
    "bits_per_byte": (
        "1バイトあたりのビット数（小さいほど良い。語彙が違っても比べられる）",
        "bits per UTF-8 byte; lower is better, comparable between vocabularies",
    ),
    "pair_f1": (
        "変更箇所の F1（1対1で対応させ、文書全体を挙げても1つ分）",
        "F1 of pairs matched one to one: naming the whole document finds one",
    ),
    "pair_recall": ("変更箇所の再現率", "recall of pairs matched one to one"),
    "pair_precision": ("変更箇所の適合率", "precision of pairs matched one to one"),
    "pair_exact_f1": ("両側が一致した組の F1", "F1 of pairs with equal texts, blanks aside"),
    "pair_recall_in_text": (
        "文書中に実際にある組だけの再現率",
        "recall of the pairs whose texts stand in what was shown",
    ),
    "published_recall": (
        "発行者の採点規則による再現率（すべて挙げれば高くなる）",
        "recall by the publishers' rule, which listing everything satisfies",
    ),
    "pearson": ("正解との相関（ピアソン）", "Pearson's correlation with gold"),
    "spearman": ("順位の相関（スピアマン）", "Spearman's rank correlation with gold"),
    "mean_distance": (
        "正解との差の平均（小さいほど良い）",
        "mean distance from gold; lower is better",
    ),
    "exact_match": ("本文の語句と一致した割合", "share of answers equal to an accepted one"),
    "character_f1": ("文字の重なりの F1", "F1 of the characters of the answer"),
    "format_compliance": ("読み取れた回答の割合", "share of answers that could be read"),
    "unclosed_thinking": (
        "思考が終わらないまま切れた回答の割合（無効）",
        "share of answers that end inside a block of thinking: invalid",
    ),
    "shuffle_consistency": (
        "選択肢を並べ替えても同じ内容を選んだ割合",
        "share of items whose chosen content is the same in every order of the options",
    ),
    "accuracy_over_orders": ("並べ替え全体の正答率", "accuracy over every order of the options"),
    "calibration_error": (
        "確信度と正答率のずれ（10区間の期待較正誤差、小さいほど良い）",
        "expected calibration error over 10 bins of confidence; lower is better",
    ),
    "brier": (
        "選択肢の確率と正解との二乗誤差（0–2、小さいほど良い）",
        "squared error of the probabilities of the choices, 0 to 2; lower is better",
    ),
    "risk_coverage_area": (
        "確信度の高い順に答えたときの誤答率の平均（小さいほど良い）",
        "mean share of wrong answers as less confident ones are added; lower is better",
    ),
    "strict_compliance": ("指示どおりの形の割合", "share in exactly the form asked for"),
}

# How an answer came about, where it was not generated text.
METHOD_WORDS = {
    "head": (
        "学習したヘッドの判定を選択肢の記号に直したもので、生成した文ではありません",
        "what a trained head decided, written as the letter of a choice: no generated text",
    ),
    "extraction": (
        "本文から取り出した範囲を公式の回答形式に直したもので、生成した文ではありません",
        "spans of the text, written in the official form where one is asked for: no generated text",
    ),
    "log-likelihood": (
        "選択肢の尤度を比べたもので、生成した文ではありません",
        "the likelihoods of the choices compared: no generated text",
    ),
}


def both(ja: str, en: str) -> str:
    """Return a text in both languages, of which the page shows one; HTML goes in as it is."""
    return f'<span lang="ja">{ja}</span><span lang="en">{en}</span>'


def cell(content: str, ja: str, en: str, kind: str = "") -> str:
    """Return a table cell; where the page is narrow, its name stands before it."""
    class_ = f' class="{kind}"' if kind else ""
    names = f'data-ja="{escape(ja)}" data-en="{escape(en)}"'
    return f"<td{class_} {names}><div>{content}</div></td>"


def number(value: float, form: str = ".3f") -> str:
    """Return a number with a true minus sign.

    >>> number(-0.25), number(0.5, "+.2f")
    ('−0.250', '+0.50')
    """
    return format(value, form).replace("-", "\u2212")


def interval(low: float, high: float, form: str = ".3f") -> str:
    """Return a 95 % interval."""
    return f'<span class="interval">[{number(low, form)}, {number(high, form)}]</span>'


def figure(found: Estimate, name: str = "") -> str:
    """Return a figure with its interval, and its name before it."""
    label = f'<span class="metric">{escape(name)}</span> ' if name else ""
    return f"{label}<b>{number(found.value)}</b> {interval(found.low, found.high)}"
