"""The messages a model is asked with: those of JMED-LLM (2024-09-22), zero-shot, byte for byte."""

from __future__ import annotations

import hashlib

from rinsho.corpus.document import Message
from rinsho.evaluation.benchmark import Item
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


def messages_of(item: Item) -> tuple[Message, ...]:
    """Return the system and the user message of an item.

    The user text of a choice ends with a newline, and options stand as they are, blanks included.
    """
    if item.form in ("choice", "similarity"):
        options = "".join(
            f"{letter}. {choice}\n"
            for letter, choice in zip(item.letters, item.choices, strict=True)
        )
        user = f"質問: {item.question}\n選択肢:\n{options}"
        return (Message("system", CHOICE_SYSTEM), Message("user", user))
    return (Message("system", ENTITIES_SYSTEM), Message("user", item.question))


def prompt_of(item: Item) -> str:
    """Return what the model is shown, as one text: the text itself for spans and plain text."""
    if item.form in ("spans", "text"):
        return item.question
    return "\n\n".join(message.content for message in messages_of(item))


def hash_prompt(item: Item) -> str:
    """Return the SHA-256 of the messages, roles included."""
    if item.form in ("spans", "text"):
        return hashlib.sha256(item.question.encode()).hexdigest()
    turns = [[message.role, message.content] for message in messages_of(item)]
    return hashlib.sha256(canonical_json(turns)).hexdigest()
