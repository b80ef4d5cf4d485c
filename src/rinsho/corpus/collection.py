"""A collection: the sources of a run, found and checked, and where its parts lie."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rinsho.console import progress
from rinsho.corpus.contamination import OverlapIndex, index_benchmarks
from rinsho.corpus.document import Document
from rinsho.corpus.engines import Workers
from rinsho.corpus.keys import keyed_hash, read_key
from rinsho.corpus.licenses import is_allowed
from rinsho.corpus.part import PartTask, plan_parts
from rinsho.corpus.settings import CollectConfig
from rinsho.corpus.sieve import prepare_identifiers
from rinsho.corpus.sources import (
    UNKNOWN_LICENSE,
    Source,
    files_below,
    find_source,
    locate,
    read_source,
)
from rinsho.errors import InvalidValue, LicenseRefused
from rinsho.manifest import FinishedFolder, canonical_json, hash_file, open_folder

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Collection:
    """What a run reads and where its parts lie.

    Attributes:
        benchmarks: Folders that the text must not contain anything of, each with its files.
        labels: A folder of the stage `label`, whose scorer judges quality.
        root: Where the parts lie until the run is done.
        hashes: Over the contents of the sources, and over the benchmarks.
    """

    config: CollectConfig
    sources: tuple[Source, ...]
    benchmarks: tuple[tuple[Path, tuple[Path, ...]], ...]
    labels: FinishedFolder | None
    noncommercial: bool
    root: Path  # of the parts
    hashes: Mapping[str, str]  # over the sources' contents, and over the benchmarks'

    @property
    def is_private(self) -> bool:
        """Whether a source holds patients' text."""
        return any(source.is_private for source in self.config.sources)

    @property
    def n_benchmark_bytes(self) -> int:
        """Bytes of the benchmarks on disk."""
        return sum(path.stat().st_size for _, paths in self.benchmarks for path in paths)

    def inputs(self) -> dict[str, FinishedFolder | str]:
        """Return what the manifest chains."""
        labels = {"labels": self.labels} if self.labels else {}
        return {**self.hashes, **labels}

    def tasks(self, index: Path | None) -> list[PartTask]:
        """Return the parts of the run, in order."""
        has_groups = any(source.group_field for source in self.config.sources)
        besides: dict[str, str | None] = {
            "benchmarks": self.hashes.get("benchmarks"),
            "labels": self.labels.manifest.identity_hash if self.labels else None,
            "key": keyed_hash(read_key(), "groups") if has_groups else None,
        }
        return plan_parts(
            self.config,
            self.sources,
            self.root,
            index=index,
            labels=self.labels.path if self.labels else None,
            noncommercial=self.noncommercial,
            inputs=besides,
        )


def open_collection(
    config: CollectConfig, out: Path, labels: Path | None, data: Path | None, noncommercial: bool
) -> Collection:
    """Find and hash the sources of a run; refuse one whose license the run does not allow.

    Raises:
        InvalidValue: A limit of quality, and nothing that judges it.
        PathMissing, DataFolderMissing, UnknownFormat, NothingToRead: A source that is not there.
        LicenseRefused: By the first document of a source, before any work.
    """
    if config.min_quality and labels is None:
        raise InvalidValue(where="min_quality", found="no labels", expected="--labels DIR")
    sources = tuple(find_source(source, data) for source in config.sources)
    places = [place for one in config.drop_overlap_with for place in locate(one, data)]
    benchmarks = tuple((place, tuple(files_below(place))) for place in places)
    labelled = open_folder(labels, "label") if labels is not None else None
    root = out.with_name(out.name + ".parts")
    hashes = {"files": _hash_of([digest for source in sources for digest in source.sha256])}
    if benchmarks:
        hashes["benchmarks"] = _hash_of(
            [hash_file(path).sha256 for _, paths in benchmarks for path in paths]
        )
    collection = Collection(config, sources, benchmarks, labelled, noncommercial, root, hashes)
    for source in sources:
        _check_license(source, config, noncommercial)
    return collection


def _hash_of(digests: Sequence[str]) -> str:
    return hashlib.sha256(canonical_json(digests)).hexdigest()


def _check_license(source: Source, config: CollectConfig, noncommercial: bool) -> None:
    """Refuse a source by its first document, before any work; later ones are counted."""
    first = next((r.outcome for r in read_source(source) if isinstance(r.outcome, Document)), None)
    if first is None:
        return
    name = first.license
    if not is_allowed(name, config.allow_licenses, noncommercial=noncommercial):
        shown = name if not source.config.is_private else UNKNOWN_LICENSE
        raise LicenseRefused(where=source.config.name, found=shown[:60])


def make_index(collection: Collection, workers: Workers) -> Path | None:
    """Return the folder of the benchmarks' runs, made once for all workers."""
    if not collection.benchmarks:
        return None
    key = f"{collection.hashes['benchmarks'][:20]}-{collection.config.overlap_chars}"
    folder = collection.root / f"index-2-{key}"  # the number changes with what it holds
    if not folder.is_dir():
        made = folder.with_name(f"{folder.name}.{os.getpid()}.tmp")
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        build_index(collection, collection.root, workers).save(made)
        try:
            made.rename(folder)
        except OSError:  # another share was first
            shutil.rmtree(made, ignore_errors=True)
    return folder


def build_index(collection: Collection, scratch: Path | None, workers: Workers) -> OverlapIndex:
    """Read the benchmarks and index their runs of characters."""
    n_bytes = collection.n_benchmark_bytes
    with progress("評価データの索引", "indexing benchmarks", n_bytes / MIB, "MiB") as advance:
        return index_benchmarks(
            collection.benchmarks,
            collection.config.overlap_chars,
            lambda n: advance(n / MIB),
            workers=workers,
            scratch=scratch,
            before_join=lambda: workers.prepare(prepare_identifiers),
        )
