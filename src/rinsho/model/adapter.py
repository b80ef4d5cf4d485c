"""Adapters: small trained matrices beside frozen weights, as PEFT writes and reads them.

PEFT puts them into the decoder in place; a folder is PEFT's own, and needs no map, because our
parameters carry Hugging Face's names. To use an adapter PEFT is not needed: it is added to weights.
"""

# D_in, D_out of a matrix, R rank

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import Field

from rinsho.errors import AdapterMismatch, InvalidValue, MissingDependency, UnknownFormat
from rinsho.runfile import StageConfig

if TYPE_CHECKING:
    from torch import Tensor, nn

    from rinsho.model.decoder_protocol import TrainableDecoder

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_PREFIX = "base_model.model."  # PEFT's names begin so
_NAME = "default"  # of the one adapter inside PEFT's modules; not in files
_LORA = re.compile(rf"\.(lora_[AB])\.{_NAME}\.")
_KEPT = re.compile(rf"\.modules_to_save\.{_NAME}\.")
# Settings of other kinds of LoRA, which are not a product of two matrices added to a third.
_OTHER_KINDS = (
    "use_dora",
    "fan_in_fan_out",
    "rank_pattern",
    "alpha_pattern",
    "target_parameters",
    "trainable_token_indices",
    "lora_bias",
)


class AdapterSettings(StageConfig):
    """Keys of `[finetune.adapter]` and `[pretrain.adapter]`."""

    kind: Literal["lora", "qlora"] = Field(
        "lora", description="qlora: the frozen matrices in 4 bits (NF4, double quantisation)"
    )
    rank: int = Field(16, gt=0, le=4_096, description="inner width of each pair of matrices")
    alpha: float = Field(32.0, gt=0, description="the product is scaled by alpha / rank")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of an adapter's inputs set to 0")
    targets: tuple[str, ...] = Field(
        (), description="names of linear layers; left out: all of attention and MLP"
    )
    modules_to_save: tuple[str, ...] = Field(
        (), description="modules trained whole beside it, as embed_tokens and lm_head"
    )


def attach_adapter(decoder: TrainableDecoder, settings: AdapterSettings) -> None:
    """Freeze a decoder and put a fresh adapter into it, in place: it changes nothing yet.

    Start values come from torch's global generator.

    Raises:
        InvalidValue: A target or a module to save matches nothing, or a tied embedding would be
            saved alone.
        MissingDependency: PEFT is not installed.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ModuleNotFoundError:
        raise MissingDependency(where="adapter", found="peft", expected="adapt") from None
    view = _View(decoder)
    targets, kept = _match(decoder, settings)
    peft_config = LoraConfig(
        r=settings.rank,
        lora_alpha=cast(int, settings.alpha),
        lora_dropout=settings.dropout,
        target_modules=list(targets),
        modules_to_save=list(kept) or None,
        task_type="CAUSAL_LM",
    )
    inject_adapter_in_model(peft_config, view.module, adapter_name=_NAME)
    view.put_back()


def linear_targets(decoder: TrainableDecoder) -> tuple[str, ...]:
    """Return the last names of all linear layers but the output matrix, sorted."""
    return tuple(sorted({name.rpartition(".")[2] for name in _linears(decoder)}))


def _linears(decoder: TrainableDecoder) -> Iterator[str]:
    from torch import nn

    from rinsho.model.decoder_protocol import as_module

    output = decoder.output_weight
    for name, module in as_module(decoder).named_modules():
        if isinstance(module, nn.Linear) and module.weight is not output:
            yield name


def _match(
    decoder: TrainableDecoder, settings: AdapterSettings
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return targets and modules to save, each of which matches something."""
    from rinsho.model.decoder_protocol import as_module

    known = linear_targets(decoder)
    for target in settings.targets:
        if target not in known:
            expected = ", ".join(known)
            raise InvalidValue(where="adapter.targets", found=target, expected=expected)
    owners = _parents(as_module(decoder))
    for name in settings.modules_to_save:
        if name not in owners or name in (settings.targets or known):
            expected = ", ".join(sorted(owners - set(known)))
            raise InvalidValue(where="adapter.modules_to_save", found=name, expected=expected)
    if settings.modules_to_save and _is_tied(decoder, settings.modules_to_save):
        expected = "a base whose embeddings are not tied, or no modules_to_save"
        raise InvalidValue(
            where="adapter.modules_to_save", found="a tied embedding", expected=expected
        )
    return settings.targets or known, settings.modules_to_save


def _parents(module: nn.Module) -> set[str]:
    """Return the last names of modules that own parameters themselves."""
    return {
        name.rpartition(".")[2]
        for name, one in module.named_modules()
        if name and any(True for _ in one.parameters(recurse=False))
    }


def _is_tied(decoder: TrainableDecoder, names: tuple[str, ...]) -> bool:
    """Tell whether the output matrix is that of an embedding, and one of both would be copied."""
    from torch import nn

    from rinsho.model.decoder_protocol import as_module

    embeddings = [
        (name, module)
        for name, module in as_module(decoder).named_modules()
        if isinstance(module, nn.Embedding) and module.weight is decoder.output_weight
    ]
    tied = {name.rpartition(".")[2] for name, _ in embeddings} | {"lm_head", "embed_out"}
    return bool(embeddings) and any(name in tied for name in names)


class _View:
    """The modules of a decoder under Hugging Face's names, as PEFT should see them.

    Ours has a config that PEFT does not know; that of transformers lies one module deeper.
    """

    def __init__(self, decoder: TrainableDecoder) -> None:
        from torch import nn

        from rinsho.model.decoder import Decoder
        from rinsho.model.decoder_protocol import as_module

        self._decoder = as_module(decoder)
        if not isinstance(decoder, Decoder):
            self.module = cast(nn.Module, self._decoder.inner)
            return
        self.module = nn.Module()
        for name, child in self._decoder.named_children():
            self.module.add_module(name, child)
        # PEFT asks the model, and wraps matrices of 4 bits as what they are.
        self.module.is_loaded_in_4bit = _is_quantized(self._decoder)  # type: ignore[assignment]

    def put_back(self) -> None:
        """Give the decoder the modules that PEFT replaced at the top."""
        for name, child in self.module.named_children():
            if name in dict(self._decoder.named_children()):
                setattr(self._decoder, name, child)


def _is_quantized(module: nn.Module) -> bool:
    return any(type(one).__name__ == "Linear4bit" for one in module.modules())


# ------------------------------------------------------------------------------- on disk


def adapter_tensors(decoder: TrainableDecoder) -> dict[str, Tensor]:
    """Return what an adapter changes, by PEFT's names."""
    return {
        _written_name(name): parameter.detach()
        for name, parameter in decoder.named_parameters()
        if parameter.requires_grad
    }


def _written_name(name: str) -> str:
    """Return the name in a PEFT folder.

    >>> _written_name("model.layers.0.mlp.up_proj.lora_A.default.weight")
    'base_model.model.model.layers.0.mlp.up_proj.lora_A.weight'
    """
    plain = _KEPT.sub(".", _LORA.sub(r".\1.", name.removeprefix("inner.")))
    return _PREFIX + plain


def save_adapter(
    decoder: TrainableDecoder, folder: Path, settings: AdapterSettings, base_name: str
) -> None:
    """Write the adapter of a decoder as a folder that PEFT opens.

    Args:
        decoder: With an adapter attached.
        folder: An existing folder, the one that the stage hands out.
        settings: Of the adapter.
        base_name: A hub id, or what the base's folder is called; no path.
    """
    from rinsho.model.tensor_file import write_tensors

    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_name,
        "inference_mode": True,
        "r": settings.rank,
        "lora_alpha": settings.alpha,
        "lora_dropout": settings.dropout,
        "target_modules": sorted(settings.targets or _adapted(decoder)),
        "modules_to_save": sorted(settings.modules_to_save) or None,
        "bias": "none",
        "use_rslora": False,
        "fan_in_fan_out": False,
    }
    text = json.dumps(config, indent=2, sort_keys=True)
    (folder / ADAPTER_CONFIG).write_text(text + "\n", encoding="utf-8")
    write_tensors(folder / ADAPTER_WEIGHTS, adapter_tensors(decoder))


def _adapted(decoder: TrainableDecoder) -> set[str]:
    found = (name.partition(".lora_A.")[0] for name in adapter_tensors(decoder) if "lora_A" in name)
    return {name.rpartition(".")[2] for name in found}


def is_adapter(folder: Path) -> bool:
    """Tell whether a folder holds an adapter, rinsho's or another program's."""
    return (folder / ADAPTER_CONFIG).is_file()


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter folder, opened: its tensors are read when they are needed."""

    path: Path
    base_name: str
    scale: float  # of each product of two matrices
    tensors: Mapping[str, Any]  # name in the base's words -> StoredTensor


def open_adapter(folder: Path) -> Adapter:
    """Read what a PEFT folder holds, without its tensors.

    Raises:
        PathMissing, WeightsMismatch: Its safetensors are missing or damaged.
        UnknownFormat: It is not LoRA in its plain form.
    """
    from rinsho.model.tensor_file import list_tensors

    place = f"{folder.name}/{ADAPTER_CONFIG}"
    try:
        config = cast(dict[str, Any], json.loads((folder / ADAPTER_CONFIG).read_bytes()))
        rank, alpha = int(config["r"]), float(config["lora_alpha"])
        found = next((name for name in _OTHER_KINDS if config.get(name)), None)
        if config.get("peft_type") != "LORA":
            found = str(config.get("peft_type"))[:20]
        elif config.get("bias", "none") != "none":
            found = "bias"
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UnknownFormat(where=place, found="other JSON", expected="LoRA of PEFT") from None
    if found is not None or rank < 1:
        raise UnknownFormat(where=place, found=found or "r = 0", expected="LoRA of PEFT, plain")
    scale = alpha / (rank**0.5 if config.get("use_rslora") else rank)
    tensors = {
        name.removeprefix(_PREFIX): tensor
        for name, tensor in list_tensors(folder / ADAPTER_WEIGHTS).items()
    }
    return Adapter(folder, str(config.get("base_model_name_or_path") or ""), scale, tensors)


def merge_adapter(decoder: TrainableDecoder, adapter: Adapter) -> None:
    """Add an adapter to the weights of its base, in place; sums are taken in fp32.

    Raises:
        AdapterMismatch: It changes a matrix that the decoder does not have, or of another shape.
    """
    import torch

    from rinsho.model.tensor_file import read_tensor

    weights = {name.removeprefix("inner."): p for name, p in decoder.named_parameters()}
    for name, pair in _changes(adapter).items():
        weight = weights.get(name)
        parts = [read_tensor(one) for one in pair]
        shape = (parts[0] if len(parts) == 1 else parts[1] @ parts[0]).shape
        if weight is None or weight.shape != shape:
            found = "no such matrix" if weight is None else str(list(weight.shape))
            where = f"{adapter.path.name}: {name}"
            raise AdapterMismatch(where=where, expected=list(shape), found=found)
        with torch.no_grad():
            if len(parts) == 1:
                weight.copy_(parts[0])
            else:
                delta = adapter.scale * (parts[1].float() @ parts[0].float())
                weight.copy_(weight.float() + delta.to(weight.device))


def _changes(adapter: Adapter) -> dict[str, list[Any]]:
    """Return for each parameter of the base its new value, or both matrices (A, B) of its sum."""
    changes: dict[str, list[Any]] = {}
    for name, tensor in sorted(adapter.tensors.items()):
        stem, is_pair, rest = name.partition(".lora_")
        if not is_pair:
            changes[name] = [tensor]
        elif rest not in ("A.weight", "B.weight"):
            raise UnknownFormat(where=adapter.path.name, found=rest[:20], expected="lora_A, lora_B")
        else:
            changes.setdefault(f"{stem}.weight", []).append(tensor)
    for name, parts in changes.items():
        shapes = [one.shape for one in parts]
        is_pair = f"{name.removesuffix('weight')}lora_A.weight" in adapter.tensors
        fits = len(parts) == 1 + is_pair and (
            not is_pair or (len(shapes[0]) == len(shapes[1]) == 2 and shapes[0][0] == shapes[1][1])
        )
        if not fits:
            where, found = f"{adapter.path.name}: {name}", ", ".join(map(str, shapes))
            raise AdapterMismatch(where=where, expected="two matrices", found=found)
    return changes
