"""Fetch a dataset: download, convert, check the hash, write; what is already right is skipped."""

from __future__ import annotations

import errno
import gzip
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shutil import disk_usage

from rinsho.datasets.catalog import Conversion, DataFile, Dataset, is_plain_path
from rinsho.datasets.conversions import Unconvertible, convert, is_known
from rinsho.datasets.download import MAX_SOURCE_BYTES, Mirror
from rinsho.datasets.presence import state_of
from rinsho.errors import (
    CannotConvert,
    DiskFull,
    DownloadDiffers,
    DownloadFailed,
    NoncommercialRefused,
    OutsideFolder,
    ReadOnly,
    RinshoError,
)
from rinsho.manifest import FileRecord, write_file


@dataclass(slots=True)
class Fetched:
    """What became of the files of a dataset.

    Attributes:
        n_present: Right before, so not asked for.
        n_repacked: Fetched with the right content, in gzip bytes of another zlib.
        failed: What went wrong, one error a file.
        n_left: Not tried after the host stopped answering, or for a person to make.
    """

    dataset: str
    n_files: int
    n_present: int = 0
    n_fetched: int = 0
    n_repacked: int = 0
    n_bytes: int = 0  # downloaded
    n_left: int = 0
    failed: list[RinshoError] = field(default_factory=list[RinshoError])

    @property
    def is_complete(self) -> bool:
        """Say whether every file is there and right."""
        return not self.failed and self.n_present + self.n_fetched == self.n_files


def refuse_terms(datasets: Sequence[Dataset], *, noncommercial: bool) -> None:
    """Raise before anything is asked for, where a license forbids it.

    Raises:
        NoncommercialRefused: A dataset is for non-commercial use, and the call does not say so.
    """
    for dataset in datasets:
        if dataset.is_noncommercial and not noncommercial:
            raise NoncommercialRefused(where=dataset.name, found=dataset.license)


def fetch_dataset(
    dataset: Dataset, mirror: Mirror, to: Path, on_file: Callable[[DataFile], None]
) -> Fetched:
    """Bring a dataset below a folder, in the layout of the data folder.

    A file that cannot be had does not stop the others; a host that does not answer does.

    Args:
        dataset: From the catalog.
        mirror: Where the publisher's files come from.
        to: The data folder; made where it is missing. Nothing is written outside it.
        on_file: Called after each file.

    Raises:
        DiskFull, ReadOnly: The folder cannot be written. What was finished is kept.
        OutsideFolder: A link below `to` leads out of it.
    """
    result = Fetched(dataset.name, len(dataset.files))
    wanted = [file for file in dataset.files if state_of(file, to) not in ("right", "repacked")]
    result.n_present = len(dataset.files) - len(wanted)
    _prepare(to, wanted)
    for number, file in enumerate(wanted):
        try:
            _fetch_file(dataset, file, mirror, to, result)
        except (DownloadFailed, DownloadDiffers, CannotConvert) as error:
            result.failed.append(error)
            if isinstance(error, DownloadFailed) and error.may_pass:  # and did not, three times
                result.n_left = len(wanted) - number - 1
                break
        on_file(file)
    return result


def place_of(to: Path, path: str) -> Path:
    """Return where a file of the catalog lies.

    Raises:
        OutsideFolder: The path, or a link on its way, leads out of the folder.
    """
    place = to / path
    if not is_plain_path(path) or not place.parent.resolve().is_relative_to(to.resolve()):
        raise OutsideFolder(where=path)
    return place


def _prepare(to: Path, wanted: Sequence[DataFile]) -> None:
    try:
        to.mkdir(parents=True, exist_ok=True)
        n_free = disk_usage(to).free
    except OSError:
        raise ReadOnly(where=to.name) from None
    if n_free < sum(file.n_bytes for file in wanted):
        raise DiskFull(where=to.name)


def _fetch_file(
    dataset: Dataset, file: DataFile, mirror: Mirror, to: Path, result: Fetched
) -> None:
    if not is_known(dataset.conversion):
        raise CannotConvert(
            where=file.path,
            found=dataset.processing,
            expected=f"{dataset.repository} @ {dataset.commit[:12]}: {dataset.source_paths}",
        )
    place = place_of(to, file.path)
    max_bytes = file.n_bytes if dataset.conversion == "verbatim" else MAX_SOURCE_BYTES
    sources: list[bytes] = []
    for path in file.sources:
        url = mirror.url(dataset.repository, dataset.commit, path)
        sources.append(mirror.get(url, max_bytes))
        result.n_bytes += len(sources[-1])
    try:
        content = convert(dataset.conversion, sources)
    except Unconvertible:
        raise DownloadDiffers(where=file.path, expected=file.sha256[:16], found="form") from None
    result.n_repacked += _check(content, file, dataset.conversion)
    _write(place, content)
    result.n_fetched += 1


def _check(content: bytes, file: DataFile, conversion: Conversion) -> bool:
    """Compare bytes with the catalog; tell whether the content alone is the same.

    Raises:
        DownloadDiffers: The content is another one.
    """
    found = FileRecord(len(content), _sha256(content))
    if found == FileRecord(file.n_bytes, file.sha256):
        return False
    is_ours = conversion != "verbatim" and file.unpacked_sha256 is not None  # so: no gzip bomb
    if is_ours and _sha256(gzip.decompress(content)) == file.unpacked_sha256:
        return True
    raise DownloadDiffers(where=file.path, expected=file.sha256[:16], found=found.sha256[:16])


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write(place: Path, content: bytes) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_file(place, content)
    except OSError as error:
        place.with_name(place.name + ".new").unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(where=place.name) from None
        raise ReadOnly(where=place.name) from None
