"""YakugakuQA: the national pharmacist examinations of 2012 to 2023, 345 questions each.

Prompt: lettered options, zero-shot (corrected); three demonstrations with numbered options
(official). Parser: a set of letters; officially the part before the first colon of the first line.
Metrics: accuracy, mean over the nine categories.
Source:
    EQUES-Inc/pharma-LLM-eval, IJCNLP 2025 long.72; CC BY-SA 4.0 by the publisher's dataset card.
Known errors:
    18 questions have no right answer (解なし), 5 another number than they ask for; 6 accept any one
    or two of several; 100093 answers 7 of 6 options; metadata repeat each id up to four times;
    1,369 questions show an image.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Mapping
from typing import Any

from rinsho.corpus.document import Message
from rinsho.errors import BrokenRecord
from rinsho.evaluation.benchmark import LETTERS, Benchmark, Item, OfficialProtocol, Sources
from rinsho.evaluation.benchmark_file import read_lines, require_unique, text_key, to_letters
from rinsho.evaluation.parse import why_unanswerable

YEARS = {year: f"{year - 1915:03d}" for year in range(2012, 2024)}
_EITHER = re.compile(r"（いずれか(\d|一|二)つ")


def read_years(sources: Sources, *, name: str, years: tuple[int, ...]) -> tuple[Item, ...]:
    """Read some years, each question with its category.

    Raises:
        DataFolderMissing, BenchmarkMissing, BenchmarkChanged: The files are not there as published.
        BrokenRecord: A question without a category, or an answer that is no choice.
    """
    items = tuple(item for year in years for item in _read_year(sources, name, year))
    return require_unique(name, items)


def year_paths(year: int) -> tuple[str, str]:
    """Return where the questions and the metadata of a year lie below the data folder."""
    folder = f"eval/yakugakuqa/{year}"
    return f"{folder}/{YEARS[year]}.jsonl", f"{folder}/metadata_{YEARS[year]}.jsonl"


def _read_year(sources: Sources, name: str, year: int) -> Iterable[Item]:
    path, metadata = year_paths(year)
    lines = read_lines(sources, name, metadata)
    categories = {str(row["problem_id"]): str(row["category"]) for _, row in lines}
    for where, row in read_lines(sources, name, path):
        if str(row["problem_id"]) not in categories:
            raise BrokenRecord(where=where, expected="a category in the metadata")
        yield _to_item(where, row, categories[str(row["problem_id"])])


def _to_item(where: str, row: Mapping[str, Any], category: str) -> Item:
    question, number = str(row["problem_text"]), str(row["problem_id"])
    choices = tuple(str(choice) for choice in row["choices"])
    answers = tuple(str(answer) for answer in row["answer"])
    excluded = _why_excluded(answers, len(choices))
    right = right_answers(answers, len(choices), where) if not excluded else (answers,)
    return Item(
        number,
        "choice",
        question,
        choices,
        right[0],
        document=text_key(question, *choices),
        tag=category,
        source="yakugakuqa",
        also_right=right[1:],
        has_image=not row["text_only"],
        excluded=excluded or why_unanswerable(question, right[0]),
        published_choices=answers,
        wording="ja",
    )


def _why_excluded(answers: tuple[str, ...], n_choices: int) -> str:
    if answers[0].startswith("解なし"):
        return "no answer is right"
    is_outside = any(int(answer[0]) > n_choices for answer in answers)
    return "the published answer is no option" if is_outside else ""


def right_answers(
    answers: tuple[str, ...], n_choices: int, where: str
) -> tuple[tuple[str, ...], ...]:
    """Return every set of letters that is right: one, or those that a note allows.

    >>> right_answers(("1", "2（いずれか一つを選択で正解とする）"), 5, "x")
    (('A',), ('B',))
    """
    letters = to_letters([LETTERS[int(one[0]) - 1] for one in answers], n_choices, where)
    if not (match := _EITHER.search(answers[-1])):
        return (letters,)
    n_wanted = {"一": 1, "二": 2}.get(match.group(1)) or int(match.group(1))
    return tuple(itertools.combinations(letters, n_wanted))


# ------------------------------------------------------------------------------- the protocol


SYSTEM = "薬剤師国家試験を解きます。"
DEMONSTRATIONS = (
    (
        "オレキシン受容体を阻害する不眠症治療薬はどれか。1つ選べ。",
        ("ブロチゾラム", "フルニトラゼパム", "エスゾピクロン", "ラメルテオン", "レンボレキサント"),
        "5",
    ),
    (
        "サクビトリル・バルサルタンの作用機序はどれか。2つ選べ。",
        (
            "ネプリライシンを阻害することで、内因性ナトリウム利尿ペプチドの分解を抑制し、血管拡張・"
            "利尿作用を示す。",
            "アンギオテンシンⅡ受容体を阻害し、副腎皮質からのアルドステロン分泌を抑制することで"
            "血管拡張作用を示す。",
            "血管および腎臓における ANP 受容体に作用して、グアニル酸シクラーゼを活性化させ、血管"
            "拡張・利尿作用を示す。",
            "集合管のアルドステロン受容体を遮断することで利尿作用を示す。",
            "アンギオテンシン変換酵素を阻害することで、アンギオテンシンⅡの生成を阻害し、血管拡張作用"
            "を示す。",
        ),
        "1,2",
    ),
    (
        "カルシトニン遺伝子関連ペプチド(CGRP)を阻害する片頭痛予防薬はどれか。1つ選べ。",
        ("バシリキシマブ", "トラスツズマブ", "ベンラリズマブ", "ガルカネズマブ", "トシリズマブ"),
        "4",
    ),
)


def official_question(question: str, choices: Iterable[str], n_answers: int) -> str:
    """Return one question with numbered options and the number of right answers."""
    lines = "".join(f"\n{n}: {choice}" for n, choice in enumerate(choices, start=1))
    asked = f"\n必ず1,2,3,4,5,6の中からちょうど{n_answers}個選んでください。\n答え:"
    return f"問題: {question}{lines}{asked if lines else ''}"


def official_messages(item: Item, items: tuple[Item, ...] = ()) -> tuple[Message, ...]:
    """Return the system text, three answered questions as turns, and the question."""
    turns = [Message("system", SYSTEM)]
    for question, choices, answer in DEMONSTRATIONS:
        n_answers = len(answer.split(","))
        turns.append(Message("user", official_question(question, choices, n_answers)))
        turns.append(Message("assistant", answer))
    n_answers = len(item.published_choices)  # as the file lists them, notes included
    return (*turns, Message("user", official_question(item.question, item.choices, n_answers)))


def official_prediction(output: str) -> str:
    """Return one digit, or two with a comma between: what the publishers keep of an output.

    >>> official_prediction("1, 3: x"), official_prediction("12"), official_prediction("1,2,3")
    ('1,3', '1', '1,2')
    """
    kept = output.strip().split("\n")[0].strip().split(":")[0].replace(" ", "")
    return kept[:3] if kept[1:2] == "," else kept[:1]


def official_is_right(item: Item, output: str) -> bool:
    """Compare the pieces between commas with the published answers, notes and all."""
    prediction = sorted(piece.strip() for piece in official_prediction(output).split(","))
    return prediction == sorted(item.published_choices)


_PROTOCOL = OfficialProtocol(
    name="YakugakuQA, 3 demonstrations",
    source="EQUES-Inc/pharma-LLM-eval, IJCNLP 2025 long.72",
    ask=official_messages,
    is_right=official_is_right,
    settings="temperature 0.4, top_p 0.9, at most 1,024 new tokens",
    known_errors="three answers can never be right; neither can answers with a note",
)


def _benchmark(name: str, years: tuple[int, ...], ja: str, en: str) -> Benchmark:
    return Benchmark(
        name=name,
        version=1,
        license="CC-BY-SA-4.0",
        source="EQUES-Inc/pharma-LLM-eval",
        form="choice",
        ja=ja,
        en=en,
        needs="eval/yakugakuqa (--data)",
        load=functools.partial(read_years, name=name, years=years),
        known_errors="18 questions have no right answer, 1 an answer that is no option; "
        "1,369 of 4,140 show an image",
        files=tuple(path for year in years for path in year_paths(year)),
        n_items=345 * len(years),
        official=_PROTOCOL,
        leading="accuracy",
    )


YAKUGAKUQA = (
    _benchmark(
        "yakugakuqa/2022-2023",
        (2022, 2023),
        "薬剤師国家試験 2022–2023年",
        "pharmacist examinations of 2022 and 2023",
    ),
    _benchmark(
        "yakugakuqa/2012-2023",
        tuple(YEARS),
        "薬剤師国家試験 2012–2023年",
        "pharmacist examinations of 2012 to 2023",
    ),
)
