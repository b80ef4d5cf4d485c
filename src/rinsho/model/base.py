"""Opening any base model: a folder of rinsho's, a Hugging Face folder, or a hub id in the cache.

Nothing goes over the network, no pickle is read, and no program of a model is run.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rinsho.corpus.licenses import check_folders, is_allowed, license_name
from rinsho.errors import (
    LicenseRefused,
    PathMissing,
    ProgramRefused,
    UnknownArchitecture,
)
from rinsho.manifest import (
    MANIFEST,
    FinishedFolder,
    OpenFolder,
    canonical_json,
    hash_file,
    open_folder,
)
from rinsho.model.architecture import CONFIG, from_transformers, read_config_file, refuse_pickles
from rinsho.tokenizer.opening import find_model

if TYPE_CHECKING:
    import torch

    from rinsho.model.decoder_protocol import TrainableDecoder

WEIGHT_STAGES = ("pretrain", "finetune", "extend-weights", "export")
# What a model folder is made of: weights, shape, tokenizer, chat template. Not README or pickles.
_PARTS = (".safetensors", ".json", ".model", ".txt", ".jinja")
_LICENSE = re.compile(r"^license:[ \t]*([^\s#]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Base:
    """An opened base model.

    Attributes:
        name: What the user called it, without the folders above.
        path: The folder of its files.
        source: For `inputs` of `new_folder`: the checked folder, or the hash of a foreign one.
        license: What a foreign folder's README states; rinsho's folders have theirs in `source`.
    """

    name: str
    path: Path
    source: FinishedFolder | str
    license: str | None = None

    @property
    def finished(self) -> FinishedFolder | None:
        """Return the folder, where rinsho made it."""
        return self.source if isinstance(self.source, FinishedFolder) else None

    def check_license(self, allow_licenses: Collection[str], *, noncommercial: bool) -> None:
        """Refuse a base that a run may not use; one that states no license is taken.

        Raises:
            LicenseRefused
        """
        if self.finished is not None:
            check_folders([self.finished], allow_licenses, noncommercial=noncommercial)
        elif self.license is not None:
            name = license_name(self.license)
            if not is_allowed(name, allow_licenses, noncommercial=noncommercial):
                raise LicenseRefused(where=self.name, found=name[:60])

    def record_license(self, folder: OpenFolder) -> None:
        """Carry a foreign base's license and name into the folder that is made from it."""
        if self.finished is None:
            folder.licenses.add(self.license or f"{self.name}: not stated")
            folder.attributions.add(f"base model: {self.name}")


def open_base(where: str | Path, *stages: str) -> Base:
    """Find a base model and check what can be checked before its weights are read.

    Args:
        where: A finished folder of rinsho's; a Hugging Face model folder; or a hub id, `org/name`
            or `org/name@revision`, that the local cache holds.
        stages: The stages whose folders are accepted; `WEIGHT_STAGES` when left out.

    Raises:
        PathMissing: There is no such folder, or it has no config.json.
        ModelNotHere: It reads like a hub id, and the cache does not hold it.
        NotFinished, Corrupt, WrongKind: As in `open_folder`.
        PickleRefused: The weights are there as a pickle only.
        ProgramRefused: The model wants a program of its own to be run.
        WeightsMismatch: config.json is damaged.
        MissingDependency: A hub id, and huggingface_hub is not installed.
    """
    folder, name = find_model(where)
    if (folder / MANIFEST).is_file():
        source = open_folder(folder, *(stages or WEIGHT_STAGES))
        return Base(name, folder, source)
    config = read_config_file(folder)
    if config.get("auto_map"):
        raise ProgramRefused(where=name, found="auto_map", expected=CONFIG)
    if not any(folder.glob("*.safetensors")):
        refuse_pickles(folder)
        raise PathMissing(where=f"{name}/model.safetensors")
    return Base(name, folder, _hash_parts(folder), _stated_license(folder))


def _hash_parts(folder: Path) -> str:
    """Return the SHA-256 over names and hashes of all that makes up the model."""
    files = sorted(path for path in folder.iterdir() if path.suffix in _PARTS and path.is_file())
    hashes = {path.name: hash_file(path).sha256 for path in files}
    return hashlib.sha256(canonical_json(hashes)).hexdigest()


def _stated_license(folder: Path) -> str | None:
    card = folder / "README.md"
    if not card.is_file():
        return None
    text = card.read_text(encoding="utf-8", errors="replace")
    front = text.split("\n---", 1)[0] if text.startswith("---") else ""
    match = _LICENSE.search(front)
    return match[1].strip("\"'")[:80] if match else None


def is_ours(folder: Path) -> bool:
    """Tell whether our decoder computes what a folder's config.json describes.

    Raises:
        PathMissing, WeightsMismatch: There is no config.json, or it is damaged.
    """
    try:
        from_transformers(read_config_file(folder), where=f"{folder.name}/{CONFIG}")
    except UnknownArchitecture:
        return False
    return True


def load_trainable(
    folder: Path,
    *,
    dtype: torch.dtype | None = None,
    dropout: float = 0.0,
    device: torch.device | str | None = None,
) -> TrainableDecoder:
    """Load the weights of a folder: as our decoder where it is one of its families, else another.

    Args:
        folder: `Base.path`.
        dtype: Convert the weights; None keeps the stored precision.
        dropout: As in `Decoder`; another architecture keeps that of its config.json.
        device: Where the weights go; None is the CPU.

    Raises:
        PathMissing, PickleRefused, WeightsMismatch: As in `load_decoder`.
        UnknownArchitecture: transformers does not know the model either.
        MissingDependency: Another architecture, and transformers is not installed.
    """
    if is_ours(folder):
        from rinsho.model.checkpoint import load_decoder

        return load_decoder(folder, dtype=dtype, dropout=dropout, device=device)
    from rinsho.model.transformers_decoder import load_transformers_decoder

    return load_transformers_decoder(folder, dtype=dtype, device=device)
