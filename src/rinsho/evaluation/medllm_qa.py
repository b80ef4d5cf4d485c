"""medLLM_QA_benchmark: MedQA, MedMCQA, PubMedQA, medical MMLU (English); DenQA, JJSIMQA (Japanese).

Prompt: lettered options, zero-shot (corrected); the first five rows of the same file as
demonstrations in one plain text (official). Parser: a set of letters; officially the first
character of the first line. Metrics: accuracy; PubMedQA also the mean F1 of yes, no and maybe.
Source:
    aistairc/medLLM_QA_benchmark, COLING 2025 main.313. MIT; DenQA also PDL 1.0; JJSIMQA CC
    BY-NC-SA 4.0.
Known errors:
    21 rows of DenQA have the string "NA" for an answer, 8 have one answer to a question for two or
    three, 7 ask for an order that is lost; JJSIMQA 107_888-26 lists a comma as an answer and
    107_64-4 four answers to a question for one; medical MMLU has 78 rows twice. The official parser
    keeps one character, so that no question with two answers can be right.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Mapping
from typing import Any, Literal

from rinsho.corpus.document import Message
from rinsho.evaluation.benchmark import Benchmark, Item, OfficialProtocol, Sources
from rinsho.evaluation.benchmark_file import read_lines, require_unique, text_key, to_letters
from rinsho.evaluation.parse import why_unanswerable

Language = Literal["ja", "en"]
N_DEMONSTRATIONS = 5


def read_file(sources: Sources, *, name: str, path: str, language: Language) -> tuple[Item, ...]:
    """Read one file of the collection.

    Raises:
        DataFolderMissing, BenchmarkMissing, BenchmarkChanged: The file is not there as published.
        BrokenRecord: An answer that is no choice.
    """
    rows = read_lines(sources, name, path)
    return require_unique(name, tuple(_to_item(where, row, language) for where, row in rows))


def _to_item(where: str, row: Mapping[str, Any], language: Language) -> Item:
    question = str(row["problem_text"])
    choices = tuple(str(choice) for choice in row["choices"])
    context = str(row.get("context", ""))
    number, answers = str(row["problem_id"]), row["answer"]
    letters = () if answers == "NA" else tuple(one for one in answers if one.isalnum())
    is_na = not letters or not choices
    gold = ("NA",) if is_na else to_letters(letters, len(choices), where)
    return Item(
        number,
        "choice" if choices else "number",
        question,
        choices,
        gold,
        document=text_key(context, question, *choices),
        source="medllm-qa",
        has_image=not row["text_only"],
        excluded="no answer is published" if is_na else why_unanswerable(question, gold),
        context=context,
        wording=language,
    )


# ------------------------------------------------------------------------------- the protocol


def official_question(item: Item, language: Language) -> str:
    """Return one question as the publishers write it; the number of right answers is in it."""
    context = {"ja": "背景: ", "en": "Context: "}[language] + item.context + "\n"
    head = {"ja": "問題: ", "en": "Question: "}[language]
    text = f"{context if item.context else ''}{head}{item.question}"
    if not item.choices:
        return text
    pairs = zip(item.letters.lower(), item.choices, strict=True)
    lines = [f"\n{letter}: {choice}" for letter, choice in pairs]
    n_answers = _n_published(item)
    ja = f"\n必ずa,b,c,d,eの中からちょうど{n_answers}個選んでください。\n答え:"
    en = f"\nBe sure to choose exactly {n_answers} from a, b, c, d, e.\nAnswer:"
    return f"{text}{''.join(lines)}{ja if language == 'ja' else en}"


def _n_published(item: Item) -> int:
    """Return how many answers the file lists: two characters of "NA", a comma among letters."""
    if item.gold == ("NA",):
        return 2
    return 3 if item.id == "107_888-26" else len(item.gold)


def official_messages(
    item: Item, items: tuple[Item, ...], *, language: Language
) -> tuple[Message, ...]:
    """Return one plain text: five answered questions of the same file, then the question."""
    parts: list[str] = []
    for shown in items[:N_DEMONSTRATIONS]:
        answers = ("N", "A") if shown.gold == ("NA",) else shown.gold
        parts += [official_question(shown, language), ",".join(answers).lower()]
    parts += [official_question(item, language), ""]
    return (Message("user", "\n".join(parts)),)


def official_prediction(output: str) -> str:
    """Return the first character of the first line that has one, half-width, in lower case.

    >>> official_prediction("\\na,c"), official_prediction("")
    ('a', 'na')
    """
    line = next((line for line in output.split("\n") if line), "")
    return unicodedata.normalize("NFKC", line[:1] or "NA").lower()


def official_is_right(item: Item, output: str) -> bool:
    """Compare one character with the published answers; several of them never match."""
    if item.gold == ("NA",) or _n_published(item) != 1:
        return False
    return official_prediction(output).strip() == item.gold[0].lower()


def _protocol(language: Language) -> OfficialProtocol:
    return OfficialProtocol(
        name=f"medLLM_QA_benchmark, 5 demonstrations, {language}",
        source="aistairc/medLLM_QA_benchmark, COLING 2025 main.313",
        ask=functools.partial(official_messages, language=language),
        is_right=official_is_right,
        settings="float16, temperature 0, 16 new tokens, no chat template",
        known_errors="demonstrations come from the test file; says a to e whatever they are; "
        "an answer of two letters can never be right",
        n_left_out=N_DEMONSTRATIONS,
        is_raw_text=True,
    )


_PROTOCOLS: dict[Language, OfficialProtocol] = {"ja": _protocol("ja"), "en": _protocol("en")}


def _benchmark(
    task: str,
    file: str,
    n_items: int,
    ja: str,
    en: str,
    *,
    license: str = "MIT",
    language: Language = "en",
    known_errors: str = "",
) -> Benchmark:
    name, path = f"medllm-qa/{task}", f"eval/medllm_qa/{file}.jsonl"
    return Benchmark(
        name=name,
        version=1,
        license=license,
        source="aistairc/medLLM_QA_benchmark, 2025",
        form="choice",
        ja=ja,
        en=en,
        needs=f"{path} (--data)",
        load=functools.partial(read_file, name=name, path=path, language=language),
        is_noncommercial="-NC-" in license,
        known_errors=known_errors,
        files=(path,),
        n_items=n_items,
        language=language,
        official=_PROTOCOLS[language],
        leading="accuracy",
        reports_macro_f1=task == "pubmedqa",
    )


MEDLLM_QA = (
    _benchmark("medqa-5op", "medqa_en_5op", 1273, "米国医師試験（5択）", "USMLE, 5 options"),
    _benchmark("medqa-4op", "medqa_en_4op", 1273, "米国医師試験（4択）", "USMLE, 4 options"),
    _benchmark("medmcqa", "medmcqa_en", 4183, "インド医学部入試", "Indian entrance exams"),
    _benchmark(
        "pubmedqa",
        "pubmedqa_en",
        500,
        "論文要旨の問い（はい・いいえ・不明）",
        "questions on abstracts: yes, no, maybe",
        known_errors="276 of 500 are yes",
    ),
    _benchmark(
        "mmlu-medical",
        "mmlu_en_medical",
        1089,
        "英語MMLUの医学科目",
        "medical subjects of MMLU",
        known_errors="78 rows are there twice; subjects are not given",
    ),
    _benchmark(
        "denqa",
        "denqa_ja",
        720,
        "歯科医師国家試験 2023–2024",
        "dental licensing examination 2023-2024",
        license="MIT, PDL-1.0",
        language="ja",
        known_errors="21 rows have no published answer, 15 another number of answers than they ask "
        "for (7 of them an order that is lost); 287 show an image",
    ),
    _benchmark(
        "jjsimqa",
        "jjsimqa_ja",
        460,
        "日本内科学会の問題",
        "questions of the society of internal medicine",
        license="CC-BY-NC-SA-4.0",
        language="ja",
        known_errors="one answer holds a comma, one question for one answer lists four",
    ),
)
