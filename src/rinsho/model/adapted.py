"""An adapter folder and its base: which base it is, and the model that both make together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rinsho.errors import AdapterMismatch, MissingInput, RinshoError
from rinsho.manifest import CONTENT, MANIFEST, FinishedFolder, open_folder, read_manifest
from rinsho.model.adapter import is_adapter, merge_adapter, open_adapter
from rinsho.model.base import WEIGHT_STAGES, Base, load_trainable, open_base

if TYPE_CHECKING:
    import torch

    from rinsho.model.decoder_protocol import TrainableDecoder


def open_adapted(
    adapter: Path, base: str | Path | None = None
) -> tuple[FinishedFolder | None, Base]:
    """Check an adapter folder and find the base that it was trained on.

    Args:
        adapter: A folder of `finetune` or `pretrain`, or another program's PEFT folder.
        base: A folder or hub id. Left out: the folder beside it that has the base's identity, or
            the hub id that the adapter names, from the local cache.

    Returns:
        The checked adapter folder (None: another program's, which has no manifest), and the base.

    Raises:
        AdapterMismatch: The base given is not the one that the manifest names by its hash.
        MissingInput: No base was given, and none is found.
        Others as in `open_base` and `open_folder`.
    """
    finished = None
    if (adapter / MANIFEST).is_file():
        finished = open_folder(adapter, *WEIGHT_STAGES)
    wanted = finished.manifest.identity.inputs.get("base") if finished else None
    if base is not None:
        found = open_base(base)
        if wanted is not None and _hash(found) != wanted:
            where = f"{adapter.name}, {found.name}"
            raise AdapterMismatch(where=where, expected=wanted[:23], found=_hash(found)[:23])
        return finished, found
    if (beside := _beside(adapter, wanted)) is not None:
        return finished, open_base(beside)
    return finished, _by_name(adapter, wanted)


def _hash(base: Base) -> str:
    if isinstance(base.source, FinishedFolder):
        return base.source.manifest.identity_hash
    return CONTENT + base.source


def _beside(adapter: Path, wanted: str | None) -> Path | None:
    """Return the folder of the same run that has the identity."""
    for folder in sorted(adapter.resolve().parent.iterdir()):
        if wanted is not None and (folder / MANIFEST).is_file():
            try:
                if read_manifest(folder).identity_hash == wanted:
                    return folder
            except RinshoError:
                continue  # another folder's damage is not this one's
    return None


def _by_name(adapter: Path, wanted: str | None) -> Base:
    """Open the base that the adapter names, where that is a hub id in the cache."""
    name = open_adapter(adapter).base_name
    if "/" not in name or Path(name).is_absolute():
        raise MissingInput(where=adapter.name, expected="base")
    found = open_base(name)
    if wanted is not None and _hash(found) != wanted:
        raise AdapterMismatch(where=adapter.name, expected=wanted[:23], found=_hash(found)[:23])
    return found


def load_adapted(
    adapter: Path,
    base: Base,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> TrainableDecoder:
    """Load a base and add an adapter to its weights.

    Raises:
        AdapterMismatch: A matrix of the adapter does not fit the base.
        Others as in `load_trainable` and `open_adapter`.
    """
    opened = open_adapter(adapter)
    decoder = load_trainable(base.path, dtype=dtype, device=device)
    merge_adapter(decoder, opened)
    return decoder


def load_any(
    folder: Path,
    base: str | Path | None = None,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> tuple[Path, TrainableDecoder]:
    """Check a model folder of any kind and load it: whole weights, or an adapter with its base.

    Returns:
        The folder that holds the tokenizer, and the decoder.

    Raises:
        As `open_base`, `open_adapted`, `load_trainable` and `merge_adapter`.
    """
    if is_adapter(folder):
        finished, found = open_adapted(folder, base)
        decoder = load_adapted(folder, found, dtype=dtype, device=device)
        return (folder if finished else found.path), decoder
    opened = open_base(folder)
    return opened.path, load_trainable(opened.path, dtype=dtype, device=device)
