"""Token shards: what a tokens folder holds, written as a stream and read without loading.

{split}-00000.tokens.npy           uint16 (uint32 above 65,535 pieces), all documents in a row
{split}-00000.loss_mask.npy        uint8: 1 where the token counts in the loss, as a label
{split}-00000.document_starts.npy  int64, n_documents + 1: document i is starts[i]:starts[i + 1]
documents-00000.jsonl.zst          id, source, group, split, n_tokens, n_bytes; no text
"""

from __future__ import annotations

import shutil
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rinsho.corpus.splits import SPLITS, Split
from rinsho.errors import BrokenRecord, PathMissing
from rinsho.json_lines import read_json_lines, write_json_lines

DOCUMENTS_FILE = "documents-00000.jsonl.zst"


@dataclass(frozen=True, slots=True)
class TokenDocument:
    """One encoded document, as the writer takes it."""

    id: str
    source: str
    group: str | None
    split: Split
    tokens: Sequence[int]
    loss_mask: Sequence[int]  # 1 where the token counts as a label
    n_bytes: int  # UTF-8 bytes of the text that the loss counts


@dataclass(frozen=True, slots=True)
class TokenSplit:
    """One split of a tokens folder; the arrays are memory-mapped."""

    tokens: NDArray[Any]  # uint16 or uint32
    loss_mask: NDArray[np.uint8]
    document_starts: NDArray[np.int64]
    ids: tuple[str, ...]
    sources: tuple[str, ...]
    groups: tuple[str | None, ...]
    n_bytes: NDArray[np.int64]  # per document: UTF-8 bytes of the text that the loss counts

    @property
    def n_documents(self) -> int:
        """Return the number of documents."""
        return len(self.document_starts) - 1

    @property
    def n_tokens(self) -> int:
        """Return the number of tokens of all documents."""
        return len(self.tokens)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Return the tokens of each document, int64, shape (n_documents,)."""
        return np.diff(self.document_starts)

    def document(self, index: int) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        """Return the tokens and the loss mask of one document, both of its length."""
        start, end = self.document_starts[index], self.document_starts[index + 1]
        return self.tokens[start:end], self.loss_mask[start:end]


class TokenWriter:
    """Write documents into shards; memory does not grow with tokens. Use it in a `with`."""

    def __init__(self, folder: Path, vocab_size: int) -> None:
        self._folder = folder
        self._dtype = np.dtype(np.uint16 if vocab_size <= 65_536 else np.uint32)
        self._splits = {split: _SplitWriter(folder, split, self._dtype) for split in SPLITS}
        self._records = array("q")  # three numbers a document: split, n_tokens, n_bytes
        self._names: list[tuple[str, str, str | None]] = []

    def write(self, document: TokenDocument) -> None:
        """Append one document to its split."""
        self._splits[document.split].write(document.tokens, document.loss_mask)
        self._names.append((document.id, document.source, document.group))
        self._records.extend((SPLITS.index(document.split), len(document.tokens), document.n_bytes))

    def __enter__(self) -> TokenWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for split in self._splits.values():
            split.close(is_complete=kind is None)
        if kind is None:
            write_json_lines(self._folder / DOCUMENTS_FILE, self._record_values())

    def _record_values(self) -> Iterator[dict[str, Any]]:
        for i, (id_, source, group) in enumerate(self._names):
            split, n_tokens, n_bytes = self._records[3 * i : 3 * i + 3]
            value: dict[str, Any] = {"id": id_, "source": source, "split": SPLITS[split]}
            if group is not None:
                value["group"] = group
            yield {**value, "n_tokens": n_tokens, "n_bytes": n_bytes}


class _SplitWriter:
    """The three arrays of one split: streamed raw, and given their headers at the end."""

    def __init__(self, folder: Path, split: Split, dtype: np.dtype[Any]) -> None:
        self._stem = folder / f"{split}-00000"
        self._dtype = dtype
        self._raw_tokens = self._path("tokens.raw").open("wb")
        self._raw_mask = self._path("loss_mask.raw").open("wb")
        self._starts = array("q", [0])

    def _path(self, ending: str) -> Path:
        return self._stem.with_name(f"{self._stem.name}.{ending}")

    def write(self, tokens: Sequence[int], loss_mask: Sequence[int]) -> None:
        if len(tokens) != len(loss_mask):
            raise BrokenRecord(
                where=self._stem.name, found=f"{len(loss_mask)}", expected=f"{len(tokens)} labels"
            )
        self._raw_tokens.write(np.asarray(tokens, dtype=self._dtype).tobytes())
        self._raw_mask.write(np.asarray(loss_mask, dtype=np.uint8).tobytes())
        self._starts.append(self._starts[-1] + len(tokens))

    def close(self, *, is_complete: bool) -> None:
        self._raw_tokens.close()
        self._raw_mask.close()
        if is_complete:
            self._to_npy("tokens", self._dtype)
            self._to_npy("loss_mask", np.dtype(np.uint8))
            starts = np.array(self._starts, dtype=np.int64)
            np.save(self._path("document_starts.npy"), starts, allow_pickle=False)

    def _to_npy(self, name: str, dtype: np.dtype[Any]) -> None:
        raw, n_values = self._path(f"{name}.raw"), self._starts[-1]
        header = {
            "descr": np.lib.format.dtype_to_descr(dtype),
            "fortran_order": False,
            "shape": (n_values,),
        }
        with raw.open("rb") as source, self._path(f"{name}.npy").open("wb") as target:
            np.lib.format.write_array_header_1_0(target, header)
            shutil.copyfileobj(source, target, 1 << 20)
        raw.unlink()


def read_token_split(folder: Path, split: Split) -> TokenSplit:
    """Open one split of a tokens folder; nothing is loaded but starts, ids and sources.

    Raises:
        PathMissing: The folder has no such split.
    """
    records = [r for r in read_json_lines(folder / DOCUMENTS_FILE) if r["split"] == split]
    return TokenSplit(
        tokens=_open_array(folder / f"{split}-00000.tokens.npy"),
        loss_mask=_open_array(folder / f"{split}-00000.loss_mask.npy"),
        document_starts=np.asarray(_open_array(folder / f"{split}-00000.document_starts.npy")),
        ids=tuple(r["id"] for r in records),
        sources=tuple(r["source"] for r in records),
        groups=tuple(r.get("group") for r in records),
        n_bytes=np.array([r["n_bytes"] for r in records], dtype=np.int64),
    )


def _open_array(path: Path) -> NDArray[Any]:
    if not path.is_file():
        raise PathMissing(where=f"{path.parent.name}/{path.name}")
    if path.stat().st_size <= 128:  # a header alone: an empty array cannot be mapped
        return np.load(path, allow_pickle=False)
    return np.load(path, mmap_mode="r", allow_pickle=False)
