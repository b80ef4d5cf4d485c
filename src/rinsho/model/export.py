"""`rinsho export`: weights as a folder for another program, with its logits proved first."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from rinsho.errors import InvalidValue, ModelCannot, PathMissing, WeightsMismatch
from rinsho.manifest import FinishedFolder, Manifest, OpenFolder, door, hash_file, new_folder
from rinsho.model.adapted import open_adapted
from rinsho.model.adapter import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    is_adapter,
    merge_adapter,
    open_adapter,
)
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
# Of what an adapter changes in the logits, as root mean squares: what rounding may take away.
_MAX_SHARE_LOST = 0.5
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

    runtime: Literal["transformers", "vllm", "gguf"] = Field(
        "transformers", description="the program that will run the weights (--for)"
    )
    dtype: Literal["keep", "fp32", "bf16", "fp16", "q8_0"] = Field(
        "keep", description="stored precision; keep: that of the base, of gguf fp16; q8_0: gguf"
    )
    max_shard_gb: float = Field(5.0, gt=0, description="larger weights become several files, GB")


@door
def export(config: ExportConfig, *, base: Path, out: Path, adapter: Path | None = None) -> Manifest:
    """Write the weights of `base` in the form and precision of another program.

    Logits of the written folder are compared with those of the base before the folder is finished;
    `export.json` holds the differences. It takes four bytes of memory per parameter.

    An adapter is added to the weights of its base in fp32, and the sums are rounded to the
    precision that is asked for. The adapter of QLoRA goes into the weights that it was trained
    beside in 4 bits, not into those.

    Args:
        config: `[export]` of the run file.
        base: A weights folder, a Hugging Face folder, or a hub id in the local cache. An adapter
            folder stands for the base that is found for it.
        out: The folder to write.
        adapter: What is merged into the base: a folder of `finetune` or `pretrain`, or PEFT's.

    Raises:
        ModelCannot: A tagging head, or a tokenizer that the program cannot run.
        WeightsMismatch: The written weights give other logits than the base.
        InvalidValue: The base holds numbers that the precision cannot, or an adapter changes less
            than the precision rounds away.
        AdapterMismatch, MissingInput: The base is not the adapter's, or none is found.
        Everything that `open_base` and `load_trainable` raise.
    """
    model = _open(base, adapter)
    _refuse_what_cannot_go(config, model.base)
    with new_folder(out, stage="export", config=config, inputs=model.inputs) as folder:
        model.base.record_license(folder)
        checks = _export(config, model, folder)
        (folder.path / CHECKS).write_text(json.dumps(checks, indent=1) + "\n")
        folder.keep_out_of_identity(CHECKS)  # the last digits belong to the machine
        _carry_files(model.base, folder)
        made = (model.base.finished, model.finished_adapter)
        write_model_card(folder, "export", [one for one in made if one is not None])
    assert folder.manifest is not None  # written on leaving `with`
    return folder.manifest


@dataclass(frozen=True, slots=True)
class _Model:
    """What is exported: a base, perhaps with an adapter."""

    base: Base
    adapter: Path | None = None
    finished_adapter: FinishedFolder | None = None

    @property
    def inputs(self) -> dict[str, FinishedFolder | Sequence[FinishedFolder] | str]:
        """Return what the manifest chains."""
        found: dict[str, FinishedFolder | Sequence[FinishedFolder] | str] = {
            "base": self.base.source
        }
        if self.adapter is not None:
            hashed = hash_file(self.adapter / ADAPTER_WEIGHTS).sha256
            found["adapter"] = self.finished_adapter or hashed
        return found


def _open(base: Path, adapter: Path | None) -> _Model:
    if adapter is None and is_adapter(base):
        finished, found = open_adapted(base)
        return _Model(found, base, finished)
    if adapter is None:
        return _Model(open_base(base))
    if not is_adapter(adapter):
        raise PathMissing(where=f"{adapter.name}/{ADAPTER_CONFIG}")
    finished, found = open_adapted(adapter, base)
    return _Model(found, adapter, finished)


def _refuse_what_cannot_go(config: ExportConfig, base: Base) -> None:
    from rinsho.tokenizer.tokenizer import is_run_time

    is_gguf = config.runtime == "gguf"
    if config.dtype not in (
        ("keep", "fp16", "q8_0") if is_gguf else ("keep", "fp32", "bf16", "fp16")
    ):
        expected = "fp16 or q8_0" if is_gguf else "keep, fp32, bf16 or fp16"
        raise InvalidValue(where="[export] dtype", found=config.dtype, expected=expected)

    if (base.path / "head.json").is_file():
        expected = "weights tuned for generation"
        raise ModelCannot(where=base.name, found="a task head", expected=expected)
    if config.runtime == "vllm" and is_run_time(base.path):
        found, expected = "a tokenizer that needs MeCab at run time", "a plain tokenizer"
        raise ModelCannot(where=base.name, found=found, expected=expected)


def _export(config: ExportConfig, model: _Model, folder: OpenFolder) -> dict[str, Any]:
    """Write the weights; return what was compared."""
    import torch

    decoder = load_trainable(model.base.path).eval()
    stored = decoder.output_weight.dtype
    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    dtype = dtypes.get(config.dtype, stored)
    tokens = _tokens(decoder)
    expected = _logits(decoder, tokens)
    effect = None
    if model.adapter is not None:
        merge_adapter(decoder, open_adapter(model.adapter))  # in fp32, as `_logits` left it
        plain, expected = expected, _logits(decoder, tokens)
        effect = _root_mean_square(expected - plain)
    n_parameters = sum(parameter.numel() for parameter in decoder.parameters())
    if config.runtime == "gguf":
        form, precision, read_back = _write_gguf(config, decoder, model.base.path, folder.path)
        is_same = False
    else:
        form = _write(config, decoder, dtype, folder.path)
        precision = str(dtype).removeprefix("torch.")
        _carry_ids(model.base.path, folder.path)
        read_back = load_trainable(folder.path, dtype=torch.float32)
        is_same = dtype == torch.float32 or (dtype == stored and effect is None)
    del decoder
    found = _logits(read_back, tokens)
    difference = _compare(expected, found, config, is_same=is_same)
    folder.count(n_parameters=n_parameters, architecture=form, stored_precision=precision)
    against = "the base" if effect is None else "the base with its adapter"
    checks: dict[str, Any] = {
        "compared": f"logits in fp32 of the written folder against those of {against}",
        "tokens": list(tokens.shape),
        "base_precision": str(stored).removeprefix("torch."),
        "stored_precision": precision,
        "largest_logit_difference": difference,
        "largest_logit": float(expected.abs().max()),
        "same_first_choice": float((expected.argmax(-1) == found.argmax(-1)).float().mean()),
    }
    if effect is not None:
        checks |= _check_effect(effect, _root_mean_square(expected - found), config)
    return checks


def _root_mean_square(values: Tensor) -> float:
    return float(values.square().mean().sqrt())


def _check_effect(effect: float, lost: float, config: ExportConfig) -> dict[str, float]:
    """Refuse a precision that rounds away what an adapter learned; return both sizes."""
    if lost > max(_MAX_DIFFERENCE, _MAX_SHARE_LOST * effect):
        place = f'[export] dtype = "{config.dtype}"'
        found = f"the adapter moves logits by {effect:.2g}, rounding by {lost:.2g}"
        raise InvalidValue(where=place, found=found, expected="fp32, or the adapter unmerged")
    return {"adapter_moves_logits_by": effect, "rounding_moves_logits_by": lost}


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


def _write_gguf(
    config: ExportConfig, decoder: TrainableDecoder, tokenizer: Path, folder: Path
) -> tuple[str, str, TrainableDecoder]:
    """Write one GGUF file; return the architecture, the precision, and what is read back."""
    from rinsho.model.decoder import Decoder
    from rinsho.model.gguf_file import GGUF_FILE, read_gguf, refuse_gguf, write_gguf

    if not isinstance(decoder, Decoder):
        expected = "a model of rinsho's own families"
        raise ModelCannot(where=tokenizer.name, found="another architecture", expected=expected)
    refuse_gguf(decoder.config, tokenizer)
    stored_as = "q8_0" if config.dtype == "q8_0" else "fp16"
    form = write_gguf(decoder, tokenizer, folder / GGUF_FILE, stored_as)
    return form, stored_as, read_gguf(folder / GGUF_FILE, decoder.config)


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
