"""What the legacy harness of JMedLLM asks: each set of questions by each of its templates.

Source:
    stardust-coder/japanese-lm-med-harness, 2024-10-02; arXiv:2409.11783, Table 8.
Known errors:
    Questions beyond a length are dropped in silence. The harness cannot select its two templates
    `medpalm_four_choice_cot`: it asks by `alpaca` or `alpaca_ja` in their place; here they are
    asked as they are written. `meditron_five_choice` fails on four options and is left out there.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from rinsho.corpus.document import Message
from rinsho.evaluation.benchmark import Benchmark, Item, OfficialProtocol, Sources
from rinsho.evaluation.igakuqa import EXAMS, Language, read_exam, section_path
from rinsho.evaluation.jmedbench import JMEDBENCH
from rinsho.evaluation.jmmlu import JMMLU
from rinsho.evaluation.legacy_harness import (
    TEMPLATES,
    is_exactly_right,
    is_gestalt_right,
    render,
)
from rinsho.evaluation.medllm_qa import MEDLLM_QA

MAX_QUESTION = {"ja": 1024, "en": 2048}  # characters; longer questions were dropped
_FIVE_OPTIONS_ALONE = "meditron_five_choice"


@dataclass(frozen=True, slots=True)
class LegacySet:
    """Questions that the harness asks in one language."""

    name: str
    language: Language
    base: str  # the benchmark that reads them; empty: IgakuQA, all years
    n_items: int | None  # within the length; None: its file is not supplied
    n_options: int = 4

    @property
    def title(self) -> str:
        """Return what stands before the template in the name of a benchmark."""
        return f"legacy-{self.name}-{self.language}"


SETS = (
    LegacySet("igakuqa", "ja", "", 1154, 5),
    LegacySet("igakuqa", "en", "", 1133, 5),
    LegacySet("medqa", "en", "medllm-qa/medqa-5op", 1269, 5),
    LegacySet("medqa-4op", "en", "medllm-qa/medqa-4op", 1269),
    LegacySet("medmcqa", "en", "medllm-qa/medmcqa", 4183),
    LegacySet("mmlu", "en", "medllm-qa/mmlu-medical", 1084),
    LegacySet("jmmlu", "ja", "jmmlu/medical", 1697),
    LegacySet("medqa-4op", "ja", "jmedbench/medqa", None),
    LegacySet("medmcqa", "ja", "jmedbench/medmcqa", None),
)
_BASES = {one.name: one for one in (*MEDLLM_QA, *JMMLU, *JMEDBENCH)}


def read_igakuqa(sources: Sources, *, language: Language) -> tuple[Item, ...]:
    """Read text-only questions with five options that are short enough, of all four years."""
    exams = (read_exam(sources, year=year, language=language) for year in EXAMS)
    return tuple(
        item
        for exam in exams
        for item in exam
        if not item.has_image and len(item.choices) == 5 and _is_short(item, language)
    )


def read_set(sources: Sources, *, base: str, language: Language) -> tuple[Item, ...]:
    """Read the questions of another benchmark that are short enough."""
    items = _BASES[base].load(sources)
    return tuple(item for item in items if _is_short(item, language))


def _is_short(item: Item, language: Language) -> bool:
    return len(item.question) <= MAX_QUESTION[language]


def templates_of(one: LegacySet) -> tuple[str, ...]:
    """Return the templates that a set is asked by: those of both languages."""
    return tuple(name for name in TEMPLATES if one.n_options == 5 or name != _FIVE_OPTIONS_ALONE)


def _ask(item: Item, items: tuple[Item, ...], *, template: str) -> tuple[Message, ...]:
    return (Message("user", render(template, item.question, item.choices)),)


def _benchmark(one: LegacySet, template: str) -> Benchmark:
    source = "stardust-coder/japanese-lm-med-harness, 2024-10-02"
    base = _igakuqa(one.language) if not one.base else _like(one)
    return Benchmark(
        name=f"{one.title}/{template}",
        version=2 if one.title == "legacy-igakuqa-en" else 1,  # as igakuqa-en
        license=base.license,
        source=source,
        form="choice",
        ja=f"JMedLLM の旧ハーネス、テンプレート {template}",
        en=f"the legacy harness of JMedLLM, template {template}",
        needs=base.needs,
        load=base.load,
        known_errors="an empty answer scores 17 %; a comma in an option breaks rendering and gold",
        files=base.files,
        n_items=one.n_items,
        language=one.language,
        methods=("official",),
        official=OfficialProtocol(
            name=f"JMedLLM harness, {template}",
            source=source,
            ask=functools.partial(_ask, template=template),
            is_right=is_gestalt_right,
            settings="greedy, 256 new tokens, no chat template",
            known_errors="accuracy is gestalt accuracy; exact match stands beside it",
            is_raw_text=True,
            also_marked={"exact_match": is_exactly_right},
            shuffles=True,
        ),
        leading="accuracy",
        withholds_text=base.withholds_text,
    )


@dataclass(frozen=True, slots=True)
class _Base:
    license: str
    needs: str
    load: functools.partial[tuple[Item, ...]]
    files: tuple[str, ...]
    withholds_text: bool


def _igakuqa(language: Language) -> _Base:
    kinds = ("", "_metadata") if language == "ja" else ("", "_metadata", "_translate")
    return _Base(
        license="exam text PDL-1.0" if language == "ja" else "none stated (translations)",
        needs="eval/igakuqa/data (--data)",
        load=functools.partial(read_igakuqa, language=language),
        files=tuple(section_path(y, s, kind) for y in EXAMS for s in "ABCDEF" for kind in kinds),
        withholds_text=language == "en",
    )


def _like(one: LegacySet) -> _Base:
    base = _BASES[one.base]
    load = functools.partial(read_set, base=one.base, language=one.language)
    return _Base(base.license, base.needs, load, base.files, base.withholds_text)


LEGACY = tuple(_benchmark(one, template) for one in SETS for template in templates_of(one))
