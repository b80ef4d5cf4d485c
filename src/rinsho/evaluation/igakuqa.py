"""IgakuQA: the national medical licensing examinations of 2018 to 2021, 400 questions each.

Prompt: lettered options, zero-shot (corrected); three demonstrations as chat turns (official).
Parser: a set of letters, or a number (corrected); the letters joined by commas (official).
Metrics: accuracy, points, required and general part, prohibited choices, pass or fail, specialty.
Source:
    jungokasai/IgakuQA, 2023-03-31; Kasai et al. 2023, arXiv:2303.18027. Exam text PDL 1.0; the
    English translations have no stated license: their text is never shown in a report.
Known errors:
    9 records store prohibited choices in another form and 4 in full-width letters, which only the
    corrected figures count; 112B30 stores "a or d"; 7 questions have 0 points; the official prompt
    tells how many answers are right and says "a,b,c,d,e" for 8 choices.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from rinsho.corpus.document import Message
from rinsho.errors import BrokenRecord
from rinsho.evaluation.benchmark import (
    LETTERS,
    Benchmark,
    Item,
    OfficialProtocol,
    PassMarks,
    Sources,
)
from rinsho.evaluation.benchmark_file import read_lines, require_unique, to_letters
from rinsho.evaluation.parse import why_unanswerable

Language = Literal["ja", "en"]
EXAMS = {2018: 112, 2019: 113, 2020: 114, 2021: 115}
SECTIONS = "ABCDEF"
# Ministry of Health, Labour and Welfare: 80 % of the required part; the general mark is relative.
PASS_MARKS = {
    2018: PassMarks(160, 208),
    2019: PassMarks(160, 209),
    2020: PassMarks(158, 217),
    2021: PassMarks(160, 209),
}
_CASE = re.compile(r"次の文を読み、([\d、～〜~-]+)の問い")


def read_exam(sources: Sources, *, year: int, language: Language) -> tuple[Item, ...]:
    """Read one year: questions, points and metadata joined by id.

    Raises:
        DataFolderMissing, BenchmarkMissing, BenchmarkChanged: The files are not there as published.
        BrokenRecord: Two files of a section do not name the same questions.
    """
    name = benchmark_name(year, language)
    items = tuple(
        item for section in SECTIONS for item in _read_section(sources, year, section, language)
    )
    return require_unique(name, items)


def benchmark_name(year: int, language: Language) -> str:
    """Return the name of one year in one language."""
    return f"igakuqa/{year}" if language == "ja" else f"igakuqa-en/{year}"


def section_path(year: int, section: str, kind: str = "") -> str:
    """Return where a section's questions, translations or metadata lie below the data folder."""
    return f"eval/igakuqa/data/{year}/{EXAMS[year]}-{section}{kind}.jsonl"


def _read_section(sources: Sources, year: int, section: str, language: Language) -> Iterable[Item]:
    name = benchmark_name(year, language)
    kinds = ("", "_metadata") if language == "ja" else ("", "_metadata", "_translate")
    tables = [[*read_lines(sources, name, section_path(year, section, kind))] for kind in kinds]
    documents = dict[str, str]()
    for rows in zip(*tables, strict=True):
        where = rows[0][0]
        if len({str(row["problem_id"]) for _, row in rows}) != 1:
            raise BrokenRecord(where=where, expected="the same question in every file")
        question, metadata = rows[0][1], rows[1][1]
        text = rows[2][1] if language == "en" else question
        documents |= _case_of(str(question["problem_id"]), str(question["problem_text"]))
        yield _to_item(where, question, metadata, text, documents, language)


def _case_of(number: str, text: str) -> dict[str, str]:
    """Return the ids of every question on one case: a stem that only the first of them repeats."""
    if not (match := _CASE.search(unicodedata.normalize("NFKC", text))):
        return {}
    section = re.sub(r"\d+$", "", number)
    numbers = re.findall(r"\d+", match.group(1))
    return {f"{section}{other}": number for other in numbers}


def _to_item(
    where: str,
    question: Mapping[str, Any],
    metadata: Mapping[str, Any],
    text: Mapping[str, Any],
    documents: Mapping[str, str],
    language: Language,
) -> Item:
    number = str(question["problem_id"])
    end = "" if language == "ja" else "_en"
    choices = tuple(str(choice) for choice in text[f"choices{end}"])
    answers = [str(answer) for answer in question["answer"]]
    either = answers[0].split(" or ")  # 112B30 accepts one of two
    points = int(question["points"])
    lettered = [to_letters([one], len(choices), where) for one in either] if choices else []
    gold = _gold(answers, lettered, len(choices), where)
    return Item(
        number,
        "choice" if choices else "number",
        str(text[f"problem_text{end}"]),
        choices,
        gold,
        document=documents.get(number, number),
        tag=str(metadata["category"]),
        source="igakuqa",
        also_right=tuple(lettered[1:]) if len(either) > 1 else (),
        points=points,
        part="required" if number[3] in "BE" else "general",
        prohibited=prohibited_letters(metadata["kinki"]),
        also_prohibited=_full_width_prohibited(metadata["kinki"]),
        has_image=not question["text_only"],
        excluded=_why_excluded(points, str(text[f"problem_text{end}"]), gold if choices else ()),
        wording=language,
    )


def _why_excluded(points: int, question: str, gold: tuple[str, ...]) -> str:
    if not points:
        return "taken out by the examiners"
    return why_unanswerable(question, gold) if gold else ""


def _gold(
    answers: list[str], lettered: list[tuple[str, ...]], n_choices: int, where: str
) -> tuple[str, ...]:
    if not n_choices:
        return (answers[0],)
    return lettered[0] if len(answers) == 1 else to_letters(answers, n_choices, where)


def prohibited_letters(stored: Iterable[str]) -> tuple[str, ...]:
    """Return the prohibited choices that stand in half-width letters, however they are joined.

    >>> prohibited_letters(["bde"]), prohibited_letters(["d", " e"]), prohibited_letters(["ｂ"])
    (('B', 'D', 'E'), ('D', 'E'), ())
    """
    return tuple(sorted({letter for letter in "".join(stored).upper() if letter in LETTERS}))


def _full_width_prohibited(stored: Iterable[str]) -> tuple[str, ...]:
    """Return those in full-width letters: 112F66, 113B26, 114F70, 115F46."""
    folded = prohibited_letters([unicodedata.normalize("NFKC", one) for one in stored])
    return tuple(letter for letter in folded if letter not in prohibited_letters(stored))


# ------------------------------------------------------------------------------- the protocol


DEMONSTRATIONS: dict[Language, tuple[tuple[str, tuple[str, ...], str], ...]] = {
    "ja": (
        (
            "ヒトゲノム・遺伝子解析研究の被験者に対する説明で必須でないのはどれか。",
            ("研究の目的", "同意の自由", "匿名化の方法", "参加による不利益", "研究成果還元の保証"),
            "e",
        ),
        (
            "57歳の男性。下水処理場のマンホール内で汚泥を外に搬出する作業を行っていたが、突然意識を"
            "失って倒れた。さらに救助しようとして中に入った同僚も急激に意識を失って倒れた。可能性が"
            "高いのはどれか。2つ選べ。",
            ("酸素欠乏症", "硫化水素中毒", "一酸化炭素中毒", "二酸化炭素中毒", "二酸化窒素中毒"),
            "a,b",
        ),
        (
            "28歳の女性。妊娠30週。子宮底長は22cmで、腹部超音波検査で羊水はほとんど認めない。胎児で"
            "最も考えられるのはどれか。",
            ("食道閉鎖", "心室中隔欠損", "腎低形成", "鎖肛", "胎児水腫"),
            "c",
        ),
    ),
    "en": (
        (
            "Which of the following is not a mandatory explanation to be provided to participants "
            "in human genome/gene analysis research?",
            (
                "The purpose of the research",
                "The freedom to consent",
                "Methods for anonymity",
                "Disadvantages of participation",
                "Assurance of research results sharing",
            ),
            "e",
        ),
        (
            "A 57-year-old man lost consciousness and collapsed while working to remove sludge "
            "from a manhole at a sewage treatment plant. A colleague who entered to assist also "
            "suddenly lost consciousness and collapsed. Which of the following is the most likely "
            "cause? Select two.",
            (
                "Oxygen deficiency",
                "Hydrogen sulfide poisoning",
                "Carbon monoxide poisoning",
                "Carbon dioxide poisoning",
                "Nitrogen dioxide poisoning",
            ),
            "a,b",
        ),
        (
            "A 28-year-old woman at 30 weeks of gestation has a fundal height of 22 cm and almost "
            "no amniotic fluid is detected on abdominal ultrasound examination. What is the most "
            "likely condition in the fetus?",
            (
                "Esophageal atresia",
                "Ventricular septal defect",
                "Renal hypoplasia",
                "Anorectal malformation",
                "Fetal hydrops",
            ),
            "c",
        ),
    ),
}
_SYSTEM = {
    "ja": "医師国家試験を解きます。",
    "en": "Let's try Japan's medical license exam.",
}


def official_question(
    question: str, choices: Iterable[str], n_answers: int, language: Language
) -> str:
    """Return the user text of one question, the number of right answers in it.

    >>> official_question("どれか。", ["肺炎"], 1, "ja")
    '問題: どれか。\\na: 肺炎\\n必ずa,b,c,d,eの中からちょうど1個選んでください。\\n答え:'
    """
    lines = [f"\n{letter}: {choice}" for letter, choice in zip("abcdefgh", choices, strict=False)]
    head = "問題: " if language == "ja" else "Problem: "
    if not lines:
        return f"{head}{question}"
    ja = f"\n必ずa,b,c,d,eの中からちょうど{n_answers}個選んでください。\n答え:"
    en = f"\nChoose exactly {n_answers} correct choice(s) from a, b, c, d, e.\nAnswer:"
    return f"{head}{question}{''.join(lines)}{ja if language == 'ja' else en}"


def official_messages(
    item: Item, items: tuple[Item, ...] = (), *, language: Language
) -> tuple[Message, ...]:
    """Return the system text, three answered questions as turns, and the question."""
    turns: list[Message] = [Message("system", _SYSTEM[language])]
    for question, choices, answer in DEMONSTRATIONS[language]:
        n_answers = len(answer.split(","))
        turns.append(Message("user", official_question(question, choices, n_answers, language)))
        turns.append(Message("assistant", answer))
    asked = official_question(item.question, item.choices, len(item.gold), language)
    return (*turns, Message("user", asked))


_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}


def official_prediction(output: str) -> str:
    """Return an output after the publishers' folding: half-width and lower case, blanks kept.

    >>> official_prediction("Ａ，Ｃ")
    'a,c'
    """
    return output.translate(_HALF_WIDTH).lower()


def official_is_right(item: Item, output: str) -> bool:
    """Compare as the publishers do: pieces between commas, sorted, blanks never stripped.

    Numbers are compared as strings: "7.2" is not "7.20".
    """
    prediction = sorted(official_prediction(output).split(","))
    right = (item.gold, *item.also_right)
    return any(prediction == sorted(one.lower() for one in letters) for letters in right)


def official_choices(output: str) -> tuple[str, ...]:
    """Return the letters between commas: those that may be prohibited."""
    pieces = official_prediction(output).split(",")
    return tuple(piece.upper() for piece in pieces if re.fullmatch(r"[a-j]", piece))


def _protocol(language: Language) -> OfficialProtocol:
    return OfficialProtocol(
        name=f"IgakuQA, 3 demonstrations, {language}",
        source="jungokasai/IgakuQA, 2023-03-31; arXiv:2303.18027",
        ask=functools.partial(official_messages, language=language),
        is_right=official_is_right,
        chosen=official_choices,
        settings="the provider's default temperature and length; three failures give NA",
        known_errors="tells how many answers are right; no blank after a comma is forgiven; "
        "accuracy counts questions of 0 points",
    )


_PROTOCOLS: dict[Language, OfficialProtocol] = {"ja": _protocol("ja"), "en": _protocol("en")}


def _benchmark(year: int, language: Language) -> Benchmark:
    exam = EXAMS[year]
    kinds = ("", "_metadata") if language == "ja" else ("", "_metadata", "_translate")
    files = tuple(section_path(year, section, kind) for section in SECTIONS for kind in kinds)
    return Benchmark(
        name=benchmark_name(year, language),
        version=1 if language == "ja" else 2,  # 2: other words for "choose two" are read
        license="exam text PDL-1.0" if language == "ja" else "none stated (translations)",
        source="jungokasai/IgakuQA, 2023-03-31",
        form="choice",
        ja=f"第{exam}回医師国家試験（{year}年）" + ("" if language == "ja" else "の英訳"),
        en=f"the {exam}th medical licensing examination ({year})"
        + ("" if language == "ja" else " in English translation"),
        needs=f"{files[0].rpartition('/')[0]} (--data)",
        load=functools.partial(read_exam, year=year, language=language),
        known_errors="images are not there; 0-point questions; machine translation with 66 refusals"
        if language == "en"
        else "images are not there; 0-point questions; follow-ups may lack the case",
        files=files,
        n_items=400,
        language=language,
        official=_PROTOCOLS[language],
        pass_marks=PASS_MARKS[year],
        leading="accuracy",
        withholds_text=language == "en",
    )


IGAKUQA = tuple(_benchmark(year, language) for language in ("ja", "en") for year in EXAMS)
