"""Records of tuning data as conversations: Alpaca, messages or ShareGPT, and our questions.

| format | a record holds |
|---|---|
| alpaca | `instruction`, `output`; `input` and `system` may be there |
| messages | `messages` of `role` and `content`, `conversations` of `from` and `value` (ShareGPT), or `utterances` of `name` and `text` |
| questions | `problem_text`, `choices`, `answer` (letters, numbers from 1, or a choice's words); `comment` explains; `problem_text_en`, `choices_en`, `comment_en` say the same in English; `text_only` false: it needs a picture |
"""  # noqa: E501 - a table

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from rinsho.corpus.document import Message

Format = Literal["alpaca", "messages", "questions"]
Language = Literal["ja", "en"]
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
FORMS: Mapping[Format, str] = {
    "alpaca": "instruction and output (input, system), each a text",
    "messages": "messages from user to assistant, each with role and content",
    "questions": "problem_text, choices, and answer: letters, numbers from 1 or words of choices",
}
_ROLES = {
    "system": "system", "user": "user", "human": "user", "assistant": "assistant",
    "gpt": "assistant", "chatgpt": "assistant", "model": "assistant", "bot": "assistant",
    "agent": "assistant",
}  # fmt: skip
_TURNS = ("messages", "conversations", "utterances")
_QUESTION = ("problem_text", "question")
_CHOICES = ("choices", "options")
_ANSWER = ("answer", "answer_idx")
_COMMENT = ("comment", "explanation", "rationale")
_NO_ANSWER = ("NA", "N/A", "解なし")  # or begins so: 解なし（…）
_ANY_OF = "いずれか"  # one of the listed answers was enough: no single answer to learn
_JAPANESE = re.compile("[ぁ-んァ-ヶ一-龯]")


@dataclass(frozen=True, slots=True)
class Turns:
    """What a record holds: a conversation, in a language where the record says it in several."""

    messages: tuple[Message, ...]
    language: Language | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Why a sound record holds nothing to learn."""

    reason: str


@dataclass(frozen=True, slots=True)
class QuestionWords:
    """The words around a question; the Japanese ones without explanation are those of JMED-LLM."""

    system: str
    system_explained: str
    question: str
    choices: str
    explanation: str


WORDS: Mapping[Language, QuestionWords] = {
    "ja": QuestionWords(
        "与えられた医学に関する質問と選択肢から、最も適切な回答を選択してください。"
        "なお、回答には選択肢のアルファベット（例：A）のみを含め、"
        "他には何も含めないことを厳守してください。",
        "与えられた医学に関する質問と選択肢から、最も適切な回答を選択してください。"
        "まず選択肢のアルファベット（例：A）を答え、次の行から解説してください。",
        "質問: ",
        "選択肢:",
        "解説: ",
    ),
    "en": QuestionWords(
        "Choose the best answer to the medical question from the options. "
        "Answer with the letter of the option (for example: A) and nothing else.",
        "Choose the best answer to the medical question from the options. "
        "First answer with the letter of the option (for example: A), then explain on the next "
        "line.",
        "Question: ",
        "Options:",
        "Explanation: ",
    ),
}


def format_of(record: Mapping[str, Any]) -> Format | None:
    """Tell the format of a record by its keys; None where it is none of them.

    >>> format_of({"instruction": "…", "output": "…"}), format_of({"text": "…"})
    ('alpaca', None)
    """
    if any(name in record for name in _TURNS):
        return "messages"
    if "instruction" in record:
        return "alpaca"
    is_question = any(f"{name}{end}" in record for name in _CHOICES for end in ("", "_en"))
    return "questions" if is_question else None


def from_alpaca(record: Mapping[str, Any]) -> Turns:
    """Return instruction and output; the input stands below the instruction.

    Raises:
        ValueError, KeyError: It is no such record.
    """
    asked = _text(record["instruction"])
    if record.get("input"):
        asked = f"{asked}\n\n{_text(record['input'])}"
    system = (Message("system", _text(record["system"])),) if record.get("system") else ()
    return Turns((*system, Message("user", asked), Message("assistant", _text(record["output"]))))


def from_messages(record: Mapping[str, Any]) -> Turns:
    """Return the turns of a record, which begin with the user and end with an answer.

    Raises:
        ValueError, KeyError, TypeError: It is no such record.
    """
    turns = next(record[name] for name in _TURNS if name in record)
    messages: list[Message] = []
    for turn in cast(list[dict[str, Any]], turns):
        role = _ROLES[str(next(turn[name] for name in ("role", "from", "name") if name in turn))]
        content = next(turn[name] for name in ("content", "value", "text") if name in turn)
        messages.append(Message(role, _text(content)))
    spoken = [m.role for m in messages[messages[:1] == [] or messages[0].role == "system" :]]
    expected = ["user", "assistant"] * (len(spoken) // 2)
    if not spoken or spoken != expected:
        raise ValueError("turns")
    return Turns(tuple(messages))


def from_question(record: Mapping[str, Any], *, explains: bool) -> Iterator[Turns | LeftOut]:
    """Yield a multiple-choice question with its answer, in each language that it is there in.

    Args:
        record: One question.
        explains: Whether the explanation stands behind the answer, where there is one.

    Raises:
        ValueError, KeyError, TypeError: It is no such record.
    """
    if record.get("text_only") is False:
        yield LeftOut("needs a picture")
        return
    is_any = False
    for end in ("", "_en"):
        question = _first(record, _QUESTION, end)
        if question is not None:
            is_any = True
            yield _to_turns(record, _text(question), end, explains=explains)
    if not is_any:
        raise KeyError(_QUESTION[0])


def _to_turns(
    record: Mapping[str, Any], question: str, end: str, *, explains: bool
) -> Turns | LeftOut:
    choices = _choices(_first(record, _CHOICES, end))
    given = _first(record, _ANSWER, "")
    if not choices:
        return LeftOut("no choices")
    answers = cast(list[Any], given) if isinstance(given, list) else [given]
    written = [str(answer).strip() for answer in answers]
    if not any(written) or written[0].startswith(_NO_ANSWER):
        return LeftOut("no answer")
    if any(_ANY_OF in answer for answer in written):
        return LeftOut("one of several answers")
    letters = sorted({_letter(answer, choices) for answer in written})
    language: Language = "ja" if _JAPANESE.search(question) else "en"
    words, comment = WORDS[language], _first(record, _COMMENT, end)
    is_explained = explains and isinstance(comment, str) and bool(comment.strip())
    options = "".join(f"{a}. {c}\n" for a, c in zip(LETTERS, choices, strict=False))
    answer = ",".join(letters) + (f"\n{words.explanation}{comment}" if is_explained else "")
    messages = (
        Message("system", words.system_explained if is_explained else words.system),
        Message("user", f"{words.question}{question}\n{words.choices}\n{options}"),
        Message("assistant", answer),
    )
    return Turns(messages, language)


def _choices(value: Any) -> list[str]:
    if value is None:
        return []
    ordered = [text for _, text in sorted(value.items())] if isinstance(value, dict) else value
    choices = [_text(choice) for choice in cast(list[Any], ordered)]
    if len(choices) > len(LETTERS):
        raise ValueError("choices")
    return choices


def _letter(written: str, choices: list[str]) -> str:
    """Return the letter of an answer.

    >>> _letter("b", ["x", "y"]), _letter("2", ["x", "y"]), _letter("y", ["x", "y"])
    ('B', 'B', 'B')
    """
    known = LETTERS[: len(choices)]
    if len(written) == 1 and written.upper() in known:
        return written.upper()
    if written in choices:
        return known[choices.index(written)]
    place = int(written)
    if not 1 <= place <= len(choices):
        raise ValueError(place)
    return known[place - 1]


def _first(record: Mapping[str, Any], names: tuple[str, ...], end: str) -> Any:
    return next((record[f"{name}{end}"] for name in names if f"{name}{end}" in record), None)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("text")
    return value
