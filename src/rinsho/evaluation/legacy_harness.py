"""The legacy harness of JMedLLM: ten templates, comma-joined options, gestalt and exact match.

Prompt: one of ten templates as plain text. Parser: the first line after a marker. Metrics: the
share of questions whose most similar options are the right ones (the board's accuracy), and exact
match.
Source:
    stardust-coder/japanese-lm-med-harness, 2024-10-02; arXiv:2409.11783, Table 8.
Known errors:
    No answer at all selects the first options and scores 17 %; the right letters score no better;
    a comma inside an option breaks the rendering and the number of answers; reasoning that the
    prompts ask for is cut after its first line. All are reproduced.
"""

from __future__ import annotations

import difflib
import random
from collections.abc import Sequence

from rinsho.evaluation.benchmark import LETTERS, Item
from rinsho.evaluation.parse import MAX_CHARACTERS

_COT = (
    "The following are multiple choice questions about medical knowledge. Solve them in a "
    "step-by-step fashion, starting by summarizing the available information. Output a single "
    "option from the {} options as the final answer."
)
_COT_JA = (
    "以下は医学知識に関する多肢選択問題です。利用可能な情報を要約してから、段階的に解決してください。"
    "最終的な答えとして{}つの選択肢のうちの1つを出力してください。"
)
_MEDITRON = (
    "\n<|im_start|> system\nYou are a medical doctor answering real-world medical entrance exam "
    "questions. Based on your understanding of basic and clinical science, medical knowledge, and "
    "mechanisms underlying health, disease, patient care, and modes of therapy, answer the "
    "following multiple-choice question. Select one correct answer from A to {}. Base your answer "
    "on the current and standard practices referenced in medical guidelines.<|im_end|>\n"
    "<|im_start|> question\nQuestion: {{{{instruction}}}}\nOptions:\n{{{{input}}}}{}\n"
    "<|im_start|> answer\n\n"
)
_ENGLISH = "### Instruction:\n{{instruction}}\n### Input:\n{{input}}\n### Response:\n"
_JAPANESE = "### 指示：\n{{instruction}}\n### 入力：\n{{input}}\n### 応答：\n"
TEMPLATES = {
    "alpaca": "Below is an instruction that describes a task, paired with an input that provides "
    f"further context. Write a response that appropriately completes the request.\n{_ENGLISH}",
    # The published file holds the で of です in two code points.
    "alpaca_ja": "以下は，タスクを説明する指示と，文脈のある入力の組み合わせて\u3099す。"
    f"要求を適切に満たす応答を書きなさい。\n{_JAPANESE}",
    "medpalm_four_choice_cot": f"### Instruction:\n{_COT.format('four')}\n"
    "### Input:\n{{instruction}}\n{{input}}\n### Response:\n",
    "medpalm_four_choice_cot_ja": f"### 指示：\n{_COT_JA.format(4)}\n"
    "### 入力：\n{{instruction}}\n{{input}}\n### 応答：\n",
    "medpalm_five_choice_cot": f"### Instruction:\n{_COT.format('five')}\n"
    "### Input:\n{{instruction}}\n{{input}}\n### Response:\n",
    "medpalm_five_choice_cot_ja": f"### 指示：\n{_COT_JA.format(5)}\n"
    "### 入力：\n{{instruction}}\n{{input}}\n### 応答：\n",
    "alpaca_med_five_choice_cot": f"{_COT.format('five')}\n{_ENGLISH}",
    "alpaca_med_five_choice_cot_ja": f"{_COT_JA.format(5)}\n{_JAPANESE}",
    "meditron_four_choice": _MEDITRON.format("D", ""),
    "meditron_five_choice": _MEDITRON.format("E", "<|im_end|>"),
}
_MARKERS = ("### 応答：\n", "### Answer:", "### Response:")


def render(template: str, question: str, choices: Sequence[str]) -> str:
    """Return the prompt of one question; options are joined by commas, but in meditron's for five.

    >>> prompt = render("alpaca_ja", "どれか。", ["肺炎", "胃癌"])
    >>> prompt.endswith("### 指示：\\nどれか。\\n### 入力：\\n肺炎,胃癌\\n### 応答：\\n")
    True
    """
    joined = ",".join(choices)
    if template == "meditron_five_choice":
        pairs = zip(LETTERS, choices, strict=False)
        joined = "\n".join(f"({letter}){choice}" for letter, choice in pairs)
    before, _, after = TEMPLATES[template].partition("{{input}}")
    return before.replace("{{instruction}}", question) + joined + after


def response_of(output: str) -> str:
    """Return what the harness reads of a full response: one line, its dots removed.

    >>> response_of("…\\n### 応答：\\n 腎低形成. \\n理由は")
    '腎低形成'
    """
    text = output[:MAX_CHARACTERS]
    marker = next((marker for marker in _MARKERS if marker in text), None)
    piece = text.split(marker)[1] if marker else text
    line = piece.strip().split("\n")[0].strip()
    return line.replace(".", "").strip()


def similarity(choice: str, response: str) -> float:
    """Return the mean of difflib's ratio in both directions, its junk heuristic on.

    >>> similarity("tide", "diet"), similarity("", "")
    (0.375, 1.0)
    """
    there = difflib.SequenceMatcher(None, choice, response).ratio()
    back = difflib.SequenceMatcher(None, response, choice).ratio()
    return (there + back) / 2


def select(choices: Sequence[str], gold: str, response: str) -> list[str]:
    """Return as many of the most similar options as gold has comma pieces; the first wins a tie."""
    n_selected = len(gold.split(","))
    scores = [similarity(choice, response) for choice in choices]
    places = sorted(range(len(choices)), key=lambda place: -scores[place])  # stable
    return [choices[place] for place in places[:n_selected]]


def gold_text(item: Item) -> str:
    """Return the right options joined by commas, as the harness stores them."""
    return ",".join(item.choices[item.letters.index(letter)] for letter in item.gold)


def is_gestalt_right(item: Item, output: str) -> bool:
    """Say whether the selected options are the comma pieces of gold."""
    gold = gold_text(item)
    return sorted(select(item.choices, gold, response_of(output))) == sorted(gold.split(","))


def is_exactly_right(item: Item, output: str) -> bool:
    """Say whether the response is the gold text, order and all, dots removed on both sides."""
    return gold_text(item).replace(".", "").strip() == response_of(output)


def shuffled(item: Item, seed: int) -> tuple[str, ...]:
    """Return the options in another order; gold stays text. The harness draws without a seed."""
    choices = list(item.choices)
    random.Random(f"{seed}:{item.id}").shuffle(choices)
    return tuple(choices)
