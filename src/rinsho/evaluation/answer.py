"""The stage `answer`: asks one engine the items of benchmarks and writes down what it says."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from rinsho.console import progress
from rinsho.errors import InvalidValue, MissingInput, ModelCannot
from rinsho.evaluation.answer_record import (
    ANSWERS,
    FREE,
    Answer,
    AnswerLog,
    Method,
    write_answers,
)
from rinsho.evaluation.benchmark import Item, Sources, choose_items
from rinsho.evaluation.catalogue import (
    LoadedBenchmark,
    expand_names,
    hash_benchmarks,
    load_benchmark,
)
from rinsho.evaluation.engines import (
    METHODS,
    Engine,
    EngineName,
    open_dictionary,
    open_head,
    open_kneser_ney,
    open_tagger,
)
from rinsho.evaluation.prompts import prompt_of
from rinsho.manifest import (
    FinishedFolder,
    Manifest,
    OpenFolder,
    canonical_json,
    door,
    new_folder,
    open_folder,
    write_file,
)
from rinsho.runfile import StageConfig

ASKED = "asked.json"  # which items were asked, and the hash of the benchmark they came from


class AnswerConfig(StageConfig):
    """How benchmarks are answered."""

    benchmarks: tuple[str, ...] = Field(
        min_length=1,
        description="names of benchmarks, or of groups: jmed-llm, demo; NAME@shuffles, NAME@3-shot",
    )
    engine: EngineName = Field(default="model", description="what answers")
    label: str = Field(
        default="", max_length=60, description="its name in reports; made up when empty"
    )
    methods: tuple[Literal["generation", "log-likelihood", "official"], ...] = Field(
        default=("generation", "log-likelihood"),
        min_length=1,
        description="of a model; where they apply; official: by the publishers' own prompt",
    )
    max_items: int | None = Field(
        default=None, gt=0, description="items of each benchmark, drawn by seed"
    )
    max_new_tokens: int = Field(default=512, gt=0, description="tokens of one generated answer")
    n_free_generations: int = Field(
        default=20, ge=0, description="seeded free generations of a model"
    )
    free_max_new_tokens: int = Field(default=200, gt=0, description="tokens of one free generation")
    free_temperature: float = Field(
        default=0.8, ge=0, description="of the free generations; 0: greedy"
    )
    free_top_p: float = Field(default=0.95, gt=0, le=1, description="of the free generations")
    max_train_characters: int = Field(
        default=20_000_000, gt=0, description="characters that the Kneser-Ney model is trained on"
    )
    keep_prompts: bool = Field(default=True, description="whether answers hold their prompts")
    seed: int = Field(default=0, ge=0, description="of the draw of items and the free generations")
    threads: int | None = Field(default=None, gt=0, description="CPU threads; left out: every core")


@dataclass(frozen=True, slots=True)
class _Question:
    benchmark: LoadedBenchmark
    item: Item
    method: Method

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.benchmark.name, self.item.id, self.method)


@door
def answer(
    config: AnswerConfig,
    *,
    out: Path,
    model: Path | None = None,
    documents: Sequence[Path] = (),
    data: Path | None = None,
    noncommercial: bool = False,
) -> Manifest:
    """Answer benchmarks; a killed run goes on where it stopped and gives the same bytes.

    Args:
        config: What is asked, and how.
        out: The answers folder: `answers.jsonl`, `asked.json`.
        model: The weights folder of the engines "model", "tagger" and "head".
        documents: Folders that the demo's own benchmarks and the Kneser-Ney model read.
        data: The data folder that holds `eval/`.
        noncommercial: Whether benchmarks under non-commercial terms may be used.

    Raises:
        ModelCannot: An engine was asked for a form of benchmark that it has no method for.
        MissingInput: The engine needs a model, or a benchmark needs documents.
    """
    weights = open_folder(model, "pretrain", "finetune", "extend-weights") if model else None
    folders = tuple(open_folder(path, "collect", "synthesize") for path in documents)
    sources = Sources(data, folders, noncommercial)
    loaded = tuple(load_benchmark(name, sources) for name in expand_names(config.benchmarks))
    questions = _questions(config, loaded)
    inputs: dict[str, Any] = {"documents": folders, "benchmarks": hash_benchmarks(loaded)}
    if weights:
        inputs["model"] = weights
    elif config.engine in ("model", "tagger", "head"):
        raise MissingInput(where=f"answer, engine {config.engine}", expected="model")
    opening = new_folder(out, stage="answer", config=config, inputs=inputs, can_resume=True)
    with opening as folder, _computing(config, folder):
        engine = _open_engine(config, weights, folders)
        answers = _ask(config, questions, engine, folder.checkpoints / ANSWERS)
        _write(config, folder, loaded, questions, answers)
    assert folder.manifest is not None
    return folder.manifest


def _questions(config: AnswerConfig, loaded: Sequence[LoadedBenchmark]) -> tuple[_Question, ...]:
    questions = tuple(
        _Question(benchmark, item, method)
        for benchmark in loaded
        for item in choose_items(benchmark.items, config.max_items, config.seed)
        for method in _methods(config, benchmark)
    )
    if not questions:
        raise InvalidValue(
            where="[answer] methods", found="nothing to ask", expected="generation, log-likelihood"
        )
    return questions


def _ask_one(question: _Question, engine: Engine) -> tuple[Answer, str]:
    """Return the answer to a question and what was asked, by the publishers' prompt if wanted."""
    from rinsho.evaluation.model_engine import ModelEngine

    name, item = question.benchmark.name, question.item
    protocol = question.benchmark.benchmark.official
    if question.method != "official" or protocol is None or not isinstance(engine, ModelEngine):
        return engine.answer(name, item, question.method), prompt_of(item)
    messages = protocol.ask(item, question.benchmark.items)
    answer = engine.answer_messages(name, item, messages, is_raw_text=protocol.is_raw_text)
    return answer, "\n\n".join(message.content for message in messages)


def _methods(config: AnswerConfig, benchmark: LoadedBenchmark) -> tuple[Method, ...]:
    form = benchmark.benchmark.form
    possible = METHODS[config.engine].get(form)
    if possible is None:
        able = [name for name, forms in METHODS.items() if form in forms]
        raise ModelCannot(
            where=benchmark.name, found=f"engine {config.engine}", expected=", ".join(able)
        )
    wanted = benchmark.benchmark.methods or config.methods
    return tuple(
        method
        for method in possible
        if (method in ("extraction", "head") or method in wanted)
        and (method != "official" or benchmark.benchmark.official)
    )


def _open_engine(
    config: AnswerConfig,
    weights: FinishedFolder | None,
    documents: tuple[FinishedFolder, ...],
) -> Engine:
    if config.engine == "dictionary":
        return open_dictionary()
    if config.engine == "kneser-ney":
        return open_kneser_ney(documents, config.max_train_characters)
    assert weights is not None
    if config.engine == "tagger":
        return open_tagger(weights.path)
    if config.engine == "head":
        return open_head(weights.path)
    from rinsho.evaluation.model_engine import ModelEngine
    from rinsho.generation.decoder_model import load_language_model

    return ModelEngine(load_language_model(weights.path), config.max_new_tokens, config.seed)


@contextlib.contextmanager
def _computing(config: AnswerConfig, folder: OpenFolder) -> Generator[None, None, None]:
    """Set torch's threads where a model answers, and record them: they decide last digits."""
    if config.engine not in ("model", "tagger", "head"):
        yield
        return
    import torch

    from rinsho.model.precision import best_device, resolve_precision

    before = torch.get_num_threads()
    folder.threads = config.threads or len(os.sched_getaffinity(0))
    has_head = config.engine in ("tagger", "head")  # it always computes in fp32
    folder.precision = "fp32" if has_head else resolve_precision("auto", best_device())
    torch.set_num_threads(folder.threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _ask(
    config: AnswerConfig, questions: Sequence[_Question], engine: Engine, path: Path
) -> list[Answer]:
    log = AnswerLog(path)
    n_free = config.n_free_generations if config.engine == "model" else 0
    n_all = len(questions) + n_free
    with progress("回答中", "answering", n_all, "問") as advance:
        advance(len(log.answers))
        for given in _missing_answers(config, questions, engine, log, n_free):
            log.add(given)
            advance()
    log.close()
    keys = [question.key for question in questions]
    keys += [(FREE, f"{FREE}/{number}", "free") for number in range(n_free)]
    return [log.answers[key] for key in keys]


def _missing_answers(
    config: AnswerConfig,
    questions: Sequence[_Question],
    engine: Engine,
    log: AnswerLog,
    n_free: int,
) -> Iterator[Answer]:
    for question in questions:
        if question.key not in log.answers:
            given, prompt = _ask_one(question, engine)
            keeps = config.keep_prompts and not question.benchmark.is_text_withheld
            yield dataclasses.replace(given, prompt=prompt if keeps else None)
    if n_free:
        yield from _free_generations(config, engine, log, n_free)


def _free_generations(
    config: AnswerConfig, engine: Engine, log: AnswerLog, n_free: int
) -> Iterator[Answer]:
    from rinsho.evaluation.model_engine import ModelEngine
    from rinsho.generation.language_model import Sampling

    assert isinstance(engine, ModelEngine)
    for number in range(n_free):
        if (FREE, f"{FREE}/{number}", "free") not in log.answers:
            sampling = Sampling(
                max_new_tokens=config.free_max_new_tokens,
                temperature=config.free_temperature,
                top_p=config.free_top_p,
                seed=config.seed + number,
            )
            yield engine.generate_freely(number, sampling)


def _write(
    config: AnswerConfig,
    folder: OpenFolder,
    loaded: Sequence[LoadedBenchmark],
    questions: Sequence[_Question],
    answers: Sequence[Answer],
) -> None:
    write_answers(folder.path / ANSWERS, answers)
    asked: list[dict[str, Any]] = [
        {
            "name": benchmark.name,
            "version": benchmark.benchmark.version,
            "sha256": benchmark.sha256,
            "items": list(
                dict.fromkeys(q.item.id for q in questions if q.benchmark.name == benchmark.name)
            ),
            "n_available": len(benchmark.items),
        }
        for benchmark in loaded
    ]
    write_file(folder.path / ASKED, canonical_json(asked) + b"\n")
    folder.licenses.update(benchmark.benchmark.license for benchmark in loaded)
    folder.attributions.update(benchmark.benchmark.source for benchmark in loaded)
    folder.count(
        items={b["name"]: len(b["items"]) for b in asked},
        answers=len(answers),
        too_long=sum(given.is_too_long for given in answers),
        free_generations=sum(given.benchmark == FREE for given in answers),
    )
