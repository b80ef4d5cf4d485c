"""Safetensors files, read and written one tensor at a time: memory stays near one tensor's size.

The package's own reader maps a whole file into memory, and its writer holds a copy of all tensors.
A mapped tensor is also aligned as its header falls, and matrix products differ in the last bit with
alignment: here every tensor has torch's own.

Source:
    https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from rinsho.errors import PathMissing, WeightsMismatch

_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_MAX_HEADER_BYTES = 100_000_000  # as in the package: a damaged length must not fill the memory


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where a tensor lies on disk, and what it is."""

    path: Path
    start: int
    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def n_bytes(self) -> int:
        """Return its size."""
        return _n_bytes(self.shape, self.dtype)


def list_tensors(path: Path) -> dict[str, StoredTensor]:
    """Return what a file holds, from its header; no tensor is read.

    Raises:
        PathMissing: There is no such file.
        WeightsMismatch: It is no safetensors file, or was cut.
    """
    place = f"{path.parent.name}/{path.name}"
    if not path.is_file():
        raise PathMissing(where=place)
    try:
        return _read_header(path)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise WeightsMismatch(where=place, expected="safetensors", found="other bytes") from None


def _read_header(path: Path) -> dict[str, StoredTensor]:
    n_bytes = path.stat().st_size
    with path.open("rb") as file:
        n_header = int.from_bytes(file.read(8), "little")
        if not 2 <= n_header <= min(n_bytes - 8, _MAX_HEADER_BYTES):
            raise ValueError("the header's length")
        header = cast(dict[str, Any], json.loads(file.read(n_header)))
    first = 8 + n_header
    spans: list[tuple[int, int]] = []
    found: dict[str, StoredTensor] = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        shape, dtype = tuple(entry["shape"]), _DTYPES[entry["dtype"]]
        start, end = entry["data_offsets"]
        sizes = all(type(size) is int and 0 <= size < 1 << 48 for size in (*shape, start, end))
        if not sizes or end - start != _n_bytes(shape, dtype):
            raise ValueError("a tensor's size")
        found[name] = StoredTensor(path, first + start, shape, dtype)
        spans.append((start, end))
    ends = [0, *(end for _, end in sorted(spans))]
    if [start for start, _ in sorted(spans)] != ends[:-1] or ends[-1] != n_bytes - first:
        raise ValueError("tensors that do not fill the file")
    return found


def _n_bytes(shape: tuple[int, ...], dtype: torch.dtype) -> int:
    n_bytes = dtype.itemsize
    for size in shape:
        n_bytes *= size
    return n_bytes


def read_tensor(stored: StoredTensor) -> Tensor:
    """Read one tensor into memory of its own.

    Raises:
        WeightsMismatch: The file ends before it.
    """
    tensor = torch.empty(stored.shape, dtype=stored.dtype)
    if not tensor.numel():
        return tensor
    with stored.path.open("rb") as file:
        file.seek(stored.start)
        n_read = file.readinto(_bytes_of(tensor))
    if n_read != stored.n_bytes:
        place = f"{stored.path.parent.name}/{stored.path.name}"
        raise WeightsMismatch(where=place, expected=stored.n_bytes, found=n_read)
    return tensor


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], dtype: torch.dtype | None = None
) -> None:
    """Write a file, one tensor after another, sorted by name: the same tensors, the same bytes.

    A full disk is the OSError that becomes `DiskFull`.

    Args:
        path: The file to write.
        tensors: Of a floating-point or an integer type, on any device.
        dtype: Convert floating-point tensors; None stores them as they are.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, tensor in sorted(tensors.items()):
        stored = stored_dtype(tensor, dtype)
        start, end = end, end + tensor.numel() * stored.itemsize
        header[name] = {
            "dtype": _NAMES[stored],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8 bytes
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, tensor in sorted(tensors.items()):
            file.write(memoryview(_bytes_of(tensor.detach().to(stored_dtype(tensor, dtype)))))


def stored_dtype(tensor: Tensor, dtype: torch.dtype | None) -> torch.dtype:
    """Return the type in which a tensor is stored: integers stay what they are."""
    return dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype


def _bytes_of(tensor: Tensor) -> Any:
    return tensor.cpu().contiguous().flatten().view(torch.uint8).numpy()
