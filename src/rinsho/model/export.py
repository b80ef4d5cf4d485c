"""`rinsho export`: weights as a folder for another program, with its logits proved first."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from rinsho.errors import InvalidValue, ModelCannot, WeightsMismatch
from rinsho.manifest import Manifest, OpenFolder, door, new_folder
from rinsho.model.architecture import CONFIG
from rinsho.model.base import Base, load_trainable, open_base
from rinsho.model.card import CARD, write_model_card
from rinsho.runfile import StageConfig

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from rinsho.model.decoder_protocol import TrainableDecoder

CHECKS = "export.json"
_MAX_DIFFERENCE = 1e-4  # of logits in fp32; what is more is another model
_N_ROWS, _N_TOKENS = 2, 64  # what the logits are compared on
_GENERATION = "generation_config.json"
# A tokenizer and its chat template in any of their spellings, and the terms: byte for byte.
_CARRIED = (
    "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "chat_template.jinja",
    "chat_template.json", "pieces.model", "morphology.json", "terms.jsonl.zst", _GENERATION,
)  # fmt: skip
_TERMS = ("LICENSE*", "LICENCE*", "NOTICE*", "USE_POLICY*")
_IDS = ("bos_token_id", "eos_token_id", "pad_token_id")


class ExportConfig(StageConfig):
    """Keys of `[export]`."""

    runtime: Literal["transformers", "vllm"] = Field(
        "transformers", description="the program that will run the weights (--for)"
    )
    dtype: Literal["keep", "fp32", "bf16", "fp16"] = Field(
        "keep", description="stored precision; keep: that of the base"
    )
    max_shard_gb: float = Field(5.0, gt=0, description="larger weights become several files, GB")


@door
def export(config: ExportConfig, *, base: Path, out: Path) -> Manifest:
    """Write the weights of `base` in the form and precision of another program.

    Logits of the written folder are compared with those of the base before the folder is finished;
    `export.json` holds the differences. It takes four bytes of memory per parameter.

    Args:
        config: `[export]` of the run file.
        base: A weights folder, a Hugging Face folder, or a hub id in the local cache.
        out: The folder to write.

    Raises:
        ModelCannot: A tagging head, or a tokenizer that the program cannot run.
        WeightsMismatch: The written weights give other logits than the base.
        InvalidValue: The base holds numbers that the precision cannot.
        Everything that `open_base` and `load_trainable` raise.
    """
    opened = open_base(base)
    _refuse_what_cannot_go(config, opened)
    inputs = {"base": opened.source}
    with new_folder(out, stage="export", config=config, inputs=inputs) as folder:
        opened.record_license(folder)
        checks = _export(config, opened, folder)
        (folder.path / CHECKS).write_text(json.dumps(checks, indent=1) + "\n")
        folder.keep_out_of_identity(CHECKS)  # the last digits belong to the machine
        _carry_files(opened, folder)
        write_model_card(folder, "export", [opened.finished] if opened.finished else [])
    assert folder.manifest is not None  # written on leaving `with`
    return folder.manifest


def _refuse_what_cannot_go(config: ExportConfig, base: Base) -> None:
    from rinsho.tokenizer.tokenizer import is_run_time

    if (base.path / "head.json").is_file():
        expected = "weights tuned for generation"
        raise ModelCannot(where=base.name, found="a task head", expected=expected)
    if config.runtime == "vllm" and is_run_time(base.path):
        found, expected = "a tokenizer that needs MeCab at run time", "a plain tokenizer"
        raise ModelCannot(where=base.name, found=found, expected=expected)


def _export(config: ExportConfig, base: Base, folder: OpenFolder) -> dict[str, Any]:
    """Write the weights; return what was compared."""
    import torch

    decoder = _weights(base)
    stored = decoder.output_weight.dtype
    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    dtype = dtypes.get(config.dtype, stored)
    tokens = _tokens(decoder)
    expected = _logits(decoder, tokens)
    n_parameters = sum(parameter.numel() for parameter in decoder.parameters())
    form = _write(config, decoder, dtype, folder.path)
    del decoder
    _carry_ids(base.path, folder.path)
    found = _logits(load_trainable(folder.path, dtype=torch.float32), tokens)
    difference = _compare(expected, found, config, is_same=dtype in (stored, torch.float32))
    precision = str(dtype).removeprefix("torch.")
    folder.count(n_parameters=n_parameters, architecture=form, stored_precision=precision)
    return {
        "compared": "logits in fp32 of the written folder against those of the base",
        "tokens": list(tokens.shape),
        "base_precision": str(stored).removeprefix("torch."),
        "stored_precision": precision,
        "largest_logit_difference": difference,
        "largest_logit": float(expected.abs().max()),
        "same_first_choice": float((expected.argmax(-1) == found.argmax(-1)).float().mean()),
    }


def _weights(base: Base) -> TrainableDecoder:
    """Read the weights that go out. An adapter would be merged into its base's weights here."""
    return load_trainable(base.path).eval()


def _tokens(decoder: TrainableDecoder) -> Tensor:
    import torch

    n_tokens = min(_N_TOKENS, decoder.config.context_length)
    generator = torch.Generator().manual_seed(0)
    return torch.randint(decoder.config.vocab_size, (_N_ROWS, n_tokens), generator=generator)


def _logits(decoder: TrainableDecoder, tokens_BT: Tensor) -> Tensor:
    import torch

    from rinsho.model.decoder_protocol import as_module

    as_module(decoder).float().eval()
    with torch.inference_mode():
        hidden = decoder.forward_hidden(tokens_BT.flatten(), [tokens_BT.shape[1]] * len(tokens_BT))
        return decoder.logits(hidden)


def _write(
    config: ExportConfig, decoder: TrainableDecoder, dtype: torch.dtype, folder: Path
) -> str:
    """Write the weights in the form that the program knows; return the architecture's name."""
    from rinsho.model.checkpoint import save_weights
    from rinsho.model.decoder import Decoder
    from rinsho.model.llama_form import as_llama
    from rinsho.model.transformers_decoder import TransformersDecoder, save_transformers_decoder

    max_bytes = round(config.max_shard_gb * 1e9)
    if isinstance(decoder, TransformersDecoder):
        save_transformers_decoder(decoder.to(dtype), folder, max_shard_bytes=max_bytes)
    else:
        assert isinstance(decoder, Decoder)  # there is no third kind
        written = as_llama(decoder) if config.runtime == "vllm" else decoder
        save_weights(written, folder, dtype=dtype, max_shard_bytes=max_bytes)
    return str(json.loads((folder / CONFIG).read_bytes())["architectures"][0])


def _compare(expected: Tensor, found: Tensor, config: ExportConfig, *, is_same: bool) -> float:
    """Return the largest difference; refuse one that no rounding explains."""
    difference = float((expected - found).abs().max())
    if not found.isfinite().all():
        place = f'[export] dtype = "{config.dtype}"'
        raise InvalidValue(where=place, found="not every weight fits it", expected="bf16 or fp32")
    if is_same and not difference <= _MAX_DIFFERENCE:
        limit = f"logits within {_MAX_DIFFERENCE:g}"
        raise WeightsMismatch(where="export", expected=limit, found=f"{difference:.2g}")
    return difference


def _carry_ids(base: Path, folder: Path) -> None:
    """Keep the ids that generation stops at, as the base states them."""
    stated = json.loads((base / CONFIG).read_bytes())
    config = json.loads((folder / CONFIG).read_bytes())
    config |= {name: stated[name] for name in _IDS if name in stated}
    (folder / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def _carry_files(base: Base, folder: OpenFolder) -> None:
    """Copy tokenizer, chat template and terms of use as they are."""
    terms = (path.name for pattern in _TERMS for path in sorted(base.path.glob(pattern)))
    for name in (*_CARRIED, *terms):
        if (base.path / name).is_file():
            shutil.copyfile(base.path / name, folder.path / name)
    if base.finished is None and (base.path / CARD).is_file():
        shutil.copyfile(base.path / CARD, folder.path / "README.base.md")
