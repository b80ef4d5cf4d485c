"""`rinsho extend-weights`: rows for the new tokens of an extended tokenizer.

A new token starts as the mean of the tokens that stood for the same text: in the input embedding,
and in the output matrix where it is another. No other number of the model changes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rinsho.errors import TokenizerMismatch
from rinsho.manifest import (
    MANIFEST,
    FinishedFolder,
    Manifest,
    OpenFolder,
    door,
    new_folder,
    open_folder,
)
from rinsho.model.base import open_base
from rinsho.runfile import StageConfig

if TYPE_CHECKING:
    from rinsho.model.checkpoint import SpecialIds
    from rinsho.model.decoder import Decoder

_EXTENSION_FILE = "extension.json"
_NOT_THE_TOKENIZER = (MANIFEST, _EXTENSION_FILE)


class ExtendWeightsConfig(StageConfig):
    """Nothing to choose: the extended tokenizer says which rows come from which."""


@dataclass(frozen=True, slots=True)
class NewRow:
    """A token without a row yet, and the tokens whose rows it starts from."""

    id: int
    parts: tuple[int, ...]


@door
def extend_weights(
    config: ExtendWeightsConfig, *, base: Path, tokenizer: Path, out: Path
) -> Manifest:
    """Write the weights of `base` with a row for every token of an extended tokenizer.

    Args:
        config: `[extend-weights]` of the run file.
        base: A weights folder of rinsho's, a Hugging Face folder, or a hub id in the local cache,
            of a model the decoder can be.
        tokenizer: A folder of `extend-tokenizer`, made from the tokenizer of `base`.
        out: The weights folder to write.

    Raises:
        TokenizerMismatch: The base has fewer rows than the tokenizer's base has tokens.
        Everything that `open_base` and `load_decoder` raise.
    """
    extended = open_folder(tokenizer, "extend-tokenizer")
    opened = open_base(base)
    inputs = {"base": opened.source, "tokenizer": extended}
    with new_folder(out, stage="extend-weights", config=config, inputs=inputs) as folder:
        opened.record_license(folder)
        _extend(opened.path, extended, folder)
    assert folder.manifest is not None  # written on leaving `with`
    return folder.manifest


def _extend(base: Path, extended: FinishedFolder, folder: OpenFolder) -> None:
    from rinsho.model.checkpoint import load_decoder, save_weights
    from rinsho.tokenizer.base_tokenizer import copy_files

    record: dict[str, Any] = json.loads((extended.path / _EXTENSION_FILE).read_bytes())
    rows = [NewRow(int(one["id"]), tuple(one["parts"])) for one in record["new"]]
    decoder = load_decoder(base)
    n_rows = decoder.config.vocab_size
    if n_rows < int(record["base_ids"]):
        raise TokenizerMismatch(where=base.name, expected=n_rows, found=record["base_ids"])
    add_rows(decoder, rows)
    save_weights(decoder, folder.path, _special_ids(base, extended.path))
    names = sorted(extended.manifest.identity.files)
    copy_files(
        extended.path, folder.path, [n for n in names if n not in _NOT_THE_TOKENIZER and _is(n)]
    )
    folder.count(rows_before=n_rows, rows=decoder.config.vocab_size, new_rows=len(rows))


def _is(name: str) -> bool:
    return not name.startswith("measure.")


def add_rows(decoder: Decoder, rows: Sequence[NewRow]) -> None:
    """Give every new token a row, in place: the mean of the rows of its parts.

    Rows that pad the matrix behind the base's tokens (Qwen2 has some) are used first.

    Args:
        decoder: Its matrices have the shape (vocab_size, d_model).
        rows: The new tokens, in the order of their ids.
    """
    import torch

    n_rows = max([decoder.config.vocab_size, *(row.id + 1 for row in rows)])
    tied = decoder.config.tie_embeddings
    with torch.no_grad():
        for module in (decoder.model.embed_tokens, *(() if tied else (decoder.lm_head,))):
            old_VD = module.weight
            new_VD = old_VD.new_zeros(n_rows, old_VD.shape[1])
            new_VD[: len(old_VD)] = old_VD
            for row in rows:
                # In 32 bits: a mean of many rows in bf16 would lose what tells them apart.
                mean_D = old_VD[list(row.parts)].float().mean(dim=0)
                new_VD[row.id] = mean_D.to(old_VD.dtype)
            module.weight = torch.nn.Parameter(new_VD)
    decoder.config = decoder.config.model_copy(update={"vocab_size": n_rows})


@dataclass(frozen=True, slots=True)
class _Ids:
    pad_id: int
    bos_id: int
    eos_id: int
    end_of_turn_id: int


def _special_ids(base: Path, tokenizer: Path) -> SpecialIds | None:
    """Return what generation stops at: as our tokenizer says, else as the base's files say."""
    from rinsho.tokenizer.tokenizer import MODEL_FILE, is_run_time, read_tokenizer

    if (tokenizer / MODEL_FILE).is_file() or is_run_time(tokenizer):
        return read_tokenizer(tokenizer)
    found: dict[str, Any] = {}
    for name in ("config.json", "generation_config.json"):
        if (base / name).is_file():
            found |= json.loads((base / name).read_bytes())
    end: Any = found.get("eos_token_id")
    ends: list[Any] = end if isinstance(end, list) else [end]
    if ends == [None]:
        return None
    first, last = int(str(ends[0])), int(str(ends[-1]))
    pad, bos = (found.get(f"{name}_token_id") for name in ("pad", "bos"))
    return _Ids(last if pad is None else pad, last if bos is None else bos, last, first)
