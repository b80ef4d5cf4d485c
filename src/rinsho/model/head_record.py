"""The head of a weights folder on disk: `head.safetensors`, and `head.json` that says what it is.

One format for all heads: the form, how the decoder reads, one entry per task with its labels in the
order of the outputs, and the hashes of the tokenizer and the weights that the head was trained on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from torch import Tensor, nn

from rinsho.errors import ModelCannot, TokenizerMismatch, WeightsMismatch
from rinsho.manifest import canonical_json, hash_file, open_folder
from rinsho.model.checkpoint import write_tensors
from rinsho.tokenizer.tokenizer import Tokenizer, read_tokenizer

HEAD, HEAD_RECORD = "head.safetensors", "head.json"
HeadForm = Literal["tagging", "pooled", "pair", "relation"]
_PREFIX = "head."  # of the head's parameters in the state of its module


@dataclass(frozen=True, slots=True)
class HeadRecord:
    """What `head.json` says."""

    form: HeadForm
    is_causal: bool
    tasks: tuple[Mapping[str, Any], ...]
    tokenizer_sha256: str
    weights_sha256: str | None = None  # None: a folder of before there was this hash
    names: Mapping[str, str] | None = None  # of tensors, where an older folder has others


def form_of(folder: Path) -> HeadForm | None:
    """Return which head lies in a folder, None without one; checks nothing."""
    path = folder / HEAD_RECORD
    return _parse(path).form if path.is_file() else None


def write_head(
    module: nn.Module,
    folder: Path,
    *,
    form: HeadForm,
    is_causal: bool,
    tasks: tuple[Mapping[str, Any], ...],
    tokenizer: Tokenizer,
) -> None:
    """Write the head of a module beside the weights that are already in the folder."""
    write_tensors(folder / HEAD, _head_state(module))
    record = {
        "form": form,
        "attention": "causal" if is_causal else "bidirectional",
        "tasks": list(tasks),
        "tokenizer_sha256": tokenizer.sha256,
        "weights_sha256": _hash_weights(folder),
    }
    text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
    (folder / HEAD_RECORD).write_text(text, encoding="utf-8")


def read_head(folder: Path, *forms: HeadForm) -> tuple[HeadRecord, Tokenizer]:
    """Check a folder with a head, every byte; return what the head is, and its tokenizer.

    Raises:
        PathMissing, NotFinished, Corrupt, WrongKind: As `manifest.open_folder`.
        ModelCannot: The folder holds no head of these forms.
        TokenizerMismatch, WeightsMismatch: The head was trained beside another tokenizer, or other
            weights, than those in the folder.
    """
    opened = open_folder(folder, "pretrain", "finetune")
    wanted = " or ".join(f'"{form}"' for form in forms)
    expected = f"weights of `finetune` with form = {wanted}"
    if HEAD_RECORD not in opened.manifest.identity.files:
        raise ModelCannot(where=folder.name, found="no head", expected=expected)
    record = _parse(folder / HEAD_RECORD)
    if record.form not in forms:
        found = f"a head of form {record.form}"
        raise ModelCannot(where=folder.name, found=found, expected=expected)
    tokenizer, place = read_tokenizer(folder), f"{folder.name}/{HEAD_RECORD}"
    if record.tokenizer_sha256 != tokenizer.sha256:
        hashes = {"expected": record.tokenizer_sha256[:16], "found": tokenizer.sha256[:16]}
        raise TokenizerMismatch(where=place, **hashes)
    if record.weights_sha256 not in (None, found := _hash_weights(folder)):
        assert record.weights_sha256 is not None
        expected = f"weights {record.weights_sha256[:16]}"
        raise WeightsMismatch(where=place, expected=expected, found=found[:16])
    return record, tokenizer


def broken_record(folder: Path) -> WeightsMismatch:
    """Return the error for a record whose tasks are of another form."""
    where = f"{folder.name}/{HEAD_RECORD}"
    return WeightsMismatch(where=where, expected="a head", found="other JSON")


def load_head(module: nn.Module, folder: Path, record: HeadRecord) -> None:
    """Fill the head of a module.

    Raises:
        WeightsMismatch: The tensors do not fit.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    where = f"{folder.name}/{HEAD}"
    try:
        tensors = load_file(folder / HEAD)
    except SafetensorError:
        raise WeightsMismatch(where=where, expected="safetensors", found="other bytes") from None
    names = record.names or {}
    tensors = {names.get(name, name): tensor for name, tensor in tensors.items()}
    found = {name: list(tensor.shape) for name, tensor in tensors.items()}
    wanted = {name: list(tensor.shape) for name, tensor in _head_state(module).items()}
    if found != wanted:
        raise WeightsMismatch(where=where, expected=wanted, found=found)
    module.load_state_dict(tensors, strict=False)


def _head_state(module: nn.Module) -> dict[str, Tensor]:
    return {name: t for name, t in module.state_dict().items() if name.startswith(_PREFIX)}


def _hash_weights(folder: Path) -> str:
    """Return one hash for the weight files of a folder, shards and adapters too."""
    files = sorted(path for path in folder.glob("*.safetensors") if path.name != HEAD)
    hashes = {path.name: hash_file(path).sha256 for path in files}
    return hashlib.sha256(canonical_json(hashes)).hexdigest()


def _parse(path: Path) -> HeadRecord:
    try:
        value = cast(dict[str, Any], json.loads(path.read_bytes()))
        if "tags" in value:  # a tagger of before there were tasks
            value["tasks"] = [{"name": "", "kind": "spans", "tags": value["tags"]}]
            value["names"] = _OLD_NAMES
        is_causal = value.get("attention") == "causal"
        return HeadRecord(
            value["form"],
            is_causal,
            tuple(value["tasks"]),
            value["tokenizer_sha256"],
            value.get("weights_sha256"),
            value.get("names"),
        )
    except (ValueError, KeyError, TypeError):
        raise broken_record(path.parent) from None


_OLD_NAMES = {
    "head.weight": "head.0.linear.weight",
    "head.bias": "head.0.linear.bias",
    **{f"crf.{name}": f"head.0.crf.{name}" for name in ("transitions", "start", "end")},
}
