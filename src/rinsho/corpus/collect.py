"""`rinsho collect`: raw files to documents; every record that is left out is counted and named.

Three steps, so that many workers give the same bytes as one:

    parts    read, normalize and judge files; any worker, any machine      part.py, engines.py
    merge    limits, duplicates and repeated lines over all parts          merge.py
    output   what is kept, renumbered, in shards                           output.py
"""

from __future__ import annotations

import contextlib
import math
import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from rinsho.console import progress, say
from rinsho.corpus.accounts import write_accounts
from rinsho.corpus.collection import (
    MIB,
    Collection,
    build_index,
    make_index,
    open_collection,
)
from rinsho.corpus.document import Document
from rinsho.corpus.engines import Engine, Workers, usable_cores
from rinsho.corpus.merge import decide
from rinsho.corpus.output import ShardTask, plan_shards, write_shard
from rinsho.corpus.part import PartTask, check_part, is_finished, make_part
from rinsho.corpus.part_reader import Part, read_part
from rinsho.corpus.proportions import FIGURES, FigureTask, draw_proportions
from rinsho.corpus.settings import CollectConfig
from rinsho.corpus.sieve import open_sieve
from rinsho.corpus.sources import SourceRecord, read_source
from rinsho.errors import PartMissing
from rinsho.manifest import MANIFEST, Manifest, OpenFolder, door, new_folder

__all__ = ["CollectConfig", "collect", "make_share", "show_collect"]

_SMALL_BYTES = 4 * MIB  # less than this is read sooner than workers have started


@door
def collect(
    config: CollectConfig,
    *,
    out: Path,
    labels: Path | None = None,
    data: Path | None = None,
    noncommercial: bool = False,
    engine: Engine = "local",
    n_workers: int | None = None,
    only_merge: bool = False,
) -> Manifest:
    """Read, clean, check and de-duplicate the sources of a run, and write its documents.

    The identity of the result does not depend on the engine or on the number of workers. Parts that
    are done lie in `<out>.parts` until the folder is finished; a run that was cut off goes on.

    Args:
        config: Sources and limits.
        out: The folder to make: documents, rejected records (without text), the removal table.
        labels: A folder of the stage `label`, whose scorer judges quality.
        data: Where relative paths begin.
        noncommercial: Whether non-commercial licenses may be used.
        engine: What runs the parts.
        n_workers: How many at a time; every core when left out.
        only_merge: Whether every part was made before (`make_share`); a missing one is an error.

    Raises:
        PathMissing, DataFolderMissing, UnknownFormat: A source that is not there.
        LicenseRefused: A source whose license the run does not allow.
        NothingToRead, NotText: A source without one readable record.
        NothingLeft: Every record of the run was rejected.
        PartMissing: `only_merge`, and a share was not made.
        WorkerDied: A worker was killed again and again.
    """
    collection = open_collection(config, out, labels, data, noncommercial)
    with new_folder(
        out,
        stage="collect",
        config=config,
        inputs=collection.inputs(),
        is_private=collection.is_private,
    ) as folder:
        _make_root(collection)
        with _told_of_the_rest(), _open_workers(collection, engine, n_workers) as workers:
            tasks = collection.tasks(make_index(collection, workers))
            if not only_merge:
                _make_parts(tasks, workers)
            parts = _read_parts(config, tasks)
            _finish(folder, collection, parts, workers)
    shutil.rmtree(collection.root, ignore_errors=True)
    assert folder.manifest is not None
    return folder.manifest


def make_share(
    config: CollectConfig,
    *,
    share: int,
    n_shares: int,
    out: Path,
    labels: Path | None = None,
    data: Path | None = None,
    noncommercial: bool = False,
    engine: Engine = "local",
    n_workers: int | None = None,
) -> int:
    """Make every `n_shares`-th part of a run, from part `share` on; return how many there are.

    One job of a cluster's array calls this; `collect(..., only_merge=True)` joins the parts. Where
    they are joined already, a job that runs again makes none.

    Args:
        share: 0 to n_shares - 1.
        n_shares: Jobs in all; they need not run at the same time.
        config, out, labels, data, noncommercial, engine, n_workers: As in `collect`.
    """
    if (out / MANIFEST).is_file():
        return 0
    collection = open_collection(config, out, labels, data, noncommercial)
    _make_root(collection)
    with _told_of_the_rest(), _open_workers(collection, engine, n_workers) as workers:
        tasks = collection.tasks(make_index(collection, workers))[share::n_shares]
        _run_with_progress(tasks, workers)
    return len(tasks)


def show_collect(
    config: CollectConfig,
    n: int,
    labels: Path | None = None,
    data: Path | None = None,
    noncommercial: bool = False,
) -> Iterator[SourceRecord]:
    """Yield what `collect` would make of about `n` records, spread over the sources; write nothing.

    A record's outcome is the document as it would be written, or the rejection. Duplicates are
    looked for in a whole run, not here.
    """
    collection = open_collection(config, Path("out"), labels, data, noncommercial)
    n_each = math.ceil(n / len(collection.sources))
    with Workers() as workers:
        overlaps = build_index(collection, None, workers) if collection.benchmarks else None
    scorer = collection.labels.path if collection.labels else None
    sieve = open_sieve(config, overlaps=overlaps, labels=scorer, noncommercial=noncommercial)
    for source in collection.sources:
        for number, record in enumerate(read_source(source)):
            if number == n_each:
                break
            outcome = record.outcome
            if isinstance(outcome, Document):
                outcome = sieve.judge(outcome, source.config).outcome
            yield replace(record, outcome=outcome)


# --------------------------------------------------------------------------------- during


def _open_workers(collection: Collection, engine: Engine, n_workers: int | None) -> Workers:
    n_bytes = sum(source.n_bytes for source in collection.sources) + collection.n_benchmark_bytes
    is_small = engine == "local" and n_bytes < _SMALL_BYTES
    return Workers(engine, 1 if is_small else n_workers or usable_cores())


@contextlib.contextmanager
def _told_of_the_rest() -> Generator[None, None, None]:
    """Say to a person who stops a run that nothing of it is lost."""
    try:
        yield
    except KeyboardInterrupt:
        say(
            "中断しました。できた部分は残っています: 同じコマンドで続きから始まります",
            "stopped; the parts that are done are kept: the same command goes on from here",
        )
        raise


def _make_root(collection: Collection) -> None:
    mode = 0o700 if collection.is_private else 0o777
    collection.root.mkdir(parents=True, exist_ok=True, mode=mode)


def _make_parts(tasks: Sequence[PartTask], workers: Workers) -> None:
    """Make the parts that the run needs; those of a source with a limit only until it is full."""
    for task in tasks:
        if is_finished(task):
            check_part(task)
    _run_with_progress([task for task in tasks if not _has_limit(task)], workers)
    limited = [task for task in tasks if _has_limit(task)]
    while wave := _next_wave(limited):
        _run_with_progress(wave, workers)


def _has_limit(task: PartTask) -> bool:
    return task.n_enough is not None or task.source.config.max_chars is not None


def _next_wave(tasks: Sequence[PartTask]) -> list[PartTask]:
    """Return the next part of every source that is not full yet."""
    wave: list[PartTask] = []
    for name in dict.fromkeys(task.source.config.name for task in tasks):
        own = [task for task in tasks if task.source.config.name == name]
        done = [task for task in own if is_finished(task)]
        if not _is_full(done):
            wave += [task for task in own if task not in done][:1]
    return wave


def _is_full(done: Sequence[PartTask]) -> bool:
    if not done:
        return False
    chars = [read_part(task).candidates["chars"] for task in done]
    n_enough, max_chars = done[0].n_enough, done[0].source.config.max_chars
    is_full = n_enough is not None and sum(map(len, chars)) >= n_enough
    return is_full or (max_chars is not None and int(sum(map(np.sum, chars))) >= max_chars)


def _run_with_progress(tasks: Sequence[PartTask], workers: Workers) -> None:
    n_bytes = sum(task.source.n_bytes for task in tasks)
    # The largest first: a large part that began last would be waited for.
    ordered = sorted(tasks, key=lambda task: (-task.source.n_bytes, task.number))
    with progress("文書を収集", "collecting documents", n_bytes / MIB, "MiB") as advance:
        workers.run(ordered, make_part, lambda n: advance(n / MIB))


def _read_parts(config: CollectConfig, tasks: Sequence[PartTask]) -> list[Part]:
    """Read the parts that the run takes; a source that is full needs no more of them."""
    parts: list[Part] = []
    done: dict[str, list[PartTask]] = {source.name: [] for source in config.sources}
    for task in tasks:
        own = done[task.source.config.name]
        if _has_limit(task) and _is_full(own):
            continue
        if is_finished(task):
            parts.append(read_part(task))
            own.append(task)
        else:
            raise PartMissing(where=f"{task.number + 1}", expected=f"{len(tasks)}")
    return parts


# ---------------------------------------------------------------------------------- after


def _finish(
    folder: OpenFolder,
    collection: Collection,
    parts: Sequence[Part],
    workers: Workers,
) -> None:
    """Decide what is kept, account for the rest, and write it in shards."""
    config = collection.config
    names = [source.name for source in config.sources]
    source_of = [names.index(part.task.source.config.name) for part in parts]
    decisions = decide(config, parts, source_of)
    first_numbers = _first_numbers(parts, source_of)
    shards = plan_shards(
        parts,
        decisions,
        first_numbers,
        folder=folder.path,
        max_bytes=config.shard_mib * MIB,
    )
    table = write_accounts(folder, collection, parts, decisions, first_numbers)
    tasks: list[ShardTask | FigureTask] = [*shards]
    if find_spec("matplotlib") is not None:  # the extra `report`; a figure is no part of what it is
        folder.keep_out_of_identity(*FIGURES)
        figure = FigureTask(table, folder.path)
        if workers.is_local:
            tasks.insert(0, figure)  # it takes longer than most shards
        else:
            _write_one(figure)
    _write(tasks, parts, workers)


def _first_numbers(parts: Sequence[Part], source_of: Sequence[int]) -> list[int]:
    """Return the number in its source of each part's first record."""
    n_before: dict[int, int] = {}
    first: list[int] = []
    for part, source in zip(parts, source_of, strict=True):
        first.append(n_before.get(source, 0))
        n_before[source] = first[-1] + part.n_records
    return first


def _write(
    tasks: Sequence[ShardTask | FigureTask], parts: Sequence[Part], workers: Workers
) -> None:
    n_bytes = sum(int(part.candidates["length"].sum()) for part in parts)
    with progress("文書を書き出し", "writing documents", n_bytes / MIB, "MiB") as advance:
        workers.run(tasks, _write_one, lambda n: advance(n / MIB))


def _write_one(
    task: ShardTask | FigureTask, on_read: Callable[[int], None] = lambda n_bytes: None
) -> None:
    if isinstance(task, ShardTask):
        write_shard(task, on_read)
    else:
        draw_proportions(task.table, task.folder)
