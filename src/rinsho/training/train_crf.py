"""Character CRFs that mark spans: from annotated texts to a folder that `extract` opens.

No base, no tokenizer and no torch: minutes on one core, L-BFGS, so the same texts give the same
model. The texts are those of `finetune` with form = "tagging".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import Field

from rinsho.console import progress, say
from rinsho.corpus.document import read_documents
from rinsho.corpus.licenses import check_folders
from rinsho.corpus.sample import sample_key
from rinsho.errors import MissingInput, NothingToLearn
from rinsho.manifest import Manifest, OpenFolder, door, new_folder, open_folder
from rinsho.model.card import write_model_card
from rinsho.model.character_crf import require_crfsuite, write_character_crf
from rinsho.model.crf_tagger import CrfTagger, load_tasks, tags_of_spans, write_record
from rinsho.runfile import StageConfig
from rinsho.text.spans import Span
from rinsho.training.examples import (
    Example,
    ExampleFile,
    find_example_files,
    from_documents,
    hash_examples,
    read_examples,
)
from rinsho.training.span_examples import sort_notes, span_f1, spans_of


class TrainCrfConfig(StageConfig):
    """Keys of `[train-crf]`."""

    examples: tuple[ExampleFile, ...] = Field((), description="files with spans or entities")
    validation_share: float = Field(
        0.1, ge=0, lt=1, description="of the groups of the examples that name no split"
    )
    max_documents: int | None = Field(
        None, gt=0, description="texts that are learned, at most; 37 strings a character in memory"
    )
    n_iterations: int = Field(40, gt=0, description="of L-BFGS, at most")
    allow_licenses: tuple[str, ...] = Field(
        (), description="licenses that you may use, where rinsho refuses or does not know them"
    )


@door
def train_crf(
    config: TrainCrfConfig,
    *,
    out: Path,
    documents: Sequence[Path] = (),
    data: Path | None = None,
    noncommercial: bool = False,
) -> Manifest:
    """Train a character CRF for each task of some annotated texts.

    Args:
        config: `[train-crf]` of the run file.
        out: The folder to write.
        documents: Finished folders of documents with spans.
        data: The data folder, below which example files may lie.
        noncommercial: Whether non-commercial licenses may be used.

    Raises:
        MissingDependency: python-crfsuite is not installed.
        MissingInput: Neither documents nor examples were given.
        LicenseRefused: A folder holds, or was made from, what the run may not use.
        NothingToLearn: There is no span in the training split.
        BrokenRecord, SplitOverlap, NotText, NothingToRead, PathMissing: As `read_examples`.
    """
    require_crfsuite()
    if not documents and not config.examples:
        raise MissingInput(where="[train-crf]", expected="documents, or train-crf.examples")
    paths = find_example_files(
        config.examples, data, config.allow_licenses, noncommercial=noncommercial
    )
    examples = read_examples(paths, config.validation_share)
    sources = [open_folder(path, "collect", "synthesize") for path in documents]
    check_folders(sources, config.allow_licenses, noncommercial=noncommercial)
    inputs = {"documents": sources, **({"examples": hash_examples(paths)} if paths else {})}
    is_private = any(file.is_private for file in config.examples)
    with new_folder(
        out, stage="train-crf", config=config, inputs=inputs, is_private=is_private
    ) as folder:
        folder.licenses.update(file.license for file in config.examples)
        folder.attributions.update(f.attribution for f in config.examples if f.attribution)
        annotated = (e for s in sources for e in from_documents(read_documents(s.path)))
        _learn(config, [*annotated, *examples], folder)
        write_model_card(folder, "train-crf", sources)
    assert folder.manifest is not None  # written on leaving `with`
    return folder.manifest


def _learn(config: TrainCrfConfig, examples: Sequence[Example], folder: OpenFolder) -> None:
    notes = sort_notes(examples, config.max_documents)
    tasks = sorted({task for note in notes.train for task, s in spans_of(note).items() if s})
    if not tasks:
        found = f"{len(notes.train)} annotated documents, 0 spans"
        raise NothingToLearn(where="documents, train", expected="the documents", found=found)
    n_overlapping: list[int] = []

    def rows(task: str) -> Iterator[tuple[str, Sequence[str]]]:
        for note in sorted(notes.train, key=sample_key):
            if task in (by_task := spans_of(note)):
                tags, n_lost = tags_of_spans(len(note.text), by_task[task])
                n_overlapping.append(n_lost)
                yield note.text, tags

    with progress("CRF の学習", "training CRFs", len(tasks), "tasks") as advance:
        for task, path in zip(tasks, write_record(folder.path, tasks), strict=True):
            write_character_crf(rows(task), path, config.n_iterations)
            advance()
    if n_lost := sum(n_overlapping):
        say(
            f"重なりのある {n_lost} 個は学習しません（タスクを分けると学習できます）",
            f"{n_lost} spans overlap another of their task and are not learned: give them a task",
        )
    folder.count(
        n_train_documents=len(notes.train),
        n_validation_documents=len(notes.validation),
        n_skipped_documents=dict(notes.n_skipped),
        n_overlapping_spans=n_lost,
        span_f1=_measure(load_tasks(folder.path), notes.validation),
    )


def _measure(tagger: CrfTagger, validation: Sequence[Example]) -> float | None:
    """Return micro F1 of exact spans, label and certainty included, on held-out texts."""
    gold: list[tuple[Span, ...]] = []
    found: list[tuple[Span, ...]] = []
    for note in validation:
        marked = tagger.spans_by_task([note.text])[0]
        for task, spans in spans_of(note).items():
            gold.append(spans)
            found.append(marked.get(task, ()))
    return round(span_f1(gold, found), 6) if gold else None
