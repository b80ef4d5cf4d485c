"""Checkpoints of several processes: each rank writes its rows, any number of ranks reads them.

checkpoints/step-00000200/
    rank-00000.safetensors   this rank's rows of weights, optimizer state and kept weights
    rank-00000.json          which rows they are, its random generators, size and SHA-256
    state.json               cursor, log lines, environment
    manifest.json            size and SHA-256 of all of them, written last by rank 0

Every rank's file is on the disk before rank 0 writes the manifest. The same number of ranks goes on
bit for bit; another one reads its rows out of several files, and goes on equal within rounding.
All ranks have to see one folder: on several machines, a shared file system.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from rinsho.errors import RankLost, ResumeRefused
from rinsho.manifest import FileRecord, canonical_json, flush_folder, hash_file, write_file
from rinsho.model.tensor_file import StoredTensor, list_tensors, read_tensor, write_tensors
from rinsho.training.ranks import JoinedRanks
from rinsho.training.state import CheckpointStore, Environment, Snapshot, seal
from rinsho.training.trained import Trained, local

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a parameter that one rank has."""

    start: int
    n_rows: int
    shape: tuple[int, ...]  # of the whole parameter


@dataclass(frozen=True, slots=True)
class _Stored:
    """A tensor of one rank's file; `rows` is None where it is no part of a larger one."""

    tensor: StoredTensor
    rows: Rows | None


def rows_of(module: nn.Module, rank: int, n_ranks: int) -> dict[str, Rows]:
    """Return this rank's rows of every sharded parameter, as FSDP cuts them: in even chunks."""
    found: dict[str, Rows] = {}
    for name, parameter in module.named_parameters():
        if hasattr(parameter, "device_mesh"):
            n_all = parameter.shape[0]
            start = min(n_all, rank * -(-n_all // n_ranks))
            found[name] = Rows(start, len(local(parameter)), tuple(parameter.shape))
    return found


class ShardedStore(CheckpointStore):
    """The checkpoints of one run in several processes.

    Args:
        folder: Where they lie; the same for every rank.
        here: The environment of this process.
        ranks: Who writes; a process group of its own lets them meet while the model computes.
        module: The sharded module, before it computes: which rows this rank has.
    """

    def __init__(
        self, folder: Path, here: Environment, ranks: JoinedRanks, module: nn.Module
    ) -> None:
        import torch.distributed as dist

        super().__init__(folder, dataclasses.replace(here, ranks=ranks.n_ranks))
        self._ranks = ranks
        # Only here: while the model computes, FSDP puts whole parameters where sharded ones were,
        # and a checkpoint is written at just that time.
        self._rows = rows_of(module, ranks.rank, ranks.n_ranks)
        self._group: Any = dist.new_group(backend="gloo", timeout=ranks.timeout)
        self._last_step = -1  # ranks may see the folder at different moments

    # ---------------------------------------------------------------------------- writing

    def _write(self, snapshot: Snapshot) -> None:
        """Write this rank's rows; together, a checkpoint. Drop older ones, but for the last two."""
        step = snapshot.state.step
        if step == self._last_step:
            return  # a signal right after a regular checkpoint
        self._last_step = step
        final = self._folder / f"step-{step:08d}"
        new = self._folder / f"{final.name}.new"
        self._together(self._drop_unfinished)
        self._together(lambda: self._write_rows(new, snapshot))
        self._together(lambda: self._commit(new, final, snapshot) if self._ranks.is_main else None)

    def _together(self, action: Callable[[], T]) -> T:
        """Do something on every rank and learn whether all of them could.

        Raises:
            RankLost: Another rank could not, or is gone.
        """
        import torch.distributed as dist

        error: Exception | None = None
        n_failed = torch.zeros(1)
        try:
            done = action()
        except Exception as caught:
            error, done = caught, None
            n_failed += 1
        dist.all_reduce(n_failed, group=self._group)
        if error is not None:
            raise error
        if n_failed.item():
            where = f"rank {self._ranks.rank} of {self._ranks.n_ranks}"
            raise RankLost(where=where, found="it could not write its checkpoint")
        return done  # pyright: ignore[reportReturnType]

    def _drop_unfinished(self) -> None:
        if self._ranks.is_main:
            for unfinished in self._folder.glob("*.new"):
                shutil.rmtree(unfinished)

    def _write_rows(self, new: Path, snapshot: Snapshot) -> None:
        new.mkdir(exist_ok=True)
        tensors = {
            f"{file}/{name}": tensor
            for file, named in snapshot.tensors.items()
            for name, tensor in named.items()
        }
        path = new / f"{_name(self._ranks.rank)}.safetensors"
        write_tensors(path, tensors)
        with path.open("rb") as file:
            os.fsync(file.fileno())
        index = {
            "rows": {
                name: dataclasses.asdict(found)
                for name, tensor in tensors.items()
                if (found := _rows_of_tensor(name, tensor, self._rows)) is not None
            },
            "random": snapshot.random,
            "file": dataclasses.asdict(hash_file(path)),
        }
        write_file(path.with_suffix(".json"), canonical_json(index))

    def _commit(self, new: Path, final: Path, snapshot: Snapshot) -> None:
        (new / "state.json").write_text(json.dumps(self._written(snapshot), allow_nan=False))
        # Each rank has hashed what it wrote; its index, which says so, is hashed here.
        known = {
            f"{path.stem}.safetensors": FileRecord(**json.loads(path.read_bytes())["file"])
            for path in sorted(new.glob("rank-*.json"))
        }
        if len(known) != self._ranks.n_ranks:
            raise RankLost(where=final.name, found=f"{len(known)} files of {self._ranks.n_ranks}")
        seal(new, known)
        new.rename(final)
        flush_folder(self._folder)
        self._drop_old()

    # ---------------------------------------------------------------------------- reading

    def load(self, trained: Trained) -> Snapshot | None:
        """Return this rank's part of the newest checkpoint whose bytes are right.

        Rank 0 checks them and drops what is damaged; the others take the one that it names.

        Raises:
            ResumeRefused: As in `CheckpointStore`.
        """
        newest = self._newest() if self._ranks.is_main else None
        number = -1 if newest is None else int(newest.name.removeprefix("step-"))
        step = int(self._ranks.sums(float(number) if self._ranks.is_main else 0.0)[0])
        if step < 0:
            return None
        self._last_step = step
        return self._read(self._folder / f"step-{step:08d}", trained)

    def _tensors(self, path: Path) -> dict[str, dict[str, Tensor]]:
        return read_rows(path, self._rows, self._ranks.rank, self._ranks.n_ranks)

    def _random(self, path: Path, of_main: Mapping[str, str]) -> Mapping[str, str]:
        index = path / f"{_name(self._ranks.rank)}.json"
        # A rank that was not there before keeps the generators that it has.
        return json.loads(index.read_bytes())["random"] if index.is_file() else {}


def _name(rank: int) -> str:
    return f"rank-{rank:05d}"


def _parameter(file: str, name: str) -> str:
    return name.rpartition(".")[0] if file == "optimizer" else name


def _rows_of_tensor(place: str, tensor: Tensor, rows: Mapping[str, Rows]) -> Rows | None:
    """Return which rows a tensor holds of its parameter, None where it has another shape."""
    file, _, name = place.partition("/")
    found = rows.get(_parameter(file, name))
    if found is None or tuple(tensor.shape) != (found.n_rows, *found.shape[1:]):
        return None
    return found


def is_sharded(path: Path) -> bool:
    """Return whether several ranks wrote a checkpoint."""
    return (path / f"{_name(0)}.json").is_file()


def read_rows(
    path: Path, rows: Mapping[str, Rows] | None = None, rank: int = 0, n_ranks: int = 1
) -> dict[str, dict[str, Tensor]]:
    """Read one rank's rows out of the files of as many ranks as wrote the checkpoint.

    Args:
        path: The checkpoint, of several ranks or of one process.
        rows: The rows by parameter; one that is not among them, or all when left out: whole.
        rank, n_ranks: Who reads.

    Raises:
        ResumeRefused: It holds tensors that only the same number of ranks can go on with.
    """
    stored: dict[str, list[_Stored]] = {}
    files = list(_files(path))
    n_files = len(files)
    for one in files:
        for place, tensor in one.items():
            stored.setdefault(place, []).append(tensor)
    tensors: dict[str, dict[str, Tensor]] = {}
    for place, parts in stored.items():
        file, _, name = place.partition("/")
        wanted = (rows or {}).get(_parameter(file, name))
        if parts[0].rows is not None and (wanted is None or wanted.shape == parts[0].rows.shape):
            tensor = _join(parts, wanted)
        elif not parts[0].tensor.shape or n_files == n_ranks:
            tensor = read_tensor(parts[rank if n_files == n_ranks else 0].tensor)
        else:
            found, expected = f"{n_ranks} ranks", f"{n_files} ranks"
            raise ResumeRefused(where=f"{path.name}: {place}", expected=expected, found=found)
        tensors.setdefault(file, {})[name] = tensor
    return tensors


def _files(path: Path) -> Iterable[Mapping[str, _Stored]]:
    """Yield what each rank wrote; of a plain checkpoint, all of it."""
    if not is_sharded(path):
        yield {
            f"{file.stem}/{name}": _Stored(tensor, _all_rows(tensor))
            for file in sorted(path.glob("*.safetensors"))
            for name, tensor in list_tensors(file).items()
        }
        return
    for index in sorted(path.glob("rank-*.json")):
        rows = json.loads(index.read_bytes())["rows"]
        yield {
            place: _Stored(tensor, _to_rows(rows.get(place)))
            for place, tensor in list_tensors(index.with_suffix(".safetensors")).items()
        }


def _all_rows(tensor: StoredTensor) -> Rows | None:
    return Rows(0, tensor.shape[0], tensor.shape) if tensor.shape else None


def _to_rows(written: Mapping[str, Any] | None) -> Rows | None:
    if written is None:
        return None
    return Rows(written["start"], written["n_rows"], tuple(written["shape"]))


def _join(parts: Iterable[_Stored], wanted: Rows | None) -> Tensor:
    """Put the wanted rows together, reading only files that have some of them."""
    pieces: list[Tensor] = []
    for part in sorted(parts, key=lambda p: p.rows.start if p.rows else 0):
        assert part.rows is not None
        start = 0 if wanted is None else wanted.start
        end = part.rows.shape[0] if wanted is None else wanted.start + wanted.n_rows
        first = max(start, part.rows.start) - part.rows.start
        last = min(end, part.rows.start + part.rows.n_rows) - part.rows.start
        if first < last:
            pieces.append(read_tensor(part.tensor)[first:last])
    if not pieces:
        shape = next(iter(parts)).tensor
        return torch.empty((0, *shape.shape[1:]), dtype=shape.dtype)
    return pieces[0].clone() if len(pieces) == 1 else torch.cat(pieces)
