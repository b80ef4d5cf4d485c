"""The messages a model is asked with, zero-shot: JMED-LLM's byte for byte, and corrected ones.

JMED-LLM's (2024-09-22) are the official and the corrected prompt of its own tasks at once. Every
other benchmark is asked with lettered options, without the number of right answers; a prompt that
its publishers used belongs to its protocol and stands in its own file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from rinsho.corpus.document import Message
from rinsho.evaluation.benchmark import LETTERS, Item
from rinsho.evaluation.parse import format_spans
from rinsho.manifest import canonical_json

CHOICE_SYSTEM = (
    "与えられた医学に関する質問と選択肢から、最も適切な回答を選択してください。"
    "なお、回答には選択肢のアルファベット（例：A）のみを含め、"
    "他には何も含めないことを厳守してください。"
)
ENTITIES_SYSTEM = (
    "与えられた医学に関する質問から、最も適切な回答をしてください。"
    "なお、回答にはPythonのリスト形式（例：['回答1', '回答2']）のみを含め、"
    "他には何も含めないことを厳守してください。"
)
# What each tag of the entity tasks asks; the kind of record stands in the braces.
ENTITY_QUESTIONS = {
    "d": "以下の{}において、"
    "患者に実際に認められた病変や症状の存在を示す異常などの所見を表す表現は？",
    "m-key": "以下の{}において、薬品名は？",
    "m-val": "以下の{}において、処方量など薬品にかかわる値は？",
}


@dataclass(frozen=True, slots=True)
class Wording:
    """The corrected prompts of one language."""

    choice: str
    number: str
    rating: str
    pairs: str
    passage: str
    question: str
    options: str
    context: str
    answer: str


WORDINGS = {
    "ja": Wording(
        choice="次の問題に答えてください。回答は選択肢の記号のみ（例：A、複数ならA,C）とし、"
        "他には何も書かないでください。",
        number="次の問題に答えてください。回答は数値のみとし、他には何も書かないでください。",
        rating="次の2つの文の意味の近さを答えてください。回答は数値のみとし、"
        "他には何も書かないでください。",
        pairs="次の2つの文書で内容が変わった箇所をすべて挙げてください。1行に1つ、"
        "「- 変更前 → 変更後」の形で書き、他には何も書かないでください。",
        passage="次の本文を読んで質問に答えてください。"
        "回答は本文からそのまま抜き出し、他には何も書かないでください。",
        question="問題",
        options="選択肢",
        context="背景",
        answer="答え",
    ),
    "en": Wording(
        choice="Answer the question. Reply with nothing but the letter of the right choice "
        "(for example A; if several are asked for, A,C).",
        number="Answer the question. Reply with nothing but the number.",
        rating="How close are the two sentences in meaning? Reply with nothing but the number.",
        pairs="List every place where the content of the two documents differs, one a line, in the "
        'form "- before → after". Reply with nothing else.',
        passage="Read the passage and answer the question with words of the passage alone.",
        question="Question",
        options="Options",
        context="Context",
        answer="Answer",
    ),
}


def messages_of(item: Item) -> tuple[Message, ...]:
    """Return the system and the user message of an item.

    The user text of a choice ends with a newline. JMED-LLM's options stand as they are, blanks
    included; those of every other benchmark are stripped.
    """
    if item.is_plain:
        return (Message("user", item.shots + plain_question(item)),)
    if item.wording:
        return _corrected_messages(item, WORDINGS[item.wording])
    if item.form in ("choice", "similarity"):
        user = f"質問: {item.question}\n選択肢:\n{lettered(item.choices)}"
        return (Message("system", CHOICE_SYSTEM), Message("user", user))
    return (Message("system", ENTITIES_SYSTEM), Message("user", item.question))


def lettered(choices: Sequence[str]) -> str:
    """Return choices as `A. text`, one a line.

    >>> lettered(["肺炎", "胃癌"])
    'A. 肺炎\\nB. 胃癌\\n'
    """
    return "".join(
        f"{letter}. {choice}\n" for letter, choice in zip(LETTERS, choices, strict=False)
    )


def plain_question(item: Item, answer: Sequence[str] = ()) -> str:
    """Return a question as one plain text that ends where its answer would stand, or after it.

    >>> item = Item("x", "choice", "どれか。", ("肺炎", "胃癌"), ("B",), wording="ja")
    >>> plain_question(item)
    '問題: どれか。\\n選択肢:\\nA. 肺炎\\nB. 胃癌\\n答え:'
    >>> plain_question(item, item.gold)[-5:]
    ': B\\n\\n'
    """
    wording = WORDINGS[item.wording or "ja"]
    context = f"{wording.context}: {item.context.strip()}\n" if item.context else ""
    options = lettered([choice.strip() for choice in item.choices])
    asked = f"{wording.question}: {item.question.strip()}\n{wording.options}:\n{options}"
    said = f" {','.join(answer)}\n\n" if answer else ""
    return f"{context}{asked}{wording.answer}:{said}"


def _corrected_messages(item: Item, wording: Wording) -> tuple[Message, ...]:
    context = f"{wording.context}: {item.context.strip()}\n" if item.context else ""
    if item.form in ("choice", "similarity"):
        system = wording.choice
        options = lettered([choice.strip() for choice in item.choices])
        user = f"{wording.question}: {item.question.strip()}\n{wording.options}:\n{options}"
    elif item.form == "entities":
        system, user = ENTITIES_SYSTEM, item.question
    else:
        systems = {"rating": wording.rating, "pairs": wording.pairs, "passage": wording.passage}
        system = systems.get(item.form, wording.number)
        user = f"{wording.question}: {item.question.strip()}"
    return (Message("system", item.instruction or system), Message("user", context + user))


def prompt_of(item: Item) -> str:
    """Return what is shown, as one text: that of spans alone, that of relations with mentions."""
    if item.form in ("spans", "text"):
        return item.question
    if item.form == "relations":
        return f"{item.question}\n{format_spans(item.gold_spans)}"
    return "\n\n".join(message.content for message in messages_of(item))


def hash_prompt(item: Item) -> str:
    """Return the SHA-256 of the messages, roles included."""
    if item.form in ("spans", "text", "relations"):
        return hashlib.sha256(prompt_of(item).encode()).hexdigest()
    return hash_messages(messages_of(item))


def hash_messages(messages: Sequence[Message]) -> str:
    """Return the SHA-256 of messages, roles included."""
    turns = [[message.role, message.content] for message in messages]
    return hashlib.sha256(canonical_json(turns)).hexdigest()
