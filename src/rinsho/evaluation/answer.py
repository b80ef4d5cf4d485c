"""The stage `answer`: asks one engine the items of benchmarks and writes down what it says."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from rinsho.console import progress
from rinsho.corpus.endpoint import Endpoint, EndpointConfig
from rinsho.errors import InvalidValue, MissingInput, ModelCannot
from rinsho.evaluation.answer_plan import Plan, plan_endpoint, plan_local
from rinsho.evaluation.answer_record import (
    ANSWERS,
    FREE,
    Answer,
    AnswerLog,
    write_answers,
)
from rinsho.evaluation.ask_endpoint import ask_endpoint, reach
from rinsho.evaluation.asking import AnswerCache, Asked, missing_answers
from rinsho.evaluation.benchmark import Method, Sources, choose_items
from rinsho.evaluation.catalogue import (
    LoadedBenchmark,
    expand_names,
    hash_benchmarks,
    load_benchmark,
)
from rinsho.evaluation.engines import (
    METHODS,
    OPEN_HEAD,
    Engine,
    EngineName,
    open_dictionary,
    open_kneser_ney,
)
from rinsho.evaluation.model_engine import ModelEngine
from rinsho.evaluation.opened_model import OpenedModel, open_model, require_finished
from rinsho.evaluation.parse import without_thinking
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
    endpoint: EndpointConfig | None = Field(
        default=None,
        description="an OpenAI-compatible server, of the engine endpoint",
        exclude_if=lambda value: value is None,
    )
    thinking: Literal["on", "off"] | None = Field(
        default=None,
        description="enable_thinking of the chat template; left out: as the template has it",
        exclude_if=lambda value: value is None,
    )
    precision: Literal["auto", "int4"] = Field(
        default="auto",
        description="of a model; int4: in 4 bits, as `rinsho serve --precision int4` computes",
        exclude_if=lambda value: value == "auto",
    )
    seed: int = Field(default=0, ge=0, description="of the draw of items and the free generations")
    threads: int | None = Field(default=None, gt=0, description="CPU threads; left out: every core")

    @model_validator(mode="after")
    def _precision_has_a_model(self) -> Self:
        if self.precision != "auto" and self.engine != "model":
            raise ValueError('engine = "model" for this precision')
        return self


@door
def answer(
    config: AnswerConfig,
    *,
    out: Path,
    model: str | Path | None = None,
    documents: Sequence[Path] = (),
    data: Path | None = None,
    noncommercial: bool = False,
    base: str | Path | None = None,
    allow_remote: bool = False,
    cache: Path | None = None,
) -> Manifest:
    """Answer benchmarks; a killed run goes on where it stopped and gives the same bytes.

    Args:
        config: What is asked, and how.
        out: The answers folder: `answers.jsonl`, `asked.json`.
        model: Of the engines "model", "tagger", "head" and "relations": a weights folder of
            rinsho's, a Hugging Face folder or cached hub id, an adapter. Of "endpoint": a GGUF
            file, where the config names no address.
        documents: Folders that the demo's own benchmarks and the Kneser-Ney model read.
        data: The data folder that holds `eval/`.
        noncommercial: Whether benchmarks under non-commercial terms may be used.
        base: Of an adapter; left out, it is looked for beside the adapter.
        allow_remote: Whether an endpoint may lie beyond the local network.
        cache: Folder of answers by model, prompt and settings, shared by runs; none: none is kept.

    Raises:
        ModelCannot: An engine was asked for a form of benchmark that it has no method for, or a
            model without a chat template for a conversation.
        MissingInput: The engine needs a model, or a benchmark needs documents.
        RemoteRefused: An endpoint beyond the local network; nothing was asked.
        EndpointFailed: It stopped answering; what arrived is kept.
    """
    opened = open_model(model, base) if model else None
    folders = tuple(open_folder(path, "collect", "synthesize") for path in documents)
    sources = Sources(data, folders, noncommercial)
    with contextlib.ExitStack() as stack:

        def open_endpoint() -> Endpoint:
            is_private = sources.is_private
            way = _reach(config, opened, allow_remote=allow_remote, is_private=is_private)
            return stack.enter_context(way)

        # An address is checked before anything else; a GGUF file is loaded once it is needed.
        has_address = config.engine == "endpoint" and config.endpoint is not None
        endpoint = open_endpoint() if has_address else None
        loaded = tuple(load_benchmark(name, sources) for name in expand_names(config.benchmarks))
        work = _Work(config, loaded, opened, folders, None if sources.is_private else cache)
        questions = _questions(config, loaded)
        inputs: dict[str, Any] = {"documents": folders, "benchmarks": hash_benchmarks(loaded)}
        inputs |= _model_inputs(config, opened)
        plan = plan_local(questions, opened, config.thinking) if config.engine == "model" else None
        opening = new_folder(out, stage="answer", config=config, inputs=inputs, can_resume=True)
        folder = stack.enter_context(opening)
        stack.enter_context(_computing(config, folder))
        if config.engine == "endpoint":
            endpoint = endpoint or open_endpoint()
            plan = plan_endpoint(endpoint, questions, config.thinking)
            answers = _ask_endpoint(work, endpoint, plan, folder)
        else:
            plan = plan or Plan(questions)
            answers = _ask(work, plan, folder)
        _write(work, folder, plan, answers)
    assert folder.manifest is not None
    return folder.manifest


@dataclass(frozen=True, slots=True)
class _Work:
    """What a run is about."""

    config: AnswerConfig
    loaded: tuple[LoadedBenchmark, ...]
    opened: OpenedModel | None
    documents: tuple[FinishedFolder, ...]
    cache: Path | None


def _reach(
    config: AnswerConfig, opened: OpenedModel | None, *, allow_remote: bool, is_private: bool
) -> contextlib.AbstractContextManager[Endpoint]:
    return reach(
        config.endpoint,
        opened,
        max_new_tokens=config.max_new_tokens,
        thinking=None if config.thinking is None else config.thinking == "on",
        threads=config.threads,
        allow_remote=allow_remote,
        is_private=is_private,
    )


def _model_inputs(config: AnswerConfig, opened: OpenedModel | None) -> dict[str, Any]:
    """Return what a model is, for the identity: of an endpoint, the name is all that is known."""
    if opened is None and config.engine in ("model", *OPEN_HEAD):
        raise MissingInput(where=f"answer, engine {config.engine}", expected="model")
    if config.engine == "endpoint" and config.endpoint is None and not (opened and opened.is_gguf):
        raise MissingInput(where="answer, engine endpoint", expected="endpoint.url / model.gguf")
    if opened is not None:
        if opened.is_gguf and config.engine != "endpoint":
            raise ModelCannot(where=opened.name, found="GGUF", expected='engine = "endpoint"')
        return dict(opened.inputs)
    if config.endpoint is not None:
        return {"model": hashlib.sha256(config.endpoint.model.encode()).hexdigest()}
    return {}


def _questions(config: AnswerConfig, loaded: Sequence[LoadedBenchmark]) -> tuple[Asked, ...]:
    questions = tuple(
        Asked(benchmark, item, method)
        for benchmark in loaded
        for item in choose_items(benchmark.items, config.max_items, config.seed)
        for method in _methods(config, benchmark)
    )
    if not questions:
        raise InvalidValue(
            where="[answer] methods", found="nothing to ask", expected="generation, log-likelihood"
        )
    return questions


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


def _open_engine(work: _Work) -> Engine:
    config, opened = work.config, work.opened
    if config.engine == "dictionary":
        return open_dictionary()
    if config.engine == "kneser-ney":
        return open_kneser_ney(work.documents, config.max_train_characters)
    assert opened is not None
    if config.engine in OPEN_HEAD:
        return OPEN_HEAD[config.engine](require_finished(opened).path)
    from rinsho.generation.decoder_model import load_language_model

    base = opened.base.path if opened.base and opened.base.path != opened.path else None
    model = load_language_model(opened.path, base, config.precision)
    if config.thinking is not None:
        model.tokenizer.switch_thinking(config.thinking == "on")
    return ModelEngine(model, config.max_new_tokens, config.seed)


@contextlib.contextmanager
def _computing(config: AnswerConfig, folder: OpenFolder) -> Generator[None, None, None]:
    """Set torch's threads where a model answers, and record them: they decide last digits."""
    if config.engine not in ("model", *OPEN_HEAD):
        yield
        return
    import torch

    from rinsho.model.precision import best_device, resolve_precision
    from rinsho.model.quantize import supports_int4

    before = torch.get_num_threads()
    folder.threads = config.threads or len(os.sched_getaffinity(0))
    has_head = config.engine in OPEN_HEAD  # it always computes in fp32
    is_packed = config.engine == "model" and config.precision == "int4" and supports_int4()
    usual = "fp32" if has_head else resolve_precision("auto", best_device())
    folder.precision = "int4" if is_packed else usual
    torch.set_num_threads(folder.threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _ask(work: _Work, plan: Plan, folder: OpenFolder) -> list[Answer]:
    config, engine = work.config, _open_engine(work)
    log = AnswerLog(folder.checkpoints / ANSWERS)
    settings = [config.max_new_tokens, config.seed, config.thinking, config.engine]
    settings += [config.precision] if config.precision != "auto" else []
    model = work.opened.sha256 if work.opened else ""
    cache = AnswerCache(work.cache if model else None, model, settings)
    n_free = config.n_free_generations if config.engine == "model" else 0
    with progress("回答中", "answering", len(plan.questions) + n_free, "問") as advance:
        advance(len(log.answers))
        for question, given in missing_answers(plan.questions, engine, log, cache):
            log.add(_with_prompt(config, question, given))
            advance()
        for given in _free_generations(config, engine, log, n_free):
            log.add(given)
            advance()
    log.close()
    cache.close()
    keys = [question.key for question in plan.questions]
    keys += [(FREE, f"{FREE}/{number}", "free") for number in range(n_free)]
    return [log.answers[key] for key in keys]


def _with_prompt(config: AnswerConfig, question: Asked, given: Answer) -> Answer:
    keeps = config.keep_prompts and not question.benchmark.is_text_withheld
    return dataclasses.replace(given, prompt=question.prompt if keeps else None)


def _ask_endpoint(work: _Work, endpoint: Endpoint, plan: Plan, folder: OpenFolder) -> list[Answer]:
    """Ask an endpoint; its store is the log, and the cache where there is one."""
    store = folder.checkpoints / "replies.jsonl"
    if work.cache is not None:
        model = endpoint.config.model if work.opened is None else work.opened.sha256
        name = hashlib.sha256(model.encode()).hexdigest()[:32]
        store = work.cache / f"endpoint-{name}.jsonl"
    with progress("回答中", "answering", len(plan.questions), "問") as advance:
        heard = ask_endpoint(endpoint, plan.questions, plan.n_top, store, advance)
    if heard.n_refused:
        folder.count(refused=heard.n_refused)
    return [
        _with_prompt(work.config, question, given)
        for question, given in zip(plan.questions, heard.answers, strict=True)
    ]


def _free_generations(
    config: AnswerConfig, engine: Engine, log: AnswerLog, n_free: int
) -> Iterator[Answer]:
    from rinsho.generation.language_model import Sampling

    for number in range(n_free):
        assert isinstance(engine, ModelEngine)
        if (FREE, f"{FREE}/{number}", "free") not in log.answers:
            sampling = Sampling(
                max_new_tokens=config.free_max_new_tokens,
                temperature=config.free_temperature,
                top_p=config.free_top_p,
                seed=config.seed + number,
            )
            yield engine.generate_freely(number, sampling)


def _write(work: _Work, folder: OpenFolder, plan: Plan, answers: Sequence[Answer]) -> None:
    write_answers(folder.path / ANSWERS, answers)
    asked: list[dict[str, Any]] = [
        {
            "name": benchmark.name,
            "version": benchmark.benchmark.version,
            "sha256": benchmark.sha256,
            "items": list(
                dict.fromkeys(
                    q.item.id for q in plan.questions if q.benchmark.name == benchmark.name
                )
            ),
            "n_available": len(benchmark.items),
        }
        for benchmark in work.loaded
    ]
    write_file(folder.path / ASKED, canonical_json(asked) + b"\n")
    folder.licenses.update(benchmark.benchmark.license for benchmark in work.loaded)
    folder.attributions.update(benchmark.benchmark.source for benchmark in work.loaded)
    if work.opened is not None:
        work.opened.record_license(folder)
    folder.count(
        items={b["name"]: len(b["items"]) for b in asked},
        answers=len(answers),
        too_long=sum(given.is_too_long for given in answers),
        free_generations=sum(given.benchmark == FREE for given in answers),
        **plan.said,
        **_count_thinking(answers),
    )


def _count_thinking(answers: Sequence[Answer]) -> dict[str, int]:
    """Count what the budget of tokens cut off; nothing is said where nothing was."""
    written = [given for given in answers if given.benchmark != FREE]
    counts = {
        "truncated": sum(given.is_truncated for given in written),
        "unclosed_thinking": sum(without_thinking(given.output) is None for given in written),
    }
    return {name: count for name, count in counts.items() if count}
