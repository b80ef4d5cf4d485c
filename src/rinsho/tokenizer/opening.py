"""Opening the tokenizer of any model: a folder of rinsho's, a Hugging Face folder, or a hub id."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from rinsho.errors import MissingDependency, ModelNotHere, PathMissing
from rinsho.manifest import MANIFEST, FinishedFolder, canonical_json, hash_file, open_folder
from rinsho.tokenizer.tokenizer import TOKENIZER_STAGES, tokenizer_files

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w.-]+)?")


@dataclass(frozen=True, slots=True)
class OpenedTokenizer:
    """A folder that holds a tokenizer.

    Attributes:
        path: The folder.
        source: For `inputs` of `new_folder`: the checked folder, or the hash of a foreign one.
    """

    path: Path
    source: FinishedFolder | str

    @property
    def finished(self) -> list[FinishedFolder]:
        """Return the folder, where rinsho made it; else none."""
        return [self.source] if isinstance(self.source, FinishedFolder) else []


def open_tokenizer(where: str | Path) -> OpenedTokenizer:
    """Find and check the tokenizer of a folder, rinsho's or another's, or of a cached hub id.

    Raises:
        PathMissing, ModelNotHere, MissingDependency: As in `find_model`, or there is no tokenizer.
        NotFinished, Corrupt, WrongKind: As in `open_folder`.
    """
    folder, name = find_model(where)
    if (folder / MANIFEST).is_file():
        return OpenedTokenizer(folder, open_folder(folder, *TOKENIZER_STAGES))
    present = [file for file in tokenizer_files(folder) if (folder / file).is_file()]
    if not present:
        raise PathMissing(where=f"{name}/tokenizer.json")
    hashes = {file: hash_file(folder / file).sha256 for file in present}
    return OpenedTokenizer(folder, hashlib.sha256(canonical_json(hashes)).hexdigest())


def find_model(where: str | Path) -> tuple[Path, str]:
    """Return the folder of a model and what the user calls it.

    Args:
        where: A folder, or a hub id, `org/name` or `org/name@revision`, that the cache holds.

    Raises:
        PathMissing: There is no such folder.
        ModelNotHere: It reads like a hub id, and the cache does not hold it.
        MissingDependency: A hub id, and huggingface_hub is not installed.
    """
    folder, written = Path(where), str(where)
    if folder.is_dir():
        return folder, folder.resolve().name
    if not _HUB_ID.fullmatch(written):
        raise PathMissing(where=folder.name)
    return _from_cache(written), written


def _from_cache(hub_id: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
    except ModuleNotFoundError:
        raise MissingDependency(where=hub_id, found="huggingface_hub", expected="adapt") from None
    repository, _, revision = hub_id.partition("@")
    try:
        found = snapshot_download(repository, revision=revision or None, local_files_only=True)
    except (LocalEntryNotFoundError, HFValidationError):
        wanted = f"hf download {repository}" + (f" --revision {revision}" if revision else "")
        raise ModelNotHere(where=hub_id, expected=wanted) from None
    return Path(found)
