"""What answers, found and checked: weights, an adapter, another project's folder, a GGUF file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rinsho.errors import ModelCannot
from rinsho.manifest import FinishedFolder, OpenFolder, canonical_json, hash_file, open_folder

if TYPE_CHECKING:
    from rinsho.model.base import Base

GGUF = ".gguf"
_STAGES = ("pretrain", "finetune", "extend-weights", "export")


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """A model that is there.

    Attributes:
        name: What the user calls it.
        path: Its folder, or the GGUF file.
        tokenizer: The folder of its tokenizer; None of a GGUF file, which holds its own.
        inputs: For `inputs` of `new_folder`: what it is, by hash.
        base: What another project's terms are known by.
    """

    name: str
    path: Path
    tokenizer: Path | None
    inputs: dict[str, FinishedFolder | str]
    base: Base | None = None

    @property
    def is_gguf(self) -> bool:
        """Tell whether llama.cpp runs it."""
        return self.tokenizer is None

    @property
    def sha256(self) -> str:
        """Return the hash under which its answers are remembered."""
        hashes = {
            slot: one if isinstance(one, str) else one.manifest.identity_hash
            for slot, one in self.inputs.items()
        }
        return hashlib.sha256(canonical_json(hashes)).hexdigest()

    def record_license(self, folder: OpenFolder) -> None:
        """Carry the terms of a model that rinsho did not make into what is made with it."""
        if self.base is not None:
            self.base.record_license(folder)


def open_model(where: str | Path, base: str | Path | None = None) -> OpenedModel:
    """Find a model and check every byte of it.

    Args:
        where: A weights folder of rinsho's, or of CRFs; a Hugging Face folder or a hub id in the
            cache; an adapter folder; a GGUF file.
        base: Of an adapter; left out, it is looked for beside the adapter.

    Raises:
        As `open_base` and `open_adapted`.
    """
    path = Path(where)
    if path.suffix == GGUF and path.is_file():
        return OpenedModel(path.stem, path, None, {"model": hash_file(path).sha256})
    from rinsho.model.crf_tagger import is_crf

    if is_crf(path):
        crf = open_folder(path, "train-crf")
        return OpenedModel(path.resolve().name, path, path, {"model": crf})
    from rinsho.model.adapted import open_adapted
    from rinsho.model.adapter import is_adapter
    from rinsho.model.base import open_base

    if not is_adapter(path):
        found = open_base(where, *_STAGES)
        return OpenedModel(found.name, found.path, found.path, {"model": found.source}, found)
    finished, found = open_adapted(path, base)
    if finished is not None:  # its manifest names the base
        return OpenedModel(path.resolve().name, path, path, {"model": finished}, found)
    inputs = {"model": _hash_folder(path), "base": found.source}
    return OpenedModel(path.resolve().name, path, found.path, inputs, found)


def require_finished(opened: OpenedModel) -> FinishedFolder:
    """Return the checked folder of a model that rinsho made.

    Raises:
        ModelCannot: Another made it: it has no head of rinsho's.
    """
    source = opened.inputs["model"]
    if isinstance(source, str):
        raise ModelCannot(where=opened.name, found="no head", expected="engine model")
    return source


def _hash_folder(folder: Path) -> str:
    names = ("adapter_config.json", "adapter_model.safetensors")
    hashes = {name: hash_file(folder / name).sha256 for name in names}
    return hashlib.sha256(canonical_json(hashes)).hexdigest()
