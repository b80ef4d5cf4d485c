"""Weights as a Hugging Face model folder: config.json, safetensors, generation_config.json.

No pickle is ever read. Files are written in the order of the parameters' names, without times:
the same weights give the same bytes. Reading and writing go tensor by tensor.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from rinsho.errors import PathMissing, WeightsMismatch
from rinsho.model.architecture import (
    CONFIG,
    from_transformers,
    read_config_file,
    refuse_pickles,
    to_transformers,
)
from rinsho.model.decoder import Decoder
from rinsho.model.presets import DecoderConfig
from rinsho.model.tensor_file import (
    StoredTensor,
    list_tensors,
    read_tensor,
    stored_dtype,
    write_tensors,
)

__all__ = [
    "CONFIG",
    "INDEX",
    "MAX_SHARD_BYTES",
    "WEIGHTS",
    "SpecialIds",
    "empty_decoder",
    "load_decoder",
    "read_decoder_config",
    "save_weights",
    "stored_tensors",
    "weight_files",
    "write_shards",
    "write_tensors",
]

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
MAX_SHARD_BYTES = 5_000_000_000  # as transformers' 5 GB: what hubs and copies take well
# Files of old Llama models hold this table, which follows from the config.
_COMPUTED = ".rotary_emb.inv_freq"


class SpecialIds(Protocol):
    """The ids that generation needs; a `Tokenizer` has them."""

    @property
    def pad_id(self) -> int:
        """Return the id that fills rows."""
        ...

    @property
    def bos_id(self) -> int:
        """Return the id that begins every text."""
        ...

    @property
    def eos_id(self) -> int:
        """Return the id that ends a document."""
        ...

    @property
    def end_of_turn_id(self) -> int:
        """Return the id that ends a turn."""
        ...


# ------------------------------------------------------------------------------- writing


def save_weights(
    decoder: Decoder,
    folder: Path,
    special_ids: SpecialIds | None = None,
    *,
    dtype: torch.dtype | None = None,
    max_shard_bytes: int = MAX_SHARD_BYTES,
) -> None:
    """Write a decoder as a folder that transformers opens.

    Args:
        decoder: The weights.
        folder: An existing folder, the one that the stage hands out.
        special_ids: The tokenizer; with it, transformers stops where rinsho stops.
        dtype: The precision in which they are stored; None stores them as they are.
        max_shard_bytes: Larger weights are written as several files with an index.
    """
    stored = stored_dtype(decoder.output_weight, dtype)
    config = to_transformers(decoder.config) | {"dtype": str(stored).removeprefix("torch.")}
    generation: dict[str, Any] = {"do_sample": False}
    if special_ids is not None:
        ids = {
            "bos_token_id": special_ids.bos_id,
            "eos_token_id": [special_ids.end_of_turn_id, special_ids.eos_id],
            "pad_token_id": special_ids.pad_id,
        }
        config, generation = config | ids, generation | ids
    (folder / CONFIG).write_bytes(_json(config))
    (folder / "generation_config.json").write_bytes(_json(generation))
    write_shards(folder, decoder.state_dict(), dtype, max_shard_bytes)


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, indent=2, sort_keys=True).encode() + b"\n"


def write_shards(
    folder: Path,
    tensors: Mapping[str, Tensor],
    dtype: torch.dtype | None = None,
    max_shard_bytes: int = MAX_SHARD_BYTES,
) -> None:
    """Write tensors as model.safetensors, or as shards with an index where they are larger."""
    sizes = {
        name: tensor.numel() * stored_dtype(tensor, dtype).itemsize
        for name, tensor in sorted(tensors.items())
    }
    shards = _fill(sizes, max_shard_bytes)
    if len(shards) == 1:
        write_tensors(folder / WEIGHTS, tensors, dtype)
        return
    weight_map: dict[str, str] = {}
    for number, names in enumerate(shards, start=1):
        file = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        write_tensors(folder / file, {name: tensors[name] for name in names}, dtype)
        weight_map |= dict.fromkeys(names, file)
    index = {"metadata": {"total_size": sum(sizes.values())}, "weight_map": weight_map}
    (folder / INDEX).write_bytes(_json(index))


def _fill(sizes: Mapping[str, int], max_bytes: int) -> list[list[str]]:
    """Cut names in order into groups of at most so many bytes; a larger one stands alone."""
    groups: list[list[str]] = [[]]
    n_bytes = 0
    for name, size in sizes.items():
        if groups[-1] and n_bytes + size > max_bytes:
            groups.append([])
            n_bytes = 0
        groups[-1].append(name)
        n_bytes += size
    return groups


# ------------------------------------------------------------------------------- reading


def load_decoder(
    folder: Path,
    *,
    dtype: torch.dtype | None = None,
    dropout: float = 0.0,
    device: torch.device | str | None = None,
) -> Decoder:
    """Read a weights folder: rinsho's own, or a Llama, Arcee, Qwen2 or Qwen3 model's.

    Shapes are checked before anything is read; then memory holds the model and one tensor more.

    Args:
        folder: config.json and model.safetensors, or the shards that an index lists.
        dtype: Convert the weights; None keeps the stored precision.
        dropout: As in `Decoder`.
        device: Where the weights go, one after another; None is the CPU.

    Raises:
        PathMissing: No config.json, no weights, or a shard of the index is not there.
        PickleRefused: The weights are there as a pickle only.
        UnknownArchitecture: The decoder cannot be that model.
        WeightsMismatch: A tensor is missing, unknown or of another shape, or a file is damaged.
    """
    decoder = empty_decoder(folder, dropout)
    tensors = dict(_read(stored_tensors(decoder, folder), dtype, device))
    decoder.load_state_dict(tensors, assign=True)
    for parameter in decoder.parameters():
        parameter.requires_grad_(True)
    return decoder


def empty_decoder(folder: Path, dropout: float = 0.0) -> Decoder:
    """Return a decoder of a folder's shape, without memory for its weights."""
    with torch.device("meta"):
        return Decoder(read_decoder_config(folder), dropout=dropout)


def stored_tensors(decoder: Decoder, folder: Path) -> dict[str, StoredTensor]:
    """Return where each tensor of a decoder lies in a folder; names and shapes are checked.

    Raises:
        PathMissing, PickleRefused, WeightsMismatch: As in `load_decoder`.
    """
    stored = {
        name: tensor
        for path in weight_files(folder)
        for name, tensor in list_tensors(path).items()
        if not name.endswith(_COMPUTED)
    }
    is_tied = decoder.config.tie_embeddings
    tied_copy = stored.pop("lm_head.weight", None) if is_tied else None
    _check_shapes(decoder.state_dict(), stored, folder.name)
    if tied_copy is not None:
        _check_tied(tied_copy, stored["model.embed_tokens.weight"], folder.name)
    return stored


def _read(
    stored: Mapping[str, StoredTensor],
    dtype: torch.dtype | None,
    device: torch.device | str | None,
) -> Iterator[tuple[str, Tensor]]:
    for name, one in stored.items():
        yield name, read_tensor(one).to(device=device, dtype=dtype)


def _check_tied(copy: StoredTensor, embedding: StoredTensor, where: str) -> None:
    """Refuse an output matrix that does not repeat the tied embedding, as some folders hold it."""
    same = copy.shape == embedding.shape and torch.equal(read_tensor(copy), read_tensor(embedding))
    if not same:
        raise WeightsMismatch(
            where=f"{where}: lm_head.weight", expected="the tied embedding", found="another matrix"
        )


def read_decoder_config(folder: Path) -> DecoderConfig:
    """Read the shape from a folder's config.json.

    Raises:
        PathMissing, UnknownArchitecture, WeightsMismatch
    """
    return from_transformers(read_config_file(folder), where=f"{folder.name}/{CONFIG}")


def weight_files(folder: Path) -> list[Path]:
    """Return the files that hold a folder's weights; whether each is there is not checked.

    Raises:
        WeightsMismatch: The index is damaged.
        PickleRefused, PathMissing: There are no safetensors.
    """
    index = folder / INDEX
    if index.is_file():
        try:
            shards = cast(dict[str, str], json.loads(index.read_bytes())["weight_map"]).values()
            # Names only: an index must not lead out of its folder.
            return [folder / Path(name).name for name in sorted(set(shards))]
        except (ValueError, KeyError, TypeError, AttributeError):
            place = f"{folder.name}/{INDEX}"
            raise WeightsMismatch(where=place, expected="an index", found="other JSON") from None
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    refuse_pickles(folder)
    raise PathMissing(where=f"{folder.name}/{WEIGHTS}")


def _check_shapes(
    expected: Mapping[str, Tensor], found: Mapping[str, StoredTensor], where: str
) -> None:
    for name in sorted({*expected, *found}):
        want = _describe(expected[name]) if name in expected else "no tensor"
        have = _describe(found[name]) if name in found else "no tensor"
        if want != have:
            raise WeightsMismatch(where=f"{where}: {name}", expected=want, found=have)


def _describe(tensor: Tensor | StoredTensor) -> str:
    """Return the shape, and the type where it is no floating-point one."""
    kind = "" if tensor.dtype.is_floating_point else f" {tensor.dtype}"
    return f"{list(tensor.shape)}{kind}"
