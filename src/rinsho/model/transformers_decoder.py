"""Any causal model of transformers as a `TrainableDecoder`: architectures that are not ours.

What is asked of it: a causal model whose logits are its last hidden states times one matrix.
"""

# T tokens of all segments one after another, N segments of a batch, L their longest, D d_model,
# V vocabulary

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from rinsho.errors import MissingDependency, UnknownArchitecture, WeightsMismatch
from rinsho.model.architecture import read_config_file
from rinsho.model.checkpoint import MAX_SHARD_BYTES, SpecialIds, weight_files
from rinsho.model.tensor_file import list_tensors

# Segments share a call where the shorter one fills this share of the longer one.
_MIN_FILLED = 0.75
# Settings of a config.json that change logits behind the output matrix.
_CHANGE_LOGITS = ("final_logit_softcapping", "logit_scale", "logits_scaling", "lm_head_multiplier")


@dataclass(frozen=True, slots=True)
class Shape:
    """The numbers that `DecoderShape` asks for."""

    vocab_size: int
    d_model: int
    context_length: int


class TransformersDecoder(nn.Module):
    """A causal model of transformers behind our Protocol.

    Args:
        inner: The model. PEFT and `save_pretrained` take it as it is.
        context_length: The most tokens it was made for.
    """

    def __init__(self, inner: Any, context_length: int) -> None:
        super().__init__()
        self.inner = inner
        n_tokens, width = self.output_weight.shape
        self.config = Shape(n_tokens, width, context_length)

    @property
    def output_weight(self) -> Tensor:
        """Return the matrix from hidden states to logits, shape (V, D)."""
        return cast(Tensor, self.inner.get_output_embeddings().weight)

    def logits(self, hidden: Tensor) -> Tensor:
        """Return unnormalized log-probabilities of the next token, shape (…, V)."""
        return functional.linear(hidden, self.output_weight)

    def forward_hidden(
        self, tokens_T: Tensor, segment_lengths: Sequence[int], *, is_causal: bool = True
    ) -> Tensor:
        """Return the hidden states behind the last norm, shape (T, D); see `TrainableDecoder`.

        Segments of like length share a call, filled up at their ends, where a causal token does
        not look; no token sees another segment.
        """
        segments = tokens_T.split(list(segment_lengths))
        found: dict[int, Tensor] = {}
        for numbers in _groups(segment_lengths):
            group = [segments[number] for number in numbers]
            tokens_NL = nn.utils.rnn.pad_sequence(group, batch_first=True)
            mask = None if is_causal else _both_ways([len(one) for one in group], tokens_NL)
            trunk = self.inner.base_model
            output = trunk(input_ids=tokens_NL, attention_mask=mask, use_cache=False)
            hidden_NLD = cast(Tensor, output.last_hidden_state)
            for number, hidden_LD in zip(numbers, hidden_NLD, strict=True):
                found[number] = hidden_LD[: segment_lengths[number]]
        return torch.cat([found[number] for number in range(len(segments))])


def _groups(segment_lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield the numbers of segments that go through the model together.

    >>> list(_groups([10, 100, 9, 80]))
    [[1, 3], [0, 2]]
    """
    group: list[int] = []
    for number in sorted(range(len(segment_lengths)), key=lambda n: -segment_lengths[n]):
        if group and segment_lengths[number] < _MIN_FILLED * segment_lengths[group[0]]:
            yield group
            group = []
        group.append(number)
    if group:
        yield group


def _both_ways(lengths: Sequence[int], tokens_NL: Tensor) -> Tensor:
    """Return what each token sees, shape (N, 1, L, L): every real token of its segment."""
    n_rows, longest = tokens_NL.shape
    places_L = torch.arange(longest, device=tokens_NL.device)
    lengths_N = torch.tensor(lengths, device=tokens_NL.device)
    is_real_NL = places_L < lengths_N[:, None]
    return is_real_NL[:, None, None, :].expand(n_rows, 1, longest, longest)


# ------------------------------------------------------------------------------- on disk


def load_transformers_decoder(
    folder: Path, *, dtype: torch.dtype | None = None, device: torch.device | str | None = None
) -> TransformersDecoder:
    """Load a model folder through transformers: no network, no pickle, no program of the model's.

    Raises:
        PathMissing, PickleRefused: As in `load_decoder`.
        WeightsMismatch: A shard is damaged, or a tensor is missing or of another shape.
        UnknownArchitecture: transformers does not know it, it is quantized, or its logits are not
            its hidden states times one matrix.
        MissingDependency: transformers is not installed.
    """
    config = read_config_file(folder)
    for path in weight_files(folder):
        list_tensors(path)
    changes = [name for name in _CHANGE_LOGITS if config.get(name) not in (None, 1, 1.0)]
    if config.get("quantization_config"):
        changes.append("quantization_config")
    if changes:
        raise _unknown(folder, changes[0])
    decoder = TransformersDecoder(_load(folder, dtype), _context_length(config))
    _check(decoder, folder)
    return decoder.to(device) if device is not None else decoder


def _load(folder: Path, dtype: torch.dtype | None) -> Any:
    try:
        from transformers import AutoModelForCausalLM
    except ModuleNotFoundError:
        raise MissingDependency(where=folder.name, found="transformers", expected="adapt") from None
    try:
        inner, report = cast(
            tuple[Any, dict[str, Any]],
            AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=dtype or "auto",
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                output_loading_info=True,
            ),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _unknown(folder, str(read_config_file(folder).get("model_type"))) from None
    except RuntimeError:
        found = "tensors of another shape"
        raise WeightsMismatch(where=folder.name, expected="config.json", found=found) from None
    if missing := sorted(report["missing_keys"]):
        where = f"{folder.name}: {missing[0]}"
        raise WeightsMismatch(where=where, expected="a tensor", found="no tensor")
    return inner.eval()


def _context_length(config: dict[str, Any]) -> int:
    inner = cast(dict[str, Any], config.get("text_config") or config)
    names = ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length")
    return next((int(inner[name]) for name in names if inner.get(name)), 2_048)


def _check(decoder: TransformersDecoder, folder: Path) -> None:
    """Refuse a model whose logits are not hidden states times the output matrix, or not causal."""
    tokens_T = torch.arange(8) % decoder.config.vocab_size
    with torch.no_grad():
        hidden_TD = decoder.forward_hidden(tokens_T, [8])
        theirs = cast(Tensor, decoder.inner(input_ids=tokens_T[None], use_cache=False).logits)[0]
        logits_TV, shorter = decoder.logits(hidden_TD), decoder.forward_hidden(tokens_T[:4], [4])
    rounding = 1e-4 if theirs.dtype == torch.float32 else 2e-2
    if not torch.allclose(logits_TV, theirs, rtol=rounding, atol=rounding):
        raise _unknown(folder, "logits that are not hidden states times one matrix")
    if not torch.allclose(hidden_TD[:4], shorter, rtol=rounding, atol=rounding):
        raise _unknown(folder, "a model that is not causal")


def _unknown(folder: Path, found: str) -> UnknownArchitecture:
    expected = "Llama, Qwen2, Qwen3, Arcee, or a plain causal model of transformers"
    return UnknownArchitecture(where=folder.name, found=found, expected=expected)


def save_transformers_decoder(
    decoder: TransformersDecoder,
    folder: Path,
    special_ids: SpecialIds | None = None,
    *,
    max_shard_bytes: int = MAX_SHARD_BYTES,
) -> None:
    """Write the model as transformers does; with a tokenizer, it stops where rinsho stops."""
    if special_ids is not None:
        generation = decoder.inner.generation_config
        generation.bos_token_id, generation.pad_token_id = special_ids.bos_id, special_ids.pad_id
        generation.eos_token_id = [special_ids.end_of_turn_id, special_ids.eos_id]
    decoder.inner.save_pretrained(folder, max_shard_size=max_shard_bytes)
