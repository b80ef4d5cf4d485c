"""Mock nursing records: what patients say, marked by kind; 1,008 records and 589 sentences.

Prompt: one question for each kind of expression that the guidelines define, as JMED-LLM asks for
entities. Parser: a Python list. Metrics: those of entity lists. A text without anything to find is
not asked about.
Source:
    sociocom/PseudoNursingRecords; Ando et al. 2022, JSAI, 1J4-OS-13a-01. CC BY-NC-SA 4.0.
Known errors:
    PatientStatus.xml is not well-formed: only the marked texts are read from it. Its marks
    `feature`, `request`, `change` and `t-test` have no definition in its guideline, and `ps_other`
    and `ps_pending` are what is left over: they are not asked for. Lists hold every wording once,
    without offsets.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import Literal

from rinsho.errors import BrokenRecord
from rinsho.evaluation.benchmark import Benchmark, Item, Sources
from rinsho.evaluation.benchmark_file import find_file, require_unique, text_key

File = Literal["patient-status", "chief-complaint"]
_PATHS: dict[File, str] = {
    "patient-status": "eval/nursing_ner/PatientStatus.xml",
    "chief-complaint": "eval/nursing_ner/ChiefComplaint.xml",
}
_ELEMENTS: dict[File, str] = {"patient-status": "S", "chief-complaint": "chief-comp"}
# What each kind is called, in the words of the guidelines.
_KINDS: dict[File, dict[str, str]] = {
    "patient-status": {
        "cc1": "身体的主訴を表す表現",
        "cc2": "精神的主訴（病気の受容や不安）を表す表現",
        "disease": "主訴でない病名",
        "medicine": "薬剤の要請・使用状況・効果感に関する表現",
        "nutrition": "嚥下・食欲評価・摂取量に関する表現",
        "adherence": "治療意欲・指導理解・セルフケア行為に関する表現",
        "adl": "日常生活活動動作の表現",
        "incident": "転倒・自己抜去などのインシデントに関する表現",
        "position": "体勢に関する表現",
        "body": "解剖学的部位と症状の発症部位",
        "t-key": "看護観察項目（検査・排尿排便・喀痰）の名前",
        "t-val": "看護観察項目の値",
        "m-key": "薬剤名と、患者が薬剤を示す表現",
        "ps_LH": "生活習慣（食習慣・喫煙・飲酒・運動習慣）に関する表現",
    },
    "chief-complaint": {
        "cc_p": "患者にある身体的主訴を表す表現",
        "cc_n": "患者にない身体的主訴を表す表現",
        "change": "症状の変化を表す表現",
        "body": "解剖学的部位と症状の発症部位",
        "freq": "症状の頻度を表す表現",
        "feature": "症状の特徴や尺度を表す表現",
        "time": "症状の時間を表す表現",
        "t-key": "看護観察項目の名前",
        "t-val": "看護観察項目の値",
    },
}
_TAG = re.compile(r"<(/?)([A-Za-z][\w-]*)>")


def read_inline(marked: str, where: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return a text without its marks, and each (kind, words) in the order of their ends.

    Raises:
        BrokenRecord: A mark that is not closed, or closes another one.

    >>> read_inline("<body>お腹</body>が<cc1>痛い</cc1>", "x")
    ('お腹が痛い', (('body', 'お腹'), ('cc1', '痛い')))
    """
    text, found, open_marks, at = "", list[tuple[str, str]](), list[tuple[str, int]](), 0
    for tag in _TAG.finditer(marked):
        text += marked[at : tag.start()]
        at = tag.end()
        is_end, kind = bool(tag.group(1)), tag.group(2)
        if not is_end:
            open_marks.append((kind, len(text)))
        elif open_marks and open_marks[-1][0] == kind:
            found.append((kind, text[open_marks.pop()[1] :]))
        else:
            raise BrokenRecord(where=where, expected="marks that close in order")
    if open_marks:
        raise BrokenRecord(where=where, expected="marks that are closed")
    return text + marked[at:], tuple(found)


def read_file(sources: Sources, *, file: File) -> tuple[Item, ...]:
    """Read one file: a question for each kind of expression that a text holds.

    Raises:
        DataFolderMissing, BenchmarkMissing, BenchmarkChanged: The file is not there as published.
        BrokenRecord: A mark that is not closed.
    """
    name = f"nursing-ner/{file}"
    path = find_file(sources, name, _PATHS[file])
    element = _ELEMENTS[file]
    texts = re.findall(
        f"<{element}>(.*?)</{element}>", path.read_text(encoding="utf-8-sig"), re.DOTALL
    )
    items = (
        item
        for number, marked in enumerate(texts, start=1)
        for item in _to_items(file, number, marked)
    )
    return require_unique(name, tuple(items))


def _to_items(file: File, number: int, marked: str) -> Iterable[Item]:
    text, found = read_inline(marked, f"{_PATHS[file]} text {number}")
    text = text.strip()
    if text.startswith("「") and text.endswith("」"):
        text = text[1:-1]
    for kind, asked in _KINDS[file].items():
        words = (words.strip() for one, words in found if one == kind)
        if gold := tuple(dict.fromkeys(word for word in words if word)):
            yield Item(
                f"{number}/{kind}",
                "entities",
                f"以下の看護記録において、{asked}は？\n「{text}」",
                gold=gold,
                document=text_key(text),
                tag=kind,
                source="nursing-ner",
            )


def _benchmark(file: File, n_items: int, ja: str, en: str) -> Benchmark:
    return Benchmark(
        name=f"nursing-ner/{file}",
        version=1,
        license="CC-BY-NC-SA-4.0",
        source="sociocom/PseudoNursingRecords, 2022",
        form="entities",
        ja=ja,
        en=en,
        needs=f"{_PATHS[file]} (--data)",
        load=functools.partial(read_file, file=file),
        is_noncommercial=True,
        known_errors="gold lists have no offsets; marks without a definition are not asked for",
        files=(_PATHS[file],),
        n_items=n_items,
    )


NURSING_NER = (
    _benchmark(
        "patient-status", 1299, "模擬看護記録の患者状態", "states of patients, mock records"
    ),
    _benchmark("chief-complaint", 1093, "模擬看護記録の主訴", "complaints in mock nursing records"),
)
