"""Weights as a Hugging Face model folder: config.json, model.safetensors, generation_config.json.

No pickle is ever read. Files are written in the order of the parameters' names, without times:
the same weights give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from rinsho.errors import PathMissing, PickleRefused, WeightsMismatch
from rinsho.model.architecture import from_transformers, to_transformers
from rinsho.model.decoder import Decoder
from rinsho.model.presets import DecoderConfig

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_DTYPE_NAMES = {
    torch.float32: "F32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.uint8: "U8",  # memories of an 8-bit optimizer
    torch.int64: "I64",
}


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


def save_weights(decoder: Decoder, folder: Path, special_ids: SpecialIds | None = None) -> None:
    """Write a decoder as a folder that transformers opens.

    Args:
        decoder: The weights, in the precision in which they are stored.
        folder: An existing folder, the one that the stage hands out.
        special_ids: The tokenizer; with it, transformers stops where rinsho stops.
    """
    dtype = decoder.output_weight.dtype
    config = to_transformers(decoder.config) | {"dtype": str(dtype).removeprefix("torch.")}
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
    write_tensors(folder / WEIGHTS, decoder.state_dict())


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, indent=2, sort_keys=True).encode() + b"\n"


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors as a safetensors file, one after another, sorted by name.

    The package's own writer holds a copy of all tensors and turns a full disk into an error of its
    own kind; this one streams, and a full disk is the OSError that becomes `DiskFull`.

    Source:
        https://github.com/huggingface/safetensors#format
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, tensor in sorted(tensors.items()):
        start, end = end, end + tensor.numel() * tensor.element_size()
        shape, dtype = list(tensor.shape), _DTYPE_NAMES[tensor.dtype]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8 bytes
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, tensor in sorted(tensors.items()):
            file.write(memoryview(_bytes_of(tensor)))


def _bytes_of(tensor: Tensor) -> Any:
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()


# ------------------------------------------------------------------------------- reading


def load_decoder(
    folder: Path, *, dtype: torch.dtype | None = None, dropout: float = 0.0
) -> Decoder:
    """Read a weights folder: rinsho's own, or a Llama, Arcee, Qwen2 or Qwen3 model's.

    Args:
        folder: config.json and model.safetensors, or the shards that an index lists.
        dtype: Convert the weights; None keeps the stored precision.
        dropout: As in `Decoder`.

    Raises:
        PathMissing: No config.json or no weights.
        PickleRefused: The weights are there as a pickle only.
        UnknownArchitecture: The decoder cannot be that model.
        WeightsMismatch: A tensor is missing, unknown or of another shape, or a file is damaged.
    """
    config = read_decoder_config(folder)
    with torch.device("meta"):
        decoder = Decoder(config, dropout=dropout)
    tensors = _without_tied_copy(dict(_read_tensors(folder)), config, folder.name)
    _check_shapes(decoder.state_dict(), tensors, folder.name)
    # A tensor mapped from a file is aligned as its header falls, and matrix products differ in the
    # last bit with alignment: a copy has torch's own, whatever the folder.
    copies = {name: tensor.to(dtype or tensor.dtype, copy=True) for name, tensor in tensors.items()}
    decoder.load_state_dict(copies, assign=True)
    for parameter in decoder.parameters():
        parameter.requires_grad_(True)
    return decoder


def read_decoder_config(folder: Path) -> DecoderConfig:
    """Read the shape from a folder's config.json.

    Raises:
        PathMissing, UnknownArchitecture, WeightsMismatch
    """
    path = folder / CONFIG
    if not path.is_file():
        raise PathMissing(where=f"{folder.name}/{CONFIG}")
    try:
        value = json.loads(path.read_bytes())
    except ValueError:
        raise WeightsMismatch(
            where=f"{folder.name}/{CONFIG}", expected="JSON", found="other bytes"
        ) from None
    return from_transformers(value, where=f"{folder.name}/{CONFIG}")


def _weight_files(folder: Path) -> list[Path]:
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
    if pickles := sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern)):
        raise PickleRefused(where=f"{folder.name}/{pickles[0]}")
    raise PathMissing(where=f"{folder.name}/{WEIGHTS}")


def _read_tensors(folder: Path) -> Iterator[tuple[str, Tensor]]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    for path in _weight_files(folder):
        if not path.is_file():
            raise PathMissing(where=f"{folder.name}/{path.name}")
        try:
            tensors = load_file(path)
        except SafetensorError:
            raise WeightsMismatch(
                where=f"{folder.name}/{path.name}", expected="safetensors", found="other bytes"
            ) from None
        yield from tensors.items()


def _without_tied_copy(
    tensors: dict[str, Tensor], config: DecoderConfig, where: str
) -> dict[str, Tensor]:
    """Drop an output matrix that repeats the tied embedding, as some folders hold it."""
    copy = tensors.pop("lm_head.weight", None) if config.tie_embeddings else None
    if copy is not None and not torch.equal(copy, tensors["model.embed_tokens.weight"]):
        raise WeightsMismatch(
            where=f"{where}: lm_head.weight", expected="the tied embedding", found="another matrix"
        )
    return tensors


def _check_shapes(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], where: str) -> None:
    for name in sorted({*expected, *found}):
        want, have = (
            _describe(tensors[name]) if name in tensors else "no tensor"
            for tensors in (expected, found)
        )
        if want != have:
            raise WeightsMismatch(where=f"{where}: {name}", expected=want, found=have)


def _describe(tensor: Tensor) -> str:
    """Return the shape, and the type where it is no floating-point one."""
    kind = "" if tensor.is_floating_point() else f" {tensor.dtype}"
    return f"{list(tensor.shape)}{kind}"
