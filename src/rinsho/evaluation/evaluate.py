"""Answer and score in one go, for `rinsho evaluate`; the two stages still meet on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rinsho.corpus.endpoint import EndpointConfig, open_endpoint
from rinsho.evaluation.answer import AnswerConfig, answer
from rinsho.evaluation.ask_endpoint import only_model
from rinsho.evaluation.engines import EngineName
from rinsho.evaluation.opened_model import GGUF
from rinsho.evaluation.score import ScoreConfig, score
from rinsho.manifest import MANIFEST, Manifest, read_manifest

DICTIONARY: Literal["dictionary"] = "dictionary"


def evaluate_model(
    model: str | Path,
    benchmarks: Sequence[str],
    out: Path,
    *,
    documents: Sequence[Path] = (),
    data: Path | None = None,
    noncommercial: bool = False,
    max_items: int | None = None,
    max_new_tokens: int = 512,
    n_free_generations: int = 20,
    is_official: bool = False,
    share: bool | None = None,
    seed: int = 0,
    base: str | Path | None = None,
    thinking: Literal["on", "off"] | None = None,
    model_name: str = "",
    key_variable: str | None = None,
    allow_remote: bool = False,
    cache: Path | None = None,
) -> Manifest:
    """Answer benchmarks with any model and write the report; return its manifest.

    Args:
        model: A weights folder; its head answers where it has one; one that was tuned for label
            scoring answers by log-likelihood alone. Or a Hugging Face folder or cached hub id, an
            adapter folder, a GGUF file (by llama-server), an OpenAI-compatible address; the word
            "dictionary": dictionary and rules.
        benchmarks: Names of benchmarks or groups.
        out: Gets `answers/` and `report/`.
        documents: Folders that the demo's own benchmarks read.
        data: The data folder that holds `eval/`.
        noncommercial: Whether benchmarks under non-commercial terms may be used.
        max_items: Items of each benchmark, drawn by seed; None: all.
        max_new_tokens: Of one generated answer.
        n_free_generations: Seeded generations without a gold answer.
        is_official: Whether benchmarks are also asked by their publishers' own prompt.
        share: Whether texts stay out of the report; None: non-commercial and private ones do.
        seed: Of the draw of items, the free generations and the bootstrap.
        base: Of an adapter; None: it is looked for.
        thinking: The chat template's switch; None: as the template has it.
        model_name: Of an address: which of its models; empty: the only one.
        key_variable: Of an address: the variable that holds its key.
        allow_remote: Whether the address may lie beyond the local network.
        cache: Folder of answers that runs share; None: none is kept.

    Raises:
        RemoteRefused: An address beyond the local network; nothing was asked.
        ModelCannot: The model cannot answer a benchmark of that form.
    """
    endpoint = None
    if is_address(model):
        endpoint = _to_endpoint(str(model), model_name, key_variable, allow_remote=allow_remote)
    config = AnswerConfig(
        benchmarks=tuple(benchmarks),
        engine=engine_of(model),
        label=_label(model, endpoint),
        methods=(*methods_of(model), *(("official",) if is_official else ())),
        max_items=max_items,
        max_new_tokens=max_new_tokens,
        n_free_generations=n_free_generations,
        seed=seed,
        endpoint=endpoint,
        thinking=thinking,
    )
    answer(
        config,
        out=out / "answers",
        model=None if endpoint or is_dictionary(model) else model,
        documents=documents,
        data=data,
        noncommercial=noncommercial,
        base=base,
        allow_remote=allow_remote,
        cache=cache,
    )
    return score(
        ScoreConfig(seed=seed, share=share),
        answers=[out / "answers"],
        out=out / "report",
        documents=documents,
        weights=[Path(model)] if _is_trained_here(model) else [],
        data=data,
        noncommercial=noncommercial,
    )


def answer_models(
    models: Sequence[str],
    benchmarks: Sequence[str],
    out: Path,
    *,
    documents: Sequence[Path] = (),
    data: Path | None = None,
    noncommercial: bool = False,
    max_items: int | None = None,
    seed: int = 0,
) -> list[Path]:
    """Let models of this machine answer the same benchmarks; return their answers folders.

    Args:
        models: Weights folders, or "dictionary"; named by their folders, or by their place where
            two folders have one name.
        benchmarks: Names of benchmarks or groups.
        out: Gets a folder of answers for each model.
        documents: As `evaluate_model`; `data`, `noncommercial`, `max_items` and `seed` too.
    """
    names = [Path(model).name or model for model in models]
    folders: list[Path] = []
    for place, (model, name) in enumerate(zip(models, names, strict=True), start=1):
        label = name if names.count(name) == 1 else f"{place} {name}"
        config = AnswerConfig(
            benchmarks=tuple(benchmarks),
            engine=engine_of(model),
            label=label[:60],
            methods=methods_of(model),
            max_items=max_items,
            n_free_generations=0,
            seed=seed,
        )
        folders.append(out / f"answers-{place}")
        answer(
            config,
            out=folders[-1],
            model=None if is_dictionary(model) else model,
            documents=documents,
            data=data,
            noncommercial=noncommercial,
        )
    return folders


def is_dictionary(model: str | Path) -> bool:
    """Tell whether dictionary and rules are meant: the bare word, and no folder of that name."""
    return str(model) == DICTIONARY and not Path(model).exists()


def is_address(model: str | Path) -> bool:
    """Tell whether a model is behind an address.

    >>> is_address("http://127.0.0.1:8000/v1"), is_address("out/demo/chat")
    (True, False)
    """
    return str(model).startswith(("http://", "https://"))


def _to_endpoint(
    url: str, name: str, key_variable: str | None, *, allow_remote: bool
) -> EndpointConfig:
    """Return how to ask an address; the name of its only model is asked for where none is given."""
    config = EndpointConfig.model_validate(
        {"url": url, "model": name or "?", "key_variable": key_variable}
    )
    if name:
        return config
    endpoint = open_endpoint(config, allow_remote=allow_remote)
    return config.model_copy(update={"model": only_model(endpoint)})


def _label(model: str | Path, endpoint: EndpointConfig | None) -> str:
    """Return the name in reports; what was trained here is known by its hash."""
    if endpoint is not None:
        return endpoint.model[:60]
    return "" if (Path(model) / MANIFEST).is_file() else Path(model).name[:60]


def _is_trained_here(model: str | Path) -> bool:
    folder = Path(model)
    if not (folder / MANIFEST).is_file():
        return False
    return read_manifest(folder).identity.stage in ("pretrain", "finetune", "extend-weights")


def engine_of(model: str | Path) -> EngineName:
    """Return what answers: an endpoint, the dictionary, or of weights the head if there is one."""
    if is_dictionary(model):
        return DICTIONARY
    if is_address(model) or Path(model).suffix == GGUF:
        return "endpoint"
    model = Path(model)
    from rinsho.model.crf_tagger import is_crf

    if is_crf(model):
        return "tagger"
    if not (model / "head.json").is_file():
        return "model"
    from rinsho.model.head_record import form_of

    form = form_of(model)
    return "tagger" if form == "tagging" else "relations" if form == "relation" else "head"


def methods_of(model: str | Path) -> tuple[Literal["generation", "log-likelihood"], ...]:
    """Return how a model is asked: as it was tuned."""
    folder = Path(model)
    if not (folder / MANIFEST).is_file():
        return ("generation", "log-likelihood")
    manifest = read_manifest(folder)
    if manifest.identity.config.get("form") == "label-scoring":
        return ("log-likelihood",)
    return ("generation", "log-likelihood")
