"""IgakuQA119: the 119th medical licensing examination (2025), 400 questions read from scans.

Prompt: lettered options (corrected); the publishers' with answer, confidence and explanation.
Parser: a set of letters or a number; officially the line that begins with `answer:`.
Metrics: accuracy, points, required and general part; no prohibited choices are known.
Source:
    docto-rin/IgakuQA119, 2025-06-26, Apache-2.0; exam text of the ministry, PDL 1.0.
Known errors:
    Options of 119E45 and 119E48 stand in the stem; 119A22, 119C5 and 119C19 lost one in the scan;
    119E28 accepts a or c; 103 questions show an image. The official grader sorts characters, digits
    of numbers too: 63 passes for 36.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from typing import Any, cast

from rinsho.corpus.document import Message
from rinsho.errors import BrokenRecord
from rinsho.evaluation.benchmark import Benchmark, Item, OfficialProtocol, Sources
from rinsho.evaluation.benchmark_file import find_file, read_json, require_unique, to_letters

NAME = "igakuqa119"
_FOLDER = "eval/igakuqa119"
_GOLD = f"{_FOLDER}/correct_answers.csv"
_FILES = tuple(f"{_FOLDER}/119{section}_json.json" for section in "ABCDEF")
_DAMAGED = ("119A22", "119C5", "119C19")
_EITHER = "119E28"  # stored as ac: a or c
_IN_STEM = re.compile(r"\s[aA](?=[^a-z\s])(.+?)\sb(.+?)\s[cC](.+?)\sd(.+?)\se(.+?)\s*$")


def read_exam(sources: Sources) -> tuple[Item, ...]:
    """Read the six sections and join their answers.

    Raises:
        DataFolderMissing, BenchmarkMissing, BenchmarkChanged: The files are not there as published.
        BrokenRecord: A question without an answer, or an answer that is no choice.
    """
    with find_file(sources, NAME, _GOLD).open(encoding="utf-8-sig", newline="") as file:
        gold = {row["問題番号"]: row["解答"] for row in csv.DictReader(file)}
    rows = [
        (f"{path} {place}", cast(Mapping[str, Any], row))
        for path in _FILES
        for place, row in enumerate(read_json(sources, NAME, path), start=1)
    ]
    return require_unique(NAME, tuple(_to_item(where, row, gold) for where, row in rows))


def _to_item(where: str, row: Mapping[str, Any], gold: Mapping[str, str]) -> Item:
    number, published = str(row["number"]), str(row["question"])
    published_choices = tuple(str(choice) for choice in row["choices"])
    if number not in gold:
        raise BrokenRecord(where=where, expected=f"an answer in {_GOLD}")
    question = published.removeprefix(number[:4]).strip()  # 119C1 and 119D1 begin with the block
    choices = tuple(re.sub(r"^[a-e]\.\s*", "", choice) for choice in published_choices)
    if not choices and (match := _IN_STEM.search(question)):
        question, choices = question[: match.start()].strip(), match.groups()
    answer, is_number = gold[number], not choices
    is_damaged = number in _DAMAGED
    letters = () if is_number or is_damaged else to_letters(answer, len(choices), where)
    section, place = number[3], int(number[4:])
    return Item(
        number,
        "number" if is_number else "choice",
        question,
        choices,
        _gold(number, answer, letters),
        document=number,
        source=NAME,
        also_right=(letters[1:],) if number == _EITHER else (),
        points=3 if section in "BE" and place >= 26 else 1,
        part="required" if section in "BE" else "general",
        has_image=bool(row["has_image"]),
        excluded="an option was lost in the scan" if is_damaged else "",
        published_question=published,
        published_choices=published_choices,
        wording="ja",
    )


def _gold(number: str, answer: str, letters: tuple[str, ...]) -> tuple[str, ...]:
    """Return the letters, or the number or the letter of a lost option as it is stored."""
    return letters[:1] if number == _EITHER else letters or (answer.upper(),)


SYSTEM = (
    "あなたは医師国家試験問題を解く優秀で論理的なアシスタントです。\n"
    "以下のルールを守って、問題文と選択肢（または数値入力の指示）を確認し、回答してください。\n\n"
    "【ルール】\n"
    '1. 明示的な指示がない場合は、単一選択肢のみ選ぶ（例: "a", "d"）。\n'
    "2. 「2つ選べ」「3つ選べ」などとあれば、その数だけ選択肢をアルファベット順で列挙する"
    '（例: "ac", "bd"）。\n'
    "3. 選択肢が存在せず数値入力が求められる場合は、指定がない限りそのままの数値を答える"
    "（例: answer: 42）。\n"
    "4. 画像（has_image=True）は参考情報とし、特別な形式は不要。\n"
    "5. 不要な装飾やMarkdown記法は含めず、以下の形式に従って厳密に出力してください：\n\n"
    "answer: [選んだ回答(単数/複数/数値)]\n"
    "confidence: [0.0～1.0の確信度]\n"
    "explanation: [選択理由や重要な根拠を簡潔に]\n\n"
    "【answerについて注意】\n"
    "- 問題は単数選択、複数選択、数値入力のいずれかであり、問題文からその形式を判断する。\n"
    "- 「どれか。」で終わる選択問題で数が明記されていない場合は、五者択一を意味するので選択肢を"
    "必ず1つだけ選び小文字のアルファベットで回答する。（単数選択）\n"
    "- 「2つ選べ」「3つ選べ」などと書いてある場合に限り、指定された数だけの複数選択肢を選び、"
    "小文字のアルファベット順（abcde順）に並び替えて列挙する。（複数選択）\n"
    "- 選択肢が存在しない場合は、小数や四捨五入など、問題文で特に指示があればそれに従い、"
    "選択肢記号ではなく数値を回答する。（数値入力）\n"
    "- 問題に関連しない余計な文は書かず、指定のキー(answer, confidence, explanation)を上記の出力に"
    "従って厳密に出力する。\n"
)
_THOUGHT = re.compile(r"<(think|thinking|thoughts)>", re.IGNORECASE)


def official_messages(item: Item, items: tuple[Item, ...] = ()) -> tuple[Message, ...]:
    """Return the publishers' system text and the question with its options as they were read."""
    choices = "\n".join(item.published_choices)
    question = item.published_question
    user = f"問題：{question}\n\n選択肢：\n{choices}\n\n回答を指定された形式で出力してください。"
    return (Message("system", SYSTEM), Message("user", user))


def official_answer(output: str) -> str:
    """Return what stands after the last line that begins with `answer:`, in lower case.

    >>> official_answer("<think>b</think>Answer: A, C\\nconfidence: 0.9")
    'a, c'
    """
    lines = _without_thoughts(output).strip().lower().split("\n")
    answers = [line.strip() for line in lines if line.strip().startswith("answer:")]
    return answers[-1].replace("answer:", "").strip() if answers else ""


def _without_thoughts(output: str) -> str:
    """Remove each closed block; a kind that is closed nowhere below is looked for once."""
    kept, at, open_kinds = list[str](), 0, set[str]()
    for tag in _THOUGHT.finditer(output):
        kind = tag.group(1)
        if tag.start() < at or kind in open_kinds:
            continue
        end = re.compile(f"</{kind}>", re.IGNORECASE).search(output, tag.end())
        if end is None:
            open_kinds.add(kind)
            continue
        kept.append(output[at : tag.start()])
        at = end.end()
    return "".join(kept) + output[at:]


def official_is_right(item: Item, output: str) -> bool:
    """Grade as published: characters sorted, digits too; 119E28 accepts a or c, not both.

    >>> official_is_right(Item("119C74", "number", "", gold=("36",)), "answer: 63")
    True
    """
    answer = _sorted_characters(official_answer(output))
    if item.also_right:
        return answer in (item.gold[0].lower(), item.also_right[0][0].lower())
    return bool(answer) and answer == _sorted_characters("".join(item.gold).lower())


def _sorted_characters(text: str) -> str:
    return "".join(sorted(character for character in text.strip() if character not in "[], "))


IGAKUQA119 = Benchmark(
    name=NAME,
    version=1,
    license="Apache-2.0, exam text PDL-1.0",
    source="docto-rin/IgakuQA119, 2025-06-26",
    form="choice",
    ja="第119回医師国家試験（2025年）",
    en="the 119th medical licensing examination (2025)",
    needs=f"{_FOLDER} (--data)",
    load=read_exam,
    known_errors="read from scans: 3 questions lost an option; prohibited choices are not known; "
    "103 questions show an image",
    files=(*_FILES, _GOLD),
    n_items=400,
    official=OfficialProtocol(
        name="IgakuQA119",
        source="docto-rin/IgakuQA119, 2025-06-26",
        ask=official_messages,
        is_right=official_is_right,
        settings="the provider's defaults",
        known_errors="digits of a number are sorted before they are compared: 63 passes for 36",
    ),
    leading="accuracy",
)
